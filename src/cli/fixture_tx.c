/* fixture_tx: members that transactions of all formats share. */
#include "cli/fixture.h"

usize kl_fixture_count(const struct kl_fixture *fixture, kl_json_ref array)
{
    return kl_json_is(&fixture->json, array, KL_JSON_ARRAY) ? fixture->json.nodes[array].count : 0;
}

/* Room for an array's elements, or none of them. */
static void *room(struct kl_fixture *fixture, void *memory, const char *name, usize *count)
{
    if (!memory && *count) {
        fixture->bad = fixture->bad ? fixture->bad : name;
        *count = 0;
    }
    return memory;
}

const kl_hash *kl_fixture_hashes(struct kl_fixture *fixture, kl_json_ref array, usize *count)
{
    *count = kl_fixture_count(fixture, array);
    kl_hash *hashes = room(fixture, KL_TAKE(fixture->arena, kl_hash, *count), "hash", count);
    kl_json_ref at = *count ? kl_json_first(&fixture->json, array) : KL_JSON_NONE;
    for (usize i = 0; i < *count; i++, at = kl_json_after(&fixture->json, array, at))
        hashes[i] = kl_fixture_hash(fixture, at, "hash");
    return hashes;
}

void kl_fixture_access_list(struct kl_fixture *fixture, kl_json_ref array, kl_tx *tx)
{
    const struct kl_json *json = &fixture->json;
    usize count = kl_fixture_count(fixture, array);
    kl_access *list =
        room(fixture, KL_ZERO(fixture->arena, kl_access, count), "accessList", &count);
    kl_json_ref at = count ? kl_json_first(json, array) : KL_JSON_NONE;
    for (usize i = 0; i < count; i++, at = kl_json_after(json, array, at)) {
        list[i].address = kl_fixture_address(fixture, kl_fixture_need(fixture, at, "address"),
                                             "accessList.address");
        list[i].slots = kl_fixture_hashes(fixture, kl_json_member(json, at, "storageKeys"),
                                          &list[i].slot_count);
    }
    tx->access_list = list;
    tx->access_count = count;
}

/* Any byte may stand there; what is none is a bad parity too. */
static u8 parity(struct kl_fixture *fixture, kl_json_ref entry)
{
    bool named = kl_json_member(&fixture->json, entry, "yParity") != KL_JSON_NONE;
    return (u8)KL_MIN(kl_fixture_get_u64(fixture, entry, named ? "yParity" : "v"), UINT8_MAX);
}

void kl_fixture_authorizations(struct kl_fixture *fixture, kl_json_ref array, kl_tx *tx)
{
    const struct kl_json *json = &fixture->json;
    usize count = kl_fixture_count(fixture, array);
    kl_authorization *list = room(fixture, KL_ZERO(fixture->arena, kl_authorization, count),
                                  "authorizationList", &count);
    kl_json_ref at = count ? kl_json_first(json, array) : KL_JSON_NONE;
    for (usize i = 0; i < count; i++, at = kl_json_after(json, array, at))
        list[i] = (kl_authorization){
            .chain_id = kl_fixture_get_u256(fixture, at, "chainId"),
            .address = kl_fixture_address(fixture, kl_fixture_need(fixture, at, "address"),
                                          "authorizationList.address"),
            .nonce = kl_fixture_get_u64(fixture, at, "nonce"),
            .signature = {.r = kl_fixture_get_u256(fixture, at, "r"),
                          .s = kl_fixture_get_u256(fixture, at, "s"),
                          .y_parity = parity(fixture, at)}};
    tx->authorizations = list;
    tx->authorization_count = count;
}

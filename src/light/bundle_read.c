/* Reading a bundle and a checkpoint.  Members may stand in any order, unknown ones are passed over;
 * every count is bounded before memory is taken for it.  The first thing wrong ends the reading and
 * is named by its path. */
#include <stdio.h>

#include "codec/hex.h"
#include "light/bundle.h"

struct reader {
    const struct kl_json *json;
    struct kl_arena *arena;
    kl_light_fault *fault;
    bool no_memory;
    char path[48]; /* of the object being read, with its dot */
};

static bool blame(struct reader *r, kl_rule rule, const char *name)
{
    r->fault->rule = rule;
    snprintf(r->fault->where, sizeof r->fault->where, "%s%s", r->path, name);
    return false;
}

/* False, and nobody is to blame, when memory has run out. */
static bool judge(struct reader *r, kl_rule rule, const char *name)
{
    return rule == KL_RULE_NONE ? !r->no_memory : blame(r, rule, name);
}

static bool exhausted(struct reader *r)
{
    r->no_memory = true;
    return false;
}

/* Steps into the object or list element at path. */
static void enter(struct reader *r, const char *path)
{
    snprintf(r->path, sizeof r->path, "%s.", path);
}

static void enter_at(struct reader *r, const char *path, usize index)
{
    snprintf(r->path, sizeof r->path, "%s[%zu].", path, index);
}

static void leave(struct reader *r)
{
    r->path[0] = '\0';
}

/* A member that may be missing, which null says as well. */
static kl_json_ref maybe(struct reader *r, kl_json_ref object, const char *name)
{
    kl_json_ref ref = kl_json_member(r->json, object, name);
    return kl_json_is(r->json, ref, KL_JSON_NULL) ? KL_JSON_NONE : ref;
}

static bool text_of(struct reader *r, kl_json_ref ref, const char *name, kl_span *out)
{
    if (!kl_json_is(r->json, ref, KL_JSON_STRING))
        return blame(r, KL_RULE_LIGHT_MEMBER, name);
    return kl_json_string(out, r->json, ref, r->arena) || exhausted(r);
}

static bool data_of(struct reader *r, kl_json_ref ref, const char *name, kl_span *out)
{
    kl_span text;
    return text_of(r, ref, name, &text) &&
           judge(r, kl_hex_data(out, text, r->arena, &r->no_memory), name);
}

static bool get_data(struct reader *r, kl_json_ref object, const char *name, kl_span *out)
{
    return data_of(r, kl_json_member(r->json, object, name), name, out);
}

static bool get_maybe_data(struct reader *r, kl_json_ref object, const char *name, kl_span *out)
{
    kl_json_ref ref = maybe(r, object, name);
    *out = KL_SPAN_NONE;
    return ref == KL_JSON_NONE || data_of(r, ref, name, out);
}

static bool get_fixed(struct reader *r, kl_json_ref object, const char *name, void *out, usize len)
{
    kl_span text;
    return text_of(r, kl_json_member(r->json, object, name), name, &text) &&
           judge(r, kl_hex_fixed(out, len, text), name);
}

static bool get_u64(struct reader *r, kl_json_ref object, const char *name, u64 *out)
{
    kl_span text;
    return text_of(r, kl_json_member(r->json, object, name), name, &text) &&
           judge(r, kl_hex_u64(out, text), name);
}

static bool get_u256(struct reader *r, kl_json_ref object, const char *name, kl_u256 *out)
{
    kl_span text;
    return text_of(r, kl_json_member(r->json, object, name), name, &text) &&
           judge(r, kl_hex_u256(out, text), name);
}

/* A list of at most max elements. */
static bool get_list(struct reader *r, kl_json_ref object, const char *name, usize max,
                     kl_json_ref *list, usize *count)
{
    *list = kl_json_member(r->json, object, name);
    if (!kl_json_is(r->json, *list, KL_JSON_ARRAY))
        return blame(r, KL_RULE_LIGHT_MEMBER, name);
    *count = r->json->nodes[*list].count;
    return *count <= max || blame(r, KL_RULE_LIGHT_COUNT, name);
}

/* A list of byte strings. */
static bool get_spans(struct reader *r, kl_json_ref object, const char *name, usize max,
                      const kl_span **out, usize *out_count)
{
    kl_json_ref list;
    usize count;
    if (!get_list(r, object, name, max, &list, &count))
        return false;
    kl_span *spans = KL_TAKE(r->arena, kl_span, count);
    if (!spans)
        return exhausted(r);
    kl_json_ref at = kl_json_first(r->json, list);
    for (usize i = 0; i < count; i++, at = kl_json_after(r->json, list, at)) {
        char where[40];
        snprintf(where, sizeof where, "%s[%zu]", name, i);
        if (!data_of(r, at, where, &spans[i]))
            return false;
    }
    *out = spans;
    *out_count = count;
    return true;
}

static bool read_genesis(struct reader *r, kl_json_ref root, kl_light_bundle *out)
{
    kl_json_ref ref = maybe(r, root, "genesis");
    out->has_genesis = ref != KL_JSON_NONE;
    if (!out->has_genesis)
        return true;
    if (!kl_json_is(r->json, ref, KL_JSON_OBJECT))
        return blame(r, KL_RULE_LIGHT_MEMBER, "genesis");
    enter(r, "genesis");
    bool good = get_fixed(r, ref, "hash", out->genesis_hash.b, sizeof out->genesis_hash.b) &&
                get_data(r, ref, "header", &out->genesis.header) &&
                get_data(r, ref, "consensusHeader", &out->genesis.consensus_header) &&
                get_data(r, ref, "validators", &out->genesis.validators);
    leave(r);
    return good;
}

static bool read_epochs(struct reader *r, kl_json_ref root, kl_light_bundle *out)
{
    kl_json_ref list;
    usize count;
    if (!get_list(r, root, "epochs", KL_LIGHT_EPOCHS_MAX, &list, &count))
        return false;
    kl_light_change *changes = KL_TAKE(r->arena, kl_light_change, count);
    if (!changes)
        return exhausted(r);
    kl_json_ref at = kl_json_first(r->json, list);
    for (usize i = 0; i < count; i++, at = kl_json_after(r->json, list, at)) {
        enter_at(r, "epochs", i);
        if (!get_data(r, at, "header", &changes[i].header) ||
            !get_data(r, at, "consensusHeader", &changes[i].consensus_header) ||
            !get_data(r, at, "finalization", &changes[i].finalization) ||
            !get_data(r, at, "validators", &changes[i].validators))
            return false;
    }
    leave(r);
    out->epochs = changes;
    out->epoch_count = count;
    return true;
}

static bool read_slots(struct reader *r, kl_json_ref account, kl_light_account *out)
{
    kl_json_ref list;
    usize count;
    if (!get_list(r, account, "storageProof", KL_LIGHT_SLOTS_MAX, &list, &count))
        return false;
    kl_light_slot *slots = KL_TAKE(r->arena, kl_light_slot, count);
    if (!slots)
        return exhausted(r);
    kl_json_ref at = kl_json_first(r->json, list);
    for (usize i = 0; i < count; i++, at = kl_json_after(r->json, list, at)) {
        kl_light_slot *slot = &slots[i];
        enter_at(r, "account.storageProof", i);
        if (!get_u256(r, at, "key", &slot->key) || !get_u256(r, at, "value", &slot->value) ||
            !get_spans(r, at, "proof", KL_LIGHT_NODES_MAX, &slot->nodes, &slot->node_count))
            return false;
    }
    out->slots = slots;
    out->slot_count = count;
    return true;
}

static bool read_account(struct reader *r, kl_json_ref root, kl_light_bundle *out)
{
    kl_json_ref ref = maybe(r, root, "account");
    kl_light_account *a = &out->account;
    kl_account *claim = &a->claim;
    out->has_account = ref != KL_JSON_NONE;
    if (!out->has_account)
        return true;
    if (!kl_json_is(r->json, ref, KL_JSON_OBJECT))
        return blame(r, KL_RULE_LIGHT_MEMBER, "account");
    enter(r, "account");
    bool good =
        get_fixed(r, ref, "address", a->address.b, sizeof a->address.b) &&
        get_spans(r, ref, "accountProof", KL_LIGHT_NODES_MAX, &a->nodes, &a->node_count) &&
        get_u256(r, ref, "balance", &claim->balance) && get_u64(r, ref, "nonce", &claim->nonce) &&
        get_fixed(r, ref, "codeHash", claim->code_hash.b, sizeof claim->code_hash.b) &&
        get_fixed(r, ref, "storageHash", claim->storage_root.b, sizeof claim->storage_root.b) &&
        read_slots(r, ref, a);
    leave(r);
    return good;
}

static bool read_bundle(struct reader *r, kl_json_ref root, kl_light_bundle *out)
{
    kl_light_finality *f = &out->finality;
    if (!kl_json_is(r->json, root, KL_JSON_OBJECT))
        return blame(r, KL_RULE_LIGHT_MEMBER, "the bundle");
    return get_u64(r, root, "chainId", &out->chain_id) && read_genesis(r, root, out) &&
           read_epochs(r, root, out) &&
           get_spans(r, root, "headers", KL_LIGHT_HEADERS_MAX, &f->headers, &f->header_count) &&
           get_maybe_data(r, root, "consensusHeader", &f->consensus_header) &&
           get_maybe_data(r, root, "finalization", &f->finalization) && read_account(r, root, out);
}

kl_status kl_light_bundle_read(kl_light_bundle *out, const struct kl_json *json, kl_json_ref ref,
                               struct kl_arena *arena, kl_light_fault *fault)
{
    struct reader r = {.json = json, .arena = arena, .fault = fault};
    kl_light_bundle read = {0};
    *fault = (kl_light_fault){0};
    if (read_bundle(&r, ref, &read))
        *out = read;
    return r.no_memory ? KL_NOMEM : KL_OK;
}

kl_status kl_light_checkpoint_read(kl_light_checkpoint *out, const struct kl_json *json,
                                   kl_json_ref ref, struct kl_arena *arena, kl_light_fault *fault)
{
    struct reader r = {.json = json, .arena = arena, .fault = fault};
    kl_light_checkpoint read = {0};
    kl_hash *genesis_hash = &read.domain.genesis_hash;
    *fault = (kl_light_fault){0};
    if (get_u64(&r, ref, "chainId", &read.domain.chain_id) &&
        get_fixed(&r, ref, "genesisHash", genesis_hash->b, sizeof genesis_hash->b) &&
        get_u64(&r, ref, "epoch", &read.epoch) && get_u64(&r, ref, "number", &read.number) &&
        get_fixed(&r, ref, "hash", read.hash.b, sizeof read.hash.b) &&
        get_data(&r, ref, "validators", &read.validators))
        *out = read;
    return r.no_memory ? KL_NOMEM : KL_OK;
}

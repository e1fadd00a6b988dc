/* statetest_tx: newer fixtures carry the signed bytes, which is what a node would get; older ones
 * only fields and a private key. */
#include "cli/statetest_tx.h"

#include "crypto/secp256k1.h"

static kl_json_ref element(struct kl_fixture *fixture, kl_json_ref object, const char *name,
                           usize index)
{
    return kl_json_at(&fixture->json, kl_json_member(&fixture->json, object, name), index);
}

/* The type is the newest whose members are there. */
static void read_type(struct kl_fixture *fixture, kl_json_ref from, usize data_index, kl_tx *tx)
{
    const struct kl_json *json = &fixture->json;
    kl_json_ref lists = kl_json_member(json, from, "accessLists");
    kl_json_ref list = kl_json_at(json, lists, data_index);
    kl_json_ref blobs = kl_json_member(json, from, "blobVersionedHashes");
    kl_json_ref authorizations = kl_json_member(json, from, "authorizationList");
    if (kl_json_is(json, list, KL_JSON_ARRAY)) {
        tx->type = KL_TX_ACCESS_LIST;
        kl_fixture_access_list(fixture, list, tx);
    }
    if (kl_json_member(json, from, "maxFeePerGas") != KL_JSON_NONE)
        tx->type = KL_TX_DYNAMIC_FEE;
    if (kl_json_is(json, blobs, KL_JSON_ARRAY)) {
        tx->type = KL_TX_BLOB;
        tx->blob_hashes = kl_fixture_hashes(fixture, blobs, &tx->blob_count);
        tx->max_blob_fee = kl_fixture_get_u256(fixture, from, "maxFeePerBlobGas");
    }
    if (kl_json_is(json, authorizations, KL_JSON_ARRAY)) {
        tx->type = KL_TX_SET_CODE;
        kl_fixture_authorizations(fixture, authorizations, tx);
    }
    tx->replay_safe = tx->type != KL_TX_LEGACY;
    tx->chain_id = tx->replay_safe ? 1 : 0;
}

static kl_tx read_fields(struct kl_fixture *fixture, kl_json_ref from,
                         const kl_case_indexes *indexes)
{
    kl_tx tx = {0};
    read_type(fixture, from, indexes->data, &tx);
    tx.nonce = kl_fixture_get_u64(fixture, from, "nonce");
    tx.gas_limit = kl_fixture_u64(fixture, element(fixture, from, "gasLimit", indexes->gas),
                                  "transaction.gasLimit");
    tx.value = kl_fixture_u256(fixture, element(fixture, from, "value", indexes->value),
                               "transaction.value");
    tx.data = kl_fixture_bytes(fixture, element(fixture, from, "data", indexes->data),
                               "transaction.data");
    bool dynamic = tx.type >= KL_TX_DYNAMIC_FEE;
    tx.max_fee = kl_fixture_get_u256(fixture, from, dynamic ? "maxFeePerGas" : "gasPrice");
    tx.max_priority_fee =
        dynamic ? kl_fixture_get_u256(fixture, from, "maxPriorityFeePerGas") : tx.max_fee;
    kl_json_ref to = kl_fixture_need(fixture, from, "to");
    tx.has_to = to != KL_JSON_NONE && kl_json_raw(&fixture->json, to).len > 0;
    if (tx.has_to)
        tx.to = kl_fixture_address(fixture, to, "transaction.to");
    return tx;
}

kl_status kl_statetest_tx(struct kl_fixture *fixture, kl_json_ref transaction,
                          const kl_case_indexes *indexes, kl_span raw, kl_fork fork, kl_tx *out,
                          kl_rule *broken)
{
    if (raw.len > 0) {
        KL_TRY(kl_tx_decode(out, raw, fork, fixture->arena, broken));
        if (*broken == KL_RULE_NONE)
            *broken = kl_tx_recover(out, fork);
        return KL_OK;
    }
    *broken = KL_RULE_NONE;
    kl_tx tx = read_fields(fixture, transaction, indexes);
    kl_secret32 key;
    kl_hash secret = kl_fixture_hash(fixture, kl_fixture_need(fixture, transaction, "secretKey"),
                                     "transaction.secretKey");
    memcpy(key.b, secret.b, sizeof key.b);
    kl_pubkey unused;
    if (!kl_secp256k1_pubkey(&unused, &key)) {
        fixture->bad = "transaction.secretKey";
        return KL_CORRUPT;
    }
    KL_TRY(kl_tx_sign(&tx, &key, fixture->arena));
    if (tx.type == KL_TX_SET_CODE) {
        tx.has_sender = false;
        *broken = kl_tx_recover(&tx, fork);
    }
    *out = tx;
    return KL_OK;
}

kl_header kl_statetest_env(struct kl_fixture *f, kl_json_ref env, kl_fork fork)
{
    kl_header header = {.coinbase = kl_fixture_address(
                            f, kl_fixture_need(f, env, "currentCoinbase"), "env.currentCoinbase"),
                        .difficulty = kl_fixture_get_u256(f, env, "currentDifficulty"),
                        .number = kl_fixture_get_u64(f, env, "currentNumber"),
                        .gas_limit = kl_fixture_get_u64(f, env, "currentGasLimit"),
                        .timestamp = kl_fixture_get_u64(f, env, "currentTimestamp"),
                        .mix_hash = kl_u256_to_hash(kl_fixture_get_u256(f, env, "currentRandom")),
                        .tail = kl_header_tail(fork),
                        .excess_blob_gas = kl_fixture_get_u64(f, env, "currentExcessBlobGas")};
    if (fork >= KL_LONDON)
        header.base_fee = kl_fixture_get_u256(f, env, "currentBaseFee");
    return header;
}

/* t8n_tx: transactions from JSON become bytes, and all bytes are decoded and judged alike. */
#include "cli/t8n.h"
#include "codec/rlp.h"

/* An empty string, and "0x", are no address; those who may not create need one. */
static void read_to(struct kl_fixture *f, kl_json_ref from, kl_tx *tx)
{
    kl_json_ref to = kl_json_member(&f->json, from, "to");
    bool optional = tx->type < KL_TX_BLOB;
    tx->has_to = kl_json_is(&f->json, to, KL_JSON_STRING) && kl_json_raw(&f->json, to).len > 2;
    if (!tx->has_to && !optional && !f->bad)
        f->bad = "to";
    if (tx->has_to)
        tx->to = kl_fixture_address(f, to, "to");
}

/* A member under either of two names. */
static kl_json_ref either(struct kl_fixture *f, kl_json_ref from, const char *name,
                          const char *other)
{
    kl_json_ref ref = kl_json_member(&f->json, from, name);
    return ref != KL_JSON_NONE ? ref : kl_fixture_need(f, from, other);
}

static void read_fees(struct kl_fixture *f, kl_json_ref from, kl_tx *tx)
{
    if (tx->type < KL_TX_DYNAMIC_FEE) {
        tx->max_fee = kl_fixture_u256(f, kl_fixture_need(f, from, "gasPrice"), "gasPrice");
        tx->max_priority_fee = tx->max_fee;
        return;
    }
    tx->max_fee = kl_fixture_u256(f, kl_fixture_need(f, from, "maxFeePerGas"), "maxFeePerGas");
    tx->max_priority_fee = kl_fixture_u256(f, kl_fixture_need(f, from, "maxPriorityFeePerGas"),
                                           "maxPriorityFeePerGas");
}

static void read_typed(struct kl_fixture *f, kl_json_ref from, const kl_spec *spec, kl_tx *tx)
{
    const struct kl_json *json = &f->json;
    kl_json_ref chain_id = kl_json_member(json, from, "chainId");
    bool given = chain_id != KL_JSON_NONE && !kl_json_is(json, chain_id, KL_JSON_NULL);
    tx->replay_safe = true;
    tx->chain_id = given ? kl_fixture_u64(f, chain_id, "chainId") : spec->chain_id;
    kl_fixture_access_list(f, kl_json_member(json, from, "accessList"), tx);
    if (tx->type == KL_TX_BLOB) {
        tx->max_blob_fee =
            kl_fixture_u256(f, kl_fixture_need(f, from, "maxFeePerBlobGas"), "maxFeePerBlobGas");
        tx->blob_hashes =
            kl_fixture_hashes(f, kl_fixture_need(f, from, "blobVersionedHashes"), &tx->blob_count);
    }
    if (tx->type == KL_TX_SET_CODE)
        kl_fixture_authorizations(f, kl_fixture_need(f, from, "authorizationList"), tx);
}

/* v of a legacy transaction says both parity and chain id [EIP-155]. */
static void read_signature(struct kl_fixture *f, kl_json_ref from, kl_tx *tx)
{
    bool parity = kl_json_member(&f->json, from, "yParity") != KL_JSON_NONE;
    u64 v = kl_fixture_get_u64(f, from, parity && tx->type != KL_TX_LEGACY ? "yParity" : "v");
    tx->signature.r = kl_fixture_get_u256(f, from, "r");
    tx->signature.s = kl_fixture_get_u256(f, from, "s");
    bool unsigned_yet =
        v == 0 && kl_u256_is_zero(tx->signature.r) && kl_u256_is_zero(tx->signature.s);
    if (tx->type == KL_TX_LEGACY && v >= 35) {
        tx->replay_safe = true;
        tx->chain_id = (v - 35) / 2;
        v = (v - 35) % 2;
    } else if (tx->type == KL_TX_LEGACY && v >= 27) {
        v -= 27;
    }
    tx->signature.y_parity = (u8)KL_MIN(v, UINT8_MAX);
    bool good = v <= 1 && !kl_u256_is_zero(tx->signature.r) && !kl_u256_is_zero(tx->signature.s) &&
                kl_u256_lt(tx->signature.r, kl_secp256k1_n) &&
                kl_u256_lt(tx->signature.s, kl_secp256k1_n);
    if (!good && !unsigned_yet && !f->bad)
        f->bad = "v, r, s";
}

static void read_fields(struct kl_fixture *f, kl_json_ref from, const kl_spec *spec, kl_tx *tx)
{
    u64 type = kl_fixture_get_u64(f, from, "type");
    if (type > KL_TX_SET_CODE && !f->bad)
        f->bad = "type";
    tx->type = (u8)KL_MIN(type, KL_TX_SET_CODE);
    tx->nonce = kl_fixture_u64(f, kl_fixture_need(f, from, "nonce"), "nonce");
    tx->gas_limit = kl_fixture_u64(f, either(f, from, "gas", "gasLimit"), "gas");
    tx->value = kl_fixture_u256(f, kl_fixture_need(f, from, "value"), "value");
    tx->data = kl_fixture_bytes(f, either(f, from, "input", "data"), "input");
    read_to(f, from, tx);
    read_fees(f, from, tx);
    if (tx->type != KL_TX_LEGACY)
        read_typed(f, from, spec, tx);
    read_signature(f, from, tx);
}

/* With the key it comes with; on a chain other than its own it cannot be. */
static kl_status sign(struct kl_fixture *f, kl_json_ref from, const kl_spec *spec, kl_tx *tx)
{
    kl_secret32 key;
    kl_pubkey unused;
    kl_json_ref plain = kl_json_member(&f->json, from, "protected");
    kl_hash secret = kl_fixture_hash(f, kl_fixture_need(f, from, "secretKey"), "secretKey");
    memcpy(key.b, secret.b, sizeof key.b);
    if (tx->type == KL_TX_LEGACY) {
        tx->replay_safe = !kl_json_is(&f->json, plain, KL_JSON_FALSE);
        tx->chain_id = tx->replay_safe ? spec->chain_id : 0;
    } else if (tx->chain_id == 0) {
        tx->chain_id = spec->chain_id;
    }
    if (tx->type != KL_TX_LEGACY && tx->chain_id != spec->chain_id && !f->bad)
        f->bad = "chainId";
    if (!kl_secp256k1_pubkey(&unused, &key) && !f->bad)
        f->bad = "secretKey";
    return f->bad ? KL_OK : kl_tx_sign(tx, &key, f->arena);
}

static kl_span encode(const kl_tx *tx, struct kl_arena *arena)
{
    kl_out counter = kl_out_counter();
    kl_tx_encode(&counter, tx);
    u8 *bytes = KL_TAKE(arena, u8, counter.len);
    if (!bytes)
        return KL_SPAN_NONE;
    kl_out out = kl_out_of(bytes, counter.len);
    kl_tx_encode(&out, tx);
    return kl_out_done(&out);
}

/* From bytes, with the sender where nothing is broken. */
static kl_status decode(kl_t8n_tx *out, kl_span raw, kl_fork fork, struct kl_arena *arena)
{
    *out = (kl_t8n_tx){0};
    KL_TRY(kl_tx_decode(&out->tx, raw, fork, arena, &out->broken));
    if (out->broken == KL_RULE_NONE)
        out->broken = kl_tx_recover(&out->tx, fork);
    return KL_OK;
}

static kl_status read_tx(kl_t8n_tx *out, struct kl_fixture *f, kl_json_ref from,
                         const kl_spec *spec, kl_fork fork)
{
    kl_tx tx = {0};
    read_fields(f, from, spec, &tx);
    bool has_key = kl_json_member(&f->json, from, "secretKey") != KL_JSON_NONE;
    if (!f->bad && has_key && kl_u256_is_zero(tx.signature.r))
        KL_TRY(sign(f, from, spec, &tx));
    if (f->bad)
        return KL_OK;
    kl_span raw = tx.raw.len ? tx.raw : encode(&tx, f->arena);
    return raw.p ? decode(out, raw, fork, f->arena) : KL_NOMEM;
}

bool kl_t8n_txs_read(kl_t8n_txs *out, struct kl_fixture *fixture, kl_json_ref array,
                     const kl_spec *spec, kl_fork fork, struct kl_t8n_fault *fault)
{
    const struct kl_json *json = &fixture->json;
    kl_t8n_txs got = {.count = kl_fixture_count(fixture, array)};
    bool none = array == KL_JSON_NONE || kl_json_is(json, array, KL_JSON_NULL);
    if (!none && !kl_json_is(json, array, KL_JSON_ARRAY))
        return kl_t8n_blame(fault, KL_T8N_JSON, "failed unmarshalling txs: there is no array");
    got.tx = KL_ZERO(fixture->arena, kl_t8n_tx, got.count);
    if (!got.tx && got.count)
        return kl_t8n_done(fault, KL_NOMEM, "txs");
    kl_json_ref at = got.count ? kl_json_first(json, array) : KL_JSON_NONE;
    for (usize i = 0; at != KL_JSON_NONE; i++, at = kl_json_after(json, array, at)) {
        char what[40];
        snprintf(what, sizeof what, "txs[%zu]", i);
        kl_status status = read_tx(&got.tx[i], fixture, at, spec, fork);
        if (!kl_t8n_done(fault, status, what) || !kl_t8n_read(fault, fixture, what))
            return false;
    }
    *out = got;
    return true;
}

/* The envelope of the next item: a list itself, or the bytes of a string. */
static kl_rule next_envelope(kl_rlp *items, kl_span *raw)
{
    bool is_list;
    kl_rlp look = *items;
    KL_JUDGE(kl_rlp_item(&look, raw, &is_list));
    if (!is_list)
        return kl_rlp_bytes(items, raw);
    *items = look;
    return KL_RULE_NONE;
}

bool kl_t8n_txs_decode(kl_t8n_txs *out, kl_span rlp, kl_fork fork, struct kl_arena *arena,
                       struct kl_t8n_fault *fault)
{
    kl_rlp items;
    kl_t8n_txs got = {0};
    kl_rule broken = kl_rlp_open(&items, rlp);
    if (broken == KL_RULE_NONE)
        broken = kl_rlp_count(&items, &got.count);
    if (broken != KL_RULE_NONE)
        return kl_t8n_blame(fault, KL_T8N_RLP, "failed decoding the list of transactions: %s",
                            kl_rule_text(broken));
    got.tx = KL_ZERO(arena, kl_t8n_tx, got.count);
    if (!got.tx && got.count)
        return kl_t8n_done(fault, KL_NOMEM, "txs");
    for (usize i = 0; i < got.count; i++) {
        kl_span raw = KL_SPAN_NONE;
        broken = next_envelope(&items, &raw);
        if (broken != KL_RULE_NONE) { /* nobody knows where the next begins */
            got.tx[i].broken = broken;
            got.count = i + 1;
            break;
        }
        if (!kl_t8n_done(fault, decode(&got.tx[i], raw, fork, arena), "txs"))
            return false;
    }
    *out = got;
    return true;
}

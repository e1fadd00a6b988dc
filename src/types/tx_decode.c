/* tx_decode: the five types share one order of fields, and each leaves out what it lacks:
 *
 *     legacy       nonce      fee gas to value data                              v r s
 *     1  chain_id  nonce      fee gas to value data access                       v r s
 *     2  chain_id  nonce  tip fee gas to value data access                       v r s
 *     3  chain_id  nonce  tip fee gas to value data access  blob_fee blob_hashes v r s
 *     4  chain_id  nonce  tip fee gas to value data access  authorizations       v r s */
#include "crypto/keccak.h"
#include "types/decode_priv.h"
#include "types/tx_priv.h"

/* The shortest encodings there are. */
enum { HASH_BYTES = 33, ACCESS_BYTES_MIN = 23, AUTHORIZATION_BYTES_MIN = 27 };

/* The first fork that knows a type [EIP-2930, EIP-1559, EIP-4844, EIP-7702]. */
static const kl_fork since[] = {
    [KL_TX_LEGACY] = KL_FRONTIER, [KL_TX_ACCESS_LIST] = KL_BERLIN, [KL_TX_DYNAMIC_FEE] = KL_LONDON,
    [KL_TX_BLOB] = KL_CANCUN,     [KL_TX_SET_CODE] = KL_PRAGUE,
};

/* Any number of 32-byte hashes in a list. */
static kl_rule read_hashes(kl_rlp *from, const kl_hash **out, usize *count, struct kl_arena *arena)
{
    kl_rlp list;
    KL_JUDGE(kl_open_counted(from, &list, HASH_BYTES, count));
    kl_hash *hashes = KL_TAKE(arena, kl_hash, *count);
    if (!hashes)
        return KL_NO_VERDICT;
    for (usize i = 0; i < *count; i++)
        KL_JUDGE(kl_rlp_hash(&list, &hashes[i]));
    *out = hashes;
    return KL_RULE_NONE;
}

static kl_rule read_access_list(kl_rlp *from, kl_tx *tx, struct kl_arena *arena)
{
    kl_rlp list;
    KL_JUDGE(kl_open_counted(from, &list, ACCESS_BYTES_MIN, &tx->access_count));
    kl_access *access = KL_TAKE(arena, kl_access, tx->access_count);
    if (!access)
        return KL_NO_VERDICT;
    for (usize i = 0; i < tx->access_count; i++) {
        kl_rlp entry;
        KL_JUDGE(kl_rlp_list(&list, &entry));
        KL_JUDGE(kl_rlp_address(&entry, &access[i].address));
        KL_JUDGE(read_hashes(&entry, &access[i].slots, &access[i].slot_count, arena));
        KL_JUDGE(kl_rlp_close(&entry));
    }
    tx->access_list = access;
    return KL_RULE_NONE;
}

/* r or s: wider than 256 bits is a bad signature, a leading zero is a second spelling. */
static kl_rule read_scalar(kl_rlp *from, kl_u256 *out, kl_rule too_wide)
{
    kl_rlp look = *from;
    kl_span bytes;
    KL_JUDGE(kl_rlp_bytes(&look, &bytes));
    if (bytes.len > 32 && bytes.p[0] != 0)
        return too_wide;
    return kl_rlp_u256(from, out);
}

static kl_rule read_signature(kl_rlp *from, kl_signature *out, kl_rule too_wide)
{
    KL_JUDGE(read_scalar(from, &out->r, too_wide));
    return read_scalar(from, &out->s, too_wide);
}

/* [EIP-7702]: the tuple's bounds are those of its fields here; what they hold is judged when it is
 * applied, and a bad one is passed over. */
static kl_rule read_authorization(kl_rlp *from, kl_authorization *a)
{
    kl_rlp fields;
    u64 y_parity;
    KL_JUDGE(kl_rlp_list(from, &fields));
    KL_JUDGE(kl_rlp_u256(&fields, &a->chain_id));
    KL_JUDGE(kl_rlp_address(&fields, &a->address));
    KL_JUDGE(kl_rlp_u64(&fields, &a->nonce));
    KL_JUDGE(kl_rlp_u64(&fields, &y_parity));
    if (y_parity > UINT8_MAX)
        return KL_RULE_TX_AUTH_SIGNATURE;
    a->signature.y_parity = (u8)y_parity;
    KL_JUDGE(read_signature(&fields, &a->signature, KL_RULE_TX_AUTH_SIGNATURE));
    return kl_rlp_close(&fields);
}

static kl_rule read_authorizations(kl_rlp *from, kl_tx *tx, struct kl_arena *arena)
{
    kl_rlp list;
    KL_JUDGE(kl_open_counted(from, &list, AUTHORIZATION_BYTES_MIN, &tx->authorization_count));
    tx->authorizations = KL_ZERO(arena, kl_authorization, tx->authorization_count);
    if (!tx->authorizations)
        return KL_NO_VERDICT;
    for (usize i = 0; i < tx->authorization_count; i++)
        KL_JUDGE(read_authorization(&list, &tx->authorizations[i]));
    return KL_RULE_NONE;
}

/* What is wrong with a list of authorizations, in EIP-7702's words. */
static kl_rule as_authorization_fault(kl_rule rule)
{
    bool kept = rule == KL_RULE_NONE || rule == KL_NO_VERDICT || rule == KL_RULE_TX_AUTH_SIGNATURE;
    return kept ? rule : KL_RULE_TX_AUTH_FORMAT;
}

/* A legacy v holds the parity and, from EIP-155 on, the chain id: 27 or 28, or 35 + 2 * id. */
static kl_rule read_v(kl_rlp *from, kl_tx *tx, kl_fork fork)
{
    kl_rule foreign = fork >= KL_SPURIOUS ? KL_RULE_TX_CHAIN_ID : KL_RULE_TX_SIGNATURE;
    kl_u256 v;
    KL_JUDGE(read_scalar(from, &v, foreign));
    u64 low = kl_u256_sat_u64(v);
    if (low == 27 || low == 28) {
        tx->signature.y_parity = (u8)(low - 27);
        return KL_RULE_NONE;
    }
    if (low < 2)
        return KL_RULE_TX_SIGNATURE;
    if (foreign == KL_RULE_TX_SIGNATURE || low < 35)
        return foreign;
    kl_u256 twice = kl_u256_sub(v, kl_u256_of(35)); /* at most 2^65 - 1 for a chain id that fits */
    if (twice.w[3] || twice.w[2] || twice.w[1] > 1)
        return KL_RULE_TX_CHAIN_ID;
    tx->replay_safe = true;
    tx->chain_id = twice.w[1] << 63 | twice.w[0] >> 1;
    tx->signature.y_parity = (u8)(twice.w[0] & 1);
    return KL_RULE_NONE;
}

static kl_rule read_y_parity(kl_rlp *from, kl_tx *tx)
{
    kl_u256 parity;
    KL_JUDGE(read_scalar(from, &parity, KL_RULE_TX_SIGNATURE));
    if (kl_u256_sat_u64(parity) > 1)
        return KL_RULE_TX_SIGNATURE;
    tx->signature.y_parity = (u8)parity.w[0];
    return KL_RULE_NONE;
}

static kl_rule read_chain_id(kl_rlp *from, kl_tx *tx)
{
    kl_u256 id;
    KL_JUDGE(kl_rlp_u256(from, &id));
    tx->replay_safe = true;
    return kl_u256_to_u64(&tx->chain_id, id) ? KL_RULE_NONE : KL_RULE_TX_CHAIN_ID;
}

static kl_rule read_payment(kl_rlp *from, kl_tx *tx)
{
    KL_JUDGE(kl_rlp_u64(from, &tx->nonce));
    if (tx->type >= KL_TX_DYNAMIC_FEE)
        KL_JUDGE(kl_rlp_u256(from, &tx->max_priority_fee));
    KL_JUDGE(kl_rlp_u256(from, &tx->max_fee));
    if (tx->type < KL_TX_DYNAMIC_FEE)
        tx->max_priority_fee = tx->max_fee;
    return kl_rlp_u64(from, &tx->gas_limit);
}

static kl_rule read_message(kl_rlp *from, kl_tx *tx)
{
    KL_JUDGE(kl_rlp_maybe_address(from, &tx->to, &tx->has_to));
    if (!tx->has_to && tx->type == KL_TX_BLOB)
        return KL_RULE_TX_BLOB_CREATE;
    if (!tx->has_to && tx->type == KL_TX_SET_CODE)
        return KL_RULE_TX_AUTH_CREATE;
    KL_JUDGE(kl_rlp_u256(from, &tx->value));
    return kl_rlp_bytes(from, &tx->data);
}

static kl_rule read_lists(kl_rlp *from, kl_tx *tx, struct kl_arena *arena)
{
    KL_JUDGE(read_access_list(from, tx, arena));
    if (tx->type == KL_TX_BLOB) {
        KL_JUDGE(kl_rlp_u256(from, &tx->max_blob_fee));
        KL_JUDGE(read_hashes(from, &tx->blob_hashes, &tx->blob_count, arena));
    }
    if (tx->type == KL_TX_SET_CODE)
        return as_authorization_fault(read_authorizations(from, tx, arena));
    return KL_RULE_NONE;
}

static kl_rule read_fields(kl_tx *tx, kl_span list, kl_fork fork, struct kl_arena *arena)
{
    kl_rlp fields;
    bool legacy = tx->type == KL_TX_LEGACY;
    KL_JUDGE(kl_rlp_open(&fields, list));
    if (!legacy)
        KL_JUDGE(read_chain_id(&fields, tx));
    KL_JUDGE(read_payment(&fields, tx));
    KL_JUDGE(read_message(&fields, tx));
    if (!legacy)
        KL_JUDGE(read_lists(&fields, tx, arena));
    KL_JUDGE(legacy ? read_v(&fields, tx, fork) : read_y_parity(&fields, tx));
    KL_JUDGE(read_signature(&fields, &tx->signature, KL_RULE_TX_SIGNATURE));
    return kl_rlp_close(&fields);
}

bool kl_tx_type_known(u8 type, kl_fork fork)
{
    return type < KL_COUNT_OF(since) && fork >= since[type];
}

kl_rule kl_tx_read(kl_tx *out, kl_span raw, kl_fork fork, struct kl_arena *arena)
{
    if (raw.len == 0)
        return KL_RULE_RLP_SHORT;
    u8 first = raw.p[0];
    bool legacy = first >= 0xc0; /* [EIP-2718]: the first byte of a list is no type */
    if (!legacy && (first == KL_TX_LEGACY || !kl_tx_type_known(first, fork)))
        return KL_RULE_TX_TYPE;
    kl_tx tx = {.type = legacy ? KL_TX_LEGACY : first, .raw = raw};
    KL_JUDGE(read_fields(&tx, kl_span_sub(raw, !legacy, raw.len), fork, arena));
    *out = tx;
    return KL_RULE_NONE;
}

kl_status kl_tx_decode(kl_tx *out, kl_span raw, kl_fork fork, struct kl_arena *arena,
                       kl_rule *broken)
{
    KL_TRY(kl_settle(kl_tx_read(out, raw, fork, arena), broken));
    if (*broken == KL_RULE_NONE)
        out->hash = kl_keccak256(raw);
    return KL_OK;
}

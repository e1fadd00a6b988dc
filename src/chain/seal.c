/* seal: the target is 2^256 / difficulty, rounded down; the result must not be above it. */
#include "chain/seal.h"

#include "codec/rlp.h"
#include "crypto/keccak.h"

kl_hash kl_seal_hash(const kl_header *h)
{
    u8 room[KL_HEADER_RLP_MAX];
    kl_out out = kl_out_of(room, sizeof room);
    kl_rlp_mark list = kl_rlp_put_begin(&out);
    kl_rlp_put_hash(&out, &h->parent_hash);
    kl_rlp_put_hash(&out, &h->ommers_hash);
    kl_rlp_put_address(&out, &h->coinbase);
    kl_rlp_put_hash(&out, &h->state_root);
    kl_rlp_put_hash(&out, &h->transactions_root);
    kl_rlp_put_hash(&out, &h->receipts_root);
    kl_rlp_put_bytes(&out, KL_SPAN_OF(h->logs_bloom.b));
    kl_rlp_put_u256(&out, h->difficulty);
    kl_rlp_put_u64(&out, h->number);
    kl_rlp_put_u64(&out, h->gas_limit);
    kl_rlp_put_u64(&out, h->gas_used);
    kl_rlp_put_u64(&out, h->timestamp);
    kl_rlp_put_bytes(&out, kl_span_of(h->extra_data, h->extra_len));
    if (h->tail >= 1)
        kl_rlp_put_u256(&out, h->base_fee);
    kl_rlp_put_end(&out, list);
    KL_ASSERT(!out.full);
    return kl_keccak256(kl_out_done(&out));
}

/* result * difficulty <= 2^256, without ever writing 2^256 down. */
static bool meets(const kl_hash *result, kl_u256 difficulty)
{
    if (kl_u256_is_zero(difficulty))
        return false;
    if (kl_u256_eq(difficulty, KL_U256_ONE))
        return true;
    kl_u256 rest = kl_u256_div(kl_u256_sub(KL_U256_ZERO, difficulty), difficulty);
    kl_u256 target = kl_u256_add(rest, KL_U256_ONE);
    return !kl_u256_lt(target, kl_u256_from_hash(result));
}

kl_rule kl_judge_seal(const struct kl_ethash *ethash, const kl_header *header)
{
    KL_ASSERT(header->number / KL_ETHASH_EPOCH == kl_ethash_epoch(ethash));
    kl_hash mix, result, seal = kl_seal_hash(header);
    kl_ethash_light(ethash, &seal, header->nonce, &mix, &result);
    bool good = kl_hash_eq(&mix, &header->mix_hash) && meets(&result, header->difficulty);
    return good ? KL_RULE_NONE : KL_RULE_HEADER_SEAL;
}

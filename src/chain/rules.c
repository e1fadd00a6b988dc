/* rules: one function a rule or a group of rules, called in an order that puts what is cheap and
 * what later rules rely on first (a difficulty needs a good timestamp). */
#include "chain/rules.h"

#include "chain/difficulty.h"
#include "crypto/keccak.h"
#include "exec/exec.h"
#include "exec/fees.h"
#include "trie/trie.h"

#define GAS_LIMIT_STEP 1024u
#define BLOB_GAS       131072u
#define DAO_EXTRA      "dao-hard-fork"
#define DAO_BLOCKS     10u
#define OMMERS_MAX     2u

static kl_rule judge_place(const kl_spec *spec, const kl_header *header, const kl_header *parent)
{
    if (parent->number == UINT64_MAX || header->number != parent->number + 1)
        return KL_RULE_HEADER_NUMBER;
    if (header->timestamp < parent->timestamp ||
        (header->timestamp == parent->timestamp && !spec->repeat_timestamp))
        return KL_RULE_HEADER_TIMESTAMP;
    return KL_RULE_NONE;
}

/* Less than a 1024th away from the parent's; the first London block starts from the parent's limit
 * times the elasticity [EIP-1559]. */
static kl_rule judge_gas(const kl_spec *spec, const kl_header *header, const kl_header *parent,
                         kl_fork fork)
{
    u64 from = parent->gas_limit;
    if (fork >= KL_LONDON && parent->tail == 0)
        from = kl_mul_sat_u64(from, spec->elasticity);
    u64 away = header->gas_limit > from ? header->gas_limit - from : from - header->gas_limit;
    if (away >= from / GAS_LIMIT_STEP || header->gas_limit < KL_GAS_LIMIT_MIN ||
        header->gas_limit > KL_GAS_LIMIT_MAX)
        return KL_RULE_HEADER_GAS_LIMIT;
    return header->gas_used > header->gas_limit ? KL_RULE_HEADER_GAS_USED : KL_RULE_NONE;
}

/* The ten blocks from the fork on say in their extra data which side they are on [EIP-779]. */
static kl_rule judge_dao(const kl_spec *spec, const kl_header *header)
{
    if (!spec->dao_fork || header->number < spec->dao_fork_block ||
        header->number - spec->dao_fork_block >= DAO_BLOCKS)
        return KL_RULE_NONE;
    kl_span extra = kl_span_of(header->extra_data, header->extra_len);
    return kl_span_eq(extra, KL_SPAN_TEXT(DAO_EXTRA)) ? KL_RULE_NONE : KL_RULE_HEADER_DAO_EXTRA;
}

/* Where Paris comes by difficulty, the parent's chain says whether it has come. */
static bool work_is_over(const kl_spec *spec, const kl_parent *parent)
{
    return !kl_u256_eq(spec->terminal_total_difficulty, KL_U256_MAX) &&
           !kl_u256_lt(parent->total_difficulty, spec->terminal_total_difficulty);
}

static kl_rule judge_work(const kl_spec *spec, const kl_header *header, const kl_parent *parent,
                          kl_fork fork)
{
    if (work_is_over(spec, parent))
        return KL_RULE_HEADER_STAKE_DIFFICULTY;
    kl_u256 want = kl_difficulty_after(parent->header, header->timestamp, fork);
    return kl_u256_eq(header->difficulty, want) ? KL_RULE_NONE : KL_RULE_HEADER_DIFFICULTY;
}

static kl_rule judge_stake(const kl_spec *spec, const kl_header *header, const kl_parent *parent)
{
    static const u8 no_nonce[sizeof header->nonce];
    if (!kl_u256_is_zero(header->difficulty))
        return KL_RULE_HEADER_STAKE_DIFFICULTY;
    if (kl_spec_fork(spec, header->number, header->timestamp) < KL_PARIS &&
        !work_is_over(spec, parent))
        return KL_RULE_HEADER_STAKE_EARLY;
    if (memcmp(header->nonce, no_nonce, sizeof no_nonce) != 0)
        return KL_RULE_HEADER_STAKE_NONCE;
    if (!kl_hash_eq(&header->ommers_hash, &kl_keccak_empty_list))
        return KL_RULE_HEADER_STAKE_OMMERS;
    return KL_RULE_NONE;
}

static kl_rule judge_blob_gas(const kl_spec *spec, const kl_header *header, const kl_header *parent,
                              kl_fork fork)
{
    u64 most = (u64)kl_spec_blobs(spec, fork).max * BLOB_GAS;
    if (header->blob_gas_used > most || header->blob_gas_used % BLOB_GAS != 0)
        return KL_RULE_HEADER_BLOB_GAS;
    u64 want = kl_excess_blob_gas_after(spec, parent, header->number, header->timestamp);
    return header->excess_blob_gas == want ? KL_RULE_NONE : KL_RULE_HEADER_EXCESS_BLOB_GAS;
}

kl_rule kl_judge_header(const kl_spec *spec, const kl_header *header, const kl_parent *parent)
{
    const kl_header *above = parent->header;
    if (!kl_hash_eq(&header->parent_hash, &parent->hash))
        return KL_RULE_HEADER_PARENT;
    KL_JUDGE(judge_place(spec, header, above));
    kl_fork fork = kl_exec_fork(spec, header);
    KL_JUDGE(judge_gas(spec, header, above, fork));
    if (header->tail != kl_header_tail(fork))
        return KL_RULE_HEADER_FIELDS;
    KL_JUDGE(judge_dao(spec, header));
    if (fork >= KL_PARIS)
        KL_JUDGE(judge_stake(spec, header, parent));
    else
        KL_JUDGE(judge_work(spec, header, parent, fork));
    if (fork >= KL_LONDON) {
        kl_u256 want = kl_base_fee_after(spec, above, header->number, header->timestamp);
        if (!kl_u256_eq(header->base_fee, want))
            return KL_RULE_HEADER_BASE_FEE;
    }
    return fork >= KL_CANCUN ? judge_blob_gas(spec, header, above, fork) : KL_RULE_NONE;
}

/* Past ommers, the ommers before this one, and the block itself. */
static bool is_used(const kl_block *block, usize index, const kl_hash *hash,
                    const kl_ancestor *ancestors, usize count)
{
    if (kl_hash_eq(hash, &block->hash))
        return true;
    for (usize i = 0; i < index; i++) {
        kl_hash other = kl_header_hash(&block->ommers[i]);
        if (kl_hash_eq(hash, &other))
            return true;
    }
    for (usize i = 0; i < count; i++)
        for (usize k = 0; k < ancestors[i].ommer_count; k++) {
            kl_hash other = kl_header_hash(&ancestors[i].ommers[k]);
            if (kl_hash_eq(hash, &other))
                return true;
        }
    return false;
}

static kl_rule judge_ommer(const kl_spec *spec, const kl_block *block, usize index,
                           const kl_ancestor *ancestors, usize count)
{
    const kl_header *ommer = &block->ommers[index];
    kl_hash hash = kl_header_hash(ommer);
    if (is_used(block, index, &hash, ancestors, count))
        return KL_RULE_OMMER_TWICE;
    for (usize i = 0; i < count; i++)
        if (kl_hash_eq(&hash, &ancestors[i].hash))
            return KL_RULE_OMMER_ANCESTOR;
    for (usize i = 1; i < count; i++) { /* the block's own parent has no ommers yet */
        if (!kl_hash_eq(&ommer->parent_hash, &ancestors[i].hash))
            continue;
        kl_parent parent = {.header = ancestors[i].header, .hash = ancestors[i].hash};
        return kl_judge_header(spec, ommer, &parent);
    }
    return KL_RULE_OMMER_PARENT;
}

static kl_rule judge_ommers(const kl_spec *spec, const kl_block *block,
                            const kl_ancestor *ancestors, usize count)
{
    if (block->ommer_count > OMMERS_MAX)
        return KL_RULE_OMMER_COUNT;
    count = KL_MIN(count, (usize)KL_ANCESTORS_MAX);
    for (usize i = 0; i < block->ommer_count; i++)
        KL_JUDGE(judge_ommer(spec, block, i, ancestors, count));
    return KL_RULE_NONE;
}

static kl_rule judge_size(const kl_spec *spec, const kl_block *block, kl_fork fork)
{
    bool bounded = fork >= KL_OSAKA || spec->engine != KL_ENGINE_EXTERNAL;
    return bounded && block->rlp_len > spec->max_block_bytes ? KL_RULE_BODY_SIZE : KL_RULE_NONE;
}

static kl_rule judge_blobs(const kl_block *block, kl_fork fork)
{
    u64 blobs = 0;
    for (usize i = 0; i < block->tx_count; i++)
        blobs += block->txs[i].blob_count;
    if (fork < KL_CANCUN)
        return blobs ? KL_RULE_BODY_BLOB_GAS : KL_RULE_NONE;
    return block->header.blob_gas_used == blobs * BLOB_GAS ? KL_RULE_NONE : KL_RULE_BODY_BLOB_GAS;
}

kl_status kl_judge_body(const kl_spec *spec, const kl_block *block, const kl_ancestor *ancestors,
                        usize ancestor_count, struct kl_arena *scratch, kl_rule *broken)
{
    const kl_header *header = &block->header;
    kl_fork fork = kl_exec_fork(spec, header);
    kl_hash root;
    *broken = judge_size(spec, block, fork);
    if (*broken == KL_RULE_NONE)
        *broken = judge_ommers(spec, block, ancestors, ancestor_count);
    if (*broken != KL_RULE_NONE)
        return KL_OK;
    root = kl_ommers_hash(block->ommers, block->ommer_count);
    if (!kl_hash_eq(&root, &header->ommers_hash)) {
        *broken = KL_RULE_BODY_OMMERS_HASH;
        return KL_OK;
    }
    KL_TRY(kl_transactions_root(&root, block->txs, block->tx_count, scratch));
    if (!kl_hash_eq(&root, &header->transactions_root)) {
        *broken = KL_RULE_BODY_TRANSACTIONS_ROOT;
        return KL_OK;
    }
    if (block->has_withdrawals != (fork >= KL_SHANGHAI)) {
        *broken = KL_RULE_BODY_WITHDRAWALS;
        return KL_OK;
    }
    if (block->has_withdrawals) {
        KL_TRY(kl_withdrawals_root(&root, block->withdrawals, block->withdrawal_count, scratch));
        if (!kl_hash_eq(&root, &header->withdrawals_root)) {
            *broken = KL_RULE_BODY_WITHDRAWALS_ROOT;
            return KL_OK;
        }
    }
    *broken = judge_blobs(block, fork);
    return KL_OK;
}

/* Records that stand before the checkpoint with which a ledger begins cannot be executed: their
 * state is gone.  Everything about them that needs no state is judged: form, hash links, bodies
 * against headers, senders against signatures, receipts against headers. */
#include "chain/chain_priv.h"
#include "chain/rules.h"
#include "exec/exec.h"

struct judging {
    struct kl_chain *chain;
    struct kl_roll *roll;
    bool linked; /* parent is that of the next block */
    kl_header parent;
    kl_hash parent_hash;
};

static kl_rule judge_link(const struct judging *j, const kl_block *block)
{
    const kl_parent against = {.header = &j->parent, .hash = j->parent_hash};
    if (!j->linked)
        return KL_RULE_NONE;
    if (!j->chain->spec.dev)
        return kl_judge_header(&j->chain->spec, &block->header, &against);
    /* What dev operations allow a header is in no record of the header. */
    if (!kl_hash_eq(&block->header.parent_hash, &j->parent_hash))
        return KL_RULE_HEADER_PARENT;
    return block->header.number == j->parent.number + 1 ? KL_RULE_NONE : KL_RULE_HEADER_NUMBER;
}

/* Who signed is who is stored; impersonated senders of dev chains name themselves. */
static kl_status judge_senders(struct judging *j, kl_block *block, kl_rule *broken)
{
    struct kl_arena *arena = &j->roll->records;
    usize count = block->tx_count;
    kl_fork fork = kl_exec_fork(&j->chain->spec, &block->header);
    kl_address *stored = KL_TAKE(arena, kl_address, count);
    kl_rule *verdicts = KL_ZERO(arena, kl_rule, count);
    if (count && (!stored || !verdicts))
        return KL_NOMEM;
    for (usize i = 0; i < count; i++) {
        kl_tx *tx = &block->txs[i];
        stored[i] = tx->sender;
        tx->has_sender = j->chain->spec.dev && kl_tx_impersonates(tx, &tx->sender);
    }
    kl_tx_recover_all(block->txs, verdicts, count, fork, j->chain->workers);
    for (usize i = 0; i < count && *broken == KL_RULE_NONE; i++)
        *broken = verdicts[i] != KL_RULE_NONE                        ? verdicts[i]
                  : kl_address_eq(&stored[i], &block->txs[i].sender) ? KL_RULE_NONE
                                                                     : KL_RULE_LEDGER_SENDER;
    return KL_OK;
}

static kl_status judge_receipts(struct judging *j, const kl_block *block,
                                const kl_receipt *receipts, kl_rule *broken)
{
    const kl_header *header = &block->header;
    kl_bloom bloom = {{0}};
    kl_hash root;
    usize count = block->tx_count;
    for (usize i = 0; i < count; i++)
        kl_bloom_merge(&bloom, &receipts[i].bloom);
    KL_TRY(kl_receipts_root(&root, receipts, count, &j->roll->records));
    if (!kl_hash_eq(&root, &header->receipts_root))
        *broken = KL_RULE_BLOCK_RECEIPTS_ROOT;
    else if (memcmp(bloom.b, header->logs_bloom.b, sizeof bloom.b) != 0)
        *broken = KL_RULE_BLOCK_BLOOM;
    else if ((count ? receipts[count - 1].cumulative_gas_used : 0) != header->gas_used)
        *broken = KL_RULE_BLOCK_GAS_USED;
    return KL_OK;
}

/* The record that block and receipts make must be the one that stands there. */
static kl_status judge_bytes(const kl_block *block, const kl_receipt *receipts, kl_span payload,
                             kl_rule *broken)
{
    struct kl_buf again;
    kl_buf_init(&again, KL_RECORD_LIMIT);
    kl_record_put_block(&again, block, receipts);
    bool failed = again.failed;
    if (!failed && !kl_span_eq(kl_buf_view(&again), payload))
        *broken = KL_RULE_LEDGER_RECEIPT;
    kl_buf_done(&again);
    return failed ? KL_NOMEM : KL_OK;
}

static kl_status judge_block(struct judging *j, kl_span payload, kl_rule *broken)
{
    struct kl_arena *arena = &j->roll->records;
    kl_block_record parts;
    kl_block block;
    const kl_receipt *receipts;
    *broken = kl_record_block(payload, &parts);
    if (*broken == KL_RULE_NONE)
        KL_TRY(kl_record_open(&parts, &j->chain->spec, arena, &block, &receipts, broken));
    if (*broken == KL_RULE_NONE && !kl_hash_eq(&parts.hash, &block.hash))
        *broken = KL_RULE_LEDGER_HASH;
    if (*broken == KL_RULE_NONE)
        *broken = judge_link(j, &block);
    if (*broken == KL_RULE_NONE)
        KL_TRY(kl_judge_body(&j->chain->spec, &block, NULL, 0, arena, broken));
    if (*broken == KL_RULE_NONE)
        KL_TRY(judge_senders(j, &block, broken));
    if (*broken == KL_RULE_NONE)
        KL_TRY(judge_receipts(j, &block, receipts, broken));
    if (*broken == KL_RULE_NONE)
        KL_TRY(judge_bytes(&block, receipts, payload, broken));
    if (*broken == KL_RULE_NONE) {
        j->linked = true;
        j->parent = block.header;
        j->parent_hash = block.hash;
    }
    return KL_OK;
}

static kl_rule judge_dev(struct judging *j, kl_span payload)
{
    kl_dev_outcome outcome;
    kl_devop op;
    if (!j->chain->spec.dev)
        return KL_RULE_DEV_FORBIDDEN;
    KL_JUDGE(kl_record_dev(payload, &outcome, &op));
    if (op.kind == KL_DEVOP_REVERT)
        j->linked = false;
    return j->linked && outcome.block_number != j->parent.number ? KL_RULE_DEV_BLOCK : KL_RULE_NONE;
}

static kl_status judge_one(struct judging *j, u64 version)
{
    struct kl_roll *roll = j->roll;
    kl_record record;
    kl_rule broken = KL_RULE_NONE;
    kl_arena_reset(&roll->records, KL_RECORD_LIMIT);
    roll->bad_version = version;
    roll->bad_block = j->linked ? j->parent.number + 1 : 0;
    KL_TRY(kl_seglog_read(j->chain->ledger, version, &roll->records, &record, &roll->ledger));
    if (record.kind == KL_RECORD_BLOCK)
        KL_TRY(judge_block(j, record.payload, &broken));
    else
        broken = record.kind == KL_RECORD_DEV ? judge_dev(j, record.payload) : KL_RULE_LEDGER_KIND;
    roll->bad_rule = broken;
    return broken == KL_RULE_NONE ? KL_OK : KL_CORRUPT;
}

kl_status kl_chain_judge_unexecuted(struct kl_chain *chain, u64 end, struct kl_roll *roll)
{
    struct judging j = {.chain = chain, .roll = roll};
    kl_status status = KL_OK;
    kl_arena_init(&roll->records, KL_STEP_ARENA);
    u64 version = KL_MAX(kl_seglog_first(chain->ledger), (u64)1);
    for (; version < end && status == KL_OK; version++) {
        status = judge_one(&j, version);
        roll->unexecuted += status == KL_OK;
    }
    kl_arena_done(&roll->records);
    return status;
}

/* Records that stand before the checkpoint with which a ledger begins cannot be executed: their
 * state is gone.  Everything about them that needs no state is judged: form, hash links, bodies
 * against headers, senders against signatures, receipts against headers. */
#include "chain/bft_priv.h"
#include "chain/rules.h"
#include "exec/exec.h"

static kl_rule judge_link(const struct kl_unexecuted *j, const kl_block *block)
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
static kl_status judge_senders(struct kl_unexecuted *j, kl_block *block, kl_rule *broken)
{
    struct kl_arena *arena = j->arena;
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
    kl_senders_recover_all(j->chain->senders, block->txs, verdicts, count, fork, j->chain->workers);
    for (usize i = 0; i < count && *broken == KL_RULE_NONE; i++)
        *broken = verdicts[i] != KL_RULE_NONE                        ? verdicts[i]
                  : kl_address_eq(&stored[i], &block->txs[i].sender) ? KL_RULE_NONE
                                                                     : KL_RULE_LEDGER_SENDER;
    return KL_OK;
}

static kl_status judge_receipts(struct kl_unexecuted *j, const kl_block *block,
                                const kl_receipt *receipts, kl_rule *broken)
{
    const kl_header *header = &block->header;
    kl_bloom bloom = {{0}};
    kl_hash root;
    usize count = block->tx_count;
    for (usize i = 0; i < count; i++)
        kl_bloom_merge(&bloom, &receipts[i].bloom);
    KL_TRY(kl_receipts_root(&root, receipts, count, j->arena));
    if (!kl_hash_eq(&root, &header->receipts_root))
        *broken = KL_RULE_BLOCK_RECEIPTS_ROOT;
    else if (memcmp(bloom.b, header->logs_bloom.b, sizeof bloom.b) != 0)
        *broken = KL_RULE_BLOCK_BLOOM;
    else if ((count ? receipts[count - 1].cumulative_gas_used : 0) != header->gas_used)
        *broken = KL_RULE_BLOCK_GAS_USED;
    return KL_OK;
}

/* A voted block: its consensus header, its finalization, and the validators that it names. */
struct voted {
    kl_consensus_header consensus;
    kl_valset next; /* behind an epoch's last block */
    bool is_last;
};

static kl_rule judge_votes(const struct kl_unexecuted *j, const kl_block_record *parts,
                           const kl_block *block, const struct voted *v)
{
    const kl_valset *set = j->epoch ? &j->epoch->set : NULL;
    const kl_bft_parent above = {&j->parent, &j->consensus, set};
    KL_JUDGE(kl_bft_judge_hash(&block->header, parts->consensus));
    if (j->linked)
        KL_JUDGE(kl_bft_judge(j->chain, &above, block, &v->consensus));
    KL_JUDGE(kl_bft_judge_final(j->chain, block, &v->consensus, set, parts->finalization));
    if (v->is_last != (parts->next_set.len != 0) ||
        (v->is_last && !kl_hash_eq(&v->next.hash, &v->consensus.next_set_hash)))
        return KL_RULE_CONSENSUS_NEXT_SET;
    return KL_RULE_NONE;
}

static kl_status read_votes(struct kl_unexecuted *j, const kl_block_record *parts,
                            const kl_block *block, struct voted *out, kl_rule *broken)
{
    *broken = kl_consensus_header_decode(&out->consensus, parts->consensus);
    out->is_last = kl_is_anchor(&j->chain->spec, block->header.number);
    if (*broken == KL_RULE_NONE && parts->next_set.len)
        KL_TRY(kl_valset_decode(&out->next, parts->next_set, j->chain->tests, j->arena, broken));
    if (*broken == KL_RULE_NONE)
        *broken = judge_votes(j, parts, block, out);
    return KL_OK;
}

/* The record that block and receipts make must be the one that stands there. */
static kl_status judge_bytes(const kl_block *block, const kl_receipt *receipts,
                             const struct voted *voted, kl_span payload, kl_rule *broken)
{
    struct kl_buf again;
    kl_buf_init(&again, KL_RECORD_LIMIT);
    if (voted)
        kl_record_put_voted(&again, block, receipts, &voted->consensus,
                            voted->is_last ? &voted->next : NULL);
    else
        kl_record_put_block(&again, block, receipts);
    bool failed = again.failed;
    if (!failed && !kl_span_eq(kl_buf_view(&again), payload))
        *broken = KL_RULE_LEDGER_RECEIPT;
    kl_buf_done(&again);
    return failed ? KL_NOMEM : KL_OK;
}

/* The block becomes the next one's parent. */
static kl_status take_block(struct kl_unexecuted *j, const kl_block *block,
                            const struct voted *voted)
{
    j->linked = true;
    j->parent = block->header;
    j->parent_hash = block->hash;
    if (!voted)
        return KL_OK;
    j->consensus = voted->consensus;
    if (!voted->is_last)
        return KL_OK;
    kl_epoch_unref(j->epoch);
    j->epoch = NULL;
    return kl_epoch_new(&j->epoch, &j->chain->spec, voted->consensus.epoch + 1, &voted->next);
}

kl_status kl_unexecuted_judge(struct kl_unexecuted *j, u8 kind, kl_span payload, kl_rule *broken)
{
    bool is_voted = kl_chain_votes(j->chain);
    struct voted voted;
    struct kl_arena *arena = j->arena;
    kl_block_record parts;
    kl_block block;
    const kl_receipt *receipts;
    *broken = is_voted == (kind == KL_RECORD_VOTED) ? kl_record_block(kind, payload, &parts)
                                                    : KL_RULE_LEDGER_KIND;
    if (*broken == KL_RULE_NONE)
        KL_TRY(kl_record_open(&parts, &j->chain->spec, arena, &block, &receipts, broken));
    if (*broken == KL_RULE_NONE && !kl_hash_eq(&parts.hash, &block.hash))
        *broken = KL_RULE_LEDGER_HASH;
    if (*broken == KL_RULE_NONE)
        *broken = judge_link(j, &block);
    if (*broken == KL_RULE_NONE)
        KL_TRY(kl_judge_body(&j->chain->spec, &block, NULL, 0, arena, broken));
    if (*broken == KL_RULE_NONE && is_voted)
        KL_TRY(read_votes(j, &parts, &block, &voted, broken));
    if (*broken == KL_RULE_NONE)
        KL_TRY(judge_senders(j, &block, broken));
    if (*broken == KL_RULE_NONE)
        KL_TRY(judge_receipts(j, &block, receipts, broken));
    if (*broken == KL_RULE_NONE)
        KL_TRY(judge_bytes(&block, receipts, is_voted ? &voted : NULL,
                           kl_span_sub(payload, 0, payload.len - parts.finalization.len), broken));
    /* Last, so that whoever is refused for it has shown a block that is good in all else. */
    if (*broken == KL_RULE_NONE &&
        kl_pin_excludes(&j->chain->pin, block.header.number, &block.hash)) {
        *broken = KL_RULE_PIN_BLOCK;
        j->off_pin = block.hash;
    }
    return *broken == KL_RULE_NONE ? take_block(j, &block, is_voted ? &voted : NULL) : KL_OK;
}

static kl_rule judge_dev(struct kl_unexecuted *j, kl_span payload)
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

static kl_status judge_one(struct kl_unexecuted *j, struct kl_roll *roll, u64 version)
{
    kl_record record;
    kl_rule broken = KL_RULE_NONE;
    kl_arena_reset(&roll->records, KL_RECORD_LIMIT);
    roll->bad_version = version;
    roll->bad_block = j->linked ? j->parent.number + 1 : 0;
    KL_TRY(kl_seglog_read(j->chain->ledger, version, &roll->records, &record, &roll->ledger));
    if (record.kind == KL_RECORD_BLOCK || record.kind == KL_RECORD_VOTED)
        KL_TRY(kl_unexecuted_judge(j, record.kind, record.payload, &broken));
    else
        broken = record.kind == KL_RECORD_DEV ? judge_dev(j, record.payload) : KL_RULE_LEDGER_KIND;
    roll->bad_rule = broken;
    return broken == KL_RULE_NONE ? KL_OK : KL_CORRUPT;
}

kl_status kl_chain_judge_unexecuted(struct kl_chain *chain, u64 end, struct kl_roll *roll)
{
    struct kl_unexecuted j = {.chain = chain, .arena = &roll->records};
    kl_status status = KL_OK;
    kl_arena_init(&roll->records, KL_STEP_ARENA);
    u64 version = KL_MAX(kl_seglog_first(chain->ledger), (u64)1);
    if (version == 1 && kl_chain_votes(chain))
        j.epoch = kl_epoch_ref(chain->first_epoch);
    for (; version < end && status == KL_OK; version++) {
        status = judge_one(&j, roll, version);
        roll->unexecuted += status == KL_OK;
    }
    kl_epoch_unref(j.epoch);
    kl_arena_done(&roll->records);
    return status;
}

/* Number of the block in a record that has been judged. */
static kl_status read_number(struct kl_chain *chain, u64 version, struct kl_roll *roll,
                             kl_record *record, u64 *out)
{
    kl_header header;
    KL_TRY(kl_seglog_read(chain->ledger, version, &roll->records, record, &roll->ledger));
    roll->bad_version = version;
    roll->bad_rule = kl_record_header(record->kind, record->payload, &header);
    roll->bad_block = *out = header.number;
    return roll->bad_rule == KL_RULE_NONE ? KL_OK : KL_CORRUPT;
}

static kl_rule judge_record(const struct kl_chain *chain, const kl_record *record,
                            const kl_valset *set)
{
    kl_block_record parts;
    kl_block block;
    kl_consensus_header h;
    KL_JUDGE(kl_record_header(record->kind, record->payload, &block.header));
    KL_JUDGE(kl_record_block(record->kind, record->payload, &parts));
    KL_JUDGE(kl_consensus_header_decode(&h, parts.consensus));
    block.hash = parts.hash;
    KL_JUDGE(kl_bft_judge_share(chain, set, &h));
    return kl_bft_judge_final(chain, &block, &h, set, parts.finalization);
}

/* The set of the epoch of block number, as the chain's state has it. */
static kl_status load_epoch(struct kl_chain *chain, u64 number, struct kl_arena *arena,
                            struct kl_epoch **out)
{
    struct kl_view *view;
    KL_TRY(kl_state_view(chain->state, NULL, &view));
    kl_status status = kl_epoch_load(out, chain, view, kl_epoch_of(&chain->spec, number), arena);
    kl_view_close(view);
    return status;
}

static kl_status judge_epoch(struct kl_chain *chain, u64 end, struct kl_roll *roll,
                             struct kl_epoch **epoch)
{
    u64 number = 0;
    for (u64 version = kl_seglog_first(chain->ledger); version < end; version++) {
        kl_record record;
        kl_arena_reset(&roll->records, KL_RECORD_LIMIT);
        KL_TRY(read_number(chain, version, roll, &record, &number));
        if (!*epoch)
            KL_TRY(load_epoch(chain, number, &roll->records, epoch));
        if (number > (*epoch)->last_height)
            return KL_OK;
        roll->bad_rule = judge_record(chain, &record, &(*epoch)->set);
        if (roll->bad_rule != KL_RULE_NONE)
            return KL_CORRUPT;
    }
    return KL_OK;
}

kl_status kl_chain_judge_signatures(struct kl_chain *chain, u64 end, struct kl_roll *roll)
{
    struct kl_epoch *epoch = NULL;
    if (!kl_chain_votes(chain) || kl_seglog_first(chain->ledger) <= 1)
        return KL_OK;
    kl_arena_init(&roll->records, KL_STEP_ARENA);
    kl_status status = judge_epoch(chain, end, roll, &epoch);
    kl_arena_done(&roll->records);
    kl_epoch_unref(epoch);
    return status;
}

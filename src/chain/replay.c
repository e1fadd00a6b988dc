/* A record is believed in nothing: the step it tells of is made again from its block or operation
 * alone, and the record that this gives must be the same bytes.  That compares senders, receipts,
 * roots and everything else at once; where it differs is found out only to name the rule. */
#include "chain/bft_priv.h"

/* The genesis file, read again, must give the header that stands beside it. */
static kl_status replay_genesis(struct kl_chain *chain, const kl_record *record,
                                struct kl_tip **out, kl_rule *broken)
{
    kl_header header;
    kl_span text;
    kl_genesis genesis;
    kl_file_fault fault;
    *broken = kl_record_genesis(record->payload, &header, &text);
    if (*broken != KL_RULE_NONE)
        return KL_OK;
    KL_TRY(kl_genesis_parse(&genesis, text, &chain->arena, &fault));
    *broken = fault.rule;
    return *broken == KL_RULE_NONE ? kl_genesis_tip(chain, &genesis, text, out) : KL_OK;
}

static kl_status replay_block(struct kl_chain *chain, struct kl_run *run, struct kl_tip *parent,
                              const kl_record *record, struct kl_tip **out, kl_rule *broken)
{
    kl_block_record parts;
    bool fits = kl_chain_votes(chain) == (record->kind == KL_RECORD_VOTED);
    *broken = fits ? kl_record_block(record->kind, record->payload, &parts) : KL_RULE_LEDGER_KIND;
    return *broken == KL_RULE_NONE
               ? kl_judge_parts(chain, run, parent, parts.block, parts.consensus, out, broken)
               : KL_OK;
}

/* The finalization that stands behind a voted block's record. */
static kl_rule judge_final(const struct kl_chain *chain, const struct kl_tip *parent,
                           const struct kl_tip *tip, kl_span finalization)
{
    const kl_block block = {.header = tip->header, .hash = tip->hash};
    return kl_bft_judge_final(chain, &block, &tip->consensus, &parent->epoch->set, finalization);
}

static kl_status replay_dev(struct kl_chain *chain, struct kl_run *run, struct kl_tip *parent,
                            const kl_record *record, struct kl_tip **out, kl_rule *broken)
{
    kl_dev_outcome outcome;
    kl_devop op;
    *broken = kl_record_dev(record->payload, &outcome, &op);
    return *broken == KL_RULE_NONE ? kl_chain_dev(chain, run, parent, &op, out, broken) : KL_OK;
}

/* Which part of two records that differ is at fault. */
static kl_rule name_difference(u8 kind, kl_span got, kl_span want)
{
    kl_block_record a, b;
    kl_dev_outcome x, y;
    kl_devop op;
    if (kl_record_block(kind, got, &a) == KL_RULE_NONE &&
        kl_record_block(kind, want, &b) == KL_RULE_NONE)
        return !kl_span_eq(a.senders, b.senders)     ? KL_RULE_LEDGER_SENDER
               : !kl_span_eq(a.receipts, b.receipts) ? KL_RULE_LEDGER_RECEIPT
               : !kl_span_eq(a.next_set, b.next_set) ? KL_RULE_CONSENSUS_NEXT_SET
                                                     : KL_RULE_LEDGER_HASH;
    if (kind == KL_RECORD_DEV && kl_record_dev(got, &x, &op) == KL_RULE_NONE &&
        kl_record_dev(want, &y, &op) == KL_RULE_NONE)
        return x.block_number != y.block_number            ? KL_RULE_DEV_BLOCK
               : !kl_hash_eq(&x.state_root, &y.state_root) ? KL_RULE_DEV_ROOT
                                                           : KL_RULE_LEDGER_HASH;
    return KL_RULE_LEDGER_GENESIS;
}

static kl_status replay(struct kl_chain *chain, struct kl_run *run, struct kl_tip *parent,
                        const kl_record *record, struct kl_tip **out, kl_rule *broken)
{
    if ((parent == NULL) != (record->kind == KL_RECORD_GENESIS)) {
        *broken = KL_RULE_LEDGER_KIND;
        return KL_OK;
    }
    switch (record->kind) {
    case KL_RECORD_GENESIS:
        return replay_genesis(chain, record, out, broken);
    case KL_RECORD_BLOCK:
    case KL_RECORD_VOTED:
        return replay_block(chain, run, parent, record, out, broken);
    case KL_RECORD_DEV:
        return replay_dev(chain, run, parent, record, out, broken);
    }
    *broken = KL_RULE_LEDGER_KIND;
    return KL_OK;
}

/* The part of a record that a step makes, and the finalization, which comes from outside. */
static kl_rule split(const kl_record *record, kl_span *made, kl_span *finalization)
{
    kl_block_record parts;
    *made = record->payload;
    *finalization = KL_SPAN_NONE;
    if (record->kind != KL_RECORD_VOTED)
        return KL_RULE_NONE;
    KL_JUDGE(kl_record_block(record->kind, record->payload, &parts));
    *finalization = parts.finalization;
    *made = kl_span_sub(*made, 0, made->len - finalization->len);
    return KL_RULE_NONE;
}

kl_status kl_replay_record(struct kl_chain *chain, struct kl_run *run, struct kl_tip *parent,
                           const kl_record *record, struct kl_tip **out, kl_rule *broken)
{
    struct kl_tip *tip = NULL;
    KL_TRY(replay(chain, run, parent, record, &tip, broken));
    if (*broken != KL_RULE_NONE)
        return KL_OK;
    kl_span made = kl_buf_view(&tip->record), stored, finalization;
    *broken = split(record, &stored, &finalization);
    if (*broken == KL_RULE_NONE && !kl_span_eq(made, stored))
        *broken = name_difference(record->kind, made, stored);
    if (*broken == KL_RULE_NONE && record->kind == KL_RECORD_VOTED)
        *broken = judge_final(chain, parent, tip, finalization);
    if (*broken != KL_RULE_NONE) {
        kl_tip_unref(tip);
        return KL_OK;
    }
    *out = tip;
    return KL_OK;
}

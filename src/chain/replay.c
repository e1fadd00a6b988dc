/* A record is believed in nothing: the step it tells of is made again from its block or operation
 * alone, and the record that this gives must be the same bytes.  That compares senders, receipts,
 * roots and everything else at once; where it differs is found out only to name the rule. */
#include "chain/chain_priv.h"

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
    *broken = kl_record_block(record->payload, &parts);
    return *broken == KL_RULE_NONE ? kl_chain_judge(chain, run, parent, parts.block, out, broken)
                                   : KL_OK;
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
    if (kind == KL_RECORD_BLOCK && kl_record_block(got, &a) == KL_RULE_NONE &&
        kl_record_block(want, &b) == KL_RULE_NONE)
        return !kl_span_eq(a.senders, b.senders)     ? KL_RULE_LEDGER_SENDER
               : !kl_span_eq(a.receipts, b.receipts) ? KL_RULE_LEDGER_RECEIPT
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
        return replay_block(chain, run, parent, record, out, broken);
    case KL_RECORD_DEV:
        return replay_dev(chain, run, parent, record, out, broken);
    }
    *broken = KL_RULE_LEDGER_KIND;
    return KL_OK;
}

kl_status kl_replay_record(struct kl_chain *chain, struct kl_run *run, struct kl_tip *parent,
                           const kl_record *record, struct kl_tip **out, kl_rule *broken)
{
    struct kl_tip *tip = NULL;
    KL_TRY(replay(chain, run, parent, record, &tip, broken));
    if (*broken != KL_RULE_NONE)
        return KL_OK;
    kl_span made = kl_buf_view(&tip->record);
    if (!kl_span_eq(made, record->payload)) {
        *broken = name_difference(record->kind, made, record->payload);
        kl_tip_unref(tip);
        return KL_OK;
    }
    *out = tip;
    return KL_OK;
}

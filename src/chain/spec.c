/* What a chain must know before anything can be judged: the genesis file, out of the ledger's first
 * record, or out of a checkpoint when the ledger begins later. */
#include "chain/bft_priv.h"

/* The ledger begins behind the genesis: only a checkpoint at or above its beginning helps. */
static kl_status start_from_checkpoint(struct kl_chain *chain, bool newest, struct kl_arena *arena,
                                       kl_seglog_report *damage, kl_start *out)
{
    struct kl_seglog *ledger = chain->ledger;
    u64 first = kl_seglog_first(ledger), end = kl_seglog_end(ledger);
    kl_status status =
        kl_checkpoint_find(chain->fs, first, end - 1, newest, arena, &out->checkpoint);
    if (status == KL_NOTFOUND) {
        KL_TRY(kl_seglog_place(ledger, first, damage->file, &damage->offset));
        damage->damage = "the ledger begins here, and no checkpoint leads to it";
        return KL_CORRUPT;
    }
    KL_TRY(status);
    out->from_checkpoint = true;
    out->genesis = out->checkpoint.genesis;
    return KL_OK;
}

kl_status kl_chain_find_start(struct kl_chain *chain, bool newest, struct kl_arena *arena,
                              kl_seglog_report *damage, kl_start *out, kl_rule *broken)
{
    kl_record record;
    kl_start start = {.from_checkpoint = false};
    *broken = KL_RULE_NONE;
    if (kl_seglog_first(chain->ledger) > 0) {
        KL_TRY(start_from_checkpoint(chain, newest, arena, damage, &start));
    } else {
        KL_TRY(kl_seglog_read(chain->ledger, 0, arena, &record, damage));
        start.genesis = record.payload;
        if (record.kind != KL_RECORD_GENESIS)
            *broken = KL_RULE_LEDGER_KIND;
    }
    *out = start;
    return KL_OK;
}

kl_status kl_chain_learn_spec(struct kl_chain *chain, kl_span payload, struct kl_arena *arena,
                              kl_rule *broken)
{
    kl_header header;
    kl_span text;
    kl_genesis genesis;
    kl_file_fault fault;
    *broken = kl_record_genesis(payload, &header, &text);
    if (*broken != KL_RULE_NONE)
        return KL_OK;
    KL_TRY(kl_genesis_parse(&genesis, text, arena, &fault));
    *broken = fault.rule;
    if (*broken != KL_RULE_NONE)
        return KL_OK;
    chain->spec = genesis.spec;
    KL_TRY(kl_chain_learn_votes(chain, &genesis, &fault));
    *broken = fault.rule;
    chain->genesis_hash = kl_header_hash(&header);
    return KL_OK;
}

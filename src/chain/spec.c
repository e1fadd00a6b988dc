/* What a chain must know before anything can be judged: the first record's genesis file. */
#include "chain/chain_priv.h"

kl_status kl_chain_learn_spec(struct kl_chain *chain, kl_seglog_report *damage, kl_rule *broken)
{
    struct kl_arena arena;
    kl_record record;
    kl_header header;
    kl_span text;
    kl_genesis genesis;
    kl_file_fault fault = {0};
    kl_arena_init(&arena, KL_STEP_ARENA);
    kl_status status = kl_seglog_read(chain->ledger, 0, &arena, &record, damage);
    kl_rule rule = KL_RULE_NONE;
    if (status == KL_OK)
        rule = record.kind == KL_RECORD_GENESIS ? kl_record_genesis(record.payload, &header, &text)
                                                : KL_RULE_LEDGER_KIND;
    if (status == KL_OK && rule == KL_RULE_NONE)
        status = kl_genesis_parse(&genesis, text, &arena, &fault);
    if (status == KL_OK && rule == KL_RULE_NONE)
        rule = fault.rule;
    if (status == KL_OK && rule == KL_RULE_NONE) {
        chain->spec = genesis.spec;
        chain->genesis_hash = kl_header_hash(&header);
    }
    kl_arena_done(&arena);
    if (status == KL_OK)
        *broken = rule;
    return status;
}

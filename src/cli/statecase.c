#include "cli/statecase.h"

#include "crypto/keccak.h"
#include "state/commit.h"

#define CASE_MEMORY_MAX ((usize)4 << 30)
#define ARENA_KEPT      ((usize)64 << 20)

static kl_status decimal_hash(KL_UNUSED struct kl_block_hashes *hashes, u64 number, kl_hash *out)
{
    char text[KL_U256_DECIMAL_MAX];
    usize len = kl_u256_decimal(text, kl_u256_of(number));
    *out = kl_keccak256(kl_span_of(text, len));
    return KL_OK;
}

kl_status kl_statebench_init(kl_statebench *bench)
{
    *bench = (kl_statebench){.hashes.get = decimal_hash};
    kl_arena_init(&bench->arena, CASE_MEMORY_MAX);
    KL_TRY(kl_world_new(&bench->world));
    KL_TRY(kl_code_cache_new(&bench->codes, (usize)16 << 20, 1));
    kl_exec_config config = {.evm_memory_limit = (usize)2 << 30,
                             .journal_memory_limit = (usize)2 << 30,
                             .codes = bench->codes,
                             .seed = 1};
    return kl_exec_new(&bench->exec, &config);
}

void kl_statebench_done(kl_statebench *bench)
{
    kl_exec_free(bench->exec);
    kl_code_cache_free(bench->codes);
    kl_world_free(bench->world);
    kl_arena_done(&bench->arena);
}

void kl_statebench_clear(kl_statebench *bench)
{
    kl_arena_reset(&bench->arena, ARENA_KEPT);
}

/* The tests were made with a block reward of nothing behind the transaction, which before EIP-161
 * leaves an empty account. */
static kl_status reward_nothing(struct kl_journal *journal, const kl_address *coinbase,
                                kl_fork fork)
{
    kl_jaccount *account;
    kl_journal_begin_tx(journal);
    KL_TRY(kl_journal_account(journal, coinbase, &account));
    kl_journal_set_balance(journal, account, account->now.balance);
    kl_journal_touch(journal, account);
    return kl_journal_end_tx(journal, fork >= KL_SPURIOUS);
}

static kl_status run_on(kl_statebench *bench, const kl_spec *spec, const kl_header *header,
                        struct kl_view *view, const kl_tx *tx, struct kl_tracer *tracer,
                        kl_statecase *end)
{
    struct kl_view_reader reader;
    kl_tx_result result = {0};
    kl_view_reader_init(&reader, view);
    kl_exec_block block = {
        .spec = spec, .header = header, .reader = &reader.reader, .hashes = &bench->hashes};
    KL_TRY(kl_exec_enter(bench->exec, &block));
    if (end->broken == KL_RULE_NONE)
        KL_TRY(kl_exec_tx(bench->exec, tx, tracer, &result, &end->broken));
    kl_log_entry none;
    bool applied = end->broken == KL_RULE_NONE;
    end->logs =
        kl_logs_hash(applied ? result.receipt.logs : &none, applied ? result.receipt.log_count : 0);
    end->halt = applied ? result.halt : KL_HALT_NONE;
    end->gas_used = applied ? result.gas_used : 0;
    end->refund = applied ? result.refund : 0;
    struct kl_journal *journal = kl_exec_journal(bench->exec);
    KL_TRY(reward_nothing(journal, &header->coinbase, kl_exec_fork(spec, header)));
    return kl_state_commit(journal, view, NULL, false, &end->root, &bench->arena, NULL);
}

kl_status kl_statecase_run(kl_statebench *bench, const kl_spec *spec, const kl_header *header,
                           struct kl_delta *pre, const kl_tx *tx, struct kl_tracer *tracer,
                           kl_statecase *end)
{
    struct kl_view *view;
    KL_TRY(kl_world_view(bench->world, pre, &view));
    kl_status status = run_on(bench, spec, header, view, tx, tracer, end);
    kl_view_close(view);
    return status;
}

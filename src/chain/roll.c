/* The one loop behind opening and verifying: a record is executed, its tip queued, and before
 * memory runs full the queue goes into the database. */
#include "chain/chain_priv.h"
#include "chain/verify.h"

#define ROLL_BYTES_MAX   ((usize)64 << 20) /* of deltas in memory before they are flushed */
#define ROLL_RECORDS_MAX 1000u
#define RECORD_KEEP      ((usize)256 << 20)
#define TELL_EVERY       16u

static void count(struct kl_roll *roll, const struct kl_tip *tip)
{
    roll->versions++;
    if (tip->step != KL_STEP_BLOCK)
        return;
    roll->blocks++;
    roll->transactions += tip->tx_count;
    roll->gas = kl_add_sat_u64(roll->gas, tip->header.gas_used);
}

static kl_status roll_one(struct kl_chain *chain, struct kl_run *run, u64 version,
                          struct kl_roll *roll)
{
    kl_record record;
    struct kl_tip *tip;
    kl_rule broken;
    kl_arena_reset(&roll->records, RECORD_KEEP);
    roll->bad_version = version;
    roll->bad_block = chain->head ? chain->head->header.number + 1 : 0;
    KL_TRY(kl_seglog_read(chain->ledger, version, &roll->records, &record, &roll->ledger));
    roll->bad_block -= chain->head && record.kind == KL_RECORD_DEV;
    KL_TRY(kl_replay_record(chain, run, chain->head, &record, &tip, &broken));
    if (broken != KL_RULE_NONE) {
        roll->bad_rule = broken;
        return KL_CORRUPT;
    }
    count(roll, tip);
    kl_status status =
        roll->watch ? roll->watch->step(roll->watch, chain, chain->head, tip) : KL_OK;
    if (status == KL_OK)
        kl_chain_take_head(chain, tip);
    kl_tip_unref(tip);
    return status;
}

static kl_status flush_all(struct kl_chain *chain, u64 end)
{
    kl_chain_publish(chain, false, NULL, NULL);
    for (bool more = true; more;)
        KL_TRY(kl_chain_flush_to(chain, end, &more));
    return KL_OK;
}

static kl_status roll_all(struct kl_chain *chain, struct kl_run *run, struct kl_roll *roll)
{
    u64 end = roll->end ? roll->end : kl_seglog_end(chain->ledger);
    bool last = false;
    chain->written = end;
    for (u64 version = chain->head ? chain->head->version + 1 : 0; version < end && !last;
         version++) {
        KL_TRY(roll_one(chain, run, version, roll));
        last = version + 1 == end || (roll->go_on && !roll->go_on(roll->ctx));
        if (last || version % ROLL_RECORDS_MAX == 0 || chain->delta_bytes >= ROLL_BYTES_MAX)
            KL_TRY(flush_all(chain, version + 1));
        if (roll->progress && (last || version % TELL_EVERY == 0))
            roll->progress->step(roll->progress, version, end - 1);
    }
    return KL_OK;
}

kl_status kl_chain_roll(struct kl_chain *chain, struct kl_roll *roll)
{
    struct kl_exec *exec;
    struct kl_run *run;
    KL_TRY(kl_exec_new(&exec, &(kl_exec_config){
                                  .evm_memory_limit = KL_EVM_MEMORY,
                                  .journal_memory_limit = KL_STEP_ARENA,
                              }));
    kl_status status = kl_run_new(&run, exec);
    if (status == KL_OK) {
        kl_arena_init(&roll->records, KL_STEP_ARENA);
        status = roll_all(chain, run, roll);
        kl_arena_done(&roll->records);
        kl_run_free(run);
    }
    kl_exec_free(exec);
    return status;
}

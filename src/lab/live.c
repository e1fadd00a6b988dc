/* The calm at the end: the core must make blocks again, agree on them, and take transactions; then
 * the run is over. */
#include <stdlib.h>

#include "chain/verify.h"
#include "lab/oracle_priv.h"
#include "lab/wire_priv.h"
#include "lab/work_priv.h"
#include "store/memkv.h"

/* Validators that may be faulty, gone, or still watching after what befell their disks: each may
 * cost a full patience. */
static u64 faulty_leaders(const struct kl_lab *lab)
{
    u64 count = lab->plan.faulty;
    for (u32 i = 0; i < lab->count; i++) {
        const struct kl_lab_machine *machine = lab->machines[i];
        bool is_victim =
            machine->validator != KL_BFT_NOBODY && lab->plan.victim[machine->validator];
        count += machine->abandoned || is_victim;
    }
    return count;
}

/* Between one final block and the next: (F + 1) times a view at its most patient, and what it takes
 * to come back. */
static u64 longest_ns(const struct kl_lab *lab)
{
    u64 view_ms = KL_MIN(8 * (3 * lab->plan.delta_ms + lab->plan.period_ms), 10000u);
    u64 idle_ms = lab->plan.empty_ms + lab->plan.period_ms;
    u64 join_ms = lab->wire ? 20000 : 0; /* silence is found out, and everybody dials again */
    return ((faulty_leaders(lab) + 1) * view_ms + idle_ms + join_ms + 10000) * KL_MS;
}

/* Views of one round of leaders. */
static u64 rotation(const struct kl_lab *lab)
{
    u64 epochs = 0;
    while (kl_lab_oracle_set(lab, epochs + 1))
        epochs++;
    const kl_valset *set = kl_lab_oracle_set(lab, epochs);
    return set->weight / set->unit;
}

static bool is_core(const struct kl_lab_machine *machine)
{
    return kl_lab_is_honest(machine) && !machine->abandoned;
}

static bool all_have(const struct kl_lab *lab, u64 height)
{
    for (u32 i = 0; i < lab->count; i++) {
        const struct kl_lab_machine *machine = lab->machines[i];
        if (is_core(machine) && (!machine->replica || machine->acknowledged < height))
            return false;
    }
    return true;
}

/* Blocks that somebody has to fetch, an epoch of a few of them at a time. */
static u64 most_missing(const struct kl_lab *lab, u64 height)
{
    u64 most = 0;
    for (u32 i = 0; i < lab->count; i++) {
        const struct kl_lab_machine *machine = lab->machines[i];
        if (is_core(machine))
            most = KL_MAX(most, height - KL_MIN(height, machine->acknowledged));
    }
    return most;
}

static void tell_who_lacks(struct kl_lab *lab, u64 height)
{
    for (u32 i = 0; i < lab->count; i++) {
        const struct kl_lab_machine *machine = lab->machines[i];
        if (is_core(machine) && (!machine->replica || machine->acknowledged < height))
            kl_lab_break(lab, 0, "machine %u has height %llu of %llu, long after the weather ended",
                         i, (unsigned long long)machine->acknowledged, (unsigned long long)height);
    }
}

static void check_in_time(struct kl_lab *lab)
{
    u64 since_ns = lab->now_ns - KL_MAX(lab->newest_final_ns, lab->calm_ns);
    if (since_ns > longest_ns(lab))
        kl_lab_break(lab, 0, "no final block for %llu ms in calm weather, above height %llu",
                     (unsigned long long)(since_ns / KL_MS),
                     (unsigned long long)kl_lab_oracle_height(lab));
    if (lab->probed && kl_lab_work_probe_age(lab) > 2 * rotation(lab) + 8)
        kl_lab_break(lab, 0, "a transaction waits for %llu views in calm weather",
                     (unsigned long long)kl_lab_work_probe_age(lab));
    if (lab->now_ns >
        lab->calm_ns + 60 * KL_S + longest_ns(lab) + lab->calm_missing * 200 * KL_MS) {
        tell_who_lacks(lab, lab->calm_height);
        kl_lab_break(lab, 0, "%u transactions are not final, long after the weather ended",
                     kl_lab_work_outstanding(lab));
    }
}

void kl_lab_live(struct kl_lab *lab)
{
    u64 height = kl_lab_oracle_height(lab);
    if (lab->plan.too_many) {
        lab->over = lab->now_ns > lab->calm_ns + 5 * KL_S;
        return;
    }
    if (!lab->calm_height) {
        lab->calm_height = height + 2;
        lab->calm_missing = most_missing(lab, height);
    }
    if (!lab->probed && height >= lab->calm_height && all_have(lab, lab->calm_height)) {
        lab->probed = true;
        lab->calm_height = height + 2;
        kl_lab_work_probe(lab);
    }
    bool whole = !lab->wire || kl_lab_wire_is_whole(lab);
    if (lab->probed && height >= lab->calm_height && kl_lab_work_outstanding(lab) == 0 &&
        all_have(lab, lab->calm_height) && whole)
        lab->over = true;
    else
        check_in_time(lab);
}

void kl_lab_verify_machine(struct kl_lab_machine *machine)
{
    struct kl_lab *lab = machine->lab;
    struct kl_sim_disk *scratch_disk;
    struct kl_kv *scratch;
    kl_verify_result result;
    if (kl_lab_is_up(machine))
        kl_lab_crash(machine, KL_LAB_KILLED);
    KL_ASSERT(kl_sim_disk_new(&scratch_disk) == KL_OK);
    KL_ASSERT(kl_memkv_open(&scratch, KL_TABLE_COUNT) == KL_OK);
    const kl_verify_config config = {.fs = kl_sim_disk_fs(machine->data),
                                     .scratch = scratch,
                                     .scratch_fs = kl_sim_disk_fs(scratch_disk),
                                     .tests = true};
    kl_status status = kl_chain_verify(&config, NULL, &result);
    if (status != KL_OK || !result.good)
        kl_lab_break(lab, 9, "the ledger of machine %u does not verify: %s; block %llu, %s %s",
                     machine->index, kl_status_text(status), (unsigned long long)result.bad_block,
                     kl_rule_name(result.rule), result.damage ? result.damage : "");
    kl_kv_close(scratch);
    kl_sim_disk_free(scratch_disk);
}

void kl_lab_verify(struct kl_lab *lab)
{
    struct kl_lab_machine *machine = lab->machines[kl_lab_below(lab, lab->count)];
    if (is_core(machine) && !machine->harmed && kl_lab_percent(lab, 25))
        kl_lab_verify_machine(machine);
}

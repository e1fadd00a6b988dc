/* Jobs over virtual time: each lane does one at a time, in order.  A job's run happens as a whole
 * when it begins, and its end is told after a time that is drawn.  A crash in between finds a disk
 * that may have carried out any part of what run did (machine.c). */
#include "lab/world_priv.h"

static u64 drawn(struct kl_lab *lab, u64 least_us, u64 most_us)
{
    return (least_us + kl_lab_below(lab, most_us - least_us + 1)) * 1000;
}

static u64 duration_ns(struct kl_lab *lab, kl_lane lane)
{
    bool rough = !lab->calm && kl_lab_percent(lab, 4);
    if (lane == KL_LANE_EXECUTION)
        return rough && kl_lab_has(lab, KL_LAB_SLOW_EXEC) ? drawn(lab, 100000, 1500000)
                                                          : drawn(lab, 200, 10000);
    if (rough && kl_lab_has(lab, KL_LAB_SLOW_DISK))
        return drawn(lab, 2000, 2000000);
    return lane == KL_LANE_STATE ? drawn(lab, 1000, 20000) : drawn(lab, 100, 2000);
}

static void post(struct kl_lab_machine *machine, kl_lab_happening kind, kl_lane lane, u64 in_ns)
{
    const kl_lab_event event = {
        .kind = kind, .machine = machine->index, .life = machine->life, .lane = lane};
    kl_lab_post(machine->lab, &event, machine->lab->now_ns + in_ns);
}

void kl_lab_give(struct kl_jobs *jobs, kl_lane which, struct kl_job *job)
{
    struct kl_lab_machine *machine = ((struct kl_lab_jobs *)jobs)->machine;
    struct kl_lab_lane *lane = &machine->lane[which];
    job->next = NULL;
    if (lane->first)
        lane->last->next = job;
    else
        lane->first = job;
    lane->last = job;
    if (lane->first == job && !machine->dead)
        post(machine, KL_LAB_JOB_BEGINS, which, 0);
}

static u64 operations_of(struct kl_sim_disk *disk)
{
    return disk ? kl_sim_disk_operations(disk) : 0;
}

void kl_lab_job_begins(struct kl_lab_machine *machine, kl_lane which)
{
    struct kl_lab_lane *lane = &machine->lane[which];
    lane->busy = true;
    lane->first->run(lane->first);
    lane->data_operations = operations_of(machine->data);
    lane->key_operations = operations_of(machine->key);
    kl_lab_trace(machine->lab, lane->data_operations << 20 ^ lane->key_operations);
    post(machine, KL_LAB_JOB_ENDS, which, duration_ns(machine->lab, which));
}

void kl_lab_job_ends(struct kl_lab_machine *machine, kl_lane which)
{
    struct kl_lab_lane *lane = &machine->lane[which];
    struct kl_job *job = lane->first;
    lane->first = job->next;
    lane->busy = false;
    machine->durable_data = KL_MAX(machine->durable_data, lane->data_operations);
    machine->durable_key = KL_MAX(machine->durable_key, lane->key_operations);
    if (lane->first)
        post(machine, KL_LAB_JOB_BEGINS, which, 0);
    job->done(job);
}

void kl_lab_drain(struct kl_lab_machine *machine)
{
    u32 rounds = 0;
    for (bool any = true; any;) {
        any = false;
        KL_ASSERT(rounds++ < 100000);
        for (u32 i = 0; i < KL_LANES; i++) {
            struct kl_lab_lane *lane = &machine->lane[i];
            struct kl_job *job = lane->first;
            if (!job)
                continue;
            if (!lane->busy)
                job->run(job);
            lane->busy = false;
            lane->first = job->next;
            job->done(job);
            any = true;
        }
    }
}

/* A machine: its disks, its state database, and the replica while it is up. */
#include <stdlib.h>

#include "crypto/keccak.h"
#include "lab/attack_priv.h"
#include "lab/oracle_priv.h"
#include "lab/wire_priv.h"
#include "lab/work_priv.h"

enum {
    SEGMENT = 64 << 10,
    GUARD_ROOM = 512,
    HISTORY_MAX = 4096, /* operations of a disk before they are settled */
    FAR_BLOCKS = 12,    /* that are missing before a fresh machine takes the others' state */
};
#define PAUSE_LOOK_NS (50 * KL_MS)

/* --- the interfaces that a replica is given --- */

static u64 mono_ns(struct kl_clock *clock)
{
    return ((struct kl_lab_clock *)clock)->machine->lab->now_ns;
}

/* The first run begins at one billion seconds since 1970. */
static u64 wall_ns(struct kl_clock *clock)
{
    const struct kl_lab_machine *machine = ((struct kl_lab_clock *)clock)->machine;
    return (u64)((i64)(machine->lab->now_ns + 1000000000 * KL_S) + machine->skew_ns);
}

static void penalize(struct kl_replica_net *net, u32 peer, kl_rule rule)
{
    struct kl_lab_machine *machine = ((struct kl_lab_net *)net)->machine;
    if (machine->dead)
        return;
    kl_lab_tell(machine, "names # for rule #", peer, (u64)rule, 0);
    kl_lab_saw(machine->lab, KL_LAB_SAW_PENALTY);
    if (peer < machine->lab->count && kl_lab_is_honest(machine->lab->machines[peer]) &&
        kl_lab_is_honest(machine))
        kl_lab_break(machine->lab, 0, "machine %u penalizes %u, which is honest, for %s",
                     machine->index, peer, kl_rule_name(rule));
    if (machine->lab->wire && peer < machine->lab->count)
        kl_lab_wire_penalize(machine, peer, rule);
}

static void on_final(struct kl_replica_watch *watch, struct kl_tip *tip)
{
    struct kl_lab_machine *machine = ((struct kl_lab_watch *)watch)->machine;
    if (machine->dead)
        return;
    kl_lab_tell(machine, "shows height # as final, view # of epoch #", tip->header.number,
                tip->consensus.view, tip->consensus.epoch);
    kl_lab_trace(machine->lab, kl_load_be64(tip->hash.b));
    if (kl_lab_is_honest(machine))
        kl_lab_oracle_final(machine, tip);
    else
        kl_lab_attack_final(machine, tip);
}

static void on_signs(struct kl_replica_watch *watch, const kl_vote *vote)
{
    struct kl_lab_machine *machine = ((struct kl_lab_watch *)watch)->machine;
    if (machine->dead)
        return;
    const kl_proposal *p = &vote->subject.proposal;
    static const char *const lines[] = {
        [KL_VOTE_NOTARIZE] = "signs notarize in view # of epoch #, height #",
        [KL_VOTE_NULLIFY] = "signs nullify in view # of epoch #",
        [KL_VOTE_FINALIZE] = "signs finalize in view # of epoch #, height #",
    };
    kl_lab_tell(machine, lines[vote->subject.kind], p->view, p->epoch, p->height);
    kl_lab_oracle_signs(machine, vote);
    if (machine->lab->script && machine->lab->script->signs)
        machine->lab->script->signs(machine, vote);
}

static void on_found(struct kl_replica_watch *watch, const kl_evidence *evidence)
{
    struct kl_lab_machine *machine = ((struct kl_lab_watch *)watch)->machine;
    if (machine->dead)
        return;
    kl_lab_tell(machine, "finds evidence against place # in view # of epoch #",
                evidence->first.signer, evidence->first.subject.proposal.view,
                evidence->first.subject.proposal.epoch);
    kl_lab_oracle_found(machine, evidence);
}

static void on_alarm(struct kl_replica_watch *watch, const char *what)
{
    struct kl_lab_machine *machine = ((struct kl_lab_watch *)watch)->machine;
    if (!machine->dead)
        kl_lab_tell(machine, what, 0, 0, 0);
}

static bool may_be_barred(const struct kl_lab_machine *machine)
{
    return machine->lab->restored >> machine->validator & 1;
}

/* Nobody else has an honest key, but for its own life that was forgotten. */
static void on_barred(struct kl_replica_watch *watch, const kl_vote_subject *subject)
{
    struct kl_lab_machine *machine = ((struct kl_lab_watch *)watch)->machine;
    if (machine->dead)
        return;
    machine->barred = true;
    if (!may_be_barred(machine))
        kl_lab_break(machine->lab, 7, "machine %u thinks that its key is used, in view %llu",
                     machine->index, (unsigned long long)subject->proposal.view);
}

static void on_far(struct kl_replica_watch *watch, KL_UNUSED u64 height)
{
    struct kl_lab_machine *machine = ((struct kl_lab_watch *)watch)->machine;
    machine->far = !machine->dead && !machine->given_up && kl_lab_is_honest(machine);
}

/* --- making and opening --- */

bool kl_lab_is_up(const struct kl_lab_machine *machine)
{
    return machine->replica || machine->filler;
}

bool kl_lab_is_honest(const struct kl_lab_machine *machine)
{
    return machine->attack == KL_LAB_IS_NONE;
}

static struct kl_sim_disk *new_disk(void)
{
    struct kl_sim_disk *disk;
    KL_ASSERT(kl_sim_disk_new(&disk) == KL_OK);
    return disk;
}

/* Whoever makes a key makes its guard. */
static void make_guard(struct kl_lab_machine *machine)
{
    struct kl_lab *lab = machine->lab;
    struct kl_guard *guard;
    kl_guard_owner owner = {
        .domain = {.chain_id = KL_LAB_CHAIN_ID, .genesis_hash = lab->genesis_hash},
        .scheme = lab->scheme,
    };
    KL_ASSERT(lab->scheme->public_key(owner.key, &lab->secrets[machine->validator]));
    KL_ASSERT(kl_guard_create(&guard, kl_sim_disk_fs(machine->key), &owner, (kl_guard_view){0},
                              GUARD_ROOM) == KL_OK);
    kl_guard_close(guard);
}

struct kl_lab_machine *kl_lab_machine_new(struct kl_lab *lab, u32 validator, kl_lab_attack attack)
{
    struct kl_lab_machine *machine = kl_lab_memory(sizeof *machine);
    KL_ASSERT(lab->count < KL_LAB_MACHINES_MAX);
    *machine = (struct kl_lab_machine){
        .lab = lab,
        .index = lab->count,
        .validator = validator,
        .attack = attack,
        .data = new_disk(),
        .state = kl_lab_statedb_new(),
        .tick_ns = UINT64_MAX,
        .clock = {{.mono_ns = mono_ns, .wall_ns = wall_ns}, machine},
        .jobs = {{.give = kl_lab_give}, machine},
        .net = {{.send = kl_lab_net_send,
                 .penalize = penalize,
                 .publish = kl_lab_net_publish,
                 .verdict = kl_lab_net_verdict},
                machine},
        .watch = {{.final = on_final,
                   .signs = on_signs,
                   .found = on_found,
                   .alarm = on_alarm,
                   .barred = on_barred,
                   .far = on_far},
                  machine},
    };
    lab->machines[lab->count++] = machine;
    if (validator != KL_BFT_NOBODY) {
        machine->key = new_disk();
        make_guard(machine);
    }
    return machine;
}

static kl_chain_config chain_config(struct kl_lab_machine *machine)
{
    struct kl_lab *lab = machine->lab;
    return (kl_chain_config){.fs = kl_sim_disk_fs(machine->data),
                             .kv = kl_lab_statedb_kv(machine->state),
                             .genesis = kl_buf_view(&lab->genesis),
                             .segment_bytes = SEGMENT,
                             .tests = true,
                             .senders = lab->senders};
}

static kl_status open_replica(struct kl_lab_machine *machine, kl_replica_report *report)
{
    struct kl_lab *lab = machine->lab;
    kl_replica_config config = {
        .chain = chain_config(machine),
        .pool = {.tx_max = 512,
                 .bytes_max = 1 << 20,
                 .tx_bytes_max = 64 << 10,
                 .per_sender_max = 64,
                 .queued_sender_max = 32,
                 .replace_percent = 10,
                 .nonce_gap_max = 64,
                 .seed = lab->options.seed},
        .log_fs = kl_sim_disk_fs(machine->data),
        .shares_key = machine->attack != KL_LAB_IS_NONE, /* it lies in our name too */
        .gas_limit = 0,
        .drift_ns = 5 * KL_S,
        .window = lab->plan.window,
        .far_blocks = FAR_BLOCKS,
        .compact_bytes = kl_lab_changes_bodies(machine) ? SIZE_MAX : lab->plan.compact_bytes,
        .clock = &machine->clock.base,
        .jobs = &machine->jobs.base,
        .net = &machine->net.base,
        .watch = &machine->watch.base,
        .codes = lab->codes,
        .seed = lab->options.seed + machine->index,
        .restored = machine->restored,
    };
    kl_store_be32(config.coinbase.b, 0xc0000000u + machine->index);
    if (machine->validator != KL_BFT_NOBODY) {
        config.key_fs = kl_sim_disk_fs(machine->key);
        config.vote_secret = config.randao_secret = lab->secrets[machine->validator];
    }
    kl_status status = kl_replica_open(&machine->replica, &config, NULL, report);
    kl_wipe(&config.vote_secret, sizeof config.vote_secret);
    return status;
}

static void note_compacts(struct kl_lab_machine *machine)
{
    kl_replica_compacts is = kl_replica_compacts_of(machine->replica), *was = &machine->compacts;
    if (is.rebuilt > was->rebuilt)
        kl_lab_saw(machine->lab, KL_LAB_SAW_REBUILT_BODY);
    if (is.completed > was->completed)
        kl_lab_saw(machine->lab, KL_LAB_SAW_COMPLETED_BODY);
    if (is.given_up > was->given_up)
        kl_lab_saw(machine->lab, KL_LAB_SAW_GAVE_UP_BODY);
    *was = is;
}

static void note_report(struct kl_lab_machine *machine, const kl_replica_report *report)
{
    struct kl_lab *lab = machine->lab;
    if (report->chain.rebuilt && machine->life > 1)
        kl_lab_saw(lab, KL_LAB_SAW_REBUILT);
    if (report->chain.replayed && machine->life > 1)
        kl_lab_saw(lab, KL_LAB_SAW_REPLAYED);
    if (report->chain.ledger.cut_bytes || report->log.log.cut_bytes)
        kl_lab_saw(lab, KL_LAB_SAW_TORN);
    if (report->log.damaged)
        kl_lab_saw(lab, KL_LAB_SAW_DAMAGED);
    bool was_harmed = machine->harmed;
    if (report->log.damaged && !was_harmed)
        kl_lab_break(lab, 8, "machine %u: the consensus log is damaged, and nobody damaged it",
                     machine->index);
    bool is_barred = report->guard == KL_RULE_GUARD_USED && may_be_barred(machine);
    machine->barred |= is_barred;
    if (machine->validator != KL_BFT_NOBODY && report->guard != KL_RULE_NONE && !was_harmed &&
        !is_barred)
        kl_lab_break(lab, 7, "machine %u: the guard says %s", machine->index,
                     kl_rule_name(report->guard));
}

static void plant_bugs(struct kl_lab_machine *machine)
{
    u32 bugs = machine->lab->options.bugs;
    if ((bugs & KL_LAB_BUG_GUARD_RESET) && machine->key && machine->life > 1) {
        KL_UNUSED kl_status gone = kl_fs_unlink(kl_sim_disk_fs(machine->key), "sign.guard");
        make_guard(machine);
    }
    if ((bugs & KL_LAB_BUG_GUARD_UNSYNCED) && machine->key)
        kl_sim_disk_lie(machine->key, "");
    if (bugs & KL_LAB_BUG_LOG_UNSYNCED)
        kl_sim_disk_lie(machine->data, "consensus");
    if (bugs & KL_LAB_BUG_LEDGER_UNSYNCED)
        kl_sim_disk_lie(machine->data, "ledger");
}

/* Opens; what somebody harmed is wiped, as an operator would. */
static bool open_somehow(struct kl_lab_machine *machine)
{
    kl_replica_report report = {0};
    kl_status status = open_replica(machine, &report);
    if (status != KL_OK && machine->harmed) {
        kl_lab_saw(machine->lab, KL_LAB_SAW_DAMAGED);
        kl_lab_tell(machine, "cannot be opened (status #): its data is wiped", (u64)status, 0, 0);
        kl_lab_wipe(machine);
        report = (kl_replica_report){0};
        status = open_replica(machine, &report);
    }
    if (status == KL_OK) {
        note_report(machine, &report);
        return true;
    }
    const kl_chain_report *c = &report.chain;
    const kl_seglog_report *l = &report.log.log;
    kl_lab_break(machine->lab, 8,
                 "machine %u does not open: %s; ledger %s %llu %s; version %llu "
                 "%s; consensus log %s %llu %s; genesis %s",
                 machine->index, kl_status_text(status), c->ledger.file,
                 (unsigned long long)c->ledger.offset, c->ledger.damage ? c->ledger.damage : "",
                 (unsigned long long)c->bad_version, kl_rule_name(c->bad_rule), l->file,
                 (unsigned long long)l->offset, l->damage ? l->damage : "",
                 kl_rule_name(c->genesis.rule));
    return false;
}

/* --- life --- */

static void post_tick(struct kl_lab_machine *machine, u64 due_ns)
{
    if (due_ns >= machine->tick_ns)
        return;
    machine->tick_ns = due_ns;
    const kl_lab_event event = {
        .kind = KL_LAB_TICK, .machine = machine->index, .life = machine->life};
    kl_lab_post(machine->lab, &event, due_ns);
}

/* The replica's own wish to be called, and what can be seen of it, behind anything it did. */
static void after(struct kl_lab_machine *machine, bool may_have_moved)
{
    struct kl_lab *lab = machine->lab;
    post_tick(machine, kl_replica_due_ns(machine->replica));
    note_compacts(machine);
    if (!may_have_moved)
        return;
    kl_simplex_status s = kl_replica_consensus(machine->replica);
    if (s.view == machine->view && s.epoch == machine->epoch)
        return;
    machine->view = s.view;
    machine->epoch = s.epoch;
    kl_lab_tell(machine, "enters view # of epoch #, leader #", s.view, s.epoch, s.leader);
    if (!kl_lab_is_honest(machine))
        return;
    lab->result->node_views++;
    if (s.epoch > lab->newest_epoch ||
        (s.epoch == lab->newest_epoch && s.view > lab->newest_view)) {
        lab->newest_epoch = s.epoch;
        lab->newest_view = s.view;
        lab->views++;
        lab->result->views += !lab->calm;
    }
}

void kl_lab_moved(struct kl_lab_machine *machine)
{
    after(machine, true);
}

/* --- being filled --- */

static void forget_database(struct kl_lab_machine *machine)
{
    kl_lab_statedb_free(machine->state);
    machine->state = kl_lab_statedb_new();
}

/* False: the machine is to be opened as any other. */
static bool open_filler(struct kl_lab_machine *machine)
{
    const kl_filler_config config = {.chain = chain_config(machine),
                                     .clock = &machine->clock.base,
                                     .jobs = &machine->jobs.base,
                                     .net = &machine->net.base};
    kl_chain_report report;
    bool due;
    KL_ASSERT(kl_filler_is_due(&config.chain, &due) == KL_OK);
    bool is_wanted = due || machine->far;
    machine->far = false;
    if (!is_wanted)
        return false;
    kl_status status =
        machine->given_up ? KL_UNSUPPORTED : kl_filler_open(&machine->filler, &config, &report);
    if (status == KL_OK) {
        kl_lab_tell(machine, "is filled by the others, life #", machine->life, 0, 0);
        if (machine->lab->wire)
            kl_lab_wire_start(machine);
        kl_filler_start(machine->filler);
        return true;
    }
    /* Its ledger lacks the genesis, or is damaged; or nobody helps.  What is there is executed. */
    forget_database(machine);
    return false;
}

/* As a restart, in all that can be seen. */
static void turn_over(struct kl_lab_machine *machine)
{
    bool far = machine->far, given_up = machine->given_up;
    kl_lab_crash(machine, KL_LAB_KILLED);
    machine->far = far;
    machine->given_up = given_up;
    kl_lab_start(machine);
}

static void after_filler(struct kl_lab_machine *machine)
{
    kl_filler_status status;
    post_tick(machine, kl_filler_due_ns(machine->filler));
    kl_filler_status_of(machine->filler, &status);
    switch (status.phase) {
    case KL_FILLER_RECORDS:
    case KL_FILLER_STATE:
        return;
    case KL_FILLER_WHOLE:
        kl_lab_saw(machine->lab, KL_LAB_SAW_FILLED);
        break;
    case KL_FILLER_GIVEN_UP:
        machine->given_up = true;
        break;
    case KL_FILLER_BROKEN:
        if (machine->broken)
            return; /* until somebody mends the disk */
        machine->given_up = true;
        break;
    }
    kl_lab_tell(machine, "is not filled any more, phase # at height #", (u64)status.phase,
                status.height, 0);
    turn_over(machine);
}

/* Whoever starts it knows that nobody else has its key. */
static void resume(struct kl_lab_machine *machine)
{
    if (machine->barred && kl_guard_resume(kl_sim_disk_fs(machine->key)) == KL_OK)
        machine->barred = false;
}

void kl_lab_start(struct kl_lab_machine *machine)
{
    KL_ASSERT(!kl_lab_is_up(machine));
    machine->life++;
    machine->dead = false;
    machine->durable_data = machine->durable_key = 0;
    machine->settled_data = machine->settled_key = 0;
    machine->tick_ns = UINT64_MAX;
    machine->view = machine->epoch = 0;
    machine->compacts = (kl_replica_compacts){0};
    bool promised = !machine->forgot;
    plant_bugs(machine);
    resume(machine);
    if (open_filler(machine)) {
        machine->durable_data = kl_sim_disk_operations(machine->data);
        machine->durable_key = machine->key ? kl_sim_disk_operations(machine->key) : 0;
        post_tick(machine, kl_filler_due_ns(machine->filler));
        kl_lab_relink(machine->lab);
        return;
    }
    if (!open_somehow(machine))
        return;
    machine->durable_data = kl_sim_disk_operations(machine->data);
    machine->durable_key = machine->key ? kl_sim_disk_operations(machine->key) : 0;
    kl_lab_tell(machine, "starts, life #", machine->life, 0, 0);
    if (machine->life > 1)
        kl_lab_oracle_opened(machine, promised && !machine->forgot && !machine->harmed);
    machine->forgot = false;
    kl_lab_work_opened(machine);
    if (machine->lab->wire)
        kl_lab_wire_start(machine);
    kl_replica_start(machine->replica);
    after(machine, true);
    kl_lab_relink(machine->lab);
}

/* Takes the replica away without asking it: what it still does, on its way out, nobody sees. */
static void wind_up(struct kl_lab_machine *machine)
{
    machine->dead = true;
    kl_sim_disk_fail(machine->data, 0, KL_IO, 0);
    if (machine->key)
        kl_sim_disk_fail(machine->key, 0, KL_IO, 0);
    kl_lab_statedb_stop(machine->state);
    kl_lab_drain(machine);
    kl_lab_wire_stop(machine);
    kl_lab_attack_forget(machine);
    kl_lab_gossip_forget(machine);
    kl_replica_close(machine->replica);
    kl_filler_close(machine->filler);
    machine->replica = NULL;
    machine->filler = NULL;
    machine->far = machine->given_up = false;
    machine->life++;
    memset(machine->linked, 0, sizeof machine->linked);
}

static struct kl_sim_disk *cut_disk(struct kl_lab *lab, struct kl_sim_disk *disk, u64 operations,
                                    kl_power_cut how)
{
    struct kl_sim_disk *found;
    KL_ASSERT(kl_sim_disk_cut(disk, operations, how, kl_rand(&lab->dice), &found) == KL_OK);
    return found;
}

/* Behind which operation the power goes out: jobs that have not ended may have done any part. */
static u64 moment(struct kl_lab *lab, struct kl_sim_disk *disk, u64 durable)
{
    u64 now = kl_sim_disk_operations(disk);
    if (now <= durable || kl_lab_percent(lab, 30))
        return now;
    kl_lab_saw(lab, KL_LAB_SAW_MIDWAY);
    return durable + kl_lab_below(lab, now - durable + 1);
}

/* Goes down; found: its disks as they are afterwards, which become its own. */
static void go_down(struct kl_lab_machine *machine, struct kl_sim_disk *data_found,
                    struct kl_sim_disk *key_found, bool loses_commit)
{
    struct kl_sim_disk *data = machine->data, *key = machine->key;
    kl_lab_work_crashes(machine);
    wind_up(machine);
    kl_lab_statedb_restart(machine->state, loses_commit);
    kl_sim_disk_free(data);
    kl_sim_disk_free(key);
    machine->data = data_found;
    machine->key = key_found;
    machine->broken = false;
    kl_lab_saw(machine->lab, KL_LAB_SAW_RESTART);
}

void kl_lab_crash(struct kl_lab_machine *machine, kl_lab_death death)
{
    struct kl_lab *lab = machine->lab;
    kl_power_cut how = death == KL_LAB_KILLED    ? KL_CUT_KEEP
                       : kl_lab_percent(lab, 30) ? KL_CUT_DROP
                                                 : KL_CUT_RANDOM;
    struct kl_sim_disk *data = machine->data, *key = machine->key;
    kl_lab_tell(machine, death == KL_LAB_KILLED ? "is killed" : "loses its power", 0, 0, 0);
    struct kl_sim_disk *data_found =
        cut_disk(lab, data, moment(lab, data, machine->durable_data), how);
    struct kl_sim_disk *key_found =
        key ? cut_disk(lab, key, moment(lab, key, machine->durable_key), how) : NULL;
    bool loses = death == KL_LAB_POWER_CUT && kl_lab_percent(lab, 50);
    go_down(machine, data_found, key_found, loses);
    if (loses)
        kl_lab_saw(lab, KL_LAB_SAW_LOST_COMMIT);
    if (kl_lab_percent(lab, 8)) {
        kl_lab_statedb_free(machine->state);
        machine->state = kl_lab_statedb_new();
    }
    kl_lab_relink(lab);
}

void kl_lab_crash_now(struct kl_lab_machine *machine, kl_power_cut how)
{
    struct kl_lab *lab = machine->lab;
    struct kl_sim_disk *data = machine->data, *key = machine->key;
    kl_lab_tell(machine, "loses its power at this moment", 0, 0, 0);
    struct kl_sim_disk *key_found =
        key ? cut_disk(lab, key, kl_sim_disk_operations(key), how) : NULL;
    go_down(machine, cut_disk(lab, data, kl_sim_disk_operations(data), how), key_found, false);
    kl_lab_relink(lab);
}

static void replace_data(struct kl_lab_machine *machine, struct kl_sim_disk *data)
{
    kl_sim_disk_free(machine->data);
    machine->data = data;
    kl_lab_statedb_free(machine->state);
    machine->state = kl_lab_statedb_new();
    machine->forgot = machine->lost_data = true;
    kl_lab_work_forgets(machine);
}

void kl_lab_wipe(struct kl_lab_machine *machine)
{
    replace_data(machine, new_disk());
    machine->acknowledged = 0;
    machine->harmed = false;
    kl_lab_tell(machine, "has lost its data folder", 0, 0, 0);
    kl_lab_saw(machine->lab, KL_LAB_SAW_WIPED);
}

void kl_lab_save(struct kl_lab_machine *machine)
{
    struct kl_lab *lab = machine->lab;
    kl_sim_disk_free(machine->backup[0]);
    kl_sim_disk_free(machine->backup[1]);
    machine->backup_harmed = machine->harmed;
    machine->lost_data = false;
    machine->backup[0] = cut_disk(lab, machine->data, UINT64_MAX, KL_CUT_KEEP);
    machine->backup[1] = machine->key ? cut_disk(lab, machine->key, UINT64_MAX, KL_CUT_KEEP) : NULL;
}

/* Data alone, the key's folder alone, or both: a guard that is older than its node's own logs is
 * found out by the node; with both, nobody can tell, and the key is as good as stolen. */
void kl_lab_restore(struct kl_lab_machine *machine, kl_lab_copy what)
{
    struct kl_lab *lab = machine->lab;
    if (what != KL_LAB_COPY_KEY) {
        replace_data(machine, machine->backup[0]);
        machine->harmed = machine->backup_harmed;
        machine->acknowledged = 0;
    } else {
        kl_sim_disk_free(machine->backup[0]);
    }
    if (what != KL_LAB_COPY_DATA) {
        kl_sim_disk_free(machine->key);
        machine->key = machine->backup[1];
    } else {
        kl_sim_disk_free(machine->backup[1]);
    }
    machine->backup[0] = machine->backup[1] = NULL;
    if (what != KL_LAB_COPY_DATA)
        lab->restored |= 1u << machine->validator;
    kl_lab_tell(machine, "comes back from an old copy, of kind #", what, 0, 0);
    kl_lab_saw(lab, KL_LAB_SAW_OLD_COPY);
}

void kl_lab_machine_free(struct kl_lab_machine *machine)
{
    if (kl_lab_is_up(machine))
        wind_up(machine);
    kl_lab_statedb_free(machine->state);
    kl_sim_disk_free(machine->data);
    kl_sim_disk_free(machine->key);
    kl_sim_disk_free(machine->backup[0]);
    kl_sim_disk_free(machine->backup[1]);
    free(machine);
}

/* --- events --- */

static void settle(struct kl_sim_disk *disk, u64 *settled, u64 durable)
{
    if (!disk || durable < *settled + HISTORY_MAX)
        return;
    kl_sim_disk_settle(disk, durable);
    *settled = durable;
}

void kl_lab_hears(struct kl_lab_machine *machine, u32 peer, const struct kl_lab_frame *frame)
{
    static const char *const lines[] = {
        [KL_MESSAGE_VOTE] = "hears a vote of #",
        [KL_MESSAGE_PROPOSAL] = "hears a proposal of #, # bytes",
        [KL_MESSAGE_CERTIFICATE] = "hears a certificate of #",
        [KL_MESSAGE_EVIDENCE] = "hears evidence of #",
        [KL_MESSAGE_ASK_CERTIFICATES] = "is asked for certificates by #",
        [KL_MESSAGE_ASK_BODY] = "is asked for a body by #",
        [KL_MESSAGE_BODY] = "gets a body of #, # bytes",
        [KL_MESSAGE_ASK_BLOCKS] = "is asked for blocks by #",
        [KL_MESSAGE_BLOCKS] = "gets blocks of #, # bytes",
        [KL_MESSAGE_STATUS] = "hears the height of #",
        [KL_MESSAGE_TRANSACTIONS] = "hears transactions of #, # bytes",
        [KL_MESSAGE_ASK_RECORDS] = "is asked for records by #",
        [KL_MESSAGE_RECORDS] = "gets records of #, # bytes",
        [KL_MESSAGE_ASK_STATE] = "is asked for state by #",
        [KL_MESSAGE_STATE] = "gets state of #, # bytes",
        [KL_MESSAGE_ASK_CODE] = "is asked for code by #",
        [KL_MESSAGE_CODE] = "gets code of #, # bytes",
        [KL_MESSAGE_COMPACT] = "hears a compact proposal of #, # bytes",
        [KL_MESSAGE_ASK_TRANSACTIONS] = "is asked for transactions of a block by #",
        [KL_MESSAGE_TRANSACTIONS_OF] = "gets transactions of a block of #, # bytes",
    };
    kl_lab_tell(machine, lines[frame->kind], peer, frame->len, 0);
    kl_lab_trace(machine->lab, frame->hash);
}

void kl_lab_arrive(struct kl_lab_machine *machine, u32 peer, const struct kl_lab_frame *frame)
{
    kl_lab_hears(machine, peer, frame);
    if (machine->filler)
        kl_filler_receive(machine->filler, peer, kl_span_of(frame->bytes, frame->len));
    else
        kl_replica_receive(machine->replica, peer, kl_span_of(frame->bytes, frame->len));
}

/* Nobody may want to be called again and again while no time passes. */
static void check_spin(struct kl_lab_machine *machine)
{
    if (machine->newest_tick_ns != machine->lab->now_ns)
        machine->ticks = 0;
    machine->newest_tick_ns = machine->lab->now_ns;
    if (++machine->ticks > 1000)
        kl_lab_break(machine->lab, 11, "machine %u spins in view %llu of epoch %llu, why %u",
                     machine->index, (unsigned long long)machine->view,
                     (unsigned long long)machine->epoch,
                     machine->replica ? (unsigned)kl_replica_consensus(machine->replica).why : 0);
}

static void step(struct kl_lab_machine *machine, const kl_lab_event *event)
{
    bool may_have_moved = true;
    switch (event->kind) {
    case KL_LAB_FRAME:
        if (event->gossiped) {
            kl_lab_hears(machine, event->peer, event->frame);
            kl_lab_gossip(machine, event->peer, event->frame);
        } else {
            kl_lab_arrive(machine, event->peer, event->frame);
        }
        may_have_moved = event->frame->kind == KL_MESSAGE_CERTIFICATE;
        break;
    case KL_LAB_TICK:
        if (event->at_ns >= machine->tick_ns)
            machine->tick_ns = UINT64_MAX;
        check_spin(machine);
        if (machine->filler && kl_filler_due_ns(machine->filler) <= machine->lab->now_ns)
            kl_filler_tick(machine->filler);
        if (machine->replica && kl_replica_due_ns(machine->replica) <= machine->lab->now_ns)
            kl_replica_tick(machine->replica);
        break;
    case KL_LAB_JOB_BEGINS:
        kl_lab_job_begins(machine, (kl_lane)event->lane);
        break;
    case KL_LAB_JOB_ENDS:
        kl_lab_job_ends(machine, (kl_lane)event->lane);
        settle(machine->data, &machine->settled_data, machine->durable_data);
        settle(machine->key, &machine->settled_key, machine->durable_key);
        break;
    case KL_LAB_LINK:
        kl_lab_link(machine, event->peer);
        break;
    case KL_LAB_WIRE:
        if (event->lane == KL_LAB_WIRE_TICK)
            check_spin(machine);
        kl_lab_wire_happen(machine, event);
        break;
    case KL_LAB_STARTS:
    case KL_LAB_WEATHER:
    case KL_LAB_USERS:
    case KL_LAB_PIPE:
        KL_UNREACHABLE();
    }
    if (machine->filler) {
        after_filler(machine);
        return;
    }
    after(machine, may_have_moved);
    if (machine->far)
        turn_over(machine);
}

void kl_lab_happen(struct kl_lab *lab, const kl_lab_event *event)
{
    struct kl_lab_machine *machine = lab->machines[event->machine];
    if (event->kind == KL_LAB_PIPE) {
        kl_lab_pipe_happen(lab, event);
        return;
    }
    if (event->kind == KL_LAB_STARTS) {
        if (!kl_lab_is_up(machine) && !machine->abandoned)
            kl_lab_start(machine);
        return;
    }
    if (!kl_lab_is_up(machine) || event->life != machine->life) {
        kl_lab_frame_unref(event->frame);
        return;
    }
    if (machine->paused_ns > lab->now_ns) {
        /* Looked at again now and then, in order: it may be woken before its time. */
        u64 next_ns = (lab->now_ns / PAUSE_LOOK_NS + 1) * PAUSE_LOOK_NS;
        kl_lab_post(lab, event, KL_MIN(next_ns, machine->paused_ns));
        return;
    }
    kl_lab_trace(lab, lab->now_ns ^ (u64)event->kind << 60 ^ (u64)event->machine << 52);
    step(machine, event);
    kl_lab_frame_unref(event->frame);
}

/* Fixed scripts over whole nodes: what broke others, and moments that no seed hits for certain.
 * Disks, guards, logs, ledgers and pools are the production code's; the oracle looks at everything
 * as in any other run, and at the end of each script the calm must be live. */
#include "base/test.h"
#include "lab/oracle_priv.h"
#include "lab/work_priv.h"
#include "lab/world_priv.h"

void lab_engine_plant(const char *name); /* lab_engine_test.c */

static struct kl_lab *lab;
static kl_lab_result result;

/* What was signed, newest last; a machine's lives are counted from 1. */
struct signed_vote {
    u32 machine, life;
    kl_vote_subject subject;
};
static struct signed_vote said[4096];
static u32 said_count;

static void note(struct kl_lab_machine *machine, const kl_vote *vote)
{
    if (said_count < KL_COUNT_OF(said))
        said[said_count++] = (struct signed_vote){machine->index, machine->life, vote->subject};
}

static const struct kl_lab_script calm_script = {.signs = note};

static kl_lab_plan calm_plan(u32 validators)
{
    kl_lab_plan plan = {.validators = validators,
                        .keys = validators,
                        .scheme = KL_SCHEME_KEYED_HASH,
                        .delay_ns = 20 * KL_MS,
                        .epoch_blocks = 1000000,
                        .period_ms = 200,
                        .delta_ms = 100,
                        .window = 16,
                        .transactions = 50};
    for (u32 i = 0; i < validators; i++)
        plan.weights[i] = 1;
    return plan;
}

static void begin(const kl_lab_plan *plan, const struct kl_lab_script *script, u64 seed)
{
    const kl_lab_options options = {.seed = seed};
    said_count = 0;
    lab = kl_lab_open(&options, plan, script, &result);
}

static void until(u64 ms)
{
    while (lab->heap_count && lab->heap[0].at_ns <= ms * KL_MS && kl_lab_step(lab)) {
    }
    lab->now_ns = KL_MAX(lab->now_ns, ms * KL_MS);
}

static u64 height(void)
{
    return kl_lab_oracle_height(lab);
}

static void hold(u64 least)
{
    if (result.failed)
        kl_test_fail(__FILE__, __LINE__, "assertion %u: %s", result.assertion, result.broken);
    if (height() < least)
        kl_test_fail(__FILE__, __LINE__, "height %llu, at least %llu wanted",
                     (unsigned long long)height(), (unsigned long long)least);
}

/* Everybody who may comes back, and the chain is live; then the ledgers of all execute again. */
static void end_well(void)
{
    kl_lab_calm_down(lab);
    while (kl_lab_step(lab)) {
    }
    hold(1);
    for (u32 i = 0; i < lab->count; i++)
        if (!lab->machines[i]->abandoned)
            kl_lab_verify_machine(lab->machines[i]);
    hold(1);
    kl_lab_close(lab);
}

static void cut_all(bool is_cut)
{
    for (u32 a = 0; a < lab->count; a++)
        for (u32 b = 0; b < lab->count; b++)
            lab->machines[a]->cut[b] = is_cut;
    kl_lab_relink(lab);
}

/* It never comes back: within F. */
static void kill_for_good(u32 machine)
{
    lab->machines[machine]->abandoned = true;
    kl_lab_crash_now(lab->machines[machine], KL_CUT_DROP);
}

static void power_fails(kl_power_cut how)
{
    for (u32 i = 0; i < lab->count; i++)
        if (lab->machines[i]->replica)
            kl_lab_crash_now(lab->machines[i], how);
}

static void power_returns(void)
{
    for (u32 i = 0; i < lab->count; i++)
        if (!lab->machines[i]->replica && !lab->machines[i]->abandoned)
            kl_lab_start(lab->machines[i]);
}

static struct kl_lab_machine *leader(void)
{
    u32 i = 0;
    while (i + 1 < lab->count && !lab->machines[i]->replica)
        i++;
    u32 place = kl_replica_consensus(lab->machines[i]->replica).leader;
    return lab->machines[place]; /* in a genesis set places are in order of machines */
}

/* --- all crash behind their nullify votes --- */

static u32 who_nullified(u64 view)
{
    u32 who = 0;
    for (u32 i = 0; i < said_count; i++)
        if (said[i].subject.kind == KL_VOTE_NULLIFY && said[i].subject.proposal.view == view)
            who |= 1u << said[i].machine;
    return who;
}

/* One of four is dead.  The others hear nobody and nullify their view; then power fails everywhere,
 * and of what was not synced nothing is left.  The three votes are a quorum only if each counts its
 * own, out of its log, again.  [commonware #4275] */
static u64 all_crash_behind_nullify(void)
{
    kl_lab_plan plan = calm_plan(4);
    begin(&plan, &calm_script, 1);
    kill_for_good(3);
    cut_all(true);
    until(3000);
    CHECK_U64(who_nullified(1), 7);
    CHECK_U64(height(), 0);
    power_fails(KL_CUT_DROP);
    until(4000);
    power_returns();
    cut_all(false);
    until(14000);
    return height();
}

KL_TEST(lab_script_all_crash_behind_nullify)
{
    u64 got = all_crash_behind_nullify();
    hold(20);
    CHECK(got >= 20);
    end_well();
    lab_engine_plant("no reinjection");
    CHECK_U64(all_crash_behind_nullify(), 0);
    lab_engine_plant("none");
    kl_lab_close(lab);
}

/* --- power fails everywhere --- */

/* At each of many moments of an epoch's end and the next one's beginning; of what was not synced
 * nothing, everything or some of it is left.  Within ten seconds of power the chain goes on. */
KL_TEST(lab_script_power_fails_everywhere)
{
    static const kl_power_cut cuts[] = {KL_CUT_DROP, KL_CUT_RANDOM, KL_CUT_KEEP};
    u64 blocks = 0;
    for (u64 at_ms = 30; at_ms < 1500; at_ms += 35) {
        kl_lab_plan plan = calm_plan(4);
        plan.epoch_blocks = 2;
        begin(&plan, &calm_script, at_ms);
        until(at_ms);
        u64 before = height();
        power_fails(cuts[at_ms / 35 % KL_COUNT_OF(cuts)]);
        until(at_ms + 500);
        power_returns();
        until(at_ms + 10500);
        hold(before + 10);
        blocks += before;
        end_well();
    }
    CHECK(blocks > 50);
}

/* --- half and half --- */

KL_TEST(lab_script_half_and_half_heals)
{
    for (u32 n = 4; n <= 7; n += 3) {
        kl_lab_plan plan = calm_plan(n);
        begin(&plan, &calm_script, n);
        until(3000);
        hold(5);
        for (u32 a = 0; a < n; a++)
            for (u32 b = 0; b < n; b++)
                lab->machines[a]->cut[b] = (a < n / 2) != (b < n / 2);
        kl_lab_relink(lab);
        until(4000);
        u64 stood_at = height();
        until(40000);
        hold(stood_at);
        CHECK_U64(height(), n == 4 ? stood_at : height());
        cut_all(false);
        until(50000); /* within ten seconds, and nobody was started again */
        hold(stood_at + 10);
        for (u32 i = 0; i < n; i++)
            CHECK_U64(lab->machines[i]->life, 1);
        end_well();
    }
}

/* --- the leader's power fails between the guard's sync and the sending of the vote --- */

static void note_newest(void *ctx, const kl_vote_subject *subject)
{
    *(kl_vote_subject *)ctx = *subject;
}

/* The last vote that a guard on this disk knows of durably: the disk is left as it was. */
static bool guard_newest(struct kl_lab_machine *machine, kl_vote_subject *out)
{
    struct kl_sim_disk *copy;
    struct kl_guard *guard;
    kl_rule broken;
    kl_guard_owner owner = {
        .domain = {.chain_id = KL_LAB_CHAIN_ID, .genesis_hash = lab->genesis_hash},
        .scheme = lab->scheme,
    };
    KL_ASSERT(lab->scheme->public_key(owner.key, &lab->secrets[machine->validator]));
    KL_ASSERT(kl_sim_disk_cut(machine->key, UINT64_MAX, KL_CUT_DROP, 1, &copy) == KL_OK);
    *out = (kl_vote_subject){0};
    CHECK_U64(kl_guard_open(&guard, kl_sim_disk_fs(copy), &owner, &broken), KL_OK);
    CHECK_U64(broken, KL_RULE_NONE);
    kl_guard_each(guard, note_newest, out);
    kl_guard_close(guard);
    kl_sim_disk_free(copy);
    return out->kind != 0;
}

static bool was_told(u32 machine, const kl_vote_subject *subject)
{
    for (u32 i = 0; i < said_count; i++)
        if (said[i].machine == machine && kl_vote_subject_eq(&said[i].subject, subject))
            return true;
    return false;
}

/* What a vote, proposal or certificate is about; of kind 0: it is none. */
static kl_vote_subject subject_of(const struct kl_lab_frame *frame)
{
    struct kl_arena arena;
    kl_message message;
    kl_rule broken;
    if (frame->kind != KL_MESSAGE_VOTE && frame->kind != KL_MESSAGE_PROPOSAL &&
        frame->kind != KL_MESSAGE_CERTIFICATE)
        return (kl_vote_subject){0};
    kl_arena_init(&arena, 1 << 20);
    KL_ASSERT(kl_message_decode(&message, kl_span_of(frame->bytes, frame->len), lab->scheme, &arena,
                                &broken) == KL_OK);
    kl_vote_subject subject =
        frame->kind == KL_MESSAGE_CERTIFICATE ? message.certificate.subject : message.vote.subject;
    kl_arena_done(&arena);
    return subject;
}

static struct {
    u32 machine, life, sent;
    kl_vote_subject subject;
} retold;

static bool hears_retold(struct kl_lab *in, u32 from, u32 to, const struct kl_lab_frame *frame)
{
    (void)to;
    if (from == retold.machine && in->machines[from]->life >= retold.life &&
        (frame->kind == KL_MESSAGE_VOTE || frame->kind == KL_MESSAGE_PROPOSAL)) {
        kl_vote_subject subject = subject_of(frame);
        retold.sent += kl_vote_subject_eq(&subject, &retold.subject);
    }
    return true;
}

/* The guard's lane has made a vote durable, and nobody was told. */
static bool has_synced(struct kl_lab_machine *machine)
{
    const struct kl_lab_lane *lane = &machine->lane[KL_LANE_GUARD];
    kl_vote_subject newest;
    return lane->busy && lane->key_operations > machine->durable_key &&
           guard_newest(machine, &newest) && !was_told(machine->index, &newest);
}

/* Its guard holds a vote that nobody has heard of, for a block that only it may have; it comes back
 * with it, signs nothing else in that view, and where its log has kept the vote too, sends it. */
KL_TEST(lab_script_leader_crashes_between_sync_and_send)
{
    static const struct kl_lab_script script = {.signs = note, .passes = hears_retold};
    u32 kinds[4] = {0}, again = 0;
    for (u64 skipped = 0; skipped < 24; skipped++) {
        kl_lab_plan plan = calm_plan(4);
        retold.machine = KL_REPLICA_ALL;
        begin(&plan, &script, 100 + skipped);
        u64 seen = 0, operations = 0;
        struct kl_lab_machine *machine = NULL;
        do {
            CHECK(kl_lab_step(lab));
            machine = leader();
            if (has_synced(machine) && machine->lane[KL_LANE_GUARD].key_operations != operations) {
                operations = machine->lane[KL_LANE_GUARD].key_operations;
                seen++;
            }
        } while (seen <= skipped);
        kl_lab_crash_now(machine, skipped % 2 ? KL_CUT_KEEP : KL_CUT_DROP);
        CHECK(guard_newest(machine, &retold.subject));
        CHECK(!was_told(machine->index, &retold.subject));
        kinds[retold.subject.kind]++;
        u64 before = height();
        until(lab->now_ns / KL_MS + 30);
        retold.sent = 0;
        retold.machine = machine->index;
        retold.life = machine->life + 1;
        kl_lab_start(machine);
        until(lab->now_ns / KL_MS + 6000);
        hold(before + 10);
        again += retold.sent != 0;
        end_well();
    }
    CHECK(kinds[KL_VOTE_NOTARIZE] && kinds[KL_VOTE_FINALIZE] && again);
}

/* --- the leader's power fails right behind its proposal --- */

static struct {
    u32 machine; /* that has just signed in its own turn */
    kl_vote_subject subject;
} hurried;

static void note_leaders(struct kl_lab_machine *machine, const kl_vote *vote)
{
    note(machine, vote);
    if (hurried.machine == KL_REPLICA_ALL && vote->subject.kind == KL_VOTE_NOTARIZE &&
        machine == leader()) {
        hurried.machine = machine->index;
        hurried.subject = vote->subject;
    }
}

static bool is_recorded(struct kl_lab_machine *machine)
{
    kl_vote_subject newest;
    return guard_newest(machine, &newest) && newest.kind == KL_VOTE_NOTARIZE &&
           newest.proposal.view == hurried.subject.proposal.view;
}

/* What it said in the view that it lost its power in, in later lives. */
static u32 said_again(u32 machine, u32 life)
{
    u32 count = 0;
    for (u32 i = 0; i < said_count; i++)
        count += said[i].machine == machine && said[i].life > life &&
                 said[i].subject.kind == KL_VOTE_NOTARIZE &&
                 said[i].subject.proposal.view == hurried.subject.proposal.view;
    return count;
}

/* Its guard has no record of the vote, only of the turn; the others have both block and vote.  In
 * every second run their power fails too, some moments later.  Nothing else is proposed in that
 * view, nobody is taken for somebody else, and the chain goes on, also where all three are needed.
 */
KL_TEST(lab_script_leader_crashes_behind_its_proposal)
{
    static const struct kl_lab_script script = {.signs = note_leaders};
    u32 lost = 0;
    for (u64 at = 0; at < 40; at++) {
        kl_lab_plan plan = calm_plan(at % 4 < 2 ? 3 : 4);
        begin(&plan, &script, 300 + at);
        until(1000 + 37 * at);
        hurried.machine = KL_REPLICA_ALL;
        while (hurried.machine == KL_REPLICA_ALL)
            CHECK(kl_lab_step(lab));
        struct kl_lab_machine *machine = lab->machines[hurried.machine];
        u32 life = machine->life;
        kl_lab_crash_now(machine, KL_CUT_DROP);
        bool is_lost = !is_recorded(machine);
        lost += is_lost;
        u64 before = height();
        until(lab->now_ns / KL_MS + 3 * at);
        if (at % 2)
            power_fails(KL_CUT_DROP);
        until(lab->now_ns / KL_MS + 30);
        power_returns();
        until(lab->now_ns / KL_MS + 8000);
        hold(before + 10);
        CHECK(!is_lost || !said_again(machine->index, life));
        end_well();
    }
    CHECK(lost > 20);
}

/* --- the end of an epoch --- */

/* Finalize votes for the first epoch's last block are lost for a while. */
static bool last_block_is_not_final(struct kl_lab *in, u32 from, u32 to,
                                    const struct kl_lab_frame *frame)
{
    (void)from;
    (void)to;
    if (in->now_ns > 2500 * KL_MS)
        return true;
    kl_vote_subject subject = subject_of(frame);
    return subject.kind != KL_VOTE_FINALIZE || subject.proposal.epoch != 0 ||
           subject.proposal.height != in->plan.epoch_blocks;
}

static bool was_proposed_again(void)
{
    for (u32 i = 0; i < said_count; i++)
        if (said[i].subject.kind == KL_VOTE_NOTARIZE &&
            kl_hash_eq(&said[i].subject.proposal.block_hash, &said[i].subject.proposal.parent_hash))
            return true;
    return false;
}

/* It is proposed again and again, and power fails at each of many moments of that, for the leader
 * or for all. */
KL_TEST(lab_script_boundary_block_is_proposed_again)
{
    static const struct kl_lab_script script = {.signs = note, .passes = last_block_is_not_final};
    u32 amid = 0;
    for (u64 at_ms = 500; at_ms < 2600; at_ms += 70) {
        kl_lab_plan plan = calm_plan(4);
        plan.epoch_blocks = 3;
        begin(&plan, &script, at_ms);
        until(at_ms);
        amid += was_proposed_again() && height() < 3;
        if (at_ms / 70 % 2)
            power_fails(at_ms / 140 % 2 ? KL_CUT_DROP : KL_CUT_RANDOM);
        else
            kl_lab_crash_now(leader(), KL_CUT_DROP);
        until(at_ms + 100);
        power_returns();
        until(12000);
        hold(20);
        CHECK(result.sometimes >> KL_LAB_SAW_EPOCH & 1);
        end_well();
    }
    CHECK(amid > 10);
}

/* --- a set change takes out the leader --- */

static bool is_in_newest_set(u32 validator)
{
    u64 epoch = 0;
    while (kl_lab_oracle_set(lab, epoch + 1))
        epoch++;
    const kl_valset *set = kl_lab_oracle_set(lab, epoch);
    kl_address operator= kl_lab_work_operator(lab, validator);
    for (u32 place = 0; place < set->count; place++)
        if (kl_address_eq(&set->validators[place].operator, & operator))
            return true;
    return false;
}

/* Each of five is voted out by transactions, with epochs so long that each also leads an epoch's
 * last view, or would have led the next one's first; with a crash of its own at that moment, and
 * without.  It follows as an observer. */
KL_TEST(lab_script_set_change_removes_the_leader)
{
    u32 led = 0;
    for (u64 blocks = 4; blocks < 8; blocks++)
        for (u32 target = 0; target < 5; target++) {
            kl_lab_plan plan = calm_plan(5);
            plan.faults = 1u << KL_LAB_SET_CHANGE;
            plan.epoch_blocks = blocks;
            begin(&plan, &calm_script, blocks);
            until(1000);
            kl_lab_govern_change(lab, target);
            bool leads = false;
            while (is_in_newest_set(target) && lab->now_ns < 60 * KL_S && kl_lab_step(lab))
                if (lab->machines[target]->replica)
                    leads = leader() == lab->machines[target];
            CHECK(!is_in_newest_set(target));
            led += leads;
            if (blocks % 2)
                kl_lab_crash_now(lab->machines[target], KL_CUT_RANDOM);
            u64 before = height();
            until(lab->now_ns / KL_MS + 500);
            power_returns();
            until(lab->now_ns / KL_MS + 8000);
            hold(before + 15);
            kl_simplex_status s = kl_replica_consensus(lab->machines[target]->replica);
            CHECK(!s.signing && s.epoch > 0);
            end_well();
        }
    CHECK(led > 0);
}

/* --- the last of a quorum comes back with an old copy --- */

/* One of four is dead, and another comes back with what it had 15 seconds ago: data, key, or both.
 * Old data are caught up with, and what an old guard lacks is in the newest log: in both cases the
 * quorum is there within ten seconds.  With old data an old guard must not sign, which takes the
 * operator's word; then the chain stands until the fourth is back, and the copy votes again. */
static void last_of_a_quorum_returns(kl_lab_copy what)
{
    kl_lab_plan plan = calm_plan(4);
    begin(&plan, &calm_script, 50 + what);
    struct kl_lab_machine *old = lab->machines[2], *dead = lab->machines[3];
    until(3000);
    kl_lab_crash_now(old, KL_CUT_KEEP);
    kl_lab_save(old);
    kl_lab_start(old);
    until(4000);
    kl_lab_crash_now(dead, KL_CUT_DROP);
    until(19000);
    hold(30);
    kl_lab_crash_now(old, KL_CUT_KEEP);
    u64 stood_at = height();
    until(25000);
    CHECK(height() <= stood_at + 1);
    stood_at = height();
    kl_lab_restore(old, what);
    lab->restored = 0; /* of its votes nothing is forgiven */
    old->restored = what == KL_LAB_COPY_BOTH;
    kl_lab_start(old);
    until(35000);
    hold(what == KL_LAB_COPY_BOTH ? stood_at : stood_at + 10);
    if (what == KL_LAB_COPY_BOTH)
        CHECK_U64(height(), stood_at);
    kl_lab_start(dead);
    until(60000);
    hold(stood_at + 60);
    u32 votes = 0;
    for (u32 i = 0; i < said_count; i++)
        votes += said[i].machine == old->index && said[i].life == old->life;
    CHECK(votes > 10);
    end_well();
}

KL_TEST(lab_script_last_of_a_quorum_returns_with_an_old_copy)
{
    last_of_a_quorum_returns(KL_LAB_COPY_DATA);
    last_of_a_quorum_returns(KL_LAB_COPY_KEY);
    last_of_a_quorum_returns(KL_LAB_COPY_BOTH);
}

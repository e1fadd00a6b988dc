/* Turns: what may be signed before its record is durable, and what no later life signs for it. */
#include "base/test.h"
#include "cert/evidence.h"
#include "guard/guard_priv.h"
#include "sim/disk.h"

enum { REQUESTS = 6, STEPS_MAX = 3, TURN = 5, ROOM = 8 };

static kl_secret32 secret = {{7}};
static kl_guard_owner owner;
static kl_vote_subject request[REQUESTS]; /* of view 1: two notarize, nullify, two finalize, turn */
static const kl_guard_view view = {0, 1};

static void init(void)
{
    owner = (kl_guard_owner){.domain = {.chain_id = 4}};
    owner.scheme = kl_vote_scheme_of(KL_SCHEME_KEYED_HASH, true);
    CHECK(owner.scheme->public_key(owner.key, &secret));
    static const kl_vote_kind kinds[REQUESTS] = {KL_VOTE_NOTARIZE, KL_VOTE_NOTARIZE,
                                                 KL_VOTE_NULLIFY,  KL_VOTE_FINALIZE,
                                                 KL_VOTE_FINALIZE, GUARD_TURN};
    static const u8 hashes[REQUESTS] = {1, 2, 0, 1, 2, 0};
    for (unsigned i = 0; i < REQUESTS; i++) {
        request[i] = (kl_vote_subject){.kind = kinds[i], .proposal = {.view = 1}};
        request[i].proposal.block_hash.b[0] = hashes[i];
    }
}

static kl_rule ask(struct kl_guard *guard, unsigned i)
{
    kl_rule broken = KL_RULE_COUNT;
    CHECK_OK(i == TURN ? kl_guard_reserve(guard, view, false, &broken)
                       : kl_guard_ask(guard, &request[i], &broken));
    return broken;
}

static void sign(struct kl_guard *guard, unsigned i)
{
    kl_vote vote;
    CHECK_OK(kl_guard_sign(guard, &vote, &request[i], 0, &secret));
}

static struct kl_guard *opened(struct kl_sim_disk *disk)
{
    struct kl_guard *guard = NULL;
    kl_rule broken = KL_RULE_COUNT;
    CHECK_OK(kl_guard_open(&guard, kl_sim_disk_fs(disk), &owner, &broken));
    CHECK_RULE(broken, KL_RULE_NONE);
    return guard;
}

static bool conflict(unsigned a, unsigned b)
{
    return a != TURN && b != TURN && kl_evidence_of(&request[a], &request[b]) != KL_EVIDENCE_NONE;
}

typedef struct run {
    struct kl_sim_disk *disk;
    struct kl_guard *guard;
    unsigned asked, durable, held; /* requests, a bit each; held: signatures that are about */
    u64 cuts, unknown;             /* of those: a vote is about that the guard does not know */
} run;

/* Whoever opens it knows all that was durable, and signs nothing against what is about. */
static void check_life(run *r, struct kl_sim_disk *disk, unsigned durable, unsigned held)
{
    struct kl_guard *guard = opened(disk);
    unsigned known = 0;
    for (unsigned i = 0; i < REQUESTS; i++) {
        bool found;
        u32 at = guard_find(guard, &request[i], &found);
        if (found && kl_vote_subject_eq(&guard->entries[at].subject, &request[i]))
            known |= 1u << i;
    }
    CHECK((durable & ~known) == 0 && (known & ~r->asked) == 0);
    bool is_forfeit = (known >> TURN & 1) && !(known & 3);
    for (unsigned i = 0; i < REQUESTS; i++) {
        bool contrary = false, about = false;
        for (unsigned k = 0; k < REQUESTS; k++) {
            contrary |= known >> k & 1 && conflict(i, k);
            about |= held >> k & 1 && conflict(i, k);
        }
        kl_rule rule = guard_judge(guard, &request[i]);
        CHECK(!about || rule != KL_RULE_NONE);
        if (i == TURN)
            CHECK_RULE(rule, known & 3 ? KL_RULE_GUARD_NOTARIZE : KL_RULE_NONE);
        else if (contrary)
            CHECK(rule != KL_RULE_NONE && rule != KL_RULE_GUARD_TURN);
        else
            CHECK_RULE(rule, is_forfeit && i < 2 ? KL_RULE_GUARD_TURN : KL_RULE_NONE);
    }
    r->unknown += (held & 3) != 0 && is_forfeit;
    r->cuts++;
    kl_guard_close(guard);
}

static void do_step(run *r, unsigned i, bool sync)
{
    CHECK_RULE(ask(r->guard, i), KL_RULE_NONE);
    r->asked |= 1u << i;
    if (i < 2 && r->durable >> TURN & 1) {
        sign(r->guard, i);
        r->held |= 1u << i;
    }
    if (!sync)
        return;
    CHECK_OK(kl_guard_sync(r->guard));
    r->durable = r->asked;
    for (unsigned k = 0; k < TURN; k++)
        if (r->asked >> k & 1)
            sign(r->guard, k);
    r->held |= r->asked & ~(1u << TURN);
}

/* Plays the steps, then cuts the power at each operation of the last of them. */
static void play(const unsigned *steps, unsigned count, unsigned syncs, u64 *seed, u64 *unknown)
{
    run r = {0}, was = {0};
    CHECK_OK(kl_sim_disk_new(&r.disk));
    CHECK_OK(kl_guard_create(&r.guard, kl_sim_disk_fs(r.disk), &owner, (kl_guard_view){0}, ROOM));
    u64 before = 0;
    for (unsigned i = 0; i < count; i++) {
        before = kl_sim_disk_operations(r.disk);
        was = r;
        do_step(&r, steps[i], syncs >> i & 1);
    }
    u64 after = kl_sim_disk_operations(r.disk);
    for (u64 at = before; at <= after; at++)
        for (unsigned how = KL_CUT_DROP; how <= KL_CUT_RANDOM + 1u; how++) {
            struct kl_sim_disk *cut;
            /* A hurried signature is about before its record is durable. */
            bool over = at == after;
            CHECK_OK(kl_sim_disk_cut(r.disk, at, (kl_power_cut)KL_MIN(how, (unsigned)KL_CUT_RANDOM),
                                     kl_rand(seed), &cut));
            unsigned hurried = was.durable >> TURN & 1 ? r.held & 3 : 0;
            check_life(&r, cut, over ? r.durable : was.durable, over ? r.held : was.held | hurried);
            kl_sim_disk_free(cut);
        }
    *unknown += r.unknown;
    kl_guard_close(r.guard);
    kl_sim_disk_free(r.disk);
}

/* All sequences over one view, as in guard_crash_test.c. */
KL_TEST(guard_turn_never_lets_two_proposals_be_signed_wherever_it_is_cut)
{
    unsigned steps[STEPS_MAX + 1] = {0}, depth = 0;
    u64 sequences = 0, unknown = 0;
    init();
    while (true) {
        if (steps[depth] == REQUESTS) { /* all tried here: back */
            if (depth-- == 0)
                break;
            steps[depth]++;
            continue;
        }
        bool allowed = true;
        for (unsigned i = 0; i < depth; i++)
            allowed &= steps[i] != steps[depth] && !conflict(steps[i], steps[depth]) &&
                       !(steps[depth] == TURN && steps[i] < 2);
        if (!allowed) {
            steps[depth]++;
            continue;
        }
        CHECK(depth < STEPS_MAX); /* three at most */
        sequences++;
        for (unsigned syncs = 0; syncs < 2u << depth; syncs++)
            play(steps, depth + 1, syncs, seed, &unknown);
        depth++;
        steps[depth] = 0;
    }
    CHECK(sequences > 40 && unknown > 10);
}

KL_TEST(guard_turn_is_of_one_life)
{
    struct kl_sim_disk *disk;
    init();
    CHECK_OK(kl_sim_disk_new(&disk));
    struct kl_guard *guard;
    CHECK_OK(kl_guard_create(&guard, kl_sim_disk_fs(disk), &owner, (kl_guard_view){0}, ROOM));
    CHECK_RULE(ask(guard, TURN), KL_RULE_NONE);
    CHECK_RULE(ask(guard, TURN), KL_RULE_NONE);
    CHECK_U64(kl_guard_newest(guard).view, 1);
    CHECK_OK(kl_guard_sync(guard));
    kl_guard_close(guard);
    for (unsigned life = 0; life < 2; life++) { /* nothing was asked: it is over all the same */
        guard = opened(disk);
        CHECK_U64(kl_guard_newest(guard).view, 1);
        CHECK_RULE(ask(guard, TURN), KL_RULE_GUARD_TURN);
        CHECK_RULE(ask(guard, 0), KL_RULE_GUARD_TURN);
        CHECK_RULE(ask(guard, 3), KL_RULE_NONE);
        CHECK_RULE(ask(guard, 2), KL_RULE_GUARD_FINALIZED);
        CHECK_OK(kl_guard_sync(guard));
        sign(guard, 3);
        kl_guard_close(guard);
    }
    kl_sim_disk_free(disk);
}

struct turns {
    kl_guard_view last;
    usize count;
};

static void count_turn(void *ctx, kl_guard_view of)
{
    struct turns *turns = ctx;
    turns->last = of;
    turns->count++;
}

/* What another record says was taken in an earlier life is over in this one, whether or not that
 * record tells of a vote: more than one may have been asked for in later lives, and refused. */
KL_TEST(guard_turn_that_another_record_tells_of_is_over)
{
    struct kl_sim_disk *disk;
    kl_rule broken = KL_RULE_COUNT;
    struct turns turns = {0};
    init();
    CHECK_OK(kl_sim_disk_new(&disk));
    struct kl_guard *guard;
    CHECK_OK(kl_guard_create(&guard, kl_sim_disk_fs(disk), &owner, (kl_guard_view){0}, ROOM));
    CHECK_OK(kl_guard_reserve(guard, view, true, &broken));
    CHECK_RULE(broken, KL_RULE_NONE);
    CHECK_RULE(ask(guard, TURN), KL_RULE_GUARD_TURN); /* of an earlier life, though written down */
    CHECK_RULE(ask(guard, 0), KL_RULE_GUARD_TURN);
    kl_guard_each_turn(guard, count_turn, &turns);
    CHECK(turns.count == 1 && turns.last.view == 1);
    CHECK_OK(kl_guard_sync(guard));
    kl_guard_close(guard);
    guard = opened(disk);
    CHECK_RULE(ask(guard, 0), KL_RULE_GUARD_TURN);
    kl_guard_close(guard);
    kl_sim_disk_free(disk);
}

/* A vote that is on record is signed again, and told of instead of its turn. */
KL_TEST(guard_turn_ends_with_its_vote_on_record)
{
    struct kl_sim_disk *disk;
    kl_rule broken = KL_RULE_COUNT;
    struct turns turns = {0};
    init();
    CHECK_OK(kl_sim_disk_new(&disk));
    struct kl_guard *guard;
    CHECK_OK(kl_guard_create(&guard, kl_sim_disk_fs(disk), &owner, (kl_guard_view){0}, ROOM));
    CHECK_RULE(ask(guard, TURN), KL_RULE_NONE);
    CHECK_OK(kl_guard_sync(guard));
    CHECK_RULE(ask(guard, 1), KL_RULE_NONE);
    sign(guard, 1);
    CHECK_RULE(ask(guard, 0), KL_RULE_GUARD_NOTARIZE);
    CHECK_OK(kl_guard_sync(guard));
    kl_guard_close(guard);
    guard = opened(disk);
    CHECK_OK(kl_guard_reserve(guard, view, true, &broken));
    CHECK_RULE(broken, KL_RULE_GUARD_NOTARIZE);
    kl_guard_each_turn(guard, count_turn, &turns);
    CHECK_U64(turns.count, 0);
    CHECK_RULE(ask(guard, 0), KL_RULE_GUARD_NOTARIZE);
    CHECK_RULE(ask(guard, 1), KL_RULE_NONE);
    sign(guard, 1);
    kl_guard_close(guard);
    kl_sim_disk_free(disk);
}

/* The file is written anew with a turn in it: it stays this life's, and its vote hurries. */
KL_TEST(guard_turn_outlives_the_file)
{
    struct kl_sim_disk *disk;
    init();
    CHECK_OK(kl_sim_disk_new(&disk));
    struct kl_guard *guard;
    kl_rule broken;
    CHECK_OK(kl_guard_create(&guard, kl_sim_disk_fs(disk), &owner, (kl_guard_view){0}, ROOM));
    for (u64 at = 2; at < 2 + ROOM; at++) {
        const kl_vote_subject nullify = {KL_VOTE_NULLIFY, {.view = at}};
        CHECK_OK(kl_guard_ask(guard, &nullify, &broken));
        CHECK_RULE(broken, KL_RULE_NONE);
    }
    CHECK_OK(kl_guard_reserve(guard, (kl_guard_view){0, 9}, false, &broken));
    CHECK_RULE(broken, KL_RULE_NONE);
    CHECK_OK(kl_guard_sync(guard));
    for (u64 at = 10; at < 10 + ROOM / 2 - 1; at++) {
        const kl_vote_subject nullify = {KL_VOTE_NULLIFY, {.view = at}};
        CHECK_OK(kl_guard_ask(guard, &nullify, &broken));
    }
    CHECK(kl_guard_floor(guard).view > 2 && kl_guard_floor(guard).view <= 9);
    request[0].proposal.view = request[1].proposal.view = 9;
    CHECK_RULE(ask(guard, 0), KL_RULE_NONE);
    sign(guard, 0);
    CHECK_RULE(ask(guard, 1), KL_RULE_GUARD_NOTARIZE);
    kl_guard_close(guard);
    kl_sim_disk_free(disk);
}

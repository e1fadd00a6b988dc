/* The proof by enumeration: of all sequences of requests over 2 views, 3 kinds and 2 hashes, with a
 * power cut at every operation on the disk, none lets a conflicting pair be signed.
 *
 * A request that is refused or repeated leaves no trace, neither on the disk nor in memory: that is
 * asserted for all ten requests in every state that is reached.  So sequences of any length lead to
 * the same states as those of allowed requests only, and of these no more than four are possible,
 * two a view: enumerating them, with and without a sync behind each, is enumerating all sequences
 * of up to 6 requests, and of any other length. */
#include "base/test.h"
#include "cert/evidence.h"
#include "guard/guard_priv.h"
#include "sim/disk.h"

enum { REQUESTS = 10, STEPS_MAX = 4, ROOM = 8 };

static kl_secret32 secret = {{7}};
static kl_guard_owner owner;
static kl_vote_subject request[REQUESTS]; /* per view: two notarize, nullify, two finalize */

static void init(void)
{
    owner = (kl_guard_owner){.domain = {.chain_id = 4}};
    owner.scheme = kl_vote_scheme_of(KL_SCHEME_KEYED_HASH, true);
    CHECK(owner.scheme->public_key(owner.key, &secret));
    static const kl_vote_kind kinds[5] = {KL_VOTE_NOTARIZE, KL_VOTE_NOTARIZE, KL_VOTE_NULLIFY,
                                          KL_VOTE_FINALIZE, KL_VOTE_FINALIZE};
    static const u8 hashes[5] = {1, 2, 0, 1, 2};
    for (unsigned i = 0; i < REQUESTS; i++) {
        request[i] = (kl_vote_subject){.kind = kinds[i % 5], .proposal = {.view = 1 + i / 5}};
        request[i].proposal.block_hash.b[0] = hashes[i % 5];
    }
}

static bool conflict(unsigned a, unsigned b)
{
    return kl_evidence_of(&request[a], &request[b]) != KL_EVIDENCE_NONE;
}

/* What is known of a run: sets of requests, a bit each. */
typedef struct facts {
    unsigned asked, held;
} facts;

/* A guard that was opened after something happened: it knows all that was signed, nothing that was
 * never asked for, refuses whatever conflicts with what it knows, and allows everything else. */
static void check_guard(const struct kl_guard *guard, facts f)
{
    unsigned known = 0;
    for (unsigned i = 0; i < REQUESTS; i++) {
        bool found;
        u32 at = guard_find(guard, &request[i], &found);
        if (found && kl_vote_subject_eq(&guard->entries[at].subject, &request[i]))
            known |= 1u << i;
    }
    CHECK_U64((unsigned)__builtin_popcount(known), guard->count);
    CHECK((f.held & ~known) == 0 && (known & ~f.asked) == 0);
    for (unsigned i = 0; i < REQUESTS; i++) {
        bool contrary = false;
        for (unsigned k = 0; k < REQUESTS; k++)
            contrary |= known >> k & 1 && conflict(i, k);
        CHECK((guard_judge(guard, &request[i]) == KL_RULE_NONE) == !contrary);
    }
}

/* Opens the disk's guard, and again after a cut at each operation of that opening. */
static u64 check_disk(struct kl_sim_disk *disk, facts f, u64 *seed)
{
    struct kl_guard *guard = NULL;
    kl_rule broken = KL_RULE_COUNT;
    CHECK_OK(kl_guard_open(&guard, kl_sim_disk_fs(disk), &owner, &broken));
    CHECK_RULE(broken, KL_RULE_NONE);
    check_guard(guard, f);
    kl_guard_close(guard);
    u64 operations = kl_sim_disk_operations(disk);
    if (kl_rand_below(seed, 64) != 0) /* the second cut, for a share of the first */
        return 1;
    for (u64 at = 0; at <= operations; at++) {
        for (unsigned how = KL_CUT_DROP; how <= KL_CUT_RANDOM; how++) {
            struct kl_sim_disk *after;
            CHECK_OK(kl_sim_disk_cut(disk, at, (kl_power_cut)how, kl_rand(seed), &after));
            CHECK_OK(kl_guard_open(&guard, kl_sim_disk_fs(after), &owner, &broken));
            CHECK_RULE(broken, KL_RULE_NONE);
            check_guard(guard, f);
            kl_guard_close(guard);
            kl_sim_disk_free(after);
        }
    }
    return 1;
}

typedef struct run {
    struct kl_sim_disk *disk;
    struct kl_guard *guard;
    facts f;
} run;

static void no_trace(run *r, unsigned i)
{
    u64 operations = kl_sim_disk_operations(r->disk);
    kl_rule broken = KL_RULE_COUNT, want = guard_judge(r->guard, &request[i]);
    u32 count = r->guard->count;
    CHECK_OK(kl_guard_ask(r->guard, &request[i], &broken));
    CHECK_RULE(broken, want);
    CHECK_U64(kl_sim_disk_operations(r->disk), operations);
    CHECK_U64(r->guard->count, count);
}

static void do_step(run *r, unsigned i, bool sync)
{
    kl_rule broken = KL_RULE_COUNT;
    CHECK_OK(kl_guard_ask(r->guard, &request[i], &broken));
    CHECK_RULE(broken, KL_RULE_NONE);
    r->f.asked |= 1u << i;
    if (!sync)
        return;
    CHECK_OK(kl_guard_sync(r->guard));
    r->f.held = r->f.asked;
    for (unsigned k = 0; k < REQUESTS; k++) {
        kl_vote vote;
        if (r->f.held >> k & 1)
            CHECK_OK(kl_guard_sign(r->guard, &vote, &request[k], 0, &secret));
    }
}

/* Plays the steps, then cuts the power at each operation of the last of them. */
static u64 play(const unsigned *steps, unsigned count, unsigned syncs, u64 *seed)
{
    run r = {0};
    u64 opened = 0;
    CHECK_OK(kl_sim_disk_new(&r.disk));
    CHECK_OK(kl_guard_create(&r.guard, kl_sim_disk_fs(r.disk), &owner, (kl_guard_view){0}, ROOM));
    u64 before = kl_sim_disk_operations(r.disk);
    facts was = {0};
    for (unsigned i = 0; i < count; i++) {
        before = kl_sim_disk_operations(r.disk);
        was = r.f;
        do_step(&r, steps[i], syncs >> i & 1);
    }
    for (unsigned i = 0; i < REQUESTS; i++)
        if (r.f.asked >> i & 1 || guard_judge(r.guard, &request[i]) != KL_RULE_NONE)
            no_trace(&r, i);
    u64 after = kl_sim_disk_operations(r.disk);
    for (u64 at = before; at <= after; at++) {
        facts f = {.asked = r.f.asked, .held = at == after ? r.f.held : was.held};
        for (unsigned how = KL_CUT_DROP; how <= KL_CUT_RANDOM + 1u; how++) {
            struct kl_sim_disk *cut;
            CHECK_OK(kl_sim_disk_cut(r.disk, at, (kl_power_cut)KL_MIN(how, (unsigned)KL_CUT_RANDOM),
                                     kl_rand(seed), &cut));
            opened += check_disk(cut, f, seed);
            kl_sim_disk_free(cut);
        }
    }
    kl_guard_close(r.guard);
    kl_sim_disk_free(r.disk);
    return opened;
}

/* A frame of the enumeration: the next request to try at this depth. */
KL_TEST(guard_never_allows_a_conflicting_pair_whatever_is_asked_and_wherever_it_is_cut)
{
    unsigned steps[STEPS_MAX + 1] = {0}, depth = 0;
    u64 sequences = 0, opened = 0, deepest = 0;
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
            allowed &= steps[i] != steps[depth] && !conflict(steps[i], steps[depth]);
        if (!allowed) {
            steps[depth]++;
            continue;
        }
        CHECK(depth < STEPS_MAX); /* four at most */
        sequences++;
        deepest = KL_MAX(deepest, depth + 1);
        for (unsigned syncs = 0; syncs < 2u << depth; syncs++)
            opened += play(steps, depth + 1, syncs, seed);
        depth++;
        steps[depth] = 0;
    }
    CHECK_U64(deepest, STEPS_MAX);
    CHECK_U64(sequences, 10 + 74 + 360 + 864);
    CHECK(opened > 100000);
}

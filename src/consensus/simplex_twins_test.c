/* Twins: two honest machines with one key, and a script of who leads and who hears whom.
 *
 * A case is a list of rounds; round r says who leads view r and divides the machines into sides.
 * What is said in view r (or by a machine that is there) reaches the same side only, until who says
 * it has been there for a while: a round without a quorum ends, and the next one begins.  Behind
 * the script everybody hears everybody.  Equivocation, amnesia and double votes come out of correct
 * code.  [Twins, OPODIS 2021]
 *
 * Cases are numbered through.  Of those that differ only by names of honest machines, of twins, or
 * of sides, the least stands for all.  A run takes numbers spread evenly over all. */
#include "base/test.h"
#include "consensus/simplex_sim_test.h"

#include <stdio.h>
#include <stdlib.h>

enum { ROUNDS_MAX = 5, MACHINES_MAX = 16 };

typedef struct twins_round {
    u8 leader;
    u8 side[MACHINES_MAX];
} twins_round;

/* A family of cases. */
typedef struct twins_family {
    u32 validators, rounds, sides, share; /* of 100 cases */
} twins_family;

static const twins_family families[] = {
    {4, 4, 2, 40}, {4, 5, 2, 20}, {4, 4, 3, 10}, {5, 4, 2, 15}, {7, 4, 2, 15},
};

static struct sim sim;
static twins_round script[ROUNDS_MAX];
static u32 script_rounds;

/* Validators 0 to faulty - 1 are twins; the second machine of each stands behind the others. */
static u32 machines(const twins_family *f)
{
    return f->validators + sim_faulty_max(f->validators);
}

static u64 round_count(const twins_family *f)
{
    u64 count = f->validators;
    for (u32 i = 1; i < machines(f); i++)
        count *= f->sides;
    return count;
}

/* The round of a number; the first machine is on side 0. */
static twins_round round_of(const twins_family *f, u64 number)
{
    twins_round r = {.leader = (u8)(number % f->validators)};
    number /= f->validators;
    for (u32 i = machines(f); i-- > 1; number /= f->sides)
        r.side[i] = (u8)(number % f->sides);
    return r;
}

static void read_case(const twins_family *f, u128 number)
{
    u64 base = round_count(f);
    script_rounds = f->rounds;
    memset(script, 0, sizeof script);
    for (u32 i = f->rounds; i-- > 0; number /= base)
        script[i] = round_of(f, (u64)(number % base));
}

/* --- one case for all that differ by names --- */

/* machine_of: by the name, who bears it.  Sides are named in the order in which they are met. */
static twins_round renamed(const twins_family *f, const twins_round *r, const u8 *machine_of)
{
    twins_round out = {0};
    u8 names[MACHINES_MAX], used = 0;
    memset(names, 0xff, sizeof names);
    for (u32 i = 0; i < machines(f); i++) {
        u8 *name = &names[r->side[machine_of[i]]];
        if (*name == 0xff)
            *name = used++;
        out.side[i] = *name;
        bool leads = machine_of[i] % f->validators == r->leader;
        if (i < f->validators && leads)
            out.leader = (u8)i;
    }
    return out;
}

static bool next_permutation(u8 *list, u32 count)
{
    u32 i = count, k = count;
    while (i > 1 && list[i - 2] > list[i - 1])
        i--;
    if (i <= 1)
        return false;
    u8 *head = &list[i - 2];
    while (list[--k] < *head)
        ;
    u8 t = *head;
    *head = list[k];
    list[k] = t;
    for (u32 from = i - 1, end = count - 1; from < end; from++, end--) {
        t = list[from];
        list[from] = list[end];
        list[end] = t;
    }
    return true;
}

/* The case under the names that make it least: twins are exchanged with each other, pairs of twins
 * with pairs, and honest ones. */
static void make_least(const twins_family *f)
{
    u32 faulty = sim_faulty_max(f->validators), n = f->validators;
    u8 pairs[MACHINES_MAX], honest[MACHINES_MAX], machine_of[MACHINES_MAX];
    twins_round least[ROUNDS_MAX], other[ROUNDS_MAX] = {0};
    memcpy(least, script, sizeof least);
    for (u32 i = 0; i < faulty; i++)
        pairs[i] = (u8)i;
    do {
        for (u32 i = 0; i < n - faulty; i++)
            honest[i] = (u8)(faulty + i);
        do {
            memcpy(machine_of + faulty, honest, n - faulty);
            for (u32 swaps = 0; swaps < 1u << faulty; swaps++) {
                for (u32 i = 0; i < faulty; i++) {
                    bool swapped = swaps >> i & 1;
                    machine_of[i] = (u8)(pairs[i] + (swapped ? n : 0));
                    machine_of[n + i] = (u8)(pairs[i] + (swapped ? 0 : n));
                }
                for (u32 i = 0; i < f->rounds; i++)
                    other[i] = renamed(f, &script[i], machine_of);
                if (memcmp(other, least, sizeof least) < 0)
                    memcpy(least, other, sizeof least);
            }
        } while (next_permutation(honest, n - faulty));
    } while (next_permutation(pairs, faulty));
    memcpy(script, least, sizeof script);
}

/* --- a run --- */

#define ROUND_NS (4000 * SIM_MS)

static bool passes(const struct sim *in, const sim_item *item, u32 from, u32 to)
{
    const struct kl_simplex *speaker = in->nodes[from].engine;
    if (!item->view || item->view > script_rounds || in->now_ns > speaker->entered_ns + ROUND_NS)
        return true;
    const u8 *side = script[item->view - 1].side;
    return side[from] == side[to];
}

static void tell_case(const twins_family *f)
{
    for (u32 i = 0; i < f->rounds; i++) {
        printf("  view %u: %u leads, sides", i + 1, script[i].leader);
        for (u32 k = 0; k < machines(f); k++)
            printf(" %u", script[i].side[k]);
        printf("\n");
    }
}

typedef struct twins_sum {
    u64 cases, through, finals, nullified, both, evidence, hurried;
} twins_sum;

static bool is_through(void)
{
    bool through = true;
    for (u32 i = 0; i < sim.count; i++)
        through = through && sim.nodes[i].engine->view > script_rounds;
    return through;
}

/* Patience has grown in the script, and whom one half takes for dead the other half may wait for:
 * one view of that takes up to ten seconds. */
#define HEAL_NS (40000 * SIM_MS)

static bool goes_on(u64 height)
{
    bool all = true;
    for (u32 i = 0; i < sim.count; i++)
        all = all && (!sim_is_honest(&sim.nodes[i]) || sim.nodes[i].height >= height + 5);
    return all;
}

/* False when an assertion breaks; it is in sim.broken. */
static bool run_case(const twins_family *f, u64 number, u32 mutants, twins_sum *sum)
{
    u8 leaders[ROUNDS_MAX];
    for (u32 i = 0; i < f->rounds; i++)
        leaders[i] = script[i].leader;
    sim_leaders = leaders;
    sim_leader_count = f->rounds;
    sim_options o = {.seed = number,
                     .validators = f->validators,
                     .faulty = sim_faulty_max(f->validators),
                     .kind = SIM_TWIN,
                     .mutants = mutants,
                     .gst_ns = 60000 * SIM_MS,
                     .end_ns = 200000 * SIM_MS,
                     .delay_ns = 20 * SIM_MS,
                     .epoch_blocks = 1000,
                     .window = 16};
    sim_begin(&sim, &o);
    sim.passes = passes;
    u64 at_ns = 0;
    while (!is_through() && !sim.broken[0] && at_ns < o.gst_ns)
        sim_until(&sim, at_ns += 500 * SIM_MS);
    sum->cases++;
    sum->through += is_through();
    sum->finals += sim.height > 0;
    sum->nullified += sim.sometimes[SOMETIMES_NULLIFIED] != 0;
    sum->both += sim.sometimes[SOMETIMES_BOTH] != 0;
    sum->evidence += sim.sometimes[SOMETIMES_EVIDENCE] != 0;
    sum->hurried += sim.sometimes[SOMETIMES_HURRIED] != 0;
    sim.passes = NULL;
    u64 height = sim.height;
    u64 heal_ns = at_ns;
    while (!goes_on(height) && !sim.broken[0] && at_ns < heal_ns + HEAL_NS)
        sim_until(&sim, at_ns += 500 * SIM_MS);
    if (!goes_on(height))
        sim_break(&sim, "liveness: no five blocks behind height %llu", (unsigned long long)height);
    sim_done(&sim);
    sim_leaders = NULL;
    return !sim.broken[0];
}

/* Cases that were met. */
typedef struct twins_seen {
    twins_round (*list)[ROUNDS_MAX];
    bool *has;
    u64 mask;
} twins_seen;

static bool is_new(twins_seen *seen)
{
    u64 hash = 0;
    for (usize i = 0; i < sizeof script; i++)
        hash = (hash ^ ((const u8 *)script)[i]) * 0x100000001b3u;
    u64 at = (hash ^ hash >> 32) & seen->mask;
    while (seen->has[at] && memcmp(seen->list[at], script, sizeof script) != 0)
        at = (at + 1) & seen->mask;
    if (seen->has[at])
        return false;
    seen->has[at] = true;
    memcpy(seen->list[at], script, sizeof script);
    return true;
}

/* So many different cases of a family, from numbers that the golden section spreads; false at the
 * first that breaks an assertion. */
static bool run_family(const twins_family *f, u64 share, u32 mutants, twins_sum *sum)
{
    u128 all = 1, number = 0;
    for (u32 k = 0; k < f->rounds; k++)
        all *= round_count(f);
    u128 step = (u128)((double)all * 0.6180339887498949) | 1;
    twins_seen seen = {.mask = 1};
    while (seen.mask < 4 * share)
        seen.mask = 2 * seen.mask + 1;
    seen.list = calloc(seen.mask + 1, sizeof *seen.list);
    seen.has = calloc(seen.mask + 1, 1);
    KL_ASSERT(seen.list && seen.has);
    bool holds = true;
    u64 cases = 0, met = 0;
    for (; cases < share && met < 2 * share && holds; met++, number = (number + step) % all) {
        read_case(f, number);
        make_least(f);
        if (is_new(&seen)) {
            cases++;
            holds = run_case(f, (u64)number, mutants, sum);
        }
    }
    free(seen.list);
    free(seen.has);
    if (!mutants)
        printf("twins, n = %u, %u rounds of %u sides: %llu cases of %llu numbers\n", f->validators,
               f->rounds, f->sides, (unsigned long long)cases, (unsigned long long)met);
    return holds;
}

/* KEEL_TWINS: how many cases; KEEL_TWIN and KEEL_TWIN_FAMILY: one again. */
KL_TEST(simplex_twins)
{
    const char *one = getenv("KEEL_TWIN"), *family = getenv("KEEL_TWIN_FAMILY");
    if (one) {
        const twins_family *f = &families[family ? strtoul(family, NULL, 0) : 0];
        twins_sum ignored = {0};
        u64 case_number = strtoull(one, NULL, 0);
        read_case(f, case_number);
        make_least(f);
        tell_case(f);
        if (!run_case(f, case_number, 0, &ignored))
            kl_test_fail(__FILE__, __LINE__, "%s", sim.broken);
        return;
    }
    const char *text = getenv("KEEL_TWINS");
    u64 wanted = text ? strtoull(text, NULL, 0) : 2000;
    twins_sum sum = {0};
    for (usize i = 0; i < KL_COUNT_OF(families); i++)
        if (!run_family(&families[i], wanted * families[i].share / 100, 0, &sum)) {
            tell_case(&families[i]);
            kl_test_fail(__FILE__, __LINE__, "%s: KEEL_TWIN=%llu KEEL_TWIN_FAMILY=%zu", sim.broken,
                         (unsigned long long)sim.o.seed, i);
        }
    printf(
        "twins: %llu cases, %llu of them through the script, in which blocks were final in %llu, "
        "a view nullified in %llu, a notarized one in %llu, evidence found in %llu, a leader's "
        "vote "
        "hurried in %llu\n",
        (unsigned long long)sum.cases, (unsigned long long)sum.through,
        (unsigned long long)sum.finals, (unsigned long long)sum.nullified,
        (unsigned long long)sum.both, (unsigned long long)sum.evidence,
        (unsigned long long)sum.hurried);
    CHECK(sum.cases >= wanted * 99 / 100 && sum.through == sum.cases);
    CHECK(sum.finals && sum.nullified && sum.evidence && sum.hurried);
}

KL_TEST(simplex_twins_catch_bugs)
{
    static const u32 bugs[] = {KL_MUTANT_SMALL_QUORUM, KL_MUTANT_FINALIZE_AFTER_NULLIFY,
                               KL_MUTANT_NULLIFY_AFTER_FINALIZE, KL_MUTANT_SIGNER_TWICE};
    for (usize i = 0; i < KL_COUNT_OF(bugs); i++) {
        twins_sum sum = {0};
        bool lives = run_family(&families[0], 200, bugs[i], &sum);
        printf("twins with bug %x: case %llu: %s\n", bugs[i], (unsigned long long)sum.cases,
               lives ? "lives" : sim.broken);
        CHECK(!lives);
    }
}

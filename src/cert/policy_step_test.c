#include "base/test.h"
#include "cert/policy.h"

/* Two sets over few names, keys and weights, so that they meet in every way: the same operators
 * with other keys, keys that change hands, rings of keys. */
struct pair {
    kl_validator current[KL_VALIDATORS_MAX], wanted[KL_VALIDATORS_MAX];
    kl_valset from, to;
};

static struct pair pair;
static struct kl_arena arena;

static void shuffle(u8 *order, u32 count, u64 *seed)
{
    for (u32 i = 0; i < count; i++)
        order[i] = (u8)i;
    for (u32 i = 0; i + 1 < count; i++) {
        u32 j = i + (u32)kl_rand_below(seed, count - i);
        u8 was = order[i];
        order[i] = order[j];
        order[j] = was;
    }
}

static void random_set(kl_valset *set, kl_validator *room, u32 names, u64 max_weight, u64 *seed)
{
    u8 operators[KL_VALIDATORS_MAX], keys[KL_VALIDATORS_MAX];
    u32 count = 1 + (u32)kl_rand_below(seed, names);
    shuffle(operators, names, seed);
    shuffle(keys, names, seed);
    for (u32 i = 0; i < count; i++) {
        room[i] = (kl_validator){.weight = 1 + kl_rand_below(seed, max_weight)};
        room[i].operator.b[3] = operators[i];
        room[i].key[5] = keys[i];
        room[i].randao_key[7] = (u8)kl_rand_below(seed, 2);
    }
    const kl_vote_scheme *scheme = kl_vote_scheme_of(KL_SCHEME_KEYED_HASH, true);
    while (kl_valset_init(set, scheme, room, count) != KL_RULE_NONE)
        for (u32 i = 0; i < count; i++)
            room[i].weight = 1 + room[i].weight / 2;
}

static const kl_validator *find(const kl_valset *set, const kl_address *operator)
{
    for (u32 i = 0; i < set->count; i++)
        if (kl_address_eq(&set->validators[i].operator, operator))
            return &set->validators[i];
    return NULL;
}

static bool same(const kl_validator *a, const kl_validator *b)
{
    return memcmp(a->key, b->key, sizeof a->key) == 0 &&
           memcmp(a->randao_key, b->randao_key, sizeof a->randao_key) == 0;
}

/* What differs between two sets: of how many validators, and what it weighs. */
static u32 difference(const kl_valset *a, const kl_valset *b, u64 *weight)
{
    u32 count = 0;
    *weight = 0;
    for (u32 i = 0; i < a->count; i++) {
        const kl_validator *x = &a->validators[i], *y = find(b, &x->operator);
        if (y && same(x, y) && x->weight == y->weight)
            continue;
        count++;
        if (y && same(x, y))
            *weight += x->weight > y->weight ? x->weight - y->weight : y->weight - x->weight;
        else
            *weight += y ? KL_MAX(x->weight, y->weight) : x->weight;
    }
    for (u32 i = 0; i < b->count; i++) {
        if (find(a, &b->validators[i].operator))
            continue;
        count++;
        *weight += b->validators[i].weight;
    }
    return count;
}

/* One validator gives its place to another: the only one of a set. */
static bool is_handover(const kl_valset *a, const kl_valset *b)
{
    return a->count == 1 && b->count == 1;
}

static u32 walk(void)
{
    kl_valset at = pair.from, next, again;
    for (u32 steps = 0;; steps++) {
        u64 weight;
        CHECK_OK(kl_policy_step(&next, &at, &pair.to, &arena));
        CHECK_OK(kl_policy_step(&again, &at, &pair.to, &arena));
        CHECK(kl_hash_eq(&next.hash, &again.hash));
        u32 changes = difference(&at, &next, &weight);
        CHECK(next.count > 0);
        CHECK(changes <= 1 || weight <= kl_valset_faulty(&at) || is_handover(&at, &next));
        if (changes == 0) {
            CHECK(kl_hash_eq(&next.hash, &pair.to.hash));
            return steps;
        }
        /* each one changes at most twice: it goes to free a key, and comes */
        CHECK(steps <= 2 * (pair.from.count + pair.to.count));
        at = next;
    }
}

/* Property: for any two sets, within the bound, never empty, the same every time, and at the end
 * what is wanted, in its order. */
KL_TEST(policy_step_reaches_what_is_wanted_within_the_bound)
{
    u32 longest = 0;
    kl_arena_init(&arena, 64 << 20);
    for (unsigned i = 0; i < 4000; i++) {
        u32 names = 1 + (u32)kl_rand_below(seed, i % 16 ? 9 : 40);
        u64 max_weight = (u64)1 << kl_rand_below(seed, 33);
        random_set(&pair.from, pair.current, names, i % 3 ? max_weight : 1, seed);
        random_set(&pair.to, pair.wanted, names, i % 3 ? max_weight : 1, seed);
        longest = KL_MAX(longest, walk());
        kl_arena_reset(&arena, SIZE_MAX);
    }
    CHECK(longest > 10);
    kl_arena_done(&arena);
}

/* The number of validators is bounded on the way too: 256 others take the place of 256. */
KL_TEST(policy_step_replaces_a_full_set)
{
    const kl_vote_scheme *scheme = kl_vote_scheme_of(KL_SCHEME_KEYED_HASH, true);
    kl_arena_init(&arena, 64 << 20);
    for (u32 i = 0; i < KL_VALIDATORS_MAX; i++) {
        pair.current[i] = (kl_validator){.weight = 1, .key = {(u8)i, 1}};
        pair.wanted[i] = (kl_validator){.weight = KL_WEIGHT_MAX >> 8, .key = {(u8)i, 2}};
        pair.current[i].operator.b[0] = pair.wanted[i].operator.b[0] =(u8) i;
        pair.wanted[i].operator.b[1] = 1;
    }
    CHECK_RULE(kl_valset_init(&pair.from, scheme, pair.current, KL_VALIDATORS_MAX), KL_RULE_NONE);
    CHECK_RULE(kl_valset_init(&pair.to, scheme, pair.wanted, KL_VALIDATORS_MAX), KL_RULE_NONE);
    (void)walk();
    kl_arena_done(&arena);
}

/* One goes, another weighs too much to go in the same step, and of two who come there is room for
 * one. */
KL_TEST(policy_step_leaves_no_set_too_large)
{
    const kl_vote_scheme *scheme = kl_vote_scheme_of(KL_SCHEME_KEYED_HASH, true);
    kl_valset next;
    kl_arena_init(&arena, 64 << 20);
    for (u32 i = 0; i < KL_VALIDATORS_MAX; i++) {
        pair.current[i] = (kl_validator){.weight = i == 7 ? 1000 : 1, .key = {(u8)i, 1}};
        pair.current[i].operator.b[0] =(u8) i;
        pair.wanted[i] = pair.current[i];
        pair.wanted[i].weight = 1;
        pair.wanted[i].operator.b[1] = pair.wanted[i].key[2] = i >= 6 && i<8;
    }
    CHECK_RULE(kl_valset_init(&pair.from, scheme, pair.current, KL_VALIDATORS_MAX), KL_RULE_NONE);
    CHECK_RULE(kl_valset_init(&pair.to, scheme, pair.wanted, KL_VALIDATORS_MAX), KL_RULE_NONE);
    CHECK_OK(kl_policy_step(&next, &pair.from, &pair.to, &arena));
    CHECK_U64(next.count, KL_VALIDATORS_MAX);
    CHECK(find(&next, &pair.wanted[6].operator) && !find(&next, &pair.wanted[7].operator));
    CHECK_U64(walk(), 3); /* the heavy one goes alone */
    kl_arena_done(&arena);
}

static u64 weight_of(char letter)
{
    return letter == 'M' ? KL_WEIGHT_MAX : letter == 'L' ? KL_WEIGHT_MAX - 1 : (u64)(letter - '0');
}

static void set_of(kl_valset *out, kl_validator *room, const char *text)
{
    u32 n = 0;
    for (; *text; text += 3) { /* "Ak1 " is a validator A with key k and weight 1 */
        room[n] = (kl_validator){.weight = weight_of(text[2])};
        room[n].operator.b[0] =(u8) text[0];
        room[n++].key[0] = (u8)text[1];
    }
    CHECK_RULE(kl_valset_init(out, kl_vote_scheme_of(KL_SCHEME_KEYED_HASH, true), room, n),
               KL_RULE_NONE);
}

/* By hand: each row is a set, what is wanted, and each step's set on the way there.  Three letters
 * are a validator: operator, key, weight. */
KL_TEST(policy_step_by_hand)
{
    static const char *const rows[][6] = {
        /* alone: who comes before who goes */
        {"Aa1", "Bb1", "Bb1Aa1", "Bb1"},
        /* no room beside it: its place is taken */
        {"AaM", "BbM", "BbM"},
        {"Aa1", "Ba1", "Ba1"},
        /* whoever goes makes room */
        {"AaLBb1", "AaLCc1", "AaLCc1"},
        /* four of equal weight, F = 1: one a step; who goes before who comes */
        {"Aa1Bb1Cc1Dd1", "Ee1Bb1Cc1Dd1", "Bb1Cc1Dd1", "Ee1Bb1Cc1Dd1"},
        /* seven, F = 2: two a step */
        {"Aa1Bb1Cc1Dd1Ee1Ff1Gg1", "Bb1Cc1Dd1Ee1Ff1Gg1Hh1", "Bb1Cc1Dd1Ee1Ff1Gg1Hh1"},
        /* a heavy one goes alone, whatever it weighs */
        {"Aa9Bb1Cc1Dd1", "Bb1Cc1", "Bb1Cc1Dd1", "Bb1Cc1"},
        /* another key, another weight: each weighs what it moves */
        {"Aa1Bb1Cc1Dd1", "Ax1Bb2Cc1Dd1", "Ax1Bb1Cc1Dd1", "Ax1Bb2Cc1Dd1"},
        {"Aa4Bb4Cc4Dd4", "Aa2Bb6Cc4Dd5", "Aa2Bb6Cc4Dd5"},
        /* keys in a ring: one goes and comes back */
        {"Aa1Bb1", "Ab1Ba1", "Bb1", "Ba1", "Ab1Ba1"},
        /* another order is no change */
        {"Aa1Bb1", "Bb1Aa1", "Bb1Aa1"},
    };
    kl_arena_init(&arena, 64 << 20);
    for (usize i = 0; i < KL_COUNT_OF(rows); i++) {
        kl_validator room[8];
        kl_valset at, want;
        set_of(&pair.from, pair.current, rows[i][0]);
        set_of(&pair.to, pair.wanted, rows[i][1]);
        at = pair.from;
        for (usize j = 2; j < 6 && rows[i][j]; j++) {
            CHECK_OK(kl_policy_step(&at, &at, &pair.to, &arena));
            set_of(&want, room, rows[i][j]);
            CHECK(kl_hash_eq(&at.hash, &want.hash));
        }
        CHECK(kl_hash_eq(&at.hash, &pair.to.hash));
    }
    kl_arena_done(&arena);
}

KL_TEST(policy_step_without_memory_changes_nothing)
{
    random_set(&pair.from, pair.current, 4, 3, seed);
    random_set(&pair.to, pair.wanted, 4, 3, seed);
    kl_valset out = {.count = 77};
    kl_arena_init(&arena, 100);
    CHECK_U64(kl_policy_step(&out, &pair.from, &pair.to, &arena), KL_NOMEM);
    CHECK_U64(out.count, 77);
    kl_arena_done(&arena);
}

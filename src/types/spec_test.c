#include "types/spec.h"

#include "base/test.h"

KL_TEST(fork_names_are_found_in_any_spelling)
{
    static const struct {
        const char *name;
        kl_fork fork;
    } cases[] = {
        {"osaka", KL_OSAKA},
        {"OSAKA", KL_OSAKA},
        {"Merge", KL_PARIS},
        {"spuriousdragon", KL_SPURIOUS},
        {"EIP158", KL_SPURIOUS},
        {"TangerineWhistle", KL_TANGERINE},
        {"EIP150", KL_TANGERINE},
        {"ConstantinopleFix", KL_PETERSBURG},
        {"Petersburg", KL_PETERSBURG},
        {"MuirGlacier", KL_MUIR_GLACIER},
        {"bpo2", KL_BPO2},
        {"Frontier", KL_FRONTIER},
    };
    for (usize i = 0; i < KL_COUNT_OF(cases); i++) {
        kl_fork fork;
        CHECK(kl_fork_from_name(&fork, kl_span_str(cases[i].name)));
        CHECK_U64(fork, cases[i].fork);
    }
    kl_fork fork = KL_LONDON;
    CHECK(!kl_fork_from_name(&fork, KL_SPAN_TEXT("Osak")));
    CHECK(!kl_fork_from_name(&fork, KL_SPAN_TEXT("Osakaa")));
    CHECK(!kl_fork_from_name(&fork, KL_SPAN_NONE));
    CHECK_U64(fork, KL_LONDON);
    for (usize i = 0; i < KL_FORK_COUNT; i++) {
        CHECK(kl_fork_from_name(&fork, kl_span_str(kl_fork_name((kl_fork)i))));
        CHECK_U64(fork, i);
    }
    CHECK_SPAN(kl_span_str(kl_fork_config_key(KL_CANCUN)), KL_SPAN_TEXT("cancunTime"));
}

/* Property: a spec made for a fork gives that fork to every block. */
KL_TEST(spec_for_a_fork_has_it_from_the_first_block)
{
    for (usize i = 0; i < KL_FORK_COUNT; i++) {
        kl_spec spec;
        kl_spec_init(&spec, (kl_fork)i);
        CHECK_U64(kl_spec_fork(&spec, 0, 0), i);
        CHECK_U64(kl_spec_fork(&spec, kl_rand(seed), kl_rand(seed)), i);
        CHECK(kl_u256_is_zero(spec.terminal_total_difficulty) == (i >= KL_PARIS));
    }
}

/* Property: with rising activations the fork is the last one reached, forks that never come are
 * passed over, and none holds before one that is to come earlier. */
KL_TEST(spec_forks_agree_with_a_plain_search)
{
    for (int round = 0; round < 2000; round++) {
        kl_spec spec;
        kl_spec_init(&spec, KL_FRONTIER);
        u64 block = 0, time = 0;
        for (usize i = 1; i < KL_FORK_COUNT; i++) {
            if (kl_rand_below(seed, 4) == 0)
                continue;
            bool by_time = i >= KL_SHANGHAI;
            u64 *at = by_time ? &time : &block;
            *at += kl_rand_below(seed, 3);
            spec.fork[i] = (kl_activation){by_time ? KL_AT_TIME : KL_AT_BLOCK, *at};
        }
        u64 number = kl_rand_below(seed, block + 2), now = kl_rand_below(seed, time + 2);
        usize want = 0;
        for (usize i = 1; i < KL_FORK_COUNT; i++) {
            bool all = spec.fork[i].by != KL_AT_NEVER;
            for (usize k = 1; k <= i; k++)
                if (spec.fork[k].by != KL_AT_NEVER)
                    all &= spec.fork[k].at <= (spec.fork[k].by == KL_AT_TIME ? now : number);
            want = all ? i : want;
        }
        CHECK_U64(kl_spec_fork(&spec, number, now), want);
    }
}

KL_TEST(spec_blob_schedules_are_mainnets_and_inherited)
{
    kl_spec spec;
    kl_spec_init(&spec, KL_FORK_NEWEST);
    static const struct {
        kl_fork fork;
        u32 target, max;
        u64 fraction;
    } cases[] = {
        {KL_SHANGHAI, 0, 0, 0},      {KL_CANCUN, 3, 6, 3338477}, {KL_PRAGUE, 6, 9, 5007716},
        {KL_OSAKA, 6, 9, 5007716},   {KL_BPO1, 10, 15, 8346193}, {KL_BPO2, 14, 21, 11684671},
        {KL_BPO5, 14, 21, 11684671},
    };
    for (usize i = 0; i < KL_COUNT_OF(cases); i++) {
        kl_blob_schedule got = kl_spec_blobs(&spec, cases[i].fork);
        CHECK(got.target == cases[i].target && got.max == cases[i].max);
        CHECK_U64(got.update_fraction, cases[i].fraction);
    }
    spec.blobs[KL_OSAKA] = (kl_blob_schedule){0, 1, 7};
    CHECK_U64(kl_spec_blobs(&spec, KL_OSAKA).update_fraction, 7);
    CHECK_U64(kl_spec_blobs(&spec, KL_PRAGUE).max, 9);
    memset(spec.blobs, 0, sizeof spec.blobs);
    CHECK_U64(kl_spec_blobs(&spec, KL_BPO2).max, 0);
}

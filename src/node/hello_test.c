#include "node/hello.h"

#include "base/test.h"
#include "node/herald.h"
#include "p2p/swarm.h"

static kl_spec spec_with(kl_fork last, u64 at)
{
    kl_spec spec;
    kl_spec_init(&spec, last);
    spec.fork[last] = (kl_activation){KL_AT_TIME, at};
    return spec;
}

static kl_rule say(const kl_fork_place *to, const kl_fork_place *from)
{
    struct kl_buf hello;
    kl_buf_init(&hello, 1 << 10);
    kl_hello_put(&hello, from, KL_SPAN_NONE);
    kl_rule broken = kl_hello_judge(to, kl_buf_view(&hello));
    kl_buf_done(&hello);
    return broken;
}

KL_TEST(hello_takes_who_is_behind_or_ahead_on_the_same_chain)
{
    kl_hash genesis, other;
    kl_rand_fill(seed, genesis.b, sizeof genesis.b);
    kl_rand_fill(seed, other.b, sizeof other.b);
    kl_spec early = spec_with(KL_PRAGUE, 1000), late = spec_with(KL_PRAGUE, 2000);
    const kl_fork_place before = {&early, &genesis, 10, 7, 999},
                        behind = {&early, &genesis, 10, 8, 1000},
                        elsewhere = {&early, &other, 10, 7, 999},
                        missed = {&late, &genesis, 10, 8, 1001},
                        later = {&late, &genesis, 10, 9, 2000};
    CHECK_RULE(say(&before, &before), KL_RULE_NONE);
    CHECK_RULE(say(&before, &behind), KL_RULE_NONE);
    CHECK_RULE(say(&behind, &before), KL_RULE_NONE);
    CHECK_RULE(say(&before, &elsewhere), KL_RULE_SWARM_NETWORK);
    CHECK_RULE(say(&behind, &missed), KL_RULE_SWARM_FORK);
    CHECK_RULE(say(&behind, &later), KL_RULE_SWARM_FORK);
    CHECK_RULE(say(&later, &behind), KL_RULE_SWARM_FORK);
}

KL_TEST(hello_brings_an_announcement_or_none)
{
    kl_hash genesis;
    u8 pass[KL_HERALD_MAX];
    struct kl_buf hello;
    kl_rand_fill(seed, genesis.b, sizeof genesis.b);
    kl_rand_fill(seed, pass, sizeof pass);
    kl_spec spec = spec_with(KL_PRAGUE, 1000);
    const kl_fork_place place = {&spec, &genesis, 10, 7, 999};
    static const usize lens[] = {0, 1, 100, KL_HERALD_MAX};
    for (usize i = 0; i < KL_COUNT_OF(lens); i++) {
        kl_buf_init(&hello, KL_SWARM_HELLO_MAX);
        kl_hello_put(&hello, &place, kl_span_of(pass, lens[i]));
        CHECK(!hello.failed);
        CHECK_RULE(kl_hello_judge(&place, kl_buf_view(&hello)), KL_RULE_NONE);
        CHECK(kl_span_eq(kl_hello_pass(kl_buf_view(&hello)), kl_span_of(pass, lens[i])));
        kl_buf_done(&hello);
    }
}

KL_TEST(hello_is_judged_whatever_it_is)
{
    kl_hash genesis = {{0}};
    kl_spec spec = spec_with(KL_PRAGUE, 1000);
    const kl_fork_place place = {&spec, &genesis, 10, 7, 999};
    u8 bytes[64];
    for (int i = 0; i < 2000; i++) {
        kl_rand_fill(seed, bytes, sizeof bytes);
        kl_span hello = kl_span_of(bytes, kl_rand_below(seed, sizeof bytes));
        CHECK(kl_hello_judge(&place, hello) != KL_RULE_NONE);
    }
}

#include "node/refusals.h"

#include "base/test.h"

#define SECOND UINT64_C(1000000000)

static kl_replica_refusal refusal_of(kl_rule why)
{
    return (kl_replica_refusal){
        .why = why, .number = 12, .view = 31, .has_leader = true, .leader = {{0xab, 0xcd}}};
}

static kl_refusals refusals;
static struct kl_buf out;

static const char *printed(bool json)
{
    kl_buf_clear(&out);
    kl_refusals_print(&refusals, &out, json);
    kl_buf_bytes(&out, "", 1);
    return (const char *)out.p;
}

KL_TEST(refusals_say_of_whom_which_block_and_why)
{
    kl_buf_init(&out, 1 << 16);
    memset(&refusals, 0, sizeof refusals);
    kl_replica_refusal f = refusal_of(KL_RULE_CONSENSUS_TIME);
    CHECK(kl_refusals_add(&refusals, &f, 1));
    CHECK(strcmp(printed(false),
                 "    Block 12 of view 31, of 0xabcd000000000000000000000000000000000000, refused: "
                 "consensus header: time is not above the parent's (CONSENSUS_TIME)\n\n") == 0);
    CHECK(strcmp(printed(false), "") == 0);
    f = refusal_of(KL_RULE_CONSENSUS_EARLY);
    f.has_leader = false;
    CHECK(kl_refusals_add(&refusals, &f, 1));
    CHECK(strcmp(printed(true),
                 "{\"event\":\"blockRefused\",\"number\":12,\"view\":31,\"leader\":null,\"rule\":"
                 "\"CONSENSUS_EARLY\",\"text\":\"consensus header: time is too far ahead of our "
                 "clock\",\"more\":0}\n") == 0);
    kl_buf_done(&out);
}

KL_TEST(refusals_of_one_rule_are_counted)
{
    kl_replica_refusal f = refusal_of(KL_RULE_CONSENSUS_TIME);
    usize lines = 0;
    kl_buf_init(&out, 1 << 16);
    memset(&refusals, 0, sizeof refusals);
    for (u64 i = 0; i < 4000; i++) { /* 100 a second */
        lines += kl_refusals_add(&refusals, &f, 77 + i * (SECOND / 100));
        if (i == 399)
            (void)printed(false);
    }
    CHECK_U64(lines, 10);
    CHECK(strstr(printed(false), "(CONSENSUS_TIME), and 399 more such\n"));
    /* Another rule has lines of its own; how many wait is bounded. */
    lines = 0;
    for (u32 rule = 1; rule < KL_RULE_COUNT; rule++) {
        f = refusal_of((kl_rule)rule);
        lines += kl_refusals_add(&refusals, &f, 100 * SECOND);
    }
    CHECK_U64(lines, KL_REFUSALS_WAITING_MAX);
    kl_buf_done(&out);
}

#include "node/drops.h"

#include "base/test.h"

#define SECOND UINT64_C(1000000000)

static kl_net_dropped drop_of(bool listed, kl_rule why, u64 at_ns)
{
    return (kl_net_dropped){
        .at_ns = at_ns, .has_id = listed, .listed = listed, .address = "127.0.0.1:1", .why = why};
}

static usize lines_of(const struct kl_buf *out)
{
    usize lines = 0;
    for (usize i = 0; i + 12 < out->len; i++)
        lines += memcmp(out->p + i, "Peer dropped", 12) == 0;
    return lines;
}

KL_TEST(drops_say_who_where_and_why)
{
    static kl_drops drops;
    struct kl_buf out;
    kl_buf_init(&out, 1 << 16);
    memset(&drops, 0, sizeof drops);
    kl_net_dropped d = drop_of(true, KL_RULE_YAMUX_WINDOW, 5);
    CHECK(kl_drops_add(&drops, &d));
    kl_drops_print(&drops, &out, false, 5);
    kl_buf_bytes(&out, "", 1);
    CHECK(strstr((char *)out.p, "Peer dropped: 12D3KooW"));
    CHECK(strstr((char *)out.p, " at 127.0.0.1:1: yamux: more than the window allows "
                                "(YAMUX_WINDOW)\n"));
    kl_buf_clear(&out);
    d = drop_of(false, KL_RULE_SWARM_STRANGER, 5);
    CHECK(kl_drops_add(&drops, &d));
    kl_drops_print(&drops, &out, true, 5);
    kl_buf_bytes(&out, "", 1);
    CHECK(strcmp((char *)out.p,
                 "{\"event\":\"peerDropped\",\"peer\":null,\"address\":\"127.0.0.1:1\",\"listed\":"
                 "false,\"rule\":\"SWARM_STRANGER\",\"text\":\"peer: not one of ours\","
                 "\"more\":0}\n") == 0);
    kl_buf_clear(&out);
    kl_drops_print(&drops, &out, true, 5);
    CHECK_U64(out.len, 0);
    kl_buf_done(&out);
}

KL_TEST(drops_of_a_flood_are_counted)
{
    static kl_drops drops;
    struct kl_buf out;
    kl_buf_init(&out, 1 << 16);
    memset(&drops, 0, sizeof drops);
    for (u64 i = 0; i < 100000; i++) { /* 100 seconds, a thousand a second */
        u64 at_ns = 77 + i * (SECOND / 1000);
        kl_net_dropped d = drop_of(false, KL_RULE_SWARM_STRANGER, at_ns);
        (void)!kl_drops_add(&drops, &d);
        kl_drops_print(&drops, &out, false, at_ns);
    }
    CHECK(lines_of(&out) >= KL_DROPS_AT_ONCE + 24 && lines_of(&out) <= KL_DROPS_AT_ONCE + 25);
    kl_buf_bytes(&out, "", 1);
    CHECK(strstr((char *)out.p, "and 3999 more such"));
    /* What is left out is told when its time comes, though nobody else comes. */
    kl_buf_clear(&out);
    kl_drops_print(&drops, &out, false, 99 * SECOND);
    CHECK_U64(out.len, 0);
    kl_drops_print(&drops, &out, false, 110 * SECOND);
    CHECK_U64(lines_of(&out), 1);
    kl_drops_print(&drops, &out, false, 300 * SECOND);
    CHECK_U64(lines_of(&out), 1);
    /* Another rule, and a peer in the list, have their own. */
    kl_net_dropped d = drop_of(true, KL_RULE_SWARM_STRANGER, 200 * SECOND);
    CHECK(kl_drops_add(&drops, &d));
    d = drop_of(false, KL_RULE_SWARM_FRAME, 200 * SECOND);
    CHECK(kl_drops_add(&drops, &d));
    kl_buf_done(&out);
}

KL_TEST(drops_that_nobody_prints_are_bounded)
{
    static kl_drops drops;
    usize lines = 0;
    memset(&drops, 0, sizeof drops);
    for (u32 rule = 1; rule < KL_RULE_COUNT; rule++) {
        kl_net_dropped d = drop_of(false, (kl_rule)rule, 1);
        lines += kl_drops_add(&drops, &d);
    }
    CHECK_U64(lines, KL_DROPS_WAITING_MAX);
}

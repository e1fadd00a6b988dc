#include "host/replica_rig_test.h"

static struct rig rig;

static kl_replica_why why_of(u32 node)
{
    kl_replica_why why;
    kl_replica_why_of(rig.nodes[node].replica, &why);
    return why;
}

static u32 count_of(const char *text, const char *part)
{
    u32 count = 0;
    for (const char *at = text; (at = strstr(at, part)) != NULL; at++)
        count++;
    return count;
}

KL_TEST(stall_an_idle_chain_and_one_that_moves_are_silent)
{
    rig_init(&rig, 4, 32, *seed);
    rig.empty_ms = 60000;
    rig_start(&rig);
    for (u32 i = 0; i < 5; i++) {
        rig_until(&rig, rig.now_ns + 20 * RIG_S);
        CHECK(why_of(0).consensus.why == KL_SIMPLEX_IDLE && !why_of(0).stalled_ns);
        CHECK(strcmp(why_of(0).text, "no transaction waits") == 0);
        CHECK_RULE(rig_submit(&rig, i % 4, 0), KL_RULE_NONE);
        CHECK(rig_reaches(&rig, rig.height + 1, 10 * RIG_S));
    }
    rig_crash(&rig, 2); /* three go on */
    for (u32 i = 0; i < 20; i++) {
        CHECK_RULE(rig_submit(&rig, 0, 0), KL_RULE_NONE);
        CHECK(rig_reaches(&rig, rig.height + 1, 10 * RIG_S));
    }
    for (u32 i = 0; i < 4; i++)
        CHECK_U64(rig.nodes[i].stalls, 0);
    rig_done(&rig);
}

KL_TEST(stall_without_a_quorum_it_says_whom_it_waits_for_and_when_it_is_over)
{
    rig_init(&rig, 4, 32, *seed);
    rig.policy = true;
    rig.scheme = kl_vote_scheme_of(KL_SCHEME_SECP256K1, true);
    rig.empty_ms = 3600000;
    rig_start(&rig);
    CHECK_RULE(rig_submit(&rig, 0, 0), KL_RULE_NONE);
    CHECK(rig_reaches(&rig, rig.height + 1, 10 * RIG_S));
    rig_crash(&rig, 1);
    rig_crash(&rig, 3);
    rig_until(&rig, rig.now_ns + 20 * RIG_S);
    CHECK_U64(rig.nodes[0].stalls, 0); /* nothing is wanted; whoever asks is told all the same */
    CHECK(strstr(why_of(0).text, "no transaction waits; connected are 2 of 4, and a block needs 3; "
                                 "not connected: 0x"));
    CHECK_U64(count_of(why_of(0).text, "0x"), 2);
    CHECK_RULE(rig_submit(&rig, 0, 0), KL_RULE_NONE);
    rig_until(&rig, rig.now_ns + 10 * RIG_S);
    for (u32 i = 0; i < 4; i += 2) {
        const char *line = rig.nodes[i].stall;
        CHECK_U64(rig.nodes[i].stalls, 1);
        CHECK(strstr(line, "No block for 5 s: votes to pass over the view are missing: "));
        CHECK(strstr(line, "need 3 of 4, have 2; silent for 2"));
        CHECK_U64(count_of(line, "0x"), 2);
        CHECK(!strstr(line, "heard, but"));
    }
    kl_replica_why why = why_of(0);
    CHECK(why.stalled_ns >= 9 * RIG_S && why.stalled_ns <= 11 * RIG_S);
    CHECK_U64(why.consensus.have, 2);
    u32 silent = 0;
    for (u32 i = 0; i < 4; i++)
        silent += why.silent_ns[i] > 25 * RIG_S;
    CHECK_U64(silent, 2);
    rig_until(&rig, rig.now_ns + 60 * RIG_S);
    CHECK_U64(rig.nodes[0].stalls, 3); /* at 5, 35 and 65 s */
    rig_open(&rig, 3);
    CHECK(rig_reaches(&rig, rig.height + 1, 10 * RIG_S));
    rig_until(&rig, rig.now_ns + 2 * RIG_S);
    CHECK_U64(rig.nodes[0].stalls, 4);
    CHECK(strstr(rig.nodes[0].stall, "Blocks are made again, after 7"));
    CHECK_U64(why_of(0).stalled_ns, 0);
    CHECK(strstr(why_of(0).text, "; connected are 3 of 4, and a block needs 3; not connected: 0x"));
    rig_done(&rig);
}

KL_TEST(stall_who_is_cut_off_says_that_everybody_is_silent)
{
    rig_init(&rig, 4, 32, *seed);
    rig_start(&rig);
    CHECK(rig_reaches(&rig, 3, 10 * RIG_S));
    rig.cut[0] = true;
    rig_until(&rig, rig.now_ns + 12 * RIG_S);
    CHECK_U64(rig.nodes[0].stalls, 1);
    CHECK(strstr(rig.nodes[0].stall, "need 3 of 4, have 1; silent for "));
    CHECK_U64(count_of(rig.nodes[0].stall, "0x"), 3);
    CHECK_U64(rig.nodes[1].stalls, 0);
    rig.cut[0] = false;
    CHECK(rig_reaches(&rig, rig.height + 1, 20 * RIG_S));
    rig_done(&rig);
}

KL_TEST(stall_an_observer_says_that_it_does_not_sign)
{
    rig_init(&rig, 1, 32, *seed);
    rig.restored[0] = true;
    rig_start(&rig);
    rig_until(&rig, rig.now_ns + 30 * RIG_S);
    CHECK(rig.nodes[0].stalls > 0);
    CHECK(strstr(rig.nodes[0].stall, "this node does not sign: its sign guard may be an old copy"));
    rig_done(&rig);
}

#include "host/replica_rig_test.h"

static struct rig rig;

static u64 votes_to_ward; /* from 4 to 0 */

/* Validator 0 speaks with 4 and 5 alone, validator 1 with 5 alone. */
static bool through_sentries(KL_UNUSED struct rig *r, u32 from, u32 to, kl_message_kind kind)
{
    votes_to_ward += from == 4 && to == 0 && kind == KL_MESSAGE_VOTE;
    u32 low = KL_MIN(from, to), high = KL_MAX(from, to);
    return low == 0 ? high >= 4 : low == 1 ? high == 5 : true;
}

static void begin(u64 seed, bool relays)
{
    rig_init(&rig, 6, 8, seed);
    rig.no_key[4] = rig.no_key[5] = true;
    rig.passes = through_sentries;
    rig.compact_bytes = 1;
    if (relays) {
        rig.wards[4] = 1;
        rig.wards[5] = 3;
    }
    rig_start(&rig);
}

static void check_nobody_is_blamed(void)
{
    for (u32 i = 0; i < rig.count; i++) {
        CHECK_U64(rig.nodes[i].penalties, 0);
        CHECK_U64(rig.nodes[i].found, 0);
        CHECK(!rig.nodes[i].up || rig.nodes[i].alarm[0] == '\0');
    }
}

/* Of four one is dead, so that each vote of those behind sentries is needed, and leaders they are
 * too. */
KL_TEST(replica_validators_behind_sentries_vote_and_propose)
{
    begin(*seed, true);
    rig_crash(&rig, 3);
    for (u32 i = 0; i < 12; i++) {
        CHECK_RULE(rig_submit(&rig, i % 3, i % RIG_ACCOUNTS), KL_RULE_NONE);
        CHECK(rig_reaches(&rig, rig.height + 2, 60 * RIG_S));
    }
    CHECK(rig_reaches(&rig, rig.height + 20, 120 * RIG_S));
    for (u32 i = 0; i < 3; i++)
        CHECK(rig.nodes[i].signs > 20);
    CHECK(rig.frames[KL_MESSAGE_COMPACT] > 0);
    check_nobody_is_blamed();
    rig_done(&rig);
}

KL_TEST(replica_a_sentry_that_dies_is_made_up_for_by_another)
{
    begin(*seed, true);
    rig_crash(&rig, 3);
    CHECK(rig_reaches(&rig, 6, 60 * RIG_S));
    rig_crash(&rig, 4);
    CHECK(rig_reaches(&rig, rig.height + 10, 60 * RIG_S));
    rig_open(&rig, 4);
    CHECK(rig_reaches(&rig, rig.height + 10, 60 * RIG_S));
    check_nobody_is_blamed();
    rig_done(&rig);
}

/* The same network, when they pass nothing on. */
KL_TEST(replica_behind_sentries_that_do_not_relay_nothing_is_final)
{
    begin(*seed, false);
    rig_crash(&rig, 3);
    CHECK(!rig_reaches(&rig, rig.height + 3, 20 * RIG_S));
    rig_done(&rig);
}

/* What is not signed as it must be does not reach a ward. */
KL_TEST(replica_a_sentry_passes_no_false_votes_on)
{
    begin(*seed, true);
    CHECK(rig_reaches(&rig, 3, 60 * RIG_S));
    CHECK(votes_to_ward > 0);
    kl_simplex_status status = kl_replica_consensus(rig.nodes[2].replica);
    kl_message vote = {.kind = KL_MESSAGE_VOTE};
    vote.vote.subject = (kl_vote_subject){
        .kind = KL_VOTE_NULLIFY, .proposal = {.epoch = status.epoch, .view = status.view + 1}};
    kl_rand_fill(seed, vote.vote.signature, sizeof vote.vote.signature);
    u64 before = votes_to_ward;
    for (u32 signer = 0; signer < 8; signer++) {
        vote.vote.signer = signer;
        rig_deliver(&rig, 4, 3, &vote);
    }
    CHECK_U64(votes_to_ward, before);
    rig_done(&rig);
}

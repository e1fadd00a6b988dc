#include "host/replica_rig_test.h"

static struct rig rig;

KL_TEST(replica_four_make_blocks_final_with_transactions)
{
    rig_init(&rig, 4, 32, *seed);
    rig_start(&rig);
    CHECK(rig_reaches(&rig, 3, 20 * RIG_S));
    for (u32 i = 0; i < 40; i++)
        CHECK_RULE(rig_submit(&rig, i % 4, i % RIG_ACCOUNTS), KL_RULE_NONE);
    CHECK(rig_reaches(&rig, 20, 60 * RIG_S));
    CHECK_U64(rig.transactions, 40);
    for (u32 i = 0; i < 4; i++) {
        CHECK_U64(kl_pool_count(kl_replica_pool(rig.nodes[i].replica)).pending, 0);
        CHECK_U64(rig.nodes[i].penalties, 0);
    }
    rig_done(&rig);
}

KL_TEST(replica_one_alone_is_a_chain)
{
    rig_init(&rig, 1, 5, *seed);
    rig_start(&rig);
    CHECK_RULE(rig_submit(&rig, 0, 0), KL_RULE_NONE);
    CHECK(rig_reaches(&rig, 23, 60 * RIG_S));
    CHECK_U64(rig.transactions, 1);
    rig_done(&rig);
}

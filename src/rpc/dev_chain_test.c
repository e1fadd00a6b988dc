/* Dev methods over a chain. */
#include "base/test.h"
#include "rpc/chain_rig_priv.h"

static u64 clock_s;

static u64 stand_still(struct kl_clock *clock)
{
    (void)clock;
    return clock_s * 1000000000;
}

/* What Anvil says, too: the whole shift; how far ahead; a next timestamp that is not in the past.
 */
KL_TEST(dev_time_is_set_over_a_chain)
{
    struct kl_clock clock = {.mono_ns = stand_still, .wall_ns = stand_still};
    struct chain_rig rig;
    const kl_dev_env *env;
    chain_rig_init(&rig);
    rig.config.clock = &clock;
    clock_s = 5000;
    chain_rig_mine(&rig); /* at 1,000 s, says the rig */
    chain_rig_check(&rig, "evm_increaseTime", "[60]", "\"result\":60");
    chain_rig_check(&rig, "evm_increaseTime", "[\"0x3c\"]", "\"result\":120");
    chain_rig_check(&rig, "anvil_setTime", "[6000]", "\"result\":880");
    chain_rig_check(&rig, "evm_increaseTime", "[0]", "\"result\":1000");
    chain_rig_check(&rig, "evm_setTime", "[4000]", "\"result\":0");
    chain_rig_check(&rig, "evm_increaseTime", "[0]", "\"result\":-1000");
    chain_rig_check(&rig, "evm_setTime", "[7000000000000]", "\"result\":6999996000");
    chain_rig_check(&rig, "evm_setNextBlockTimestamp", "[999]",
                    "\"error\":{\"code\":-32602,\"message\":\"Timestamp error: 999 is lower than "
                    "previous block's timestamp\"}");
    chain_rig_check(&rig, "evm_setNextBlockTimestamp", "[\"9000\"]", "\"result\":null");
    struct kl_tip *head = kl_chain_head(rig.chain);
    env = &head->dev->env;
    CHECK(env->has_timestamp && env->timestamp == 9000 && env->time_offset_s == 4000);
    kl_tip_unref(head);
    chain_rig_done(&rig);
}

KL_TEST(dev_chain_goes_back_over_a_chain)
{
    struct chain_rig rig;
    chain_rig_init(&rig);
    chain_rig_check(&rig, "anvil_setBalance", "[\"" RIG_D "\",\"0x10\"]", "\"result\":null");
    chain_rig_ask(&rig, "evm_snapshot", "[]"); /* its id is the host's to tell */
    chain_rig_check(&rig, "anvil_addBalance", "[\"" RIG_D "\",5]", "\"result\":null");
    chain_rig_mine(&rig);
    chain_rig_check(&rig, "eth_getBalance", "[\"" RIG_D "\"]", "\"result\":\"0x15\"");
    chain_rig_check(&rig, "anvil_addBalance",
                    "[\"" RIG_D
                    "\",\"0xffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff\"]",
                    "\"result\":null");
    chain_rig_check(&rig, "eth_getBalance", "[\"" RIG_D "\"]",
                    "\"result\":"
                    "\"0xffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff\"");
    chain_rig_check(&rig, "evm_revert", "[\"0x1\"]", "\"result\":true");
    chain_rig_check(&rig, "eth_getBalance", "[\"" RIG_D "\"]", "\"result\":\"0x10\"");
    chain_rig_check(&rig, "eth_blockNumber", "[]", "\"result\":\"0x0\"");
    chain_rig_check(&rig, "evm_revert", "[\"0x1\"]", "\"result\":false");
    chain_rig_check(&rig, "anvil_getGenesisTime", "[]", "\"result\":1");
    rig.backend.fifo = true;
    chain_rig_ask(&rig, "anvil_nodeInfo", "[]");
    chain_rig_has(&rig, "\"transactionOrder\":\"fifo\"");
    rig.backend.fifo = false;
    chain_rig_ask(&rig, "anvil_nodeInfo", "[]");
    chain_rig_has(&rig, "\"result\":{\"currentBlockNumber\":\"0x0\",\"currentBlockTimestamp\":1,"
                        "\"currentBlockHash\":\"0x");
    chain_rig_has(&rig, "\",\"hardFork\":\"Osaka\",\"transactionOrder\":\"fees\",\"environment\":{"
                        "\"baseFee\":\"0x342770c0\",\"chainId\":31337,\"gasLimit\":\"0x1c9c380\","
                        "\"gasPrice\":\"0x6fc23ac0\"},\"forkConfig\":{\"forkUrl\":null,"
                        "\"forkBlockNumber\":null,\"forkRetryBackoff\":null}}");
    chain_rig_done(&rig);
}

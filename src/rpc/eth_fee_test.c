/* What gas costs, over a chain. */
#include "base/test.h"
#include "rpc/chain_rig_priv.h"

#define ERROR(why) "\"error\":{\"code\":-32000,\"message\":\"" why "\"}"

KL_TEST(eth_fees_of_the_next_block)
{
    struct chain_rig rig;
    chain_rig_init(&rig);
    /* 875,000,000 after an empty block of 1 gwei, and 1 gwei on top */
    chain_rig_check(&rig, "eth_gasPrice", "[]", "\"result\":\"0x6fc23ac0\"");
    chain_rig_check(&rig, "eth_maxPriorityFeePerGas", "[]", "\"result\":\"0x3b9aca00\"");
    chain_rig_check(&rig, "eth_blobBaseFee", "[]", "\"result\":\"0x1\"");
    chain_rig_done(&rig);
}

/* In a block of 30 million gas that is full, three of four pay 5 gwei. */
KL_TEST(eth_max_priority_fee_follows_full_blocks)
{
    struct chain_rig rig;
    chain_rig_init(&rig);
    chain_rig_code(&rig, RIG_C, "5b5f56"); /* uses all its gas */
    rig.automine = false;
    for (int i = 0; i < 4; i++)
        chain_rig_askf(&rig, "eth_sendTransaction",
                       "[{\"to\":\"" RIG_C
                       "\",\"gas\":\"0x725c3e\",\"maxPriorityFeePerGas\":\"%s\","
                       "\"maxFeePerGas\":\"0x2540be400\"}]",
                       i ? "0x12a05f200" : "0x1");
    chain_rig_mine(&rig);
    chain_rig_check(&rig, "eth_maxPriorityFeePerGas", "[]", "\"result\":\"0x12a05f200\"");
    chain_rig_mine(&rig);
    chain_rig_check(&rig, "eth_maxPriorityFeePerGas", "[]", "\"result\":\"0x3b9aca00\"");
    chain_rig_done(&rig);
}

static void three_blocks(struct chain_rig *rig)
{
    chain_rig_code(rig, RIG_C, "5b5f56");
    chain_rig_mine(rig);
    rig->automine = false;
    /* 3 million gas at 1 gwei, 1 million at 2, 1 million at 3 */
    static const unsigned gas[] = {3000000, 1000000, 1000000};
    for (unsigned i = 0; i < 3; i++)
        chain_rig_askf(rig, "eth_sendTransaction",
                       "[{\"to\":\"" RIG_C "\",\"gas\":\"0x%x\",\"maxPriorityFeePerGas\":\"0x%x\","
                       "\"maxFeePerGas\":\"0x2540be400\"}]",
                       gas[i], (i + 1) * 1000000000u);
    chain_rig_mine(rig);
    chain_rig_mine(rig);
}

KL_TEST(eth_fee_history_by_gas)
{
    struct chain_rig rig;
    chain_rig_init(&rig);
    three_blocks(&rig);
    chain_rig_check(
        &rig, "eth_feeHistory", "[\"0x2\",\"latest\",[0,60,61,80.5,100]]",
        "\"result\":{\"oldestBlock\":\"0x2\",\"reward\":[[\"0x3b9aca00\",\"0x3b9aca00\","
        "\"0x77359400\",\"0xb2d05e00\",\"0xb2d05e00\"],[\"0x0\",\"0x0\",\"0x0\",\"0x0\","
        "\"0x0\"]],\"baseFeePerGas\":[\"0x2da282a8\",\"0x29d4f7c5\",\"0x249a58cd\"],"
        "\"gasUsedRatio\":[0.16666666666666666,0],\"baseFeePerBlobGas\":[\"0x1\",\"0x1\","
        "\"0x1\"],\"blobGasUsedRatio\":[0,0]}");
    chain_rig_check(&rig, "eth_feeHistory", "[1,\"0x2\"]",
                    "\"result\":{\"oldestBlock\":\"0x2\",\"baseFeePerGas\":[\"0x2da282a8\","
                    "\"0x29d4f7c5\"],\"gasUsedRatio\":[0.16666666666666666],\"baseFeePerBlobGas\":["
                    "\"0x1\",\"0x1\"],\"blobGasUsedRatio\":[0]}");
    chain_rig_done(&rig);
}

KL_TEST(eth_fee_history_bounds)
{
    struct chain_rig rig;
    chain_rig_init(&rig);
    chain_rig_mine(&rig);
    chain_rig_check(&rig, "eth_feeHistory", "[\"0xffffffffffffffff\",\"pending\",[]]",
                    "\"result\":{\"oldestBlock\":\"0x0\",\"baseFeePerGas\":[\"0x3b9aca00\","
                    "\"0x342770c0\",\"0x2da282a8\"],\"gasUsedRatio\":[0,0],\"baseFeePerBlobGas\":["
                    "\"0x1\",\"0x1\",\"0x1\"],\"blobGasUsedRatio\":[0,0]}");
    chain_rig_check(&rig, "eth_feeHistory", "[\"0x0\",\"latest\",[]]",
                    "\"result\":{\"oldestBlock\":\"0x0\",\"gasUsedRatio\":null}");
    chain_rig_check(&rig, "eth_feeHistory", "[\"0x1\",\"0x2\",[]]",
                    ERROR("request beyond head block: requested 2, head 1"));
    chain_rig_check(&rig, "eth_feeHistory", "[\"0x1\",\"latest\",[101]]",
                    ERROR("invalid reward percentile: 101.000000"));
    chain_rig_check(&rig, "eth_feeHistory", "[\"0x1\",\"latest\",[-1]]",
                    ERROR("invalid reward percentile: -1.000000"));
    chain_rig_check(&rig, "eth_feeHistory", "[\"0x1\",\"latest\",[5,5]]",
                    ERROR("invalid reward percentile: #0:5.000000 >= #1:5.000000"));
    chain_rig_check(&rig, "eth_feeHistory", "[\"0x1\",\"latest\",[\"x\"]]",
                    "\"error\":{\"code\":-32602,\"message\":\"invalid argument 2: number "
                    "expected\"}");
    chain_rig_done(&rig);
}

#include "rpc/fork_id.h"

#include "base/test.h"
#include "rpc/chain_rig_priv.h"

static const kl_hash mainnet_genesis = {{0xd4, 0xe5, 0x67, 0x40, 0xf8, 0x76, 0xae, 0xf8,
                                         0xc0, 0x10, 0xb8, 0x6a, 0x40, 0xd5, 0xf5, 0x67,
                                         0x45, 0xa1, 0x18, 0xd0, 0x90, 0x6a, 0x34, 0xe6,
                                         0x9a, 0xec, 0x8c, 0x0d, 0xb1, 0xcb, 0x8f, 0xa3}};

/* Mainnet's, as EIP-2124 and later forks' announcements have them. */
KL_TEST(fork_id_of_mainnet)
{
    static const struct {
        kl_fork fork;
        u64 at;
        u32 id;
    } forks[] = {
        {KL_FRONTIER, 0, 0xfc64ec04},
        {KL_HOMESTEAD, 1150000, 0x97c2c34c},
        {KL_TANGERINE, 2463000, 0x7a64da13},
        {KL_SPURIOUS, 2675000, 0x3edd5b10},
        {KL_BYZANTIUM, 4370000, 0xa00bc324},
        {KL_CONSTANTINOPLE, 7280000, 0x668db0af},
        {KL_PETERSBURG, 7280000, 0x668db0af},
        {KL_ISTANBUL, 9069000, 0x879d6e30},
        {KL_MUIR_GLACIER, 9200000, 0xe029e991},
        {KL_BERLIN, 12244000, 0x0eb440f6},
        {KL_LONDON, 12965000, 0xb715077d},
        {KL_ARROW_GLACIER, 13773000, 0x20c327fc},
        {KL_GRAY_GLACIER, 15050000, 0xf0afd0e3},
        {KL_SHANGHAI, 1681338455, 0xdce96c2d},
        {KL_CANCUN, 1710338135, 0x9f3d2254},
        {KL_PRAGUE, 1746612311, 0xc376cf8b},
        {KL_OSAKA, 1764798551, 0x5167e2a6},
    };
    kl_spec spec;
    kl_spec_init(&spec, KL_FRONTIER);
    spec.dao_fork = true;
    spec.dao_fork_block = 1920000;
    for (usize i = 0; i < KL_COUNT_OF(forks); i++) {
        spec.fork[forks[i].fork].by = forks[i].fork >= KL_SHANGHAI ? KL_AT_TIME : KL_AT_BLOCK;
        spec.fork[forks[i].fork].at = forks[i].at;
    }
    for (usize i = 0; i < KL_COUNT_OF(forks); i++)
        CHECK_U64(kl_fork_id(&spec, &mainnet_genesis, 1438269973, forks[i].fork), forks[i].id);
}

KL_TEST(fork_id_leaves_out_what_held_from_the_beginning)
{
    kl_spec spec, bare;
    kl_spec_init(&spec, KL_OSAKA);
    kl_spec_init(&bare, KL_FRONTIER);
    spec.fork[KL_OSAKA].at = 99;
    u32 none = kl_fork_id(&bare, &mainnet_genesis, 99, KL_FRONTIER);
    CHECK_U64(kl_fork_id(&spec, &mainnet_genesis, 99, KL_OSAKA), none);
    CHECK(kl_fork_id(&spec, &mainnet_genesis, 98, KL_OSAKA) != none);
}

KL_TEST(eth_config_of_a_chain_without_forks_to_come)
{
    struct chain_rig rig;
    chain_rig_init(&rig);
    kl_span answer = chain_rig_ask(&rig, "eth_config", "[]");
    kl_span head = KL_SPAN_TEXT(
        "\"result\":{\"current\":{\"activationTime\":0,\"blobSchedule\":{"
        "\"baseFeeUpdateFraction\":5007716,\"max\":9,\"target\":6},\"chainId\":\"0x7a69\","
        "\"forkId\":\"0x");
    kl_span tail = KL_SPAN_TEXT(
        "\"WITHDRAWAL_REQUEST_PREDEPLOY_ADDRESS\":\"0x00000961ef480eb55e80d19ad83579a64c007002\"}},"
        "\"next\":null,\"last\":null}");
    CHECK_SPAN(kl_span_sub(answer, 0, head.len), head);
    CHECK_SPAN(kl_span_sub(answer, answer.len - tail.len, tail.len), tail);
    chain_rig_done(&rig);
}

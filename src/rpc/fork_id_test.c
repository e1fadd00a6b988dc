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

/* The table of EIP-2124: mainnet's forks as far as Petersburg, and what peers say. */
KL_TEST(fork_id_fits_those_who_are_behind_or_ahead)
{
    static const struct {
        u64 number;
        u32 id;
        u64 next;
        bool fits;
    } cases[] = {
        {7987396, 0x668db0af, 0, true},          /* at Petersburg, both */
        {7987396, 0x668db0af, UINT64_MAX, true}, /* it knows of one that we do not */
        {7279999, 0xa00bc324, 0, true},          /* at Byzantium; it does not know of Petersburg */
        {7279999, 0xa00bc324, 7280000, true},
        {7279999, 0xa00bc324, UINT64_MAX, true},
        {7987396, 0xa00bc324, 7280000, true}, /* it is behind, and knows */
        {7987396, 0x3edd5b10, 4370000, true}, /* far behind */
        {7279999, 0x668db0af, 0, true},       /* we are behind */
        {4369999, 0xa00bc324, 0, true},       /* and so we may be */
        {7987396, 0xa00bc324, 0, false},      /* it has missed Petersburg */
        {7987396, 0x5cddc0e1, 0, false},      /* another history */
        {7279999, 0x5cddc0e1, 0, false},
        {7987396, 0xafec6b27, 0, false},         /* another genesis */
        {88888888, 0x668db0af, 88888888, false}, /* its fork lies behind us */
        {7279999, 0xa00bc324, 7279999, false},
    };
    kl_spec spec;
    kl_spec_init(&spec, KL_FRONTIER);
    spec.fork[KL_HOMESTEAD] = (kl_activation){KL_AT_BLOCK, 1150000};
    spec.fork[KL_TANGERINE] = (kl_activation){KL_AT_BLOCK, 2463000};
    spec.fork[KL_SPURIOUS] = (kl_activation){KL_AT_BLOCK, 2675000};
    spec.fork[KL_BYZANTIUM] = (kl_activation){KL_AT_BLOCK, 4370000};
    spec.fork[KL_CONSTANTINOPLE] = (kl_activation){KL_AT_BLOCK, 7280000};
    spec.fork[KL_PETERSBURG] = (kl_activation){KL_AT_BLOCK, 7280000};
    spec.dao_fork = true;
    spec.dao_fork_block = 1920000;
    for (usize i = 0; i < KL_COUNT_OF(cases); i++) {
        kl_fork_place place = {&spec, &mainnet_genesis, 1438269973, cases[i].number, 0};
        CHECK(kl_fork_fits(&place, (kl_fork_stamp){cases[i].id, cases[i].next}) == cases[i].fits);
    }
    kl_fork_place place = {&spec, &mainnet_genesis, 1438269973, 7279999, 0};
    kl_fork_stamp stamp = kl_fork_stamp_of(&place);
    CHECK(stamp.id == 0xa00bc324 && stamp.next == 7280000);
    place.number++;
    stamp = kl_fork_stamp_of(&place);
    CHECK(stamp.id == 0x668db0af && stamp.next == 0);
}

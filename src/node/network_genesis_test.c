#include "node/network_genesis.h"

#include "base/test.h"
#include "chain/authority.h"
#include "node/dev_genesis.h"
#include "node/validator_key.h"
#include "types/genesis.h"

/* The text is a genesis that says what was asked for, has all that blocks call, and is the same
 * for the same input. */
KL_TEST(network_genesis_is_one)
{
    static const u8 schemes[] = {KL_SCHEME_SECP256K1, KL_SCHEME_BLS12_381};
    for (usize s = 0; s < sizeof schemes; s++) {
        enum { COUNT = 3 };
        kl_validator_key keys[COUNT];
        kl_policy_entry entries[COUNT];
        kl_validator_proofs proofs[COUNT];
        kl_address operators[COUNT];
        const kl_vote_scheme *scheme = kl_vote_scheme_of(schemes[s], false);
        for (usize i = 0; i < COUNT; i++) {
            kl_validator_key_new(&keys[i], scheme);
            kl_validator_key_entry(&entries[i], &proofs[i], &keys[i], 1 + i);
            operators[i] = entries[i].validator.operator;
        }
        const kl_network_genesis g = {
            .chain_id = 77,
            .timestamp = 1000,
            .gas_limit = 30000000,
            .base_fee = 7,
            .bft = {.scheme = scheme->id,
                    .epoch_blocks = 9,
                    .block_period_ms = 300,
                    .empty_period_ms = 4000,
                    .delta_ms = 50,
                    .policy = kl_authority_address},
            .entries = entries,
            .count = COUNT,
            .accounts = operators,
            .account_count = COUNT,
            .balance = kl_u256_of(5),
        };
        struct kl_arena arena;
        struct kl_buf text, again;
        kl_rule broken;
        kl_genesis parsed;
        kl_file_fault fault;
        kl_arena_init(&arena, 64 << 20);
        kl_buf_init(&text, 4 << 20);
        kl_buf_init(&again, 4 << 20);
        CHECK_OK(kl_network_genesis_write(&text, &g, &arena, &broken));
        CHECK_RULE(broken, KL_RULE_NONE);
        CHECK_OK(kl_network_genesis_write(&again, &g, &arena, &broken));
        CHECK_SPAN(kl_buf_view(&again), kl_buf_view(&text));
        CHECK_OK(kl_genesis_parse(&parsed, kl_buf_view(&text), &arena, &fault));
        if (fault.rule != KL_RULE_NONE)
            kl_test_fail(__FILE__, __LINE__, "%zu: %s: %s", fault.line, fault.where,
                         kl_rule_text(fault.rule));
        CHECK(parsed.spec.engine == KL_ENGINE_SIMPLEX && parsed.spec.bft.scheme == scheme->id);
        CHECK_U64(parsed.spec.chain_id, 77);
        CHECK_U64(parsed.spec.bft.epoch_blocks, 9);
        CHECK_U64(parsed.spec.bft.block_period_ms, 300);
        CHECK_U64(parsed.spec.bft.empty_period_ms, 4000);
        CHECK_U64(parsed.spec.bft.delta_ms, 50);
        CHECK(kl_address_eq(&parsed.spec.bft.policy, &kl_authority_address));
        CHECK_U64(parsed.validator_count, COUNT);
        CHECK(!kl_genesis_lacks(&parsed));
        CHECK(parsed.alloc_count > COUNT + 1);
        kl_buf_done(&text);
        kl_buf_done(&again);
        kl_arena_done(&arena);
    }
}

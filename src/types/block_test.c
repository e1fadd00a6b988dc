#include "types/block.h"

#include "base/test.h"
#include "codec/rlp.h"
#include "crypto/keccak.h"
#include "types/fixture_test.h"
#include "types/genesis.h"
#include "types/random_test.h"
#include "types/senders.h"

/* A block of random transactions with a header of Prague's form. */
static kl_block random_block(u64 *seed, struct kl_arena *arena)
{
    kl_block block = {.tx_count = kl_rand_below(seed, 6), .has_withdrawals = kl_rand(seed) & 1};
    block.ommer_count = kl_rand_below(seed, 3);
    block.withdrawal_count = block.has_withdrawals ? kl_rand_below(seed, 4) : 0;
    kl_rand_fill(seed, &block.header, sizeof block.header);
    block.header.tail = 6;
    block.header.extra_len = 32;
    block.txs = KL_TAKE(arena, kl_tx, block.tx_count);
    for (usize i = 0; i < block.tx_count; i++) {
        kl_secret32 key = random_key(seed);
        block.txs[i] = random_tx(seed, (u8)kl_rand_below(seed, 5), &key, arena);
    }
    kl_header *ommers = KL_TAKE(arena, kl_header, block.ommer_count);
    for (usize i = 0; i < block.ommer_count; i++) {
        kl_rand_fill(seed, &ommers[i], sizeof ommers[i]);
        ommers[i].tail = 0;
        ommers[i].extra_len = 3;
    }
    block.ommers = ommers;
    kl_withdrawal *withdrawals = KL_TAKE(arena, kl_withdrawal, block.withdrawal_count);
    kl_rand_fill(seed, withdrawals, sizeof *withdrawals * block.withdrawal_count);
    block.withdrawals = withdrawals;
    return block;
}

/* Property: blocks round-trip; a damaged one decodes only if it writes back to the same bytes. */
KL_TEST(block_round_trips_and_has_no_second_encoding)
{
    struct kl_arena arena;
    kl_spec spec;
    unsigned survived = 0;
    kl_arena_init(&arena, 1 << 24);
    kl_spec_init(&spec, KL_FORK_NEWEST);
    for (int i = 0; i < 3000; i++) {
        kl_arena_reset(&arena, 1 << 22);
        static u8 room[1 << 16], again[1 << 16];
        kl_block block = random_block(seed, &arena), back;
        kl_out out = kl_out_of(room, sizeof room), copy = kl_out_of(again, sizeof again);
        kl_rule broken;
        kl_block_encode(&out, &block);
        CHECK(!out.full);
        CHECK_OK(kl_block_decode(&back, kl_out_done(&out), &spec, &arena, &broken));
        CHECK_RULE(broken, KL_RULE_NONE);
        CHECK(back.tx_count == block.tx_count && back.ommer_count == block.ommer_count);
        CHECK(back.has_withdrawals == block.has_withdrawals && back.rlp_len == out.len);
        CHECK(back.withdrawal_count == block.withdrawal_count);
        for (usize k = 0; k < back.tx_count; k++)
            CHECK(kl_hash_eq(&back.txs[k].hash, &block.txs[k].hash));
        kl_hash hash = kl_header_hash(&block.header);
        CHECK(kl_hash_eq(&hash, &back.hash));
        kl_block_encode(&copy, &back);
        CHECK_SPAN(kl_out_done(&copy), kl_out_done(&out));

        room[kl_rand_below(seed, out.len)] = (u8)kl_rand(seed);
        CHECK_OK(kl_block_decode(&back, kl_out_done(&out), &spec, &arena, &broken));
        if (broken != KL_RULE_NONE)
            continue;
        survived++;
        copy = kl_out_of(again, sizeof again);
        kl_block_encode(&copy, &back);
        CHECK_SPAN(kl_out_done(&copy), kl_out_done(&out));
    }
    CHECK(survived > 1000);
    kl_arena_done(&arena);
}

KL_TEST(block_ommers_hash_is_that_of_the_list)
{
    kl_hash none = kl_ommers_hash(NULL, 0);
    CHECK(kl_hash_eq(&none, &kl_keccak_empty_list));
    kl_header ommers[3];
    kl_rand_fill(seed, ommers, sizeof ommers);
    u8 room[4096];
    kl_out out = kl_out_of(room, sizeof room);
    kl_rlp_mark list = kl_rlp_put_begin(&out);
    for (usize i = 0; i < 3; i++) {
        ommers[i].tail = (u8)i;
        ommers[i].extra_len = 0;
        kl_header_encode(&out, &ommers[i]);
    }
    kl_rlp_put_end(&out, list);
    kl_hash want = kl_keccak256(kl_out_done(&out)), got = kl_ommers_hash(ommers, 3);
    CHECK(!out.full && kl_hash_eq(&got, &want));
}

/* Decodes the block [header, txs, []] with the transactions list given in hex. */
static kl_rule with_txs(const char *hex, kl_fork fork)
{
    static u8 room[1 << 16];
    kl_header header = {0};
    kl_out out = kl_out_of(room, sizeof room);
    kl_rlp_mark whole = kl_rlp_put_begin(&out);
    kl_header_encode(&out, &header);
    kl_out_span(&out, kl_test_hex(hex));
    kl_out_span(&out, kl_test_hex("c0"));
    kl_rlp_put_end(&out, whole);
    struct kl_arena arena;
    kl_spec spec;
    kl_block block;
    kl_rule broken;
    kl_arena_init(&arena, 1 << 20);
    kl_spec_init(&spec, fork);
    CHECK_OK(kl_block_decode(&block, kl_out_done(&out), &spec, &arena, &broken));
    kl_arena_done(&arena);
    return broken;
}

KL_TEST(block_wants_legacy_as_lists_and_types_as_bytes)
{
    CHECK_RULE(with_txs("c0", KL_FRONTIER), KL_RULE_NONE);
    CHECK_RULE(with_txs("ca c9 80 80 80 80 80 80 1b 01 01", KL_FRONTIER), KL_RULE_NONE);
    CHECK_RULE(with_txs("cb 8a c9 80 80 80 80 80 80 1b 01 01", KL_BERLIN), KL_RULE_TX_TYPE);
    CHECK_RULE(with_txs("ce 8d 01 cb 80 80 80 80 80 80 80 c0 80 01 01", KL_BERLIN), KL_RULE_NONE);
    CHECK_RULE(with_txs("ce 8d 01 cb 80 80 80 80 80 80 80 c0 80 01 01", KL_ISTANBUL),
               KL_RULE_TX_TYPE);
    CHECK_RULE(with_txs("cb 80 c9 80 80 80 80 80 80 1b 01 01", KL_BERLIN), KL_RULE_RLP_LENGTH);
    CHECK_RULE(with_txs("d5 80 d3 80 80 80 80 80 80 1b 8a 00000000000000000001 01", KL_BERLIN),
               KL_RULE_RLP_SHORT);
    CHECK_RULE(with_txs("80", KL_BERLIN), KL_RULE_RLP_KIND);
}

KL_TEST(block_decode_out_of_memory_is_a_status)
{
    struct kl_arena arena;
    static u8 room[1 << 16];
    kl_arena_init(&arena, 1 << 24);
    kl_block block;
    do
        block = random_block(seed, &arena);
    while (block.tx_count == 0 || block.ommer_count == 0 || block.withdrawal_count == 0);
    kl_out out = kl_out_of(room, sizeof room);
    kl_block_encode(&out, &block);
    kl_spec spec;
    kl_spec_init(&spec, KL_FORK_NEWEST);
    bool was_enough = false;
    for (usize limit = 0; limit < 100000; limit += 1000) {
        struct kl_arena small;
        kl_block back;
        kl_rule broken = KL_RULE_COUNT;
        kl_arena_init(&small, limit);
        kl_status status = kl_block_decode(&back, kl_out_done(&out), &spec, &small, &broken);
        CHECK(status == KL_NOMEM ? !was_enough : status == KL_OK && broken == KL_RULE_NONE);
        was_enough = status == KL_OK;
        kl_arena_done(&small);
    }
    CHECK(was_enough);
    kl_arena_done(&arena);
}

/* The chain of the execution-apis: all forks from Frontier to BPO2 in one chain, every transaction
 * type, under the rules its own genesis file gives. */
KL_TEST(block_execution_apis_chain)
{
    struct kl_arena arena, kept;
    kl_genesis genesis;
    kl_file_fault fault;
    kl_arena_init(&kept, 1 << 26);
    kl_arena_init(&arena, 1 << 26);
    kl_span text = kl_test_file(fixture_path("execution-apis/tests/genesis.json"));
    CHECK_OK(kl_genesis_parse(&genesis, text, &kept, &fault));
    CHECK_RULE(fault.rule, KL_RULE_NONE);
    kl_rlp chain = {kl_test_file(fixture_path("execution-apis/tests/chain.rlp"))};
    kl_hash parent = {0};
    u64 number = 0;
    unsigned types[5] = {0};
    while (!kl_rlp_end(&chain)) {
        static u8 again[1 << 20];
        kl_arena_reset(&arena, 1 << 20);
        kl_span bytes;
        bool is_list;
        kl_block block;
        kl_rule broken, senders[500];
        CHECK_RULE(kl_rlp_item(&chain, &bytes, &is_list), KL_RULE_NONE);
        CHECK_OK(kl_block_decode(&block, bytes, &genesis.spec, &arena, &broken));
        CHECK_RULE(broken, KL_RULE_NONE);
        const kl_header *h = &block.header;
        CHECK(number == 0 || (h->number == number + 1 && kl_hash_eq(&h->parent_hash, &parent)));
        kl_fork fork = kl_spec_fork(&genesis.spec, h->number, h->timestamp);
        CHECK_U64(h->tail, kl_header_tail(fork));
        CHECK(block.has_withdrawals == (fork >= KL_SHANGHAI));
        CHECK(block.tx_count <= KL_COUNT_OF(senders));
        kl_senders_recover_all(NULL, block.txs, senders, block.tx_count, fork, NULL);
        for (usize i = 0; i < block.tx_count; i++) {
            CHECK_RULE(senders[i], KL_RULE_NONE);
            CHECK(!block.txs[i].replay_safe || block.txs[i].chain_id == genesis.spec.chain_id);
            types[block.txs[i].type]++;
        }
        kl_out out = kl_out_of(again, sizeof again);
        kl_block_encode(&out, &block);
        CHECK_SPAN(kl_out_done(&out), bytes);
        parent = block.hash;
        number = h->number;
    }
    CHECK(number > 40);
    for (usize i = 0; i < KL_COUNT_OF(types); i++)
        CHECK(types[i] > 0);
    kl_arena_done(&arena);
    kl_arena_done(&kept);
}

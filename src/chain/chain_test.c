#include "chain/chain.h"

#include "base/test.h"
#include "chain/chain_world_priv.h"
#include "crypto/crypto.h"
#include "sim/disk.h"

static kl_address address_of(u8 byte)
{
    kl_address a;
    memset(a.b, byte, sizeof a.b);
    return a;
}

static kl_hash head_hash(struct world *w)
{
    struct kl_tip *tip = kl_chain_published(w->chain);
    kl_hash hash = tip->hash;
    kl_tip_unref(tip);
    return hash;
}

/* Some transfers to `to`, a block each or all in one. */
static void transfer(struct world *w, const kl_address *to, usize count, bool one_block)
{
    const kl_tx *txs[64];
    for (usize i = 0; i < count; i++)
        txs[i] = world_tx(w, i % 3, to, 100, KL_SPAN_NONE);
    for (usize i = 0; i < count && !one_block; i++)
        world_block(w, &txs[i], 1);
    if (one_block)
        world_block(w, txs, count);
}

KL_TEST(chain_is_the_same_after_reopening_and_after_losing_its_state)
{
    struct world w;
    kl_address to = address_of(0x77);
    world_init(&w);
    transfer(&w, &to, 10, false);
    world_flush(&w);
    transfer(&w, &to, 20, true);
    kl_hash head = head_hash(&w);
    for (int round = 0; round < 3; round++) {
        world_reopen(&w, round == 1);
        kl_hash now = head_hash(&w);
        CHECK(kl_hash_eq(&head, &now));
        CHECK_U64(w.report.replayed, round == 1 ? 12 : round == 0 ? 1 : 0);
        CHECK_U64(world_balance(&w, &to, 11).w[0], 3000);
        CHECK_U64(world_balance(&w, &to, 4).w[0], 400);
    }
    transfer(&w, &to, 1, true);
    CHECK_U64(world_balance(&w, &to, 12).w[0], 3100);
    world_done(&w);
}

KL_TEST(chain_serves_blocks_transactions_and_receipts)
{
    struct world w;
    struct kl_reader *reader;
    struct kl_arena arena;
    kl_stored_block block;
    kl_address to = address_of(0x55);
    world_init(&w);
    kl_arena_init(&arena, SIZE_MAX);
    const kl_tx *txs[] = {world_tx(&w, 0, &to, 1, KL_SPAN_NONE),
                          world_tx(&w, 1, &to, 2, KL_SPAN_NONE)};
    world_block(&w, NULL, 0);
    CHECK_U64(world_block(&w, txs, 2), 2);
    world_flush(&w);
    world_block(&w, NULL, 0);
    CHECK_OK(kl_reader_open(w.chain, &reader));
    for (usize i = 0; i < 2; i++) {
        u64 number, by_hash;
        usize index;
        CHECK_OK(kl_reader_tx(reader, &txs[i]->hash, &number, &index));
        CHECK(number == 2 && index == i);
        CHECK_OK(kl_reader_block(reader, number, &arena, &block));
        CHECK_OK(kl_reader_number_of(reader, &block.block.hash, &by_hash));
        CHECK_U64(by_hash, 2);
        CHECK(kl_hash_eq(&block.block.txs[i].hash, &txs[i]->hash));
        CHECK(kl_address_eq(&block.block.txs[i].sender, &w.account[i]));
        CHECK(block.receipts[i].success && block.receipts[i].gas_used == 21000);
        CHECK_U64(block.receipts[i].cumulative_gas_used, 21000 * (i + 1));
    }
    CHECK_OK(kl_reader_block(reader, 0, &arena, &block));
    CHECK(kl_hash_eq(&block.block.hash, kl_chain_genesis_hash(w.chain)));
    CHECK(kl_reader_block(reader, 4, &arena, &block) == KL_NOTFOUND);
    kl_reader_close(reader);
    kl_arena_done(&arena);
    world_done(&w);
}

KL_TEST(chain_replays_dev_operations_and_reverts)
{
    struct world w;
    kl_address rich = address_of(0x99), to = address_of(0x11);
    world_init(&w);
    transfer(&w, &to, 3, false);
    CHECK_RULE(
        world_dev(
            &w, &(kl_devop){.kind = KL_DEVOP_SET_BALANCE, .address = rich, .value = kl_u256_of(7)}),
        KL_RULE_NONE);
    CHECK_U64(world_balance(&w, &rich, 3).w[0], 7);
    CHECK_U64(world_balance(&w, &rich, 2).w[0], 0);
    CHECK_RULE(world_dev(&w, &(kl_devop){.kind = KL_DEVOP_SNAPSHOT}), KL_RULE_NONE);
    kl_hash head = head_hash(&w);
    world_flush(&w);
    transfer(&w, &to, 2, false);
    world_flush(&w);
    transfer(&w, &to, 1, false);
    CHECK_RULE(
        world_dev(
            &w, &(kl_devop){.kind = KL_DEVOP_SET_BALANCE, .address = rich, .value = kl_u256_of(8)}),
        KL_RULE_NONE);
    CHECK_RULE(world_dev(&w, &(kl_devop){.kind = KL_DEVOP_REVERT, .number = 2}),
               KL_RULE_DEV_SNAPSHOT);
    CHECK_RULE(world_dev(&w, &(kl_devop){.kind = KL_DEVOP_REVERT, .number = 1}), KL_RULE_NONE);
    for (int round = 0; round < 3; round++) {
        kl_hash now = head_hash(&w);
        CHECK(kl_hash_eq(&now, &head));
        CHECK_U64(world_balance(&w, &rich, 3).w[0], 7);
        CHECK_U64(world_balance(&w, &to, 3).w[0], 300);
        world_reopen(&w, round == 1);
    }
    CHECK_RULE(world_dev(&w, &(kl_devop){.kind = KL_DEVOP_REVERT, .number = 1}),
               KL_RULE_DEV_SNAPSHOT);
    w.nonce[0] = w.nonce[1] = w.nonce[2] = 1;
    transfer(&w, &to, 3, false);
    CHECK_U64(world_balance(&w, &to, 6).w[0], 600);
    CHECK_U64(world_balance(&w, &to, 4).w[0], 400);
    world_done(&w);
}

/* What was built is judged again when the chain opens. */
KL_TEST(chain_dev_operations_that_no_block_could_follow_are_refused)
{
    static const u64 good[] = {5000, INT64_MAX, 30000000}, bad[] = {0, 1, 4999, UINT64_MAX};
    struct world w;
    world_init(&w);
    for (usize i = 0; i < KL_COUNT_OF(bad); i++)
        CHECK_RULE(world_dev(&w, &(kl_devop){.kind = KL_DEVOP_GAS_LIMIT, .number = bad[i]}),
                   KL_RULE_DEV_GAS_LIMIT);
    for (usize i = 0; i < KL_COUNT_OF(good); i++) {
        CHECK_RULE(world_dev(&w, &(kl_devop){.kind = KL_DEVOP_GAS_LIMIT, .number = good[i]}),
                   KL_RULE_NONE);
        world_block(&w, NULL, 0);
    }
    world_reopen(&w, true);
    CHECK_U64(world_block(&w, NULL, 0), KL_COUNT_OF(good) + 1);
    world_done(&w);
}

/* Snapshots stay numbered on, and those behind the genesis are gone. */
KL_TEST(chain_goes_back_to_its_beginning)
{
    struct world w;
    kl_address rich = address_of(0x99), to = address_of(0x11);
    const kl_devop set = {.kind = KL_DEVOP_SET_BALANCE, .address = rich, .value = kl_u256_of(7)};
    world_init(&w);
    kl_hash genesis = head_hash(&w);
    for (u64 round = 0; round < 3; round++) {
        transfer(&w, &to, 3, false);
        CHECK_RULE(world_dev(&w, &set), KL_RULE_NONE);
        CHECK_RULE(world_dev(&w, &(kl_devop){.kind = KL_DEVOP_SHIFT_TIME, .seconds = 9}),
                   KL_RULE_NONE);
        CHECK_RULE(world_dev(&w, &(kl_devop){.kind = KL_DEVOP_SNAPSHOT}), KL_RULE_NONE);
        if (round == 1)
            world_flush(&w);
        CHECK_RULE(world_dev(&w, &(kl_devop){.kind = KL_DEVOP_REVERT}), KL_RULE_NONE);
        kl_hash now = head_hash(&w);
        CHECK(kl_hash_eq(&now, &genesis));
        CHECK_U64(world_balance(&w, &rich, 0).w[0], 0);
        CHECK_U64(world_balance(&w, &to, 0).w[0], 0);
        struct kl_tip *head = kl_chain_head(w.chain);
        CHECK(head->dev->env.time_offset_s == 0 && head->dev->env.snapshot_count == 0);
        CHECK_U64(head->dev->env.next_snapshot, round + 2);
        kl_tip_unref(head);
        world_reopen(&w, round == 1);
        w.nonce[0] = w.nonce[1] = w.nonce[2] = 0;
    }
    world_done(&w);
}

KL_TEST(chain_lets_impersonated_contracts_send_without_a_signature)
{
    struct world w;
    kl_address contract = address_of(0xcc), to = address_of(0x11);
    u8 code[] = {0x00};
    world_init(&w);
    kl_tx *tx = KL_ZERO(&w.arena, kl_tx, 1);
    CHECK_RULE(world_dev(&w, &(kl_devop){.kind = KL_DEVOP_SET_CODE,
                                         .address = contract,
                                         .code = KL_SPAN_OF(code)}),
               KL_RULE_NONE);
    CHECK_RULE(world_dev(&w, &(kl_devop){.kind = KL_DEVOP_SET_BALANCE,
                                         .address = contract,
                                         .value = kl_u256_of(1000000000000000000)}),
               KL_RULE_NONE);
    CHECK_RULE(
        world_dev(&w, &(kl_devop){.kind = KL_DEVOP_IMPERSONATE, .address = contract, .flag = true}),
        KL_RULE_NONE);
    *tx = (kl_tx){
        .type = KL_TX_DYNAMIC_FEE,
        .replay_safe = true,
        .chain_id = 31337,
        .gas_limit = 21000,
        .max_fee = kl_u256_of(5000000000),
        .value = kl_u256_of(5),
        .has_to = true,
        .to = to,
        .signature = {.r = kl_u256_from_address(&contract)},
        .sender = contract,
        .has_sender = true,
    };
    u8 raw[256];
    kl_out out = kl_out_of(raw, sizeof raw);
    kl_tx_encode(&out, tx);
    tx->raw = kl_out_done(&out);
    tx->hash = kl_keccak256(tx->raw);
    world_block(&w, (const kl_tx *const *)&tx, 1);
    CHECK_U64(world_balance(&w, &to, 1).w[0], 5);
    world_reopen(&w, true);
    CHECK_U64(world_balance(&w, &to, 1).w[0], 5);
    world_done(&w);
}

/* Deploys a contract that logs its call data's words as topics (LOG2), and calls it. */
static kl_address deploy_logger(struct world *w)
{
    /* runtime: PUSH1 32 CALLDATALOAD PUSH0 CALLDATALOAD PUSH0 PUSH0 LOG2 STOP */
    kl_span code = kl_test_hex("6009600c60003960096000f3"
                               "602035"
                               "5f35"
                               "5f5f"
                               "a2"
                               "00");
    const kl_tx *tx = world_tx(w, 0, NULL, 0, code);
    world_block(w, &tx, 1);
    return kl_address_of_create(&w->account[0], tx->nonce);
}

struct found_logs {
    u64 numbers[256];
    usize indexes[256], count, most;
};

static bool collect(void *ctx, const kl_log_hit *hit)
{
    struct found_logs *found = ctx;
    CHECK(found->count < KL_COUNT_OF(found->numbers));
    found->numbers[found->count] = hit->block->block.header.number;
    found->indexes[found->count++] = hit->log_index;
    return found->count < found->most;
}

KL_TEST(chain_finds_logs_as_a_walk_over_all_blocks_does)
{
    enum { BLOCKS = 40, TOPICS = 4 };
    struct world w;
    kl_address loggers[2];
    struct {
        u64 number;
        usize index, logger, topic[2];
    } logs[256];
    usize log_count = 0;
    world_init(&w);
    loggers[0] = deploy_logger(&w);
    loggers[1] = deploy_logger(&w);
    for (int b = 0; b < BLOCKS; b++) {
        const kl_tx *txs[3];
        usize count = kl_rand_below(seed, 4);
        for (usize i = 0; i < count; i++) {
            u8 data[64] = {0};
            usize logger = kl_rand_below(seed, 2);
            for (usize t = 0; t < 2; t++)
                data[32 * t + 31] = (u8)(logs[log_count].topic[t] = kl_rand_below(seed, TOPICS));
            logs[log_count].logger = logger;
            logs[log_count].number = (u64)b + 3;
            logs[log_count++].index = i;
            txs[i] = world_tx(&w, i, &loggers[logger], 0, KL_SPAN_OF(data));
        }
        CHECK_U64(world_block(&w, txs, count), (u64)b + 3);
        if (kl_rand_below(seed, 8) == 0)
            world_flush(&w);
    }
    struct kl_reader *reader;
    CHECK_OK(kl_reader_open(w.chain, &reader));
    for (int round = 0; round < 200; round++) {
        kl_hash wanted[2][2] = {0};
        usize wanted_topic[2][2], topic_count[2], address_count = kl_rand_below(seed, 2);
        usize address = kl_rand_below(seed, 2);
        struct found_logs found = {.most = 1 + kl_rand_below(seed, 250)};
        kl_log_filter filter = {
            .from = kl_rand_below(seed, BLOCKS),
            .to = kl_rand_below(seed, 2 * BLOCKS),
            .addresses = &loggers[address],
            .address_count = address_count,
        };
        for (usize t = 0; t < 2; t++) {
            topic_count[t] = kl_rand_below(seed, 3);
            for (usize i = 0; i < topic_count[t]; i++)
                wanted[t][i].b[31] = (u8)(wanted_topic[t][i] = kl_rand_below(seed, TOPICS));
            filter.topics[t] = wanted[t];
            filter.topic_counts[t] = topic_count[t];
        }
        CHECK_OK(kl_reader_logs(reader, &filter, collect, &found));
        usize at = 0;
        for (usize l = 0; l < log_count && at < found.most; l++) {
            bool match = logs[l].number >= filter.from && logs[l].number <= filter.to &&
                         (!address_count || logs[l].logger == address);
            for (usize t = 0; t < 2 && match; t++) {
                match = topic_count[t] == 0;
                for (usize i = 0; i < topic_count[t]; i++)
                    match |= wanted_topic[t][i] == logs[l].topic[t];
            }
            if (!match)
                continue;
            CHECK(at < found.count && found.numbers[at] == logs[l].number &&
                  found.indexes[at] == logs[l].index);
            at++;
        }
        CHECK_U64(found.count, at);
    }
    kl_reader_close(reader);
    world_done(&w);
}

KL_TEST(chain_refuses_a_foreign_genesis_and_dev_operations_where_they_are_not_allowed)
{
    struct world w;
    kl_chain_report report;
    struct kl_chain *other;
    world_init(&w);
    kl_chain_close(w.chain);
    w.chain = NULL;
    const kl_chain_config config = {
        .fs = kl_sim_disk_fs(w.disk),
        .kv = w.kv,
        .genesis = KL_SPAN_TEXT("{\"config\":{\"chainId\":1},\"alloc\":{}}"),
        .segment_bytes = 1 << 20,
    };
    CHECK(kl_chain_open(&other, &config, NULL, &report) == KL_UNSUPPORTED);
    CHECK(report.other_genesis);
    CHECK_OK(world_try_open(&w));
    world_done(&w);
}

#include "host/host.h"

#include <stdio.h>

#include "base/test.h"
#include "chain/reader.h"
#include "crypto/crypto.h"
#include "sim/disk.h"
#include "sys/env.h"
#include "sys/thread.h"

#define GWEI      UINT64_C(1000000000)
#define LONG_NS   UINT64_C(600000000000)
#define HEARD_MAX 256u

/* Only the host's own account is rich. */
static const char genesis_form[] =
    "{\"config\":{\"chainId\":31337,\"homesteadBlock\":0,\"eip150Block\":0,\"eip155Block\":0,"
    "\"eip158Block\":0,\"byzantiumBlock\":0,\"constantinopleBlock\":0,\"petersburgBlock\":0,"
    "\"istanbulBlock\":0,\"berlinBlock\":0,\"londonBlock\":0,\"terminalTotalDifficulty\":0,"
    "\"shanghaiTime\":0,\"cancunTime\":0,\"keel\":{\"dev\":true}},\"baseFeePerGas\":\"0x3b9aca00\","
    "\"timestamp\":\"0x1\",\"gasLimit\":\"0x1c9c380\",\"difficulty\":\"0x0\",\"alloc\":{"
    "\"%s\":{\"balance\":\"0xde0b6b3a7640000\"},\"%s\":{\"balance\":\"0xde0b6b3a7640000\"},"
    "\"%s\":{\"balance\":\"0xde0b6b3a7640000\"},\"%s\":{\"balance\":\"0xde0b6b3a7640000\"}}}";

enum { ACCOUNTS = 4 };

/* A host over a simulated disk, with real threads and the real clock. */
struct rig {
    struct kl_sim_disk *disk;
    struct kl_kv *kv;
    struct kl_host *host;
    kl_host_config config;
    kl_thread threads[3];
    bool running;
    char genesis[2048];
    kl_address account[ACCOUNTS];

    struct kl_host_listener listener;
    kl_mutex lock; /* over what follows */
    kl_cond news;
    u64 versions[HEARD_MAX];
    usize tips, pendings, breaks;
    u64 number; /* of the newest block heard of */
};

static kl_secret32 key_of(usize account)
{
    return (kl_secret32){.b = {[31] = (u8)(account + 1)}};
}

static struct rig *rig_of(struct kl_host_listener *listener)
{
    return (struct rig *)((char *)listener - offsetof(struct rig, listener));
}

static void hear_tip(struct kl_host_listener *listener, struct kl_tip *tip)
{
    struct rig *rig = rig_of(listener);
    kl_lock(&rig->lock);
    if (rig->tips < HEARD_MAX)
        rig->versions[rig->tips] = tip->version;
    rig->tips++;
    rig->number = tip->header.number;
    kl_cond_broadcast(&rig->news);
    kl_unlock(&rig->lock);
}

static void hear_pending(struct kl_host_listener *listener, KL_UNUSED const kl_pool_tx *tx)
{
    struct rig *rig = rig_of(listener);
    kl_lock(&rig->lock);
    rig->pendings++;
    kl_cond_broadcast(&rig->news);
    kl_unlock(&rig->lock);
}

static void hear_broken(struct kl_host_listener *listener, kl_status status)
{
    struct rig *rig = rig_of(listener);
    CHECK(status != KL_OK);
    kl_lock(&rig->lock);
    rig->breaks++;
    kl_cond_broadcast(&rig->news);
    kl_unlock(&rig->lock);
}

static void *execution_main(void *host)
{
    kl_host_execution_run(host);
    return NULL;
}

static void *ledger_main(void *host)
{
    kl_host_ledger_run(host);
    return NULL;
}

static void *state_main(void *host)
{
    kl_host_state_run(host);
    return NULL;
}

static void rig_init(struct rig *rig)
{
    char address[ACCOUNTS][43];
    *rig = (struct rig){0};
    kl_mutex_init(&rig->lock);
    kl_cond_init(&rig->news);
    for (usize i = 0; i < ACCOUNTS; i++) {
        kl_secret32 key = key_of(i);
        kl_pubkey pubkey;
        CHECK(kl_secp256k1_pubkey(&pubkey, &key));
        rig->account[i] = kl_address_of_pubkey(&pubkey);
        kl_address_text(address[i], &rig->account[i]);
    }
    int len = snprintf(rig->genesis, sizeof rig->genesis, genesis_form, address[0], address[1],
                       address[2], address[3]);
    CHECK_OK(kl_sim_disk_new(&rig->disk));
    CHECK_OK(kl_memkv_open(&rig->kv, KL_TABLE_COUNT));
    rig->listener =
        (struct kl_host_listener){.tip = hear_tip, .pending = hear_pending, .broken = hear_broken};
    rig->config = (kl_host_config){
        .chain = {.kv = rig->kv,
                  .genesis = kl_span_of(rig->genesis, (usize)len),
                  .segment_bytes = 1 << 20},
        .pool = {.tx_max = 1000,
                 .bytes_max = 1 << 24,
                 .tx_bytes_max = 1 << 17,
                 .per_sender_max = 1000,
                 .queued_sender_max = 100,
                 .replace_percent = 10,
                 .nonce_gap_max = 1000},
        .durability = KL_DURABLE_SOON,
        .sync_interval_ns = GWEI / 1000,
        .automine = true,
        .lag_max = 1 << 26,
        .clock = kl_sys_clock(),
    };
}

static void rig_open(struct rig *rig)
{
    kl_chain_report report;
    rig->config.chain.fs = kl_sim_disk_fs(rig->disk);
    CHECK_OK(kl_host_open(&rig->host, &rig->config, NULL, &report));
    kl_host_listen(rig->host, &rig->listener);
}

static void rig_run(struct rig *rig)
{
    CHECK_OK(kl_thread_start(&rig->threads[0], "execution", execution_main, rig->host));
    CHECK_OK(kl_thread_start(&rig->threads[1], "ledger", ledger_main, rig->host));
    CHECK_OK(kl_thread_start(&rig->threads[2], "state", state_main, rig->host));
    rig->running = true;
}

static void rig_begin(struct rig *rig)
{
    rig_open(rig);
    rig_run(rig);
}

static void rig_stop(struct rig *rig)
{
    if (!rig->running)
        return;
    kl_host_stop(rig->host);
    for (usize i = 0; i < 3; i++)
        kl_thread_join(rig->threads[i]);
    rig->running = false;
}

static void rig_end(struct rig *rig)
{
    rig_stop(rig);
    kl_host_close(rig->host);
    rig->host = NULL;
}

static void rig_done(struct rig *rig)
{
    rig_end(rig);
    kl_kv_close(rig->kv);
    kl_sim_disk_free(rig->disk);
    kl_cond_done(&rig->news);
    kl_mutex_done(&rig->lock);
}

/* A new process on the disk that a power cut leaves, its state database gone too. */
static void rig_cut(struct rig *rig, kl_power_cut how)
{
    struct kl_sim_disk *left;
    CHECK_OK(kl_sim_disk_cut(rig->disk, kl_sim_disk_operations(rig->disk), how, 1, &left));
    rig_end(rig);
    kl_sim_disk_free(rig->disk);
    kl_kv_close(rig->kv);
    rig->disk = left;
    CHECK_OK(kl_memkv_open(&rig->kv, KL_TABLE_COUNT));
    rig->config.chain.kv = rig->kv;
    rig_begin(rig);
}

static u64 number_of(struct rig *rig)
{
    struct kl_tip *tip = kl_chain_published(kl_host_chain(rig->host));
    u64 number = tip->header.number;
    kl_tip_unref(tip);
    return number;
}

/* Waits until a block with this number is published. */
static void await_number(struct rig *rig, u64 number)
{
    kl_lock(&rig->lock);
    while (rig->number < number)
        kl_cond_wait(&rig->news, &rig->lock);
    kl_unlock(&rig->lock);
}

typedef struct sent {
    kl_status status;
    kl_rule broken;
    kl_hash hash;
} sent;

static sent send_tx(struct rig *rig, usize from, u64 nonce, u64 max_fee, kl_host_wait wait)
{
    struct kl_arena arena;
    sent s = {.broken = KL_RULE_COUNT};
    kl_secret32 key = key_of(from);
    kl_tx tx = {
        .type = KL_TX_DYNAMIC_FEE,
        .replay_safe = true,
        .has_to = true,
        .chain_id = 31337,
        .nonce = nonce,
        .gas_limit = 21000,
        .max_fee = kl_u256_of(max_fee),
        .max_priority_fee = kl_u256_of(1),
        .value = kl_u256_of(1),
        .to = {.b = {0x77}},
    };
    kl_arena_init(&arena, 1 << 20);
    CHECK_OK(kl_tx_sign(&tx, &key, &arena));
    s.status = kl_host_submit(
        rig->host, &tx, &(kl_host_submission){.wait = wait, .timeout_ns = LONG_NS}, &s.broken);
    s.hash = tx.hash;
    kl_arena_done(&arena);
    return s;
}

static void send_good(struct rig *rig, usize from, u64 nonce)
{
    sent s = send_tx(rig, from, nonce, 2 * GWEI, KL_HOST_WAIT_AUTOMINE);
    CHECK_OK(s.status);
    CHECK_RULE(s.broken, KL_RULE_NONE);
}

static u64 balance_of(struct rig *rig, const kl_address *address)
{
    struct kl_reader *reader;
    kl_account account;
    bool exists;
    u64 balance;
    kl_hash hash = kl_keccak256(kl_address_span(address));
    CHECK_OK(kl_reader_open(kl_host_chain(rig->host), &reader));
    CHECK_OK(kl_view_account(kl_reader_view(reader), &hash, &account, &exists));
    kl_reader_close(reader);
    CHECK(kl_u256_to_u64(&balance, account.balance));
    return balance;
}

static void count_pending(void *ctx, struct kl_pool *pool)
{
    *(usize *)ctx = kl_pool_count(pool).pending;
}

static usize pending_of(struct rig *rig)
{
    usize count;
    kl_host_with_pool(rig->host, count_pending, &count);
    return count;
}

KL_TEST(host_automine_makes_a_block_for_each_transaction_before_it_answers)
{
    struct rig rig;
    rig_init(&rig);
    rig_begin(&rig);
    for (u64 i = 0; i < 20; i++) {
        send_good(&rig, 0, i);
        CHECK_U64(number_of(&rig), i + 1);
    }
    CHECK_U64(balance_of(&rig, &(kl_address){.b = {0x77}}), 20);
    CHECK_U64(rig.pendings, 20);
    CHECK_U64(pending_of(&rig), 0);
    rig_done(&rig);
}

KL_TEST(host_tells_every_step_in_order)
{
    struct rig rig;
    rig_init(&rig);
    rig_begin(&rig);
    for (u64 i = 0; i < 5; i++)
        send_good(&rig, 0, i);
    CHECK_OK(kl_host_mine(rig.host, 3, 0));
    rig_stop(&rig);
    CHECK_U64(rig.tips, 8);
    for (usize i = 0; i < rig.tips; i++)
        CHECK_U64(rig.versions[i], i + 1);
    rig_done(&rig);
}

KL_TEST(host_does_not_wait_for_what_cannot_be_in_a_block)
{
    struct rig rig;
    rig_init(&rig);
    rig_begin(&rig);
    sent low = send_tx(&rig, 1, 0, GWEI / 2, KL_HOST_WAIT_AUTOMINE);
    CHECK_OK(low.status);
    CHECK_RULE(low.broken, KL_RULE_NONE);
    CHECK_U64(number_of(&rig), 0);
    CHECK_U64(pending_of(&rig), 1);
    send_good(&rig, 0, 0);
    CHECK_U64(number_of(&rig), 1);
    CHECK_U64(pending_of(&rig), 1);
    kl_rule broken;
    kl_devop cheap = {.kind = KL_DEVOP_NEXT_BASE_FEE, .value = kl_u256_of(1)};
    CHECK_OK(kl_host_dev(rig.host, &cheap, &broken));
    CHECK_RULE(broken, KL_RULE_NONE);
    await_number(&rig, 2);
    CHECK_U64(pending_of(&rig), 0);
    rig_done(&rig);
}

struct sender {
    struct rig *rig;
    usize account;
    u64 count;
    kl_thread thread;
    sent sent;
};

static void clear_pool(KL_UNUSED void *ctx, struct kl_pool *pool)
{
    kl_pool_clear(pool);
}

static void *wait_always(void *ctx)
{
    struct sender *s = ctx;
    s->sent = send_tx(s->rig, 0, 0, 2 * GWEI, KL_HOST_WAIT_ALWAYS);
    return NULL;
}

/* Who waits for a transaction that is dropped does not wait for ever. */
KL_TEST(host_tells_who_waits_that_it_is_gone)
{
    struct rig rig;
    rig_init(&rig);
    rig.config.automine = false;
    rig_begin(&rig);
    struct sender s = {.rig = &rig};
    CHECK_OK(kl_thread_start(&s.thread, "sender", wait_always, &s));
    kl_lock(&rig.lock);
    while (!rig.pendings)
        kl_cond_wait(&rig.news, &rig.lock);
    kl_unlock(&rig.lock);
    kl_host_with_pool(rig.host, clear_pool, NULL);
    kl_thread_join(s.thread);
    CHECK_OK(s.sent.status);
    CHECK_U64(number_of(&rig), 0);
    rig_done(&rig);
}

KL_TEST(host_refuses_with_the_pools_words)
{
    struct rig rig;
    rig_init(&rig);
    rig_begin(&rig);
    send_good(&rig, 0, 0);
    CHECK_RULE(send_tx(&rig, 0, 0, 2 * GWEI, KL_HOST_WAIT_AUTOMINE).broken, KL_RULE_TX_NONCE_LOW);
    sent gapped = send_tx(&rig, 0, 5, 2 * GWEI, KL_HOST_WAIT_AUTOMINE);
    CHECK_RULE(gapped.broken, KL_RULE_NONE);
    CHECK_RULE(send_tx(&rig, 0, 5, 2 * GWEI, KL_HOST_WAIT_AUTOMINE).broken, KL_RULE_POOL_KNOWN);
    CHECK_U64(number_of(&rig), 1);
    rig_done(&rig);
}

/* The pool does not look at the sender's code; the block does. */
KL_TEST(host_says_what_keeps_a_transaction_out_of_a_block)
{
    struct rig rig;
    kl_rule broken;
    u8 stop[] = {0x00};
    rig_init(&rig);
    rig_begin(&rig);
    kl_devop code = {
        .kind = KL_DEVOP_SET_CODE, .address = rig.account[1], .code = KL_SPAN_OF(stop)};
    CHECK_OK(kl_host_dev(rig.host, &code, &broken));
    CHECK_RULE(broken, KL_RULE_NONE);
    sent refused = send_tx(&rig, 1, 0, 2 * GWEI, KL_HOST_WAIT_AUTOMINE);
    CHECK_OK(refused.status);
    CHECK_RULE(refused.broken, KL_RULE_TX_SENDER_CODE);
    CHECK_U64(number_of(&rig), 0);
    CHECK_U64(pending_of(&rig), 0);
    send_good(&rig, 0, 0);
    rig_done(&rig);
}

KL_TEST(host_mines_by_hand_all_that_waits)
{
    struct rig rig;
    rig_init(&rig);
    rig.config.automine = false;
    rig_begin(&rig);
    for (u64 i = 0; i < 10; i++)
        send_good(&rig, i % 2, i / 2);
    CHECK_U64(number_of(&rig), 0);
    CHECK_U64(pending_of(&rig), 10);
    CHECK_OK(kl_host_mine(rig.host, 1, 0));
    CHECK_U64(number_of(&rig), 1);
    CHECK_U64(pending_of(&rig), 0);
    send_good(&rig, 0, 5);
    CHECK_U64(number_of(&rig), 1);
    kl_host_set_automine(rig.host, true);
    await_number(&rig, 2);
    rig_done(&rig);
}

KL_TEST(host_mines_blocks_apart_and_time_stays_ahead)
{
    struct rig rig;
    struct kl_tip *before, *after;
    rig_init(&rig);
    rig_begin(&rig);
    CHECK_OK(kl_host_mine(rig.host, 1, 0));
    before = kl_chain_published(kl_host_chain(rig.host));
    CHECK_OK(kl_host_mine(rig.host, 4, 100));
    CHECK_U64(number_of(&rig), 5);
    CHECK_OK(kl_host_mine(rig.host, 1, 0));
    after = kl_chain_published(kl_host_chain(rig.host));
    CHECK(after->header.timestamp >= before->header.timestamp + 300);
    CHECK(after->header.timestamp < before->header.timestamp + 400);
    kl_tip_unref(before);
    kl_tip_unref(after);
    rig_done(&rig);
}

KL_TEST(host_makes_interval_blocks_also_empty_ones)
{
    struct rig rig;
    rig_init(&rig);
    rig.config.automine = false;
    rig.config.interval_ns = GWEI / 1000;
    rig_begin(&rig);
    await_number(&rig, 3);
    u64 nonce = 0;
    sent s = send_tx(&rig, 0, nonce, 2 * GWEI, KL_HOST_WAIT_NOT);
    CHECK_RULE(s.broken, KL_RULE_NONE);
    await_number(&rig, number_of(&rig) + 2);
    CHECK_U64(pending_of(&rig), 0);
    CHECK_U64(kl_host_interval(rig.host), GWEI / 1000);
    kl_host_set_interval(rig.host, 0);
    CHECK_U64(kl_host_interval(rig.host), 0);
    rig_done(&rig);
}

KL_TEST(host_on_demand_makes_no_empty_blocks)
{
    struct rig rig;
    rig_init(&rig);
    rig.config.automine = false;
    rig.config.on_demand = true;
    rig.config.interval_ns = 1000;
    rig_begin(&rig);
    for (u64 i = 0; i < 5; i++) {
        CHECK_RULE(send_tx(&rig, 0, i, 2 * GWEI, KL_HOST_WAIT_NOT).broken, KL_RULE_NONE);
        await_number(&rig, i + 1);
    }
    CHECK_RULE(send_tx(&rig, 1, 0, 1, KL_HOST_WAIT_NOT).broken, KL_RULE_NONE);
    CHECK_RULE(send_tx(&rig, 0, 5, 2 * GWEI, KL_HOST_WAIT_NOT).broken, KL_RULE_NONE);
    await_number(&rig, 6);
    rig_stop(&rig);
    CHECK_U64(number_of(&rig), 6);
    rig_done(&rig);
}

KL_TEST(host_applies_dev_operations_and_takes_them_back)
{
    struct rig rig;
    kl_rule broken;
    kl_address who = {.b = {0x55}};
    kl_devop snapshot = {.kind = KL_DEVOP_SNAPSHOT};
    kl_devop set = {.kind = KL_DEVOP_SET_BALANCE, .address = who, .value = kl_u256_of(12345)};
    rig_init(&rig);
    rig_begin(&rig);
    CHECK_OK(kl_host_dev(rig.host, &snapshot, &broken));
    CHECK_RULE(broken, KL_RULE_NONE);
    CHECK_OK(kl_host_dev(rig.host, &set, &broken));
    CHECK_RULE(broken, KL_RULE_NONE);
    CHECK_U64(balance_of(&rig, &who), 12345);
    send_good(&rig, 0, 0);
    kl_devop back = {.kind = KL_DEVOP_REVERT, .number = snapshot.number};
    CHECK_OK(kl_host_dev(rig.host, &back, &broken));
    CHECK_RULE(broken, KL_RULE_NONE);
    CHECK_U64(balance_of(&rig, &who), 0);
    CHECK_U64(number_of(&rig), 0);
    send_good(&rig, 0, 0); /* the nonce is free again */
    CHECK_OK(kl_host_dev(rig.host, &back, &broken));
    CHECK_RULE(broken, KL_RULE_DEV_SNAPSHOT);
    rig_done(&rig);
}

static void *sender_main(void *ctx)
{
    struct sender *s = ctx;
    for (u64 i = 0; i < s->count; i++)
        send_good(s->rig, s->account, i);
    return NULL;
}

KL_TEST(host_serves_many_senders_at_once)
{
    struct rig rig;
    struct sender senders[ACCOUNTS];
    rig_init(&rig);
    rig_begin(&rig);
    for (usize i = 0; i < ACCOUNTS; i++) {
        senders[i] = (struct sender){.rig = &rig, .account = i, .count = 25};
        CHECK_OK(kl_thread_start(&senders[i].thread, "sender", sender_main, &senders[i]));
    }
    for (usize i = 0; i < ACCOUNTS; i++)
        kl_thread_join(senders[i].thread);
    CHECK_U64(number_of(&rig), 25 * ACCOUNTS);
    CHECK_U64(balance_of(&rig, &(kl_address){.b = {0x77}}), 25 * ACCOUNTS);
    rig_done(&rig);
}

KL_TEST(host_durable_block_survives_a_power_cut)
{
    struct rig rig;
    rig_init(&rig);
    rig.config.durability = KL_DURABLE_EACH;
    rig_begin(&rig);
    for (u64 i = 0; i < 3; i++)
        send_good(&rig, 0, i);
    rig_cut(&rig, KL_CUT_DROP);
    CHECK_U64(number_of(&rig), 3);
    send_good(&rig, 0, 3);
    CHECK_U64(number_of(&rig), 4);
    rig_done(&rig);
}

KL_TEST(host_written_block_survives_the_process)
{
    struct rig rig;
    rig_init(&rig);
    rig.config.sync_interval_ns = LONG_NS;
    rig_begin(&rig);
    for (u64 i = 0; i < 3; i++)
        send_good(&rig, 0, i);
    rig_cut(&rig, KL_CUT_KEEP);
    CHECK_U64(number_of(&rig), 3);
    rig_done(&rig);
}

KL_TEST(host_stops_with_everything_synced_and_flushed)
{
    struct rig rig;
    rig_init(&rig);
    rig.config.sync_interval_ns = LONG_NS;
    rig_begin(&rig);
    for (u64 i = 0; i < 30; i++)
        send_good(&rig, 0, i);
    rig_stop(&rig);
    kl_chain_lag lag;
    kl_chain_lag_of(kl_host_chain(rig.host), &lag);
    CHECK_U64(lag.synced, lag.head + 1);
    CHECK_U64(lag.flushed, lag.head);
    rig_cut(&rig, KL_CUT_DROP);
    CHECK_U64(number_of(&rig), 30);
    rig_done(&rig);
}

KL_TEST(host_that_stops_takes_no_more)
{
    struct rig rig;
    kl_rule broken;
    kl_devop op = {.kind = KL_DEVOP_SNAPSHOT};
    rig_init(&rig);
    rig_begin(&rig);
    rig_stop(&rig);
    CHECK(kl_host_mine(rig.host, 1, 0) == KL_CANCELED);
    CHECK(kl_host_dev(rig.host, &op, &broken) == KL_CANCELED);
    CHECK(send_tx(&rig, 0, 0, 2 * GWEI, KL_HOST_WAIT_AUTOMINE).status == KL_CANCELED);
    rig_done(&rig);
}

static void check_broken(struct rig *rig, kl_status status, u64 number)
{
    kl_rule broken;
    kl_devop op = {.kind = KL_DEVOP_SNAPSHOT};
    CHECK(kl_host_health(rig->host) == status);
    CHECK_U64(rig->breaks, 1);
    CHECK(kl_host_mine(rig->host, 1, 0) == status);
    CHECK(kl_host_dev(rig->host, &op, &broken) == status);
    CHECK(send_tx(rig, 1, 0, 2 * GWEI, KL_HOST_WAIT_AUTOMINE).status == status);
    CHECK_U64(number_of(rig), number);
    CHECK_U64(balance_of(rig, &(kl_address){.b = {0x77}}), number);
}

KL_TEST(host_whose_disk_is_full_keeps_answering)
{
    struct rig rig;
    rig_init(&rig);
    rig_begin(&rig);
    send_good(&rig, 0, 0);
    rig_stop(&rig);
    rig_end(&rig);
    rig.tips = 0;
    rig_begin(&rig);
    kl_sim_disk_fail(rig.disk, 0, KL_FULL, 7);
    CHECK(send_tx(&rig, 0, 1, 2 * GWEI, KL_HOST_WAIT_AUTOMINE).status == KL_FULL);
    check_broken(&rig, KL_FULL, 1);
    CHECK_U64(rig.tips, 0);
    kl_sim_disk_fail(rig.disk, 0, KL_OK, 7);
    check_broken(&rig, KL_FULL, 1);
    rig_cut(&rig, KL_CUT_KEEP);
    send_good(&rig, 1, 0);
    rig_done(&rig);
}

KL_TEST(host_acknowledges_no_block_whose_sync_failed)
{
    struct rig rig;
    rig_init(&rig);
    rig.config.durability = KL_DURABLE_EACH;
    rig_begin(&rig);
    send_good(&rig, 0, 0);
    kl_sim_disk_fail(rig.disk, 1, KL_IO, 7); /* behind the write */
    CHECK(send_tx(&rig, 0, 1, 2 * GWEI, KL_HOST_WAIT_AUTOMINE).status == KL_IO);
    check_broken(&rig, KL_IO, 1);
    rig_done(&rig);
}

/* Blocks, dev operations and a segment's end, until something fails; how many blocks are known to
 * be there. */
static u64 work_until_failure(struct rig *rig)
{
    static u8 code[6000];
    kl_rule broken;
    kl_devop op = {.kind = KL_DEVOP_SET_CODE, .address = {{9}}, .code = KL_SPAN_OF(code)};
    u64 known = 0;
    for (u64 i = 0; i < 6; i++) {
        if (send_tx(rig, 0, i, 2 * GWEI, true).status != KL_OK)
            return known;
        known++;
        if (kl_host_dev(rig->host, &op, &broken) != KL_OK)
            return known;
        CHECK_RULE(broken, KL_RULE_NONE);
    }
    return known;
}

/* Operation n of the disk and all behind it fail; returns false when there are not so many. */
static bool fail_and_come_back(struct rig *rig, u64 n, kl_status fault)
{
    bool each = rig->config.durability == KL_DURABLE_EACH;
    rig_begin(rig);
    u64 begun = kl_sim_disk_operations(rig->disk);
    kl_sim_disk_fail(rig->disk, n, fault, n);
    u64 known = work_until_failure(rig);
    kl_status health = kl_host_health(rig->host);
    CHECK(known == 6 || health == fault);
    CHECK(number_of(rig) >= known);
    CHECK_U64(balance_of(rig, &(kl_address){.b = {0x77}}), number_of(rig));
    rig_stop(rig);
    CHECK(number_of(rig) >= known);
    bool failed = kl_sim_disk_operations(rig->disk) - begun >= n;
    kl_sim_disk_fail(rig->disk, 0, KL_OK, 0);
    rig_cut(rig, each ? KL_CUT_DROP : KL_CUT_KEEP);
    CHECK(number_of(rig) >= known);
    CHECK_U64(balance_of(rig, &(kl_address){.b = {0x77}}), number_of(rig));
    send_good(rig, 1, 0);
    return failed;
}

static void fail_everywhere(kl_durability durability, kl_status fault)
{
    bool failed = true;
    for (u64 n = 0; failed; n++) {
        struct rig rig;
        CHECK(n < 1000);
        rig_init(&rig);
        rig.config.durability = durability;
        rig.config.chain.segment_bytes = 16 << 10;
        failed = fail_and_come_back(&rig, n, fault);
        rig_done(&rig);
    }
}

KL_TEST(host_loses_nothing_whichever_operation_of_the_disk_fails)
{
    fail_everywhere(KL_DURABLE_EACH, KL_IO);
    fail_everywhere(KL_DURABLE_SOON, KL_FULL);
}

/* Has the chain let go of its first blocks and states? */
static bool has_let_go(struct rig *rig)
{
    struct kl_reader *reader;
    CHECK_OK(kl_reader_open(kl_host_chain(rig->host), &reader));
    bool gone = kl_reader_oldest_block(reader) > 0 && kl_reader_oldest_state(reader) > 0;
    kl_reader_close(reader);
    return gone;
}

/* Checkpoints on the state thread, segments that go on the execution thread, syncs beside both: how
 * many blocks that takes is the threads' business. */
KL_TEST(host_lets_go_of_what_need_not_be_kept_while_it_works)
{
    struct rig rig;
    u64 count = 80;
    rig_init(&rig);
    rig.config.chain.segment_bytes = 16 << 10;
    rig.config.chain.keep_blocks = 5;
    rig.config.chain.keep_history = 5;
    rig_begin(&rig);
    for (u64 i = 0; i < count; i++) {
        send_good(&rig, i % ACCOUNTS, i / ACCOUNTS);
        CHECK_U64(balance_of(&rig, &(kl_address){.b = {0x77}}), i + 1);
    }
    rig_end(&rig);
    rig_begin(&rig);
    do { /* each append removes what may go; a restart would begin a checkpoint anew */
        send_good(&rig, 0, 20 + count - 80);
        count++;
    } while (!has_let_go(&rig) && count < 5000);
    CHECK(has_let_go(&rig));
    rig_cut(&rig, KL_CUT_KEEP);
    CHECK_U64(number_of(&rig), count);
    rig_done(&rig);
}

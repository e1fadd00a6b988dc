#include "node/node.h"

#include <fcntl.h>
#include <ftw.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/test.h"
#include "chain/reader.h"
#include "node/dev_genesis.h"
#include "node/folder.h"
#include "sys/tcp.h"

#define GWEI UINT64_C(1000000000)

static const char words[] = "test test test test test test test test test test test junk";

/* A node on a folder of its own, with three accounts. */
struct rig {
    char dir[64]; /* "" for none */
    struct kl_wallet *wallet;
    struct kl_buf genesis;
    kl_node_config config;
    kl_node_report report;
    kl_node_fault fault;
    struct kl_node *node;
    struct kl_arena arena;
    u64 nonce;
};

static void make_genesis(struct rig *rig, u64 chain_id)
{
    kl_address accounts[3];
    for (usize i = 0; i < KL_COUNT_OF(accounts); i++)
        accounts[i] = *kl_wallet_address(rig->wallet, i);
    kl_buf_clear(&rig->genesis);
    CHECK_OK(kl_dev_genesis_write(&rig->genesis, &(kl_dev_genesis){
                                                     .chain_id = chain_id,
                                                     .fork = KL_OSAKA,
                                                     .timestamp = 1700000000,
                                                     .gas_limit = 30000000,
                                                     .base_fee = GWEI,
                                                     .accounts = accounts,
                                                     .account_count = KL_COUNT_OF(accounts),
                                                     .balance = kl_u256_of(UINT64_MAX),
                                                 }));
    rig->config.genesis = kl_buf_view(&rig->genesis);
}

static void rig_init(struct rig *rig, bool kept)
{
    bool bad;
    *rig = (struct rig){0};
    kl_arena_init(&rig->arena, 64 << 20);
    kl_buf_init(&rig->genesis, 1 << 20);
    CHECK_OK(kl_wallet_from_mnemonic(&rig->wallet, KL_SPAN_TEXT(words), KL_SPAN_NONE, 3, &bad));
    CHECK(!bad);
    if (kept) {
        snprintf(rig->dir, sizeof rig->dir, "/tmp/keel-test-XXXXXX");
        CHECK(mkdtemp(rig->dir) != NULL);
    }
    rig->config = (kl_node_config){
        .client_version = "Keel/test",
        .dir = kept ? rig->dir : NULL,
        .automine = true,
        .host = "127.0.0.1",
        .wallet = rig->wallet,
        .log_fd = -1,
    };
    make_genesis(rig, 31337);
}

static int remove_entry(const char *path, KL_UNUSED const struct stat *info, KL_UNUSED int kind,
                        KL_UNUSED struct FTW *walk)
{
    return remove(path);
}

static void remove_all(const char *path)
{
    CHECK(nftw(path, remove_entry, 16, FTW_DEPTH | FTW_PHYS) == 0);
}

static void rig_done(struct rig *rig)
{
    kl_node_close(rig->node);
    kl_wallet_free(rig->wallet);
    kl_buf_done(&rig->genesis);
    kl_arena_done(&rig->arena);
    if (*rig->dir)
        remove_all(rig->dir);
}

static void rig_open(struct rig *rig)
{
    kl_status status = kl_node_open(&rig->node, &rig->config, &rig->report, &rig->fault);
    if (status != KL_OK)
        kl_test_fail(__FILE__, __LINE__, "open: %s", rig->fault.text);
    CHECK_OK(kl_node_start(rig->node, &rig->fault));
}

static void rig_close(struct rig *rig)
{
    kl_node_close(rig->node);
    rig->node = NULL;
}

/* Opening fails with status and says all of the words. */
static void check_refused(struct rig *rig, kl_status status, const char *a, const char *b)
{
    struct kl_node *node;
    kl_node_report report;
    CHECK(kl_node_open(&node, &rig->config, &report, &rig->fault) == status);
    if (!strstr(rig->fault.text, a) || !strstr(rig->fault.text, b))
        kl_test_fail(__FILE__, __LINE__, "says: %s", rig->fault.text);
}

/* A transfer from the first account, in a block when it returns. */
static kl_hash send_value(struct rig *rig, u64 value)
{
    KL_SECRET key;
    kl_rule broken;
    kl_tx tx = {
        .type = KL_TX_DYNAMIC_FEE,
        .has_to = true,
        .replay_safe = true,
        .chain_id = 31337,
        .nonce = rig->nonce++,
        .gas_limit = 21000,
        .max_fee = kl_u256_of(2 * GWEI),
        .max_priority_fee = kl_u256_of(GWEI),
        .value = kl_u256_of(value),
        .to = {.b = {0x77}},
    };
    kl_wallet_reveal(rig->wallet, 0, &key);
    CHECK_OK(kl_tx_sign(&tx, &key, &rig->arena));
    CHECK_OK(kl_host_submit(kl_node_host(rig->node), &tx, true, UINT64_MAX / 2, &broken));
    CHECK_RULE(broken, KL_RULE_NONE);
    return tx.hash;
}

static u64 block_number(struct rig *rig)
{
    struct kl_tip *tip = kl_chain_published(kl_host_chain(kl_node_host(rig->node)));
    u64 number = tip->header.number;
    kl_tip_unref(tip);
    return number;
}

static bool has_tx(struct rig *rig, const kl_hash *hash)
{
    struct kl_reader *reader;
    u64 number;
    usize index;
    CHECK_OK(kl_reader_open(kl_host_chain(kl_node_host(rig->node)), &reader));
    bool found = kl_reader_tx(reader, hash, &number, &index) == KL_OK;
    kl_reader_close(reader);
    return found;
}

/* Sends text to the node and returns the whole answer, which must end with `end`. */
static void talk(struct rig *rig, const char *text, const char *end, char *answer, usize size)
{
    int fd;
    usize len = 0;
    CHECK_OK(kl_tcp_connect(&fd, "127.0.0.1", kl_node_port(rig->node)));
    CHECK(fcntl(fd, F_SETFL, 0) == 0); /* wait for it */
    CHECK(send(fd, text, strlen(text), MSG_NOSIGNAL) == (ssize_t)strlen(text));
    answer[0] = '\0';
    while (!strstr(answer, end)) {
        ssize_t got = recv(fd, answer + len, size - 1 - len, 0);
        if (got <= 0)
            kl_test_fail(__FILE__, __LINE__, "answer: %s", answer);
        len += (usize)got;
        answer[len] = '\0';
    }
    kl_tcp_close(fd);
}

KL_TEST(node_answers_over_http_and_websocket)
{
    struct rig rig;
    char answer[2000];
    rig_init(&rig, false);
    rig_open(&rig);
    (void)send_value(&rig, 5);
    talk(
        &rig,
        "POST / HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 59\r\n\r\n"
        "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"eth_blockNumber\",\"x\":123}",
        "\"result\":\"0x1\"}", answer, sizeof answer);
    talk(&rig,
         "GET / HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
         "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n",
         "\r\n\r\n", answer, sizeof answer);
    CHECK(strstr(answer, "101 ") != NULL);
    rig_done(&rig);
}

KL_TEST(node_has_its_chain_after_reopening)
{
    struct rig rig;
    rig_init(&rig, true);
    rig_open(&rig);
    CHECK(rig.report.created);
    kl_hash first = send_value(&rig, 1);
    kl_hash last = send_value(&rig, 2);
    CHECK_U64(block_number(&rig), 2);
    rig_close(&rig);
    rig_open(&rig);
    CHECK(!rig.report.created && !rig.report.rebuilt);
    CHECK_U64(block_number(&rig), 2);
    CHECK(has_tx(&rig, &first) && has_tx(&rig, &last));
    (void)send_value(&rig, 3);
    CHECK_U64(block_number(&rig), 3);
    rig_done(&rig);
}

static void *stop_soon(void *node)
{
    kl_node_stop(node);
    return NULL;
}

KL_TEST(node_runs_until_stopped)
{
    struct rig rig;
    pthread_t thread;
    rig_init(&rig, false);
    rig_open(&rig);
    CHECK(pthread_create(&thread, NULL, stop_soon, rig.node) == 0);
    CHECK_OK(kl_node_run(rig.node));
    CHECK(pthread_join(thread, NULL) == 0);
    rig_done(&rig);
}

KL_TEST(node_refuses_a_folder_in_use)
{
    struct rig rig, other;
    rig_init(&rig, true);
    rig_open(&rig);
    rig_init(&other, false);
    other.config.dir = rig.dir;
    check_refused(&other, KL_BUSY, "another keel is running on", "--dir");
    rig_done(&other);
    rig_done(&rig);
}

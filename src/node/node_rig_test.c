#include "node/node_rig_test.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/test.h"
#include "chain/reader.h"
#include "node/dev_genesis.h"
#include "sys/tcp.h"

#define GWEI UINT64_C(1000000000)

static const char words[] = "test test test test test test test test test test test junk";

void node_rig_make_genesis(struct node_rig *rig, u64 chain_id)
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

void node_rig_init(struct node_rig *rig, bool kept)
{
    bool bad;
    *rig = (struct node_rig){0};
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
    node_rig_make_genesis(rig, 31337);
}

void node_rig_done(struct node_rig *rig)
{
    kl_node_close(rig->node);
    kl_wallet_free(rig->wallet);
    kl_buf_done(&rig->genesis);
    kl_arena_done(&rig->arena);
    if (*rig->dir)
        kl_test_remove(rig->dir);
}

void node_rig_open(struct node_rig *rig)
{
    kl_status status = kl_node_open(&rig->node, &rig->config, &rig->report, &rig->fault);
    if (status != KL_OK)
        kl_test_fail(__FILE__, __LINE__, "open: %s", rig->fault.text);
    CHECK_OK(kl_node_start(rig->node, &rig->fault));
}

void node_rig_close(struct node_rig *rig)
{
    kl_node_close(rig->node);
    rig->node = NULL;
}

/* Opening fails with status and says all of the words. */
void node_rig_check_refused(struct node_rig *rig, kl_status status, const char *a, const char *b)
{
    struct kl_node *node;
    kl_node_report report;
    CHECK(kl_node_open(&node, &rig->config, &report, &rig->fault) == status);
    if (!strstr(rig->fault.text, a) || !strstr(rig->fault.text, b))
        kl_test_fail(__FILE__, __LINE__, "says: %s", rig->fault.text);
}

/* A transfer from the first account, in a block when it returns. */
kl_hash node_rig_send_value(struct node_rig *rig, u64 value)
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
    CHECK_OK(kl_host_submit(
        kl_node_host(rig->node), &tx,
        &(kl_host_submission){.wait = KL_HOST_WAIT_AUTOMINE, .timeout_ns = UINT64_MAX / 2},
        &broken));
    CHECK_RULE(broken, KL_RULE_NONE);
    return tx.hash;
}

u64 node_rig_block_number(struct node_rig *rig)
{
    struct kl_tip *tip = kl_chain_published(kl_host_chain(kl_node_host(rig->node)));
    u64 number = tip->header.number;
    kl_tip_unref(tip);
    return number;
}

bool node_rig_has_tx(struct node_rig *rig, const kl_hash *hash)
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
void node_rig_talk(struct node_rig *rig, const char *text, const char *end, char *answer,
                   usize size)
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

const char node_rig_ask_number[] =
    "POST / HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 59\r\n\r\n"
    "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"eth_blockNumber\",\"x\":123}";

const char node_rig_ask_status[] =
    "POST / HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 47\r\n\r\n"
    "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"keel_status\"}";

/* What is answered before the connection ends or its length is reached; "": nothing. */
void node_rig_ask_port(u16 port, const char *text, char *answer, usize size)
{
    int fd;
    usize len = 0;
    answer[0] = '\0';
    if (kl_tcp_connect(&fd, "127.0.0.1", port) != KL_OK)
        return;
    CHECK(fcntl(fd, F_SETFL, 0) == 0);
    ssize_t got = send(fd, text, strlen(text), MSG_NOSIGNAL);
    while (got > 0 && !strstr(answer, "\n\r\n{") && len + 1 < size) {
        got = recv(fd, answer + len, size - 1 - len, 0);
        len += (usize)KL_MAX(got, 0);
        answer[len] = '\0';
    }
    kl_tcp_close(fd);
}

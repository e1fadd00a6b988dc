/* A node whose chain is voted on, over the closing and opening of that chain. */
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/test.h"
#include "chain/reader.h"
#include "node/network.h"
#include "node/node_priv.h"
#include "node/node_rig_test.h"

#define GWEI UINT64_C(1000000000)

enum { ENOUGH_GAS = 21000, RUNS = 3 };

/* Opens the first node of a network that begins with so many validators. */
static void open_first(struct node_rig *rig, u32 count, char dir[200])
{
    char network[160];
    kl_hash genesis;
    const kl_address *account = kl_wallet_address(rig->wallet, 0);
    CHECK(snprintf(network, sizeof network, "%s/net", rig->dir) < (int)sizeof network);
    const kl_network_config config = {
        .client_version = "Keel/test",
        .dir = network,
        .count = count,
        .scheme = kl_vote_scheme_of(KL_SCHEME_SECP256K1, false),
        .chain_id = 31337,
        .timestamp = 1700000000,
        .base_port = 30300, /* another file says where it listens */
        .epoch_blocks = 100,
        .block_period_ms = 20,
        .delta_ms = 50,
        .funded = account,
        .funded_count = 1,
    };
    if (kl_network_make(&config, &genesis, &rig->fault) != KL_OK)
        kl_test_fail(__FILE__, __LINE__, "make: %s", rig->fault.text);
    CHECK(snprintf(dir, 200, "%s/node-0", network) < 200);
    char path[256];
    CHECK(snprintf(path, sizeof path, "%s/network.json", dir) < (int)sizeof path);
    FILE *file = fopen(path, "w");
    CHECK(file && fputs("{\"version\": 2, \"listen\": \"/ip4/127.0.0.1/tcp/0\", \"peers\": [], "
                        "\"open\": false}\n",
                        file) >= 0);
    CHECK(fclose(file) == 0);
    rig->config.dir = dir;
    rig->config.genesis = KL_SPAN_NONE;
    rig->config.automine = false;
    node_rig_open(rig);
}

static kl_tx transfer(struct node_rig *rig, u64 nonce)
{
    KL_SECRET key;
    kl_tx tx = {
        .type = KL_TX_DYNAMIC_FEE,
        .has_to = true,
        .replay_safe = true,
        .chain_id = 31337,
        .nonce = nonce,
        .gas_limit = ENOUGH_GAS,
        .max_fee = kl_u256_of(20 * GWEI),
        .max_priority_fee = kl_u256_of(GWEI),
        .value = kl_u256_of(1),
        .to = {.b = {0x77}},
    };
    kl_wallet_reveal(rig->wallet, 0, &key);
    CHECK_OK(kl_tx_sign(&tx, &key, &rig->arena));
    return tx;
}

static void submit(struct node_rig *rig, const kl_tx *tx)
{
    kl_rule broken;
    CHECK_OK(kl_member_submit(rig->node->member, tx, true, 0, &broken));
    CHECK_RULE(broken, KL_RULE_NONE);
}

static void *stop_when_turned(void *ctx)
{
    struct kl_node *node = ctx;
    while (atomic_load(&node->bell.turn))
        sched_yield();
    kl_node_stop(node);
    return NULL;
}

/* Runs the node until its chain was opened again. */
static void turn(struct node_rig *rig)
{
    pthread_t thread;
    kl_node_turn(rig->node);
    atomic_store(&rig->node->bell.stop, false);
    CHECK(pthread_create(&thread, NULL, stop_when_turned, rig->node) == 0);
    CHECK_OK(kl_node_run(rig->node, &rig->fault));
    CHECK(pthread_join(thread, NULL) == 0);
}

struct asker {
    struct kl_node *node;
    u16 port;
    char wants[100];
    char ask[400];
};

/* Asks the server, through its being away, until it answers what is wanted. */
static void *stop_when_answered(void *ctx)
{
    struct asker *asker = ctx;
    char answer[4000] = "";
    while (!strstr(answer, asker->wants))
        node_rig_ask_port(asker->port, asker->ask, answer, sizeof answer);
    kl_node_stop(asker->node);
    return NULL;
}

/* Runs the node until the account has that nonce at the newest block. */
static void run_until_nonce(struct node_rig *rig, u64 nonce)
{
    struct asker asker = {.node = rig->node, .port = kl_node_port(rig->node)};
    const kl_address *account = kl_wallet_address(rig->wallet, 0);
    pthread_t thread;
    char body[200];
    int len = snprintf(body, sizeof body,
                       "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"eth_getTransactionCount\","
                       "\"params\":[\"0x");
    for (usize i = 0; i < sizeof account->b; i++)
        len += snprintf(body + len, sizeof body - (usize)len, "%02x", account->b[i]);
    len += snprintf(body + len, sizeof body - (usize)len, "\",\"latest\"]}");
    snprintf(asker.ask, sizeof asker.ask,
             "POST / HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
             "Content-Length: %d\r\n\r\n%s",
             len, body);
    snprintf(asker.wants, sizeof asker.wants, "\"result\":\"0x%llx\"", (unsigned long long)nonce);
    atomic_store(&rig->node->bell.stop, false);
    CHECK(pthread_create(&thread, NULL, stop_when_answered, &asker) == 0);
    CHECK_OK(kl_node_run(rig->node, &rig->fault));
    CHECK(pthread_join(thread, NULL) == 0);
}

/* A validator goes on voting, with the guard and the log that it had; what its own users have
 * sent, and what cannot be in a block yet, is still there. */
KL_TEST(node_votes_on_when_its_chain_was_opened_again)
{
    struct node_rig rig;
    char dir[200];
    node_rig_init(&rig, true);
    open_first(&rig, 1, dir);
    u16 port = kl_node_port(rig.node);
    for (u64 i = 0; i < RUNS; i++) {
        const kl_tx later = transfer(&rig, 2 * i + 1), first = transfer(&rig, 2 * i);
        submit(&rig, &later);
        turn(&rig);
        submit(&rig, &first);
        run_until_nonce(&rig, 2 * i + 2);
    }
    kl_replica_why why;
    kl_member_why(rig.node->member, &why);
    CHECK(why.consensus.signing && kl_node_health(rig.node) == KL_OK);
    CHECK_U64(kl_node_port(rig.node), port);
    node_rig_done(&rig);
}

/* What cannot be served any more is no success of the process. */
KL_TEST(node_that_cannot_go_on_with_an_opened_chain_ends_with_a_failure)
{
    struct node_rig rig;
    char dir[200], path[256];
    node_rig_init(&rig, true);
    open_first(&rig, 2, dir);
    CHECK_OK(kl_node_health(rig.node));
    CHECK(snprintf(path, sizeof path, "%s/network.json", dir) < (int)sizeof path);
    CHECK(unlink(path) == 0);
    kl_node_turn(rig.node);
    CHECK(kl_node_run(rig.node, &rig.fault) == KL_UNSUPPORTED);
    CHECK(strstr(rig.fault.text, "no network.json"));
    CHECK_OK(kl_node_run(rig.node, &rig.fault)); /* said once */
    CHECK(kl_node_health(rig.node) == KL_UNSUPPORTED);
    node_rig_done(&rig);
}

static void write_file(const char *dir, const char *name, const char *text)
{
    char path[256];
    CHECK(snprintf(path, sizeof path, "%s/%s", dir, name) < (int)sizeof path);
    FILE *file = fopen(path, "w");
    CHECK(file && fputs(text, file) >= 0 && fclose(file) == 0 && chmod(path, 0600) == 0);
}

static void move_file(const char *dir, const char *from, const char *to)
{
    char a[256], b[256];
    CHECK(snprintf(a, sizeof a, "%s/%s", dir, from) < (int)sizeof a);
    CHECK(snprintf(b, sizeof b, "%s/%s", dir, to) < (int)sizeof b);
    CHECK(rename(a, b) == 0 || errno == ENOENT);
}

/* Of a file in the state's folder, which has all its files deleted where the state is. */
static bool keeps_mark(const char *dir)
{
    char path[256];
    CHECK(snprintf(path, sizeof path, "%s/state/mark", dir) < (int)sizeof path);
    return access(path, F_OK) == 0;
}

/* Whoever misspells a file, or loses one, has no state to make again for it. */
KL_TEST(node_keeps_its_state_when_what_lies_beside_the_chain_is_damaged)
{
    static const struct {
        const char *name, *text, *says;
    } cases[] = {
        {"network.json", "{\"version\": 2}", "network.json"},
        {"node.key", "nothing", "node.key"},
        {"validator/key.json", "{}", "validator/key.json"},
        {"transactions.journal", "keel tx\377", "transactions.journal"},
    };
    struct node_rig rig;
    char dir[200];
    node_rig_init(&rig, true);
    open_first(&rig, 1, dir);
    const kl_tx first = transfer(&rig, 0);
    submit(&rig, &first);
    run_until_nonce(&rig, 1);
    node_rig_close(&rig);
    write_file(dir, "state/mark", "");
    for (usize i = 0; i < KL_COUNT_OF(cases); i++) {
        move_file(dir, cases[i].name, "aside");
        write_file(dir, cases[i].name, cases[i].text);
        struct kl_node *node;
        kl_status status = kl_node_open(&node, &rig.config, &rig.report, &rig.fault);
        if (status == KL_OK || !strstr(rig.fault.text, cases[i].says))
            kl_test_fail(__FILE__, __LINE__, "%s: %s: %s", cases[i].name, kl_status_text(status),
                         rig.fault.text);
        CHECK(keeps_mark(dir));
        move_file(dir, cases[i].name, "bad");
        move_file(dir, "aside", cases[i].name);
    }
    rig.config.port = 0;
    node_rig_open(&rig);
    CHECK(!rig.report.rebuilt && keeps_mark(dir));
    node_rig_done(&rig);
}

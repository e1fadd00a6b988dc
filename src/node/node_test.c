#include "node/node.h"

#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
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

static void rig_done(struct rig *rig)
{
    kl_node_close(rig->node);
    kl_wallet_free(rig->wallet);
    kl_buf_done(&rig->genesis);
    kl_arena_done(&rig->arena);
    if (*rig->dir)
        kl_test_remove(rig->dir);
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
    CHECK_OK(kl_host_submit(
        kl_node_host(rig->node), &tx,
        &(kl_host_submission){.wait = KL_HOST_WAIT_AUTOMINE, .timeout_ns = UINT64_MAX / 2},
        &broken));
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

static const char ask_number[] =
    "POST / HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 59\r\n\r\n"
    "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"eth_blockNumber\",\"x\":123}";

static const char ask_status[] =
    "POST / HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 47\r\n\r\n"
    "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"keel_status\"}";

/* What is answered before the connection ends or its length is reached; "": nothing. */
static void ask_port(u16 port, const char *text, char *answer, usize size)
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

KL_TEST(node_answers_over_http_and_websocket)
{
    struct rig rig;
    char answer[2000];
    rig_init(&rig, false);
    rig_open(&rig);
    (void)send_value(&rig, 5);
    talk(&rig, ask_number, "\"result\":\"0x1\"}", answer, sizeof answer);
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
    CHECK_OK(kl_node_run(rig.node, &rig.fault));
    CHECK(pthread_join(thread, NULL) == 0);
    rig_done(&rig);
}

/* Blocks go on while the server begins and ends: they are news for a server or for nobody. */
KL_TEST(node_begins_and_ends_among_blocks)
{
    struct rig rig;
    rig_init(&rig, true);
    rig.config.block_time_ns = 1000000;
    for (usize i = 0; i < 5; i++) {
        rig_open(&rig);
        send_value(&rig, 1);
        rig_close(&rig);
    }
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

KL_TEST(node_refuses_another_genesis_and_tells_the_difference)
{
    struct rig rig;
    rig_init(&rig, true);
    rig_open(&rig);
    (void)send_value(&rig, 1);
    rig_close(&rig);
    make_genesis(&rig, 5);
    check_refused(&rig, KL_UNSUPPORTED, "it has \"chainId\": 31337 where \"chainId\": 5",
                  "--reset");
    make_genesis(&rig, 31337);
    rig_open(&rig);
    CHECK_U64(block_number(&rig), 1);
    rig_done(&rig);
}

KL_TEST(node_says_that_the_folders_genesis_file_is_damaged)
{
    struct rig rig;
    char path[128];
    rig_init(&rig, true);
    rig_open(&rig);
    rig_close(&rig);
    make_genesis(&rig, 5);
    snprintf(path, sizeof path, "%s/genesis.json", rig.dir);
    CHECK(truncate(path, 40) == 0);
    check_refused(&rig, KL_UNSUPPORTED, "genesis.json is missing or damaged", "--reset");
    CHECK(unlink(path) == 0);
    check_refused(&rig, KL_UNSUPPORTED, "genesis.json is missing or damaged", "--reset");
    rig_done(&rig);
}

KL_TEST(node_resets_a_folder_and_leaves_what_is_not_its_own)
{
    struct rig rig;
    char path[128];
    rig_init(&rig, true);
    rig_open(&rig);
    (void)send_value(&rig, 1);
    rig_close(&rig);
    snprintf(path, sizeof path, "%s/notes.txt", rig.dir);
    FILE *file = fopen(path, "w");
    CHECK(file && fclose(file) == 0);
    make_genesis(&rig, 5);
    rig.config.reset = true;
    rig_open(&rig);
    CHECK(rig.report.created);
    CHECK_U64(block_number(&rig), 0);
    CHECK_U64(kl_chain_spec(kl_host_chain(kl_node_host(rig.node)))->chain_id, 5);
    CHECK(access(path, F_OK) == 0);
    rig_done(&rig);
}

static void remove_in(struct rig *rig, const char *name)
{
    char path[128];
    snprintf(path, sizeof path, "%s/%s", rig->dir, name);
    kl_test_remove(path);
}

/* The same head and the same state as before. */
static void check_same(struct rig *rig, u64 number, const kl_hash *tx)
{
    CHECK_U64(block_number(rig), number);
    CHECK(has_tx(rig, tx));
    (void)send_value(rig, 9); /* nonce and balance are right */
    CHECK_U64(block_number(rig), number + 1);
}

KL_TEST(node_makes_a_lost_state_database_again)
{
    struct rig rig;
    rig_init(&rig, true);
    rig_open(&rig);
    kl_hash tx = send_value(&rig, 1);
    (void)send_value(&rig, 2);
    rig_close(&rig);
    remove_in(&rig, KL_FOLDER_STATE);
    rig_open(&rig);
    CHECK(rig.report.chain.rebuilt && rig.report.chain.replayed == 3);
    check_same(&rig, 2, &tx);
    rig_close(&rig);
    remove_in(&rig, KL_FOLDER_HISTORY);
    rig_open(&rig);
    check_same(&rig, 3, &tx);
    rig_done(&rig);
}

static void path_in(struct rig *rig, char out[256], const char *name)
{
    CHECK(snprintf(out, 256, "%s/%s", rig->dir, name) < 256);
}

static void put_empty(struct rig *rig, const char *name)
{
    char path[256];
    path_in(rig, path, name);
    FILE *file = fopen(path, "w");
    CHECK(file && fclose(file) == 0);
}

static bool is_there(struct rig *rig, const char *name)
{
    char path[256];
    path_in(rig, path, name);
    return access(path, F_OK) == 0;
}

static void make_folder(struct rig *rig, const char *name)
{
    char path[256];
    path_in(rig, path, name);
    CHECK(mkdir(path, 0700) == 0);
}

static void call_past(struct rig *rig, const char *name)
{
    char from[256], to[256];
    path_in(rig, from, name);
    CHECK(snprintf(to, sizeof to, "%s.past", from) < 256);
    CHECK(rename(from, to) == 0);
}

/* What was made behind the chain takes its place at the start, wherever that was cut short. */
KL_TEST(node_finishes_what_a_whole_past_has_begun)
{
    static const char *const folders[] = {"history/log", "history/index", "state"};
    for (usize moved = 0; moved <= KL_COUNT_OF(folders); moved++) {
        struct rig rig;
        rig_init(&rig, true);
        rig_open(&rig);
        const kl_hash tx = send_value(&rig, 1);
        rig_close(&rig);
        for (usize i = moved; i < KL_COUNT_OF(folders); i++) {
            call_past(&rig, folders[i]);
            make_folder(&rig, folders[i]);
        }
        put_empty(&rig, "past.whole");
        if (moved < KL_COUNT_OF(folders))
            put_empty(&rig, "state/data.mdb"); /* another database, of which nothing is left */
        put_empty(&rig, "state.suspect");
        rig_open(&rig);
        CHECK(!rig.report.rebuilt);
        CHECK(!is_there(&rig, "past.whole") && !is_there(&rig, "state.past"));
        check_same(&rig, 1, &tx);
        rig_done(&rig);
    }
}

KL_TEST(node_deletes_a_suspect_past_and_none_of_its_chain)
{
    struct rig rig;
    rig_init(&rig, true);
    rig_open(&rig);
    const kl_hash tx = send_value(&rig, 1);
    rig_close(&rig);
    make_folder(&rig, "state.past");
    put_empty(&rig, "state.past/data.mdb");
    struct kl_folder folder;
    CHECK_OK(kl_folder_open(&folder, rig.dir, false));
    kl_folder_suspect_past(&folder);
    kl_folder_close(&folder);
    put_empty(&rig, "past.whole");
    rig_open(&rig);
    CHECK(!rig.report.rebuilt);
    CHECK(!is_there(&rig, "past.whole") && !is_there(&rig, "past.suspect"));
    CHECK(!is_there(&rig, "state.past/data.mdb"));
    check_same(&rig, 1, &tx);
    rig_done(&rig);
}

KL_TEST(node_deletes_a_suspect_state_database)
{
    struct rig rig;
    struct kl_folder folder;
    rig_init(&rig, true);
    rig_open(&rig);
    kl_hash tx = send_value(&rig, 1);
    rig_close(&rig);
    CHECK_OK(kl_folder_open(&folder, rig.dir, false));
    kl_folder_suspect(&folder);
    kl_folder_close(&folder);
    rig_open(&rig);
    CHECK(rig.report.rebuilt != NULL);
    check_same(&rig, 1, &tx);
    rig_close(&rig);
    rig_open(&rig);
    CHECK(!rig.report.rebuilt);
    rig_done(&rig);
}

/* Overwrites the pages of the state database's file, wholly or behind their heads: then liblmdb
 * takes them for good and follows what they say. */
static void damage_database(struct rig *rig, u64 *seed)
{
    char path[128];
    u8 noise[4096];
    snprintf(path, sizeof path, "%s/state/data.mdb", rig->dir);
    int fd = open(path, O_RDWR);
    CHECK(fd >= 0);
    off_t size = lseek(fd, 0, SEEK_END), head = kl_rand(seed) % 2 ? 16 : 0;
    CHECK(size > 8192);
    for (off_t at = (off_t)(kl_rand(seed) % 3) * 4096; at < size; at += 4096) {
        for (usize i = 0; i < sizeof noise; i += 8) {
            u64 word = kl_rand(seed);
            memcpy(noise + i, &word, 8);
        }
        CHECK(pwrite(fd, noise, sizeof noise - (usize)head, at + head) > 0);
    }
    CHECK(close(fd) == 0);
}

/* What becomes of a node on a folder in a process of its own: opened, the transaction found,
 * another one sent.  With cut its database loses its pages while it runs.  The exit code, or -1
 * when it crashed. */
static int use(struct rig *rig, const kl_hash *tx, bool cut)
{
    char path[128];
    snprintf(path, sizeof path, "%s/state/data.mdb", rig->dir);
    if (kl_node_open(&rig->node, &rig->config, &rig->report, &rig->fault) != KL_OK)
        return 1;
    if (kl_node_start(rig->node, &rig->fault) != KL_OK)
        return 2;
    if (!has_tx(rig, tx))
        return 3;
    if (cut && truncate(path, 8192) != 0)
        return 4;
    rig->nonce = block_number(rig); /* one a block */
    (void)send_value(rig, 1);
    kl_node_close(rig->node);
    return 0;
}

static int use_in_child(struct rig *rig, const kl_hash *tx, bool cut)
{
    int end;
    pid_t pid = fork();
    CHECK(pid >= 0);
    if (pid == 0) {
        int null = open("/dev/null", O_WRONLY);
        (void)dup2(null, STDERR_FILENO);
        _exit(use(rig, tx, cut));
    }
    CHECK(waitpid(pid, &end, 0) == pid);
    return WIFEXITED(end) ? WEXITSTATUS(end) : -1;
}

KL_TEST(node_that_faults_in_its_database_leaves_a_mark)
{
    if (KL_SANITIZED)
        kl_test_skip("a sanitizer takes the faults");
    struct rig rig;
    rig_init(&rig, true);
    rig_open(&rig);
    kl_hash tx = send_value(&rig, 1);
    rig_close(&rig);
    CHECK(use_in_child(&rig, &tx, true) == -1);
    rig_open(&rig);
    CHECK(rig.report.rebuilt != NULL);
    rig.nonce = block_number(&rig);
    check_same(&rig, rig.nonce, &tx);
    rig_done(&rig);
}

KL_TEST(node_survives_damage_anywhere_in_the_state_database)
{
    if (KL_SANITIZED)
        kl_test_skip("a sanitizer takes the faults");
    struct rig rig;
    rig_init(&rig, true);
    rig_open(&rig);
    kl_hash tx = send_value(&rig, 1);
    rig_close(&rig);
    for (u64 round = 1; round <= 20; round++) {
        damage_database(&rig, seed);
        int code = use_in_child(&rig, &tx, false);
        if (code == -1) /* it has left the mark: the next one makes it again */
            code = use_in_child(&rig, &tx, false);
        CHECK_U64(code, 0);
    }
    rig_done(&rig);
}

/* A node whose files can be written no more, as on a full disk: its exit code. */
static int run_when_full(struct rig *rig)
{
    char answer[2000];
    kl_rule broken;
    kl_devop op = {.kind = KL_DEVOP_SNAPSHOT};
    const struct rlimit none = {1, 1};
    struct kl_host *host = kl_node_host(rig->node);
    if (signal(SIGXFSZ, SIG_IGN) == SIG_ERR || setrlimit(RLIMIT_FSIZE, &none) != 0)
        return 1;
    if (kl_host_mine(host, 1, 0) != KL_FULL || kl_node_run(rig->node, &rig->fault) != KL_FULL ||
        !strstr(rig->fault.text, "no more blocks are made: "))
        return 2;
    kl_node_stop(rig->node);
    if (kl_node_run(rig->node, &rig->fault) != KL_OK) /* said once */
        return 3;
    if (kl_host_dev(host, &op, &broken) != KL_FULL || block_number(rig) != 1)
        return 4;
    talk(rig, ask_number, "\"result\":\"0x1\"}", answer, sizeof answer);
    kl_node_close(rig->node);
    return 0;
}

KL_TEST(node_says_once_why_no_more_blocks_are_made)
{
    struct rig rig;
    int end;
    rig_init(&rig, true);
    pid_t pid = fork();
    CHECK(pid >= 0);
    if (pid == 0) {
        rig_open(&rig);
        (void)send_value(&rig, 1);
        _exit(run_when_full(&rig));
    }
    CHECK(waitpid(pid, &end, 0) == pid && WIFEXITED(end));
    CHECK_U64((u64)WEXITSTATUS(end), 0);
    rig_open(&rig);
    CHECK_U64(block_number(&rig), 1);
    rig_done(&rig);
}

struct log_reader {
    struct kl_node *node;
    int log;
    const char *until;
    u16 port;
};

/* Lets files grow, and ends the node when its log has said something. */
static void *stop_when_told(void *ctx)
{
    const struct log_reader *reader = ctx;
    const struct rlimit any = {RLIM_INFINITY, RLIM_INFINITY};
    char text[4000] = "";
    usize len = 0;
    CHECK(setrlimit(RLIMIT_FSIZE, &any) == 0);
    while (!strstr(text, reader->until)) {
        CHECK(len < sizeof text - 1);
        ssize_t got = read(reader->log, text + len, sizeof text - 1 - len);
        CHECK(got > 0);
        len += (usize)got;
        text[len] = '\0';
    }
    kl_node_stop(reader->node);
    return NULL;
}

/* A node for which there is no room for a while; what it has heard of is not lost. */
static int run_until_there_is_room(struct rig *rig)
{
    const struct rlimit little = {1, RLIM_INFINITY};
    int ends[2];
    pthread_t thread;
    CHECK(pipe(ends) == 0);
    rig->config.log_fd = ends[1];
    rig_open(rig);
    u16 port = kl_node_port(rig->node);
    kl_hash first = send_value(rig, 1);
    kl_host_set_automine(kl_node_host(rig->node), false);
    kl_hash waits = send_value(rig, 2);
    if (signal(SIGXFSZ, SIG_IGN) == SIG_ERR || setrlimit(RLIMIT_FSIZE, &little) != 0)
        return 1;
    if (kl_host_mine(kl_node_host(rig->node), 1, 0) != KL_FULL ||
        kl_node_run(rig->node, &rig->fault) != KL_FULL)
        return 2;
    struct log_reader reader = {rig->node, ends[0], "Room again: "};
    if (pthread_create(&thread, NULL, stop_when_told, &reader) != 0)
        return 3;
    if (kl_node_run(rig->node, &rig->fault) != KL_OK || kl_node_health(rig->node) != KL_OK)
        return 4;
    CHECK(pthread_join(thread, NULL) == 0);
    if (kl_node_port(rig->node) != port || kl_host_automine(kl_node_host(rig->node)))
        return 5;
    CHECK_OK(kl_host_mine(kl_node_host(rig->node), 1, 0));
    return has_tx(rig, &first) && has_tx(rig, &waits) && block_number(rig) == 2 ? 0 : 6;
}

KL_TEST(node_goes_on_by_itself_when_there_is_room_again)
{
    struct rig rig;
    int end;
    rig_init(&rig, true);
    pid_t pid = fork();
    CHECK(pid >= 0);
    if (pid == 0)
        _exit(run_until_there_is_room(&rig));
    CHECK(waitpid(pid, &end, 0) == pid && WIFEXITED(end));
    CHECK_U64((u64)WEXITSTATUS(end), 0);
    rig_done(&rig);
}

/* Asks until it is told that there is no chain; then files may grow. */
static void *ask_then_give_room(void *ctx)
{
    struct log_reader *reader = ctx;
    char answer[2000] = "";
    while (!strstr(answer, "full again"))
        ask_port(reader->port, ask_status, answer, sizeof answer);
    CHECK(!strstr(answer, "\"number\"") && strstr(answer, "\"health\":\"disk full\""));
    ask_port(reader->port, ask_number, answer, sizeof answer);
    CHECK(strstr(answer, "the chain is not open: there is no room on a disk"));
    return stop_when_told(reader);
}

/* Where there is room for a probe and none for the state database, which is to be made again. */
static int run_where_it_is_full_again(struct rig *rig)
{
    const struct rlimit none = {1, RLIM_INFINITY}, little = {65536, RLIM_INFINITY};
    int ends[2];
    pthread_t thread;
    char path[128];
    CHECK(pipe(ends) == 0);
    rig->config.log_fd = ends[1];
    rig_open(rig);
    kl_hash first = send_value(rig, 1);
    if (signal(SIGXFSZ, SIG_IGN) == SIG_ERR || setrlimit(RLIMIT_FSIZE, &none) != 0)
        return 1;
    if (kl_host_mine(kl_node_host(rig->node), 1, 0) != KL_FULL ||
        kl_node_run(rig->node, &rig->fault) != KL_FULL)
        return 2;
    snprintf(path, sizeof path, "%s/state/data.mdb", rig->dir);
    if (unlink(path) != 0 || setrlimit(RLIMIT_FSIZE, &little) != 0)
        return 3;
    struct log_reader reader = {rig->node, ends[0], "Room again: ", kl_node_port(rig->node)};
    if (pthread_create(&thread, NULL, ask_then_give_room, &reader) != 0)
        return 4;
    if (kl_node_run(rig->node, &rig->fault) != KL_OK || kl_node_health(rig->node) != KL_OK)
        return 5;
    CHECK(pthread_join(thread, NULL) == 0);
    return has_tx(rig, &first) && block_number(rig) == 1 ? 0 : 6;
}

KL_TEST(node_that_finds_no_room_to_open_its_chain_says_so)
{
    struct rig rig;
    int end;
    rig_init(&rig, true);
    pid_t pid = fork();
    CHECK(pid >= 0);
    if (pid == 0)
        _exit(run_where_it_is_full_again(&rig));
    CHECK(waitpid(pid, &end, 0) == pid && WIFEXITED(end));
    CHECK_U64((u64)WEXITSTATUS(end), 0);
    rig_done(&rig);
}

KL_TEST(node_stands_still_where_little_room_is_left)
{
    struct rig rig;
    pthread_t thread;
    char answer[2000];
    int ends[2];
    CHECK(pipe(ends) == 0);
    rig_init(&rig, true);
    rig_open(&rig);
    (void)send_value(&rig, 1);
    rig_close(&rig);
    rig.config.min_free = UINT64_MAX - 1;
    rig.config.log_fd = ends[1];
    rig_open(&rig);
    struct log_reader reader = {rig.node, ends[0], "Little room: "};
    CHECK(pthread_create(&thread, NULL, stop_when_told, &reader) == 0);
    CHECK_OK(kl_node_run(rig.node, &rig.fault)); /* nothing has failed */
    CHECK(pthread_join(thread, NULL) == 0);
    CHECK(kl_node_health(rig.node) == KL_FULL);
    CHECK(kl_host_mine(kl_node_host(rig.node), 1, 0) == KL_FULL);
    talk(&rig, ask_number, "\"result\":\"0x1\"}", answer, sizeof answer);
    talk(&rig, ask_status, " must be: nothing is signed, stored or taken until ", answer,
         sizeof answer);
    rig_done(&rig);
    CHECK(close(ends[0]) == 0 && close(ends[1]) == 0);
}

/* Flips a byte in the ledger's first block. */
static void damage_ledger(struct rig *rig)
{
    char path[128];
    u8 byte;
    snprintf(path, sizeof path, "%s/ledger/0000000000000000.seg", rig->dir);
    int fd = open(path, O_RDWR);
    CHECK(fd >= 0 && pread(fd, &byte, 1, 1000) == 1);
    byte ^= 1;
    CHECK(pwrite(fd, &byte, 1, 1000) == 1 && close(fd) == 0);
}

KL_TEST(node_never_deletes_a_damaged_ledger)
{
    struct rig rig;
    rig_init(&rig, true);
    rig_open(&rig);
    (void)send_value(&rig, 1);
    rig_close(&rig);
    damage_ledger(&rig);
    check_refused(&rig, KL_CORRUPT, "ledger/0000000000000000.seg, byte", "put the file back");
    damage_ledger(&rig); /* flipped back */
    rig_open(&rig);
    CHECK_U64(block_number(&rig), 1);
    rig_done(&rig);
}

KL_TEST(node_without_a_folder_leaves_nothing)
{
    struct rig rig;
    char folder[] = "/tmp/keel-test-XXXXXX", before[1000];
    CHECK(mkdtemp(folder) != NULL && getcwd(before, sizeof before) && chdir(folder) == 0);
    CHECK(setenv("TMPDIR", folder, 1) == 0);
    rig_init(&rig, false);
    rig_open(&rig);
    (void)send_value(&rig, 1);
    CHECK_U64(block_number(&rig), 1);
    rig_done(&rig);
    CHECK(unsetenv("TMPDIR") == 0 && chdir(before) == 0);
    CHECK(rmdir(folder) == 0); /* only an empty one goes */
}

KL_TEST(node_with_a_bad_genesis_makes_nothing)
{
    struct rig rig, other;
    char path[128];
    static const char bad[] = "{\"config\":{\"chainId\":7},\n\"gasLimit\":\"x\",\"alloc\":{}}";
    rig_init(&rig, true);
    rig_init(&other, false);
    snprintf(path, sizeof path, "%s/chain", rig.dir);
    other.config.dir = path;
    other.config.genesis = KL_SPAN_TEXT(bad);
    other.config.genesis_file = "my.json";
    check_refused(&other, KL_UNSUPPORTED, "my.json:2: gasLimit: ", "");
    other.config.genesis = KL_SPAN_NONE;
    check_refused(&other, KL_NOTFOUND, "there is no chain in", "keel init");
    CHECK(access(path, F_OK) != 0);
    rig_done(&other);
    rig_done(&rig);
}

KL_TEST(node_refuses_a_genesis_that_no_block_could_follow)
{
    static const struct {
        const char *header, *want;
    } rows[] = {
        {"\"gasLimit\":4999", "gasLimit: no block could follow"},
        {"\"gasLimit\":\"0x8000000000000000\"", "gasLimit: no block could follow"},
        {"\"gasLimit\":5000,\"timestamp\":\"0x8000000000000000\"",
         "timestamp: no block could follow"},
    };
    for (usize i = 0; i < KL_COUNT_OF(rows); i++) {
        struct rig rig;
        char text[512];
        rig_init(&rig, true);
        int len =
            snprintf(text, sizeof text,
                     "{\"config\":{\"chainId\":7,\"terminalTotalDifficulty\":0,"
                     "\"homesteadBlock\":0,\"eip150Block\":0,\"eip155Block\":0,\"eip158Block\":0,"
                     "\"byzantiumBlock\":0,\"constantinopleBlock\":0,\"petersburgBlock\":0,"
                     "\"istanbulBlock\":0,\"berlinBlock\":0,\"londonBlock\":0},"
                     "\"difficulty\":0,\"alloc\":{},%s}",
                     rows[i].header);
        rig.config.genesis = kl_span_of(text, (usize)len);
        rig.config.genesis_file = "my.json";
        check_refused(&rig, KL_UNSUPPORTED, "my.json: ", rows[i].want);
        rig_done(&rig);
    }
}

KL_TEST(node_keeps_the_code_that_every_block_calls)
{
    static const u8 code[] = {0xfe};
    struct rig rig;
    kl_rule broken;
    kl_devop op = {.kind = KL_DEVOP_SET_CODE,
                   .address = {{0x00, 0x00, 0x09, 0x61, 0xef, 0x48, 0x0e, 0xb5, 0x5e, 0x80,
                                0xd1, 0x9a, 0xd8, 0x35, 0x79, 0xa6, 0x4c, 0x00, 0x70, 0x02}},
                   .code = KL_SPAN_OF(code)};
    rig_init(&rig, false);
    rig_open(&rig);
    CHECK_OK(kl_host_dev(kl_node_host(rig.node), &op, &broken));
    CHECK_RULE(broken, KL_RULE_DEV_SYSTEM_CODE);
    op.address.b[19] = 0x03;
    CHECK_OK(kl_host_dev(kl_node_host(rig.node), &op, &broken));
    CHECK_RULE(broken, KL_RULE_NONE);
    (void)send_value(&rig, 1);
    CHECK_U64(block_number(&rig), 1);
    rig_done(&rig);
}

KL_TEST(node_whose_port_is_taken_says_so)
{
    struct rig rig, other;
    rig_init(&rig, false);
    rig_open(&rig);
    rig_init(&other, false);
    other.config.port = kl_node_port(rig.node);
    CHECK_OK(kl_node_open(&other.node, &other.config, &other.report, &other.fault));
    CHECK(kl_node_start(other.node, &other.fault) == KL_BUSY);
    CHECK(strstr(other.fault.text, "--port") != NULL);
    rig_done(&other);

    char chain[128];
    rig_init(&other, true);
    other.config.port = kl_node_port(rig.node);
    check_refused(&other, KL_BUSY, "is taken by another process", "--port");
    snprintf(chain, sizeof chain, "%s/genesis.json", other.dir);
    CHECK(access(chain, F_OK) != 0); /* no chain was made */
    rig_done(&other);
    rig_done(&rig);
}

/* What the node has written to its log when it has been closed. */
static const char *log_of(struct rig *rig, bool json)
{
    static char text[8000];
    FILE *file = tmpfile();
    CHECK(file != NULL);
    rig->config.log_fd = fileno(file);
    rig->config.log_json = json;
    rig_open(rig);
    (void)send_value(rig, 1);
    kl_rule broken;
    kl_devop snapshot = {.kind = KL_DEVOP_SNAPSHOT}, back = {.kind = KL_DEVOP_REVERT, .number = 1};
    CHECK_OK(kl_host_dev(kl_node_host(rig->node), &snapshot, &broken));
    CHECK_OK(kl_host_mine(kl_node_host(rig->node), 1, 0));
    kl_node_stop(rig->node);
    CHECK_OK(kl_node_run(rig->node, &rig->fault));
    CHECK_OK(kl_host_dev(kl_node_host(rig->node), &back, &broken));
    CHECK_RULE(broken, KL_RULE_NONE);
    rig_close(rig);
    rewind(file);
    usize len = fread(text, 1, sizeof text - 1, file);
    text[len] = '\0';
    fclose(file);
    return text;
}

KL_TEST(node_log_tells_transactions_and_blocks)
{
    struct rig rig;
    rig_init(&rig, false);
    const char *text = log_of(&rig, false);
    CHECK(strstr(text, "    Transaction: 0x") && strstr(text, "    Gas used: 21000\n"));
    CHECK(strstr(text, "    Block Number: 1\n    Block Hash: 0x"));
    rig_done(&rig);
}

KL_TEST(node_log_can_be_json)
{
    struct rig rig;
    rig_init(&rig, false);
    const char *text = log_of(&rig, true);
    CHECK(strstr(text, "{\"event\":\"transaction\",\"hash\":\"0x"));
    CHECK(strstr(text, "\"block\":1,\"gasUsed\":21000,\"success\":true}\n"));
    CHECK(strstr(text, "{\"event\":\"block\",\"number\":1,\"hash\":\"0x"));
    rig_done(&rig);
}

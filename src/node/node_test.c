#include "node/node_rig_test.h"

#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/test.h"
#include "node/folder.h"

#define GWEI UINT64_C(1000000000)

KL_TEST(node_answers_over_http_and_websocket)
{
    struct node_rig rig;
    char answer[2000];
    node_rig_init(&rig, false);
    node_rig_open(&rig);
    (void)node_rig_send_value(&rig, 5);
    node_rig_talk(&rig, node_rig_ask_number, "\"result\":\"0x1\"}", answer, sizeof answer);
    node_rig_talk(
        &rig,
        "GET / HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n",
        "\r\n\r\n", answer, sizeof answer);
    CHECK(strstr(answer, "101 ") != NULL);
    node_rig_done(&rig);
}

KL_TEST(node_has_its_chain_after_reopening)
{
    struct node_rig rig;
    node_rig_init(&rig, true);
    node_rig_open(&rig);
    CHECK(rig.report.created);
    kl_hash first = node_rig_send_value(&rig, 1);
    kl_hash last = node_rig_send_value(&rig, 2);
    CHECK_U64(node_rig_block_number(&rig), 2);
    node_rig_close(&rig);
    node_rig_open(&rig);
    CHECK(!rig.report.created && !rig.report.rebuilt);
    CHECK_U64(node_rig_block_number(&rig), 2);
    CHECK(node_rig_has_tx(&rig, &first) && node_rig_has_tx(&rig, &last));
    (void)node_rig_send_value(&rig, 3);
    CHECK_U64(node_rig_block_number(&rig), 3);
    node_rig_done(&rig);
}

static void *stop_soon(void *node)
{
    kl_node_stop(node);
    return NULL;
}

KL_TEST(node_runs_until_stopped)
{
    struct node_rig rig;
    pthread_t thread;
    node_rig_init(&rig, false);
    node_rig_open(&rig);
    CHECK(pthread_create(&thread, NULL, stop_soon, rig.node) == 0);
    CHECK_OK(kl_node_run(rig.node, &rig.fault));
    CHECK(pthread_join(thread, NULL) == 0);
    node_rig_done(&rig);
}

/* Blocks go on while the server begins and ends: they are news for a server or for nobody. */
KL_TEST(node_begins_and_ends_among_blocks)
{
    struct node_rig rig;
    node_rig_init(&rig, true);
    rig.config.block_time_ns = 1000000;
    for (usize i = 0; i < 5; i++) {
        node_rig_open(&rig);
        node_rig_send_value(&rig, 1);
        node_rig_close(&rig);
    }
    node_rig_done(&rig);
}

KL_TEST(node_refuses_a_folder_in_use)
{
    struct node_rig rig, other;
    node_rig_init(&rig, true);
    node_rig_open(&rig);
    node_rig_init(&other, false);
    other.config.dir = rig.dir;
    node_rig_check_refused(&other, KL_BUSY, "another keel is running on", "--dir");
    node_rig_done(&other);
    node_rig_done(&rig);
}

KL_TEST(node_refuses_another_genesis_and_tells_the_difference)
{
    struct node_rig rig;
    node_rig_init(&rig, true);
    node_rig_open(&rig);
    (void)node_rig_send_value(&rig, 1);
    node_rig_close(&rig);
    node_rig_make_genesis(&rig, 5);
    node_rig_check_refused(&rig, KL_UNSUPPORTED, "it has \"chainId\": 31337 where \"chainId\": 5",
                           "--reset");
    node_rig_make_genesis(&rig, 31337);
    node_rig_open(&rig);
    CHECK_U64(node_rig_block_number(&rig), 1);
    node_rig_done(&rig);
}

KL_TEST(node_says_that_the_folders_genesis_file_is_damaged)
{
    struct node_rig rig;
    char path[128];
    node_rig_init(&rig, true);
    node_rig_open(&rig);
    node_rig_close(&rig);
    node_rig_make_genesis(&rig, 5);
    snprintf(path, sizeof path, "%s/genesis.json", rig.dir);
    CHECK(truncate(path, 40) == 0);
    node_rig_check_refused(&rig, KL_UNSUPPORTED, "genesis.json is missing or damaged", "--reset");
    CHECK(unlink(path) == 0);
    node_rig_check_refused(&rig, KL_UNSUPPORTED, "genesis.json is missing or damaged", "--reset");
    node_rig_done(&rig);
}

KL_TEST(node_resets_a_folder_and_leaves_what_is_not_its_own)
{
    struct node_rig rig;
    char path[128];
    node_rig_init(&rig, true);
    node_rig_open(&rig);
    (void)node_rig_send_value(&rig, 1);
    node_rig_close(&rig);
    snprintf(path, sizeof path, "%s/notes.txt", rig.dir);
    FILE *file = fopen(path, "w");
    CHECK(file && fclose(file) == 0);
    node_rig_make_genesis(&rig, 5);
    rig.config.reset = true;
    node_rig_open(&rig);
    CHECK(rig.report.created);
    CHECK_U64(node_rig_block_number(&rig), 0);
    CHECK_U64(kl_chain_spec(kl_host_chain(kl_node_host(rig.node)))->chain_id, 5);
    CHECK(access(path, F_OK) == 0);
    node_rig_done(&rig);
}

static void remove_in(struct node_rig *rig, const char *name)
{
    char path[128];
    snprintf(path, sizeof path, "%s/%s", rig->dir, name);
    kl_test_remove(path);
}

/* The same head and the same state as before. */
static void check_same(struct node_rig *rig, u64 number, const kl_hash *tx)
{
    CHECK_U64(node_rig_block_number(rig), number);
    CHECK(node_rig_has_tx(rig, tx));
    (void)node_rig_send_value(rig, 9); /* nonce and balance are right */
    CHECK_U64(node_rig_block_number(rig), number + 1);
}

KL_TEST(node_makes_a_lost_state_database_again)
{
    struct node_rig rig;
    node_rig_init(&rig, true);
    node_rig_open(&rig);
    kl_hash tx = node_rig_send_value(&rig, 1);
    (void)node_rig_send_value(&rig, 2);
    node_rig_close(&rig);
    remove_in(&rig, KL_FOLDER_STATE);
    node_rig_open(&rig);
    CHECK(rig.report.chain.rebuilt && rig.report.chain.replayed == 3);
    check_same(&rig, 2, &tx);
    node_rig_close(&rig);
    remove_in(&rig, KL_FOLDER_HISTORY);
    node_rig_open(&rig);
    check_same(&rig, 3, &tx);
    node_rig_done(&rig);
}

static void path_in(struct node_rig *rig, char out[256], const char *name)
{
    CHECK(snprintf(out, 256, "%s/%s", rig->dir, name) < 256);
}

static void put_empty(struct node_rig *rig, const char *name)
{
    char path[256];
    path_in(rig, path, name);
    FILE *file = fopen(path, "w");
    CHECK(file && fclose(file) == 0);
}

static bool is_there(struct node_rig *rig, const char *name)
{
    char path[256];
    path_in(rig, path, name);
    return access(path, F_OK) == 0;
}

static void make_folder(struct node_rig *rig, const char *name)
{
    char path[256];
    path_in(rig, path, name);
    CHECK(mkdir(path, 0700) == 0);
}

static void call_past(struct node_rig *rig, const char *name)
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
        struct node_rig rig;
        node_rig_init(&rig, true);
        node_rig_open(&rig);
        const kl_hash tx = node_rig_send_value(&rig, 1);
        node_rig_close(&rig);
        for (usize i = moved; i < KL_COUNT_OF(folders); i++) {
            call_past(&rig, folders[i]);
            make_folder(&rig, folders[i]);
        }
        put_empty(&rig, "past.whole");
        if (moved < KL_COUNT_OF(folders))
            put_empty(&rig, "state/data.mdb"); /* another database, of which nothing is left */
        put_empty(&rig, "state.suspect");
        node_rig_open(&rig);
        CHECK(!rig.report.rebuilt);
        CHECK(!is_there(&rig, "past.whole") && !is_there(&rig, "state.past"));
        check_same(&rig, 1, &tx);
        node_rig_done(&rig);
    }
}

/* Letting go of a state, or making it anew, was cut short, or what was made is damaged. */
KL_TEST(node_without_a_state_takes_back_what_it_had_put_aside)
{
    for (int damaged = 0; damaged < 2; damaged++) {
        struct node_rig rig;
        node_rig_init(&rig, true);
        node_rig_open(&rig);
        const kl_hash tx = node_rig_send_value(&rig, 1);
        node_rig_close(&rig);
        struct kl_folder folder;
        CHECK_OK(kl_folder_open(&folder, rig.dir, false));
        CHECK_OK(kl_folder_put_aside(&folder));
        kl_folder_close(&folder);
        CHECK(!is_there(&rig, "state") && is_there(&rig, "state.past/data.mdb"));
        if (damaged) {
            char path[256];
            path_in(&rig, path, "state.past/data.mdb");
            FILE *file = fopen(path, "r+");
            for (int i = 0; file && i < 2 * 4096; i++)
                CHECK(fputc(0xff, file) == 0xff);
            CHECK(file && fclose(file) == 0);
        }
        node_rig_open(&rig);
        CHECK((rig.report.rebuilt != NULL) == (damaged == 1));
        CHECK(!is_there(&rig, "state.past"));
        check_same(&rig, 1, &tx);
        node_rig_done(&rig);
    }
}

KL_TEST(node_deletes_a_suspect_past_and_none_of_its_chain)
{
    struct node_rig rig;
    node_rig_init(&rig, true);
    node_rig_open(&rig);
    const kl_hash tx = node_rig_send_value(&rig, 1);
    node_rig_close(&rig);
    make_folder(&rig, "state.past");
    put_empty(&rig, "state.past/data.mdb");
    struct kl_folder folder;
    CHECK_OK(kl_folder_open(&folder, rig.dir, false));
    kl_folder_suspect_past(&folder);
    kl_folder_close(&folder);
    put_empty(&rig, "past.whole");
    node_rig_open(&rig);
    CHECK(!rig.report.rebuilt);
    CHECK(!is_there(&rig, "past.whole") && !is_there(&rig, "past.suspect"));
    CHECK(!is_there(&rig, "state.past/data.mdb"));
    check_same(&rig, 1, &tx);
    node_rig_done(&rig);
}

KL_TEST(node_deletes_a_suspect_state_database)
{
    struct node_rig rig;
    struct kl_folder folder;
    node_rig_init(&rig, true);
    node_rig_open(&rig);
    kl_hash tx = node_rig_send_value(&rig, 1);
    node_rig_close(&rig);
    CHECK_OK(kl_folder_open(&folder, rig.dir, false));
    kl_folder_suspect(&folder);
    kl_folder_close(&folder);
    node_rig_open(&rig);
    CHECK(rig.report.rebuilt != NULL);
    check_same(&rig, 1, &tx);
    node_rig_close(&rig);
    node_rig_open(&rig);
    CHECK(!rig.report.rebuilt);
    node_rig_done(&rig);
}

/* Overwrites the pages of the state database's file, wholly or behind their heads: then liblmdb
 * takes them for good and follows what they say. */
static void damage_database(struct node_rig *rig, u64 *seed)
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
static int use(struct node_rig *rig, const kl_hash *tx, bool cut)
{
    char path[128];
    snprintf(path, sizeof path, "%s/state/data.mdb", rig->dir);
    if (kl_node_open(&rig->node, &rig->config, &rig->report, &rig->fault) != KL_OK)
        return 1;
    if (kl_node_start(rig->node, &rig->fault) != KL_OK)
        return 2;
    if (!node_rig_has_tx(rig, tx))
        return 3;
    if (cut && truncate(path, 8192) != 0)
        return 4;
    rig->nonce = node_rig_block_number(rig); /* one a block */
    (void)node_rig_send_value(rig, 1);
    kl_node_close(rig->node);
    return 0;
}

static int use_in_child(struct node_rig *rig, const kl_hash *tx, bool cut)
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
    struct node_rig rig;
    node_rig_init(&rig, true);
    node_rig_open(&rig);
    kl_hash tx = node_rig_send_value(&rig, 1);
    node_rig_close(&rig);
    CHECK(use_in_child(&rig, &tx, true) == -1);
    node_rig_open(&rig);
    CHECK(rig.report.rebuilt != NULL);
    rig.nonce = node_rig_block_number(&rig);
    check_same(&rig, rig.nonce, &tx);
    node_rig_done(&rig);
}

KL_TEST(node_survives_damage_anywhere_in_the_state_database)
{
    if (KL_SANITIZED)
        kl_test_skip("a sanitizer takes the faults");
    struct node_rig rig;
    node_rig_init(&rig, true);
    node_rig_open(&rig);
    kl_hash tx = node_rig_send_value(&rig, 1);
    node_rig_close(&rig);
    for (u64 round = 1; round <= 20; round++) {
        damage_database(&rig, seed);
        int code = use_in_child(&rig, &tx, false);
        if (code == -1) /* it has left the mark: the next one makes it again */
            code = use_in_child(&rig, &tx, false);
        CHECK_U64(code, 0);
    }
    node_rig_done(&rig);
}

/* Flips a byte in the ledger's first block. */
static void damage_ledger(struct node_rig *rig)
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
    struct node_rig rig;
    node_rig_init(&rig, true);
    node_rig_open(&rig);
    (void)node_rig_send_value(&rig, 1);
    node_rig_close(&rig);
    damage_ledger(&rig);
    node_rig_check_refused(&rig, KL_CORRUPT, "ledger/0000000000000000.seg, byte",
                           "put the file back");
    damage_ledger(&rig); /* flipped back */
    node_rig_open(&rig);
    CHECK_U64(node_rig_block_number(&rig), 1);
    node_rig_done(&rig);
}

KL_TEST(node_without_a_folder_leaves_nothing)
{
    struct node_rig rig;
    char folder[] = "/tmp/keel-test-XXXXXX", before[1000];
    CHECK(mkdtemp(folder) != NULL && getcwd(before, sizeof before) && chdir(folder) == 0);
    CHECK(setenv("TMPDIR", folder, 1) == 0);
    node_rig_init(&rig, false);
    node_rig_open(&rig);
    (void)node_rig_send_value(&rig, 1);
    CHECK_U64(node_rig_block_number(&rig), 1);
    node_rig_done(&rig);
    CHECK(unsetenv("TMPDIR") == 0 && chdir(before) == 0);
    CHECK(rmdir(folder) == 0); /* only an empty one goes */
}

KL_TEST(node_with_a_bad_genesis_makes_nothing)
{
    struct node_rig rig, other;
    char path[128];
    static const char bad[] = "{\"config\":{\"chainId\":7},\n\"gasLimit\":\"x\",\"alloc\":{}}";
    node_rig_init(&rig, true);
    node_rig_init(&other, false);
    snprintf(path, sizeof path, "%s/chain", rig.dir);
    other.config.dir = path;
    other.config.genesis = KL_SPAN_TEXT(bad);
    other.config.genesis_file = "my.json";
    node_rig_check_refused(&other, KL_UNSUPPORTED, "my.json:2: gasLimit: ", "");
    other.config.genesis = KL_SPAN_NONE;
    node_rig_check_refused(&other, KL_NOTFOUND, "there is no chain in", "keel init");
    CHECK(access(path, F_OK) != 0);
    node_rig_done(&other);
    node_rig_done(&rig);
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
        struct node_rig rig;
        char text[512];
        node_rig_init(&rig, true);
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
        node_rig_check_refused(&rig, KL_UNSUPPORTED, "my.json: ", rows[i].want);
        node_rig_done(&rig);
    }
}

KL_TEST(node_keeps_the_code_that_every_block_calls)
{
    static const u8 code[] = {0xfe};
    struct node_rig rig;
    kl_rule broken;
    kl_devop op = {.kind = KL_DEVOP_SET_CODE,
                   .address = {{0x00, 0x00, 0x09, 0x61, 0xef, 0x48, 0x0e, 0xb5, 0x5e, 0x80,
                                0xd1, 0x9a, 0xd8, 0x35, 0x79, 0xa6, 0x4c, 0x00, 0x70, 0x02}},
                   .code = KL_SPAN_OF(code)};
    node_rig_init(&rig, false);
    node_rig_open(&rig);
    CHECK_OK(kl_host_dev(kl_node_host(rig.node), &op, &broken));
    CHECK_RULE(broken, KL_RULE_DEV_SYSTEM_CODE);
    op.address.b[19] = 0x03;
    CHECK_OK(kl_host_dev(kl_node_host(rig.node), &op, &broken));
    CHECK_RULE(broken, KL_RULE_NONE);
    (void)node_rig_send_value(&rig, 1);
    CHECK_U64(node_rig_block_number(&rig), 1);
    node_rig_done(&rig);
}

KL_TEST(node_whose_port_is_taken_says_so)
{
    struct node_rig rig, other;
    node_rig_init(&rig, false);
    node_rig_open(&rig);
    node_rig_init(&other, false);
    other.config.port = kl_node_port(rig.node);
    CHECK_OK(kl_node_open(&other.node, &other.config, &other.report, &other.fault));
    CHECK(kl_node_start(other.node, &other.fault) == KL_BUSY);
    CHECK(strstr(other.fault.text, "--port") != NULL);
    node_rig_done(&other);

    char chain[128];
    node_rig_init(&other, true);
    other.config.port = kl_node_port(rig.node);
    node_rig_check_refused(&other, KL_BUSY, "is taken by another process", "--port");
    snprintf(chain, sizeof chain, "%s/genesis.json", other.dir);
    CHECK(access(chain, F_OK) != 0); /* no chain was made */
    node_rig_done(&other);
    node_rig_done(&rig);
}

/* What the node has written to its log when it has been closed. */
static const char *log_of(struct node_rig *rig, bool json)
{
    static char text[8000];
    FILE *file = tmpfile();
    CHECK(file != NULL);
    rig->config.log_fd = fileno(file);
    rig->config.log_json = json;
    node_rig_open(rig);
    (void)node_rig_send_value(rig, 1);
    kl_rule broken;
    kl_devop snapshot = {.kind = KL_DEVOP_SNAPSHOT}, back = {.kind = KL_DEVOP_REVERT, .number = 1};
    CHECK_OK(kl_host_dev(kl_node_host(rig->node), &snapshot, &broken));
    CHECK_OK(kl_host_mine(kl_node_host(rig->node), 1, 0));
    kl_node_stop(rig->node);
    CHECK_OK(kl_node_run(rig->node, &rig->fault));
    CHECK_OK(kl_host_dev(kl_node_host(rig->node), &back, &broken));
    CHECK_RULE(broken, KL_RULE_NONE);
    node_rig_close(rig);
    rewind(file);
    usize len = fread(text, 1, sizeof text - 1, file);
    text[len] = '\0';
    fclose(file);
    return text;
}

KL_TEST(node_log_tells_transactions_and_blocks)
{
    struct node_rig rig;
    node_rig_init(&rig, false);
    const char *text = log_of(&rig, false);
    CHECK(strstr(text, "    Transaction: 0x") && strstr(text, "    Gas used: 21000\n"));
    CHECK(strstr(text, "    Block Number: 1\n    Block Hash: 0x"));
    node_rig_done(&rig);
}

KL_TEST(node_log_can_be_json)
{
    struct node_rig rig;
    node_rig_init(&rig, false);
    const char *text = log_of(&rig, true);
    CHECK(strstr(text, "{\"event\":\"transaction\",\"hash\":\"0x"));
    CHECK(strstr(text, "\"block\":1,\"gasUsed\":21000,\"success\":true}\n"));
    CHECK(strstr(text, "{\"event\":\"block\",\"number\":1,\"hash\":\"0x"));
    node_rig_done(&rig);
}

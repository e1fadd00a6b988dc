/* Disks without room: what a node says, and that it goes on. */
#include "node/node_rig_test.h"

#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/test.h"

/* In a process of its own, which limits what files may grow to; what run gives is its exit code. */
static void run_apart(struct node_rig *rig, int (*run)(struct node_rig *rig))
{
    int end;
    pid_t pid = fork();
    CHECK(pid >= 0);
    if (pid == 0)
        _exit(run(rig));
    CHECK(waitpid(pid, &end, 0) == pid && WIFEXITED(end));
    CHECK_U64((u64)WEXITSTATUS(end), 0);
}

/* No file grows beyond so many bytes; the limit can be raised to the other. */
static bool limit_files(u64 bytes, u64 raised)
{
    const struct rlimit limit = {bytes, raised};
    return signal(SIGXFSZ, SIG_IGN) != SIG_ERR && setrlimit(RLIMIT_FSIZE, &limit) == 0;
}

/* A node whose files can be written no more, as on a full disk. */
static int run_when_full(struct node_rig *rig)
{
    char answer[2000];
    kl_rule broken;
    kl_devop op = {.kind = KL_DEVOP_SNAPSHOT};
    node_rig_open(rig);
    (void)node_rig_send_value(rig, 1);
    struct kl_host *host = kl_node_host(rig->node);
    if (!limit_files(1, 1))
        return 1;
    if (kl_host_mine(host, 1, 0) != KL_FULL || kl_node_run(rig->node, &rig->fault) != KL_FULL ||
        !strstr(rig->fault.text, "no more blocks are made: "))
        return 2;
    kl_node_stop(rig->node);
    if (kl_node_run(rig->node, &rig->fault) != KL_OK) /* said once */
        return 3;
    if (kl_host_dev(host, &op, &broken) != KL_FULL || node_rig_block_number(rig) != 1)
        return 4;
    node_rig_talk(rig, node_rig_ask_number, "\"result\":\"0x1\"}", answer, sizeof answer);
    kl_node_close(rig->node);
    return 0;
}

KL_TEST(node_says_once_why_no_more_blocks_are_made)
{
    struct node_rig rig;
    node_rig_init(&rig, true);
    run_apart(&rig, run_when_full);
    node_rig_open(&rig);
    CHECK_U64(node_rig_block_number(&rig), 1);
    node_rig_done(&rig);
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
    char text[4000] = "";
    usize len = 0;
    CHECK(limit_files(RLIM_INFINITY, RLIM_INFINITY));
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
static int run_until_there_is_room(struct node_rig *rig)
{
    int ends[2];
    pthread_t thread;
    CHECK(pipe(ends) == 0);
    rig->config.log_fd = ends[1];
    node_rig_open(rig);
    u16 port = kl_node_port(rig->node);
    kl_hash first = node_rig_send_value(rig, 1);
    kl_host_set_automine(kl_node_host(rig->node), false);
    kl_hash waits = node_rig_send_value(rig, 2);
    if (!limit_files(1, RLIM_INFINITY))
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
    return node_rig_has_tx(rig, &first) && node_rig_has_tx(rig, &waits) &&
                   node_rig_block_number(rig) == 2
               ? 0
               : 6;
}

KL_TEST(node_goes_on_by_itself_when_there_is_room_again)
{
    struct node_rig rig;
    node_rig_init(&rig, true);
    run_apart(&rig, run_until_there_is_room);
    node_rig_done(&rig);
}

/* Asks until it is told that there is no chain; then files may grow. */
static void *ask_then_give_room(void *ctx)
{
    struct log_reader *reader = ctx;
    char answer[2000] = "";
    while (!strstr(answer, "full again"))
        node_rig_ask_port(reader->port, node_rig_ask_status, answer, sizeof answer);
    CHECK(!strstr(answer, "\"number\"") && strstr(answer, "\"health\":\"disk full\""));
    node_rig_ask_port(reader->port, node_rig_ask_number, answer, sizeof answer);
    CHECK(strstr(answer, "the chain is not open: there is no room on a disk"));
    return stop_when_told(reader);
}

/* Where there is room for a probe and none for the state database, which is to be made again. */
static int run_where_it_is_full_again(struct node_rig *rig)
{
    int ends[2];
    pthread_t thread;
    char path[128];
    CHECK(pipe(ends) == 0);
    rig->config.log_fd = ends[1];
    node_rig_open(rig);
    kl_hash first = node_rig_send_value(rig, 1);
    if (!limit_files(1, RLIM_INFINITY))
        return 1;
    if (kl_host_mine(kl_node_host(rig->node), 1, 0) != KL_FULL ||
        kl_node_run(rig->node, &rig->fault) != KL_FULL)
        return 2;
    snprintf(path, sizeof path, "%s/state/data.mdb", rig->dir);
    if (unlink(path) != 0 || !limit_files(65536, RLIM_INFINITY))
        return 3;
    struct log_reader reader = {rig->node, ends[0], "Room again: ", kl_node_port(rig->node)};
    if (pthread_create(&thread, NULL, ask_then_give_room, &reader) != 0)
        return 4;
    if (kl_node_run(rig->node, &rig->fault) != KL_OK || kl_node_health(rig->node) != KL_OK)
        return 5;
    CHECK(pthread_join(thread, NULL) == 0);
    return node_rig_has_tx(rig, &first) && node_rig_block_number(rig) == 1 ? 0 : 6;
}

KL_TEST(node_that_finds_no_room_to_open_its_chain_says_so)
{
    struct node_rig rig;
    node_rig_init(&rig, true);
    run_apart(&rig, run_where_it_is_full_again);
    node_rig_done(&rig);
}

KL_TEST(node_stands_still_where_little_room_is_left)
{
    struct node_rig rig;
    pthread_t thread;
    char answer[2000];
    int ends[2];
    CHECK(pipe(ends) == 0);
    node_rig_init(&rig, true);
    node_rig_open(&rig);
    (void)node_rig_send_value(&rig, 1);
    node_rig_close(&rig);
    rig.config.min_free = UINT64_MAX - 1;
    rig.config.log_fd = ends[1];
    node_rig_open(&rig);
    struct log_reader reader = {rig.node, ends[0], "Little room: "};
    CHECK(pthread_create(&thread, NULL, stop_when_told, &reader) == 0);
    CHECK_OK(kl_node_run(rig.node, &rig.fault)); /* nothing has failed */
    CHECK(pthread_join(thread, NULL) == 0);
    CHECK(kl_node_health(rig.node) == KL_FULL);
    CHECK(kl_host_mine(kl_node_host(rig.node), 1, 0) == KL_FULL);
    node_rig_talk(&rig, node_rig_ask_number, "\"result\":\"0x1\"}", answer, sizeof answer);
    node_rig_talk(&rig, node_rig_ask_status, " must be: nothing is signed, stored or taken until ",
                  answer, sizeof answer);
    node_rig_done(&rig);
    CHECK(close(ends[0]) == 0 && close(ends[1]) == 0);
}

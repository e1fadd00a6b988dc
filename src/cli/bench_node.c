#include "cli/bench_node.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "codec/hex.h"
#include "sys/env.h"
#include "sys/tcp.h"

#define ANSWER_MEMORY_MAX ((usize)2 << 30)
#define ANSWER_NODES_MAX  ((usize)1 << 24)
#define REQUEST_MAX       ((usize)1 << 30)
#define START_WAIT_NS     ((u64)60 * 1000000000)
#define STOP_WAIT_NS      ((u64)10 * 1000000000)
#define POLL_NS           500000 /* between looks at whether it listens, or has ended */

u64 kl_bench_now_ns(void)
{
    return kl_mono_ns(kl_sys_clock());
}

static void answered(struct kl_bench_conn *conn, kl_span body)
{
    struct kl_bench_node *node = conn->owner;
    node->body = body;
}

/* The child ends with its parent; it reads nothing, and what it says is dropped. */
KL_MUST_USE static kl_status spawn(struct kl_bench_node *node, const kl_bench_target *target)
{
    pid_t parent = getpid(), pid = fork();
    if (pid < 0)
        return KL_LIMIT;
    if (pid == 0) {
        int null = open("/dev/null", O_RDWR | O_CLOEXEC);
        (void)prctl(PR_SET_PDEATHSIG, SIGTERM);
        if (getppid() != parent || null < 0 || dup2(null, 0) < 0 ||
            (!target->loud && (dup2(null, 1) < 0 || dup2(null, 2) < 0)))
            _exit(127);
        execvp(target->command[0], target->command);
        _exit(127);
    }
    node->pid = pid;
    node->started = true;
    return KL_OK;
}

/* Whether what was started has ended. */
static bool has_ended(struct kl_bench_node *node)
{
    if (!node->started)
        return false;
    int how;
    if (waitpid(node->pid, &how, WNOHANG) != node->pid)
        return false;
    fprintf(stderr, "keel %s: the node ended with status %d before it answered\n", node->who,
            WIFEXITED(how) ? WEXITSTATUS(how) : -1);
    node->started = false;
    node->pid = 0;
    return true;
}

static void hang_up(struct kl_bench_node *node)
{
    kl_bench_conn_close(&node->conn);
    node->conn.answered = answered;
    node->conn.owner = node;
}

/* A node may listen before it answers, and may close connections it got too early. */
KL_MUST_USE static kl_status wait_for_answer(struct kl_bench_node *node, u64 start)
{
    static const char ask[] =
        "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"eth_blockNumber\",\"params\":[]}";
    kl_status status = KL_NOTFOUND;
    while (!has_ended(node) && kl_bench_now_ns() - start < START_WAIT_NS) {
        struct kl_json json;
        if (!node->conn.loop)
            status = kl_bench_conn_open(&node->conn, node->loop, &node->url);
        if (status == KL_OK)
            status = kl_bench_post(node, KL_SPAN_TEXT(ask), &json);
        if (status == KL_OK) {
            node->first_answer_ns = kl_bench_now_ns() - start;
            return KL_OK;
        }
        hang_up(node);
        if (!node->started)
            break;
        kl_sys_nap(POLL_NS);
    }
    fprintf(stderr, "keel %s: no answer from http://%s:%u\n", node->who, node->url.host,
            node->url.port);
    return status == KL_OK ? KL_TIMEOUT : status;
}

static bool listens(const kl_bench_url *url)
{
    int fd;
    if (kl_tcp_connect(&fd, url->host, url->port) != KL_OK)
        return false;
    kl_tcp_close(fd);
    return true;
}

kl_status kl_bench_node_open(struct kl_bench_node *node, const kl_bench_target *target)
{
    *node = (struct kl_bench_node){
        .url = target->url, .pid = (pid_t)target->pid, .who = target->who ? target->who : "bench"};
    node->conn.answered = answered;
    node->conn.owner = node;
    kl_arena_init(&node->arena, ANSWER_MEMORY_MAX);
    kl_buf_init(&node->request, REQUEST_MAX);
    KL_TRY(kl_loop_open(&node->loop, kl_sys_clock()));
    u64 start = kl_bench_now_ns();
    if (target->command) {
        if (listens(&target->url)) {
            fprintf(stderr, "keel %s: something listens on http://%s:%u already\n", node->who,
                    target->url.host, target->url.port);
            return KL_BUSY;
        }
        start = kl_bench_now_ns();
        KL_TRY(spawn(node, target));
    }
    return wait_for_answer(node, start);
}

kl_status kl_bench_node_again(struct kl_bench_node *node)
{
    u64 first_answer_ns = node->first_answer_ns;
    hang_up(node);
    kl_status status = wait_for_answer(node, kl_bench_now_ns());
    node->first_answer_ns = first_answer_ns;
    return status;
}

void kl_bench_node_close(struct kl_bench_node *node)
{
    kl_bench_conn_close(&node->conn);
    if (node->started) {
        u64 asked = kl_bench_now_ns();
        kill(node->pid, SIGTERM);
        while (waitpid(node->pid, NULL, WNOHANG) == 0) {
            if (kl_bench_now_ns() - asked > STOP_WAIT_NS)
                kill(node->pid, SIGKILL);
            kl_sys_nap(POLL_NS);
        }
    }
    kl_loop_close(node->loop);
    kl_buf_done(&node->request);
    kl_arena_done(&node->arena);
    *node = (struct kl_bench_node){0};
}

kl_status kl_bench_post(struct kl_bench_node *node, kl_span body, struct kl_json *json)
{
    kl_rule broken;
    usize at;
    kl_buf_clear(&node->request);
    kl_bench_request(&node->request, &node->url, body);
    if (node->request.failed)
        return KL_NOMEM;
    if (node->conn.fd < 0 || node->conn.status != KL_OK)
        return KL_IO;
    kl_bench_conn_ask(&node->conn, kl_buf_view(&node->request));
    while (node->conn.waiting)
        if (!kl_loop_turn(node->loop, UINT64_MAX))
            return KL_IO;
    KL_TRY(node->conn.status);
    kl_arena_reset(&node->arena, SIZE_MAX);
    KL_TRY(kl_json_parse(json, node->body, ANSWER_NODES_MAX, &node->arena, &broken, &at));
    return broken == KL_RULE_NONE ? KL_OK : KL_CORRUPT;
}

kl_status kl_bench_call(struct kl_bench_node *node, const char *method, const char *params,
                        struct kl_json *json, kl_json_ref *result)
{
    struct kl_buf body;
    kl_buf_init(&body, REQUEST_MAX);
    kl_buf_str(&body, "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"");
    kl_buf_str(&body, method);
    kl_buf_str(&body, "\",\"params\":");
    kl_buf_str(&body, params);
    kl_buf_str(&body, "}");
    kl_status status = body.failed ? KL_NOMEM : kl_bench_post(node, kl_buf_view(&body), json);
    kl_buf_done(&body);
    if (status == KL_OK) {
        *result = kl_json_member(json, 0, "result");
        if (*result != KL_JSON_NONE)
            return KL_OK;
        status = KL_UNSUPPORTED;
    }
    fprintf(stderr, "keel %s: %s: %s%s%.*s\n", node->who, method, kl_status_text(status),
            status == KL_UNSUPPORTED ? ": " : "", status == KL_UNSUPPORTED ? 400 : 0,
            status == KL_UNSUPPORTED ? (const char *)node->body.p : "");
    return status;
}

kl_status kl_bench_same(struct kl_bench_node *a, struct kl_bench_node *b, const char *method,
                        const char *params)
{
    struct kl_json json;
    kl_json_ref result;
    KL_TRY(kl_bench_call(a, method, params, &json, &result));
    KL_TRY(kl_bench_call(b, method, params, &json, &result));
    if (kl_span_eq(a->body, b->body))
        return KL_OK;
    fprintf(stderr, "keel %s: %s %s: %.*s and %.*s\n", a->who, method, params,
            (int)KL_MIN(a->body.len, (usize)400), (const char *)a->body.p,
            (int)KL_MIN(b->body.len, (usize)400), (const char *)b->body.p);
    return KL_CORRUPT;
}

kl_status kl_bench_receipt(struct kl_bench_node *node, const kl_hash *hash, struct kl_json *json,
                           kl_json_ref *receipt)
{
    char params[72] = "[\"0x";
    kl_hex_digits(params + 4, kl_hash_span(hash));
    memcpy(params + 68, "\"]", 3);
    return kl_bench_call(node, "eth_getTransactionReceipt", params, json, receipt);
}

kl_status kl_bench_call_u64(struct kl_bench_node *node, const char *method, const char *params,
                            u64 *out)
{
    struct kl_json json;
    kl_json_ref result;
    KL_TRY(kl_bench_call(node, method, params, &json, &result));
    if (kl_json_is(&json, result, KL_JSON_NULL))
        return KL_NOTFOUND;
    return kl_hex_u64(out, kl_json_raw(&json, result)) == KL_RULE_NONE ? KL_OK : KL_CORRUPT;
}

/* The number behind "VmRSS:" in a file of /proc; they are in KiB. */
static u64 status_kib(const char *text, const char *name)
{
    const char *at = strstr(text, name);
    return at ? strtoull(at + strlen(name), NULL, 10) : 0;
}

bool kl_bench_weigh(const struct kl_bench_node *node, kl_bench_weight *out)
{
    char path[64], text[4096];
    clockid_t clock;
    struct timespec used;
    if (node->pid == 0 || clock_getcpuclockid(node->pid, &clock) != 0 ||
        clock_gettime(clock, &used) != 0)
        return false;
    snprintf(path, sizeof path, "/proc/%d/status", (int)node->pid);
    FILE *f = fopen(path, "re");
    if (!f)
        return false;
    usize len = fread(text, 1, sizeof text - 1, f);
    fclose(f);
    text[len] = '\0';
    *out = (kl_bench_weight){.cpu_ns = (u64)used.tv_sec * 1000000000u + (u64)used.tv_nsec,
                             .rss_bytes = status_kib(text, "VmRSS:") * 1024,
                             .rss_peak_bytes = status_kib(text, "VmHWM:") * 1024};
    return true;
}

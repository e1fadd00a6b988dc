/* What the nodes of a devnet say of themselves, in a table. */
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "cli/bench_http.h"
#include "cli/command.h"
#include "cli/devnet.h"
#include "codec/hex.h"
#include "codec/json.h"
#include "sys/tcp.h"

enum {
    WORD_MAX = 80,
    PATH = 4096,
    ANSWER_MAX = 1 << 16,
    NODES_MAX = 1024,   /* of the answer */
    PATIENCE_MS = 1000, /* with a node that stands still */
};

static void word_of(char out[WORD_MAX], const struct kl_json *json, kl_json_ref object,
                    const char *name)
{
    kl_json_ref ref = kl_json_member(json, object, name);
    kl_span text = kl_json_is(json, ref, KL_JSON_STRING) ? kl_json_raw(json, ref) : kl_span_str("");
    snprintf(out, WORD_MAX, "%.*s", (int)text.len, (const char *)text.p);
}

static u64 member_u64(const struct kl_json *json, kl_json_ref object, const char *name)
{
    u64 value = 0;
    kl_json_ref ref = kl_json_member(json, object, name);
    if (kl_json_is(json, ref, KL_JSON_STRING))
        (void)kl_hex_u64(&value, kl_json_raw(json, ref));
    return value;
}

/* Reads until the answer is whole; false when that takes too long. */
static bool read_answer(int fd, u8 bytes[ANSWER_MAX], kl_span *body)
{
    usize count = 0, got, len;
    unsigned status;
    for (;;) {
        struct pollfd ready = {.fd = fd, .events = POLLIN};
        if (count == ANSWER_MAX || poll(&ready, 1, PATIENCE_MS) != 1 ||
            kl_tcp_read(fd, bytes + count, ANSWER_MAX - count, &got) != KL_OK || got == 0)
            return false;
        count += got;
        kl_http_reading reading = kl_bench_answer(bytes, count, &status, body, &len);
        if (reading != KL_HTTP_PART)
            return reading == KL_HTTP_WHOLE;
    }
}

/* Asks a node for its keel_status; false when nobody answers. */
static bool ask(u64 port, u8 bytes[ANSWER_MAX], kl_span *body)
{
    static const char question[] =
        "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"keel_status\",\"params\":[]}";
    const kl_bench_url url = {.host = "127.0.0.1", .port = (u16)port};
    struct kl_buf request;
    int fd;
    usize put;
    if (kl_tcp_connect(&fd, url.host, url.port) != KL_OK)
        return false;
    kl_buf_init(&request, ANSWER_MAX);
    kl_bench_request(&request, &url, kl_span_str(question));
    bool good = !request.failed && kl_tcp_write(fd, kl_buf_view(&request), &put) == KL_OK &&
                put == request.len && read_answer(fd, bytes, body);
    kl_buf_done(&request);
    kl_tcp_close(fd);
    return good;
}

static void put_status(const struct kl_json *json, u64 i, u64 port)
{
    char why[WORD_MAX], health[WORD_MAX];
    kl_json_ref status = kl_json_member(json, 0, "result");
    word_of(why, json, status, "why");
    word_of(health, json, status, "health");
    bool signs = kl_json_is(json, kl_json_member(json, status, "signing"), KL_JSON_TRUE);
    printf("%-6llu %-10s %8llu %6llu %6llu %6llu  http://127.0.0.1:%llu  %s\n",
           (unsigned long long)i, signs ? "validator" : "observer",
           (unsigned long long)member_u64(json, status, "number"),
           (unsigned long long)member_u64(json, status, "epoch"),
           (unsigned long long)member_u64(json, status, "view"),
           (unsigned long long)member_u64(json, status, "peers"), (unsigned long long)port,
           strcmp(health, "good") == 0 ? why : health);
}

/* One row; false when the node does not answer. */
static bool put_row(const struct kl_devnet_options *o, u64 i)
{
    static u8 bytes[ANSWER_MAX];
    struct kl_arena arena;
    struct kl_json json;
    kl_rule broken;
    kl_span body;
    usize at;
    kl_arena_init(&arena, 1 << 20);
    bool good = ask(o->base_port + i, bytes, &body) &&
                kl_json_parse(&json, body, NODES_MAX, &arena, &broken, &at) == KL_OK &&
                broken == KL_RULE_NONE;
    if (good)
        put_status(&json, i, o->base_port + i);
    kl_arena_done(&arena);
    return good;
}

static u64 nodes_in(const char *dir)
{
    char path[PATH];
    struct stat stat_;
    u64 count = 0;
    while (snprintf(path, sizeof path, "%s/node-%llu", dir, (unsigned long long)count) < PATH &&
           stat(path, &stat_) == 0)
        count++;
    return count;
}

int kl_devnet_status(const struct kl_devnet_options *o)
{
    u64 count = nodes_in(o->dir), answered = 0;
    if (!count) {
        fprintf(stderr, "keel devnet: there is no network in %s\n", o->dir);
        return KL_EXIT_FAILED;
    }
    printf("%-6s %-10s %8s %6s %6s %6s  %s\n", "node", "role", "height", "epoch", "view", "peers",
           "RPC");
    for (u64 i = 0; i < count; i++) {
        bool up = put_row(o, i);
        answered += up;
        if (!up)
            printf("%-6llu does not answer\n", (unsigned long long)i);
    }
    return answered ? KL_EXIT_OK : KL_EXIT_FAILED;
}

/* What the nodes of a devnet are at: each is asked for keel_status once a second, all at once; who
 * does not answer within that time does not answer. */
#include <stdio.h>
#include <string.h>

#include "cli/devnet.h"
#include "codec/hex.h"
#include "codec/json.h"

#define ROUND_NS UINT64_C(1000000000)
enum { NODES_MAX = 4096 }; /* of the answer */

/* --- asking --- */

static void word_of(char *out, usize cap, const struct kl_json *json, kl_json_ref object,
                    const char *name)
{
    kl_json_ref ref = kl_json_member(json, object, name);
    kl_span text = kl_json_is(json, ref, KL_JSON_STRING) ? kl_json_raw(json, ref) : kl_span_str("");
    snprintf(out, cap, "%.*s", (int)text.len, (const char *)text.p);
}

static u64 member_u64(const struct kl_json *json, kl_json_ref object, const char *name)
{
    u64 value = 0;
    kl_json_ref ref = kl_json_member(json, object, name);
    if (kl_json_is(json, ref, KL_JSON_STRING))
        (void)kl_hex_u64(&value, kl_json_raw(json, ref));
    return value;
}

static void read_row(kl_devnet_row *row, const struct kl_json *json)
{
    kl_json_ref status = kl_json_member(json, 0, "result");
    *row = (kl_devnet_row){
        .answers = true,
        .signs = kl_json_is(json, kl_json_member(json, status, "signing"), KL_JSON_TRUE),
        .stalled = kl_json_member(json, status, "stalledSeconds") != KL_JSON_NONE,
        .height = member_u64(json, status, "number"),
        .epoch = member_u64(json, status, "epoch"),
        .view = member_u64(json, status, "view"),
        .peers = member_u64(json, status, "peers"),
    };
    word_of(row->why, sizeof row->why, json, status, "why");
    word_of(row->health, sizeof row->health, json, status, "health");
}

static void end_round(struct kl_devnet *d)
{
    d->stale = true;
    kl_devnet_desk_table(d);
}

static void on_answer(struct kl_bench_conn *conn, kl_span body)
{
    struct kl_devnet_asker *asker = conn->owner;
    struct kl_devnet *d = asker->devnet;
    struct kl_arena arena;
    struct kl_json json;
    kl_rule broken;
    usize at;
    asker->row.answers = false;
    kl_arena_init(&arena, 1 << 20);
    if (conn->status == KL_OK &&
        kl_json_parse(&json, body, NODES_MAX, &arena, &broken, &at) == KL_OK &&
        broken == KL_RULE_NONE)
        read_row(&asker->row, &json);
    kl_arena_done(&arena);
    asker->asking = false;
    if (--d->open_questions == 0)
        end_round(d);
}

static void close_asker(struct kl_devnet_asker *asker)
{
    if (asker->open)
        kl_bench_conn_close(&asker->conn);
    asker->open = asker->asking = false;
}

static void ask(struct kl_devnet *d, u32 i)
{
    static const char question[] =
        "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"keel_status\",\"params\":[]}";
    struct kl_devnet_asker *asker = &d->askers[i];
    const kl_bench_url url = {.host = "127.0.0.1", .port = (u16)(d->options.base_port + i)};
    if (asker->open && (asker->asking || asker->conn.fd < 0))
        close_asker(asker);
    asker->row.answers &= d->children[i].pid && !d->children[i].stopped;
    if (!d->children[i].pid || d->children[i].stopped)
        return;
    if (!asker->open) {
        asker->conn = (struct kl_bench_conn){.answered = on_answer, .owner = asker, .fd = -1};
        asker->open = kl_bench_conn_open(&asker->conn, d->loop, &url) == KL_OK;
    }
    if (!asker->open) {
        asker->row.answers = false;
        return;
    }
    kl_buf_clear(&asker->request);
    kl_bench_request(&asker->request, &url, kl_span_str(question));
    asker->asking = true;
    d->open_questions++;
    kl_bench_conn_ask(&asker->conn, kl_buf_view(&asker->request));
}

void kl_devnet_table_ask(struct kl_devnet *d)
{
    for (u32 i = 0; i < d->count; i++)
        if (d->askers[i].asking)
            d->askers[i].row.answers = false; /* its time is up */
    d->open_questions = 1;                    /* the round's own */
    for (u32 i = 0; i < d->count; i++)
        ask(d, i);
    if (--d->open_questions == 0)
        end_round(d);
    kl_loop_set(d->loop, &d->round_timer, kl_loop_now(d->loop) + ROUND_NS);
}

static void on_round(struct kl_timer *timer)
{
    struct kl_devnet *d = timer->owner;
    for (u32 i = 0; i < d->count; i++)
        if (d->askers[i].asking) {
            d->askers[i].row.answers = false;
            close_asker(&d->askers[i]);
        }
    if (d->open_questions)
        end_round(d);
    kl_devnet_table_ask(d);
}

void kl_devnet_table_open(struct kl_devnet *d)
{
    d->round_timer = (struct kl_timer){.fire = on_round, .owner = d};
    for (u32 i = 0; i < d->count; i++) {
        d->askers[i].devnet = d;
        kl_buf_init(&d->askers[i].request, 4096);
    }
    kl_devnet_table_ask(d);
}

void kl_devnet_table_close(struct kl_devnet *d)
{
    for (u32 i = 0; i < d->count; i++) {
        close_asker(&d->askers[i]);
        kl_buf_done(&d->askers[i].request);
    }
    kl_loop_unset(d->loop, &d->round_timer);
}

/* --- printing --- */

static void print_row(const struct kl_devnet *d, u32 i, struct kl_buf *out)
{
    const kl_devnet_row *row = &d->askers[i].row;
    const struct kl_devnet_child *child = &d->children[i];
    unsigned long long port = d->options.base_port + i;
    const char *state = !child->pid      ? "is not running"
                        : child->stopped ? "stands still"
                                         : "does not answer";
    if (!row->answers || !child->pid || child->stopped) {
        kl_buf_print(out, "%-5u %-42s  http://127.0.0.1:%llu\n", i, state, port);
        return;
    }
    kl_buf_print(out, "%-5u %-10s %9llu %6llu %7llu %6llu  http://127.0.0.1:%llu%s%s\n", i,
                 row->signs ? "validator" : "observer", (unsigned long long)row->height,
                 (unsigned long long)row->epoch, (unsigned long long)row->view,
                 (unsigned long long)row->peers, port, strcmp(row->health, "good") != 0 ? "  " : "",
                 strcmp(row->health, "good") != 0 ? row->health : "");
}

void kl_devnet_table_print(struct kl_devnet *d, struct kl_buf *out)
{
    kl_buf_print(out, "%-5s %-10s %9s %6s %7s %6s  %s\n", "node", "role", "height", "epoch", "view",
                 "peers", "RPC");
    for (u32 i = 0; i < d->count; i++)
        print_row(d, i, out);
    if (d->network[0])
        kl_buf_print(out, "network: %s\n", d->network);
    for (u32 i = 0; i < d->count; i++) {
        const kl_devnet_row *row = &d->askers[i].row;
        if (!row->answers || !row->stalled)
            continue;
        kl_buf_print(out, "node %u: no block: %s\n", i, row->why);
        break; /* one says enough */
    }
}

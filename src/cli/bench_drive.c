/* One loop serves the sending lanes and a watcher, which asks for the head every few milliseconds
 * and, once everything is sent, for the accounts' nonces: when all have arrived where they should
 * be, all transactions are in blocks.  Blocks are read when the clock has stopped. */
#include "cli/bench_drive.h"

#include <stdio.h>
#include <stdlib.h>

#include "codec/hex.h"
#include "sys/env.h"

#define WATCH_NS     5000000
#define SYNC_POLL_NS 200000

struct drive;

/* A connection and what it has to send. */
struct lane {
    struct kl_bench_conn conn;
    struct kl_timer timer;
    struct drive *drive;
    struct kl_buf text; /* of all its requests */
    usize *ends;        /* where each ends in text */
    u32 *order;         /* its transactions, batch of them a request */
    usize tx_count, request_count, next;
    u64 due_ns;
};

struct drive {
    struct kl_bench_run *run;
    struct kl_bench_node *node;
    const struct kl_bench_work *work;
    kl_bench_tx *txs;
    const kl_bench_plan *plan;
    struct kl_arena arena;
    struct lane *lanes;
    usize lanes_busy, batch;

    struct kl_bench_conn watcher;
    struct kl_timer timer;
    struct kl_buf question;
    usize settled; /* accounts known to be where they should */
    bool asks_nonce, hurries, done;
    kl_status status;
};

static bool put_sighting(struct kl_bench_run *run, u64 number, u64 now)
{
    if (run->sighting_count == run->sighting_cap) {
        usize cap = run->sighting_cap ? 2 * run->sighting_cap : 256;
        kl_bench_sighting *more = realloc(run->sightings, cap * sizeof *more);
        if (!more)
            return false;
        run->sightings = more;
        run->sighting_cap = cap;
    }
    run->sightings[run->sighting_count++] = (kl_bench_sighting){number, now};
    return true;
}

static void stop(struct drive *d, kl_status status)
{
    d->status = d->status == KL_OK ? status : d->status;
    d->done = true;
}

/* How many answers of a body are errors; the first of all is kept. */
static usize count_errors(struct kl_bench_run *run, kl_span body)
{
    static const char word[] = "\"error\"";
    usize count = 0;
    const u8 *at = body.p, *end = body.p + body.len;
    while ((at = memmem(at, (usize)(end - at), word, sizeof word - 1))) {
        if (run->refused + count == 0)
            snprintf(run->complaint, sizeof run->complaint, "%.*s", (int)(end - at), at);
        count++;
        at += sizeof word - 1;
    }
    return count;
}

static void lane_send(struct lane *lane)
{
    struct drive *d = lane->drive;
    u64 now = kl_bench_now_ns();
    usize from = lane->next ? lane->ends[lane->next - 1] : 0;
    if (lane->due_ns == 0)
        lane->due_ns = now;
    for (usize i = lane->next * d->batch; i < KL_MIN((lane->next + 1) * d->batch, lane->tx_count);
         i++) {
        d->txs[lane->order[i]].sent_ns = now;
        d->txs[lane->order[i]].due_ns = lane->due_ns;
    }
    kl_bench_conn_ask(&lane->conn, kl_span_of(lane->text.p + from, lane->ends[lane->next] - from));
}

/* When the lane's next request should leave; the lanes take turns. */
static u64 lane_due(const struct lane *lane)
{
    const struct drive *d = lane->drive;
    usize turn = lane->next * d->plan->connections + (usize)(lane - d->lanes);
    return d->run->start_ns + (u64)((double)turn * 1e9 / d->plan->rate);
}

static void lane_go_on(struct lane *lane)
{
    struct drive *d = lane->drive;
    if (lane->next == lane->request_count) {
        if (--d->lanes_busy == 0)
            d->run->sent_ns = kl_bench_now_ns();
        return;
    }
    lane->due_ns = 0;
    if (d->plan->mode == KL_BENCH_RATE) {
        lane->due_ns = lane_due(lane);
        if (lane->due_ns > kl_bench_now_ns()) {
            kl_loop_set(d->node->loop, &lane->timer, lane->due_ns);
            return;
        }
    }
    lane_send(lane);
}

static void lane_fire(struct kl_timer *timer)
{
    lane_send(timer->owner);
}

static void lane_answered(struct kl_bench_conn *conn, kl_span body)
{
    struct lane *lane = conn->owner;
    struct drive *d = lane->drive;
    if (conn->status != KL_OK) {
        fprintf(stderr, "keel bench: the node closed a connection\n");
        stop(d, conn->status);
        return;
    }
    d->run->submit_us[d->run->submit_count++] =
        (u32)KL_MIN((kl_bench_now_ns() - lane->due_ns) / 1000, UINT32_MAX);
    d->run->refused += count_errors(d->run, body);
    lane->next++;
    lane_go_on(lane);
}

static void put_send(struct kl_buf *out, const kl_bench_tx *tx, usize id)
{
    char head[96];
    int len = snprintf(
        head, sizeof head,
        "{\"jsonrpc\":\"2.0\",\"id\":%zu,\"method\":\"eth_sendRawTransaction\",\"params\":[\"0x",
        id);
    kl_buf_bytes(out, head, (usize)len);
    u8 *digits = kl_buf_extend(out, 2 * tx->raw.len);
    if (digits)
        kl_hex_digits((char *)digits, tx->raw);
    kl_buf_str(out, "\"]}");
}

static const kl_bench_url *lane_url(const struct lane *lane)
{
    const struct drive *d = lane->drive;
    usize count = d->plan->url_count;
    return count ? &d->plan->urls[(usize)(lane - d->lanes) % count] : &d->node->url;
}

/* Writes all the lane's requests. */
KL_MUST_USE static kl_status lane_fill(struct lane *lane)
{
    struct drive *d = lane->drive;
    struct kl_buf body;
    kl_buf_init(&body, (usize)1 << 30);
    kl_buf_init(&lane->text, (usize)4 << 30);
    lane->request_count = (lane->tx_count + d->batch - 1) / d->batch;
    lane->ends = KL_TAKE(&d->arena, usize, lane->request_count + 1);
    for (usize r = 0; lane->ends && r < lane->request_count; r++) {
        usize first = r * d->batch, end = KL_MIN(first + d->batch, lane->tx_count);
        kl_buf_clear(&body);
        if (d->plan->mode == KL_BENCH_BATCH)
            kl_buf_str(&body, "[");
        for (usize i = first; i < end; i++) {
            if (i > first)
                kl_buf_str(&body, ",");
            put_send(&body, &d->txs[lane->order[i]], i - first + 1);
        }
        if (d->plan->mode == KL_BENCH_BATCH)
            kl_buf_str(&body, "]");
        kl_bench_request(&lane->text, lane_url(lane), kl_buf_view(&body));
        lane->ends[r] = lane->text.len;
    }
    bool good = lane->ends && !body.failed && !lane->text.failed;
    kl_buf_done(&body);
    return good ? KL_OK : KL_NOMEM;
}

KL_MUST_USE static kl_status lanes_open(struct drive *d)
{
    usize connections = d->plan->connections, accounts = d->work->accounts;
    d->lanes = KL_ZERO(&d->arena, struct lane, connections);
    if (!d->lanes)
        return KL_NOMEM;
    for (usize c = 0; c < connections; c++) {
        struct lane *lane = &d->lanes[c];
        lane->drive = d;
        lane->conn.answered = lane_answered;
        lane->conn.owner = lane;
        lane->timer = (struct kl_timer){.fire = lane_fire, .owner = lane};
        lane->order = KL_TAKE(&d->arena, u32, d->run->count + 1);
        if (!lane->order)
            return KL_NOMEM;
        for (usize i = 0; i < d->run->count; i++)
            if (i % accounts % connections == c)
                lane->order[lane->tx_count++] = (u32)i;
        KL_TRY(lane_fill(lane));
        KL_TRY(kl_bench_conn_open(&lane->conn, d->node->loop, lane_url(lane)));
    }
    return KL_OK;
}

static void lanes_close(struct drive *d)
{
    for (usize c = 0; d->lanes && c < d->plan->connections; c++) {
        kl_loop_unset(d->node->loop, &d->lanes[c].timer);
        kl_bench_conn_close(&d->lanes[c].conn);
        kl_buf_done(&d->lanes[c].text);
    }
}

/* How many transactions the load has of account. */
static u64 share(const struct drive *d, usize account)
{
    usize count = d->run->count, accounts = d->work->accounts;
    return count / accounts + (account < count % accounts);
}

static void watcher_ask(struct drive *d)
{
    char body[160];
    int len;
    d->asks_nonce = !d->asks_nonce && d->run->sent_ns && d->settled < d->work->accounts;
    if (d->asks_nonce) {
        kl_address account = kl_bench_work_account(d->work, d->settled);
        char digits[41] = "";
        kl_hex_digits(digits, kl_address_span(&account));
        len = snprintf(body, sizeof body,
                       "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"eth_getTransactionCount\","
                       "\"params\":[\"0x%s\",\"latest\"]}",
                       digits);
    } else {
        len = snprintf(body, sizeof body,
                       "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"eth_blockNumber\","
                       "\"params\":[]}");
    }
    kl_buf_clear(&d->question);
    kl_bench_request(&d->question, &d->node->url, kl_span_of(body, (usize)len));
    kl_bench_conn_ask(&d->watcher, kl_buf_view(&d->question));
}

static void watcher_fire(struct kl_timer *timer)
{
    watcher_ask(timer->owner);
}

/* The quantity that is a small answer's result. */
static bool result_of(kl_span body, u64 *out)
{
    static const char word[] = "\"result\":\"";
    const u8 *at = memmem(body.p, body.len, word, sizeof word - 1), *end;
    if (!at)
        return false;
    at += sizeof word - 1;
    end = memchr(at, '"', (usize)(body.p + body.len - at));
    return end && kl_hex_u64(out, kl_span_of(at, (usize)(end - at))) == KL_RULE_NONE;
}

/* False when memory ran out. */
KL_MUST_USE static bool saw_head(struct kl_bench_run *run, u64 number, u64 now)
{
    u64 last =
        run->sighting_count ? run->sightings[run->sighting_count - 1].number : run->first_block;
    return number <= last || put_sighting(run, number, now);
}

kl_status kl_bench_look(struct kl_bench_run *run, struct kl_bench_node *node)
{
    u64 head;
    KL_TRY(kl_bench_call_u64(node, "eth_blockNumber", "[]", &head));
    return saw_head(run, head, kl_bench_now_ns()) ? KL_OK : KL_NOMEM;
}

static void saw_nonce(struct drive *d, u64 nonce)
{
    /* work's nonces are those behind the load */
    u64 want = d->work->nonces[d->settled], had = want - share(d, d->settled);
    if (nonce >= want) {
        d->run->mined += share(d, d->settled);
        if (++d->settled == d->work->accounts) {
            d->done = true;
            return;
        }
    } else if (kl_bench_now_ns() - d->run->sent_ns > d->plan->wait_ns) {
        d->run->mined += nonce > had ? nonce - had : 0;
        if (++d->settled == d->work->accounts)
            d->done = true;
    }
}

static void watcher_answered(struct kl_bench_conn *conn, kl_span body)
{
    struct drive *d = conn->owner;
    u64 value, now = kl_bench_now_ns();
    if (conn->status != KL_OK || !result_of(body, &value)) {
        fprintf(stderr, "keel bench: the node did not say how far it is\n");
        stop(d, KL_IO);
        return;
    }
    if (d->asks_nonce) {
        usize before = d->settled;
        saw_nonce(d, value);
        d->hurries = d->settled != before;
    } else if (!saw_head(d->run, value, now)) {
        stop(d, KL_NOMEM);
    }
    if (d->done)
        return;
    if (d->hurries) { /* the next account, behind a look at the head */
        watcher_ask(d);
        return;
    }
    kl_loop_set(d->node->loop, &d->timer, now + WATCH_NS);
}

KL_MUST_USE static kl_status drive_lanes(struct drive *d)
{
    struct kl_bench_run *run = d->run;
    KL_TRY(lanes_open(d));
    d->watcher.answered = watcher_answered;
    d->watcher.owner = d;
    d->timer = (struct kl_timer){.fire = watcher_fire, .owner = d};
    KL_TRY(kl_bench_conn_open(&d->watcher, d->node->loop, &d->node->url));
    d->lanes_busy = d->plan->connections;
    run->weighed = kl_bench_weigh(d->node, &run->before);
    run->start_ns = kl_bench_now_ns();
    for (usize c = 0; c < d->plan->connections; c++)
        lane_go_on(&d->lanes[c]);
    watcher_ask(d);
    while (!d->done)
        if (!kl_loop_turn(d->node->loop, UINT64_MAX))
            return KL_IO;
    run->weighed = run->weighed && kl_bench_weigh(d->node, &run->after);
    KL_TRY(d->status);
    return kl_bench_look(run, d->node);
}

/* Asks for the receipt until it is there. */
KL_MUST_USE static kl_status wait_for_receipt(struct drive *d, const kl_bench_tx *tx)
{
    for (u64 start = kl_bench_now_ns(); kl_bench_now_ns() - start < d->plan->wait_ns;) {
        struct kl_json json;
        kl_json_ref receipt, block;
        u64 number;
        KL_TRY(kl_bench_receipt(d->node, &tx->hash, &json, &receipt));
        block = kl_json_member(&json, receipt, "blockNumber");
        if (block != KL_JSON_NONE && kl_hex_u64(&number, kl_json_raw(&json, block)) == KL_RULE_NONE)
            return put_sighting(d->run, number, kl_bench_now_ns()) ? KL_OK : KL_NOMEM;
        kl_sys_nap(SYNC_POLL_NS);
    }
    return KL_TIMEOUT;
}

KL_MUST_USE static kl_status drive_sync(struct drive *d)
{
    struct kl_bench_run *run = d->run;
    struct kl_buf body;
    kl_status status = KL_OK;
    kl_buf_init(&body, 1 << 20);
    run->weighed = kl_bench_weigh(d->node, &run->before);
    run->start_ns = kl_bench_now_ns();
    for (usize i = 0; i < run->count && status == KL_OK && run->refused == 0; i++) {
        struct kl_json json;
        u64 now = kl_bench_now_ns();
        d->txs[i].due_ns = d->txs[i].sent_ns = now;
        kl_buf_clear(&body);
        put_send(&body, &d->txs[i], 1);
        status = kl_bench_post(d->node, kl_buf_view(&body), &json);
        if (status != KL_OK)
            break;
        run->submit_us[run->submit_count++] = (u32)((kl_bench_now_ns() - now) / 1000);
        run->refused += count_errors(run, d->node->body);
        status = run->refused ? KL_OK : wait_for_receipt(d, &d->txs[i]);
        run->mined += status == KL_OK && run->refused == 0;
    }
    run->sent_ns = kl_bench_now_ns();
    run->weighed = run->weighed && kl_bench_weigh(d->node, &run->after);
    kl_buf_done(&body);
    return status == KL_TIMEOUT ? KL_OK : status;
}

kl_status kl_bench_drive(struct kl_bench_run *out, struct kl_bench_node *node,
                         const struct kl_bench_work *work, kl_bench_tx *txs, usize count,
                         const kl_bench_plan *plan)
{
    struct drive d = {.run = out, .node = node, .work = work, .txs = txs, .plan = plan};
    *out = (struct kl_bench_run){.count = count};
    out->submit_us = calloc(count + 1, sizeof *out->submit_us);
    if (!out->submit_us)
        return KL_NOMEM;
    d.batch = plan->mode == KL_BENCH_BATCH ? plan->batch : 1;
    kl_arena_init(&d.arena, (usize)4 << 30);
    kl_buf_init(&d.question, 1 << 16);
    kl_status status = kl_bench_call_u64(node, "eth_blockNumber", "[]", &out->first_block);
    if (status == KL_OK)
        status = plan->mode == KL_BENCH_SYNC ? drive_sync(&d) : drive_lanes(&d);
    lanes_close(&d);
    kl_loop_unset(node->loop, &d.timer);
    kl_bench_conn_close(&d.watcher);
    kl_buf_done(&d.question);
    kl_arena_done(&d.arena);
    return status;
}

void kl_bench_run_done(struct kl_bench_run *run)
{
    free(run->submit_us);
    free(run->sightings);
    *run = (struct kl_bench_run){0};
}

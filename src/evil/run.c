/* Dials, lets every connection come as far as the attack wants it, and attacks.  Buckets of dials
 * and steps fill with time; the share of a processor is kept by sleeping. */
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "base/rand.h"
#include "crypto/address.h"
#include "crypto/secp256k1.h"
#include "evil/evil_priv.h"
#include "p2p/gossip.h"
#include "p2p/identify.h"
#include "sys/env.h"
#include "sys/tcp.h"

#define SECOND     UINT64_C(1000000000)
#define AGAIN_NS   (SECOND / 50) /* before a connection that was lost is made again */
#define BRIEF_MS   2
#define STEPS_MAX  64 /* of one connection in a turn */
#define READS_MAX  8
#define READ_BYTES (1 << 16)

struct bucket {
    u64 rate, from_ns, used;
};

static bool bucket_take(struct bucket *b, u64 now_ns)
{
    if (b->rate && (double)b->used >= 1 + (double)(now_ns - b->from_ns) / 1e9 * (double)b->rate)
        return false;
    b->used++;
    return true;
}

static u64 clock_ns(clockid_t clock)
{
    struct timespec t;
    KL_ASSERT(clock_gettime(clock, &t) == 0);
    return (u64)t.tv_sec * SECOND + (u64)t.tv_nsec;
}

void evil_random_bytes(struct evil *e, void *out, usize len)
{
    kl_rand_fill(&e->random, out, len);
}

/* --- one connection --- */

/* The connection is over, by the target or because it makes no sense any more. */
static void lose(struct evil_wire *w, bool by_target)
{
    struct evil *e = w->evil;
    if (w->at < e->attack->stage)
        e->report->refused++;
    else if (by_target)
        e->report->dropped++;
    evil_wire_close(w);
    w->again_ns = e->now_ns + AGAIN_NS;
}

static void reach(struct evil_wire *w)
{
    struct evil *e = w->evil;
    e->report->reached++;
    if (e->attack->begin)
        e->attack->begin(w);
    evil_wire_settle(w);
}

static void read_wire(struct evil_wire *w)
{
    static u8 bytes[READ_BYTES];
    struct evil *e = w->evil;
    for (int i = 0; i < READS_MAX && w->fd >= 0; i++) {
        usize got = 0;
        evil_stage before = w->at;
        kl_status status = kl_tcp_read(w->fd, bytes, sizeof bytes, &got);
        if (status == KL_AGAIN)
            return;
        e->report->bytes_in += got;
        if (status != KL_OK || got == 0) {
            lose(w, true);
            return;
        }
        if (!evil_wire_feed(w, kl_span_of(bytes, got))) {
            lose(w, false);
            return;
        }
        if (before < e->attack->stage && w->at >= e->attack->stage)
            reach(w);
        if (got < sizeof bytes)
            return;
    }
}

static void write_wire(struct evil_wire *w)
{
    while (w->fd >= 0 && w->raw_at < w->raw.len) {
        usize put = 0;
        kl_status status =
            kl_tcp_write(w->fd, kl_span_of(w->raw.p + w->raw_at, w->raw.len - w->raw_at), &put);
        if (status == KL_AGAIN)
            return;
        if (status != KL_OK) {
            lose(w, true);
            return;
        }
        w->raw_at += put;
        w->evil->report->bytes_out += put;
        if (w->raw_at == w->raw.len) {
            w->raw_at = 0;
            kl_buf_clear(&w->raw);
            evil_wire_settle(w);
        }
    }
}

static bool is_deaf(const struct evil_wire *w)
{
    return w->evil->attack->habits & EVIL_DEAF && w->at >= w->evil->attack->stage;
}

static void ready(struct evil_wire *w, short events)
{
    if (w->at == EVIL_DIALS) {
        if (!events)
            return;
        if (kl_tcp_dialled(w->fd) != KL_OK) {
            lose(w, true);
            return;
        }
        evil_wire_connected(w);
        if (w->evil->attack->stage == EVIL_TCP)
            reach(w);
    }
    if (is_deaf(w) && events & (POLLRDHUP | POLLHUP | POLLERR))
        lose(w, true);
    else if (events & (POLLIN | POLLHUP | POLLERR))
        read_wire(w);
    write_wire(w);
}

static void attack(struct evil_wire *w, struct bucket *steps)
{
    struct evil *e = w->evil;
    if (w->at < e->attack->stage)
        return;
    if (e->attack->habits & EVIL_BRIEF) {
        if (w->raw_at == w->raw.len)
            lose(w, false);
        return;
    }
    for (int i = 0; e->attack->step && w->fd >= 0 && i < STEPS_MAX && evil_wire_is_idle(w); i++) {
        if (!bucket_take(steps, e->now_ns))
            return;
        e->attack->step(w);
        w->steps++;
        e->report->steps++;
        evil_wire_settle(w);
    }
    write_wire(w);
}

/* --- all of them --- */

static void turn(struct evil *e, struct pollfd *polls, struct bucket *dials, struct bucket *steps)
{
    for (usize i = 0; i < e->wire_count; i++) {
        struct evil_wire *w = &e->wires[i];
        if (w->fd < 0 && w->again_ns <= e->now_ns && bucket_take(dials, e->now_ns)) {
            e->report->dials++;
            if (!evil_wire_dial(w))
                lose(w, true);
        }
        bool out = w->at == EVIL_DIALS || w->raw_at < w->raw.len;
        polls[i] = (struct pollfd){
            .fd = w->fd,
            .events = (short)((is_deaf(w) ? POLLRDHUP : POLLIN) | (out ? POLLOUT : 0))};
    }
    u64 steps_before = e->report->steps;
    if (poll(polls, (nfds_t)e->wire_count, e->busy ? 0 : BRIEF_MS) < 0)
        return;
    for (usize i = 0; i < e->wire_count; i++)
        if (e->wires[i].fd >= 0)
            ready(&e->wires[i], polls[i].revents);
    for (usize i = 0; i < e->wire_count; i++)
        if (e->wires[i].fd >= 0)
            attack(&e->wires[i], steps);
    e->busy = e->report->steps > steps_before;
}

/* Sleeps until the time that was used is the share that is allowed. */
static void hold_back(const struct evil *e, u64 began_ns)
{
    u64 percent = e->config->cpu_percent;
    u64 used_ns = clock_ns(CLOCK_PROCESS_CPUTIME_ID);
    u64 passed_ns = clock_ns(CLOCK_MONOTONIC) - began_ns;
    if (!percent || used_ns * 100 <= passed_ns * percent)
        return;
    u64 wait_ns = KL_MIN(used_ns * 100 / percent - passed_ns, SECOND);
    kl_sys_nap(wait_ns);
}

static void run(struct evil *e, struct pollfd *polls)
{
    u64 began_ns = clock_ns(CLOCK_MONOTONIC);
    struct bucket dials = {.rate = e->config->dial_rate, .from_ns = began_ns};
    struct bucket steps = {.rate = e->config->step_rate, .from_ns = began_ns};
    do {
        e->now_ns = clock_ns(CLOCK_MONOTONIC);
        turn(e, polls, &dials, &steps);
        hold_back(e, began_ns);
    } while (e->now_ns < began_ns + e->config->duration_ns);
}

static kl_status prepare(struct evil *e)
{
    static const char *const topics[] = {"bft", "proposal", "tx", "sync", "hello"};
    const kl_evil_config *c = e->config;
    kl_pubkey pubkey;
    unsigned habits = e->attack->habits;
    if ((habits & EVIL_VOTES && !c->has_vote_key) ||
        (habits & EVIL_LEADS && !c->genesis_text.len) ||
        (habits & EVIL_LISTED && !c->has_identity) || (habits & EVIL_FUNDED && !c->has_key))
        return KL_UNSUPPORTED;
    if (kl_tcp_room() < e->wire_count + 16)
        return KL_LIMIT;
    snprintf(e->names[EVIL_OTHER], sizeof e->names[EVIL_OTHER], "%s", KL_IDENTIFY_NAME);
    snprintf(e->names[EVIL_GOSSIP], sizeof e->names[EVIL_GOSSIP], "%s", KL_GOSSIP_NAME_V11);
    for (usize i = 0; i < EVIL_NAMES; i++) {
        if (i < EVIL_GOSSIP)
            snprintf(e->names[i], sizeof e->names[i], "/keel/%s/%s/1", c->digest, topics[i]);
        e->name_spans[i] = kl_span_str(e->names[i]);
    }
    kl_entropy_fill(kl_sys_entropy(), &e->random, sizeof e->random);
    kl_buf_init(&e->kept, KL_MESSAGE_MAX);
    kl_buf_init(&e->made, KL_MESSAGE_MAX);
    kl_arena_init(&e->arena, (usize)64 << 20);
    if (habits & EVIL_FUNDED && kl_secp256k1_pubkey(&pubkey, &c->key))
        e->account = kl_address_of_pubkey(&pubkey);
    e->domain = (kl_vote_domain){.chain_id = c->chain_id, .genesis_hash = c->genesis};
    if (habits & EVIL_LEADS) {
        KL_TRY(evil_follow_open(&e->follow, c->genesis_text));
        e->domain = evil_follow_domain(e->follow);
    }
    return KL_OK;
}

kl_status kl_evil_run(kl_evil_report *out, const kl_evil_config *config,
                      const struct evil_attack *attack)
{
    kl_evil_report report = {0};
    struct evil e = {.config = config, .attack = attack, .report = &report};
    e.wire_count = config->wires ? config->wires : KL_MAX(attack->wires, config->target_count);
    KL_ASSERT(e.wire_count <= KL_EVIL_WIRES_MAX);
    e.wires = calloc(e.wire_count, sizeof *e.wires);
    struct pollfd *polls = calloc(e.wire_count, sizeof *polls);
    kl_status status = e.wires && polls ? prepare(&e) : KL_NOMEM;
    for (usize i = 0; e.wires && i < e.wire_count; i++)
        evil_wire_init(&e.wires[i], &e);
    if (status == KL_OK)
        run(&e, polls);
    for (usize i = 0; e.wires && i < e.wire_count; i++)
        evil_wire_close(&e.wires[i]);
    kl_buf_done(&e.kept);
    kl_buf_done(&e.made);
    kl_arena_done(&e.arena);
    evil_follow_close(e.follow);
    free(e.wires);
    free(polls);
    report.cpu_ns = clock_ns(CLOCK_PROCESS_CPUTIME_ID);
    if (status == KL_OK)
        *out = report;
    return status;
}

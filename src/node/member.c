#include "node/member.h"

#include <stdlib.h>

#include "node/lanes.h"
#include "node/member_priv.h"
#include "sys/env.h"

#define NS_PER_S 1000000000u
#define SLEEP_NS UINT64_C(3600000000000)
#define DRIFT_NS UINT64_C(1000000000)
#define WINDOW   64u
#define NEVER    UINT64_MAX
#define TELL_NS  UINT64_C(5000000000) /* between two words about filling */

static struct kl_member *of_watch(struct kl_replica_watch *watch)
{
    return (struct kl_member *)((char *)watch - offsetof(struct kl_member, watch));
}

/* Something is due then: the thread is woken when it would sleep longer. */
static void wake_for(struct kl_member *m, u64 due_ns)
{
    kl_lock(&m->bell);
    if (!m->rung && due_ns < m->sleeps_until_ns) {
        m->rung = true;
        kl_cond_signal(&m->ring);
    }
    kl_unlock(&m->bell);
}

void member_wake(struct kl_member *m)
{
    wake_for(m, 0);
}

static void tell_broken(struct kl_member *m)
{
    kl_status status = kl_replica_health(m->replica);
    if (status == m->told)
        return;
    m->told = status;
    m->listener->broken(m->listener, status);
    kl_cond_broadcast(&m->progress);
}

static void tell_filling(struct kl_member *m)
{
    kl_filler_status status;
    u64 now_ns = kl_mono_ns(m->config.clock);
    kl_filler_status_of(m->filler, &status);
    bool is_over = status.phase != KL_FILLER_RECORDS && status.phase != KL_FILLER_STATE;
    if (m->fill_over || (!is_over && now_ns < m->fill_told_ns + TELL_NS))
        return;
    m->fill_told_ns = now_ns;
    m->fill_over = is_over;
    m->listener->filling(m->listener, &status);
}

static void tell(struct kl_member *m)
{
    if (m->filler)
        tell_filling(m);
    else
        tell_broken(m);
}

static u64 due_of(const struct kl_member *m)
{
    if (!m->filler)
        return kl_replica_due_ns(m->replica);
    return m->fill_over ? NEVER : KL_MIN(kl_filler_due_ns(m->filler), m->fill_told_ns + TELL_NS);
}

void member_leave(struct kl_member *m)
{
    tell(m);
    u64 due_ns = due_of(m);
    kl_unlock(&m->lock);
    wake_for(m, due_ns);
}

static void settle(struct kl_member *m)
{
    kl_lanes_settle(m->lanes);
    if (m->keepers)
        kl_cond_broadcast(&m->progress);
}

/* Whoever has run a job tells the replica too: nobody has to be woken for it.  Once the member was
 * stopped its listener is to hear nothing more. */
static void on_ended(void *ctx)
{
    struct kl_member *m = ctx;
    kl_lock(&m->lock);
    if (m->over) {
        kl_unlock(&m->lock);
        return;
    }
    settle(m);
    member_leave(m);
}

/* --- what the replica says --- */

static void on_final(struct kl_replica_watch *watch, struct kl_tip *tip)
{
    struct kl_member *m = of_watch(watch);
    m->shown++;
    member_net_set_validators(m, tip);
    m->listener->tip(m->listener, tip);
    kl_cond_broadcast(&m->progress);
}

static void on_alarm(struct kl_replica_watch *watch, const char *what)
{
    struct kl_member *m = of_watch(watch);
    m->listener->alarm(m->listener, what);
}

static void on_far(struct kl_replica_watch *watch, KL_UNUSED u64 height)
{
    struct kl_member *m = of_watch(watch);
    m->listener->far(m->listener);
}

static void on_stalls(struct kl_replica_watch *watch, const char *line)
{
    struct kl_member *m = of_watch(watch);
    m->listener->stalls(m->listener, line);
}

static void on_refused(struct kl_replica_watch *watch, const kl_replica_refusal *refusal)
{
    struct kl_member *m = (struct kl_member *)((char *)watch - offsetof(struct kl_member, watch));
    m->listener->refused(m->listener, refusal);
}

/* --- its thread --- */

static void tick(struct kl_member *m)
{
    if (m->filler)
        kl_filler_tick(m->filler);
    else if (kl_replica_due_ns(m->replica) <= kl_mono_ns(m->config.clock))
        kl_replica_tick(m->replica);
}

/* One turn: jobs that have ended, and what is due; returns when the next is. */
static u64 turn(struct kl_member *m)
{
    kl_lock(&m->lock);
    settle(m);
    tick(m);
    tell(m);
    u64 due_ns = KL_MIN(member_net_turn(m), due_of(m));
    kl_unlock(&m->lock);
    return due_ns;
}

static void *member_main(void *ctx)
{
    struct kl_member *m = ctx;
    kl_lock(&m->bell);
    while (!m->stop) {
        m->rung = false;
        m->sleeps_until_ns = NEVER;
        kl_unlock(&m->bell);
        u64 due_ns = turn(m), now_ns = kl_mono_ns(m->config.clock);
        kl_lock(&m->bell);
        if (m->rung || m->stop || due_ns <= now_ns)
            continue;
        m->sleeps_until_ns = due_ns;
        kl_cond_wait_ns(&m->ring, &m->bell, KL_MIN(due_ns - now_ns, SLEEP_NS));
    }
    kl_unlock(&m->bell);
    return NULL;
}

/* --- life --- */

static kl_status open_replica(struct kl_member *m, const kl_replica_config *config,
                              struct kl_progress *progress, kl_replica_report *report)
{
    KL_TRY(kl_lanes_new(&m->lanes, on_ended, m));
    m->config = *config;
    m->config.drift_ns = config->drift_ns ? config->drift_ns : DRIFT_NS;
    m->config.window = config->window ? config->window : WINDOW;
    m->config.jobs = kl_lanes_jobs(m->lanes);
    m->config.net = &m->net;
    m->config.watch = &m->watch;
    kl_status status = kl_replica_open(&m->replica, &m->config, progress, report);
    kl_secret32_wipe(&m->config.vote_secret);
    kl_secret32_wipe(&m->config.randao_secret);
    kl_secret32_wipe(&m->config.operator_secret);
    return status;
}

static kl_status open_filler(struct kl_member *m, const kl_chain_config *chain,
                             kl_replica_report *report)
{
    const kl_filler_config config = {
        .chain = *chain, .clock = m->config.clock, .jobs = m->config.jobs, .net = &m->net};
    return kl_filler_open(&m->filler, &config, &report->chain);
}

kl_status kl_member_open(struct kl_member **out, const kl_replica_config *config,
                         const kl_member_network *network, const kl_chain_config *fill,
                         struct kl_member_listener *listener, struct kl_progress *progress,
                         kl_replica_report *report, bool *listens)
{
    struct kl_member *m = calloc(1, sizeof *m);
    *listens = true;
    if (!m)
        return KL_NOMEM;
    m->listener = listener;
    member_net_init(m);
    m->watch = (struct kl_replica_watch){.final = on_final,
                                         .alarm = on_alarm,
                                         .far = on_far,
                                         .stalls = on_stalls,
                                         .refused = on_refused};
    kl_mutex_init(&m->lock);
    kl_mutex_init(&m->bell);
    kl_cond_init(&m->progress);
    kl_cond_init(&m->ring);
    kl_status status = open_replica(m, config, progress, report);
    if (status == KL_OK && fill)
        status = open_filler(m, fill, report);
    if (status == KL_OK && network)
        status = member_net_open(m, config, network, listens);
    if (status != KL_OK) {
        kl_member_close(m);
        return status;
    }
    *out = m;
    return KL_OK;
}

u32 kl_member_peer_count(struct kl_member *m)
{
    return m->wire ? kl_net_up_count(m->wire) : 0;
}

u64 kl_member_sent_bytes(struct kl_member *m)
{
    return m->wire ? kl_net_sent_bytes(m->wire) : 0;
}

kl_swarm_counts kl_member_counts(struct kl_member *m)
{
    return m->wire ? kl_net_counts(m->wire) : (kl_swarm_counts){0};
}

kl_status kl_member_start(struct kl_member *m)
{
    kl_lock(&m->lock);
    if (m->filler)
        kl_filler_start(m->filler);
    else
        kl_replica_start(m->replica);
    kl_unlock(&m->lock);
    KL_TRY(kl_thread_start(&m->thread, "keel consensus", member_main, m));
    m->running = true;
    return m->wire ? kl_net_start(m->wire) : KL_OK;
}

void kl_member_stop(struct kl_member *m)
{
    if (m->wire)
        kl_net_stop(m->wire);
    kl_lock(&m->bell);
    m->stop = true;
    kl_cond_signal(&m->ring);
    kl_unlock(&m->bell);
    if (m->running)
        kl_thread_join(m->thread);
    m->running = false;
    kl_lock(&m->lock);
    m->over = true;
    kl_cond_broadcast(&m->progress);
    kl_unlock(&m->lock);
}

void kl_member_close(struct kl_member *m)
{
    if (!m)
        return;
    KL_ASSERT(!m->running);
    if (m->lanes)
        kl_lanes_halt(m->lanes);
    member_net_close(m);
    kl_filler_close(m->filler);
    kl_replica_close(m->replica);
    kl_lanes_free(m->lanes);
    kl_cond_done(&m->ring);
    kl_cond_done(&m->progress);
    kl_mutex_done(&m->bell);
    kl_mutex_done(&m->lock);
    free(m);
}

/* --- questions --- */

struct kl_chain *kl_member_chain(struct kl_member *m)
{
    return kl_replica_chain(m->replica);
}

kl_status kl_member_health(struct kl_member *m)
{
    kl_filler_status fill = {0};
    kl_lock(&m->lock);
    kl_status status = kl_replica_health(m->replica);
    if (m->filler)
        kl_filler_status_of(m->filler, &fill);
    kl_unlock(&m->lock);
    return status == KL_OK && fill.phase == KL_FILLER_BROKEN ? fill.status : status;
}

void kl_member_halt(struct kl_member *m)
{
    kl_lock(&m->lock);
    if (m->filler)
        kl_filler_halt(m->filler);
    else
        kl_replica_halt(m->replica);
    member_leave(m);
}

void kl_member_why(struct kl_member *m, kl_replica_why *out)
{
    kl_lock(&m->lock);
    kl_replica_why_of(m->replica, out);
    kl_unlock(&m->lock);
}

void kl_member_progress_of(struct kl_member *m, kl_member_progress *out)
{
    *out = (kl_member_progress){.filling = m->filler};
    kl_lock(&m->lock);
    if (m->filler)
        kl_filler_status_of(m->filler, &out->fill);
    else
        out->blocks = kl_replica_sync_of(m->replica);
    kl_unlock(&m->lock);
}

void kl_member_with_pool(struct kl_member *m, void (*use)(void *ctx, struct kl_pool *pool),
                         void *ctx)
{
    kl_lock(&m->lock);
    use(ctx, kl_replica_pool(m->replica));
    kl_unlock(&m->lock);
}

kl_status kl_member_next_nonce(struct kl_member *m, const kl_address *sender, u64 *out)
{
    kl_lock(&m->lock);
    kl_status status = kl_replica_next_nonce(m->replica, sender, out);
    kl_unlock(&m->lock);
    return status;
}

static kl_status is_in_block(struct kl_member *m, const kl_hash *hash, bool *out)
{
    struct kl_reader *reader;
    u64 number;
    usize index;
    KL_TRY(kl_reader_open(kl_member_chain(m), &reader));
    kl_status status = kl_reader_tx(reader, hash, &number, &index);
    kl_reader_close(reader);
    *out = status == KL_OK;
    return status == KL_NOTFOUND ? KL_OK : status;
}

/* Waits until the transaction is in a block that is shown, gone, or the time is over. */
static kl_status wait_for(struct kl_member *m, const kl_hash *hash, u64 timeout_ns)
{
    u64 end_ns = kl_add_sat_u64(kl_mono_ns(m->config.clock), timeout_ns);
    bool done = false;
    kl_lock(&m->lock);
    while (!done && !m->stop && m->told == KL_OK) {
        u64 shown = m->shown, now_ns = kl_mono_ns(m->config.clock);
        bool gone = !kl_pool_get(kl_replica_pool(m->replica), hash);
        kl_unlock(&m->lock);
        kl_status status = is_in_block(m, hash, &done);
        if (status != KL_OK || done || now_ns >= end_ns)
            return status;
        kl_lock(&m->lock);
        /* What has left the pool is in a block that will be shown, or in none. */
        if (m->shown == shown)
            kl_cond_wait_ns(&m->progress, &m->lock,
                            gone ? KL_MIN(end_ns - now_ns, (u64)NS_PER_S) : end_ns - now_ns);
    }
    kl_status status = m->told;
    kl_unlock(&m->lock);
    return status;
}

/* Who is told that a transaction was taken can rely on it. */
static kl_status wait_until_kept(struct kl_member *m, const kl_hash *hash)
{
    kl_lock(&m->lock);
    m->keepers++;
    while (!m->stop && m->told == KL_OK && kl_replica_is_writing(m->replica, hash))
        kl_cond_wait_ns(&m->progress, &m->lock, NS_PER_S);
    m->keepers--;
    kl_status status = m->told;
    kl_unlock(&m->lock);
    return status;
}

kl_status kl_member_submit(struct kl_member *m, const kl_tx *tx, bool only_new, u64 timeout_ns,
                           kl_rule *broken)
{
    if (m->filler)
        return KL_AGAIN; /* it would be lost */
    kl_lock(&m->lock);
    kl_status status = kl_replica_submit(m->replica, tx, only_new, broken);
    const kl_pool_tx *pooled = kl_pool_get(kl_replica_pool(m->replica), &tx->hash);
    if (status == KL_OK && *broken == KL_RULE_NONE && pooled)
        m->listener->pending(m->listener, &pooled->tx);
    bool is_kept = status != KL_OK || !kl_replica_is_writing(m->replica, &tx->hash);
    member_leave(m);
    if (!is_kept)
        status = wait_until_kept(m, &tx->hash);
    if (status != KL_OK || *broken != KL_RULE_NONE || !timeout_ns)
        return status;
    return wait_for(m, &tx->hash, timeout_ns);
}

void kl_member_next_block(struct kl_member *m, const struct kl_tip *head, kl_build_plan *out)
{
    u64 now_s = kl_wall_ns(m->config.clock) / NS_PER_S;
    *out = (kl_build_plan){
        .timestamp = KL_MAX(now_s, head->header.timestamp),
        .gas_limit = head->header.gas_limit,
        .coinbase = m->config.coinbase,
        .mix_hash = head->header.mix_hash,
        .tx_max = UINT64_MAX,
    };
    memcpy(out->parent_beacon_root.b, head->header.extra_data, sizeof out->parent_beacon_root.b);
}

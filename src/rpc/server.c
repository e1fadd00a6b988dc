/* server: threads, and who has which lane.
 *
 * Of the threads without a lane one watches: every few milliseconds it looks whether a lane is
 * still in the call it was in at the last look, takes it, and leaves the watch to the next spare,
 * which is started if there is none.  It also ends calls that have run out of time.  When all lanes
 * have been quiet for a few looks it sleeps until the next call; `watcher_sleeps` and the lanes'
 * words are written and read in opposite orders by the two sides, so that one of them always sees
 * the other. */
#include <stdio.h>
#include <stdlib.h>

#include "rpc/filter.h"
#include "rpc/server_priv.h"
#include "sys/tcp.h"

enum { QUIET_TICKS = 2 };
static const u64 tick_ns = 2000000;

void kl_moment_now(kl_moment *out, struct kl_clock *clock)
{
    out->now_ns = kl_mono_ns(clock);
    kl_http_date(out->date, kl_wall_ns(clock) / 1000000000);
}

void kl_rpc_watch(struct kl_rpc *server)
{
    kl_lock(&server->mutex);
    atomic_store(&server->watcher_sleeps, false);
    kl_cond_broadcast(&server->changed);
    kl_unlock(&server->mutex);
}

/* Said again at every look while the call is in work: the EVM hears it only while it runs. */
static void expire_old_calls(struct kl_rpc *server)
{
    u64 now_ns = kl_mono_ns(server->config.clock);
    for (usize i = 0; i < server->thread_count; i++) {
        struct kl_rpc_thread *thread = server->threads[i];
        u64 number = atomic_load_explicit(&thread->call_number, memory_order_acquire);
        u64 began_ns = atomic_load_explicit(&thread->call_began_ns, memory_order_relaxed);
        bool late = now_ns > kl_add_sat_u64(began_ns, server->config.limits.call_timeout_ns);
        if (number && (late || atomic_load(&thread->worker.expired) == number) &&
            atomic_load(&thread->call_number) == number)
            kl_rpc_worker_expire(&thread->worker, number);
    }
}

static u64 calls_so_far(struct kl_rpc *server)
{
    u64 sum = 0;
    for (usize i = 0; i < server->lane_count; i++)
        sum += atomic_load(&server->lanes[i].word);
    return sum;
}

static bool any_in_call(struct kl_rpc *server)
{
    for (usize i = 0; i < server->thread_count; i++)
        if (atomic_load(&server->threads[i]->call_number))
            return true;
    return false;
}

/* The mutex is held.  Sleeps until there is a call, unless one has come meanwhile. */
static void sleep_while_quiet(struct kl_rpc *server, u64 calls)
{
    atomic_store(&server->watcher_sleeps, true);
    if (calls_so_far(server) == calls && !any_in_call(server))
        while (atomic_load(&server->watcher_sleeps) &&
               atomic_load(&server->phase) == KL_RPC_RUNNING)
            kl_cond_wait(&server->changed, &server->mutex);
    atomic_store(&server->watcher_sleeps, false);
}

/* The mutex is held.  A lane whose thread is in a long call, taken; NULL when there is none now. */
static struct kl_lane *take_lane(struct kl_rpc *server)
{
    for (usize i = 0; i < server->lane_count; i++)
        if (kl_lane_take(&server->lanes[i]))
            return &server->lanes[i];
    return NULL;
}

static kl_status add_thread(struct kl_rpc *server, struct kl_lane *lane);

/* The mutex is held.  Watches until a lane is taken, or all lanes are empty after a stop (NULL). */
static struct kl_lane *watch(struct kl_rpc *server)
{
    unsigned quiet = 0;
    u64 calls = calls_so_far(server);
    while (server->lanes_left > 0) {
        struct kl_lane *lane = take_lane(server);
        if (lane)
            return lane;
        expire_old_calls(server);
        (void)kl_cond_wait_ns(&server->changed, &server->mutex, tick_ns);
        u64 calls_now = calls_so_far(server);
        quiet = calls_now == calls && !any_in_call(server) ? quiet + 1 : 0;
        calls = calls_now;
        if (quiet > QUIET_TICKS && atomic_load(&server->phase) == KL_RPC_RUNNING) {
            sleep_while_quiet(server, calls);
            quiet = 0;
        }
    }
    return NULL;
}

/* Waits for a lane to serve; NULL when there will be none any more. */
static struct kl_lane *wait_for_lane(struct kl_rpc *server)
{
    struct kl_lane *lane = NULL;
    kl_lock(&server->mutex);
    server->spares++;
    while (server->watched && server->lanes_left > 0)
        kl_cond_wait(&server->changed, &server->mutex);
    if (server->lanes_left > 0) {
        server->watched = true;
        lane = watch(server);
        server->watched = false;
        kl_cond_broadcast(&server->changed);
    }
    server->spares--;
    if (lane) {
        atomic_fetch_add(&server->taken, 1);
        if (server->spares == 0 && atomic_load(&server->phase) == KL_RPC_RUNNING)
            (void)add_thread(server, NULL); /* without one, long calls are waited for */
    }
    kl_unlock(&server->mutex);
    return lane;
}

static void *thread_main(void *ctx)
{
    struct kl_rpc_thread *thread = ctx;
    struct kl_rpc *server = thread->server;
    for (struct kl_lane *lane = thread->lane; lane || (lane = wait_for_lane(server)); lane = NULL) {
        if (!kl_lane_run(lane, thread))
            continue;
        kl_lock(&server->mutex);
        server->lanes_left--;
        kl_cond_broadcast(&server->changed);
        kl_unlock(&server->mutex);
    }
    return NULL;
}

static void thread_free(struct kl_rpc_thread *thread)
{
    kl_rpc_worker_done(&thread->worker);
    kl_buf_done(&thread->out);
    free(thread->inbox);
    free(thread);
}

/* The mutex is held, or nobody else is there yet.  KL_LIMIT when there are as many as may be. */
static kl_status add_thread(struct kl_rpc *server, struct kl_lane *lane)
{
    if (server->thread_count == server->lane_count + KL_RPC_SPARES_MAX)
        return KL_LIMIT;
    struct kl_rpc_thread *thread = calloc(1, sizeof *thread);
    u8 *inbox = malloc(KL_CONN_INBOX);
    if (!thread || !inbox) {
        free(thread);
        free(inbox);
        return KL_NOMEM;
    }
    thread->server = server;
    thread->lane = lane;
    thread->inbox = inbox;
    kl_rpc_worker_init(&thread->worker, &server->core);
    kl_buf_init(&thread->out, SIZE_MAX / 2);
    kl_status status = kl_thread_start(&thread->thread, "keel rpc", thread_main, thread);
    if (status != KL_OK) {
        thread_free(thread);
        return status;
    }
    server->threads[server->thread_count++] = thread;
    return KL_OK;
}

static void server_free(struct kl_rpc *server)
{
    for (usize i = 0; i < server->lane_count; i++)
        kl_lane_close(&server->lanes[i]);
    kl_filters_free(server->core.filters);
    kl_feed_free(server->core.feed);
    kl_tcp_close(server->listener_fd);
    kl_cond_done(&server->changed);
    kl_mutex_done(&server->mutex);
    free(server->lanes);
    free(server->greeting);
    free(server->cors);
    free(server);
}

static char *copy_of(const char *text)
{
    return text ? strdup(text) : NULL;
}

static kl_status init_env(struct kl_rpc *server)
{
    const kl_rpc_config *config = &server->config;
    const char *client = config->backend->client_version;
    server->cors = copy_of(config->cors_origin);
    if (config->cors_origin && !server->cors)
        return KL_NOMEM;
    int len = asprintf(
        &server->greeting,
        "%s\n\nJSON-RPC: POST to any path of this address, or open a WebSocket to it.\n", client);
    if (len < 0) {
        server->greeting = NULL;
        return KL_NOMEM;
    }
    server->env = (struct kl_conn_env){
        .limits = config->limits,
        .cors = server->cors,
        .greeting = kl_span_of(server->greeting, (usize)len),
        .budget.limit = config->limits.buffer_bytes,
    };
    return KL_OK;
}

/* Descriptors are needed for clients, and for the files of the chain beside them. */
static usize connection_max(const kl_rpc_config *config)
{
    enum { OTHER_FILES = 128 };
    usize room = kl_tcp_room();
    return KL_MIN(config->limits.connection_max,
                  room > 2 * OTHER_FILES ? room - OTHER_FILES : room / 2);
}

static kl_status start(struct kl_rpc *server, kl_rpc_table methods)
{
    const kl_rpc_config *config = &server->config;
    server->core = (struct kl_rpc_core){.config = config, .methods = methods};
    server->connection_max = connection_max(config);
    kl_quota_init(&server->quota, config->limits.call_rate, config->seed);
    server->core.quota = &server->quota;
    KL_TRY(kl_feed_new(&server->core.feed));
    KL_TRY(kl_filters_new(&server->core.filters, server->core.feed, config->seed));
    KL_TRY(init_env(server));
    KL_TRY(kl_tcp_listen(&server->listener_fd, config->host, config->port));
    server->port = kl_tcp_port(server->listener_fd);
    usize lanes = KL_MIN(KL_MAX(config->threads, (usize)1), (usize)KL_RPC_LANES_MAX);
    server->lanes = calloc(lanes, sizeof *server->lanes);
    if (!server->lanes)
        return KL_NOMEM;
    while (server->lane_count < lanes)
        KL_TRY(kl_lane_open(&server->lanes[server->lane_count++], server));
    return KL_OK;
}

kl_status kl_rpc_start_with(struct kl_rpc **out, const kl_rpc_config *config, kl_rpc_table methods)
{
    KL_ASSERT(!config->cors_origin || strlen(config->cors_origin) <= KL_ORIGIN_MAX);
    KL_ASSERT(config->limits.body_bytes <= UINT32_MAX &&
              config->limits.response_bytes <= UINT32_MAX);
    struct kl_rpc *server = calloc(1, sizeof *server);
    if (!server)
        return KL_NOMEM;
    server->config = *config;
    server->listener_fd = -1;
    kl_mutex_init(&server->mutex);
    kl_cond_init(&server->changed);
    kl_status status = start(server, methods);
    if (status != KL_OK) {
        server_free(server);
        return status;
    }
    kl_lock(&server->mutex);
    server->lanes_left = server->lane_count;
    for (usize i = 0; i <= server->lane_count && status == KL_OK; i++)
        status = add_thread(server, i < server->lane_count ? &server->lanes[i] : NULL);
    kl_unlock(&server->mutex);
    if (status != KL_OK) {
        kl_rpc_stop(server, 0);
        return status;
    }
    *out = server;
    return KL_OK;
}

u16 kl_rpc_port(const struct kl_rpc *rpc)
{
    return rpc->port;
}

static void set_phase(struct kl_rpc *server, int phase)
{
    atomic_store(&server->phase, phase);
    for (usize i = 0; i < server->lane_count; i++)
        kl_loop_wake(server->lanes[i].loop);
}

void kl_rpc_stop(struct kl_rpc *server, u64 grace_ns)
{
    if (!server)
        return;
    set_phase(server, KL_RPC_STOPPING);
    u64 end_ns = kl_add_sat_u64(kl_mono_ns(server->config.clock), grace_ns);
    kl_lock(&server->mutex);
    kl_cond_broadcast(&server->changed);
    while (server->lanes_left > 0) {
        u64 now_ns = kl_mono_ns(server->config.clock);
        if (now_ns >= end_ns || !kl_cond_wait_ns(&server->changed, &server->mutex, end_ns - now_ns))
            break;
    }
    usize threads = server->thread_count; /* no more are made after the phase has changed */
    kl_unlock(&server->mutex);
    set_phase(server, KL_RPC_STOP_NOW);
    for (usize i = 0; i < threads; i++)
        kl_thread_join(server->threads[i]->thread);
    for (usize i = 0; i < threads; i++)
        thread_free(server->threads[i]);
    server_free(server);
}

void kl_rpc_stats_of(struct kl_rpc *server, kl_rpc_stats *out)
{
    kl_lock(&server->mutex);
    *out = (kl_rpc_stats){
        .connections = atomic_load(&server->connections),
        .refused = atomic_load(&server->refused),
        .taken_over = atomic_load(&server->taken),
        .buffer_bytes = atomic_load(&server->env.budget.used),
        .buffer_peak_bytes = atomic_load(&server->env.budget.peak),
        .threads = server->thread_count,
        .requests = calls_so_far(server) / 2,
    };
    kl_unlock(&server->mutex);
}

static void wake_listeners(struct kl_rpc *server)
{
    for (usize i = 0; i < server->lane_count; i++)
        if (atomic_load(&server->lanes[i].hearing_count) > 0)
            kl_loop_wake(server->lanes[i].loop);
}

void kl_rpc_notify_tip(struct kl_rpc *server, struct kl_tip *tip)
{
    kl_feed_step step = {
        .step = tip->step, .version = tip->version, .hash = tip->hash, .header = tip->header};
    kl_feed_add_step(server->core.feed, &step);
    wake_listeners(server);
}

void kl_rpc_notify_pending(struct kl_rpc *server, const kl_tx *tx)
{
    kl_feed_add_pending(server->core.feed, &tx->hash);
    wake_listeners(server);
}

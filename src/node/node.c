/* Opening goes bottom up, closing goes top down: first nobody can ask any more, then the host
 * finishes what it owes, then the storage is closed. */
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "node/node_priv.h"
#include "sys/tcp.h"

#define SECOND_NS      UINT64_C(1000000000)
#define STOP_GRACE_NS  (SECOND_NS / 4) /* for requests in flight */
#define SERVER_THREADS 4u
#define WORKERS_MAX    16u
#define CODE_CACHE     ((usize)64 << 20)

kl_status kl_node_blame(kl_node_fault *fault, kl_status status, const char *format, ...)
{
    va_list list;
    va_start(list, format);
    vsnprintf(fault->text, sizeof fault->text, format, list);
    va_end(list);
    return status;
}

static u64 new_seed(void)
{
    u64 seed;
    kl_entropy_fill(kl_sys_entropy(), &seed, sizeof seed);
    return seed;
}

static struct kl_node *node_of(struct kl_host_listener *listener)
{
    return (struct kl_node *)((char *)listener - offsetof(struct kl_node, listener));
}

static void on_tip(struct kl_host_listener *listener, struct kl_tip *tip)
{
    struct kl_node *node = node_of(listener);
    kl_lock(&node->rpc_mutex);
    if (node->rpc)
        kl_rpc_notify_tip(node->rpc, tip);
    kl_unlock(&node->rpc_mutex);
    if (node->log)
        kl_node_log_step(node->log, tip);
}

static void tell_pending(struct kl_node *node, const kl_tx *tx)
{
    kl_lock(&node->rpc_mutex);
    if (node->rpc)
        kl_rpc_notify_pending(node->rpc, tx);
    kl_unlock(&node->rpc_mutex);
}

static void on_pending(struct kl_host_listener *listener, const kl_pool_tx *tx)
{
    tell_pending(node_of(listener), &tx->tx);
}

static void on_executed(struct kl_host_listener *listener, const kl_tx *tx,
                        const kl_tx_result *result)
{
    struct kl_node *node = node_of(listener);
    if (node->log)
        kl_node_log_executed(node->log, tx, result);
}

static void on_broken(struct kl_host_listener *listener, kl_status status)
{
    struct kl_node *node = node_of(listener);
    if (status == KL_CORRUPT && node->config.dir)
        kl_folder_suspect(&node->folder);
    atomic_store(&node->bell.broken, true);
    kl_bell_ring(&node->bell);
}

static struct kl_node *node_of_member(struct kl_member_listener *listener)
{
    return (struct kl_node *)((char *)listener - offsetof(struct kl_node, member_listener));
}

static void on_member_tip(struct kl_member_listener *listener, struct kl_tip *tip)
{
    on_tip(&node_of_member(listener)->listener, tip);
}

static void on_member_pending(struct kl_member_listener *listener, const kl_tx *tx)
{
    tell_pending(node_of_member(listener), tx);
}

static void on_member_alarm(struct kl_member_listener *listener, const char *what)
{
    struct kl_node *node = node_of_member(listener);
    if (node->log)
        kl_node_log_alarm(node->log, what);
}

static void on_member_dropped(struct kl_member_listener *listener, const kl_net_dropped *dropped)
{
    struct kl_node *node = node_of_member(listener);
    atomic_fetch_add(&node->dropped[dropped->why], 1);
    if (node->log)
        kl_node_log_dropped(node->log, dropped);
}

static void on_member_refused(struct kl_member_listener *listener,
                              const kl_replica_refusal *refusal)
{
    struct kl_node *node = node_of_member(listener);
    atomic_fetch_add(&node->refused[refusal->why], 1);
    if (node->log)
        kl_node_log_refused(node->log, refusal);
}

static void on_member_stalls(struct kl_member_listener *listener, const char *line)
{
    struct kl_node *node = node_of_member(listener);
    if (node->log)
        kl_node_log_line(node->log, line);
}

static void on_member_broken(struct kl_member_listener *listener, kl_status status)
{
    on_broken(&node_of_member(listener)->listener, status);
}

void kl_node_turn(struct kl_node *node)
{
    atomic_store(&node->bell.turn, true);
    kl_bell_ring(&node->bell);
}

static void on_member_far(struct kl_member_listener *listener)
{
    struct kl_node *node = node_of_member(listener);
    if (node->fill_given_up || !node->config.dir)
        return;
    node->fill_wanted = node->lets_go = true;
    kl_node_turn(node);
}

static void print_eta(char *out, usize len, u64 eta_s)
{
    if (eta_s == UINT64_MAX)
        snprintf(out, len, "time to go unknown");
    else
        snprintf(out, len, "%llu s to go", (unsigned long long)eta_s);
}

/* What stands in the way of taking records, or what they came to so far. */
static void print_records(char *out, usize len, const kl_filler_status *s, const char *eta)
{
    char lack[KL_FETCH_LACK_MAX];
    kl_fetch_lack_text(lack, &s->lack);
    if (lack[0])
        snprintf(out, len, "filling: %s", lack);
    else if (s->target == 0)
        snprintf(out, len, "filling: waiting for peers");
    else
        snprintf(out, len, "filling: records, block %llu of %llu, %s",
                 (unsigned long long)s->height, (unsigned long long)s->target, eta);
}

static void print_end(char *out, usize len, const kl_filler_status *s)
{
    char lack[KL_FETCH_LACK_MAX];
    kl_fetch_lack_text(lack, &s->lack);
    snprintf(out, len, "filling ended at block %llu: %s; blocks are executed instead",
             (unsigned long long)s->height,
             s->phase == KL_FILLER_BROKEN ? kl_status_text(s->status)
             : lack[0]                    ? lack
                                          : "nobody helps");
}

static void print_off_pin(char *out, usize len, const struct kl_node *node, const kl_hash *found)
{
    const kl_pin is = {node->checkpoint.number, *found};
    char wanted[KL_PIN_TEXT_MAX], text[KL_PIN_TEXT_MAX];
    kl_pin_text(wanted, &node->checkpoint);
    kl_pin_text(text, &is);
    snprintf(out, len,
             "filling ended: the network's history has the block %s and not the checkpoint %s: it "
             "was made by the same validators, or the checkpoint is wrong",
             text, wanted);
}

static void on_member_filling(struct kl_member_listener *listener, const kl_filler_status *s)
{
    struct kl_node *node = node_of_member(listener);
    char line[400], eta[40];
    if (s->phase == KL_FILLER_BROKEN && s->status == KL_FULL) {
        node->fill_wanted = true; /* when there is room */
        on_member_broken(listener, s->status);
        return;
    }
    print_eta(eta, sizeof eta, s->eta_s);
    switch (s->phase) {
    case KL_FILLER_RECORDS:
        print_records(line, sizeof line, s, eta);
        break;
    case KL_FILLER_STATE:
        snprintf(line, sizeof line, "filling: state of block %llu, %u.%u %%, %s",
                 (unsigned long long)s->height, s->state_ppm / 10000, s->state_ppm / 1000 % 10,
                 eta);
        break;
    case KL_FILLER_WHOLE:
        node->filled = *s;
        snprintf(
            line, sizeof line,
            "filled: the state of block %llu is here: %llu blocks in %.1f s, %llu accounts and "
            "slots in %.1f s",
            (unsigned long long)s->height, (unsigned long long)(s->height - s->first),
            (double)s->records_ns / 1e9, (unsigned long long)s->leaves, (double)s->state_ns / 1e9);
        break;
    case KL_FILLER_GIVEN_UP:
    case KL_FILLER_BROKEN:
        if (s->off_pin) {
            print_off_pin(line, sizeof line, node, &s->found);
            break;
        }
        print_end(line, sizeof line, s);
        node->fill_given_up = true;
        break;
    }
    if (node->log)
        kl_node_log_line(node->log, line);
    if (s->off_pin)
        on_member_broken(listener, s->status);
    else if (s->phase != KL_FILLER_RECORDS && s->phase != KL_FILLER_STATE)
        kl_node_turn(node);
}

static kl_status check_pace(struct kl_node *node, kl_node_fault *fault)
{
    const kl_spec *spec = kl_chain_spec(kl_node_chain(node));
    u64 block_time_ns = node->config.block_time_ns;
    if (!spec->dev && !spec->repeat_timestamp && block_time_ns && block_time_ns < SECOND_NS)
        return kl_node_blame(fault, KL_UNSUPPORTED,
                             "blocks of this chain are at least a second apart (its genesis lacks "
                             "config.keel.repeatTimestamp); use --block-time 1 or more");
    return KL_OK;
}

/* What an open chain tells, and where it lies. */
static void attend(struct kl_node *node)
{
    kl_node_room_places(node);
    if (node->host)
        kl_host_listen(node->host, &node->listener);
}

static kl_status open_all(struct kl_node *node, kl_node_report *report, kl_node_fault *fault)
{
    kl_status status = kl_sys_workers_new(&node->workers, KL_MIN(kl_sys_cpu_count(), WORKERS_MAX));
    if (status == KL_OK)
        status = kl_code_cache_new(&node->codes, CODE_CACHE, new_seed());
    if (status != KL_OK)
        return kl_node_blame(fault, status, "cannot start: %s", kl_status_text(status));
    KL_TRY(kl_node_open_storage(node, report, fault));
    KL_TRY(check_pace(node, fault));
    attend(node);
    return KL_OK;
}

kl_status kl_node_open(struct kl_node **out, const kl_node_config *config, kl_node_report *report,
                       kl_node_fault *fault)
{
    struct kl_node *node = calloc(1, sizeof *node);
    *report = (kl_node_report){0};
    fault->text[0] = '\0';
    if (!node)
        return kl_node_blame(fault, KL_NOMEM, "out of memory");
    node->config = *config;
    node->fill_given_up = config->by_blocks;
    kl_room_init(&node->room, config->min_free);
    kl_mutex_init(&node->rpc_mutex);
    kl_node_historian_init(node);
    node->backend = (struct kl_rpc_backend){
        .ops = &kl_node_backend_ops,
        .client_version = config->client_version,
        .fifo = config->fifo,
    };
    node->listener = (struct kl_host_listener){
        .tip = on_tip, .pending = on_pending, .executed = on_executed, .broken = on_broken};
    node->member_listener = (struct kl_member_listener){.tip = on_member_tip,
                                                        .pending = on_member_pending,
                                                        .alarm = on_member_alarm,
                                                        .stalls = on_member_stalls,
                                                        .broken = on_member_broken,
                                                        .far = on_member_far,
                                                        .filling = on_member_filling,
                                                        .dropped = on_member_dropped,
                                                        .refused = on_member_refused};
    KL_ASSERT(sem_init(&node->bell.sem, 0, 0) == 0);
    kl_status status = open_all(node, report, fault);
    if (status == KL_OK && config->log_fd >= 0)
        status = kl_node_log_new(&node->log, node);
    if (status != KL_OK) {
        kl_node_close(node);
        return status;
    }
    *out = node;
    return KL_OK;
}

static kl_status blame_port(const kl_node_config *c, kl_status status, kl_node_fault *fault)
{
    if (status == KL_BUSY)
        return kl_node_blame(fault, status,
                             "port %u of %s is taken by another process; stop that one, or choose "
                             "another port with --port",
                             c->port, c->host);
    if (status == KL_NOTFOUND)
        return kl_node_blame(fault, status, "%s is no address of this machine; see --host",
                             c->host);
    if (status == KL_UNSUPPORTED)
        return kl_node_blame(fault, status,
                             "this user may not listen on port %u; choose one above 1023 with "
                             "--port",
                             c->port);
    if (status != KL_OK)
        return kl_node_blame(fault, status, "cannot listen on %s:%u: %s", c->host, c->port,
                             kl_status_text(status));
    return KL_OK;
}

/* Whoever cannot listen makes no chain either. */
kl_status kl_node_try_port(const struct kl_node *node, kl_node_fault *fault)
{
    const kl_node_config *c = &node->config;
    int fd;
    if (!c->port)
        return KL_OK;
    KL_TRY(blame_port(c, kl_tcp_listen(&fd, c->host, c->port), fault));
    kl_tcp_close(fd);
    return KL_OK;
}

/* News goes to this server from here on, or to none; what it was before. */
static struct kl_rpc *exchange_server(struct kl_node *node, struct kl_rpc *rpc)
{
    kl_lock(&node->rpc_mutex);
    struct kl_rpc *old = node->rpc;
    node->rpc = rpc;
    kl_unlock(&node->rpc_mutex);
    return old;
}

static kl_status start_server(struct kl_node *node, kl_node_fault *fault)
{
    const kl_node_config *c = &node->config;
    kl_rpc_config config = {
        .host = c->host,
        .port = c->port,
        .threads = KL_MIN(kl_sys_cpu_count(), SERVER_THREADS),
        .cors_origin = c->allow_origin,
        .limits = kl_rpc_limits_default(),
        .clock = kl_sys_clock(),
        .backend = &node->backend,
        .codes = node->codes,
        .workers = node->workers,
        .seed = new_seed(),
    };
    struct kl_rpc *rpc;
    config.dev = !node->closed && kl_chain_spec(kl_node_chain(node))->dev;
    config.limits.call_rate = c->call_rate;
    KL_TRY(blame_port(c, kl_rpc_start(&rpc, &config), fault));
    exchange_server(node, rpc); /* its threads are at work: they may have news */
    return KL_OK;
}

static void *execution_main(void *host)
{
    kl_host_execution_run(host);
    return NULL;
}

static void *ledger_main(void *host)
{
    kl_host_ledger_run(host);
    return NULL;
}

static void *state_main(void *host)
{
    kl_host_state_run(host);
    return NULL;
}

static kl_status start_host(struct kl_node *node)
{
    static const struct {
        const char *name;
        void *(*body)(void *host);
    } bodies[KL_NODE_THREADS] = {
        {"keel execution", execution_main},
        {"keel ledger", ledger_main},
        {"keel state", state_main},
    };
    for (usize i = 0; i < KL_NODE_THREADS; i++) {
        KL_TRY(kl_thread_start(&node->threads[i], bodies[i].name, bodies[i].body, node->host));
        node->thread_count++;
    }
    return KL_OK;
}

/* Whoever votes with others must reach them. */
static kl_status check_alone(struct kl_node *node, kl_node_fault *fault)
{
    struct kl_tip *tip = kl_chain_published(kl_node_chain(node));
    u32 count = tip->epoch ? tip->epoch->set.count : 1;
    kl_tip_unref(tip);
    if (count == 1 || node->reaches_others)
        return KL_OK;
    return kl_node_blame(fault, KL_UNSUPPORTED,
                         "the chain has %u validators, and %s has no network.json that says where "
                         "they are",
                         count, node->config.dir ? node->config.dir : "memory");
}

kl_status kl_node_start(struct kl_node *node, kl_node_fault *fault)
{
    KL_TRY(check_alone(node, fault));
    KL_TRY(start_server(node, fault));
    kl_status status = node->member ? kl_member_start(node->member) : start_host(node);
    if (status == KL_OK)
        status = kl_node_historian_start(node);
    return status == KL_OK ? KL_OK : kl_node_blame(fault, status, "the system has no more threads");
}

u16 kl_node_port(const struct kl_node *node)
{
    return kl_rpc_port(node->rpc);
}

bool kl_node_peer_address(const struct kl_node *node, char out[KL_MULTIADDR_TEXT_MAX])
{
    kl_multiaddr addr;
    if (!node->member || !kl_member_address(node->member, &addr))
        return false;
    kl_multiaddr_text(out, &addr);
    return true;
}

struct kl_chain *kl_node_chain(struct kl_node *node)
{
    return node->member ? kl_member_chain(node->member) : kl_host_chain(node->host);
}

struct kl_host *kl_node_host(struct kl_node *node)
{
    return node->host;
}

kl_status kl_node_health(struct kl_node *node)
{
    kl_status ended = atomic_load(&node->ended);
    if (ended != KL_OK)
        return ended;
    if (node->member)
        return kl_member_health(node->member);
    return node->host ? kl_host_health(node->host) : KL_OK;
}

void kl_bell_ring(struct kl_node_bell *bell)
{
    if (!atomic_exchange(&bell->rung, true))
        (void)sem_post(&bell->sem);
}

/* A host whose threads did not all start has nothing it could finish. */
static void end_threads(struct kl_node *node)
{
    kl_node_historian_stop(node);
    if (node->member)
        kl_member_stop(node->member);
    if (node->thread_count)
        kl_host_stop(node->host);
    for (usize i = 0; i < node->thread_count; i++)
        kl_thread_join(node->threads[i]);
    node->thread_count = 0;
}

/* Until somebody rings, or the disks are to be looked at. */
static void wait_for_bell(struct kl_node *node, u64 due_ns)
{
    struct kl_node_bell *bell = &node->bell;
    struct timespec at = {.tv_sec = (time_t)(due_ns / SECOND_NS),
                          .tv_nsec = (long)(due_ns % SECOND_NS)};
    int failed = due_ns == UINT64_MAX ? sem_wait(&bell->sem)
                                      : sem_clockwait(&bell->sem, CLOCK_MONOTONIC, &at);
    if (failed)
        return; /* it is due; or a signal, whose handler rings when that matters */
    atomic_store(&bell->rung, false);
}

/* Not long after room was made there may be none again: then it is waited for, and whoever asks is
 * told that and nothing else. */
static kl_status open_again(struct kl_node *node, kl_node_fault *fault)
{
    kl_status status = kl_node_turn_storage(node, fault);
    if (status != KL_FULL)
        return status;
    kl_node_room_gone(node);
    node->closed = true;
    kl_status served = start_server(node, fault);
    (void)served; /* without a server it waits all the same */
    while (status == KL_FULL && !atomic_load(&node->bell.stop)) {
        wait_for_bell(node, kl_mono_ns(kl_sys_clock()) + SECOND_NS);
        status = kl_node_turn_storage(node, fault);
    }
    kl_rpc_stop(exchange_server(node, NULL), STOP_GRACE_NS);
    node->closed = false;
    return status;
}

/* The chain is opened again, to be filled, filled, or because there is room, under a server of the
 * same port: whoever is connected connects again. */
static kl_status turn_over(struct kl_node *node, kl_node_fault *fault)
{
    struct kl_node_kept kept;
    node->config.port = kl_node_port(node);
    if (node->host) { /* as they were set meanwhile */
        node->config.automine = kl_host_automine(node->host);
        node->config.block_time_ns = kl_host_interval(node->host);
    }
    kl_rpc_stop(exchange_server(node, NULL), STOP_GRACE_NS);
    end_threads(node);
    kl_node_keep(node, &kept);
    if (node->log)
        kl_node_log_write(node->log);
    kl_node_log_free(node->log);
    node->log = NULL;
    kl_status status = open_again(node, fault);
    if (status == KL_OK) {
        atomic_store(&node->bell.broken, false); /* what is heard of it from here on is new */
        attend(node);
    }
    if (status == KL_OK && node->config.log_fd >= 0)
        status = kl_node_log_new(&node->log, node);
    if (status == KL_OK)
        status = kl_node_start(node, fault);
    kl_node_give_back(node, &kept);
    return status;
}

static kl_status turn_over_when_asked(struct kl_node *node, kl_node_fault *fault)
{
    bool room = kl_node_room_look(node) && kl_node_health(node) == KL_FULL;
    bool asked = !node->room.low && atomic_exchange(&node->bell.turn, false); /* else later */
    if (!room && !asked)
        return KL_OK;
    kl_status status = turn_over(node, fault);
    if (status != KL_OK) {
        atomic_store(&node->ended, status);
        atomic_store(&node->bell.stop, true);
    } else if (room) {
        kl_node_room_tell(node);
    }
    return status;
}

static kl_status no_more_blocks(const struct kl_node *node, kl_status status, kl_node_fault *fault)
{
    bool has_room_to_wait_for = status == KL_FULL && node->config.dir;
    return kl_node_blame(fault, status, "no more blocks are made: %s.  Reads go on; %s",
                         status == KL_UNSUPPORTED ? "the chain does not have the checkpoint's block"
                                                  : kl_status_text(status),
                         has_room_to_wait_for ? "make room, and it goes on by itself"
                                              : "mend the cause and start again");
}

kl_status kl_node_run(struct kl_node *node, kl_node_fault *fault)
{
    struct kl_node_bell *bell = &node->bell;
    while (!atomic_load(&bell->stop)) {
        KL_TRY(turn_over_when_asked(node, fault));
        wait_for_bell(node, node->room.due_ns);
        if (node->log)
            kl_node_log_write(node->log);
        if (!atomic_exchange(&bell->broken, false))
            continue;
        kl_status status = kl_node_health(node);
        bool was_low = node->room.low; /* it was stopped for that, which has been told */
        if (status == KL_FULL)
            kl_node_room_meet_end(node);
        else if (status != KL_OK)
            kl_node_room_forget(node);
        if (status != KL_OK && !(status == KL_FULL && was_low))
            return no_more_blocks(node, status, fault);
    }
    return KL_OK;
}

void kl_node_stop(struct kl_node *node)
{
    atomic_store(&node->bell.stop, true);
    kl_bell_ring(&node->bell);
}

/* Whom signals stop; NULL when it is gone, or was never there. */
static _Atomic(struct kl_node *) signalled;
static int forced_code;

static void on_signal(KL_UNUSED int signal)
{
    struct kl_node *node = atomic_load(&signalled);
    if (!node || atomic_load(&node->bell.stop))
        _exit(forced_code);
    kl_node_stop(node);
}

void kl_node_stop_on_signals(struct kl_node *node, int code)
{
    static const int signals[] = {SIGTERM, SIGINT};
    struct sigaction action = {.sa_handler = on_signal};
    forced_code = code;
    atomic_store(&signalled, node);
    for (usize i = 0; i < KL_COUNT_OF(signals); i++)
        KL_ASSERT(sigaction(signals[i], &action, NULL) == 0);
    KL_ASSERT(signal(SIGPIPE, SIG_IGN) != SIG_ERR);
}

void kl_node_close(struct kl_node *node)
{
    if (!node)
        return;
    kl_rpc_stop(exchange_server(node, NULL), STOP_GRACE_NS);
    end_threads(node);
    if (node->log)
        kl_node_log_write(node->log);
    kl_node_log_free(node->log);
    kl_node_close_storage(node);
    kl_senders_free(node->senders);
    kl_code_cache_free(node->codes);
    kl_sys_workers_free(node->workers);
    if (atomic_load(&signalled) == node)
        atomic_store(&signalled, NULL);
    KL_ASSERT(sem_destroy(&node->bell.sem) == 0);
    kl_mutex_done(&node->rpc_mutex);
    kl_node_historian_done(node);
    free(node);
}

/* lane: an event loop: turns, mail from other threads, accepting, stopping. */
#include <stdlib.h>

#include "rpc/peer_priv.h"
#include "sys/tcp.h"

enum { ACCEPTS_A_TURN = 16, OUT_KEEP = 1 << 20 };
static const u64 accept_pause_ns = 100000000, date_step_ns = 100000000;

/* The time of this turn; the date need not be fresher than a tenth of a second. */
const kl_moment *kl_lane_now(struct kl_lane *lane)
{
    u64 now_ns = kl_loop_now(lane->loop);
    if (now_ns - lane->date_ns >= date_step_ns || lane->date_ns == 0) {
        kl_http_date(lane->now.date, kl_wall_ns(lane->server->config.clock) / 1000000000);
        lane->date_ns = now_ns;
    }
    lane->now.now_ns = now_ns;
    return &lane->now;
}

/* From the thread of a call whose lane has been taken. */
void kl_lane_post(struct kl_peer *peer)
{
    struct kl_lane *lane = peer->lane;
    struct kl_loop *loop = lane->loop;
    kl_lock(&lane->mutex);
    peer->next_mail = lane->mail;
    lane->mail = peer;
    atomic_store(&lane->has_mail, true);
    kl_unlock(&lane->mutex);
    kl_loop_wake(loop);
}

static void tell_all(struct kl_lane *lane)
{
    if (atomic_load(&lane->hearing_count) == 0)
        return;
    u64 steps = kl_feed_steps(lane->server->core.feed);
    u64 pending = kl_feed_pending(lane->server->core.feed);
    if (steps == lane->told_steps && pending == lane->told_pending)
        return;
    lane->told_steps = steps;
    lane->told_pending = pending;
    for (struct kl_peer *peer = lane->peers, *next; peer; peer = next) {
        next = peer->next;
        if (peer->hearing && !peer->busy && kl_conn_hears(&peer->conn) &&
            kl_rpc_session_behind(peer->session))
            (void)kl_peer_tell(peer, lane->thread);
    }
}

/* A peer that was made on another lane's thread, or here. */
static void adopt(struct kl_lane *lane, struct kl_peer *peer)
{
    peer->next = lane->peers;
    if (peer->next)
        peer->next->prev = peer;
    lane->peers = peer;
    if (kl_loop_add(lane->loop, &peer->watch, KL_READY_READ, false) != KL_OK) {
        kl_peer_drop(peer);
        return;
    }
    peer->watched = true;
    peer->interest = KL_READY_READ;
    kl_peer_arm(peer);
    kl_peer_stop(peer);
    if (lane->stopping)
        kl_peer_later(peer);
}

static void take_mail(struct kl_lane *lane)
{
    if (!atomic_load(&lane->has_mail))
        return;
    kl_lock(&lane->mutex);
    struct kl_peer *mail = lane->mail;
    lane->mail = NULL;
    atomic_store(&lane->has_mail, false);
    kl_unlock(&lane->mutex);
    for (struct kl_peer *peer = mail, *next; peer; peer = next) {
        next = peer->next_mail;
        if (!peer->busy) {
            adopt(lane, peer);
            continue;
        }
        peer->busy = false;
        kl_peer_hear(peer, kl_rpc_session_hears(peer->session));
        if (peer->gone)
            kl_conn_drop(&peer->conn);
        kl_peer_stop(peer);
        kl_peer_later(peer);
    }
}

static struct kl_lane *least_loaded(struct kl_lane *mine)
{
    struct kl_lane *best = mine;
    for (usize i = 0; i < mine->server->lane_count; i++)
        if (atomic_load(&mine->server->lanes[i].peer_count) < atomic_load(&best->peer_count))
            best = &mine->server->lanes[i];
    return best;
}

static void welcome(struct kl_lane *mine, int fd)
{
    static const char full[] = "HTTP/1.1 503 Service Unavailable\r\nRetry-After: 1\r\n"
                               "Content-Length: 21\r\nConnection: close\r\n\r\n"
                               "too many connections\n";
    struct kl_rpc *server = mine->server;
    struct kl_peer *peer = NULL;
    if (atomic_fetch_add(&server->connections, 1) < server->connection_max)
        peer = calloc(1, sizeof *peer);
    if (!peer) {
        usize n;
        atomic_fetch_sub(&server->connections, 1);
        atomic_fetch_add(&server->refused, 1);
        if (kl_tcp_write(fd, KL_SPAN_TEXT(full), &n) == KL_OK)
            kl_tcp_finish(fd);
        kl_tcp_close(fd);
        return;
    }
    struct kl_lane *lane = least_loaded(mine);
    atomic_fetch_add(&lane->peer_count, 1);
    peer->lane = lane;
    kl_tcp_address address;
    peer->place = kl_tcp_peer_address(fd, &address) ? kl_quota_place(&server->quota, &address)
                                                    : KL_QUOTA_NO_PLACE;
    peer->watch = (struct kl_watch){.ready = kl_peer_ready, .owner = peer, .fd = fd};
    peer->timer = (struct kl_timer){.fire = kl_peer_late, .owner = peer};
    kl_conn_init(&peer->conn, &server->env, kl_lane_now(mine));
    if (lane == mine)
        adopt(lane, peer);
    else
        kl_lane_post(peer);
}

static void accept_on(struct kl_lane *lane)
{
    lane->accepting = kl_loop_add(lane->loop, &lane->listener, KL_READY_READ, true) == KL_OK;
}

static void accept_off(struct kl_lane *lane)
{
    if (lane->accepting)
        kl_loop_remove(lane->loop, &lane->listener);
    lane->accepting = false;
}

static void on_accept_timer(struct kl_timer *timer)
{
    struct kl_lane *lane = timer->owner;
    if (!lane->stopping)
        accept_on(lane);
}

static bool on_listener(struct kl_watch *watch, unsigned what)
{
    (void)what;
    struct kl_lane *lane = watch->owner;
    for (int i = 0; i < ACCEPTS_A_TURN; i++) {
        int fd;
        kl_status status = kl_tcp_accept(&fd, watch->fd);
        if (status == KL_AGAIN)
            break;
        if (status == KL_OK) {
            welcome(lane, fd);
            continue;
        }
        /* no descriptors left: the listener would only report the same again and again */
        accept_off(lane);
        kl_loop_set(lane->loop, &lane->accept_timer, kl_loop_now(lane->loop) + accept_pause_ns);
        break;
    }
    return true;
}

static void check_stop(struct kl_lane *lane)
{
    int phase = atomic_load(&lane->server->phase);
    bool news = (phase != KL_RPC_RUNNING && !lane->stopping) ||
                (phase == KL_RPC_STOP_NOW && !lane->stopping_now);
    if (!news)
        return;
    accept_off(lane);
    kl_loop_unset(lane->loop, &lane->accept_timer);
    lane->stopping = true;
    lane->stopping_now = phase == KL_RPC_STOP_NOW;
    for (struct kl_peer *peer = lane->peers; peer; peer = peer->next) {
        if (!peer->busy) {
            kl_peer_stop(peer);
            kl_peer_later(peer);
        } else if (lane->stopping_now) {
            kl_rpc_worker_expire(&peer->thread->worker, peer->number);
        }
    }
}

/* Those that are waiting now; who comes to wait meanwhile has its turn in the next turn. */
static bool serve_again(struct kl_lane *lane)
{
    struct kl_peer *last = lane->again_last;
    for (bool more = last != NULL; more;) {
        struct kl_peer *peer = lane->again_first;
        more = peer != last;
        lane->again_first = peer->next_again;
        if (!lane->again_first)
            lane->again_last = NULL;
        peer->again = false;
        if (!kl_peer_serve(peer))
            return false;
        more = more && lane->again_first;
    }
    return true;
}

bool kl_lane_run(struct kl_lane *lane, struct kl_rpc_thread *thread)
{
    lane->thread = thread;
    for (;;) {
        u64 wait_ns = lane->again_first ? 0 : UINT64_MAX;
        if (!kl_loop_turn(lane->loop, wait_ns))
            return false;
        take_mail(lane);
        check_stop(lane);
        if (!serve_again(lane))
            return false;
        tell_all(lane);
        if (thread->out.cap > OUT_KEEP)
            kl_buf_done(&thread->out);
        if (lane->stopping && atomic_load(&lane->peer_count) == 0)
            return true;
    }
}

bool kl_lane_take(struct kl_lane *lane)
{
    u64 word = atomic_load(&lane->word);
    if ((word & KL_LANE_IN_CALL) && word == lane->seen_word)
        return atomic_compare_exchange_strong(&lane->word, &word, word & ~(u64)KL_LANE_IN_CALL);
    lane->seen_word = word;
    return false;
}

kl_status kl_lane_open(struct kl_lane *lane, struct kl_rpc *server)
{
    lane->server = server;
    lane->listener =
        (struct kl_watch){.ready = on_listener, .owner = lane, .fd = server->listener_fd};
    lane->accept_timer = (struct kl_timer){.fire = on_accept_timer, .owner = lane};
    kl_mutex_init(&lane->mutex);
    KL_TRY(kl_loop_open(&lane->loop, server->config.clock));
    accept_on(lane);
    return lane->accepting ? KL_OK : KL_LIMIT;
}

void kl_lane_close(struct kl_lane *lane)
{
    for (struct kl_peer *peer = lane->mail, *next; peer; peer = next) {
        next = peer->next_mail;
        kl_peer_free(peer);
    }
    KL_ASSERT(!lane->peers);
    kl_loop_close(lane->loop);
    kl_mutex_done(&lane->mutex);
}

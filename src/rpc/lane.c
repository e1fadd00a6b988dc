/* lane: an event loop and its clients. */
#include <stdlib.h>

#include "rpc/jsonrpc.h"
#include "rpc/server_priv.h"
#include "sys/tcp.h"

/* lane.word is twice a call's number, plus one while the call is in work. */
enum { IN_CALL = 1, NEXT_CALL = 2 };

enum { ACCEPTS_A_TURN = 16, OUT_KEEP = 1 << 20 };
static const u64 accept_pause_ns = 100000000, date_step_ns = 100000000;

/* The time of this turn; the date need not be fresher than a tenth of a second. */
static const kl_moment *now_of(struct kl_lane *lane)
{
    u64 now_ns = kl_loop_now(lane->loop);
    if (now_ns - lane->date_ns >= date_step_ns || lane->date_ns == 0) {
        kl_http_date(lane->now.date, kl_wall_ns(lane->server->config.clock) / 1000000000);
        lane->date_ns = now_ns;
    }
    lane->now.now_ns = now_ns;
    return &lane->now;
}

static void set_interest(struct kl_peer *peer, unsigned interest)
{
    if (peer->interest != interest)
        kl_loop_change(peer->lane->loop, &peer->watch, interest);
    peer->interest = interest;
}

/* Deadlines mostly move away, so the timer is left where it is and looks again when it fires. */
static void arm(struct kl_peer *peer)
{
    u64 due_ns = peer->conn.deadline_ns;
    if (due_ns != UINT64_MAX && (!peer->timer.set || peer->timer.due_ns > due_ns))
        kl_loop_set(peer->lane->loop, &peer->timer, due_ns);
}

static void unlink_again(struct kl_peer *peer)
{
    struct kl_lane *lane = peer->lane;
    struct kl_peer *before = NULL, *at = lane->again_first;
    for (; at && at != peer; at = at->next_again)
        before = at;
    if (!at)
        return;
    if (before)
        before->next_again = peer->next_again;
    else
        lane->again_first = peer->next_again;
    if (lane->again_last == peer)
        lane->again_last = before;
    peer->again = false;
}

/* To be served before the turn ends, or in the next one. */
static void later(struct kl_peer *peer)
{
    struct kl_lane *lane = peer->lane;
    if (peer->again)
        return;
    peer->again = true;
    peer->next_again = NULL;
    if (lane->again_last)
        lane->again_last->next_again = peer;
    else
        lane->again_first = peer;
    lane->again_last = peer;
}

static void hear(struct kl_peer *peer, bool hears)
{
    if (hears && !peer->hearing)
        atomic_fetch_add(&peer->lane->hearing_count, 1);
    if (!hears && peer->hearing)
        atomic_fetch_sub(&peer->lane->hearing_count, 1);
    peer->hearing = hears;
}

static void peer_free(struct kl_peer *peer)
{
    kl_rpc_session_free(peer->session);
    kl_conn_done(&peer->conn);
    kl_tcp_close(peer->watch.fd);
    atomic_fetch_sub(&peer->lane->peer_count, 1);
    atomic_fetch_sub(&peer->lane->server->connections, 1);
    free(peer);
}

static void unwatch(struct kl_peer *peer)
{
    if (peer->watched)
        kl_loop_remove(peer->lane->loop, &peer->watch);
    peer->watched = false;
}

static void drop(struct kl_peer *peer)
{
    KL_ASSERT(!peer->busy);
    struct kl_lane *lane = peer->lane;
    unwatch(peer);
    kl_loop_unset(lane->loop, &peer->timer);
    unlink_again(peer);
    hear(peer, false);
    *(peer->prev ? &peer->prev->next : &lane->peers) = peer->next;
    if (peer->next)
        peer->next->prev = peer->prev;
    peer_free(peer);
}

/* From the thread of a call whose lane has been taken. */
static void post(struct kl_peer *peer)
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

static bool out_ready(struct kl_rpc_thread *thread, usize limit)
{
    kl_buf_clear(&thread->out);
    thread->out.limit = KL_CONN_HEAD_ROOM + limit;
    return kl_buf_extend(&thread->out, KL_CONN_HEAD_ROOM) != NULL;
}

static u64 begin_call(struct kl_peer *peer, struct kl_rpc_thread *thread)
{
    struct kl_lane *lane = peer->lane;
    kl_rpc_worker_begin(&thread->worker);
    peer->busy = true;
    peer->thread = thread;
    peer->number = thread->worker.number;
    atomic_store_explicit(&thread->call_began_ns, lane->now.now_ns, memory_order_relaxed);
    atomic_store_explicit(&thread->call_number, peer->number, memory_order_release);
    lane->calls += NEXT_CALL;
    u64 word = lane->calls | IN_CALL;
    atomic_store(&lane->word, word);
    if (atomic_load(&lane->server->watcher_sleeps))
        kl_rpc_watch(lane->server);
    return word;
}

/* Lets the peer's JSON be answered; false when the lane has been taken meanwhile. */
static bool call(struct kl_peer *peer, struct kl_rpc_thread *thread)
{
    struct kl_lane *lane = peer->lane;
    struct kl_conn *conn = &peer->conn;
    struct kl_rpc *server = lane->server;
    bool good = out_ready(thread, server->config.limits.response_bytes);
    if (kl_conn_is_socket(conn) && !peer->session)
        good = good && kl_rpc_session_new(&peer->session, server->core.feed,
                                          server->config.seed ^ lane->calls ^
                                              (u64)(usize)(lane - server->lanes) << 56) == KL_OK;
    u64 word = begin_call(peer, thread);
    good = good && kl_jsonrpc_serve(&thread->worker, peer->session, conn->body, &thread->out);
    kl_rpc_worker_end(&thread->worker);
    atomic_store_explicit(&thread->call_number, 0, memory_order_release);
    u64 expected = word;
    bool mine = atomic_compare_exchange_strong(&lane->word, &expected, word & ~(u64)IN_CALL);
    kl_moment fresh;
    if (!mine)
        kl_moment_now(&fresh, server->config.clock);
    if (good)
        kl_conn_answer(conn, &thread->out, mine ? &lane->now : &fresh);
    else
        kl_conn_drop(conn);
    if (mine) {
        peer->busy = false;
        hear(peer, kl_rpc_session_hears(peer->session));
        return true;
    }
    bool kept = kl_conn_park(conn, &fresh);
    (void)kept; /* when it was not, the next step says so */
    post(peer);
    return false;
}

/* Sends the peer its news; false when it is no more. */
static bool tell(struct kl_peer *peer, struct kl_rpc_thread *thread)
{
    kl_rpc_worker_begin(&thread->worker);
    kl_buf_clear(&thread->out);
    thread->out.limit = peer->lane->server->config.limits.socket_queue_bytes;
    bool good = kl_rpc_session_tell(peer->session, &thread->worker, &thread->out);
    kl_rpc_worker_end(&thread->worker);
    kl_span frames = kl_buf_view(&thread->out);
    usize put = 0;
    if (good && frames.len && !kl_conn_output(&peer->conn).len) {
        kl_status status = kl_tcp_write(peer->watch.fd, frames, &put);
        good = status == KL_OK || status == KL_AGAIN;
    }
    if (good && put < frames.len) {
        kl_conn_push(&peer->conn, kl_span_sub(frames, put, frames.len));
        later(peer);
    }
    if (!good)
        drop(peer);
    return good;
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
            (void)tell(peer, lane->thread);
    }
}

/* Does what the connection asks for until it has to wait; false when the lane has been taken. */
static bool serve(struct kl_peer *peer)
{
    struct kl_lane *lane = peer->lane;
    struct kl_rpc_thread *thread = lane->thread;
    struct kl_conn *conn = &peer->conn;
    const kl_moment *now = now_of(lane);
    bool called = false;
    for (;;) {
        if (called && kl_conn_has_input(conn) && !kl_conn_output(conn).len) {
            later(peer); /* one call a turn: the others come first */
            if (kl_conn_park(conn, now))
                return true;
        }
        kl_conn_need need = kl_conn_step(conn, now);
        if (need == KL_CONN_CALL) {
            called = true;
            if (!call(peer, thread))
                return false;
        } else if (need == KL_CONN_WRITE) {
            usize n = 0;
            kl_status status = kl_tcp_write(peer->watch.fd, kl_conn_output(conn), &n);
            if (status == KL_OK) {
                kl_conn_sent(conn, n, now);
            } else if (status != KL_AGAIN) {
                break;
            } else {
                kl_conn_blocked(conn, now);
                if (!kl_conn_park(conn, now))
                    continue;
                set_interest(peer, KL_READY_WRITE);
                arm(peer);
                return true;
            }
        } else if (need == KL_CONN_READ) {
            if (!kl_conn_park(conn, now))
                continue;
            set_interest(peer, KL_READY_READ);
            arm(peer);
            if (peer->hearing && kl_conn_hears(conn) && kl_rpc_session_behind(peer->session))
                (void)tell(peer, thread);
            return true;
        } else if (need == KL_CONN_FINISH) {
            kl_tcp_finish(peer->watch.fd);
        } else {
            break;
        }
    }
    drop(peer);
    return true;
}

static bool on_peer(struct kl_watch *watch, unsigned what)
{
    struct kl_peer *peer = watch->owner;
    struct kl_lane *lane = peer->lane;
    if (peer->busy) {
        if (what & KL_READY_HANGUP) {
            peer->gone = true;
            unwatch(peer);
            kl_rpc_worker_expire(&peer->thread->worker, peer->number);
        } else {
            set_interest(peer, 0);
        }
        return true;
    }
    if (peer->again)
        return true;
    if (what & KL_READY_READ) {
        usize room_len, n = 0;
        u8 *room = kl_conn_room(&peer->conn, lane->thread->inbox, &room_len, now_of(lane));
        kl_status status = room ? kl_tcp_read(watch->fd, room, room_len, &n) : KL_OK;
        if (status == KL_OK && room)
            kl_conn_got(&peer->conn, n, now_of(lane));
        else if (status != KL_OK && status != KL_AGAIN)
            kl_conn_drop(&peer->conn);
    } else if (what & KL_READY_HANGUP) {
        kl_conn_drop(&peer->conn);
    }
    return serve(peer);
}

/* Timers cannot give the lane away, so what they cause is served afterwards. */
static void on_peer_timer(struct kl_timer *timer)
{
    struct kl_peer *peer = timer->owner;
    if (peer->busy)
        return;
    if (kl_loop_now(peer->lane->loop) < peer->conn.deadline_ns) {
        arm(peer);
        return;
    }
    kl_conn_late(&peer->conn, now_of(peer->lane));
    later(peer);
}

static void stop_peer(struct kl_peer *peer)
{
    if (peer->lane->stopping_now)
        kl_conn_drop(&peer->conn);
    else if (peer->lane->stopping)
        kl_conn_stop(&peer->conn);
}

/* A peer that was made on another lane's thread, or here. */
static void adopt(struct kl_lane *lane, struct kl_peer *peer)
{
    peer->next = lane->peers;
    if (peer->next)
        peer->next->prev = peer;
    lane->peers = peer;
    if (kl_loop_add(lane->loop, &peer->watch, KL_READY_READ, false) != KL_OK) {
        drop(peer);
        return;
    }
    peer->watched = true;
    peer->interest = KL_READY_READ;
    arm(peer);
    stop_peer(peer);
    if (lane->stopping)
        later(peer);
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
        hear(peer, kl_rpc_session_hears(peer->session));
        if (peer->gone)
            kl_conn_drop(&peer->conn);
        stop_peer(peer);
        later(peer);
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
    peer->watch = (struct kl_watch){.ready = on_peer, .owner = peer, .fd = fd};
    peer->timer = (struct kl_timer){.fire = on_peer_timer, .owner = peer};
    kl_conn_init(&peer->conn, &server->env, now_of(mine));
    if (lane == mine)
        adopt(lane, peer);
    else
        post(peer);
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
            stop_peer(peer);
            later(peer);
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
        if (!serve(peer))
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
    if ((word & IN_CALL) && word == lane->seen_word)
        return atomic_compare_exchange_strong(&lane->word, &word, word & ~(u64)IN_CALL);
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
        peer_free(peer);
    }
    KL_ASSERT(!lane->peers);
    kl_loop_close(lane->loop);
    kl_mutex_done(&lane->mutex);
}

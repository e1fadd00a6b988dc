/* peer: serves one client: does what its connection asks for, and sends it its news. */
#include "rpc/peer_priv.h"

#include <stdlib.h>

#include "rpc/jsonrpc.h"
#include "sys/tcp.h"

/* lane.word is twice a call's number, plus one while the call is in work. */
enum { NEXT_CALL = 2 };

static void set_interest(struct kl_peer *peer, unsigned interest)
{
    if (peer->interest != interest)
        kl_loop_change(peer->lane->loop, &peer->watch, interest);
    peer->interest = interest;
}

/* Deadlines mostly move away, so the timer is left where it is and looks again when it fires. */
void kl_peer_arm(struct kl_peer *peer)
{
    u64 due_ns = peer->conn.deadline_ns;
    if (due_ns != UINT64_MAX && (!peer->timer.set || peer->timer.due_ns > due_ns))
        kl_loop_set(peer->lane->loop, &peer->timer, due_ns);
}

static void unlink_again(struct kl_peer *peer)
{
    struct kl_lane *lane = peer->lane;
    if (!peer->again)
        return;
    struct kl_peer *before = NULL;
    for (struct kl_peer *at = lane->again_first; at != peer; at = at->next_again)
        before = at;
    if (before)
        before->next_again = peer->next_again;
    else
        lane->again_first = peer->next_again;
    if (lane->again_last == peer)
        lane->again_last = before;
    peer->again = false;
}

void kl_peer_later(struct kl_peer *peer)
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

void kl_peer_hear(struct kl_peer *peer, bool hears)
{
    if (hears && !peer->hearing)
        atomic_fetch_add(&peer->lane->hearing_count, 1);
    if (!hears && peer->hearing)
        atomic_fetch_sub(&peer->lane->hearing_count, 1);
    peer->hearing = hears;
}

void kl_peer_free(struct kl_peer *peer)
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

void kl_peer_drop(struct kl_peer *peer)
{
    KL_ASSERT(!peer->busy);
    struct kl_lane *lane = peer->lane;
    unwatch(peer);
    kl_loop_unset(lane->loop, &peer->timer);
    unlink_again(peer);
    kl_peer_hear(peer, false);
    *(peer->prev ? &peer->prev->next : &lane->peers) = peer->next;
    if (peer->next)
        peer->next->prev = peer->prev;
    kl_peer_free(peer);
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
    thread->worker.place = peer->place;
    peer->busy = true;
    peer->thread = thread;
    peer->number = thread->worker.number;
    atomic_store_explicit(&thread->call_began_ns, lane->now.now_ns, memory_order_relaxed);
    atomic_store_explicit(&thread->call_number, peer->number, memory_order_release);
    lane->calls += NEXT_CALL;
    u64 word = lane->calls | KL_LANE_IN_CALL;
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
    bool mine =
        atomic_compare_exchange_strong(&lane->word, &expected, word & ~(u64)KL_LANE_IN_CALL);
    kl_moment fresh;
    if (!mine)
        kl_moment_now(&fresh, server->config.clock);
    if (good)
        kl_conn_answer(conn, &thread->out, mine ? &lane->now : &fresh);
    else
        kl_conn_drop(conn);
    if (mine) {
        peer->busy = false;
        kl_peer_hear(peer, kl_rpc_session_hears(peer->session));
        return true;
    }
    bool kept = kl_conn_park(conn, &fresh);
    (void)kept; /* when it was not, the next step says so */
    kl_lane_post(peer);
    return false;
}

/* Sends the peer its news; false when it is no more. */
bool kl_peer_tell(struct kl_peer *peer, struct kl_rpc_thread *thread)
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
        kl_peer_later(peer);
    }
    if (!good)
        kl_peer_drop(peer);
    return good;
}

/* Does what the connection asks for until it has to wait; false when the lane has been taken. */
bool kl_peer_serve(struct kl_peer *peer)
{
    struct kl_lane *lane = peer->lane;
    struct kl_rpc_thread *thread = lane->thread;
    struct kl_conn *conn = &peer->conn;
    const kl_moment *now = kl_lane_now(lane);
    bool called = false;
    for (;;) {
        if (called && kl_conn_has_input(conn) && !kl_conn_output(conn).len) {
            kl_peer_later(peer); /* one call a turn: the others come first */
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
                kl_peer_arm(peer);
                return true;
            }
        } else if (need == KL_CONN_READ) {
            if (!kl_conn_park(conn, now))
                continue;
            set_interest(peer, KL_READY_READ);
            kl_peer_arm(peer);
            if (peer->hearing && kl_conn_hears(conn) && kl_rpc_session_behind(peer->session))
                (void)kl_peer_tell(peer, thread);
            return true;
        } else if (need == KL_CONN_FINISH) {
            kl_tcp_finish(peer->watch.fd);
        } else {
            break;
        }
    }
    kl_peer_drop(peer);
    return true;
}

bool kl_peer_ready(struct kl_watch *watch, unsigned what)
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
        u8 *room = kl_conn_room(&peer->conn, lane->thread->inbox, &room_len, kl_lane_now(lane));
        kl_status status = room ? kl_tcp_read(watch->fd, room, room_len, &n) : KL_OK;
        if (status == KL_OK && room)
            kl_conn_got(&peer->conn, n, kl_lane_now(lane));
        else if (status != KL_OK && status != KL_AGAIN)
            kl_conn_drop(&peer->conn);
    } else if (what & KL_READY_HANGUP) {
        kl_conn_drop(&peer->conn);
    }
    return kl_peer_serve(peer);
}

/* Timers cannot give the lane away, so what they cause is served afterwards. */
void kl_peer_late(struct kl_timer *timer)
{
    struct kl_peer *peer = timer->owner;
    if (peer->busy)
        return;
    if (kl_loop_now(peer->lane->loop) < peer->conn.deadline_ns) {
        kl_peer_arm(peer);
        return;
    }
    kl_conn_late(&peer->conn, kl_lane_now(peer->lane));
    kl_peer_later(peer);
}

void kl_peer_stop(struct kl_peer *peer)
{
    if (peer->lane->stopping_now)
        kl_conn_drop(&peer->conn);
    else if (peer->lane->stopping)
        kl_conn_stop(&peer->conn);
}

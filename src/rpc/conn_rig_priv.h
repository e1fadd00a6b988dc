/* conn_rig: a connection with a make-believe socket, for tests and fuzzing.  Calls are answered
 * with the body itself in brackets, but for "quiet", which gets no answer. */
#ifndef KL_RPC_CONN_RIG_PRIV_H
#define KL_RPC_CONN_RIG_PRIV_H

#include <stdlib.h>

#include "rpc/conn_priv.h"

struct rig {
    struct kl_conn_env env;
    struct kl_conn conn;
    kl_moment now;
    u8 *inbox;
    struct kl_buf answer;
    struct kl_buf out; /* all that the client has been sent */
    usize window;      /* bytes the client still takes before it blocks */
    unsigned calls;
    bool finished, closed;
};

#define RIG_DATE "Sat, 21 Nov 2026 12:00:00 GMT"

static inline void rig_open(struct rig *rig, const kl_rpc_limits *limits)
{
    *rig = (struct rig){.window = SIZE_MAX};
    rig->env.limits = *limits;
    rig->env.greeting = KL_SPAN_TEXT("hello\n");
    rig->env.budget.limit = limits->buffer_bytes;
    rig->now.now_ns = 1000;
    memcpy(rig->now.date, RIG_DATE, KL_HTTP_DATE_LEN);
    rig->inbox = malloc(KL_CONN_INBOX);
    KL_ASSERT(rig->inbox);
    kl_buf_init(&rig->answer, SIZE_MAX / 2);
    kl_buf_init(&rig->out, SIZE_MAX / 2);
    kl_conn_init(&rig->conn, &rig->env, &rig->now);
}

static inline void rig_close(struct rig *rig)
{
    kl_conn_done(&rig->conn);
    KL_ASSERT(atomic_load(&rig->env.budget.used) == 0);
    kl_buf_done(&rig->answer);
    kl_buf_done(&rig->out);
    free(rig->inbox);
}

static inline void rig_answer(struct rig *rig)
{
    kl_span body = rig->conn.body;
    rig->calls++;
    kl_buf_clear(&rig->answer);
    (void)kl_buf_extend(&rig->answer, KL_CONN_HEAD_ROOM);
    if (!kl_span_eq(body, KL_SPAN_TEXT("quiet"))) {
        kl_buf_str(&rig->answer, "[");
        kl_buf_span(&rig->answer, body);
        kl_buf_str(&rig->answer, "]");
    }
    kl_conn_answer(&rig->conn, &rig->answer, &rig->now);
}

/* Does all that can be done without more input; returns what the connection waits for. */
static inline kl_conn_need rig_run(struct rig *rig)
{
    while (!rig->closed) {
        kl_conn_need need = kl_conn_step(&rig->conn, &rig->now);
        usize n;
        switch (need) {
        case KL_CONN_CALL:
            rig_answer(rig);
            break;
        case KL_CONN_FINISH:
            rig->finished = true;
            break;
        case KL_CONN_CLOSE:
            rig->closed = true;
            break;
        case KL_CONN_WRITE:
            n = KL_MIN(kl_conn_output(&rig->conn).len, rig->window);
            if (n == 0) {
                kl_conn_blocked(&rig->conn, &rig->now);
                if (kl_conn_park(&rig->conn, &rig->now))
                    return need;
                break;
            }
            kl_buf_bytes(&rig->out, kl_conn_output(&rig->conn).p, n);
            rig->window -= n;
            kl_conn_sent(&rig->conn, n, &rig->now);
            break;
        case KL_CONN_READ:
            if (kl_conn_park(&rig->conn, &rig->now))
                return need;
            break;
        }
    }
    return KL_CONN_CLOSE;
}

/* The client sends bytes, all that fit at a time; once the connection waits to write, nothing is
 * read.  Returns how many were taken. */
static inline usize rig_feed(struct rig *rig, kl_span bytes)
{
    usize taken = 0;
    while (rig_run(rig) == KL_CONN_READ && taken < bytes.len) {
        usize room_len;
        u8 *room = kl_conn_room(&rig->conn, rig->inbox, &room_len, &rig->now);
        if (!room)
            continue;
        usize n = KL_MIN(room_len, bytes.len - taken);
        memcpy(room, bytes.p + taken, n);
        taken += n;
        kl_conn_got(&rig->conn, n, &rig->now);
    }
    return taken;
}

/* The client will send no more. */
static inline void rig_end(struct rig *rig)
{
    while (rig_run(rig) == KL_CONN_READ && !rig->conn.ended) {
        usize room_len;
        if (kl_conn_room(&rig->conn, rig->inbox, &room_len, &rig->now))
            kl_conn_got(&rig->conn, 0, &rig->now);
    }
}

/* Time passes; a deadline that has come is told. */
static inline void rig_wait(struct rig *rig, u64 ns)
{
    rig->now.now_ns += ns;
    if (!rig->closed && rig->now.now_ns >= rig->conn.deadline_ns)
        kl_conn_late(&rig->conn, &rig->now);
    (void)rig_run(rig);
}

#endif

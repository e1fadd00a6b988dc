/* conn_state: the inside of a connection, for the files that make one up: conn.c (the states),
 * conn_route.c (what becomes of a request), conn_bytes.c (memory). */
#ifndef KL_RPC_CONN_STATE_PRIV_H
#define KL_RPC_CONN_STATE_PRIV_H

#include "rpc/conn_bytes_priv.h"

typedef enum kl_conn_state {
    HEAD,
    BODY,
    CHUNKS,
    CALLING,
    SOCKET,
    SOCKET_CALLING,
    LAST,
    LINGER,
    DEAD,
} kl_conn_state;

static inline void kl_conn_due_in(struct kl_conn *conn, const kl_moment *now, u64 ns)
{
    conn->deadline_ns = kl_add_sat_u64(now->now_ns, ns);
}

/* Output of our own, short. */
static inline void kl_conn_put(struct kl_conn *conn, kl_span s)
{
    if (!kl_bytes_append(&conn->out, s, &conn->env->budget, true))
        conn->state = DEAD;
}

/* Ready for the next request, or for the end when there shall be none. */
void kl_conn_next_request(struct kl_conn *conn, const kl_moment *now);

/* Answers a request, or finds where its body comes from. */
void kl_conn_route(struct kl_conn *conn, const kl_moment *now, const kl_http_request *r);

/* An answer that says what is wrong, with further fields or NULL; the connection ends with it. */
void kl_conn_refuse(struct kl_conn *conn, const kl_moment *now, unsigned status, const char *why,
                    const char *fields);
void kl_conn_refuse_rule(struct kl_conn *conn, const kl_moment *now, kl_rule rule);

#endif

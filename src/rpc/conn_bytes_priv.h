/* conn_bytes: the memory of one connection.  Thread: the connection's. */
#ifndef KL_RPC_CONN_BYTES_PRIV_H
#define KL_RPC_CONN_BYTES_PRIV_H

#include "rpc/conn_priv.h"

/* Forgets the bytes; memory of the connection's own goes back. */
void kl_bytes_free(struct kl_conn_bytes *b, struct kl_budget *budget);

/* Adds s to kept bytes.  beyond: also over the budget's limit, for the short answers that say so.
 * False when there is no memory. */
KL_MUST_USE bool kl_bytes_append(struct kl_conn_bytes *b, kl_span s, struct kl_budget *budget,
                                 bool beyond);

/* Room behind kept bytes, which are fewer than limit (asserted) and will be no more.  NULL when
 * there is no memory. */
u8 *kl_bytes_room(struct kl_conn_bytes *b, usize limit, usize *len, struct kl_budget *budget);

/* Makes lent bytes the connection's own, and gives memory back when there are none.  from: the
 * buffer they lie in, which may be taken as it is; NULL: it may not. */
KL_MUST_USE bool kl_bytes_keep(struct kl_conn_bytes *b, struct kl_buf *from,
                               struct kl_budget *budget);

#endif

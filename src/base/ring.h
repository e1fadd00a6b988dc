/* ring: a bounded queue of fixed-size messages between threads.
 *
 * Any number of senders and receivers.  A full ring makes the sender wait or turns it away: that is
 * the back-pressure; nothing between threads grows without bound.  After kl_ring_close sends are
 * refused and receivers drain what is left. */
#ifndef KL_BASE_RING_H
#define KL_BASE_RING_H

#include "base/status.h"
#include "base/sync.h"

struct kl_ring {
    kl_mutex mutex;
    kl_cond not_empty, not_full;
    u8 *bytes;
    usize message_len, cap, first, count;
    bool closed;
};

/* Room for cap messages of message_len bytes.  KL_NOMEM. */
KL_MUST_USE kl_status kl_ring_init(struct kl_ring *ring, usize message_len, usize cap);
/* No thread may be inside the ring any more. */
void kl_ring_done(struct kl_ring *ring);

/* Copies message in; waits while the ring is full.  KL_CANCELED once closed. */
KL_MUST_USE kl_status kl_ring_send(struct kl_ring *ring, const void *message);
/* The same without waiting: KL_AGAIN when full. */
KL_MUST_USE kl_status kl_ring_try_send(struct kl_ring *ring, const void *message);

/* Copies the oldest message out; waits at most timeout_ns (UINT64_MAX: for ever).  KL_TIMEOUT, or
 * KL_CANCELED once closed and empty. */
KL_MUST_USE kl_status kl_ring_receive(struct kl_ring *ring, void *out, u64 timeout_ns);

void kl_ring_close(struct kl_ring *ring);

/* Messages waiting now; only a hint, for metrics. */
usize kl_ring_count(struct kl_ring *ring);

#endif

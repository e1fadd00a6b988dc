/* devnet_pipe: one direction of a connection between two nodes, which takes its time: a pure
 * machine, in the caller's time.
 *
 * What it does to bytes is what a bad line does to TCP, which loses nothing: each segment arrives
 * later by the latency; one that is lost arrives when it is sent again, and what is behind it waits
 * for it.  A retransmission comes after 200 ms and the way there and back, twice as late each time
 * it is lost again.  A direction that is cut keeps what it has until it is whole again. */
#ifndef KL_CLI_DEVNET_PIPE_H
#define KL_CLI_DEVNET_PIPE_H

#include "base/span.h"

enum {
    KL_DEVNET_PIPE_BYTES = 1 << 20,
    KL_DEVNET_SEGMENT = 1448,
    KL_DEVNET_SEGMENTS = 2048,
};

/* How one node reaches another. */
typedef struct kl_devnet_way {
    bool cut;
    u64 latency_ns;
    u32 loss_percent;
} kl_devnet_way;

struct kl_devnet_pipe {
    u8 *bytes; /* a ring of KL_DEVNET_PIPE_BYTES, the caller's */
    usize at, len;
    struct {
        u64 due_ns;
        usize len;
    } segments[KL_DEVNET_SEGMENTS]; /* a ring */
    u32 first, count;
    u64 last_due_ns;
};

/* How many bytes it takes now, at most. */
usize kl_devnet_pipe_room(const struct kl_devnet_pipe *pipe);
void kl_devnet_pipe_put(struct kl_devnet_pipe *pipe, kl_span bytes, const kl_devnet_way *way,
                        u64 now_ns, u64 *rng);
/* What may arrive now; nothing is empty.  And how much of it did. */
kl_span kl_devnet_pipe_ready(const struct kl_devnet_pipe *pipe, const kl_devnet_way *way,
                             u64 now_ns);
void kl_devnet_pipe_taken(struct kl_devnet_pipe *pipe, usize len);
/* When something may arrive; UINT64_MAX: not by itself. */
u64 kl_devnet_pipe_due_ns(const struct kl_devnet_pipe *pipe, const kl_devnet_way *way);

#endif

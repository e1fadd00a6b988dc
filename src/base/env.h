/* env: clock, entropy, memory and workers, handed in so that the same code runs in the real world
 * (sys) and in the simulator (sim). */
#ifndef KL_BASE_ENV_H
#define KL_BASE_ENV_H

#include "base/int.h"

struct kl_clock {
    u64 (*mono_ns)(struct kl_clock *clock); /* never goes back; for timeouts */
    u64 (*wall_ns)(struct kl_clock *clock); /* since 1970; may jump; for timestamps */
};

static inline u64 kl_mono_ns(struct kl_clock *clock)
{
    return clock->mono_ns(clock);
}

static inline u64 kl_wall_ns(struct kl_clock *clock)
{
    return clock->wall_ns(clock);
}

struct kl_entropy {
    void (*fill)(struct kl_entropy *entropy, void *out, usize len); /* cannot fail */
};

static inline void kl_entropy_fill(struct kl_entropy *entropy, void *out, usize len)
{
    entropy->fill(entropy, out, len);
}

/* How many bytes of memory this process has taken that the system cannot take back. */
struct kl_memory {
    u64 (*taken)(struct kl_memory *memory);
};

static inline u64 kl_memory_taken(struct kl_memory *memory)
{
    return memory->taken(memory);
}

/* Runs part(ctx, 0) … part(ctx, count - 1), on as many threads as there are, and returns when all
 * are done.  Parts must not depend on one another, nor on which thread runs them.  Several threads
 * may call at once.  A part must not call kl_workers_run itself. */
struct kl_workers {
    void (*run)(struct kl_workers *workers, void (*part)(void *ctx, usize index), void *ctx,
                usize count);
    usize threads; /* how many parts may run at once, at least 1 */
};

/* NULL workers run everything on the calling thread. */
static inline void kl_workers_run(struct kl_workers *workers, void (*part)(void *ctx, usize index),
                                  void *ctx, usize count)
{
    if (workers && count > 1) {
        workers->run(workers, part, ctx, count);
        return;
    }
    for (usize i = 0; i < count; i++)
        part(ctx, i);
}

#endif

#include "cli/devnet_pipe.h"

#include "base/check.h"
#include "base/int.h"
#include "base/rand.h"

#define AGAIN_NS UINT64_C(200000000)
enum { TRIES = 6 };

usize kl_devnet_pipe_room(const struct kl_devnet_pipe *pipe)
{
    usize segments = KL_DEVNET_SEGMENTS - pipe->count;
    return KL_MIN(KL_DEVNET_PIPE_BYTES - pipe->len, segments * KL_DEVNET_SEGMENT);
}

/* How long a segment is late beyond the latency. */
static u64 lateness(const kl_devnet_way *way, u64 *rng)
{
    u64 late_ns = 0, again_ns = AGAIN_NS + 2 * way->latency_ns;
    for (u32 i = 0; i < TRIES && way->loss_percent; i++, again_ns *= 2) {
        if (kl_rand_below(rng, 100) >= way->loss_percent)
            break;
        late_ns += again_ns;
    }
    return late_ns;
}

void kl_devnet_pipe_put(struct kl_devnet_pipe *pipe, kl_span bytes, const kl_devnet_way *way,
                        u64 now_ns, u64 *rng)
{
    KL_ASSERT(bytes.len <= kl_devnet_pipe_room(pipe));
    for (usize done = 0; done < bytes.len;) {
        usize len = KL_MIN(bytes.len - done, (usize)KL_DEVNET_SEGMENT);
        u32 place = (pipe->first + pipe->count++) % KL_DEVNET_SEGMENTS;
        u64 due_ns = now_ns + way->latency_ns + lateness(way, rng);
        pipe->last_due_ns = KL_MAX(pipe->last_due_ns, due_ns);
        pipe->segments[place].due_ns = pipe->last_due_ns;
        pipe->segments[place].len = len;
        for (usize i = 0; i < len; i++)
            pipe->bytes[(pipe->at + pipe->len + i) % KL_DEVNET_PIPE_BYTES] = bytes.p[done + i];
        pipe->len += len;
        done += len;
    }
}

kl_span kl_devnet_pipe_ready(const struct kl_devnet_pipe *pipe, const kl_devnet_way *way,
                             u64 now_ns)
{
    usize len = 0;
    for (u32 i = 0; i < pipe->count && !way->cut; i++) {
        u32 place = (pipe->first + i) % KL_DEVNET_SEGMENTS;
        if (pipe->segments[place].due_ns > now_ns)
            break;
        len += pipe->segments[place].len;
    }
    return kl_span_of(pipe->bytes + pipe->at, KL_MIN(len, KL_DEVNET_PIPE_BYTES - pipe->at));
}

void kl_devnet_pipe_taken(struct kl_devnet_pipe *pipe, usize len)
{
    KL_ASSERT(len <= pipe->len);
    pipe->len -= len;
    pipe->at = pipe->len ? (pipe->at + len) % KL_DEVNET_PIPE_BYTES : 0;
    while (len) {
        usize *first = &pipe->segments[pipe->first].len;
        usize part = KL_MIN(len, *first);
        *first -= part;
        len -= part;
        if (!*first) {
            pipe->first = (pipe->first + 1) % KL_DEVNET_SEGMENTS;
            pipe->count--;
        }
    }
}

u64 kl_devnet_pipe_due_ns(const struct kl_devnet_pipe *pipe, const kl_devnet_way *way)
{
    return way->cut || !pipe->count ? UINT64_MAX : pipe->segments[pipe->first].due_ns;
}

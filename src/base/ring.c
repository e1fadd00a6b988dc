#include "base/ring.h"

#include <stdlib.h>

kl_status kl_ring_init(struct kl_ring *ring, usize message_len, usize cap)
{
    KL_ASSERT(message_len && cap);
    usize bytes;
    if (!kl_mul_usize(&bytes, message_len, cap))
        return KL_NOMEM;
    *ring = (struct kl_ring){.bytes = malloc(bytes), .message_len = message_len, .cap = cap};
    if (!ring->bytes)
        return KL_NOMEM;
    kl_mutex_init(&ring->mutex);
    kl_cond_init(&ring->not_empty);
    kl_cond_init(&ring->not_full);
    return KL_OK;
}

void kl_ring_done(struct kl_ring *ring)
{
    if (!ring->bytes)
        return;
    kl_cond_done(&ring->not_full);
    kl_cond_done(&ring->not_empty);
    kl_mutex_done(&ring->mutex);
    free(ring->bytes);
    ring->bytes = NULL;
}

static u8 *slot(struct kl_ring *ring, usize index)
{
    return ring->bytes + index % ring->cap * ring->message_len;
}

static kl_status send(struct kl_ring *ring, const void *message, bool wait)
{
    kl_lock(&ring->mutex);
    while (wait && !ring->closed && ring->count == ring->cap)
        kl_cond_wait(&ring->not_full, &ring->mutex);
    kl_status status = ring->closed ? KL_CANCELED : ring->count == ring->cap ? KL_AGAIN : KL_OK;
    if (status == KL_OK) {
        memcpy(slot(ring, ring->first + ring->count), message, ring->message_len);
        ring->count++;
        kl_cond_signal(&ring->not_empty);
    }
    kl_unlock(&ring->mutex);
    return status;
}

kl_status kl_ring_send(struct kl_ring *ring, const void *message)
{
    return send(ring, message, true);
}

kl_status kl_ring_try_send(struct kl_ring *ring, const void *message)
{
    return send(ring, message, false);
}

kl_status kl_ring_receive(struct kl_ring *ring, void *out, u64 timeout_ns)
{
    kl_lock(&ring->mutex);
    bool in_time = true;
    while (in_time && !ring->closed && ring->count == 0) {
        if (timeout_ns == UINT64_MAX)
            kl_cond_wait(&ring->not_empty, &ring->mutex);
        else
            in_time = kl_cond_wait_ns(&ring->not_empty, &ring->mutex, timeout_ns);
    }
    kl_status status = ring->count ? KL_OK : ring->closed ? KL_CANCELED : KL_TIMEOUT;
    if (status == KL_OK) {
        memcpy(out, slot(ring, ring->first), ring->message_len);
        ring->first = (ring->first + 1) % ring->cap;
        ring->count--;
        kl_cond_signal(&ring->not_full);
    }
    kl_unlock(&ring->mutex);
    return status;
}

void kl_ring_close(struct kl_ring *ring)
{
    kl_lock(&ring->mutex);
    ring->closed = true;
    kl_cond_broadcast(&ring->not_empty);
    kl_cond_broadcast(&ring->not_full);
    kl_unlock(&ring->mutex);
}

usize kl_ring_count(struct kl_ring *ring)
{
    kl_lock(&ring->mutex);
    usize count = ring->count;
    kl_unlock(&ring->mutex);
    return count;
}

#include "base/ring.h"

#include "base/test.h"

enum { SENDERS = 3, EACH = 20000 };

static void *send_all(void *arg)
{
    struct kl_ring *ring = arg;
    for (u64 i = 1; i <= EACH; i++)
        KL_ASSERT(kl_ring_send(ring, &i) == KL_OK);
    return NULL;
}

KL_TEST(ring_loses_and_repeats_nothing_between_threads)
{
    struct kl_ring ring;
    CHECK_OK(kl_ring_init(&ring, sizeof(u64), 7));
    pthread_t senders[SENDERS];
    for (int i = 0; i < SENDERS; i++)
        CHECK(pthread_create(&senders[i], NULL, send_all, &ring) == 0);
    u64 sum = 0, message;
    for (int i = 0; i < SENDERS * EACH; i++) {
        CHECK_OK(kl_ring_receive(&ring, &message, UINT64_MAX));
        sum += message;
    }
    for (int i = 0; i < SENDERS; i++)
        pthread_join(senders[i], NULL);
    CHECK_U64(sum, (u64)SENDERS * EACH * (EACH + 1) / 2);
    CHECK(kl_ring_receive(&ring, &message, 1000) == KL_TIMEOUT);
    kl_ring_done(&ring);
}

KL_TEST(ring_turns_away_when_full_and_drains_after_close)
{
    struct kl_ring ring;
    u64 message = 5;
    CHECK_OK(kl_ring_init(&ring, sizeof message, 2));
    CHECK_OK(kl_ring_try_send(&ring, &message));
    CHECK_OK(kl_ring_try_send(&ring, &message));
    CHECK(kl_ring_try_send(&ring, &message) == KL_AGAIN);
    kl_ring_close(&ring);
    CHECK(kl_ring_send(&ring, &message) == KL_CANCELED);
    CHECK_OK(kl_ring_receive(&ring, &message, 0));
    CHECK_OK(kl_ring_receive(&ring, &message, 0));
    CHECK(kl_ring_receive(&ring, &message, UINT64_MAX) == KL_CANCELED);
    kl_ring_done(&ring);
}

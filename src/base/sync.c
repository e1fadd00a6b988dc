#include "base/sync.h"

#include <errno.h>
#include <time.h>

enum { NS_PER_S = 1000000000 };

void kl_cond_init(kl_cond *cond)
{
    pthread_condattr_t attributes;
    KL_ASSERT(pthread_condattr_init(&attributes) == 0);
    KL_ASSERT(pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC) == 0);
    KL_ASSERT(pthread_cond_init(&cond->c, &attributes) == 0);
    pthread_condattr_destroy(&attributes);
}

void kl_cond_done(kl_cond *cond)
{
    KL_ASSERT(pthread_cond_destroy(&cond->c) == 0);
}

bool kl_cond_wait_ns(kl_cond *cond, kl_mutex *mutex, u64 timeout_ns)
{
    struct timespec at;
    clock_gettime(CLOCK_MONOTONIC, &at);
    u64 ns = (u64)at.tv_nsec + timeout_ns % NS_PER_S;
    at.tv_sec += (time_t)(timeout_ns / NS_PER_S + ns / NS_PER_S);
    at.tv_nsec = (long)(ns % NS_PER_S);
    int failed = pthread_cond_timedwait(&cond->c, &mutex->m, &at);
    KL_ASSERT(failed == 0 || failed == ETIMEDOUT);
    return failed == 0;
}

/* sync: locks and reference counts, the only ones Keel's layers use. */
#ifndef KL_BASE_SYNC_H
#define KL_BASE_SYNC_H

#include <pthread.h>
#include <stdatomic.h>

#include "base/int.h"

typedef struct kl_mutex {
    pthread_mutex_t m;
} kl_mutex;

#define KL_MUTEX_INIT             \
    {                             \
        PTHREAD_MUTEX_INITIALIZER \
    }

static inline void kl_mutex_init(kl_mutex *mutex)
{
    KL_ASSERT(pthread_mutex_init(&mutex->m, NULL) == 0);
}

static inline void kl_mutex_done(kl_mutex *mutex)
{
    KL_ASSERT(pthread_mutex_destroy(&mutex->m) == 0);
}

static inline void kl_lock(kl_mutex *mutex)
{
    KL_ASSERT(pthread_mutex_lock(&mutex->m) == 0);
}

static inline void kl_unlock(kl_mutex *mutex)
{
    KL_ASSERT(pthread_mutex_unlock(&mutex->m) == 0);
}

typedef struct kl_cond {
    pthread_cond_t c;
} kl_cond;

/* Waits are against the monotonic clock. */
void kl_cond_init(kl_cond *cond);
void kl_cond_done(kl_cond *cond);

static inline void kl_cond_wait(kl_cond *cond, kl_mutex *mutex)
{
    KL_ASSERT(pthread_cond_wait(&cond->c, &mutex->m) == 0);
}

/* Waits at most timeout_ns; false when the time ran out. */
bool kl_cond_wait_ns(kl_cond *cond, kl_mutex *mutex, u64 timeout_ns);

static inline void kl_cond_signal(kl_cond *cond)
{
    pthread_cond_signal(&cond->c);
}

static inline void kl_cond_broadcast(kl_cond *cond)
{
    pthread_cond_broadcast(&cond->c);
}

/* A count of owners, born with one. */
typedef struct kl_refs {
    atomic_uint n;
} kl_refs;

static inline void kl_refs_init(kl_refs *refs)
{
    atomic_init(&refs->n, 1);
}

static inline void kl_refs_add(kl_refs *refs)
{
    unsigned before = atomic_fetch_add_explicit(&refs->n, 1, memory_order_relaxed);
    KL_ASSERT(before != 0 && before != ~0u);
}

/* True for the caller that gave up the last one and must free the object. */
KL_MUST_USE static inline bool kl_refs_drop(kl_refs *refs)
{
    unsigned before = atomic_fetch_sub_explicit(&refs->n, 1, memory_order_acq_rel);
    KL_ASSERT(before != 0);
    return before == 1;
}

/* A flag one thread raises for another, which looks now and then; orders nothing else. */
typedef struct kl_flag {
    atomic_bool up;
} kl_flag;

static inline void kl_flag_set(kl_flag *flag, bool up)
{
    atomic_store_explicit(&flag->up, up, memory_order_relaxed);
}

static inline bool kl_flag_is_up(const kl_flag *flag)
{
    return atomic_load_explicit(&flag->up, memory_order_relaxed);
}

#endif

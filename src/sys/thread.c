#include "sys/thread.h"

#include <signal.h>

kl_status kl_thread_start(kl_thread *out, const char *name, void *(*body)(void *ctx), void *ctx)
{
    sigset_t all, before;
    sigfillset(&all);
    KL_ASSERT(pthread_sigmask(SIG_SETMASK, &all, &before) == 0);
    int failed = pthread_create(&out->thread, NULL, body, ctx);
    KL_ASSERT(pthread_sigmask(SIG_SETMASK, &before, NULL) == 0);
    if (failed)
        return KL_LIMIT;
    (void)pthread_setname_np(out->thread, name);
    return KL_OK;
}

void kl_thread_join(kl_thread thread)
{
    KL_ASSERT(pthread_join(thread.thread, NULL) == 0);
}

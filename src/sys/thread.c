/* A fault's signal must not be blocked: the kernel would end the process without asking the handler
 * (sys/crash.h). */
#include "sys/thread.h"

#include <signal.h>
#include <sys/resource.h>
#include <unistd.h>

/* Sanitizers pad every frame. */
enum { STACK_BYTES = KL_SANITIZED ? 8 << 20 : 1 << 20 };

static void block_signals(sigset_t *before)
{
    static const int faults[] = {SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGABRT, SIGTRAP};
    sigset_t blocked;
    sigfillset(&blocked);
    for (unsigned i = 0; i < sizeof faults / sizeof faults[0]; i++)
        sigdelset(&blocked, faults[i]);
    KL_ASSERT(pthread_sigmask(SIG_SETMASK, &blocked, before) == 0);
}

kl_status kl_thread_start(kl_thread *out, const char *name, void *(*body)(void *ctx), void *ctx)
{
    sigset_t before;
    pthread_attr_t attr;
    KL_ASSERT(pthread_attr_init(&attr) == 0);
    KL_ASSERT(pthread_attr_setstacksize(&attr, STACK_BYTES) == 0);
    block_signals(&before);
    int failed = pthread_create(&out->thread, &attr, body, ctx);
    KL_ASSERT(pthread_sigmask(SIG_SETMASK, &before, NULL) == 0);
    KL_ASSERT(pthread_attr_destroy(&attr) == 0);
    if (failed)
        return KL_LIMIT;
    (void)pthread_setname_np(out->thread, name);
    return KL_OK;
}

/* Not SCHED_IDLE: whoever holds a lock for a moment must come to give it back. */
void kl_thread_step_back(void)
{
    enum { LAST = 19 };
    (void)setpriority(PRIO_PROCESS, (id_t)gettid(), LAST);
}

void kl_thread_join(kl_thread thread)
{
    KL_ASSERT(pthread_join(thread.thread, NULL) == 0);
}

void kl_thread_detach(kl_thread thread)
{
    KL_ASSERT(pthread_detach(thread.thread) == 0);
}

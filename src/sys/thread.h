/* thread: threads with a name, for the layers that own some.  Signals are blocked in them, but for
 * those that report a fault of the thread itself: they are for the threads that ask for them. */
#ifndef KL_SYS_THREAD_H
#define KL_SYS_THREAD_H

#include <pthread.h>

#include "base/status.h"

typedef struct kl_thread {
    pthread_t thread;
} kl_thread;

/* name: at most 15 bytes, static.  The stack has 1 MiB whatever the environment's limit is; tests
 * run all there is on 512 KiB, of which the deepest callee, a big modular power, takes half.
 * KL_LIMIT when the system has no more threads. */
KL_MUST_USE kl_status kl_thread_start(kl_thread *out, const char *name, void *(*body)(void *ctx),
                                      void *ctx);
/* The calling thread steps back behind all others of the machine, for good. */
void kl_thread_step_back(void);
/* Waits until body has returned. */
void kl_thread_join(kl_thread thread);
/* Nobody waits for it: it ends by itself, with what it owns. */
void kl_thread_detach(kl_thread thread);

#endif

/* test_stack: a stack of a known size, and how much of it was used. */
#include <pthread.h>
#include <sys/mman.h>

#include "base/test.h"

enum {
    PAGE = 4096,
    PAINT = 0xa5,
    /* Sanitizers pad every frame. */
    STACK_BYTES = KL_SANITIZED ? 64 << 20 : KL_TEST_STACK_BYTES,
};

struct job {
    void (*body)(void *ctx);
    void *ctx;
};

static void *run(void *arg)
{
    struct job *job = arg;
    job->body(job->ctx);
    return NULL;
}

usize kl_test_on_stack(void (*body)(void *ctx), void *ctx)
{
    struct job job = {body, ctx};
    pthread_attr_t attr;
    pthread_t thread;
    usize left = 0;
    u8 *guard = mmap(NULL, PAGE + STACK_BYTES, PROT_NONE,
                     MAP_PRIVATE | MAP_ANONYMOUS | MAP_STACK | MAP_NORESERVE, -1, 0);
    KL_ASSERT(guard != MAP_FAILED);
    u8 *stack = guard + PAGE;
    KL_ASSERT(mprotect(stack, STACK_BYTES, PROT_READ | PROT_WRITE) == 0);
    if (!KL_SANITIZED)
        memset(stack, PAINT, STACK_BYTES);
    KL_ASSERT(pthread_attr_init(&attr) == 0);
    KL_ASSERT(pthread_attr_setstack(&attr, stack, STACK_BYTES) == 0);
    KL_ASSERT(pthread_create(&thread, &attr, run, &job) == 0);
    KL_ASSERT(pthread_join(thread, NULL) == 0);
    pthread_attr_destroy(&attr);
    while (left < STACK_BYTES && stack[left] == PAINT)
        left++;
    KL_ASSERT(munmap(guard, PAGE + STACK_BYTES) == 0);
    return KL_SANITIZED ? 0 : STACK_BYTES - left;
}

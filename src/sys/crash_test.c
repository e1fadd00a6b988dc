#include "sys/crash.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/test.h"
#include "sys/thread.h"

static const void *guarded;
static int told[2];

static void last_word(const void *address)
{
    char byte = address == guarded ? 'g' : address ? 'o' : 'n';
    ssize_t ignored = write(told[1], &byte, 1);
    (void)ignored;
}

static void *touch(void *ctx)
{
    *(volatile char *)ctx = 1;
    return NULL;
}

static void *give_up(KL_UNUSED void *ctx)
{
    abort();
}

/* Runs body on a thread of a child that dies of it; returns what the last word was. */
static char die_of(void *(*body)(void *ctx), void *ctx, int signal)
{
    int how;
    char byte = '-';
    kl_thread thread;
    CHECK(pipe(told) == 0);
    fflush(NULL);
    pid_t child = fork();
    CHECK(child >= 0);
    if (child == 0) {
        if (!freopen("/dev/null", "w", stderr))
            _exit(1);
        kl_panic_hook(NULL);
        kl_sys_on_crash(last_word);
        if (kl_thread_start(&thread, "dies", body, ctx) == KL_OK)
            kl_thread_join(thread);
        _exit(0);
    }
    close(told[1]);
    ssize_t n = read(told[0], &byte, 1);
    close(told[0]);
    CHECK(waitpid(child, &how, 0) == child);
    CHECK(WIFSIGNALED(how) && WTERMSIG(how) == signal);
    return n == 1 ? byte : '-';
}

KL_TEST(crash_tells_where_memory_was_touched)
{
    if (KL_SANITIZED)
        kl_test_skip("a sanitizer reports faults itself");
    char *page = mmap(NULL, 4096, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    CHECK(page != MAP_FAILED);
    guarded = page + 8;
    CHECK(die_of(touch, page + 8, SIGSEGV) == 'g');
    CHECK(die_of(touch, page + 16, SIGSEGV) == 'o');
    CHECK(die_of(give_up, NULL, SIGABRT) == 'n');
    munmap(page, 4096);
}

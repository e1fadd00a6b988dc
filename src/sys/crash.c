/* The handler runs once: it is reset when it begins, so that a fault inside it, or the signal it
 * raises again at its end, has the default effect. */
#include "sys/crash.h"

#include <signal.h>
#include <stdatomic.h>
#include <string.h>
#include <unistd.h>

#include "base/int.h"

static _Atomic(void (*)(const void *address)) last_word;

static void say(const char *text)
{
    ssize_t ignored = write(STDERR_FILENO, text, strlen(text));
    (void)ignored;
}

static const char *name_of(int signal)
{
    switch (signal) {
    case SIGSEGV:
        return "SIGSEGV";
    case SIGBUS:
        return "SIGBUS";
    case SIGILL:
        return "SIGILL";
    case SIGFPE:
        return "SIGFPE";
    default: /* signal numbers are no enum of ours */
        return "SIGABRT";
    }
}

static void on_fault(int signal, siginfo_t *info, KL_UNUSED void *context)
{
    const void *address = signal == SIGSEGV || signal == SIGBUS ? info->si_addr : NULL;
    say("keel: crashed (");
    say(name_of(signal));
    say(").  What is on disk is safe; please report this, with the lines above.\n");
    void (*word)(const void *) = atomic_load(&last_word);
    if (word)
        word(address);
    (void)raise(signal);
}

void kl_sys_on_crash(void (*word)(const void *address))
{
    static const int faults[] = {SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGABRT};
    struct sigaction action = {.sa_sigaction = on_fault,
                               .sa_flags = (int)(SA_SIGINFO | SA_RESETHAND)};
    atomic_store(&last_word, word);
    for (usize i = 0; i < KL_COUNT_OF(faults) && !KL_SANITIZED; i++)
        KL_ASSERT(sigaction(faults[i], &action, NULL) == 0);
}

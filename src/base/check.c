#include "base/check.h"

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

static _Atomic(void (*)(void)) panic_hook;

void kl_panic_hook(void (*hook)(void))
{
    atomic_store(&panic_hook, hook);
}

_Noreturn void kl_panic(const char *file, int line, const char *what)
{
    fprintf(stderr, "keel: bug at %s:%d: %s\n", file, line, what);
    void (*hook)(void) = atomic_exchange(&panic_hook, NULL);
    if (hook)
        hook();
    abort();
}

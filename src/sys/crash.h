/* crash: the last word of a process that dies of a fault of its own. */
#ifndef KL_SYS_CRASH_H
#define KL_SYS_CRASH_H

/* From here on a fault (SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGABRT) is reported on stderr, and
 * last_word(address) is called on the faulting thread before the process ends as it would have
 * without.  address is where memory was touched, NULL for other faults.  last_word may only do what
 * signal-safety(7) allows; NULL: there is none.  Does nothing in builds that a sanitizer watches.
 * Call it before other threads start. */
void kl_sys_on_crash(void (*last_word)(const void *address));

#endif

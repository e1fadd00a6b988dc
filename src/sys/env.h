/* env: the machine's clock, entropy, memory and threads. */
#ifndef KL_SYS_ENV_H
#define KL_SYS_ENV_H

#include "base/env.h"
#include "base/status.h"

struct kl_clock *kl_sys_clock(void);
/* From here on the time of day is so much later, or earlier: a machine whose clock is wrong, for
 * tests.  Before threads start. */
void kl_sys_clock_shift(i64 ns);

/* Waits that long, whatever signals come. */
void kl_sys_nap(u64 ns);

struct kl_entropy *kl_sys_entropy(void); /* getrandom(2); panics if the kernel has none */

/* Pages of files, which the system takes back when it needs them, do not count.  0: it cannot be
 * told. */
struct kl_memory *kl_sys_memory(void);
/* What the machine has, or, where that is less, what this process's group may have (cgroup v2);
 * UINT64_MAX: it cannot be told. */
u64 kl_sys_memory_total(void);

/* A pool of `threads` threads, the caller's own counted (1: no further threads).
 * KL_NOMEM. */
KL_MUST_USE kl_status kl_sys_workers_new(struct kl_workers **out, usize threads);
/* NULL is fine; no job may be running (asserted). */
void kl_sys_workers_free(struct kl_workers *workers);

/* Makes the heap give large pieces (256 KiB) back to the system when they are freed.  Left alone it
 * learns from the first of them to keep the next ones, in a heap a thread, and a node that once
 * built or read some large blocks holds their memory for good.  Before threads start. */
void kl_sys_heap_gives_back(void);

/* From here on a file that meets the process's limit (ulimit -f) is KL_FULL, and no signal. */
void kl_sys_file_limit_is_full(void);

/* How many processors this process may use, by its affinity. */
usize kl_sys_cpu_count(void);

#endif

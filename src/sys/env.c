#include "sys/env.h"

#include <errno.h>
#include <fcntl.h>
#include <malloc.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/random.h>
#include <time.h>
#include <unistd.h>

#define NS_PER_S 1000000000u

static u64 now_ns(clockid_t id)
{
    struct timespec t;
    KL_ASSERT(clock_gettime(id, &t) == 0);
    return (u64)t.tv_sec * NS_PER_S + (u64)t.tv_nsec;
}

static u64 mono_ns(KL_UNUSED struct kl_clock *clock)
{
    return now_ns(CLOCK_MONOTONIC);
}

static i64 shift_ns;

static u64 wall_ns(KL_UNUSED struct kl_clock *clock)
{
    return now_ns(CLOCK_REALTIME) + (u64)shift_ns;
}

void kl_sys_clock_shift(i64 ns)
{
    shift_ns = ns;
}

struct kl_clock *kl_sys_clock(void)
{
    static struct kl_clock clock = {.mono_ns = mono_ns, .wall_ns = wall_ns};
    return &clock;
}

void kl_sys_nap(u64 ns)
{
    struct timespec left = {.tv_sec = (time_t)(ns / NS_PER_S), .tv_nsec = (long)(ns % NS_PER_S)};
    while (nanosleep(&left, &left) != 0 && errno == EINTR)
        continue;
}

static void fill(KL_UNUSED struct kl_entropy *entropy, void *out, usize len)
{
    u8 *p = out;
    while (len > 0) {
        ssize_t n = getrandom(p, len, 0);
        KL_ASSERT(n > 0 || errno == EINTR);
        if (n < 0)
            continue;
        p += n;
        len -= (usize)n;
    }
}

struct kl_entropy *kl_sys_entropy(void)
{
    static struct kl_entropy entropy = {.fill = fill};
    return &entropy;
}

/* The first numbers of a file of the kernel's; false: there are not so many. */
static bool read_numbers(const char *path, u64 *out, int count)
{
    char text[128];
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return false;
    ssize_t len = read(fd, text, sizeof text - 1);
    close(fd);
    text[len > 0 ? len : 0] = '\0';
    char *at = text;
    for (int i = 0; i < count; i++) {
        char *end;
        out[i] = strtoull(at, &end, 10);
        if (end == at)
            return false;
        at = end;
    }
    return true;
}

static u64 taken(KL_UNUSED struct kl_memory *memory)
{
    u64 pages[3]; /* in all, in memory, of these those of files */
    if (!read_numbers("/proc/self/statm", pages, 3) || pages[1] < pages[2])
        return 0;
    return (pages[1] - pages[2]) * (u64)sysconf(_SC_PAGESIZE);
}

struct kl_memory *kl_sys_memory(void)
{
    static struct kl_memory memory = {.taken = taken};
    return &memory;
}

u64 kl_sys_memory_total(void)
{
    u64 total = UINT64_MAX, group;
    long pages = sysconf(_SC_PHYS_PAGES);
    if (pages > 0)
        total = (u64)pages * (u64)sysconf(_SC_PAGESIZE);
    if (read_numbers("/sys/fs/cgroup/memory.max", &group, 1)) /* else it says "max" */
        total = KL_MIN(total, group);
    return total;
}

/* A sanitizer's heap has no such setting. */
void kl_sys_heap_gives_back(void)
{
    KL_ASSERT(mallopt(M_MMAP_THRESHOLD, 256 << 10) == 1 || KL_SANITIZED);
}

void kl_sys_file_limit_is_full(void)
{
    KL_ASSERT(signal(SIGXFSZ, SIG_IGN) != SIG_ERR);
}

/* The affinity mask is asked for with room for more and more processors, because the kernel refuses
 * a mask too small for the machine. */
usize kl_sys_cpu_count(void)
{
    for (usize room = CPU_SETSIZE; room <= 1 << 20; room *= 2) {
        cpu_set_t *set = CPU_ALLOC(room);
        if (!set)
            break;
        usize bytes = CPU_ALLOC_SIZE(room);
        int failed = sched_getaffinity(0, bytes, set);
        int count = failed ? 0 : CPU_COUNT_S(bytes, set);
        CPU_FREE(set);
        if (count > 0)
            return (usize)count;
    }
    return 1;
}

/* loop: epoll, a pairing heap of timers, and an eventfd to be woken by.
 *
 * The batch of events that one epoll_wait brought lies in the loop, with a cursor that is moved on
 * before a handler runs: so another thread can go on behind it, and a watch that is removed can be
 * struck from the rest of the batch.
 *
 * The heap [Fredman et al. 1986] is intrusive: setting a timer is O(1) and cannot fail.  Both
 * passes of its delete-min are loops. */
#include "sys/loop.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "sys/fs.h"

enum { BATCH = 64, NS_PER_MS = 1000000 };

struct kl_loop {
    struct kl_clock *clock;
    int epoll, event;
    struct epoll_event batch[BATCH];
    unsigned batch_len, batch_at;
    struct kl_timer *first;
    u64 now_ns;
    u64 firing_ns; /* while timers fire: the earliest that one may be set to, so that a turn ends */
    atomic_bool woken;
};

kl_status kl_loop_open(struct kl_loop **out, struct kl_clock *clock)
{
    struct kl_loop *loop = calloc(1, sizeof *loop);
    if (!loop)
        return KL_NOMEM;
    loop->clock = clock;
    loop->epoll = epoll_create1(EPOLL_CLOEXEC);
    loop->event = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    struct epoll_event wake = {.events = EPOLLIN, .data.ptr = NULL};
    if (loop->epoll < 0 || loop->event < 0 ||
        epoll_ctl(loop->epoll, EPOLL_CTL_ADD, loop->event, &wake) != 0) {
        kl_status failed = kl_sys_status(errno);
        kl_loop_close(loop);
        return failed;
    }
    loop->now_ns = kl_mono_ns(clock);
    *out = loop;
    return KL_OK;
}

void kl_loop_close(struct kl_loop *loop)
{
    if (!loop)
        return;
    if (loop->event >= 0)
        close(loop->event);
    if (loop->epoll >= 0)
        close(loop->epoll);
    free(loop);
}

u64 kl_loop_now(const struct kl_loop *loop)
{
    return loop->now_ns;
}

static u32 events_of(unsigned interest)
{
    return (interest & KL_READY_READ ? EPOLLIN : 0u) | (interest & KL_READY_WRITE ? EPOLLOUT : 0u);
}

kl_status kl_loop_add(struct kl_loop *loop, struct kl_watch *watch, unsigned interest, bool shared)
{
    u32 events = events_of(interest) | (shared ? (u32)EPOLLEXCLUSIVE : 0u);
    struct epoll_event event = {.events = events, .data.ptr = watch};
    if (epoll_ctl(loop->epoll, EPOLL_CTL_ADD, watch->fd, &event) != 0)
        return kl_sys_status(errno);
    return KL_OK;
}

void kl_loop_change(struct kl_loop *loop, struct kl_watch *watch, unsigned interest)
{
    struct epoll_event event = {.events = events_of(interest), .data.ptr = watch};
    KL_ASSERT(epoll_ctl(loop->epoll, EPOLL_CTL_MOD, watch->fd, &event) == 0);
}

void kl_loop_remove(struct kl_loop *loop, struct kl_watch *watch)
{
    KL_ASSERT(epoll_ctl(loop->epoll, EPOLL_CTL_DEL, watch->fd, NULL) == 0);
    for (unsigned i = loop->batch_at; i < loop->batch_len; i++)
        if (loop->batch[i].data.ptr == watch)
            loop->batch[i].events = 0;
}

/* Of two heaps the root that is due first, with the other as its first child. */
static struct kl_timer *meld(struct kl_timer *a, struct kl_timer *b)
{
    if (!a || !b)
        return a ? a : b;
    if (b->due_ns < a->due_ns) {
        struct kl_timer *t = a;
        a = b;
        b = t;
    }
    b->prev = a;
    b->next = a->child;
    if (b->next)
        b->next->prev = b;
    a->child = b;
    a->next = a->prev = NULL;
    return a;
}

/* One heap of a list of siblings: melded in pairs from the left, the pairs from the right. */
static struct kl_timer *meld_all(struct kl_timer *list)
{
    struct kl_timer *pairs = NULL;
    while (list) {
        struct kl_timer *a = list, *b = a->next;
        list = b ? b->next : NULL;
        a->next = a->prev = NULL;
        if (b)
            b->next = b->prev = NULL;
        struct kl_timer *pair = meld(a, b);
        pair->next = pairs;
        pairs = pair;
    }
    struct kl_timer *root = NULL;
    while (pairs) {
        struct kl_timer *pair = pairs;
        pairs = pair->next;
        pair->next = NULL;
        root = meld(root, pair);
    }
    return root;
}

void kl_loop_set(struct kl_loop *loop, struct kl_timer *timer, u64 due_ns)
{
    kl_loop_unset(loop, timer);
    timer->due_ns = KL_MAX(due_ns, loop->firing_ns);
    timer->set = true;
    timer->child = timer->next = timer->prev = NULL;
    loop->first = meld(loop->first, timer);
}

void kl_loop_unset(struct kl_loop *loop, struct kl_timer *timer)
{
    if (!timer->set)
        return;
    timer->set = false;
    if (timer == loop->first) {
        loop->first = meld_all(timer->child);
        return;
    }
    if (timer->prev->child == timer)
        timer->prev->child = timer->next;
    else
        timer->prev->next = timer->next;
    if (timer->next)
        timer->next->prev = timer->prev;
    loop->first = meld(loop->first, meld_all(timer->child));
}

static void fire_due(struct kl_loop *loop)
{
    loop->firing_ns = loop->now_ns + 1;
    while (loop->first && loop->first->due_ns <= loop->now_ns) {
        struct kl_timer *timer = loop->first;
        kl_loop_unset(loop, timer);
        timer->fire(timer);
    }
    loop->firing_ns = 0;
}

static bool handle_batch(struct kl_loop *loop)
{
    while (loop->batch_at < loop->batch_len) {
        struct epoll_event event = loop->batch[loop->batch_at++];
        struct kl_watch *watch = event.data.ptr;
        unsigned what = (event.events & EPOLLIN ? KL_READY_READ : 0u) |
                        (event.events & EPOLLOUT ? KL_READY_WRITE : 0u) |
                        (event.events & (EPOLLHUP | EPOLLERR) ? KL_READY_HANGUP : 0u);
        if (!watch) {
            u64 count;
            KL_ASSERT(read(loop->event, &count, sizeof count) >= 0 || errno == EAGAIN);
            atomic_store(&loop->woken, false);
        } else if (what && !watch->ready(watch, what)) {
            return false;
        }
    }
    return true;
}

/* For epoll_wait: rounded up, so that a timer is due when it returns. */
static int wait_ms(const struct kl_loop *loop, u64 wait_ns)
{
    if (loop->first) {
        u64 now_ns = kl_mono_ns(loop->clock), due_ns = loop->first->due_ns;
        wait_ns = KL_MIN(wait_ns, due_ns > now_ns ? due_ns - now_ns : 0);
    }
    if (wait_ns == UINT64_MAX)
        return -1;
    u64 ms = wait_ns / NS_PER_MS + (wait_ns % NS_PER_MS != 0);
    return (int)KL_MIN(ms, (u64)INT32_MAX);
}

bool kl_loop_turn(struct kl_loop *loop, u64 wait_ns)
{
    if (loop->batch_at == loop->batch_len) {
        int n = epoll_wait(loop->epoll, loop->batch, BATCH, wait_ms(loop, wait_ns));
        KL_ASSERT(n >= 0 || errno == EINTR);
        loop->batch_at = 0;
        loop->batch_len = (unsigned)KL_MAX(n, 0);
    }
    loop->now_ns = kl_mono_ns(loop->clock);
    fire_due(loop);
    return handle_batch(loop);
}

void kl_loop_wake(struct kl_loop *loop)
{
    static const u64 one = 1;
    if (!atomic_exchange(&loop->woken, true))
        KL_ASSERT(write(loop->event, &one, sizeof one) == sizeof one || errno == EAGAIN);
}

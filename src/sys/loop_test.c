#include "sys/loop.h"

#include <sys/socket.h>
#include <unistd.h>

#include "base/test.h"
#include "sys/env.h"
#include "sys/thread.h"

/* A clock that stands still until it is moved. */
struct still_clock {
    struct kl_clock clock;
    u64 now_ns;
};

static u64 still_now(struct kl_clock *clock)
{
    return ((struct still_clock *)clock)->now_ns;
}

static struct still_clock still_at(u64 now_ns)
{
    return (struct still_clock){.clock = {still_now, still_now}, .now_ns = now_ns};
}

static struct kl_loop *loop_of(struct kl_clock *clock)
{
    struct kl_loop *loop = NULL;
    CHECK_OK(kl_loop_open(&loop, clock));
    return loop;
}

enum { TIMERS = 300 };

struct marked_timer {
    struct kl_timer timer;
    u64 fired;
};

static u64 fired_count, last_due_ns;
static bool in_order;

static void fired(struct kl_timer *timer)
{
    ((struct marked_timer *)timer)->fired++;
    fired_count++;
    in_order = in_order && timer->due_ns >= last_due_ns;
    last_due_ns = timer->due_ns;
}

/* Property: whatever is set, set anew and unset, each timer that is set fires once, at its time,
 * and in order. */
KL_TEST(loop_timers_fire_once_and_in_order)
{
    static struct marked_timer timers[TIMERS];
    memset(timers, 0, sizeof timers);
    struct still_clock clock = still_at(1000);
    struct kl_loop *loop = loop_of(&clock.clock);
    u64 due[TIMERS] = {0}, want[TIMERS] = {0};
    for (u64 i = 0; i < TIMERS; i++)
        timers[i].timer.fire = fired;
    fired_count = 0;
    for (u64 round = 0; round < 400; round++) {
        for (u64 i = 0; i < 20; i++) {
            u64 k = kl_rand_below(seed, TIMERS);
            due[k] = kl_rand_below(seed, 4) == 0 ? 0 : clock.now_ns + 1 + kl_rand_below(seed, 5000);
            if (due[k])
                kl_loop_set(loop, &timers[k].timer, due[k]);
            else
                kl_loop_unset(loop, &timers[k].timer);
        }
        clock.now_ns += kl_rand_below(seed, 500);
        last_due_ns = 0;
        in_order = true;
        CHECK(kl_loop_turn(loop, 0));
        CHECK(in_order);
        CHECK_U64(kl_loop_now(loop), clock.now_ns);
        for (u64 i = 0; i < TIMERS; i++) {
            bool is_due = due[i] && due[i] <= clock.now_ns;
            want[i] += is_due;
            if (is_due)
                due[i] = 0;
            CHECK_U64(timers[i].fired, want[i]);
            CHECK(timers[i].timer.set == (due[i] != 0));
        }
    }
    CHECK(fired_count > TIMERS);
    kl_loop_close(loop);
}

struct chain_timer {
    struct kl_timer timer;
    struct kl_loop *loop;
    struct kl_timer *victim;
    unsigned fired;
};

static void fire_again_at_once(struct kl_timer *timer)
{
    struct chain_timer *c = (struct chain_timer *)timer;
    c->fired++;
    kl_loop_unset(c->loop, c->victim);
    kl_loop_set(c->loop, timer, 0);
}

KL_TEST(loop_timer_set_for_now_waits_for_the_next_turn)
{
    struct still_clock clock = still_at(50);
    struct kl_loop *loop = loop_of(&clock.clock);
    struct marked_timer victim = {.timer.fire = fired};
    struct chain_timer c = {
        .timer.fire = fire_again_at_once, .loop = loop, .victim = &victim.timer};
    kl_loop_set(loop, &c.timer, 10);
    kl_loop_set(loop, &victim.timer, 20); /* unset by the other, though due in the same turn */
    CHECK(kl_loop_turn(loop, 0));
    CHECK_U64(c.fired, 1);
    CHECK_U64(victim.fired, 0);
    clock.now_ns++;
    CHECK(kl_loop_turn(loop, 0));
    CHECK_U64(c.fired, 2);
    kl_loop_close(loop);
}

struct pipe_watch {
    struct kl_watch watch;
    struct kl_loop *loop;
    struct kl_watch *victim;
    unsigned calls, seen;
    bool give_away;
};

static bool pipe_ready(struct kl_watch *watch, unsigned what)
{
    struct pipe_watch *p = (struct pipe_watch *)watch;
    p->calls++;
    p->seen |= what;
    if (p->victim) {
        kl_loop_remove(p->loop, p->victim);
        p->victim = NULL;
    }
    return !p->give_away;
}

struct pair {
    int fd[2];
};

static struct pair pair_of(void)
{
    struct pair p;
    CHECK(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, p.fd) == 0);
    return p;
}

static void pair_done(struct pair p)
{
    close(p.fd[0]);
    close(p.fd[1]);
}

static struct pipe_watch watch_of(struct kl_loop *loop, int fd)
{
    return (struct pipe_watch){.watch = {.ready = pipe_ready, .fd = fd}, .loop = loop};
}

KL_TEST(loop_reports_what_was_asked_for)
{
    struct kl_loop *loop = loop_of(kl_sys_clock());
    struct pair p = pair_of();
    struct pipe_watch w = watch_of(loop, p.fd[0]);
    CHECK_OK(kl_loop_add(loop, &w.watch, KL_READY_READ, false));
    CHECK(kl_loop_turn(loop, 0));
    CHECK_U64(w.calls, 0);
    kl_loop_change(loop, &w.watch, KL_READY_READ | KL_READY_WRITE);
    CHECK(kl_loop_turn(loop, 0));
    CHECK_U64(w.seen, KL_READY_WRITE);
    kl_loop_change(loop, &w.watch, KL_READY_READ);
    CHECK(write(p.fd[1], "x", 1) == 1);
    CHECK(kl_loop_turn(loop, UINT64_MAX));
    CHECK_U64(w.seen, KL_READY_WRITE | KL_READY_READ);
    kl_loop_change(loop, &w.watch, 0);
    w.seen = 0;
    CHECK(kl_loop_turn(loop, 0));
    CHECK_U64(w.seen, 0);
    shutdown(p.fd[1], SHUT_RDWR);
    CHECK(kl_loop_turn(loop, UINT64_MAX));
    CHECK_U64(w.seen, KL_READY_HANGUP);
    kl_loop_remove(loop, &w.watch);
    CHECK(kl_loop_turn(loop, 0));
    CHECK_U64(w.calls, 3);
    kl_loop_close(loop);
    pair_done(p);
}

KL_TEST(loop_removed_watch_is_struck_from_the_batch)
{
    struct kl_loop *loop = loop_of(kl_sys_clock());
    struct pair a = pair_of(), b = pair_of();
    struct pipe_watch wa = watch_of(loop, a.fd[0]), wb = watch_of(loop, b.fd[0]);
    CHECK_OK(kl_loop_add(loop, &wa.watch, KL_READY_WRITE, false));
    CHECK_OK(kl_loop_add(loop, &wb.watch, KL_READY_WRITE, false));
    wa.victim = &wb.watch;
    wb.victim = &wa.watch;
    CHECK(kl_loop_turn(loop, 0)); /* both are ready: whichever is first removes the other */
    CHECK_U64(wa.calls + wb.calls, 1);
    kl_loop_close(loop);
    pair_done(a);
    pair_done(b);
}

/* The thread that takes a given-away loop handles exactly the events behind the one in work. */
KL_TEST(loop_given_away_goes_on_behind_the_event)
{
    struct kl_loop *loop = loop_of(kl_sys_clock());
    struct pair a = pair_of(), b = pair_of();
    struct pipe_watch wa = watch_of(loop, a.fd[0]), wb = watch_of(loop, b.fd[0]);
    CHECK_OK(kl_loop_add(loop, &wa.watch, KL_READY_WRITE, false));
    CHECK_OK(kl_loop_add(loop, &wb.watch, KL_READY_WRITE, false));
    wa.give_away = wb.give_away = true;
    CHECK(!kl_loop_turn(loop, 0));
    CHECK_U64(wa.calls + wb.calls, 1);
    wa.give_away = wb.give_away = false;
    CHECK(kl_loop_turn(loop, UINT64_MAX));
    CHECK_U64(wa.calls, 1);
    CHECK_U64(wb.calls, 1);
    kl_loop_close(loop);
    pair_done(a);
    pair_done(b);
}

static void *wake_many(void *loop)
{
    for (int i = 0; i < 1000; i++)
        kl_loop_wake(loop);
    return NULL;
}

KL_TEST(loop_wakes_from_any_thread)
{
    struct kl_loop *loop = loop_of(kl_sys_clock());
    kl_loop_wake(loop);
    kl_loop_wake(loop);
    CHECK(kl_loop_turn(loop, UINT64_MAX)); /* a wake before the wait is not lost */
    kl_thread thread;
    CHECK_OK(kl_thread_start(&thread, "keel test", wake_many, loop));
    CHECK(kl_loop_turn(loop, UINT64_MAX));
    kl_thread_join(thread);
    CHECK(kl_loop_turn(loop, 0));
    kl_loop_wake(loop);
    CHECK(kl_loop_turn(loop, UINT64_MAX));
    kl_loop_close(loop);
}

KL_TEST(loop_waits_for_the_next_timer)
{
    struct kl_loop *loop = loop_of(kl_sys_clock());
    struct marked_timer t = {.timer.fire = fired};
    u64 due_ns = kl_mono_ns(kl_sys_clock()) + 3000000;
    kl_loop_set(loop, &t.timer, due_ns);
    while (!t.fired)
        CHECK(kl_loop_turn(loop, UINT64_MAX));
    CHECK(kl_loop_now(loop) >= due_ns);
    kl_loop_close(loop);
}

/* loop: sockets, timers and wake-ups for one thread at a time, over epoll.
 *
 * Watches and timers lie inside their owner's objects; the loop never allocates after it is opened.
 * Handlers may add, change and remove anything, themselves included.  A loop has no thread of its
 * own: whoever calls kl_loop_turn is its thread until the call returns, or until a handler gives
 * the loop away.
 *
 * Giving away: a handler that is about to take long may let another thread go on with the loop.
 * That thread calls kl_loop_turn, which continues with the events behind the one being handled; the
 * handler must not touch the loop any more, and returns false.  How the two threads agree is their
 * business.
 *
 * Thread: one at a time; only kl_loop_wake may be called from any. */
#ifndef KL_SYS_LOOP_H
#define KL_SYS_LOOP_H

#include "base/env.h"
#include "base/status.h"

struct kl_loop;

enum {
    KL_READY_READ = 1,
    KL_READY_WRITE = 2,
    KL_READY_HANGUP = 4, /* both directions are dead; reported whether asked for or not */
};

/* A descriptor being watched; to be filled with ready and fd before kl_loop_add, and to stay where
 * it is until kl_loop_remove. */
struct kl_watch {
    /* what: KL_READY_ bits, as long as they hold (level-triggered).  Returns true, or false when it
     * has given the loop away. */
    bool (*ready)(struct kl_watch *watch, unsigned what);
    void *owner; /* the handler's business */
    int fd;
};

/* A timer at rest has an unset `set`; zero-initialise it and fill fire. */
struct kl_timer {
    void (*fire)(struct kl_timer *timer);
    void *owner; /* the handler's business */
    u64 due_ns;
    bool set;
    struct kl_timer *child, *next, *prev; /* the heap's; prev is the parent of a first child */
};

/* KL_NOMEM, KL_LIMIT (descriptors), KL_IO.  Times are the clock's mono_ns. */
KL_MUST_USE kl_status kl_loop_open(struct kl_loop **out, struct kl_clock *clock);
/* Watches and timers still in it are forgotten, not closed. */
void kl_loop_close(struct kl_loop *loop);

/* With KL_READY_READ and KL_READY_WRITE in interest (0: hang-ups only).  shared: the descriptor is
 * watched by several loops, and one of them shall be woken rather than all.  KL_NOMEM, KL_LIMIT. */
KL_MUST_USE kl_status kl_loop_add(struct kl_loop *loop, struct kl_watch *watch, unsigned interest,
                                  bool shared);
/* Not for shared watches. */
void kl_loop_change(struct kl_loop *loop, struct kl_watch *watch, unsigned interest);
/* Before the descriptor is closed. */
void kl_loop_remove(struct kl_loop *loop, struct kl_watch *watch);

/* Fires once, in the first turn at or after due_ns; sets anew when already set. */
void kl_loop_set(struct kl_loop *loop, struct kl_timer *timer, u64 due_ns);
void kl_loop_unset(struct kl_loop *loop, struct kl_timer *timer);

/* The time this turn began at: one reading of the clock a turn. */
u64 kl_loop_now(const struct kl_loop *loop);

/* Waits until something is ready or due, or kl_loop_wake was called, but at most wait_ns
 * (UINT64_MAX: for ever), and handles all of it.  False when a handler gave the loop away; the loop
 * must not be touched then. */
KL_MUST_USE bool kl_loop_turn(struct kl_loop *loop, u64 wait_ns);

/* Ends the wait of the running turn, or of the next one.  Any thread; cheap when repeated. */
void kl_loop_wake(struct kl_loop *loop);

#endif

/* resolver: host names become addresses on threads of its own, since that may take long.
 *
 * At most KL_RESOLVER_THREADS names are looked up at once, each on a thread that ends when nothing
 * waits any more; without names there is no thread.  Thread: one for new, ask, take and free. */
#ifndef KL_NODE_RESOLVER_H
#define KL_NODE_RESOLVER_H

#include "p2p/multiaddr.h"
#include "sys/names.h"

enum {
    KL_RESOLVER_THREADS = 4,
    KL_RESOLVER_WAITING_MAX = 256,
    KL_RESOLVER_ADDRS_MAX = 8, /* of one name */
};

struct kl_resolver;

/* An answer. */
typedef struct kl_resolved {
    u64 tag;
    usize count;
    kl_tcp_address at[KL_RESOLVER_ADDRS_MAX]; /* ports: 0 */
} kl_resolved;

/* names must outlive every look-up; ended is called on some thread when there is an answer, never
 * after kl_resolver_free: it must return quickly and not call resolver.  KL_NOMEM. */
KL_MUST_USE kl_status kl_resolver_new(struct kl_resolver **out, struct kl_names *names,
                                      void (*ended)(void *ctx), void *ctx);
/* Waits for nobody: a look-up that is under way ends by itself.  NULL is fine. */
void kl_resolver_free(struct kl_resolver *resolver);

/* Asks for the host of addr, a name; false: too many wait, or there is no thread or memory for it.
 */
bool kl_resolver_ask(struct kl_resolver *resolver, u64 tag, const kl_multiaddr *addr);
/* The next answer, in the order in which they came; false: there is none. */
bool kl_resolver_take(struct kl_resolver *resolver, kl_resolved *out);

#endif

/* quota: how many calls an address may make: a bucket that fills with time, for each.
 *
 * An address is an IPv4 address or an IPv6 /64; this machine's own have no bound.  Buckets lie in a
 * table of fixed size, by a hash with a secret seed: now and then two addresses share one, and
 * nobody can choose with whom.  Thread: any, without locks. */
#ifndef KL_RPC_QUOTA_H
#define KL_RPC_QUOTA_H

#include <stdatomic.h>

#include "base/status.h"
#include "sys/tcp.h"

enum {
    KL_QUOTA_PLACES = 4096,
    KL_QUOTA_AT_ONCE_S = 4, /* seconds' worth of calls that may come at once */
};
#define KL_QUOTA_NO_PLACE UINT32_MAX

struct kl_quota {
    u64 call_ns; /* what one call takes out of a bucket; 0: there is no bound */
    u64 seed;
    atomic_ullong from_ns[KL_QUOTA_PLACES]; /* calls are as if made a pause apart; the next from */
};

/* rate: calls a second; 0: any number. */
void kl_quota_init(struct kl_quota *quota, u64 rate, u64 seed);

/* KL_QUOTA_NO_PLACE: it has no bound. */
u32 kl_quota_place(const struct kl_quota *quota, const kl_tcp_address *address);

/* Takes a call out of a bucket; false when there is none in it. */
KL_MUST_USE bool kl_quota_take(struct kl_quota *quota, u32 place, u64 now_ns);

#endif

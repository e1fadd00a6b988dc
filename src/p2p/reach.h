/* reach: from how far away an address can be dialled [RFC 6890: special-purpose addresses].
 *
 * What a stranger says of addresses is believed no further than our own network reaches: a node of
 * the world dials nobody in 192.168.0.0/16 because somebody out there says so.  A name counts as of
 * the world; what it resolves to is judged again.  Thread: any. */
#ifndef KL_P2P_REACH_H
#define KL_P2P_REACH_H

#include "p2p/multiaddr.h"

typedef enum kl_reach {
    KL_REACH_NOWHERE, /* unspecified, multicast, reserved, or no host at all */
    KL_REACH_HOST,    /* loopback */
    KL_REACH_SITE,    /* private, shared and link-local addresses */
    KL_REACH_WORLD,
} kl_reach;

kl_reach kl_reach_of(const kl_multiaddr *addr);

/* Whether a node whose own address reaches so far dials, of those that strangers tell, this. */
static inline bool kl_reach_admits(kl_reach own, const kl_multiaddr *addr)
{
    kl_reach reach = kl_reach_of(addr);
    return reach != KL_REACH_NOWHERE && reach >= own;
}

#endif

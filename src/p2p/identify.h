/* identify: each peer tells the other who it is, where it listens and what it speaks [libp2p specs:
 * identify, /ipfs/id/1.0.0]; later changes are pushed [/ipfs/id/push/1.0.0].
 *
 * Whoever is asked writes one message behind its length and ends the stream, KL_IDENTIFY_END_NS
 * later: js-libp2p loses an answer whose end arrives in the same packet as the stream's protocol,
 * and does not know then that we gossip; so it does with pings.  Some implementations send more
 * than one, of which later ones add to lists and replace the rest.  So a reader collects what the
 * stream carries, KL_IDENTIFY_MAX bytes at most, and reads it when it has ended.
 *
 * Everything in a message is a claim: the peer is who the connection says, whatever key stands
 * here.  Thread: any. */
#ifndef KL_P2P_IDENTIFY_H
#define KL_P2P_IDENTIFY_H

#include "p2p/multiaddr.h"

#define KL_IDENTIFY_NAME      "/ipfs/id/1.0.0"
#define KL_IDENTIFY_PUSH_NAME "/ipfs/id/push/1.0.0"

enum {
    KL_IDENTIFY_MAX = 8192, /* bytes on a stream */
    KL_IDENTIFY_ADDRS_MAX = 8,
    KL_IDENTIFY_PROTOCOLS_MAX = 128,
};
#define KL_IDENTIFY_END_NS UINT64_C(100000000)

typedef struct kl_identify {
    bool has_key, has_observed;
    kl_peer_id key;
    kl_multiaddr observed; /* where the sender sees the receiver */
    usize addr_count, protocol_count;
    kl_multiaddr addrs[KL_IDENTIFY_ADDRS_MAX];
    kl_span protocols[KL_IDENTIFY_PROTOCOLS_MAX];
    kl_span protocol_version, agent_version; /* text; not to be trusted as such */
    kl_span record;                          /* an envelope, unopened: see peer_record.h */
} kl_identify;

/* Writes the message behind its length; counts within their limits (asserted). */
void kl_identify_put(kl_out *out, const kl_identify *identify);

/* What a stream carried; spans are views of it.  Addresses that are not dialled here, those beyond
 * KL_IDENTIFY_ADDRS_MAX and keys of another kind are passed over.  IDENTIFY_LONG, IDENTIFY_FORM,
 * IDENTIFY_COUNT; the rows of kl_pb_next. */
kl_rule kl_identify_get(kl_identify *out, kl_span stream);

bool kl_identify_speaks(const kl_identify *identify, kl_span protocol);

#endif

/* peer_record: a peer says where it is and signs that, so that others can pass it on
 * [libp2p RFC 0002: signed envelopes, RFC 0003: peer routing records].
 *
 * The signature stands over the text "libp2p-peer-record", the payload's type and the payload; a
 * higher seq replaces a lower one.  Thread: any. */
#ifndef KL_P2P_PEER_RECORD_H
#define KL_P2P_PEER_RECORD_H

#include "p2p/multiaddr.h"

enum {
    KL_RECORD_ADDRS_MAX = 8,
    KL_RECORD_MAX = 4096, /* bytes of an envelope that is looked at */
};

typedef struct kl_peer_record {
    kl_peer_id peer;
    u64 seq;
    usize count;
    kl_multiaddr addrs[KL_RECORD_ADDRS_MAX];
} kl_peer_record;

/* Writes the record in its envelope; secret is that of record->peer (asserted), count at most
 * KL_RECORD_ADDRS_MAX (asserted). */
void kl_peer_record_seal(kl_out *out, const kl_peer_record *record, const kl_secret32 *secret);

/* Reads an envelope and verifies it.  Addresses that are not dialled here are passed over, and so
 * are those beyond KL_RECORD_ADDRS_MAX.  RECORD_FORM, RECORD_PEER, RECORD_SIGNATURE; the rows of
 * kl_pb_next and kl_peer_key. */
kl_rule kl_peer_record_open(kl_peer_record *out, kl_span envelope);

#endif

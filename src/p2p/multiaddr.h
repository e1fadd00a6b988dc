/* multiaddr: where a peer is, and who it is [multiformats: multiaddr, multicodec table].
 *
 *     /ip4/192.0.2.7/tcp/30303/p2p/12D3KooW…      /dns4/node.example/tcp/30303
 *
 * Of all that can be written so, what Keel can dial: a host, or none; behind a host a TCP port, or
 * none; the peer's id, or none; one of host and peer at least.  Everything else is refused, and
 * whoever reads a list of addresses passes over those.  Both forms, bytes and text, have one
 * spelling: what was read and is written again is the same but for the case of hexadecimal digits,
 * zeros of an IPv6 address and varints that were longer than needed.
 *
 * Names are not resolved here: they are, anew, each time somebody dials.  Thread: any. */
#ifndef KL_P2P_MULTIADDR_H
#define KL_P2P_MULTIADDR_H

#include "p2p/peer_id.h"

enum {
    KL_MULTIADDR_NAME_MAX = 253,
    KL_MULTIADDR_MAX = 2 + KL_MULTIADDR_NAME_MAX + 1 + 3 + 3 + KL_PEER_ID_LEN, /* bytes */
    KL_MULTIADDR_TEXT_MAX = 6 + KL_MULTIADDR_NAME_MAX + 10 + 5 + KL_BASE58_TEXT_MAX,
};

typedef enum kl_host_kind {
    KL_HOST_NONE,
    KL_HOST_IP4,
    KL_HOST_IP6,
    KL_HOST_DNS, /* either family */
    KL_HOST_DNS4,
    KL_HOST_DNS6,
} kl_host_kind;

typedef struct kl_multiaddr {
    kl_host_kind host;
    u8 ip[16]; /* of an IP4 the first four */
    u8 name_len;
    char name[KL_MULTIADDR_NAME_MAX + 1]; /* NUL-terminated: letters, digits, '-', '_', '.' */
    bool has_port, has_peer;
    u16 port; /* TCP */
    kl_peer_id peer;
} kl_multiaddr;

bool kl_multiaddr_eq(const kl_multiaddr *a, const kl_multiaddr *b);
/* The same host and port, whoever is said to be there. */
bool kl_multiaddr_same_place(const kl_multiaddr *a, const kl_multiaddr *b);

/* MULTIADDR_FORM (malformed), MULTIADDR_KIND (of parts that are not dialled), MULTIADDR_HOST (not a
 * name or address), MULTIADDR_PORT; the rows of kl_peer_id_get and kl_varint. */
kl_rule kl_multiaddr_get(kl_multiaddr *out, kl_span bytes);
kl_rule kl_multiaddr_parse(kl_multiaddr *out, kl_span text);

/* At most KL_MULTIADDR_MAX bytes. */
void kl_multiaddr_put(kl_out *out, const kl_multiaddr *addr);
usize kl_multiaddr_len(const kl_multiaddr *addr);
/* NUL-terminated; returns the length. */
usize kl_multiaddr_text(char out[KL_MULTIADDR_TEXT_MAX], const kl_multiaddr *addr);

#endif

/* roster: how a node reaches the others of its network: two files of its data folder.
 *
 *     node.key       the secret of its identity, Ed25519: 64 digits, readable by its owner alone
 *     network.json   {"listen": "/ip4/127.0.0.1/tcp/30300",
 *                     "peers": ["/ip4/127.0.0.1/tcp/30301/p2p/12D3KooW…", …]}
 *
 * A folder without network.json is that of a node alone.  Addresses are numeric. */
#ifndef KL_NODE_ROSTER_H
#define KL_NODE_ROSTER_H

#include "base/file.h"
#include "node/net.h"

typedef struct kl_roster {
    kl_net_peer listen; /* without an id */
    kl_net_peer peers[KL_SWARM_PEERS_MAX];
    u32 peer_count;
} kl_roster;

/* KL_NOTFOUND: there is none.  *broken: ROSTER_FORM, ROSTER_ADDRESS, or what is wrong with a peer's
 * id.  KL_NOMEM, KL_IO. */
KL_MUST_USE kl_status kl_roster_load(struct kl_fs *fs, kl_roster *out, kl_rule *broken);
/* Durable when it returns KL_OK; KL_BUSY when there is one. */
KL_MUST_USE kl_status kl_roster_save(struct kl_fs *fs, const kl_roster *roster);

/* fs is on the real file system.  KL_NOTFOUND; KL_DENIED when others may read it; KL_CORRUPT. */
KL_MUST_USE kl_status kl_node_key_load(struct kl_fs *fs, kl_secret32 *out);
KL_MUST_USE kl_status kl_node_key_save(struct kl_fs *fs, const kl_secret32 *key); /* KL_BUSY */

/* A multiaddr of /ip4 or /ip6, /tcp and, with an id, /p2p. */
#define KL_NET_ADDRESS_MAX 200
void kl_net_peer_text(char out[KL_NET_ADDRESS_MAX], const kl_net_peer *peer, bool with_id);
/* ROSTER_ADDRESS, BASE58_…, PEER_KEY. */
kl_rule kl_net_peer_parse(kl_net_peer *out, kl_span text, bool with_id);

#endif

/* join: the data folder of a node that follows a chain whose validators vote, made from the chain's
 * genesis file and the address of one node that is there already. */
#ifndef KL_NODE_JOIN_H
#define KL_NODE_JOIN_H

#include "node/node.h"
#include "node/roster.h"

typedef struct kl_join_config {
    const char *client_version;
    const char *dir; /* made if need be */
    kl_span genesis; /* text of the genesis file */
    const char *genesis_file;
    const kl_multiaddr *peer;   /* host, port and peer */
    const kl_multiaddr *listen; /* numeric */
    kl_pin checkpoint;          /* the chain must contain it; number 0: none */
} kl_join_config;

/* Makes it, with an identity of its own and the chain's genesis.  *id: who it is.  KL_BUSY: the
 * folder is that of a node already; else as kl_node_open. */
KL_MUST_USE kl_status kl_join(const kl_join_config *config, kl_peer_id *id, kl_hash *genesis,
                              kl_node_fault *fault);

#endif

/* network: a new network whose validators vote, as folders that are ready to be carried to where
 * the nodes will run:
 *
 *     genesis.json                  what everybody must have
 *     node-0 … node-<count - 1>/    a data folder each, with the chain; in `validator` the key and
 *                                   its sign guard; node.key, and network.json, by which the node
 *                                   finds the others */
#ifndef KL_NODE_NETWORK_H
#define KL_NODE_NETWORK_H

#include "node/node.h"
#include "p2p/multiaddr.h"

typedef struct kl_network_config {
    const char *client_version;
    const char *dir; /* made if need be; what is there already stays, and is a fault */
    u32 count;       /* validators, 1 to KL_VALIDATORS_MAX (asserted) */
    const kl_vote_scheme *scheme;
    u64 chain_id, timestamp;
    u16 base_port; /* 0: the nodes do not look for one another */
    /* Where each will be, count of them, as hosts and ports; NULL: on loopback, node i at
     * base_port + i.  A node listens at the port, on all addresses of its machine. */
    const kl_multiaddr *places;
    u64 epoch_blocks, block_period_ms, empty_period_ms, delta_ms;
    const kl_address *funded; /* accounts that have as much as an operator's */
    u32 funded_count;
} kl_network_config;

/* Makes it; the operators' accounts are funded.  *genesis: the hash.  After a failure what was made
 * stays where it is. */
KL_MUST_USE kl_status kl_network_make(const kl_network_config *config, kl_hash *genesis,
                                      kl_node_fault *fault);

#endif

/* roster: how a node reaches the others of its network: two files of its data folder.
 *
 *     node.key       the secret of its identity, Ed25519: 64 digits, readable by its owner alone
 *     network.json   where it listens, whom it is connected with, whom it lets in, and a block that
 *                    their chain must contain
 *
 * docs/formats/network.md describes both.  A folder without network.json is that of a node alone.
 * Names stay names: whoever dials resolves them. */
#ifndef KL_NODE_ROSTER_H
#define KL_NODE_ROSTER_H

#include "base/file.h"
#include "chain/pin.h"
#include "node/net.h"

enum {
    KL_ROSTER_VERSION = 2,
    KL_ROSTER_PEERS_MAX = KL_SWARM_PEERS_MAX,
    KL_ROSTER_SENTRIES_MAX = 16,
    KL_ROSTER_GUARDS_MAX = 16,
};

typedef struct kl_roster {
    kl_multiaddr listen; /* numeric, with a port, without a peer */
    /* Others are told where this node is: at `announce`, or, with none there, as it finds out. */
    bool says_where;
    u32 announce_count;
    kl_multiaddr announce[KL_NET_ADDRS_MAX]; /* hosts and ports */
    /* Kept connected with, where they have a peer; one peer may have more than one address.  Others
     * are doors: whoever is there. */
    u32 peer_count;
    kl_multiaddr peers[KL_ROSTER_PEERS_MAX];
    bool open; /* strangers are let in; else only those who are named here, and validators */
    u32 allow_count;
    kl_peer_id allow[KL_ROSTER_PEERS_MAX]; /* let in, not dialled */
    /* A validator behind them speaks with nobody else: no peers, not open. */
    u32 sentry_count;
    kl_multiaddr sentries[KL_ROSTER_SENTRIES_MAX];
    /* The validators that this node stands in front of. */
    u32 guard_count;
    kl_peer_id guards[KL_ROSTER_GUARDS_MAX];
    kl_pin checkpoint; /* number 0: none is asked for */
} kl_roster;

/* KL_NOTFOUND: there is none.  *broken: the ROSTER_ rows, PIN_FORM, or what is wrong with an
 * address or a peer's id.  KL_NOMEM, KL_IO; KL_LIMIT: too long a file. */
KL_MUST_USE kl_status kl_roster_load(struct kl_fs *fs, kl_roster *out, kl_rule *broken);
/* Durable when it returns KL_OK; KL_BUSY when there is one. */
KL_MUST_USE kl_status kl_roster_save(struct kl_fs *fs, const kl_roster *roster);

/* The host of `listen` alone, as text. */
void kl_roster_listen_host(char out[KL_NET_HOST_MAX], const kl_roster *roster);

/* fs is on the real file system.  KL_NOTFOUND; KL_DENIED when others may read it; KL_CORRUPT. */
KL_MUST_USE kl_status kl_node_key_load(struct kl_fs *fs, kl_secret32 *out);
KL_MUST_USE kl_status kl_node_key_save(struct kl_fs *fs, const kl_secret32 *key); /* KL_BUSY */

#endif

/* node: the chain as a running service: everything below wired over the real world.
 *
 *     data folder -> ledger, history, state database -> host's threads -> RPC server
 *
 *   node.h     opening, running, closing           dev_genesis.h  the genesis that keel dev makes
 *   folder.h   what lies in a data folder, its lock
 *
 * The ledger is the truth and is never deleted here; the state database is a cache, and one that is
 * damaged, of another format, or under suspicion (see folder.h) is deleted and made again by
 * executing the ledger.
 *
 * Life:  open -> start -> run -> close.  From start on clients are answered; run writes the log and
 * returns after kl_node_stop, which any thread and any signal handler may call; close lets requests
 * end, makes what was acknowledged durable and takes everything apart.  After a failure of open or
 * start the fault says what happened and what to do about it, in words for the person who typed
 * the command. */
#ifndef KL_NODE_NODE_H
#define KL_NODE_NODE_H

#include "host/host.h"
#include "node/room.h"
#include "p2p/multiaddr.h"
#include "rpc/rpc.h"
#include "wallet/wallet.h"

struct kl_node;

typedef struct kl_node_config {
    const char *client_version; /* "Keel/v0.1.0/linux-x86_64" */

    /* The data folder, made if need be; NULL: the chain leaves nothing behind. */
    const char *dir;
    kl_span genesis;          /* text of a genesis file; empty: the chain that the folder has */
    const char *genesis_file; /* its name, for messages; may be NULL */
    bool reset;               /* forget the chain that the folder has */
    bool durable;             /* a block is acknowledged when it survives a power cut */
    u64 keep_blocks;          /* what is kept, in blocks; 0: all */
    u64 keep_history;         /* of old states, the same */

    /* Making blocks. */
    bool automine;     /* one for each transaction */
    u64 block_time_ns; /* one every so often, 0: none by time */
    bool on_demand;    /* and then only when transactions wait */
    bool fifo;         /* in order of arrival instead of by fees */
    kl_address coinbase;
    u64 gas_limit; /* what blocks aim at; 0: the parent's */

    /* The server. */
    const char *host; /* numeric address */
    u16 port;         /* 0: any free one */
    const char *allow_origin;
    u64 call_rate;                  /* calls a second of one address; 0: any number */
    const struct kl_wallet *wallet; /* accounts it may sign with, or NULL; stays the caller's */

    /* The log: what happened, on a descriptor of the caller's; -1: none. */
    int log_fd;
    bool log_json;

    u64 memory_max; /* bytes; with four fifths of it taken strangers are not let in; 0: none */
    /* Where validators vote: a block that the chain must contain; number 0: network.json's. */
    kl_pin checkpoint;
    bool by_blocks; /* execute all blocks, however many are missing, for the history of states */

    /* Bytes that must be free on the disk of the data folder, below which the chain stands still
     * and is only read; KL_ROOM_AUTO: as many as fit the disk; 0: it stands still when a write
     * meets the end. */
    u64 min_free;

    /* Every sync of the data folder's and the key's files, and every commit of the state database,
     * takes that much longer: a slower disk, for figures. */
    u64 sync_delay_ns;

    struct kl_progress *progress; /* of catching up while opening, or NULL */
} kl_node_config;

/* What went wrong, with its remedy: a sentence or two, no line break at the end. */
typedef struct kl_node_fault {
    char text[800];
} kl_node_fault;

/* What opening found, worth telling. */
typedef struct kl_node_report {
    bool created;        /* there was no chain */
    const char *rebuilt; /* why the state database was deleted and made again, or NULL */
    kl_chain_report chain;
    bool watches;    /* a validator's chain, and no vote of ours: */
    const char *why; /* static text */
} kl_node_report;

/* Opens or creates the chain; runs nothing.  config's texts must outlive the node.  The status is
 * for the curious, the fault is complete: KL_BUSY another process has the folder; KL_NOTFOUND no
 * chain there and no genesis; KL_UNSUPPORTED another genesis, or one with a fault; KL_CORRUPT the
 * ledger is damaged; KL_IO, KL_FULL, KL_NOMEM, KL_LIMIT. */
KL_MUST_USE kl_status kl_node_open(struct kl_node **out, const kl_node_config *config,
                                   kl_node_report *report, kl_node_fault *fault);

/* Starts the threads and the server: on KL_OK it listens at kl_node_port.  After a failure only
 * close is allowed. */
KL_MUST_USE kl_status kl_node_start(struct kl_node *node, kl_node_fault *fault);
u16 kl_node_port(const struct kl_node *node);
/* Where it listens for peers, with who it is, as others dial it; false: nowhere. */
bool kl_node_peer_address(const struct kl_node *node, char out[KL_MULTIADDR_TEXT_MAX]);

/* Writes the log until kl_node_stop: KL_OK.  Anything else, once, is why no more blocks are made,
 * or why nothing is served any more: the caller says what the fault says and calls again, since
 * clients go on being answered if they can be.  Where there is only no room in the data folder,
 * KL_FULL, the chain is opened again in here when there is, and blocks are made again. */
KL_MUST_USE kl_status kl_node_run(struct kl_node *node, kl_node_fault *fault);

/* Ends kl_node_run, now or when it begins.  Any thread, any signal handler. */
void kl_node_stop(struct kl_node *node);

/* SIGTERM and SIGINT stop this node; when a second one comes, the process exits with `code`.
 * SIGPIPE does nothing: a log that nobody reads any more ends nothing.  One node a process. */
void kl_node_stop_on_signals(struct kl_node *node, int code);

/* Without kl_node_start too; NULL is fine. */
void kl_node_close(struct kl_node *node);

/* Why no blocks are made: KL_OK, or what failed. */
kl_status kl_node_health(struct kl_node *node);

struct kl_chain *kl_node_chain(struct kl_node *node);
struct kl_host *kl_node_host(struct kl_node *node); /* NULL where validators vote */

#endif

/* backend: what the RPC methods need to know and do beyond reading the chain.  node implements it
 * over host and wallet; tests implement it over whatever they like.  All calls come from RPC
 * threads, any number at once. */
#ifndef KL_RPC_BACKEND_H
#define KL_RPC_BACKEND_H

#include "chain/chain.h"
#include "chain/reader.h"

struct kl_rpc_backend;

/* A transaction of the pool; tx lives as long as the arena it was copied into. */
typedef struct kl_rpc_pooled {
    kl_tx tx;
    bool pending;
} kl_rpc_pooled;

typedef struct kl_rpc_submission {
    u64 wait_ns;   /* for the block with it; 0: only where there is one for each transaction */
    bool only_new; /* never takes the place of another with its nonce */
} kl_rpc_submission;

/* How the votes for the next block stand. */
typedef struct kl_rpc_votes {
    char why[640]; /* no block is there yet */
    bool signing;  /* this node votes */
    u64 epoch, view;
    u32 leader;     /* place in the epoch's set */
    u64 notarized;  /* height of the newest notarized block */
    u64 have, need; /* weight that is waited for; 0: no votes are */
    u64 stalled_s;  /* nothing became final though it should; 0: that is not so */
    u8 missing[32]; /* bit per place: who has not voted */
    u32 silent_s[256];
} kl_rpc_votes;

/* What was taken from the others in the place of executing, in the life of the process. */
typedef struct kl_rpc_filled {
    u64 number; /* the block whose state it was; 0: nothing was taken */
    u64 blocks, blocks_ms, leaves, leaves_ms;
} kl_rpc_filled;

/* How far the node is behind the others. */
enum { KL_RPC_LACK_MAX = 200 };
typedef struct kl_rpc_syncing {
    bool by_state;             /* it takes their state, and has none to show */
    u64 first, height, target; /* blocks: at the start, here, with the others */
    u32 state_ppm;             /* of the state; 0: records of blocks are taken */
    u64 leaves;                /* accounts and slots, so far */
    u64 eta_s;                 /* UINT64_MAX: cannot be told */
    kl_pin checkpoint;         /* a block that the chain must contain; number 0: none */
    bool off_checkpoint;       /* the others' has `found` there */
    kl_hash found;
    kl_rpc_filled filled;
    char lack[KL_RPC_LACK_MAX]; /* why nobody can help, and what would; "": somebody can */
} kl_rpc_syncing;

/* The states of old blocks that are being made behind the chain. */
typedef struct kl_rpc_history {
    bool in_work, waits_for_room; /* the second only with the first */
    u64 height, target;           /* blocks: executed, to be executed */
    u64 eta_s;                    /* UINT64_MAX: cannot be told */
} kl_rpc_history;

/* Connections with peers: those that are there, and since the start. */
typedef struct kl_rpc_network {
    u32 inbound, outbound; /* dialled by them, by us */
    u32 gossiping;         /* of them */
    u64 refused;           /* not let in */
    u64 sent_bytes, received_bytes;
} kl_rpc_network;

/* Bytes of memory that the process has taken. */
typedef struct kl_rpc_memory {
    u64 taken, max; /* 0: no bound is set */
    bool sated;     /* so near to it that no more strangers are let in */
} kl_rpc_memory;

enum { KL_RPC_REASON_MAX = 240 };

struct kl_rpc_backend_ops {
    /* There is no chain: it waits for room on a disk.  Then nothing is asked but keel_status, which
     * says only how well the node is, by health and health_reason.  NULL: there always is one. */
    bool (*closed)(struct kl_rpc_backend *backend);
    struct kl_chain *(*chain)(struct kl_rpc_backend *backend);

    /* Admits a transaction with sender; see kl_host_submit. */
    kl_status (*submit)(struct kl_rpc_backend *backend, const kl_tx *tx,
                        const kl_rpc_submission *how, kl_rule *broken);

    /* The pool: next nonce of a sender, or account_nonce where that cannot be told; one transaction
     * (KL_NOTFOUND); all of them; how many. */
    u64 (*next_nonce)(struct kl_rpc_backend *backend, const kl_address *sender, u64 account_nonce);
    kl_status (*pooled)(struct kl_rpc_backend *backend, const kl_hash *hash, struct kl_arena *arena,
                        kl_rpc_pooled *out);
    kl_status (*pool_content)(struct kl_rpc_backend *backend, struct kl_arena *arena,
                              kl_rpc_pooled **out, usize *count);
    void (*pool_counts)(struct kl_rpc_backend *backend, usize *pending, usize *queued);
    bool (*pool_drop)(struct kl_rpc_backend *backend, const kl_hash *hash); /* dev */
    void (*pool_clear)(struct kl_rpc_backend *backend);                     /* dev */

    /* Keys this node may sign with. */
    usize (*account_count)(struct kl_rpc_backend *backend);
    kl_address (*account)(struct kl_rpc_backend *backend, usize index);
    bool (*sign)(struct kl_rpc_backend *backend, const kl_address *address, const kl_hash *digest,
                 kl_signature *out);

    /* What the block after head would be. */
    void (*next_block)(struct kl_rpc_backend *backend, const struct kl_tip *head,
                       kl_build_plan *out);

    /* Dev chains. */
    kl_status (*dev)(struct kl_rpc_backend *backend, kl_devop *op, kl_rule *broken);
    kl_status (*mine)(struct kl_rpc_backend *backend, u64 count, u64 spacing);
    bool (*automine)(struct kl_rpc_backend *backend);
    void (*set_automine)(struct kl_rpc_backend *backend, bool on);
    u64 (*interval_ns)(struct kl_rpc_backend *backend); /* 0: none */
    void (*set_interval)(struct kl_rpc_backend *backend, u64 interval_ns);

    kl_status (*health)(struct kl_rpc_backend *backend);
    /* More of why it is not KL_OK, in words; "": nothing is known. */
    void (*health_reason)(struct kl_rpc_backend *backend, char out[KL_RPC_REASON_MAX]);
    usize (*peer_count)(struct kl_rpc_backend *backend);
    kl_rpc_network (*network)(struct kl_rpc_backend *backend);
    /* Connections that were ended by a rule, since the start. */
    u64 (*dropped)(struct kl_rpc_backend *backend, kl_rule why);
    /* Proposed blocks that got no vote of ours by it, since the start. */
    u64 (*refused)(struct kl_rpc_backend *backend, kl_rule why);
    kl_rpc_memory (*memory)(struct kl_rpc_backend *backend);
    /* False where nobody votes, or it cannot be told. */
    bool (*votes)(struct kl_rpc_backend *backend, kl_rpc_votes *out);
    void (*syncing)(struct kl_rpc_backend *backend, kl_rpc_syncing *out);
    void (*history)(struct kl_rpc_backend *backend, kl_rpc_history *out);
};

struct kl_rpc_backend {
    const struct kl_rpc_backend_ops *ops;
    const char *client_version; /* "Keel/v0.1.0/linux-amd64/…" */
    bool fifo;                  /* blocks take transactions in order of arrival, not by fees */
};

#endif

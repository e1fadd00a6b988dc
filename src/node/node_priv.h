/* node_priv: what the files of node share. */
#ifndef KL_NODE_NODE_PRIV_H
#define KL_NODE_NODE_PRIV_H

#include <semaphore.h>
#include <stdatomic.h>

#include "base/sync.h"
#include "evm/code.h"
#include "node/folder.h"
#include "node/member.h"
#include "node/node.h"
#include "node/room.h"
#include "sys/sys.h"

enum {
    KL_NODE_THREADS = 3,
};

#define KL_NODE_SEGMENT_BYTES ((usize)64 << 20) /* of the ledger and the history */

/* The thread that makes the states which the chain lacks (historian.c). */
typedef enum kl_historian_phase {
    KL_HISTORIAN_IDLE,
    KL_HISTORIAN_WORKS,
    KL_HISTORIAN_WAITS, /* for room on the disk */
} kl_historian_phase;

struct kl_node_historian {
    kl_thread thread;
    bool runs;        /* there is a thread; of the node's own */
    struct kl_kv *kv; /* of the past that is being made, or NULL; the thread's */
    struct kl_progress progress;
    kl_mutex lock; /* over what follows, but for the thread's part of it */
    kl_cond cond;
    bool stop;
    kl_historian_phase phase;
    u64 first, height, target; /* blocks: where this life began, executed, and all there are */
    u64 since_ns;              /* when this life began */
};

/* What is told to the thread that runs the node, by any thread. */
struct kl_node_bell {
    sem_t sem;
    atomic_bool rung, stop, broken, turn;
};
void kl_bell_ring(struct kl_node_bell *bell); /* also from signal handlers */

struct kl_node {
    struct kl_rpc_backend backend;
    struct kl_host_listener listener;
    struct kl_member_listener member_listener;
    kl_node_config config;
    struct kl_folder folder; /* zeroed for a chain that leaves nothing behind */
    struct kl_fs *scratch;   /* or NULL */
    struct kl_kv *kv;
    struct kl_workers *workers;
    struct kl_code_cache *codes;
    struct kl_senders *senders; /* where validators vote: of transactions heard of before a block */
    struct kl_fs *key_fs;       /* of a validator's folder, or NULL */
    struct kl_fs *slow_fs, *slow_key_fs; /* over both, where syncs are to take longer, or NULL */
    struct kl_host *host;                /* makes blocks alone, or */
    struct kl_member *member;            /* votes on them; the other is NULL */
    bool reaches_others;                 /* the member has a network */
    kl_pin checkpoint;                   /* the one in force; number 0: none */
    struct kl_fs *shade; /* what readers see while the others fill the chain, or NULL */
    struct kl_kv *shade_kv;
    bool fills, fill_wanted; /* the others do; the member said that they should */
    bool fill_given_up;      /* not again, in this life */
    bool lets_go;            /* of the state that it has, which is put aside */
    bool took_back;          /* the database was what had been put aside when it was opened */
    kl_filler_status filled; /* what the newest came to; height 0: none; written while it fills */
    kl_mutex rpc_mutex;      /* of rpc, for threads that the server does not wait for */
    struct kl_rpc *rpc;      /* NULL before it runs and as it ends */
    bool closed;             /* it runs without a chain; set and cleared while it does not */
    kl_thread threads[KL_NODE_THREADS];
    usize thread_count;
    struct kl_node_bell bell;
    _Atomic kl_status ended; /* why there is no chain any more, or nothing that serves it */
    struct kl_node_historian historian;
    kl_room room;                     /* of the thread that runs the node */
    bool told_room;                   /* its text is the reason that health is not good */
    char room_text[KL_ROOM_TEXT_MAX]; /* this and told_room under rpc_mutex */
    struct kl_node_log *log;          /* NULL: none */
    /* Peers and proposals, by rule, since the start. */
    atomic_ullong dropped[KL_RULE_COUNT], refused[KL_RULE_COUNT];
};

/* Fills the fault, in printf's manner, and gives status back. */
kl_status kl_node_blame(kl_node_fault *fault, kl_status status, const char *format, ...)
    KL_PRINTF(3, 4);

/* node.c: the thread in kl_node_run closes the chain and opens it again. */
void kl_node_turn(struct kl_node *node);

/* node.c: KL_OK when the configured port can be listened on, or any will do; blames as starting
 * does. */
KL_MUST_USE kl_status kl_node_try_port(const struct kl_node *node, kl_node_fault *fault);

/* storage.c: the state database, and the chain over it. */
KL_MUST_USE kl_status kl_node_open_storage(struct kl_node *node, kl_node_report *report,
                                           kl_node_fault *fault);
void kl_node_close_storage(struct kl_node *node);
/* A database of the chain's kind in that folder of the data folder. */
KL_MUST_USE kl_status kl_node_open_kv(struct kl_node *node, const char *name, struct kl_kv **out);
/* Closes the chain of a member that is stopped and opens it again, to be filled or as it should be
 * once it is. */
KL_MUST_USE kl_status kl_node_turn_storage(struct kl_node *node, kl_node_fault *fault);

/* storage_member.c: the same, of a chain whose validators vote. */
/* What the chain's opening does not tell of is in the fault; else that is as it was. */
KL_MUST_USE kl_status kl_node_open_member(struct kl_node *node, const kl_host_config *host,
                                          kl_node_report *report, kl_node_fault *fault);

/* recover.c: a node whose disk is full, or nearly so, and that goes on when it is not any more. */
void kl_node_room_places(struct kl_node *node); /* after each opening of the storage */
/* Looks at the disks when that is due; stops the chain when there is little room; true: there is
 * room again, and the chain is to be opened again. */
KL_MUST_USE bool kl_node_room_look(struct kl_node *node);
/* A write met the end of a disk; or something else failed, which no room mends. */
void kl_node_room_meet_end(struct kl_node *node);
void kl_node_room_forget(struct kl_node *node);
/* There was none when the chain was to be opened again. */
void kl_node_room_gone(struct kl_node *node);
/* The reason in words, or ""; any thread. */
void kl_node_room_reason(struct kl_node *node, char out[KL_ROOM_TEXT_MAX]);
/* Tells the log that there is room again, after the chain was opened. */
void kl_node_room_tell(struct kl_node *node);
/* Transactions of our own users, over the closing and opening of a chain. */
struct kl_node_kept {
    const kl_pool_tx **list; /* referenced */
    usize count, cap;
};
void kl_node_keep(struct kl_node *node, struct kl_node_kept *out);
void kl_node_give_back(struct kl_node *node, struct kl_node_kept *kept); /* the chain is open */

/* historian.c: behind a running chain that lacks states which it is to keep, makes them, and asks
 * for the chain to be opened again when that has come to its end. */
void kl_node_historian_init(struct kl_node *node);
void kl_node_historian_done(struct kl_node *node);
/* The chain is open and not being filled, and stays open until it is stopped.  KL_LIMIT. */
KL_MUST_USE kl_status kl_node_historian_start(struct kl_node *node);
void kl_node_historian_stop(struct kl_node *node); /* also of one that was not started */
typedef struct kl_historian_status {
    kl_historian_phase phase;
    u64 height, target;
    u64 eta_s; /* UINT64_MAX: cannot be told */
} kl_historian_status;
void kl_node_historian_status(struct kl_node *node, kl_historian_status *out); /* any thread */

/* backend.c */
extern const struct kl_rpc_backend_ops kl_node_backend_ops;

/* log.c: what happened, in lines; reads what it tells from the chain. */
KL_MUST_USE kl_status kl_node_log_new(struct kl_node_log **out, struct kl_node *node);
void kl_node_log_free(struct kl_node_log *log); /* NULL is fine */
/* A step was published; on the thread that published it. */
void kl_node_log_step(struct kl_node_log *log, const struct kl_tip *tip);
/* Something that a person should know of: static text. */
void kl_node_log_alarm(struct kl_node_log *log, const char *what);
/* A peer was dropped; on the net's thread. */
void kl_node_log_dropped(struct kl_node_log *log, const kl_net_dropped *dropped);
/* A block that was proposed was refused; on the replica's thread. */
void kl_node_log_refused(struct kl_node_log *log, const kl_replica_refusal *refusal);
/* A line for a person, copied: why no block is being made, or that one is again; how filling and
 * the making of old states go; room on the disks. */
void kl_node_log_line(struct kl_node_log *log, const char *line);
/* A transaction was executed; on the execution thread. */
void kl_node_log_executed(struct kl_node_log *log, const kl_tx *tx, const kl_tx_result *result);
/* Writes what is to be written; gives up when the bell says stop and nobody reads. */
void kl_node_log_write(struct kl_node_log *log);

#endif

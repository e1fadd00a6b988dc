/* txpool: transactions that wait for a block: pending ones, which could be in the next block, and
 * queued ones, which wait for a nonce before them.
 *
 * A pure machine: it owns no thread, lock, clock or state; the time is told to it.  Who calls it
 * brings the sender's facts (nonce and balance as of the head) and says when blocks changed them.
 * Everything is bounded: by count, by bytes, by sender; when full, the cheapest transaction goes,
 * and an arrival that is not worth more is turned away; but nobody fills it alone: what a sender
 * has beyond its share goes first, whatever it pays, for whoever has less.  What waits for a nonce
 * takes no place of what does not, and not for ever.  Verdicts carry geth's words.
 *
 * Ownership: the pool copies what it admits and hands out references (kl_pool_tx) that stay good
 * until unref, also when the transaction has left the pool. */
#ifndef KL_TXPOOL_TXPOOL_H
#define KL_TXPOOL_TXPOOL_H

#include "base/rule.h"
#include "base/status.h"
#include "types/tx.h"

struct kl_pool;

/* A transaction with its decoded fields, in memory of its own. */
typedef struct kl_pool_tx {
    kl_tx tx;
    u64 arrival; /* order of admission */
    bool local;  /* came through our own RPC */
} kl_pool_tx;
const kl_pool_tx *kl_pool_tx_ref(const kl_pool_tx *tx);
void kl_pool_tx_unref(const kl_pool_tx *tx);

typedef struct kl_pool_config {
    usize tx_max;            /* all together */
    usize bytes_max;         /* of envelopes */
    usize tx_bytes_max;      /* of one envelope */
    usize per_sender_max;    /* pending of one sender */
    usize queued_sender_max; /* queued of one sender */
    usize sender_share;      /* of one sender while the pool is full; 0: as many as there are */
    u64 queued_ns;           /* how long queued ones wait since their sender's last news; 0: ever */
    u64 replace_percent;     /* a replacement pays at least so much more (10) */
    u64 nonce_gap_max;       /* furthest nonce ahead that is queued */
    u64 seed;
} kl_pool_config;

KL_MUST_USE kl_status kl_pool_new(struct kl_pool **out, const kl_pool_config *config);
void kl_pool_free(struct kl_pool *pool);

/* A sender as of the head. */
typedef struct kl_pool_facts {
    u64 nonce;
    kl_u256 balance;
} kl_pool_facts;

/* What the head charges and allows; set before the first add and after every block. */
typedef struct kl_pool_head {
    kl_u256 base_fee; /* of the next block */
    u64 gas_limit;
    kl_fork fork; /* of the next block */
    u64 chain_id;
} kl_pool_head;
void kl_pool_set_head(struct kl_pool *pool, const kl_pool_head *head);

/* What time it is, monotonic; told before the first add, and now and then: queued transactions of
 * others go whose sender has had none come or go for queued_ns, by the times that were told.  What
 * came through our own RPC stays. */
void kl_pool_pass_time(struct kl_pool *pool, u64 now_ns);

/* Who brings a transaction, and how. */
typedef struct kl_pool_arrival {
    bool local;    /* see kl_pool_tx */
    bool only_new; /* never takes another's place: whoever chose its nonce can choose again */
    kl_pool_facts facts;
} kl_pool_arrival;

/* What became of an arrival. */
typedef struct kl_pool_added {
    bool pending;  /* could be in the next block */
    bool replaced; /* took the place of replaced_hash */
    kl_hash replaced_hash;
} kl_pool_added;

/* Judges tx (sender set) and admits it.  *broken: POOL_KNOWN "already known", TX_NONCE_LOW,
 * POOL_REPLACE_UNDERPRICED, TX_FUNDS (for all of the sender's together), TX_INTRINSIC_GAS,
 * BLOCK_GAS "exceeds block gas limit", POOL_SENDER_FULL, of a full pool where the sender has its
 * share too; of a full pool POOL_UNDERPRICED: nothing is cheaper, POOL_FUTURE: it is gapped, and
 * what is cheapest is not, POOL_FULL: what is cheaper takes too little room, or is the sender's
 * own; … and nothing has changed.  KL_NOMEM. */
KL_MUST_USE kl_status kl_pool_add(struct kl_pool *pool, const kl_tx *tx, const kl_pool_arrival *how,
                                  kl_pool_added *out, kl_rule *broken);

/* The sender's facts changed (a block, a revert, a dev operation): what is used up or can no longer
 * be paid goes, what became ready is promoted. */
void kl_pool_update(struct kl_pool *pool, const kl_address *sender, const kl_pool_facts *facts);

/* Calls each(ctx, sender) for every sender in the pool. */
void kl_pool_senders(struct kl_pool *pool, void (*each)(void *ctx, const kl_address *sender),
                     void *ctx);

bool kl_pool_remove(struct kl_pool *pool, const kl_hash *hash);
void kl_pool_clear(struct kl_pool *pool);

/* NULL when it is not here. */
const kl_pool_tx *kl_pool_get(struct kl_pool *pool, const kl_hash *hash);

/* The nonce after the last pending one of sender, by the facts the pool has of it; account_nonce
 * when it has nothing here. */
u64 kl_pool_next_nonce(struct kl_pool *pool, const kl_address *sender, u64 account_nonce);

/* Pending transactions in the order a builder wants them: highest tip first, every sender's in
 * order of nonce; among equals the earlier arrival.  A pick holds its own order; the pool must not
 * change while it lives. */
struct kl_pool_pick;
KL_MUST_USE kl_status kl_pool_pick_begin(struct kl_pool *pool, bool by_arrival,
                                         struct kl_pool_pick **out);
/* The best one left, or NULL.  skip_sender leaves out the rest of the last one's sender. */
const kl_pool_tx *kl_pool_pick_next(struct kl_pool_pick *pick, bool skip_sender);
void kl_pool_pick_end(struct kl_pool_pick *pick);

/* Every transaction, by sender and nonce, with whether it is pending.  KL_NOMEM. */
KL_MUST_USE kl_status kl_pool_each(struct kl_pool *pool,
                                   void (*each)(void *ctx, const kl_pool_tx *tx, bool pending),
                                   void *ctx);

typedef struct kl_pool_counts {
    usize pending, queued, bytes;
} kl_pool_counts;
kl_pool_counts kl_pool_count(const struct kl_pool *pool);

#endif

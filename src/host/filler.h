/* filler: a member that has no state yet and takes it from the others, instead of executing all
 * blocks since the genesis.  It carries out what the fetch machine (sync/fetch.h) and the machine
 * for states (sync/statesync.h) ask for, over a chain that is being filled (chain/fill.h).
 *
 *     RECORDS: the ledger's records up to the network's head, judged in all that needs no state
 *     STATE:   the state behind the newest of them; when nobody has that any more: RECORDS again
 *     WHOLE:   the chain can be opened as any other, and a replica goes on from there
 *
 * Of a chain with a pinned block (chain/pin.h) it takes no state below that, and where another
 * block is final at that height it stops, BROKEN and off_pin.
 *
 * It votes on nothing, serves nobody and shows no block.  What it has taken is durable and gone on
 * with after a crash.  Without any progress for KL_FILLER_PATIENCE_NS it gives up: the ledger keeps
 * the records that it has, and whoever opens the chain drops the database and executes them.
 *
 * Like the replica (replica.h) it has no thread and no clock of its own, and is told the time, what
 * peers say, and when its jobs are done, by one thread at a time. */
#ifndef KL_HOST_FILLER_H
#define KL_HOST_FILLER_H

#include "host/replica.h"

struct kl_filler;

#define KL_FILLER_PATIENCE_NS 30000000000ull

typedef struct kl_filler_config {
    kl_chain_config chain;
    struct kl_clock *clock;
    struct kl_jobs *jobs; /* the lane of execution is used */
    struct kl_replica_net *net;
} kl_filler_config;

typedef enum kl_filler_phase {
    KL_FILLER_RECORDS,
    KL_FILLER_STATE,
    KL_FILLER_WHOLE, /* only to be closed, this and the rest */
    KL_FILLER_GIVEN_UP,
    KL_FILLER_BROKEN, /* a disk failed, memory is out, another chain: status */
} kl_filler_phase;

typedef struct kl_filler_status {
    kl_filler_phase phase;
    kl_status status;
    u64 first, height, target; /* of records: where it began, is, and is to be */
    bool off_pin;              /* `found` is final where the pinned block belongs */
    kl_hash found;
    u32 state_ppm;            /* of the state */
    u64 leaves;               /* accounts and slots taken in this life */
    u64 records_ns, state_ns; /* how long the phases that are over took, in this life */
    u64 eta_s;                /* until this phase is over; UINT64_MAX: cannot be told */
    kl_fetch_lack lack;       /* of records */
} kl_filler_status;

/* Is the chain's database being filled?  Then only a filler can go on with it. */
KL_MUST_USE kl_status kl_filler_is_due(const kl_chain_config *chain, bool *out);

/* See kl_fill_open. */
KL_MUST_USE kl_status kl_filler_open(struct kl_filler **out, const kl_filler_config *config,
                                     kl_chain_report *report);
/* No job is running; see kl_replica_close. */
void kl_filler_close(struct kl_filler *filler); /* NULL is fine */
void kl_filler_start(struct kl_filler *filler);
/* It is to write nothing any more, as if the disk had been found to be full. */
void kl_filler_halt(struct kl_filler *filler);

void kl_filler_connected(struct kl_filler *filler, u32 peer);
void kl_filler_disconnected(struct kl_filler *filler, u32 peer);
void kl_filler_receive(struct kl_filler *filler, u32 peer, kl_span frame);
u64 kl_filler_due_ns(const struct kl_filler *filler);
void kl_filler_tick(struct kl_filler *filler);

void kl_filler_status_of(const struct kl_filler *filler, kl_filler_status *out);

#endif

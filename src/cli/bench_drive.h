/* bench_drive: sends a load to a node and watches it enter blocks.
 *
 * An account stays on one connection, and a connection has one request under way, so that nonces
 * arrive in order whatever the node's threads do.
 *
 * Thread: one. */
#ifndef KL_CLI_BENCH_DRIVE_H
#define KL_CLI_BENCH_DRIVE_H

#include "cli/bench_work.h"

typedef enum kl_bench_mode {
    KL_BENCH_SATURATE, /* every connection sends its next request when the last is answered */
    KL_BENCH_RATE,     /* requests have their times; latency counts from them */
    KL_BENCH_BATCH,    /* as saturate, with many transactions in a request */
    KL_BENCH_SYNC,     /* one after the other, each waiting for its receipt */
} kl_bench_mode;

typedef struct kl_bench_plan {
    kl_bench_mode mode;
    usize connections, batch;
    double rate; /* transactions a second, of KL_BENCH_RATE */
    u64 wait_ns; /* how long the last ones may take to enter a block once all are sent */
    const kl_bench_url *urls; /* connections go to these nodes in turn; none: to the watched one */
    usize url_count;
} kl_bench_plan;

/* A block by when it was seen. */
typedef struct kl_bench_sighting {
    u64 number, seen_ns;
} kl_bench_sighting;

struct kl_bench_run {
    u64 start_ns, sent_ns; /* first request, last answer */
    u64 end_ns;            /* last transaction in a block; the counter's to fill */
    u64 first_block;       /* the head before the first request */
    usize count, mined, refused;
    u32 *submit_us; /* of each request, in order of answers */
    usize submit_count;
    char complaint[256]; /* the first refusal */
    kl_bench_sighting *sightings;
    usize sighting_count, sighting_cap;
    kl_bench_weight before, after;
    bool weighed;
};

/* Sends txs, which are work's next count ones, and waits.  KL_OK also when some were refused or
 * never mined: the run says so. */
KL_MUST_USE kl_status kl_bench_drive(struct kl_bench_run *out, struct kl_bench_node *node,
                                     const struct kl_bench_work *work, kl_bench_tx *txs,
                                     usize count, const kl_bench_plan *plan);
void kl_bench_run_done(struct kl_bench_run *run);

/* Looks at the head once more. */
KL_MUST_USE kl_status kl_bench_look(struct kl_bench_run *run, struct kl_bench_node *node);

/* Reads the blocks of the run: the sum of their gas; seen_ns of every transaction found in one (0
 * for the others); how many of a sample's receipts tell of failure. */
typedef struct kl_bench_tally {
    u64 gas;
    usize found, sampled, failed;
} kl_bench_tally;
KL_MUST_USE kl_status kl_bench_count(kl_bench_tally *out, const struct kl_bench_run *run,
                                     struct kl_bench_node *node, kl_bench_tx *txs, usize count);
/* The same once the blocks hold what the accounts' nonces say was mined; sets the run's mined and
 * end_ns. */
KL_MUST_USE kl_status kl_bench_count_all(kl_bench_tally *out, struct kl_bench_run *run,
                                         struct kl_bench_node *node, kl_bench_tx *txs, usize count);

#endif

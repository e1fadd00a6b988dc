/* bench_fleet: a network of validators under test: processes of this program on loopback, in a
 * folder of their own for the time of the run, each started, killed, asked and weighed by itself.
 *
 * Thread: one.  What goes wrong is told on stderr where it happens. */
#ifndef KL_CLI_BENCH_FLEET_H
#define KL_CLI_BENCH_FLEET_H

#include <signal.h>

#include "cli/bench_drive.h"

enum { KL_FLEET_MAX = 16, KL_FLEET_PATH = 512 };

typedef struct kl_fleet_config {
    const char *program; /* keel; NULL: this one */
    const char *parent;  /* the folder to make the network's in; NULL: that of temporary files */
    u32 count;           /* validators, 1 to KL_FLEET_MAX */
    u32 accounts;        /* of the development mnemonic, that have Ether */
    u64 block_time_ns, sync_delay_ns;
    bool loud;                         /* what the nodes print goes to ours */
    const volatile sig_atomic_t *stop; /* true: what waits for long ends; may be NULL */
} kl_fleet_config;

struct kl_fleet {
    kl_fleet_config config;
    char program[KL_FLEET_PATH], dir[KL_FLEET_PATH];
    u16 rpc_port, peer_port; /* of node 0; node i is at + i */
    struct kl_bench_node nodes[KL_FLEET_MAX];
    bool up[KL_FLEET_MAX];
    bool by_blocks; /* whoever is started catches up by blocks alone */
};

/* Makes the network's folders and starts nobody.  close also after a failure. */
KL_MUST_USE kl_status kl_fleet_open(struct kl_fleet *fleet, const kl_fleet_config *config);
/* Ends who runs and removes the folder. */
void kl_fleet_close(struct kl_fleet *fleet);

/* Starts node i, which must be down (asserted), and waits for its first answer. */
KL_MUST_USE kl_status kl_fleet_start(struct kl_fleet *fleet, u32 i);
/* Ends it: SIGTERM, or SIGKILL for a death without a word. */
void kl_fleet_end(struct kl_fleet *fleet, u32 i, int signal_number);
/* Node i, which is down, begins anew from the genesis, with its name in the network and without a
 * validator's key: an observer that has everything to catch up with. */
KL_MUST_USE kl_status kl_fleet_forget(struct kl_fleet *fleet, u32 i);

/* Waits until all who run are connected with one another and have the highest head among them;
 * KL_TIMEOUT. */
KL_MUST_USE kl_status kl_fleet_meet(struct kl_fleet *fleet);

/* What all who run have used up together so far. */
typedef struct kl_fleet_weight {
    u64 cpu_ns, rss_bytes;      /* rss: of the one that holds most */
    u64 sent_bytes, file_bytes; /* to peers; to files */
    u64 height;                 /* the highest head */
} kl_fleet_weight;
KL_MUST_USE kl_status kl_fleet_weigh(struct kl_fleet *fleet, kl_fleet_weight *out);

/* What a load came to: transfers in final blocks, and how many of them a second. */
typedef struct kl_fleet_driven {
    usize mined;
    double rate;
} kl_fleet_driven;
/* Sends so many transfers to all nodes that are up, in turn, as fast as they go in or, with
 * KL_BENCH_RATE, so many a second; waits until they are final. */
KL_MUST_USE kl_status kl_fleet_drive(struct kl_fleet *fleet, kl_fleet_driven *out,
                                     struct kl_bench_work *work, kl_bench_mode mode, double rate,
                                     usize count);

#endif

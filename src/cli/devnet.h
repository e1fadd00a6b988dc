/* devnet: what the files of keel devnet share. */
#ifndef KL_CLI_DEVNET_H
#define KL_CLI_DEVNET_H

#include "base/int.h"

typedef enum kl_devnet_action {
    KL_DEVNET_STATUS,
    KL_DEVNET_KILL,
    KL_DEVNET_STOP,
    KL_DEVNET_CONT,
    KL_DEVNET_RESTART,
} kl_devnet_action;

/* What goes through the pipe. */
typedef struct kl_devnet_order {
    kl_devnet_action action;
    u32 node;
} kl_devnet_order;

struct kl_devnet_options {
    const char *dir;
    u64 count, base_port, block_time_ns, chain_id;
    kl_devnet_action action;
    u64 node;
};

/* Asks every node and prints a table; the exit code. */
int kl_devnet_status(const struct kl_devnet_options *options);

#endif

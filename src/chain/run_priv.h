/* run_priv: what a run holds. */
#ifndef KL_CHAIN_RUN_PRIV_H
#define KL_CHAIN_RUN_PRIV_H

#include "chain/run.h"

struct kl_run {
    struct kl_exec *exec;
    struct kl_view_reader reader;
    kl_run_base base;
    struct kl_arena scratch; /* lives from begin to begin */
    kl_receipt *receipts;
    usize count, cap;
};

#endif

#ifndef KL_CHAIN_READER_PRIV_H
#define KL_CHAIN_READER_PRIV_H

#include "chain/block_cache_priv.h"
#include "chain/chain_priv.h"
#include "chain/reader.h"

struct kl_reader {
    struct kl_chain *chain;
    struct kl_tip *tip;
    struct kl_view *view;
    struct kl_opened *held[4]; /* shared blocks handed out */
    usize held_count;
};

#endif

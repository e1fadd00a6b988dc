#ifndef KL_CHAIN_READER_PRIV_H
#define KL_CHAIN_READER_PRIV_H

#include "chain/chain_priv.h"
#include "chain/reader.h"

struct kl_reader {
    struct kl_chain *chain;
    struct kl_tip *tip;
    struct kl_view *view;
};

#endif

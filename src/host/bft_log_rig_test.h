/* Certificates and bodies for the tests of the consensus log: number n is drawn from n alone. */
#ifndef KL_HOST_BFT_LOG_RIG_TEST_H
#define KL_HOST_BFT_LOG_RIG_TEST_H

#include "base/test.h"
#include "host/bft_log.h"

enum { RIG_SIGNATURES = 130, RIG_BODY_MAX = 5000 };

typedef struct rig_item {
    bool is_body;
    kl_certificate certificate;
    u8 signatures[RIG_SIGNATURES];
    kl_hash hash;
    u64 epoch, view;
    u8 body[RIG_BODY_MAX];
    usize body_len;
} rig_item;

/* Items rise slowly through views and epochs, a few of each view. */
void rig_item_make(rig_item *out, u64 n);
kl_status rig_append(struct kl_bft_log *log, const rig_item *item);
/* Whether it is found, byte for byte (asserted) when it is. */
bool rig_has(struct kl_bft_log *log, const rig_item *item);

#endif

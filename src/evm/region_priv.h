/* region: a long stretch of address space, reserved once, whose pages come into being when they are
 * first touched and go back when they are no longer needed.  What was never written reads as zero.
 */
#ifndef KL_EVM_REGION_PRIV_H
#define KL_EVM_REGION_PRIV_H

#include "base/int.h"
#include "base/status.h"

struct kl_region {
    u8 *base;
    usize size;
    usize used; /* bytes from here on were never written */
};

/* KL_NOMEM when there is no such stretch. */
KL_MUST_USE kl_status kl_region_init(struct kl_region *region, usize size);
void kl_region_done(struct kl_region *region);

/* Forgets the contents; pages beyond keep bytes go back to the system. */
void kl_region_trim(struct kl_region *region, usize keep);

#endif

/* fuzz_shrink: makes a state test on which two clients differ as small as it stays so. */
#ifndef KL_CLI_FUZZ_SHRINK_H
#define KL_CLI_FUZZ_SHRINK_H

#include "cli/fuzz_case.h"

/* Says whether a case, filled by Keel, is one on which the other client differs. */
struct kl_fuzz_judge {
    kl_status (*differs)(struct kl_fuzz_judge *judge, const kl_fuzz_case *c, bool *out);
};

/* Takes away from *c, gas limits, accounts, slots, code, data and lists, whatever can go while the
 * judge says that there is a difference; *tries counts how often it was asked.  KL_NOTFOUND when
 * there is none to begin with.  What *c points to afterwards is in the arena, filled. */
KL_MUST_USE kl_status kl_fuzz_shrink(kl_statebench *bench, struct kl_fuzz_judge *judge,
                                     kl_fuzz_case *c, struct kl_arena *arena, u64 *tries);

#endif

/* status: the world failed, or did not.  Outputs of a function that returns anything but KL_OK are
 * untouched unless its contract says otherwise. */
#ifndef KL_BASE_STATUS_H
#define KL_BASE_STATUS_H

#include "base/check.h"

typedef enum kl_status {
#define KL_STATUS_X(name, text) KL_##name,
#include "base/status.def"
#undef KL_STATUS_X
} kl_status;

/* "disk full", for people; static storage. */
const char *kl_status_text(kl_status status);

/* Returns early with what failed.  Only where everything owned is an arena or a cleanup variable.
 */
#define KL_TRY(expression)                       \
    do {                                         \
        kl_status kl_try_status = (expression);  \
        if (KL_UNLIKELY(kl_try_status != KL_OK)) \
            return kl_try_status;                \
    } while (0)

#endif

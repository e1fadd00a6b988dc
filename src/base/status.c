#include "base/status.h"

#include <stddef.h>

static const char *const texts[] = {
#define KL_STATUS_X(name, text) [KL_##name] = (text),
#include "base/status.def"
#undef KL_STATUS_X
};

const char *kl_status_text(kl_status status)
{
    KL_ASSERT((size_t)status < sizeof texts / sizeof texts[0]);
    return texts[status];
}

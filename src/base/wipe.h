/* wipe: secrets are erased when they go out of scope, in a way the compiler may not remove. */
#ifndef KL_BASE_WIPE_H
#define KL_BASE_WIPE_H

#include "base/int.h"

static inline void kl_wipe(void *p, usize len)
{
    explicit_bzero(p, len);
}

/* A private key or any other 32 secret bytes; declare locals with KL_SECRET. */
typedef struct kl_secret32 {
    u8 b[32];
} kl_secret32;

static inline void kl_secret32_wipe(kl_secret32 *secret)
{
    kl_wipe(secret, sizeof *secret);
}

#define KL_SECRET KL_CLEANUP(kl_secret32_wipe) kl_secret32

#endif

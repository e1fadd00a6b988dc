/* fuzz: what fuzz targets share.  Compiled into them only. */
#ifndef KL_BASE_FUZZ_H
#define KL_BASE_FUZZ_H

#include "base/span.h"

int LLVMFuzzerTestOneInput(const u8 *bytes, usize len);

/* The next byte of an input; 0 behind its end. */
static inline u8 kl_fuzz_u8(kl_span *in)
{
    kl_span byte = kl_span_take(in, 1);
    return byte.len ? byte.p[0] : 0;
}

#endif

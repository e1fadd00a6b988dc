/* Points of BN254 from outside.  The first byte picks the operation, the rest is its input, cut to
 * few pairs. */
#include "base/fuzz.h"
#include "crypto/bn254.h"

static const u8 zeros[64];

static void fuzz_add(const u8 *in)
{
    u8 sum[64], other[64];
    if (!kl_bn254_add_var(sum, in, in + 64))
        return;
    KL_ASSERT(kl_bn254_add_var(other, in + 64, in) && memcmp(sum, other, 64) == 0);
    KL_ASSERT(kl_bn254_add_var(other, sum, zeros) && memcmp(sum, other, 64) == 0);
}

/* (k + 1) P is k P + P, for a k whose last bit is 0. */
static void fuzz_mul(const u8 *in)
{
    u8 k[32], product[64], next[64], sum[64];
    memcpy(k, in + 64, 32);
    k[31] &= 0xfe;
    if (!kl_bn254_mul_var(product, in, k))
        return;
    k[31] |= 1;
    KL_ASSERT(kl_bn254_mul_var(next, in, k) && kl_bn254_add_var(sum, product, in));
    KL_ASSERT(memcmp(sum, next, 64) == 0);
}

int LLVMFuzzerTestOneInput(const u8 *bytes, usize len)
{
    if (len == 0)
        return 0;
    kl_span in = kl_span_of(bytes + 1, len - 1);
    bool one;
    if (bytes[0] % 3 == 0 && in.len >= 128)
        fuzz_add(in.p);
    else if (bytes[0] % 3 == 1 && in.len >= 96)
        fuzz_mul(in.p);
    else if (bytes[0] % 3 == 2)
        (void)!kl_bn254_pairing_var(&one, in.p, KL_MIN(in.len / 192, (usize)10));
    return 0;
}

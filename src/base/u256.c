/* u256: the operations too long for the header.  Division, and what is built on it, is in
 * u256_div.c. */
#include "base/u256.h"

kl_u256 kl_u256_from_be_bytes(kl_span bytes)
{
    KL_ASSERT(bytes.len <= 32);
    u8 b[32] = {0};
    if (bytes.len)
        memcpy(b + 32 - bytes.len, bytes.p, bytes.len);
    return kl_u256_from_be(b);
}

bool kl_u256_mul_over(kl_u256 *out, kl_u256 a, kl_u256 b)
{
    u64 high = 0; /* nonzero once anything belongs above the fourth limb */
    for (unsigned i = 0; i < 4; i++)
        for (unsigned j = 4 - i; j < 4; j++)
            high |= (a.w[i] != 0) & (b.w[j] != 0);
    kl_u256 r = KL_U256_ZERO;
    for (unsigned i = 0; i < 4; i++) {
        u64 carry = 0;
        for (unsigned j = 0; i + j < 4; j++)
            r.w[i + j] = kl_limb_mul_add2(&carry, a.w[i], b.w[j], r.w[i + j], carry);
        high |= carry;
    }
    *out = r;
    return high != 0;
}

kl_u256 kl_u256_exp(kl_u256 base, kl_u256 exponent)
{
    unsigned base_bits = kl_u256_bits(base);
    if (base_bits > 1 && kl_u256_eq(base, kl_u256_shl(KL_U256_ONE, base_bits - 1))) {
        /* A power of two: 2^(k * exponent), as in 256 ** n. */
        u64 n = kl_mul_sat_u64(kl_u256_sat_u64(exponent), base_bits - 1);
        return kl_u256_shl(KL_U256_ONE, n);
    }
    kl_u256 r = KL_U256_ONE;
    for (unsigned i = kl_u256_bits(exponent); i-- > 0;) {
        r = kl_u256_mul(r, r);
        if (exponent.w[i / 64] >> (i % 64) & 1)
            r = kl_u256_mul(r, base);
    }
    return r;
}

usize kl_u256_decimal(char text[KL_U256_DECIMAL_MAX], kl_u256 a)
{
    const kl_u256 chunk = kl_u256_of(10000000000000000000u); /* 10^19, the largest in a limb */
    char digits[5 * 19];
    usize count = 0;
    while (!kl_u256_is_zero(a)) {
        u64 rest = kl_u256_mod(a, chunk).w[0];
        a = kl_u256_div(a, chunk);
        for (unsigned i = 0; i < 19; i++, rest /= 10)
            digits[count++] = (char)('0' + rest % 10);
    }
    while (count > 1 && digits[count - 1] == '0')
        count--;
    if (count == 0)
        digits[count++] = '0';
    for (usize i = 0; i < count; i++)
        text[i] = digits[count - 1 - i];
    text[count] = '\0';
    return count;
}

bool kl_u256_from_decimal(kl_u256 *out, kl_span text)
{
    kl_u256 r = KL_U256_ZERO;
    if (text.len == 0)
        return false;
    for (usize i = 0; i < text.len; i++) {
        if (text.p[i] < '0' || text.p[i] > '9')
            return false;
        if (kl_u256_mul_over(&r, r, kl_u256_of(10)) ||
            kl_u256_add_over(&r, r, kl_u256_of((u64)(text.p[i] - '0'))))
            return false;
    }
    *out = r;
    return true;
}

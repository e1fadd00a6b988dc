#include "codec/base58.h"

#include <string.h>

static const char digits[] = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz";

/* Of a number in some base, least place first: number = number * by + add. */
static usize push(u8 *places, usize count, usize cap, u32 base, u32 by, u32 add)
{
    u32 carry = add;
    for (usize i = 0; i < count; i++) {
        carry += places[i] * by;
        places[i] = (u8)(carry % base);
        carry /= base;
    }
    for (; carry; carry /= base) {
        if (count == cap)
            return SIZE_MAX;
        places[count++] = (u8)(carry % base);
    }
    return count;
}

usize kl_base58_encode(char out[KL_BASE58_TEXT_MAX], kl_span bytes)
{
    u8 places[KL_BASE58_TEXT_MAX];
    usize count = 0, zeros = 0, len = 0;
    KL_ASSERT(bytes.len <= KL_BASE58_BYTES_MAX);
    while (zeros < bytes.len && bytes.p[zeros] == 0)
        zeros++;
    for (usize i = zeros; i < bytes.len; i++)
        count = push(places, count, sizeof places, 58, 256, bytes.p[i]);
    KL_ASSERT(zeros + count < KL_BASE58_TEXT_MAX);
    for (; len < zeros; len++)
        out[len] = digits[0];
    while (count)
        out[len++] = digits[places[--count]];
    out[len] = 0;
    return len;
}

kl_rule kl_base58_decode(u8 out[KL_BASE58_BYTES_MAX], usize *out_len, kl_span text)
{
    u8 places[KL_BASE58_BYTES_MAX];
    usize count = 0, zeros = 0;
    while (zeros < text.len && text.p[zeros] == (u8)digits[0])
        zeros++;
    for (usize i = zeros; i < text.len; i++) {
        const char *digit = text.p[i] ? strchr(digits, text.p[i]) : NULL;
        if (!digit)
            return KL_RULE_BASE58_DIGIT;
        count = push(places, count, sizeof places, 256, 58, (u32)(digit - digits));
        if (count == SIZE_MAX)
            return KL_RULE_BASE58_LENGTH;
    }
    if (zeros > KL_BASE58_BYTES_MAX - count)
        return KL_RULE_BASE58_LENGTH;
    memset(out, 0, zeros);
    for (usize i = 0; i < count; i++)
        out[zeros + i] = places[count - 1 - i];
    *out_len = zeros + count;
    return KL_RULE_NONE;
}

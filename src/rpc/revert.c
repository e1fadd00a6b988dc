#include "rpc/revert.h"

#include <stdio.h>

#include "base/u256.h"

enum { SELECTOR = 4, WORD = 32 };

/* The word at offset as a u64; UINT64_MAX where it is missing or larger. */
static u64 word_at(kl_span s, usize offset)
{
    kl_span word = kl_span_sub(s, offset, WORD);
    return word.len == WORD ? kl_u256_sat_u64(kl_u256_from_be(word.p)) : UINT64_MAX;
}

/* Words of geth and of Solidity's documentation. */
static const struct {
    u64 code;
    const char *text;
} panics[] = {
    {0x00, "generic panic"},
    {0x01, "assert(false)"},
    {0x11, "arithmetic underflow or overflow"},
    {0x12, "division or modulo by zero"},
    {0x21, "enum overflow"},
    {0x22, "invalid encoded storage byte array accessed"},
    {0x31, "out-of-bounds array access; popping on an empty array"},
    {0x32, "out-of-bounds access of an array or bytesN"},
    {0x41, "out of memory"},
    {0x51, "uninitialized function"},
};

bool kl_revert_reason(char *out, usize size, kl_span output)
{
    if (output.len < SELECTOR)
        return false;
    u32 selector = kl_load_be32(output.p);
    kl_span args = kl_span_sub(output, SELECTOR, output.len);
    u64 first = word_at(args, 0);
    if (selector == 0x4e487b71 && args.len >= WORD) {
        for (usize i = 0; i < KL_COUNT_OF(panics); i++)
            if (panics[i].code == first) {
                snprintf(out, size, "%s", panics[i].text);
                return true;
            }
        snprintf(out, size, "unknown panic code: %#llx", (unsigned long long)first);
        return true;
    }
    if (selector != 0x08c379a0 || first > args.len)
        return false;
    u64 len = word_at(args, (usize)first);
    kl_span text = kl_span_sub(args, (usize)first + WORD, (usize)KL_MIN(len, (u64)args.len));
    if (len != text.len)
        return false;
    snprintf(out, size, "%.*s", (int)KL_MIN(text.len, size), (const char *)text.p);
    return true;
}

#include "codec/abi.h"

static const u8 zeros[KL_ABI_WORD];

static kl_rule word(kl_span tuple, usize place, const u8 **out)
{
    if (place >= tuple.len / KL_ABI_WORD)
        return KL_RULE_ABI_SHORT;
    *out = tuple.p + place * KL_ABI_WORD;
    return KL_RULE_NONE;
}

kl_rule kl_abi_u64(kl_span tuple, usize place, u64 *out)
{
    const u8 *p = NULL;
    KL_JUDGE(word(tuple, place, &p));
    if (memcmp(p, zeros, KL_ABI_WORD - 8) != 0)
        return KL_RULE_ABI_VALUE;
    *out = kl_load_be64(p + KL_ABI_WORD - 8);
    return KL_RULE_NONE;
}

kl_rule kl_abi_address(kl_span tuple, usize place, kl_address *out)
{
    const u8 *p = NULL;
    KL_JUDGE(word(tuple, place, &p));
    if (memcmp(p, zeros, KL_ABI_WORD - sizeof out->b) != 0)
        return KL_RULE_ABI_VALUE;
    memcpy(out->b, p + KL_ABI_WORD - sizeof out->b, sizeof out->b);
    return KL_RULE_NONE;
}

kl_rule kl_abi_tail(kl_span tuple, usize place, kl_span *out)
{
    u64 offset = 0;
    KL_JUDGE(kl_abi_u64(tuple, place, &offset));
    if (offset >= tuple.len)
        return KL_RULE_ABI_SHORT;
    *out = kl_span_sub(tuple, (usize)offset, tuple.len);
    return KL_RULE_NONE;
}

kl_rule kl_abi_bytes(kl_span tuple, usize place, kl_span *out)
{
    kl_span tail = KL_SPAN_NONE;
    u64 len = 0;
    KL_JUDGE(kl_abi_tail(tuple, place, &tail));
    KL_JUDGE(kl_abi_u64(tail, 0, &len));
    kl_span rest = kl_span_sub(tail, KL_ABI_WORD, tail.len);
    if (len > rest.len || kl_abi_bytes_len((usize)len) - KL_ABI_WORD > rest.len)
        return KL_RULE_ABI_SHORT;
    usize padding = kl_abi_bytes_len((usize)len) - KL_ABI_WORD - (usize)len;
    if (padding && memcmp(rest.p + len, zeros, padding) != 0)
        return KL_RULE_ABI_VALUE;
    *out = kl_span_sub(rest, 0, (usize)len);
    return KL_RULE_NONE;
}

kl_rule kl_abi_array(kl_span tuple, usize place, usize *count, kl_span *elements)
{
    kl_span tail = KL_SPAN_NONE;
    u64 n = 0;
    KL_JUDGE(kl_abi_tail(tuple, place, &tail));
    KL_JUDGE(kl_abi_u64(tail, 0, &n));
    if (n > tail.len / KL_ABI_WORD - 1)
        return KL_RULE_ABI_SHORT;
    *count = (usize)n;
    *elements = kl_span_sub(tail, KL_ABI_WORD, tail.len);
    return KL_RULE_NONE;
}

void kl_abi_put_u64(kl_out *out, u64 v)
{
    kl_out_bytes(out, zeros, KL_ABI_WORD - 8);
    kl_out_be64(out, v);
}

void kl_abi_put_address(kl_out *out, const kl_address *address)
{
    kl_out_bytes(out, zeros, KL_ABI_WORD - sizeof address->b);
    kl_out_bytes(out, address->b, sizeof address->b);
}

void kl_abi_put_bytes(kl_out *out, kl_span bytes)
{
    kl_abi_put_u64(out, bytes.len);
    kl_out_span(out, bytes);
    kl_out_bytes(out, zeros, kl_abi_bytes_len(bytes.len) - KL_ABI_WORD - bytes.len);
}

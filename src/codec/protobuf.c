#include "codec/protobuf.h"

#define NUMBER_MAX ((1u << 29) - 1)

usize kl_varint_len(u64 v)
{
    usize len = 1;
    for (; v >= 0x80; v >>= 7)
        len++;
    return len;
}

void kl_varint_put(kl_out *out, u64 v)
{
    for (; v >= 0x80; v >>= 7)
        kl_out_u8(out, (u8)(v | 0x80));
    kl_out_u8(out, (u8)v);
}

kl_rule kl_varint(kl_span *from, u64 *out)
{
    u64 v = 0;
    usize i = 0;
    for (;; i++) {
        if (i == KL_VARINT_MAX)
            return KL_RULE_VARINT_WIDE;
        if (i == from->len)
            return KL_RULE_VARINT_SHORT;
        u8 b = from->p[i];
        if (i == KL_VARINT_MAX - 1 && b > 1)
            return KL_RULE_VARINT_WIDE;
        v |= (u64)(b & 0x7f) << (7 * i);
        if (b < 0x80)
            break;
    }
    *from = kl_span_sub(*from, i + 1, from->len - i - 1);
    *out = v;
    return KL_RULE_NONE;
}

/* Takes len bytes off the front. */
static kl_rule take(kl_span *from, u64 len, kl_span *out)
{
    if (len > from->len)
        return KL_RULE_PB_SHORT;
    *out = kl_span_sub(*from, 0, (usize)len);
    *from = kl_span_sub(*from, (usize)len, from->len - (usize)len);
    return KL_RULE_NONE;
}

static kl_rule value_of(kl_span *rest, kl_pb_field *field)
{
    u64 len;
    kl_span passed;
    switch (field->wire) {
    case KL_PB_VARINT:
        return kl_varint(rest, &field->value);
    case KL_PB_BYTES:
        KL_JUDGE(kl_varint(rest, &len));
        return take(rest, len, &field->bytes);
    case KL_PB_FIXED64:
        return take(rest, 8, &passed);
    case KL_PB_FIXED32:
        return take(rest, 4, &passed);
    }
    return KL_RULE_PB_FIELD;
}

kl_rule kl_pb_next(kl_span *from, kl_pb_field *out)
{
    kl_span rest = *from;
    u64 key;
    KL_JUDGE(kl_varint(&rest, &key));
    u64 number = key >> 3;
    if (number == 0 || number > NUMBER_MAX)
        return KL_RULE_PB_FIELD;
    kl_pb_field field = {.number = (u32)number, .wire = (kl_pb_wire)(key & 7)};
    KL_JUDGE(value_of(&rest, &field));
    *from = rest;
    *out = field;
    return KL_RULE_NONE;
}

static void put_key(kl_out *out, u32 number, kl_pb_wire wire)
{
    KL_ASSERT(number > 0 && number <= NUMBER_MAX);
    kl_varint_put(out, (u64)number << 3 | (u64)wire);
}

void kl_pb_put_u64(kl_out *out, u32 number, u64 v)
{
    put_key(out, number, KL_PB_VARINT);
    kl_varint_put(out, v);
}

void kl_pb_put_head(kl_out *out, u32 number, usize len)
{
    put_key(out, number, KL_PB_BYTES);
    kl_varint_put(out, len);
}

void kl_pb_put_bytes(kl_out *out, u32 number, kl_span bytes)
{
    kl_pb_put_head(out, number, bytes.len);
    kl_out_span(out, bytes);
}

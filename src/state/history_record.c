/* The log's checksums have passed when these bytes are read, so bytes that do not parse are damage
 * all the same, and every length is checked. */
#include "state/history_record_priv.h"

enum { ENTRY_HEADER = 6, FLAG_LAST = 1 };

void kl_history_part_begin(struct kl_buf *out, u64 version, u32 part)
{
    kl_buf_clear(out);
    u8 head[KL_HISTORY_FIRST] = {0};
    kl_store_be64(head, version);
    kl_store_be32(head + 8, part);
    kl_buf_bytes(out, head, sizeof head);
}

void kl_history_part_add(struct kl_buf *out, const kl_old *old)
{
    u8 head[ENTRY_HEADER] = {old->table, (u8)(old->key.len - 1)};
    kl_store_be32(head + 2, old->gone ? 0 : (u32)old->value.len + 1);
    kl_buf_bytes(out, head, sizeof head);
    kl_buf_span(out, old->key);
    if (!old->gone)
        kl_buf_span(out, old->value);
}

void kl_history_part_end(struct kl_buf *out, bool last)
{
    if (!out->failed)
        out->p[KL_HISTORY_FIRST - 1] = last ? FLAG_LAST : 0;
}

kl_status kl_history_part_read(kl_history_part *out, kl_span payload)
{
    if (payload.len < KL_HISTORY_FIRST || payload.p[KL_HISTORY_FIRST - 1] > FLAG_LAST)
        return KL_CORRUPT;
    *out = (kl_history_part){
        .version = kl_load_be64(payload.p),
        .part = kl_load_be32(payload.p + 8),
        .last = payload.p[KL_HISTORY_FIRST - 1],
        .entries = kl_span_sub(payload, KL_HISTORY_FIRST, SIZE_MAX),
    };
    return KL_OK;
}

kl_status kl_history_part_next(kl_span *entries, kl_old *out)
{
    if (entries->len == 0)
        return KL_NOTFOUND;
    if (entries->len < ENTRY_HEADER)
        return KL_CORRUPT;
    usize key_len = entries->p[1] + 1u, size = kl_load_be32(entries->p + 2);
    usize value_len = size ? size - 1 : 0, all = ENTRY_HEADER + key_len + value_len;
    if (all > entries->len || value_len > KL_KV_VALUE_MAX)
        return KL_CORRUPT;
    *out = (kl_old){
        .table = entries->p[0],
        .gone = size == 0,
        .key = kl_span_of(entries->p + ENTRY_HEADER, key_len),
        .value = kl_span_of(entries->p + ENTRY_HEADER + key_len, value_len),
    };
    *entries = kl_span_sub(*entries, all, SIZE_MAX);
    return KL_OK;
}

static u64 mix(u64 a, u64 b)
{
    u128 product = (u128)a * b;
    return (u64)product ^ (u64)(product >> 64);
}

u64 kl_history_hash(kl_table table, kl_span key)
{
    u64 h = mix(table + 0x9e3779b97f4a7c15u, key.len + 0xe7037ed1a0b428dbu);
    for (usize i = 0; i < key.len; i += 8) {
        u8 word[8] = {0};
        memcpy(word, key.p + i, KL_MIN(key.len - i, sizeof word));
        h = mix(h ^ kl_load_le64(word), 0xa0761d6478bd642fu);
    }
    return mix(h, 0xd6e8feb86659fd93u);
}

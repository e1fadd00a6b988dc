/* The part of the key-value interface that is the same over every backend: limits, and the checksum
 * that makes a damaged value visible.
 *
 * A stored value is the user's bytes and, behind them, 4 bytes: the CRC-32C, big-endian, over the
 * table, the key's length (2 bytes), the key and the user's bytes.  A value found under the wrong
 * key or in the wrong table is therefore damaged too. */
#include "store/kv.h"

#include "crypto/digest.h"

enum { CHECKSUM_LEN = 4 };

static u32 checksum(kl_table table, kl_span key, kl_span value)
{
    u8 place[3] = {table};
    kl_store_be16(place + 1, (u16)key.len);
    u32 crc = kl_crc32c(0, KL_SPAN_OF(place));
    return kl_crc32c(kl_crc32c(crc, key), value);
}

/* Checks a stored value and sets *value to the user's bytes of it. */
static kl_status unwrap(kl_table table, kl_span key, kl_span stored, kl_span *value)
{
    if (key.len > KL_KV_KEY_MAX || stored.len < CHECKSUM_LEN)
        return KL_CORRUPT;
    kl_span bytes = kl_span_of(stored.p, stored.len - CHECKSUM_LEN);
    if (checksum(table, key, bytes) != kl_load_be32(stored.p + bytes.len))
        return KL_CORRUPT;
    *value = bytes;
    return KL_OK;
}

static bool key_fits(kl_table table, kl_span key)
{
    return table < KL_KV_TABLE_MAX && key.len >= 1 && key.len <= KL_KV_KEY_MAX;
}

kl_status kl_kv_begin_read(struct kl_kv *kv, struct kl_kv_read **out)
{
    return kv->ops->begin_read(kv, out);
}

void kl_kv_end_read(struct kl_kv_read *read)
{
    if (read)
        read->kv->ops->end_read(read);
}

kl_status kl_kv_get(struct kl_kv_read *read, kl_table table, kl_span key, kl_span *value)
{
    KL_ASSERT(key_fits(table, key));
    kl_span stored;
    KL_TRY(read->kv->ops->get(read, table, key, &stored));
    return unwrap(table, key, stored, value);
}

kl_status kl_kv_cursor_open(struct kl_kv_read *read, kl_table table, struct kl_kv_cursor **out)
{
    KL_ASSERT(table < KL_KV_TABLE_MAX);
    return read->kv->ops->cursor_open(read, table, out);
}

kl_status kl_kv_cursor_seek(struct kl_kv_cursor *cursor, kl_span key, kl_span *k, kl_span *v)
{
    KL_ASSERT(key.len <= KL_KV_KEY_MAX);
    kl_span found, stored, value;
    KL_TRY(cursor->kv->ops->cursor_seek(cursor, key, &found, &stored));
    *k = found;
    KL_TRY(unwrap(cursor->table, found, stored, &value));
    *v = value;
    return KL_OK;
}

kl_status kl_kv_cursor_next(struct kl_kv_cursor *cursor, kl_span *k, kl_span *v)
{
    kl_span found, stored, value;
    KL_TRY(cursor->kv->ops->cursor_next(cursor, &found, &stored));
    *k = found;
    KL_TRY(unwrap(cursor->table, found, stored, &value));
    *v = value;
    return KL_OK;
}

void kl_kv_cursor_close(struct kl_kv_cursor *cursor)
{
    if (cursor)
        cursor->kv->ops->cursor_close(cursor);
}

kl_status kl_kv_begin_write(struct kl_kv *kv, struct kl_kv_write **out)
{
    return kv->ops->begin_write(kv, out);
}

/* Remembers that the transaction is lost when status says so. */
static kl_status note(struct kl_kv_write *write, kl_status status)
{
    write->broken |= status != KL_OK && status != KL_NOTFOUND;
    return status;
}

kl_status kl_kv_put(struct kl_kv_write *write, kl_table table, kl_span key, kl_span value)
{
    KL_ASSERT(key_fits(table, key) && !write->broken);
    if (value.len > KL_KV_VALUE_MAX)
        return note(write, KL_LIMIT);
    u8 *room;
    KL_TRY(
        note(write, write->kv->ops->reserve(write, table, key, value.len + CHECKSUM_LEN, &room)));
    if (value.len)
        memcpy(room, value.p, value.len);
    kl_store_be32(room + value.len, checksum(table, key, value));
    return KL_OK;
}

kl_status kl_kv_del(struct kl_kv_write *write, kl_table table, kl_span key)
{
    KL_ASSERT(key_fits(table, key) && !write->broken);
    return note(write, write->kv->ops->del(write, table, key));
}

kl_status kl_kv_get_in_write(struct kl_kv_write *write, kl_table table, kl_span key, kl_span *value)
{
    KL_ASSERT(key_fits(table, key) && !write->broken);
    kl_span stored;
    KL_TRY(note(write, write->kv->ops->get_in_write(write, table, key, &stored)));
    return note(write, unwrap(table, key, stored, value));
}

kl_status kl_kv_commit(struct kl_kv_write *write)
{
    KL_ASSERT(!write->broken);
    return write->kv->ops->commit(write);
}

void kl_kv_abort(struct kl_kv_write *write)
{
    if (write)
        write->kv->ops->abort(write);
}

kl_status kl_kv_bytes(struct kl_kv *kv, u64 *out)
{
    return kv->ops->bytes(kv, out);
}

void kl_kv_close(struct kl_kv *kv)
{
    if (kv)
        kv->ops->close(kv);
}

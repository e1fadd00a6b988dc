#include <stdlib.h>

#include "base/test.h"
#include "store/kv.h"
#include "store/kv_twin.h"
#include "store/memkv.h"

static struct kl_kv *new_memkv(usize tables)
{
    struct kl_kv *kv;
    CHECK_OK(kl_memkv_open(&kv, tables));
    return kv;
}

static kl_span key_of_number(u8 key[8], u64 n)
{
    kl_store_be64(key, n);
    return kl_span_of(key, 8);
}

KL_TEST(memkv_agrees_with_its_twin)
{
    struct kl_kv *kv = new_memkv(3);
    kl_kv_twin_run(kv, 3, 200, seed);
    kl_kv_close(kv);
}

KL_TEST(memkv_snapshots_add_up_beside_a_writer)
{
    struct kl_kv *kv = new_memkv(1);
    kl_kv_twin_threads(kv, 300);
    kl_kv_close(kv);
}

/* Enough keys for a tree of several levels, in, over and out again, in the given order. */
static void fill_and_empty(u64 count, u64 stride, u64 *seed)
{
    struct kl_kv *kv = new_memkv(1);
    struct kl_kv_write *write;
    u8 key[8];
    CHECK_OK(kl_kv_begin_write(kv, &write));
    for (u64 i = 0, n = kl_rand_below(seed, count); i < count; i++, n = (n + stride) % count)
        CHECK_OK(kl_kv_put(write, 0, key_of_number(key, n), KL_SPAN_OF(n)));
    CHECK_OK(kl_kv_commit(write));

    struct kl_kv_read *read;
    struct kl_kv_cursor *cursor;
    kl_span k, v;
    CHECK_OK(kl_kv_begin_read(kv, &read));
    CHECK_OK(kl_kv_cursor_open(read, 0, &cursor));
    for (u64 n = 0; n < count; n++) {
        CHECK_OK(kl_kv_cursor_next(cursor, &k, &v));
        CHECK_U64(kl_load_be64(k.p), n);
        CHECK_U64(kl_load_le64(v.p), n);
    }
    CHECK(kl_kv_cursor_next(cursor, &k, &v) == KL_NOTFOUND);
    kl_kv_cursor_close(cursor);

    CHECK_OK(kl_kv_begin_write(kv, &write));
    for (u64 i = 0, n = kl_rand_below(seed, count); i < count; i++, n = (n + stride) % count)
        CHECK_OK(kl_kv_del(write, 0, key_of_number(key, n)));
    CHECK_OK(kl_kv_commit(write));
    u64 bytes;
    CHECK_OK(kl_kv_get(read, 0, key_of_number(key, count - 1), &v));
    CHECK_OK(kl_kv_bytes(kv, &bytes));
    CHECK(bytes > count * 8);
    kl_kv_end_read(read);
    CHECK_OK(kl_kv_bytes(kv, &bytes));
    CHECK_U64(bytes, 0);
    kl_kv_close(kv);
}

KL_TEST(memkv_gives_everything_back)
{
    fill_and_empty(40000, 1, seed);
    fill_and_empty(40000, 39999, seed);
    fill_and_empty(40000, 7919, seed);
}

KL_TEST(memkv_abort_leaves_no_trace)
{
    struct kl_kv *kv = new_memkv(1);
    struct kl_kv_write *write;
    u8 key[8];
    u64 before, after;
    CHECK_OK(kl_kv_begin_write(kv, &write));
    for (u64 n = 0; n < 1000; n++)
        CHECK_OK(kl_kv_put(write, 0, key_of_number(key, n), KL_SPAN_OF(n)));
    CHECK_OK(kl_kv_commit(write));
    CHECK_OK(kl_kv_bytes(kv, &before));

    CHECK_OK(kl_kv_begin_write(kv, &write));
    for (u64 n = 0; n < 3000; n += 1 + kl_rand_below(seed, 3)) {
        CHECK_OK(kl_kv_del(write, 0, key_of_number(key, n)));
        CHECK_OK(kl_kv_put(write, 0, key_of_number(key, n * 2), KL_SPAN_OF(before)));
    }
    kl_kv_abort(write);
    CHECK_OK(kl_kv_bytes(kv, &after));
    CHECK_U64(after, before);

    struct kl_kv_read *read;
    CHECK_OK(kl_kv_begin_read(kv, &read));
    for (u64 n = 0; n < 1000; n++) {
        kl_span value;
        CHECK_OK(kl_kv_get(read, 0, key_of_number(key, n), &value));
        CHECK_U64(kl_load_le64(value.p), n);
    }
    kl_kv_end_read(read);
    kl_kv_close(kv);
}

/* A backend of one entry, whose stored bytes the test can damage. */
struct one {
    struct kl_kv kv;
    struct kl_kv_read read;
    struct kl_kv_write write;
    struct kl_kv_cursor cursor;
    u8 key[16], stored[64];
    usize key_len, stored_len;
};

static kl_status one_get(struct kl_kv_read *read, KL_UNUSED kl_table table, KL_UNUSED kl_span key,
                         kl_span *value)
{
    const struct one *one = (struct one *)read->kv;
    *value = kl_span_of(one->stored, one->stored_len);
    return KL_OK;
}

static kl_status one_get_in_write(struct kl_kv_write *write, KL_UNUSED kl_table table,
                                  KL_UNUSED kl_span key, kl_span *value)
{
    const struct one *one = (struct one *)write->kv;
    *value = kl_span_of(one->stored, one->stored_len);
    return KL_OK;
}

static kl_status one_next(struct kl_kv_cursor *cursor, kl_span *k, kl_span *v)
{
    const struct one *one = (struct one *)cursor->kv;
    *k = kl_span_of(one->key, one->key_len);
    *v = kl_span_of(one->stored, one->stored_len);
    return KL_OK;
}

static kl_status one_seek(struct kl_kv_cursor *cursor, KL_UNUSED kl_span key, kl_span *k,
                          kl_span *v)
{
    return one_next(cursor, k, v);
}

static kl_status one_reserve(struct kl_kv_write *write, KL_UNUSED kl_table table, kl_span key,
                             usize value_len, u8 **room)
{
    struct one *one = (struct one *)write->kv;
    KL_ASSERT(key.len <= sizeof one->key && value_len <= sizeof one->stored);
    memcpy(one->key, key.p, key.len);
    one->key_len = key.len;
    one->stored_len = value_len;
    *room = one->stored;
    return KL_OK;
}

static const struct kl_kv_ops one_ops = {.get = one_get,
                                         .get_in_write = one_get_in_write,
                                         .cursor_next = one_next,
                                         .cursor_seek = one_seek,
                                         .reserve = one_reserve};

static bool served(struct one *one, kl_table table, kl_span key)
{
    kl_span k, v;
    one->write.broken = false;
    one->cursor.table = table;
    kl_status got = kl_kv_get(&one->read, table, key, &v);
    CHECK(got == KL_OK || got == KL_CORRUPT);
    CHECK(kl_kv_get_in_write(&one->write, table, key, &v) == got);
    CHECK(one->write.broken == (got == KL_CORRUPT));
    if (kl_span_eq(key, kl_span_of(one->key, one->key_len))) {
        CHECK(kl_kv_cursor_next(&one->cursor, &k, &v) == got);
        CHECK(kl_kv_cursor_seek(&one->cursor, key, &k, &v) == got);
    }
    return got == KL_OK;
}

/* Every flipped bit, every lost byte, a wrong key and a wrong table are seen, by every way to read.
 */
KL_TEST(kv_finds_damaged_values)
{
    struct one one = {.kv.ops = &one_ops};
    one.read.kv = one.write.kv = one.cursor.kv = &one.kv;
    u8 key[16], value[40];
    kl_rand_fill(seed, key, sizeof key);
    kl_rand_fill(seed, value, sizeof value);
    for (usize len = 0; len <= sizeof value; len += 8) {
        CHECK_OK(kl_kv_put(&one.write, 3, KL_SPAN_OF(key), kl_span_of(value, len)));
        CHECK(served(&one, 3, KL_SPAN_OF(key)));
        CHECK(!served(&one, 2, KL_SPAN_OF(key)));
        CHECK(!served(&one, 3, kl_span_of(key, 15)));
        for (usize bit = 0; bit < one.stored_len * 8; bit++) {
            one.stored[bit / 8] ^= (u8)(1 << bit % 8);
            CHECK(!served(&one, 3, KL_SPAN_OF(key)));
            one.stored[bit / 8] ^= (u8)(1 << bit % 8);
        }
        for (usize bit = 0; bit < one.key_len * 8; bit++) {
            kl_span k, v;
            one.key[bit / 8] ^= (u8)(1 << bit % 8);
            CHECK(kl_kv_cursor_next(&one.cursor, &k, &v) == KL_CORRUPT);
            one.key[bit / 8] ^= (u8)(1 << bit % 8);
        }
        while (one.stored_len > 0) {
            one.stored_len--;
            CHECK(!served(&one, 3, KL_SPAN_OF(key)));
        }
        one.write.broken = false;
    }
}

KL_TEST(kv_refuses_values_over_the_limit)
{
    struct kl_kv *kv = new_memkv(1);
    struct kl_kv_write *write;
    u8 *value = calloc(1, KL_KV_VALUE_MAX + 1);
    KL_ASSERT(value);
    CHECK_OK(kl_kv_begin_write(kv, &write));
    CHECK_OK(kl_kv_put(write, 0, KL_SPAN_TEXT("a"), kl_span_of(value, KL_KV_VALUE_MAX)));
    CHECK(kl_kv_put(write, 0, KL_SPAN_TEXT("b"), kl_span_of(value, KL_KV_VALUE_MAX + 1)) ==
          KL_LIMIT);
    kl_kv_abort(write);
    free(value);
    kl_kv_close(kv);
}

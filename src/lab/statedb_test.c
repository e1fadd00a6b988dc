#include "lab/statedb_priv.h"

#include "base/test.h"
#include "state/state.h"

enum { KEYS = 12 };

static kl_span key_of(u8 *room, u64 n)
{
    *room = (u8)n;
    return kl_span_of(room, 1);
}

static void random_commit(struct kl_kv *kv, u64 *seed)
{
    struct kl_kv_write *write;
    CHECK_OK(kl_kv_begin_write(kv, &write));
    for (u64 n = kl_rand_below(seed, 8); n > 0; n--) {
        u8 room, value[40];
        kl_table table = (kl_table)kl_rand_below(seed, 2);
        kl_span key = key_of(&room, kl_rand_below(seed, KEYS));
        usize len = kl_rand_below(seed, sizeof value);
        kl_rand_fill(seed, value, len);
        if (kl_rand_below(seed, 3))
            CHECK_OK(kl_kv_put(write, table, key, kl_span_of(value, len)));
        else
            CHECK_OK(kl_kv_del(write, table, key));
    }
    CHECK_OK(kl_kv_commit(write));
}

/* A number for all that is in it. */
static u64 sum(struct kl_kv *kv)
{
    struct kl_kv_read *read;
    u64 sum = 0;
    CHECK_OK(kl_kv_begin_read(kv, &read));
    for (kl_table table = 0; table < 2; table++)
        for (u64 n = 0; n < KEYS; n++) {
            u8 room;
            kl_span value;
            kl_status status = kl_kv_get(read, table, key_of(&room, n), &value);
            CHECK(status == KL_OK || status == KL_NOTFOUND);
            sum = sum * 31 + (status == KL_OK);
            for (usize i = 0; status == KL_OK && i < value.len; i++)
                sum = sum * 31 + value.p[i];
        }
    kl_kv_end_read(read);
    return sum;
}

KL_TEST(statedb_loses_its_newest_commit_and_no_other)
{
    struct kl_lab_statedb *db = kl_lab_statedb_new();
    struct kl_kv *kv = kl_lab_statedb_kv(db);
    for (u32 round = 0; round < 200; round++) {
        random_commit(kv, seed);
        u64 before = sum(kv);
        random_commit(kv, seed);
        u64 after = sum(kv);
        bool loses = kl_rand_below(seed, 2);
        kl_lab_statedb_stop(db);
        struct kl_kv_write *write;
        CHECK_OK(kl_kv_begin_write(kv, &write));
        CHECK_OK(kl_kv_put(write, 0, KL_SPAN_TEXT("late"), KL_SPAN_TEXT("x")));
        CHECK(kl_kv_commit(write) == KL_IO);
        kl_lab_statedb_restart(db, loses);
        CHECK_U64(sum(kv), loses ? before : after);
        kl_lab_statedb_restart(db, true);
        CHECK_U64(sum(kv), loses ? before : after);
    }
    kl_lab_statedb_free(db);
    kl_lab_statedb_free(NULL);
}

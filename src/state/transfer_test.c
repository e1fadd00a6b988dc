/* Entries out of one database and into another. */
#include "state/transfer.h"

#include "base/test.h"
#include "state/fault_kv.h"
#include "store/kv_twin.h"

enum { ENTRIES = 3000 };

struct copying {
    struct kl_state_sink sink;
    struct kl_state_loader *loader;
    usize left;
};

static kl_status copy_entry(struct kl_state_sink *sink, kl_table table, kl_span key, kl_span value)
{
    struct copying *c = (struct copying *)sink;
    if (c->left-- == 0)
        return KL_CANCELED;
    return kl_state_load_put(c->loader, table, key, value);
}

/* A database of random entries at version 7. */
static struct kl_kv *make(u64 *seed)
{
    struct kl_kv *kv;
    struct kl_state_loader *loader;
    CHECK_OK(kl_memkv_open(&kv, KL_TABLE_COUNT));
    CHECK_OK(kl_state_load_begin(&loader, kv));
    for (usize i = 0; i < ENTRIES; i++) {
        u8 key[40], value[5000];
        usize key_len = 1 + kl_rand_below(seed, sizeof key);
        usize value_len = kl_rand_below(seed, i % 100 ? 60 : sizeof value);
        kl_table table = (kl_table)(1 + kl_rand_below(seed, KL_TABLE_COUNT - 1));
        for (usize k = 0; k < key_len; k++)
            key[k] = (u8)kl_rand(seed);
        memset(value, (int)i, value_len);
        CHECK_OK(kl_state_load_put(loader, table, kl_span_of(key, key_len),
                                   kl_span_of(value, value_len)));
    }
    CHECK_OK(kl_state_load_end(loader, 7));
    return kv;
}

/* Copies up to `left` entries; all of them, and the version, when there are not more. */
static kl_status copy(struct kl_kv *from, struct kl_kv *to, usize left)
{
    struct copying c = {.sink.entry = copy_entry, .left = left};
    const kl_state_config config = {.kv = from};
    struct kl_state *state;
    CHECK_OK(kl_state_open(&state, &config));
    CHECK_OK(kl_state_load_begin(&c.loader, to));
    kl_status status = kl_state_export(state, &c.sink);
    kl_state_close(state);
    if (status == KL_OK)
        return kl_state_load_end(c.loader, 7);
    kl_state_load_drop(c.loader);
    return status;
}

static bool is_stored(struct kl_kv *kv, u64 *version)
{
    const kl_state_config config = {.kv = kv};
    struct kl_state *state;
    kl_span anchor;
    CHECK_OK(kl_state_open(&state, &config));
    bool stored = kl_state_stored(state, version, &anchor);
    kl_state_close(state);
    return stored;
}

KL_TEST(transfer_copies_everything_over_whatever_was_there)
{
    struct kl_kv *from = make(seed), *to = make(seed);
    u64 version;
    CHECK(copy(from, to, kl_rand_below(seed, ENTRIES / 2)) == KL_CANCELED);
    CHECK(!is_stored(to, &version));
    CHECK_OK(copy(from, to, SIZE_MAX));
    CHECK(is_stored(to, &version) && version == 7);
    kl_kv_twin_same(from, to, 0, KL_TABLE_COUNT);
    kl_kv_close(from);
    kl_kv_close(to);
}

#include "evm/code.h"

#include "evm/code_priv.h"
#include "evm/evm_test_priv.h"

/* The twin: walks instruction by instruction and marks what is push data. */
static bool slow_is_jumpdest(kl_span code, usize at)
{
    usize i = 0;
    while (i < at)
        i += code.p[i] >= 0x60 && code.p[i] <= 0x7f ? code.p[i] - 0x5eu : 1;
    return i == at && at < code.len && code.p[at] == 0x5b;
}

KL_TEST(code_jump_targets_match_the_slow_walk)
{
    static const u8 likely[] = {0x5b, 0x60, 0x61, 0x7f, 0x7e, 0x00, 0x5b, 0x80};
    for (int round = 0; round < 300; round++) {
        u8 bytes[400];
        usize len = (usize)kl_rand_below(seed, sizeof bytes + 1);
        for (usize i = 0; i < len; i++)
            bytes[i] = round % 2 ? likely[kl_rand_below(seed, sizeof likely)] : (u8)kl_rand(seed);
        struct kl_code *code;
        CHECK_OK(kl_code_new(&code, kl_span_of(bytes, len)));
        CHECK_SPAN(kl_span_of(code->bytes, code->len), kl_span_of(bytes, len));
        for (usize i = 0; i < KL_CODE_PAD; i++)
            CHECK(code->bytes[len + i] == 0);
        for (usize i = 0; i < len; i++)
            CHECK((code->jumpdests[i / 64] >> i % 64 & 1) ==
                  slow_is_jumpdest(kl_span_of(bytes, len), i));
        kl_code_unref(code);
    }
}

KL_TEST(code_delegation_designator)
{
    u8 bytes[24] = {0xef, 0x01, 0x00, 0xaa, [22] = 0xbb};
    struct kl_code *code;
    CHECK_OK(kl_code_new(&code, kl_span_of(bytes, 23)));
    CHECK(code->delegates && code->delegate.b[0] == 0xaa && code->delegate.b[19] == 0xbb);
    kl_code_unref(code);
    CHECK_OK(kl_code_new(&code, kl_span_of(bytes, 24)));
    CHECK(!code->delegates);
    kl_code_unref(code);
    CHECK_OK(kl_code_new(&code, kl_span_of(bytes, 22)));
    CHECK(!code->delegates);
    kl_code_unref(code);
    bytes[2] = 1;
    CHECK_OK(kl_code_new(&code, kl_span_of(bytes, 23)));
    CHECK(!code->delegates);
    kl_code_unref(code);
    CHECK_OK(kl_code_new(&code, KL_SPAN_NONE));
    CHECK(code->len == 0 && code->bytes[0] == KL_OP_STOP);
    kl_code_unref(code);
    kl_code_unref(NULL);
}

static kl_hash hash_of(u64 n)
{
    kl_hash h = {{(u8)(n * 7)}};
    kl_store_le64(h.b + 8, n);
    return h;
}

KL_TEST(code_cache_forgets_the_least_recently_used)
{
    struct kl_code_cache *cache;
    static u8 bytes[4096];
    CHECK_OK(kl_code_cache_new(&cache, (usize)1 << 20, 7));
    for (u64 n = 0; n < 1000; n++) {
        kl_hash hash = hash_of(n), first = hash_of(0);
        struct kl_code *code;
        CHECK(!kl_code_cache_get(cache, &hash));
        CHECK_OK(kl_code_new(&code, kl_span_of(bytes, sizeof bytes)));
        kl_code_cache_put(cache, &hash, code);
        kl_code_cache_put(cache, &hash, code); /* a second time changes nothing */
        struct kl_code *got = kl_code_cache_get(cache, &hash);
        CHECK(got == code);
        kl_code_unref(got);
        kl_code_unref(code);
        struct kl_code *kept = kl_code_cache_get(cache, &first); /* used all the time: stays */
        CHECK(kept);
        kl_code_unref(kept);
    }
    usize held = 0;
    for (u64 n = 0; n < 1000; n++) {
        kl_hash hash = hash_of(n);
        struct kl_code *code = kl_code_cache_get(cache, &hash);
        held += code != NULL;
        kl_code_unref(code);
    }
    CHECK(held > 100 && held * sizeof bytes <= (usize)1 << 20);
    kl_code_cache_free(cache);
    kl_code_cache_free(NULL);
}

KL_TEST(code_cache_leaves_out_what_is_too_big)
{
    struct kl_code_cache *cache;
    struct kl_code *code;
    static u8 bytes[4096];
    kl_hash hash = hash_of(1);
    CHECK_OK(kl_code_cache_new(&cache, 16 * sizeof bytes, 7));
    CHECK_OK(kl_code_new(&code, kl_span_of(bytes, sizeof bytes)));
    kl_code_cache_put(cache, &hash, code);
    CHECK(!kl_code_cache_get(cache, &hash));
    kl_code_unref(code);
    kl_code_cache_free(cache);
}

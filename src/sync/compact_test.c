#include "sync/compact.h"

#include "base/rand.h"
#include "base/test.h"
#include "types/block.h"

enum { MOST = 200 };

static u8 room[1 << 17], body[1 << 18], again[1 << 18];

static kl_span take(usize *at, usize len, u64 *seed)
{
    u8 *p = room + *at;
    kl_rand_fill(seed, p, len);
    *at += len;
    return kl_span_of(p, len);
}

/* An envelope: a list of one string, or a type and bytes. */
static kl_span some_envelope(usize *at, u64 *seed)
{
    usize len = 2 + kl_rand_below(seed, 400);
    kl_span inner = take(at, len, seed);
    if (kl_rand_below(seed, 2)) {
        room[*at - len] = (u8)(1 + kl_rand_below(seed, 4));
        return inner;
    }
    kl_out out = kl_out_of(room + *at, len + 16);
    kl_rlp_mark list = kl_rlp_put_begin(&out);
    kl_rlp_put_bytes(&out, inner);
    kl_rlp_put_end(&out, list);
    kl_span envelope = kl_span_of(room + *at, out.len);
    *at += out.len;
    return envelope;
}

static kl_span some_list(usize *at, u64 *seed)
{
    kl_span inner = take(at, kl_rand_below(seed, 300), seed);
    kl_out out = kl_out_of(room + *at, inner.len + 16);
    kl_rlp_mark list = kl_rlp_put_begin(&out);
    kl_rlp_put_bytes(&out, inner);
    kl_rlp_put_end(&out, list);
    kl_span all = kl_span_of(room + *at, out.len);
    *at += out.len;
    return all;
}

/* Property: a body that is taken apart and joined is itself. */
KL_TEST(compact_round_trip)
{
    for (u32 n = 0; n < 100; n++) {
        usize at = 0, count = kl_rand_below(seed, MOST);
        kl_span envelopes[MOST], found;
        kl_compact compact = {.header = some_list(&at, seed),
                              .rest = kl_span_of((const u8 *)"\xc0\xc0", kl_rand_below(seed, 3)),
                              .consensus = some_list(&at, seed)},
                   got;
        kl_rlp txs;
        for (usize i = 0; i < count; i++)
            envelopes[i] = some_envelope(&at, seed);
        kl_out out = kl_out_of(body, sizeof body);
        kl_compact_join(&out, &compact, envelopes, count);
        CHECK(!out.full);
        CHECK_RULE(kl_compact_split(&got, &txs, kl_span_of(body, out.len)), KL_RULE_NONE);
        CHECK(kl_span_eq(got.header, compact.header) && kl_span_eq(got.rest, compact.rest) &&
              kl_span_eq(got.consensus, compact.consensus));
        for (usize i = 0; i < count; i++) {
            CHECK_RULE(kl_envelope_next(&txs, &found), KL_RULE_NONE);
            CHECK(kl_span_eq(found, envelopes[i]));
        }
        CHECK(kl_rlp_end(&txs) && kl_envelope_next(&txs, &found) != KL_RULE_NONE);
        kl_out second = kl_out_of(again, sizeof again);
        kl_compact_join(&second, &got, envelopes, count);
        CHECK(second.len == out.len && memcmp(body, again, out.len) == 0);
        usize cut = kl_rand_below(seed, out.len);
        CHECK(kl_compact_split(&got, &txs, kl_span_of(body, cut)) != KL_RULE_NONE);
    }
}

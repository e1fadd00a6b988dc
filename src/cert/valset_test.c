#include "cert/cert_rig_priv.h"
#include "codec/rlp.h"
#include "crypto/keccak.h"

static cert_rig rig;

/* A set of these weights under the keyed hash. */
static void weighted(const u64 *weights, u32 count)
{
    memset(&rig, 0, sizeof rig);
    rig.scheme = kl_vote_scheme_of(KL_SCHEME_KEYED_HASH, true);
    for (u32 i = 0; i < count; i++) {
        kl_store_be32(rig.validators[i].operator.b, i + 1);
        kl_store_be32(rig.validators[i].key, i + 1);
        rig.validators[i].weight = weights[i];
    }
    CHECK_RULE(kl_valset_init(&rig.set, rig.scheme, rig.validators, count), KL_RULE_NONE);
}

/* Property: for every W, two quorums share more than F, and what is not faulty is a quorum. */
KL_TEST(valset_quorums_intersect_for_every_weight)
{
    for (u64 w = 1; w <= 3000; w++) {
        weighted(&w, 1);
        u64 f = kl_valset_faulty(&rig.set), q = kl_valset_quorum(&rig.set);
        CHECK_U64(q, 2 * w / 3 + 1);
        CHECK(3 * f < w && 3 * (f + 1) >= w);
        CHECK(2 * q - w > f);
        CHECK(w - f >= q);
    }
}

/* Property, by enumeration: of small weighted sets every two quorums, as sets of validators, share
 * weight above F. */
KL_TEST(valset_quorums_of_weighted_validators_intersect)
{
    for (int round = 0; round < 300; round++) {
        u64 weights[7], count = 1 + kl_rand_below(seed, 7);
        for (u64 i = 0; i < count; i++)
            weights[i] = 1 + kl_rand_below(seed, 9);
        weighted(weights, (u32)count);
        u64 q = kl_valset_quorum(&rig.set), f = kl_valset_faulty(&rig.set), sum[128] = {0};
        for (u64 mask = 0; mask < 1u << count; mask++)
            for (u64 i = 0; i < count; i++)
                sum[mask] += mask >> i & 1 ? weights[i] : 0;
        for (u64 a = 0; a < 1u << count; a++)
            for (u64 b = 0; b < 1u << count; b++)
                CHECK(sum[a] < q || sum[b] < q || sum[a & b] > f);
    }
}

KL_TEST(valset_equal_weights_lead_in_turn)
{
    for (u32 count = 1; count <= 30; count++) {
        u64 weights[30];
        for (u32 i = 0; i < count; i++)
            weights[i] = 7;
        weighted(weights, count);
        for (u64 view = 0; view < 100; view++)
            CHECK_U64(kl_valset_leader(&rig.set, 0, view), view % count);
        CHECK_U64(kl_valset_leader(&rig.set, 0, UINT64_MAX), UINT64_MAX % count);
    }
}

/* Property: over any W / unit views in a row everybody leads exactly as often as it has weight, and
 * in any shorter row nearly so. */
KL_TEST(valset_leaders_share_by_weight)
{
    for (int round = 0; round < 60; round++) {
        u64 weights[12], led[12] = {0}, before[12] = {0};
        u32 count = 1 + (u32)kl_rand_below(seed, 12);
        u64 unit = 1 + kl_rand_below(seed, 5);
        for (u32 i = 0; i < count; i++)
            weights[i] = unit * (1 + kl_rand_below(seed, round % 2 ? 3 : 60));
        weighted(weights, count);
        u64 epoch = round % 4 ? kl_rand(seed) : 0;
        u64 places = rig.set.weight / rig.set.unit;
        CHECK(rig.set.unit % unit == 0);
        u64 start = kl_rand(seed) >> kl_rand_below(seed, 64);
        start = KL_MIN(start, UINT64_MAX - 4 * places); /* the row does not wrap */
        for (u64 i = 0; i < places; i++)
            before[kl_valset_leader(&rig.set, epoch, start + i)]++;
        for (u32 i = 0; i < count; i++)
            CHECK_U64(before[i], weights[i] / rig.set.unit);
        for (u64 n = 1; n <= 2 * places; n++) {
            led[kl_valset_leader(&rig.set, epoch, start + n - 1)]++;
            for (u32 i = 0; i < count; i++) { /* |led - n w / W| */
                u64 got = led[i] * rig.set.weight, fair = n * weights[i];
                u64 off = got > fair ? got - fair : fair - got;
                CHECK(off < 4 * rig.set.weight);
            }
        }
    }
}

/* Property: over many short epochs, of a length that need not fit the round, everybody leads about
 * by weight too. */
KL_TEST(valset_short_epochs_leave_nobody_out)
{
    for (int round = 0; round < 40; round++) {
        u64 weights[21], led[21] = {0}, length = 1 + kl_rand_below(seed, 12), epochs = 4000;
        for (u32 i = 0; i < 21; i++)
            weights[i] = round % 2 ? 1 : 1 + kl_rand_below(seed, 9);
        weighted(weights, 21);
        for (u64 e = 0; e < epochs; e++) {
            for (u64 view = 1; view <= length; view++)
                led[kl_valset_leader(&rig.set, e, view)]++;
        }
        for (u32 i = 0; i < 21; i++) { /* within a twentieth, and a few */
            u64 got = led[i] * rig.set.weight, fair = epochs * length * weights[i];
            u64 off = got > fair ? got - fair : fair - got;
            CHECK(off < fair / 20 + 20 * length * rig.set.weight);
        }
    }
}

KL_TEST(valset_leaders_of_the_greatest_weights)
{
    u64 weights[3] = {KL_WEIGHT_MAX - 3, 1, 2};
    weighted(weights, 3);
    CHECK_U64(rig.set.weight, KL_WEIGHT_MAX);
    for (u64 i = 0; i < 1000; i++) {
        CHECK(kl_valset_leader(&rig.set, kl_rand(seed), kl_rand(seed)) < 3);
    }
}

KL_TEST(valset_judges_what_it_is_made_of)
{
    kl_valset set;
    kl_validator v[3] = {{.weight = 1}, {.weight = 1}, {.weight = 1}};
    const kl_vote_scheme *scheme = kl_vote_scheme_of(KL_SCHEME_SECP256K1, false);
    for (u32 i = 0; i < 3; i++)
        v[i].operator.b[0] = v[i].key[0] =(u8)(i + 1);
    CHECK_RULE(kl_valset_init(&set, scheme, v, 0), KL_RULE_VALSET_EMPTY);
    CHECK_RULE(kl_valset_init(&set, scheme, v, KL_VALIDATORS_MAX + 1), KL_RULE_VALSET_SIZE);
    CHECK_RULE(kl_valset_init(&set, scheme, v, 3), KL_RULE_NONE);
    static const u8 nobody[KL_VOTE_KEY_MAX] = {4};
    u32 place = 7;
    CHECK(!kl_valset_find(&set, nobody, &place) && place == 7);
    CHECK(kl_valset_find(&set, v[1].key, &place) && place == 1);
    v[1].weight = 0;
    CHECK_RULE(kl_valset_init(&set, scheme, v, 3), KL_RULE_VALSET_WEIGHT);
    v[1].weight = KL_WEIGHT_MAX - 2;
    CHECK_RULE(kl_valset_init(&set, scheme, v, 3), KL_RULE_NONE);
    v[1].weight++;
    CHECK_RULE(kl_valset_init(&set, scheme, v, 3), KL_RULE_VALSET_WEIGHT);
    v[1].weight = UINT64_MAX; /* the sum would wrap */
    CHECK_RULE(kl_valset_init(&set, scheme, v, 3), KL_RULE_VALSET_WEIGHT);
    v[1].weight = 1;
    v[2].operator= v[0].operator;
    CHECK_RULE(kl_valset_init(&set, scheme, v, 3), KL_RULE_VALSET_TWICE);
    v[2].operator.b[0] = 9;
    v[2].key[0] = 2;
    CHECK_RULE(kl_valset_init(&set, scheme, v, 3), KL_RULE_VALSET_TWICE);
}

enum { SET_RLP_MAX = 40000 };

/* Property: a set comes back; its hash is that of its bytes; every truncation and every longer
 * input is refused; what a damaged one decodes to writes back the same bytes. */
KL_TEST(valset_round_trips_and_has_no_second_encoding)
{
    static u8 room[SET_RLP_MAX + 1], again[SET_RLP_MAX];
    struct kl_arena arena;
    kl_arena_init(&arena, 16 << 20);
    for (unsigned round = 0; round < 60; round++) {
        kl_valset back;
        kl_rule broken = KL_RULE_COUNT;
        u32 count = round ? 1 + (u32)kl_rand_below(seed, 40) : KL_VALIDATORS_MAX;
        cert_rig_init(&rig, cert_schemes[round % 3 == 1 ? 0 : 2], count, 1000, seed);
        kl_out out = kl_out_of(room, SET_RLP_MAX), copy;
        kl_valset_encode(&out, &rig.set);
        CHECK(!out.full);
        kl_hash hash = kl_keccak256(kl_out_done(&out));
        CHECK(kl_hash_eq(&hash, &rig.set.hash));
        CHECK_OK(kl_valset_decode(&back, kl_out_done(&out), true, &arena, &broken));
        CHECK_RULE(broken, KL_RULE_NONE);
        CHECK(kl_hash_eq(&back.hash, &rig.set.hash) && back.weight == rig.set.weight);
        CHECK(back.scheme == rig.scheme && back.stride == rig.set.stride);
        for (usize len = 0; len < out.len; len += 1 + out.len / 200) {
            CHECK_OK(kl_valset_decode(&back, kl_span_of(room, len), true, &arena, &broken));
            CHECK(broken != KL_RULE_NONE);
        }
        room[out.len] = 0x01;
        CHECK_OK(kl_valset_decode(&back, kl_span_of(room, out.len + 1), true, &arena, &broken));
        CHECK(broken != KL_RULE_NONE);
        for (int i = 0; i < 200; i++) {
            u64 at = kl_rand_below(seed, out.len);
            u8 was = room[at];
            kl_arena_reset(&arena, 1 << 20);
            room[at] = (u8)kl_rand(seed);
            CHECK_OK(kl_valset_decode(&back, kl_out_done(&out), true, &arena, &broken));
            if (broken == KL_RULE_NONE) {
                copy = kl_out_of(again, sizeof again);
                kl_valset_encode(&copy, &back);
                CHECK_SPAN(kl_out_done(&copy), kl_out_done(&out));
                CHECK(room[at] == was || !kl_hash_eq(&back.hash, &hash));
            }
            room[at] = was;
        }
        kl_arena_reset(&arena, 1 << 20);
    }
    kl_arena_done(&arena);
}

KL_TEST(valset_decoder_refuses)
{
    struct kl_arena arena, nothing;
    kl_arena_init(&arena, 1 << 20);
    kl_arena_init(&nothing, 0);
    kl_valset back;
    kl_rule broken;
    static u8 room[SET_RLP_MAX];
    cert_rig_init(&rig, KL_SCHEME_KEYED_HASH, 4, 3, seed);
    kl_out out = kl_out_of(room, sizeof room);
    kl_valset_encode(&out, &rig.set);
    kl_span bytes = kl_out_done(&out);
    CHECK_OK(kl_valset_decode(&back, bytes, false, &arena, &broken)); /* a chain may not name it */
    CHECK_RULE(broken, KL_RULE_VALSET_SCHEME);
    CHECK(kl_valset_decode(&back, bytes, true, &nothing, &broken) == KL_NOMEM);
    CHECK_OK(kl_valset_decode(&back, kl_test_hex("c201c0"), true, &arena, &broken));
    CHECK_RULE(broken, KL_RULE_VALSET_EMPTY);
    CHECK_OK(kl_valset_decode(&back, kl_test_hex("c280c0"), true, &arena, &broken));
    CHECK_RULE(broken, KL_RULE_VALSET_SCHEME);
    CHECK_OK(kl_valset_decode(&back, kl_test_hex("c4820101c0"), true, &arena, &broken));
    CHECK_RULE(broken, KL_RULE_VALSET_SCHEME);
    out = kl_out_of(room, sizeof room);
    kl_rlp_mark list = kl_rlp_put_begin(&out);
    kl_rlp_put_u64(&out, 1);
    kl_rlp_mark many = kl_rlp_put_begin(&out);
    for (int i = 0; i <= KL_VALIDATORS_MAX; i++)
        kl_out_u8(&out, 0xc0);
    kl_rlp_put_end(&out, many);
    kl_rlp_put_end(&out, list);
    CHECK_OK(kl_valset_decode(&back, kl_out_done(&out), true, &arena, &broken));
    CHECK_RULE(broken, KL_RULE_VALSET_SIZE);
    kl_arena_done(&nothing);
    kl_arena_done(&arena);
}

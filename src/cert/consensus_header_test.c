#include "cert/cert_rig_priv.h"
#include "codec/rlp.h"
#include "crypto/keccak.h"

static kl_consensus_header random_header(bool genesis, u64 *seed)
{
    kl_consensus_header h = {.version = KL_CONSENSUS_VERSION, .is_genesis = genesis};
    h.time_ms = kl_rand(seed) >> kl_rand_below(seed, 64);
    h.fork_signal = kl_rand(seed) >> kl_rand_below(seed, 64);
    kl_rand_fill(seed, h.next_set_hash.b, 32);
    kl_rand_fill(seed, h.outbox_root.b, 32);
    if (genesis) {
        kl_rand_fill(seed, h.config_hash.b, 32);
        return h;
    }
    h.epoch = kl_rand(seed) >> kl_rand_below(seed, 64);
    h.view = (kl_rand(seed) >> kl_rand_below(seed, 63)) | 1;
    h.parent_view = kl_rand_below(seed, h.view);
    h.has_randao_proof = true;
    kl_rand_fill(seed, h.randao_proof, sizeof h.randao_proof);
    return h;
}

static kl_rule round_trip(const kl_consensus_header *h)
{
    u8 room[KL_CONSENSUS_HEADER_RLP_MAX], again[KL_CONSENSUS_HEADER_RLP_MAX];
    kl_consensus_header back;
    kl_out out = kl_out_of(room, sizeof room), copy = kl_out_of(again, sizeof again);
    kl_consensus_header_encode(&out, h);
    CHECK(!out.full);
    KL_JUDGE(kl_consensus_header_decode(&back, kl_out_done(&out)));
    kl_consensus_header_encode(&copy, &back);
    CHECK_SPAN(kl_out_done(&copy), kl_out_done(&out));
    return KL_RULE_NONE;
}

KL_TEST(consensus_header_is_drawn_in_the_header)
{
    kl_consensus_header h = {.version = 1,
                             .epoch = 2,
                             .view = 300,
                             .parent_view = 3,
                             .time_ms = 0x10000,
                             .fork_signal = 5,
                             .has_randao_proof = true};
    memset(h.next_set_hash.b, 0xaa, 32);
    memset(h.randao_proof, 0xbb, 96);
    memset(h.outbox_root.b, 0xcc, 32);
    u8 room[KL_CONSENSUS_HEADER_RLP_MAX];
    kl_out out = kl_out_of(room, sizeof room);
    kl_consensus_header_encode(&out, &h);
    CHECK_HEX(kl_out_done(&out),
              "f8af 01 02 82012c 03 83010000"
              "a0aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
              "b860"
              "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"
              "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"
              "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"
              "05 a0cccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccc");
    kl_hash hash = kl_consensus_header_hash(&h), want = kl_keccak256(kl_out_done(&out));
    CHECK(kl_hash_eq(&hash, &want));
}

/* Property: both forms come back; no truncation decodes; what a damaged one decodes to writes back
 * the same bytes; and any change changes the hash. */
KL_TEST(consensus_header_round_trips_and_has_no_second_encoding)
{
    unsigned survived = 0;
    for (unsigned i = 0; i < 5000; i++) {
        kl_consensus_header h = random_header(i % 4 == 0, seed), back;
        u8 room[KL_CONSENSUS_HEADER_RLP_MAX + 1] = {0}, again[KL_CONSENSUS_HEADER_RLP_MAX];
        kl_out out = kl_out_of(room, KL_CONSENSUS_HEADER_RLP_MAX), copy;
        kl_consensus_header_encode(&out, &h);
        CHECK_RULE(round_trip(&h), KL_RULE_NONE);
        for (usize len = 0; i < 20 && len < out.len; len++)
            CHECK(kl_consensus_header_decode(&back, kl_span_of(room, len)) != KL_RULE_NONE);
        CHECK_RULE(kl_consensus_header_decode(&back, kl_span_of(room, out.len + 1)),
                   KL_RULE_RLP_TRAILING);
        u64 at = kl_rand_below(seed, i % 2 ? out.len : 40);
        u8 was = room[at];
        room[at] = (u8)kl_rand(seed);
        if (kl_consensus_header_decode(&back, kl_out_done(&out)) != KL_RULE_NONE)
            continue;
        survived++;
        copy = kl_out_of(again, sizeof again);
        kl_consensus_header_encode(&copy, &back);
        CHECK_SPAN(kl_out_done(&copy), kl_out_done(&out));
        kl_hash a = kl_consensus_header_hash(&h), b = kl_consensus_header_hash(&back);
        CHECK(kl_hash_eq(&a, &b) == (room[at] == was));
    }
    CHECK(survived > 1500);
}

KL_TEST(consensus_header_of_a_genesis_and_of_others)
{
    kl_consensus_header genesis = random_header(true, seed), later = random_header(false, seed), h;
#define BAD(of, change, rule)             \
    do {                                  \
        h = of;                           \
        change;                           \
        CHECK_RULE(round_trip(&h), rule); \
    } while (0)
    BAD(genesis, (void)0, KL_RULE_NONE);
    BAD(later, (void)0, KL_RULE_NONE);
    BAD(genesis, h.version = 2, KL_RULE_CONSENSUS_VERSION);
    BAD(later, h.version = 0, KL_RULE_CONSENSUS_VERSION);
    BAD(genesis, h.epoch = 1, KL_RULE_CONSENSUS_FORM);
    BAD(genesis, h.view = 1, KL_RULE_CONSENSUS_FORM);
    BAD(genesis, h.parent_view = 1, KL_RULE_CONSENSUS_FORM);
    BAD(genesis, h.has_randao_proof = true, KL_RULE_CONSENSUS_FORM);
    BAD(genesis, memset(&h.next_set_hash, 0, 32), KL_RULE_CONSENSUS_FORM);
    BAD(genesis, h.is_genesis = false, KL_RULE_CONSENSUS_FORM);
    BAD(later, h.is_genesis = true, KL_RULE_CONSENSUS_FORM);
    BAD(later, h.has_randao_proof = false, KL_RULE_CONSENSUS_FORM);
    BAD(later, h.view = h.parent_view, KL_RULE_CONSENSUS_FORM);
    BAD(later, memset(&h.next_set_hash, 0, 32), KL_RULE_NONE);
#undef BAD
}

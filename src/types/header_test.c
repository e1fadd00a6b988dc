#include "types/header.h"

#include "base/test.h"
#include "codec/rlp.h"

static void random_header(kl_header *h, u64 *seed, u8 tail)
{
    kl_rand_fill(seed, h, sizeof *h);
    h->extra_len = (u8)kl_rand_below(seed, KL_EXTRA_DATA_MAX + 1);
    h->number >>= kl_rand_below(seed, 64);
    h->gas_limit >>= kl_rand_below(seed, 64);
    h->difficulty = kl_u256_shr(h->difficulty, kl_rand_below(seed, 257));
    h->base_fee = kl_u256_shr(h->base_fee, kl_rand_below(seed, 257));
    h->tail = tail;
}

static const u8 tails[] = {0, 1, 2, 5, 6};

KL_TEST(header_tail_follows_the_fork)
{
    CHECK_U64(kl_header_tail(KL_FRONTIER), 0);
    CHECK_U64(kl_header_tail(KL_BERLIN), 0);
    CHECK_U64(kl_header_tail(KL_LONDON), 1);
    CHECK_U64(kl_header_tail(KL_PARIS), 1);
    CHECK_U64(kl_header_tail(KL_SHANGHAI), 2);
    CHECK_U64(kl_header_tail(KL_CANCUN), 5);
    CHECK_U64(kl_header_tail(KL_PRAGUE), 6);
    CHECK_U64(kl_header_tail(KL_FORK_NEWEST), 6);
}

/* Property: every form round-trips, and what a damaged one decodes to writes back the same. */
KL_TEST(header_round_trips_and_has_no_second_encoding)
{
    unsigned survived = 0;
    for (int i = 0; i < 20000; i++) {
        kl_header h, back;
        u8 room[KL_HEADER_RLP_MAX], again[KL_HEADER_RLP_MAX];
        random_header(&h, seed, tails[kl_rand_below(seed, sizeof tails)]);
        kl_out out = kl_out_of(room, sizeof room), copy = kl_out_of(again, sizeof again);
        kl_header_encode(&out, &h);
        CHECK(!out.full);
        CHECK_RULE(kl_header_decode(&back, kl_out_done(&out)), KL_RULE_NONE);
        kl_header_encode(&copy, &back);
        CHECK_SPAN(kl_out_done(&copy), kl_out_done(&out));
        CHECK(back.tail == h.tail && back.number == h.number && back.timestamp == h.timestamp);
        u64 from = kl_rand(seed) & 1 ? out.len - kl_rand_below(seed, out.len / 2) - 1
                                     : kl_rand_below(seed, out.len);
        room[from] = (u8)kl_rand(seed);
        if (kl_header_decode(&back, kl_out_done(&out)) != KL_RULE_NONE)
            continue;
        survived++;
        copy = kl_out_of(again, sizeof again);
        kl_header_encode(&copy, &back);
        CHECK_SPAN(kl_out_done(&copy), kl_out_done(&out));
    }
    CHECK(survived > 5000);
}

/* Property: of all numbers of fields from 0 to 22 only the five that forks have are accepted. */
KL_TEST(header_has_a_known_number_of_fields)
{
    kl_header h;
    random_header(&h, seed, 6);
    u8 room[KL_HEADER_RLP_MAX], cut[KL_HEADER_RLP_MAX];
    kl_out out = kl_out_of(room, sizeof room);
    kl_header_encode(&out, &h);
    for (usize count = 0; count <= 22; count++) {
        kl_rlp items;
        CHECK_RULE(kl_rlp_open(&items, kl_out_done(&out)), KL_RULE_NONE);
        kl_out some = kl_out_of(cut, sizeof cut);
        kl_rlp_mark list = kl_rlp_put_begin(&some);
        for (usize i = 0; i < count; i++) {
            kl_span item = kl_test_hex("01");
            bool is_list;
            if (i < 21)
                CHECK_RULE(kl_rlp_item(&items, &item, &is_list), KL_RULE_NONE);
            kl_out_span(&some, item);
        }
        kl_rlp_put_end(&some, list);
        bool known = count == 15 || count == 16 || count == 17 || count == 20 || count == 21;
        CHECK_RULE(kl_header_decode(&h, kl_out_done(&some)),
                   known ? KL_RULE_NONE : KL_RULE_RLP_COUNT);
    }
}

KL_TEST(header_extra_data_has_a_limit)
{
    kl_header h = {.extra_len = KL_EXTRA_DATA_MAX}, back;
    u8 room[KL_HEADER_RLP_MAX], more[KL_HEADER_RLP_MAX];
    kl_out out = kl_out_of(room, sizeof room);
    kl_header_encode(&out, &h);
    CHECK_RULE(kl_header_decode(&back, kl_out_done(&out)), KL_RULE_NONE);
    kl_rlp items;
    CHECK_RULE(kl_rlp_open(&items, kl_out_done(&out)), KL_RULE_NONE);
    kl_out longer = kl_out_of(more, sizeof more);
    kl_rlp_mark list = kl_rlp_put_begin(&longer);
    for (usize i = 0; !kl_rlp_end(&items); i++) {
        u8 extra[KL_EXTRA_DATA_MAX + 1] = {0};
        kl_span item;
        bool is_list;
        CHECK_RULE(kl_rlp_item(&items, &item, &is_list), KL_RULE_NONE);
        if (i == 12)
            kl_rlp_put_bytes(&longer, KL_SPAN_OF(extra));
        else
            kl_out_span(&longer, item);
    }
    kl_rlp_put_end(&longer, list);
    CHECK_RULE(kl_header_decode(&back, kl_out_done(&longer)), KL_RULE_HEADER_EXTRA_DATA);
}

/* Mainnet's genesis. */
KL_TEST(header_hash_of_mainnets_first_block)
{
    kl_header h = {
        .difficulty = kl_u256_of(0x400000000),
        .gas_limit = 5000,
        .nonce = {0, 0, 0, 0, 0, 0, 0, 0x42},
        .extra_len = 32,
    };
    memcpy(h.extra_data,
           kl_test_hex("11bbe8db4e347b4e8c937c1c8370e4b5ed33adb3db69cbdb7a38e1e50b1b82fa").p, 32);
    memcpy(h.ommers_hash.b,
           kl_test_hex("1dcc4de8dec75d7aab85b567b6ccd41ad312451b948a7413f0a142fd40d49347").p, 32);
    memcpy(h.state_root.b,
           kl_test_hex("d7f8974fb5ac78d9ac099b9ad5018bedc2ce0a72dad1827a1709da30580f0544").p, 32);
    memcpy(h.transactions_root.b,
           kl_test_hex("56e81f171bcc55a6ff8345e692c0f86e5b48e01b996cadc001622fb5e363b421").p, 32);
    h.receipts_root = h.transactions_root;
    kl_hash hash = kl_header_hash(&h);
    CHECK_HEX(kl_hash_span(&hash),
              "d4e56740f876aef8c010b86a40d5f56745a118d0906a34e69aec8c0db1cb8fa3");
}

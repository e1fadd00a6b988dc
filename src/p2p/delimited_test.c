#include "p2p/delimited.h"

#include "base/test.h"
#include "codec/protobuf.h"

enum { MESSAGES = 300, MAX = 700 };

/* Messages of any length come out as they went in, wherever their bytes are cut. */
KL_TEST(delimited_round_trip)
{
    static u8 room[MESSAGES * (MAX + 2)], want[MESSAGES * (MAX + 2)];
    usize at = 0, heard = 0;
    kl_out out = kl_out_of(room, sizeof room), all = kl_out_of(want, sizeof want);
    for (int i = 0; i < MESSAGES; i++) {
        u8 text[MAX];
        usize len = kl_rand(seed) % 3 ? kl_rand_below(seed, MAX + 1) : kl_rand_below(seed, 3);
        kl_rand_fill(seed, text, sizeof text);
        kl_varint_put(&out, len);
        kl_out_bytes(&out, text, len);
        kl_out_bytes(&all, text, len);
    }
    struct kl_delimited d;
    kl_delimited_init(&d, MAX);
    int messages = 0;
    for (usize sent = 0, len; sent < out.len; sent += len) {
        usize some = kl_rand(seed) % 4 ? 1 + kl_rand_below(seed, 3 * MAX) : 1;
        len = KL_MIN(out.len - sent, some);
        kl_span in = kl_span_of(room + sent, len), message;
        while (in.len) {
            bool whole;
            kl_rule broken;
            CHECK_OK(kl_delimited_next(&d, &in, &message, &whole, &broken));
            CHECK_RULE(broken, KL_RULE_NONE);
            if (!whole)
                continue;
            CHECK_SPAN(message, kl_span_of(want + at, message.len));
            at += message.len;
            heard += message.len;
            messages++;
        }
    }
    CHECK_U64(heard, all.len);
    CHECK_U64(messages, MESSAGES);
    CHECK(d.part.cap <= 2 * (MAX + KL_VARINT_MAX));
    kl_delimited_done(&d);
}

KL_TEST(delimited_too_long)
{
    struct kl_delimited d;
    bool whole;
    kl_rule broken;
    kl_span message;
    for (usize cut = 1; cut < 3; cut++) {
        kl_delimited_init(&d, 16383);
        kl_span in = kl_test_hex("80800100"), first = kl_span_sub(in, 0, cut);
        CHECK_OK(kl_delimited_next(&d, &first, &message, &whole, &broken));
        CHECK_RULE(broken, KL_RULE_NONE);
        first = kl_span_sub(in, cut, 4);
        CHECK_OK(kl_delimited_next(&d, &first, &message, &whole, &broken));
        CHECK_RULE(broken, KL_RULE_DELIMITED_LONG);
        CHECK(!whole);
        kl_delimited_done(&d);
    }
}

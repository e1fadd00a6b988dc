#include "codec/protobuf.h"

#include "base/test.h"

/* [encoding specification: 150, "testing"] and the ends of the range. */
KL_TEST(varint_known_answers)
{
    static const struct {
        u64 value;
        const char *bytes;
    } rows[] = {
        {0, "00"},
        {1, "01"},
        {127, "7f"},
        {128, "8001"},
        {150, "9601"},
        {16384, "808001"},
        {UINT64_MAX, "ffffffffffffffffff01"},
    };
    for (usize i = 0; i < KL_COUNT_OF(rows); i++) {
        u8 room[KL_VARINT_MAX];
        kl_out out = kl_out_of(room, sizeof room);
        kl_varint_put(&out, rows[i].value);
        CHECK_HEX(kl_out_done(&out), rows[i].bytes);
        CHECK_U64(kl_varint_len(rows[i].value), out.len);
        kl_span from = kl_out_done(&out);
        u64 got;
        CHECK_RULE(kl_varint(&from, &got), KL_RULE_NONE);
        CHECK_U64(got, rows[i].value);
        CHECK_U64(from.len, 0);
        for (usize cut = 0; cut < out.len; cut++) {
            from = kl_span_of(room, cut);
            CHECK_RULE(kl_varint(&from, &got), KL_RULE_VARINT_SHORT);
            CHECK_U64(from.len, cut);
        }
    }
    u64 got = 7;
    kl_span wide = kl_test_hex("ffffffffffffffffff02"), wider = kl_test_hex("80808080808080808080");
    CHECK_RULE(kl_varint(&wide, &got), KL_RULE_VARINT_WIDE);
    CHECK_RULE(kl_varint(&wider, &got), KL_RULE_VARINT_WIDE);
    CHECK_U64(got, 7);
}

KL_TEST(varint_round_trip)
{
    for (int i = 0; i < 2000; i++) {
        u8 room[KL_VARINT_MAX + 3];
        u64 v = kl_rand(seed) >> kl_rand_below(seed, 64), got;
        kl_out out = kl_out_of(room, sizeof room);
        kl_varint_put(&out, v);
        kl_out_bytes(&out, "abc", 3);
        kl_span from = kl_out_done(&out);
        CHECK_RULE(kl_varint(&from, &got), KL_RULE_NONE);
        CHECK_U64(got, v);
        CHECK_SPAN(from, kl_span_str("abc"));
    }
}

KL_TEST(protobuf_known_answer)
{
    u8 room[64];
    kl_out out = kl_out_of(room, sizeof room);
    kl_pb_put_u64(&out, 1, 150);
    kl_pb_put_bytes(&out, 2, KL_SPAN_TEXT("testing"));
    CHECK_HEX(kl_out_done(&out), "089601120774657374696e67");
}

/* Property: fields come back as they were written, those of fixed width are passed over, and no
 * cut of the bytes is read beyond its end. */
KL_TEST(protobuf_round_trip)
{
    for (int round = 0; round < 300; round++) {
        u8 room[4096], blob[40];
        kl_pb_field want[20];
        usize count = kl_rand_below(seed, 20);
        kl_out out = kl_out_of(room, sizeof room);
        kl_rand_fill(seed, blob, sizeof blob);
        for (usize i = 0; i < count; i++) {
            kl_pb_field *f = &want[i];
            static const kl_pb_wire wires[] = {KL_PB_VARINT, KL_PB_FIXED64, KL_PB_BYTES,
                                               KL_PB_FIXED32};
            *f = (kl_pb_field){.number = 1 + (u32)(kl_rand(seed) >> (35 + kl_rand_below(seed, 29))),
                               .wire = wires[kl_rand_below(seed, 4)]};
            if (f->wire == KL_PB_VARINT) {
                f->value = kl_rand(seed);
                kl_pb_put_u64(&out, f->number, f->value);
            } else if (f->wire == KL_PB_BYTES) {
                f->bytes = kl_span_of(blob, kl_rand_below(seed, sizeof blob));
                kl_pb_put_bytes(&out, f->number, f->bytes);
            } else {
                kl_varint_put(&out, (u64)f->number << 3 | (u64)f->wire);
                kl_out_bytes(&out, blob, f->wire == KL_PB_FIXED64 ? 8 : 4);
            }
        }
        kl_span from = kl_out_done(&out);
        kl_pb_field got;
        for (usize i = 0; i < count; i++) {
            CHECK_RULE(kl_pb_next(&from, &got), KL_RULE_NONE);
            CHECK(got.number == want[i].number && got.wire == want[i].wire &&
                  got.value == want[i].value && kl_span_eq(got.bytes, want[i].bytes));
        }
        CHECK_U64(from.len, 0);
        kl_span cut = kl_span_of(room, kl_rand_below(seed, out.len + 1));
        while (cut.len && kl_pb_next(&cut, &got) == KL_RULE_NONE)
            continue;
    }
}

KL_TEST(protobuf_refuses)
{
    static const struct {
        const char *bytes;
        kl_rule rule;
    } rows[] = {
        {"00", KL_RULE_PB_FIELD},
        {"0700", KL_RULE_PB_FIELD},
        {"0b", KL_RULE_PB_FIELD},
        {"0c", KL_RULE_PB_FIELD},
        {"8080808010", KL_RULE_PB_FIELD},
        {"08", KL_RULE_VARINT_SHORT},
        {"0a", KL_RULE_VARINT_SHORT},
        {"0a01", KL_RULE_PB_SHORT},
        {"0affffffffffffffffff01", KL_RULE_PB_SHORT},
        {"0900000000000000", KL_RULE_PB_SHORT},
        {"0d000000", KL_RULE_PB_SHORT},
        {"ffffffffffffffffffff", KL_RULE_VARINT_WIDE},
    };
    for (usize i = 0; i < KL_COUNT_OF(rows); i++) {
        kl_span from = kl_test_hex(rows[i].bytes), whole = from;
        kl_pb_field got;
        CHECK_RULE(kl_pb_next(&from, &got), rows[i].rule);
        CHECK(from.p == whole.p && from.len == whole.len);
    }
}

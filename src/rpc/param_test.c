#include "rpc/param.h"

#include "rpc/param_rig_priv.h"

#define GOOD(reader, params, type, check)                        \
    do {                                                         \
        static struct param_rig rig;                             \
        type out;                                                \
        param_rig_open(&rig, params);                            \
        CHECK(reader(&rig.call, kl_arg_at(&rig.call, 0), &out)); \
        CHECK(check);                                            \
        param_rig_close(&rig);                                   \
    } while (0)

#define BAD(reader, params, type, message)                        \
    do {                                                          \
        static struct param_rig rig;                              \
        type out;                                                 \
        param_rig_open(&rig, params);                             \
        CHECK(!reader(&rig.call, kl_arg_at(&rig.call, 0), &out)); \
        param_rig_failed(&rig, message);                          \
    } while (0)

#define ADDRESS "0x00112233445566778899AABBccddeeff00112233"
#define HASH    "0x00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff"

#define NOT_A(why, what) \
    "invalid argument 0: json: cannot unmarshal " why " into Go value of type common." what
#define ZEROS "000000000000000000000000000000000000000"

#define WIDE "0x10000000000000000000000000000000000000000000000000000000000000000"

KL_TEST(param_fixed_and_data)
{
    GOOD(kl_arg_address, "[\"" ADDRESS "\"]", kl_address, out.b[1] == 0x11 && out.b[19] == 0x33);
    GOOD(kl_arg_address, "{\"first\":\"" ADDRESS "\"}", kl_address, out.b[10] == 0xaa);
    GOOD(kl_arg_hash, "[\"" HASH "\"]", kl_hash, out.b[31] == 0xff);
    GOOD(kl_arg_data, "[\"0x\"]", kl_span, out.len == 0);
    GOOD(kl_arg_data, "[\"0X0aFf\"]", kl_span, out.len == 2 && out.p[0] == 10 && out.p[1] == 255);
    GOOD(kl_arg_data, "[\"\\u0030x0a\"]", kl_span, out.len == 1 && out.p[0] == 10);
    BAD(kl_arg_address, "[]", kl_address, "missing value for required argument 0");
    BAD(kl_arg_address, "[null]", kl_address, "missing value for required argument 0");
    BAD(kl_arg_address, "{\"second\":1}", kl_address, "missing value for required argument 0");
    BAD(kl_arg_address, "[7]", kl_address, "invalid argument 0: hex string expected");
    BAD(kl_arg_address, "[\"00\"]", kl_address, NOT_A("hex string without 0x prefix", "Address"));
    BAD(kl_arg_address, "[\"0xg" ZEROS "\"]", kl_address, NOT_A("invalid hex string", "Address"));
    BAD(kl_arg_address, "[\"0x0011\"]", kl_address,
        "invalid argument 0: hex string has length 4, want 40 for common.Address");
    BAD(kl_arg_hash, "[\"0x\"]", kl_hash,
        "invalid argument 0: hex string has length 0, want 64 for common.Hash");
    BAD(kl_arg_hash, "[\"0x0\"]", kl_hash, NOT_A("hex string of odd length", "Hash"));
    BAD(kl_arg_data, "[\"0x0\"]", kl_span, "invalid argument 0: hex string of odd length");
    BAD(kl_arg_data, "[\"0x0g\"]", kl_span, "invalid argument 0: invalid hex string");
    BAD(kl_arg_data, "[\"\"]", kl_span, "invalid argument 0: hex string without 0x prefix");
}

KL_TEST(param_quantities)
{
    GOOD(kl_arg_u64, "[\"0x0\"]", u64, out == 0);
    GOOD(kl_arg_u64, "[\"0x000000000000000000ff\"]", u64, out == 255); /* lenient in */
    GOOD(kl_arg_u64, "[\"0xffffffffffffffff\"]", u64, out == UINT64_MAX);
    GOOD(kl_arg_u256, "[\"0x10000000000000000\"]", kl_u256, out.w[1] == 1 && out.w[0] == 0);
    GOOD(kl_arg_slot, "[\"0x1\"]", kl_hash, out.b[31] == 1 && out.b[0] == 0);
    GOOD(kl_arg_slot, "[\"" HASH "\"]", kl_hash, out.b[31] == 0xff);
    GOOD(kl_arg_slot, "[\"0x\"]", kl_hash, out.b[31] == 0);
    GOOD(kl_arg_slot, "[\"1fe\"]", kl_hash, out.b[30] == 1 && out.b[31] == 0xfe);
    BAD(kl_arg_slot, "[\"0xasdf\"]", kl_hash, "invalid hex in storage key: \"0xasdf\"");
    BAD(kl_arg_slot, "[\"" WIDE "\"]", kl_hash,
        "storage key too long (want at most 32 bytes): \"" WIDE "\"");
    GOOD(kl_arg_number, "[\"0x10\"]", u64, out == 16);
    GOOD(kl_arg_number, "[\"10\"]", u64, out == 10);
    GOOD(kl_arg_number, "[10]", u64, out == 10);
    BAD(kl_arg_u64, "[10]", u64, "invalid argument 0: hex string expected");
    BAD(kl_arg_u64, "[\"10\"]", u64, "invalid argument 0: hex string without 0x prefix");
    BAD(kl_arg_u64, "[\"0x\"]", u64,
        "invalid argument 0: hex string \"0x\" where a number belongs");
    BAD(kl_arg_u64, "[\"0x10000000000000000\"]", u64, "invalid argument 0: hex number > 64 bits");
    BAD(kl_arg_u256, "[\"" WIDE "\"]", kl_u256, "invalid argument 0: hex number too large");
    BAD(kl_arg_number, "[-1]", u64, "invalid argument 0: whole number of at most 64 bits expected");
    BAD(kl_arg_number, "[1.5]", u64,
        "invalid argument 0: whole number of at most 64 bits expected");
    BAD(kl_arg_number, "[\"ten\"]", u64, "invalid argument 0: hex string without 0x prefix");
    BAD(kl_arg_number, "[[]]", u64, "invalid argument 0: number expected");
    BAD(kl_arg_number, "[\"0x10000000000000000\"]", u64, "invalid argument 0: number > 64 bits");
}

KL_TEST(param_wide_numbers_in_every_spelling)
{
    GOOD(kl_arg_number_u256, "[\"0x10000000000000000\"]", kl_u256, out.w[1] == 1 && !out.w[0]);
    GOOD(kl_arg_number_u256, "[\"18446744073709551616\"]", kl_u256, out.w[1] == 1 && !out.w[0]);
    GOOD(kl_arg_number_u256, "[18446744073709551617]", kl_u256, out.w[1] == 1 && out.w[0] == 1);
    BAD(kl_arg_number_u256, "[1e3]", kl_u256,
        "invalid argument 0: whole number of at most 256 bits expected");
    BAD(kl_arg_number_u256, "[-1]", kl_u256,
        "invalid argument 0: whole number of at most 256 bits expected");
    BAD(kl_arg_number_u256, "[\"" WIDE "\"]", kl_u256, "invalid argument 0: hex number too large");
    BAD(kl_arg_number_u256, "[]", kl_u256, "missing value for required argument 0");
}

KL_TEST(param_plain_values)
{
    GOOD(kl_arg_bool, "[true]", bool, out);
    GOOD(kl_arg_bool, "[false]", bool, !out);
    GOOD(kl_arg_text, "[\"a\\nb\"]", kl_span, kl_span_eq(out, KL_SPAN_TEXT("a\nb")));
    BAD(kl_arg_bool, "[\"true\"]", bool, "invalid argument 0: true or false expected");
    BAD(kl_arg_bool, "[]", bool, "missing value for required argument 0");
    BAD(kl_arg_text, "[1]", kl_span, "invalid argument 0: string expected");
}

KL_TEST(param_blocks)
{
    static const struct {
        const char *params;
        kl_block_kind kind;
    } rows[] = {
        {"[]", KL_BLOCK_LATEST},
        {"[null]", KL_BLOCK_LATEST},
        {"[\"latest\"]", KL_BLOCK_LATEST},
        {"[\"pending\"]", KL_BLOCK_PENDING},
        {"[\"earliest\"]", KL_BLOCK_EARLIEST},
        {"[\"safe\"]", KL_BLOCK_SAFE},
        {"[\"finalized\"]", KL_BLOCK_FINALIZED},
        {"[\"0x0\"]", KL_BLOCK_NUMBER},
        {"[\"" HASH "\"]", KL_BLOCK_HASH},
        {"[{\"blockNumber\":\"0x7\"}]", KL_BLOCK_NUMBER},
        {"[{\"blockNumber\":\"safe\"}]", KL_BLOCK_SAFE},
        {"[{\"blockHash\":\"" HASH "\"}]", KL_BLOCK_HASH},
        {"[{\"blockHash\":\"" HASH "\",\"blockNumber\":null}]", KL_BLOCK_HASH},
    };
    for (usize i = 0; i < KL_COUNT_OF(rows); i++)
        GOOD(kl_arg_block, rows[i].params, kl_block_ref, out.kind == rows[i].kind);
    GOOD(kl_arg_block, "[\"0x1f\"]", kl_block_ref, out.number == 31);
    GOOD(kl_arg_block, "[{\"blockHash\":\"" HASH "\",\"requireCanonical\":true}]", kl_block_ref,
         out.canonical && out.hash.b[1] == 0x11);
    BAD(kl_arg_block, "[\"newest\"]", kl_block_ref,
        "invalid argument 0: hex string without 0x prefix");
    BAD(kl_arg_block, "[7]", kl_block_ref,
        "invalid argument 0: block number, tag or object expected");
    BAD(kl_arg_block, "[{}]", kl_block_ref,
        "invalid argument 0: blockNumber or blockHash expected");
    BAD(kl_arg_block, "[{\"blockHash\":\"" HASH "\",\"blockNumber\":\"0x1\"}]", kl_block_ref,
        "invalid argument 0: cannot specify both BlockHash and BlockNumber, choose one or the "
        "other");
    BAD(kl_arg_block, "[{\"blockHash\":\"0x1\"}]", kl_block_ref,
        "invalid argument 0: blockHash: hex string of odd length");
    BAD(kl_arg_block, "[{\"blockNumber\":{}}]", kl_block_ref,
        "invalid argument 0: blockNumber: hex string expected");
    BAD(kl_arg_block, "[{\"blockHash\":\"" HASH "\",\"requireCanonical\":1}]", kl_block_ref,
        "invalid argument 0: requireCanonical: true or false expected");
    BAD(kl_arg_block, "[\"" WIDE "\"]", kl_block_ref, "invalid argument 0: hex number too large");
}

KL_TEST(param_arrays_and_objects)
{
    struct param_rig rig;
    param_rig_open(&rig, "[{\"list\":[\"0x1\",null,\"0x3\"],\"gone\":null}]");
    kl_arg object = kl_arg_at(&rig.call, 0);
    CHECK(kl_arg_object(&rig.call, object));
    kl_arg list = kl_arg_member(&rig.call, object, "list");
    usize count;
    CHECK(kl_arg_count(&rig.call, list, 3, &count));
    CHECK_U64(count, 3);
    u64 v, sum = 0, nulls = 0;
    for (kl_arg e = kl_arg_first(&rig.call, list); kl_arg_there(e);
         e = kl_arg_after(&rig.call, list, e)) {
        if (kl_json_is(rig.call.json, e.ref, KL_JSON_NULL)) {
            nulls++;
            continue;
        }
        CHECK(kl_arg_u64(&rig.call, e, &v));
        sum += v;
    }
    CHECK(sum == 4 && nulls == 1);
    CHECK(!kl_arg_there(kl_arg_member(&rig.call, object, "gone")));
    CHECK(!kl_arg_there(kl_arg_member(&rig.call, list, "list")));
    CHECK(!kl_arg_there(kl_arg_first(&rig.call, object)));
    CHECK(!kl_arg_count(&rig.call, list, 2, &count));
    param_rig_failed(&rig, "invalid argument 0: list: too many elements, want at most 2");
    param_rig_open(&rig, "[{}]");
    object = kl_arg_at(&rig.call, 0);
    CHECK(!kl_arg_u64(&rig.call, kl_arg_member(&rig.call, object, "x"), &v));
    param_rig_failed(&rig, "invalid argument 0: x: missing");
    param_rig_open(&rig, "[[]]");
    CHECK(!kl_arg_object(&rig.call, kl_arg_at(&rig.call, 0)));
    param_rig_failed(&rig, "invalid argument 0: object expected");
    param_rig_open(&rig, "[]");
    CHECK(!kl_arg_object(&rig.call, kl_arg_at(&rig.call, 0)));
    param_rig_failed(&rig, "missing value for required argument 0");
    param_rig_open(&rig, "[{}]");
    CHECK(!kl_arg_count(&rig.call, kl_arg_at(&rig.call, 0), 1, &count));
    param_rig_failed(&rig, "invalid argument 0: array expected");
}

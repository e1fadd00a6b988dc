#include "rpc/typed_data.h"

#include <stdio.h>

#include "base/test.h"

struct document {
    struct kl_arena arena;
    struct kl_json json;
};

static void document_open(struct document *d, const char *text)
{
    kl_rule broken;
    usize at;
    kl_arena_init(&d->arena, 64 << 20);
    CHECK_OK(kl_json_parse(&d->json, kl_span_str(text), 1 << 20, &d->arena, &broken, &at));
    CHECK_RULE(broken, KL_RULE_NONE);
}

static void check_digest(const char *text, const char *want)
{
    struct document d;
    char why[KL_TYPED_DATA_WHY];
    kl_hash hash;
    document_open(&d, text);
    CHECK_OK(kl_typed_data_hash(&hash, &d.json, 0, &d.arena, why));
    CHECK_SPAN(kl_span_str(why), KL_SPAN_NONE);
    CHECK_HEX(kl_hash_span(&hash), want);
    kl_arena_done(&d.arena);
}

static void check_refused(const char *text, const char *want)
{
    struct document d;
    char why[KL_TYPED_DATA_WHY];
    kl_hash hash = {0}, untouched = {0};
    document_open(&d, text);
    CHECK_OK(kl_typed_data_hash(&hash, &d.json, 0, &d.arena, why));
    CHECK_SPAN(kl_span_str(why), kl_span_str(want));
    CHECK(kl_hash_eq(&hash, &untouched));
    kl_arena_done(&d.arena);
}

#define MAIL_TYPES                                                                             \
    "\"Person\":[{\"name\":\"name\",\"type\":\"string\"},"                                     \
    "{\"name\":\"wallet\",\"type\":\"address\"}],"                                             \
    "\"Mail\":[{\"name\":\"from\",\"type\":\"Person\"},{\"name\":\"to\",\"type\":\"Person\"}," \
    "{\"name\":\"contents\",\"type\":\"string\"}]"
#define DOMAIN_TYPE                                                                           \
    "\"EIP712Domain\":[{\"name\":\"name\",\"type\":\"string\"},"                              \
    "{\"name\":\"version\",\"type\":\"string\"},{\"name\":\"chainId\",\"type\":\"uint256\"}," \
    "{\"name\":\"verifyingContract\",\"type\":\"address\"}],"
#define MAIL_DOMAIN                                                        \
    "\"domain\":{\"name\":\"Ether Mail\",\"version\":\"1\",\"chainId\":1," \
    "\"verifyingContract\":\"0xCcCCccccCCCCcCCCCCCcCcCccCcCCCcCcccccccC\"},"
#define MAIL_MESSAGE                                                                       \
    "\"primaryType\":\"Mail\",\"message\":{\"from\":{\"name\":\"Cow\","                    \
    "\"wallet\":\"0xCD2a3d9F938E13CD947Ec05AbC7FE734Df8DD826\"},\"to\":{\"name\":\"Bob\"," \
    "\"wallet\":\"0xbBbBBBBbbBBBbbbBbbBbbbbBBbBbbbbBbBbbBBbB\"},\"contents\":\"Hello, Bob!\"}"

/* The specification's own example. */
KL_TEST(typed_data_mail)
{
    const char *want = "be609aee343fb3c4b28e1df9e632fca64fcfaede20f02e86244efddf30957bd2";
    check_digest("{\"types\":{" DOMAIN_TYPE MAIL_TYPES "}," MAIL_DOMAIN MAIL_MESSAGE "}", want);
    check_digest("{\"types\":{" MAIL_TYPES "}," MAIL_DOMAIN MAIL_MESSAGE "}", want);
}

/* The digests from here on are those of viem and ethers, which agree on them. */
KL_TEST(typed_data_domain_alone)
{
    check_digest("{\"types\":{" DOMAIN_TYPE MAIL_TYPES "}," MAIL_DOMAIN
                 "\"primaryType\":\"EIP712Domain\"}",
                 "aa83c70305ec6c131e7a88f258c40813447bec8b9bcef94e5479603d9959da07");
}

#define ONE(type, value)                                                               \
    "{\"types\":{\"EIP712Domain\":[],\"P\":[{\"name\":\"v\",\"type\":\"" type "\"}]}," \
    "\"domain\":{},\"primaryType\":\"P\",\"message\":{\"v\":" value "}}"

KL_TEST(typed_data_values)
{
    check_digest(ONE("bool", "true"),
                 "16072a13bcb3019ac2d80a6df3c88c8229af6aeaf57e559044712d380e611498");
    check_digest(ONE("bool", "false"),
                 "513c4f30a4aed817428e27626b7ba7c0742652f6505135ef26f3c5e7a539133e");
    check_digest(ONE("uint8", "255"),
                 "37f85ae57ddc29fc76eea133302206591712a12d7ba23c30d588963ef66bf28f");
    check_digest(
        ONE("uint256",
            "\"115792089237316195423570985008687907853269984665640564039457584007913129639935\""),
        "dd01c2985263c994ef33485c40ab08ae67ea160bffad559141c7bea72b5424b0");
    check_digest(ONE("int256", "\"-1\""),
                 "5928d1d1058cc4b940aecf3633f464c693dd2d5c4699963b9aa25e560d82be68");
    check_digest(ONE("int8", "-128"),
                 "bd2cae5618c8a4f3097e0014e51c3b50fe5d361862b3f7921e60f937f4e33aa3");
    check_digest(ONE("int8", "127"),
                 "d4a0eda66883826e42133dd7aeb864f4259ee5e556b1c64acb5c3799ae6e607b");
    check_digest(ONE("bytes", "\"0x\""),
                 "9a2aa8ef8aa2ce77e9dd1ae748639a9ce6024408b32195e7ce83108dedf12a25");
    check_digest(ONE("bytes", "\"0x0102\""),
                 "4afed638f530bc693901ead9af53b499606558efef6f2dd32058e7190020a412");
    check_digest(ONE("bytes1", "\"0xff\""),
                 "393dc0b638f0ca014ab2a5f1c26586897a83775990c2c96fd8a103ed3299d041");
    check_digest(
        ONE("bytes32", "\"0xabababababababababababababababababababababababababababababababab\""),
        "bfc4e070f98189563e47e0d309c94aafb343602492f93fff6749e4eb64dc6cd3");
    check_digest(ONE("string", "\"\""),
                 "7165535e93aed41859037ba124e27e0906393358e6ebd8eed0c91464988ff250");
    check_digest(ONE("string", "\"héllo 😀\""),
                 "de3ecef1e8d26af230a45e52424aae692b2cb654543f5f8e82411e067209f59b");
    check_digest(ONE("address", "\"0xbBbBBBBbbBBBbbbBbbBbbbbBBbBbbbbBbBbbBBbB\""),
                 "5bc0a3e548791650f3df475d3fa086ee5385de21de552fe1bc61b641b68e03ee");
    check_digest(ONE("uint8[]", "[]"),
                 "b0174541b19909be5d37cff6b21f17d907679983bc8969c83b6d0063d1b6627f");
    check_digest(ONE("uint8[]", "[1,2,3]"),
                 "1cb3f5dee4c752fab8e94511cfb8bb67c3f772116607bcc83dbc52146101bec0");
    check_digest(ONE("uint8[2][]", "[[1,2],[3,4]]"),
                 "819298355837788e2bf43b4bea8a1c6d1122e361aa758ca392d857396b4b1645");
    check_digest(ONE("string[]", "[\"a\",\"\"]"),
                 "573a820dbcd253762ce0052b4f0faa28a989c02df150bdccd938aa83185ca329");
    check_digest(ONE("bytes[2]", "[\"0x\",\"0x01\"]"),
                 "8315c4c1dbc6fc1dd615ae369e653ce3524f31a0f890d12abcfb5e85038539ec");
}

KL_TEST(typed_data_arrays_of_structs)
{
    check_digest(
        "{\"types\":{\"P\":[{\"name\":\"a\",\"type\":\"A[]\"},{\"name\":\"z\",\"type\":\"Z"
        "\"},{\"name\":\"n\",\"type\":\"uint256\"}],\"A\":[{\"name\":\"z\",\"type\":\"Z[2]"
        "\"},{\"name\":\"s\",\"type\":\"string\"}],\"Z\":[{\"name\":\"k\",\"type\":\"bytes4"
        "\"}]},\"domain\":{\"name\":\"n\",\"salt\":\"0x111111111111111111111111111111111111"
        "1111111111111111111111111111\"},\"primaryType\":\"P\",\"message\":{\"a\":[{\"z\":["
        "{\"k\":\"0x01020304\"},{\"k\":\"0xffffffff\"}],\"s\":\"x\"},{\"z\":[{\"k\":\"0x000"
        "00000\"},{\"k\":\"0x00000001\"}],\"s\":\"\"}],\"z\":{\"k\":\"0xdeadbeef\"},\"n\":7"
        "}}",
        "58b677bffcbd0d90e90e1854e75da85239fe854b68c5cd08fe15ad5db5fed996");
}

/* Numbers are numbers in any spelling; a missing struct is 0, and what no type names is nothing. */
KL_TEST(typed_data_spellings)
{
    const char *two_five_five = "37f85ae57ddc29fc76eea133302206591712a12d7ba23c30d588963ef66bf28f";
    check_digest(ONE("uint8", "\"255\""), two_five_five);
    check_digest(ONE("uint8", "\"0xff\""), two_five_five);
    check_digest(ONE("uint8", "255,\"more\":[1]"), two_five_five);
    check_digest("{\"types\":{\"P\":[{\"type\":\"uint8\",\"name\":\"\\u0076\"}]},\"domain\":{},"
                 "\"primaryType\":\"\\u0050\",\"message\":{\"\\u0076\":255}}",
                 two_five_five);
    check_digest(ONE("int256", "\"-0x1\""),
                 "5928d1d1058cc4b940aecf3633f464c693dd2d5c4699963b9aa25e560d82be68");
}

KL_TEST(typed_data_refuses_values)
{
    check_refused(ONE("uint8", "256"), "v is no uint8");
    check_refused(ONE("uint8", "-1"), "v is no uint8");
    check_refused(ONE("uint8", "1.5"), "v is no uint8");
    check_refused(ONE("uint8", "\"\""), "v is no uint8");
    check_refused(ONE("uint8", "\"-\""), "v is no uint8");
    check_refused(ONE("uint8", "true"), "v is no uint8");
    check_refused(ONE("int8", "128"), "v is no int8");
    check_refused(ONE("int8", "-129"), "v is no int8");
    check_refused(ONE("bool", "1"), "v is no bool");
    check_refused(ONE("address", "\"0x01\""), "v is no address");
    check_refused(ONE("bytes4", "\"0x010203\""), "v is no bytes4");
    check_refused(ONE("bytes", "\"0102\""), "v is no bytes");
    check_refused(ONE("string", "7"), "v is no string");
    check_refused(ONE("string", "null"), "v is missing");
    check_refused(ONE("uint8[2]", "[1]"), "v is no uint8[2]");
    check_refused(ONE("uint8[2]", "{}"), "v is no uint8[2]");
    check_refused(ONE("uint8[][]", "[1]"), "v is no uint8[]");
    check_refused(ONE("P", "7"), "v is no P");
}

KL_TEST(typed_data_refuses_types)
{
    check_refused("[]", "typed data is no object");
    check_refused("{}", "types is missing or no object");
    check_refused("{\"types\":{\"P\":[]}}", "primaryType is missing or no string");
    check_refused("{\"types\":{\"P\":[]},\"primaryType\":\"Q\"}",
                  "primaryType is none of the types");
    check_refused("{\"types\":{\"P\":[]},\"primaryType\":\"P\"}",
                  "the EIP712Domain is missing or no object");
    check_refused("{\"types\":{\"P\":[]},\"primaryType\":\"P\",\"domain\":{}}",
                  "the P is missing or no object");
    check_refused("{\"types\":{\"P\":{}}}", "type P is no array");
    check_refused("{\"types\":{\"P\":[],\"P\":[]}}", "type P is defined twice");
    check_refused("{\"types\":{\"uint8\":[]}}", "invalid type name uint8");
    check_refused("{\"types\":{\"P(\":[]}}", "invalid type name P(");
    check_refused("{\"types\":{\"P\":[{\"name\":\"v\"}]}}",
                  "type of a member is missing or no string");
    check_refused("{\"types\":{\"P\":[{\"name\":\"v,\",\"type\":\"bool\"}]}}",
                  "invalid member name v,");
    const char *unknown[] = {"uint7", "uint264", "uint08", "bytes33",  "bytes0", "Q",
                             "bool[", "bool[]x", "bool[1", "bool[-1]", ""};
    for (usize i = 0; i < KL_COUNT_OF(unknown); i++) {
        char text[200], want[60];
        snprintf(text, sizeof text, "{\"types\":{\"P\":[{\"name\":\"v\",\"type\":\"%s\"}]}}",
                 unknown[i]);
        snprintf(want, sizeof want, "unknown type %s", unknown[i]);
        check_refused(text, want);
    }
}

/* A type that holds itself ends where its value does. */
KL_TEST(typed_data_recursive_type)
{
    struct document d;
    char why[KL_TYPED_DATA_WHY];
    kl_hash one, two;
    document_open(&d, "[" ONE("P", "{\"v\":{\"v\":null}}") "," ONE("P", "{\"v\":{}}") "]");
    CHECK_OK(kl_typed_data_hash(&one, &d.json, kl_json_at(&d.json, 0, 0), &d.arena, why));
    CHECK(!why[0]);
    CHECK_OK(kl_typed_data_hash(&two, &d.json, kl_json_at(&d.json, 0, 1), &d.arena, why));
    CHECK(!why[0] && kl_hash_eq(&one, &two));
    kl_arena_done(&d.arena);
}

KL_TEST(typed_data_bounds)
{
    struct kl_buf text;
    kl_buf_init(&text, 64 << 20);
    for (int over = 0; over < 2; over++) {
        kl_buf_clear(&text);
        kl_buf_str(&text, "{\"types\":{\"P\":[{\"name\":\"v\",\"type\":\"bool[]\"}]},"
                          "\"domain\":{},\"primaryType\":\"P\",\"message\":{\"v\":[true");
        for (int i = 0; i < (1 << 18) - 2 + over; i++)
            kl_buf_str(&text, ",true");
        kl_buf_str(&text, "]}}");
        kl_buf_bytes(&text, "", 1);
        struct document d;
        char why[KL_TYPED_DATA_WHY];
        kl_hash hash;
        document_open(&d, (const char *)text.p);
        CHECK_OK(kl_typed_data_hash(&hash, &d.json, 0, &d.arena, why));
        CHECK_SPAN(kl_span_str(why), over ? KL_SPAN_TEXT("more than 262144 values") : KL_SPAN_NONE);
        kl_arena_done(&d.arena);
    }
    kl_buf_done(&text);
}

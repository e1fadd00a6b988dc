/* A pinned block, as text and as a rule for a chain. */
#include "chain/pin.h"

#include "base/rand.h"
#include "base/test.h"

#define DIGITS "5c000000000000000000000000000000000000000000000000000000000000ab"

KL_TEST(a_pin_is_read_as_it_was_written)
{
    for (u32 i = 0; i < 1000; i++) {
        kl_pin pin = {.number = kl_rand(seed) >> kl_rand_below(seed, 64)}, again;
        char text[KL_PIN_TEXT_MAX];
        pin.number += !pin.number;
        kl_rand_fill(seed, pin.hash.b, sizeof pin.hash.b);
        kl_pin_text(text, &pin);
        CHECK_RULE(kl_pin_parse(&again, kl_span_str(text)), KL_RULE_NONE);
        CHECK_U64(again.number, pin.number);
        CHECK(kl_hash_eq(&again.hash, &pin.hash));
    }
}

KL_TEST(what_is_no_pin_is_refused)
{
    static const char *const bad[] = {
        "",
        ":",
        "7",
        "0x" DIGITS,
        ":0x" DIGITS,
        "7:",
        "7:" DIGITS,
        "7:0x" DIGITS "0",
        "7:0x5c",
        "0:0x" DIGITS,
        "-7:0x" DIGITS,
        "0x7:0x" DIGITS,
        "18446744073709551616:0x" DIGITS,
        "7 :0x" DIGITS,
        "7:0x" DIGITS ":",
        "latest:0x" DIGITS,
    };
    kl_pin pin = {.number = 3};
    for (usize i = 0; i < KL_COUNT_OF(bad); i++)
        CHECK_RULE(kl_pin_parse(&pin, kl_span_str(bad[i])), KL_RULE_PIN_FORM);
    CHECK_U64(pin.number, 3);
    CHECK_RULE(kl_pin_parse(&pin, kl_span_str("18446744073709551615:0x" DIGITS)), KL_RULE_NONE);
    CHECK_U64(pin.number, UINT64_MAX);
}

KL_TEST(a_pin_excludes_another_block_of_its_height)
{
    const kl_pin none = {0}, pin = {.number = 7, .hash = {.b = {1}}};
    const kl_hash other = {.b = {2}};
    CHECK(kl_pin_excludes(&pin, 7, &other));
    CHECK(!kl_pin_excludes(&pin, 7, &pin.hash));
    CHECK(!kl_pin_excludes(&pin, 6, &other) && !kl_pin_excludes(&pin, 8, &other));
    CHECK(!kl_pin_excludes(&none, 0, &other));
}

#include "rpc/revert.h"

#include "base/test.h"

#define WORD(last) "00000000000000000000000000000000000000000000000000000000000000" last

KL_TEST(revert_reasons)
{
    static const struct {
        const char *hex, *reason; /* NULL: none */
    } rows[] = {
        {"08c379a0" WORD("20") WORD("04") "6e6f706500", "nope"},
        {"08c379a0" WORD("20") WORD("00"), ""},
        {"08c379a0" WORD("40") WORD("ff") WORD("01") "41", "A"},
        {"08c379a0" WORD("20") WORD("05") "6e6f7065", NULL}, /* shorter than it says */
        {"08c379a0" WORD("21") WORD("01") "41", NULL},
        {"08c379a0" WORD("20"), NULL},
        {"08c379a0", NULL},
        {"08c379", NULL},
        {"", NULL},
        {"12345678" WORD("20") WORD("04") "6e6f7065", NULL},
        {"4e487b71" WORD("11"), "arithmetic underflow or overflow"},
        {"4e487b71" WORD("01"), "assert(false)"},
        {"4e487b71" WORD("99"), "unknown panic code: 0x99"},
        {"4e487b71", NULL},
    };
    for (usize i = 0; i < KL_COUNT_OF(rows); i++) {
        char out[64] = "";
        bool has = kl_revert_reason(out, sizeof out, kl_test_hex(rows[i].hex));
        CHECK(has == (rows[i].reason != NULL));
        if (has)
            CHECK_SPAN(kl_span_str(out), kl_span_str(rows[i].reason));
    }
    char cut[4];
    CHECK(kl_revert_reason(cut, sizeof cut, kl_test_hex(rows[0].hex)));
    CHECK_SPAN(kl_span_str(cut), KL_SPAN_TEXT("nop"));
}

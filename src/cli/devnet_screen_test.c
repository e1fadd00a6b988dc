#include "base/test.h"
#include "cli/devnet.h"

static void check_fold(const char *text, usize columns, const char *want, u32 rows)
{
    struct kl_buf out;
    kl_buf_init(&out, 1 << 16);
    CHECK_U64(kl_devnet_fold(&out, kl_span_str(text), columns), rows);
    CHECK_SPAN(kl_buf_view(&out), kl_span_str(want));
    kl_buf_done(&out);
}

KL_TEST(devnet_lines_are_folded_at_blanks)
{
    check_fold("", 10, "", 0);
    check_fold("\nnode\n", 10, "\nnode\n", 2);
    check_fold("0123456789\n", 10, "0123456789\n", 1);
    check_fold("need 3 of 4, have 2; silent: 0xab\n", 12, "need 3 of 4,\nhave 2;\nsilent: 0xab\n",
               3);
    check_fold("0123456789abcdef x\n", 10, "0123456789\nabcdef x\n", 2);
}

/* Nothing is lost but the blanks at which a line is folded, and no row is too wide. */
KL_TEST(devnet_folded_lines_fit)
{
    for (u32 round = 0; round < 2000; round++) {
        char text[200];
        usize len = (usize)kl_rand_below(seed, sizeof text), columns = 2 + kl_rand_below(seed, 40);
        struct kl_buf out;
        for (usize i = 0; i < len; i++)
            text[i] = " \nabcdef"[kl_rand_below(seed, 8)];
        kl_buf_init(&out, 1 << 16);
        u32 rows = kl_devnet_fold(&out, kl_span_of((const u8 *)text, len), columns), ends = 0;
        kl_span folded = kl_buf_view(&out);
        usize column = 0, letters = 0;
        for (usize i = 0; i < folded.len; i++) {
            bool is_end = folded.p[i] == '\n';
            column = is_end ? 0 : column + 1;
            ends += is_end;
            letters += folded.p[i] >= 'a';
            CHECK(column <= columns);
        }
        for (usize i = 0; i < len; i++)
            letters -= text[i] >= 'a';
        CHECK_U64(ends, rows);
        CHECK_U64(letters, 0);
        kl_buf_done(&out);
    }
}

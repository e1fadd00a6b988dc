/* Any bytes, cut anywhere, as what a ping's stream carries, and as messages behind their lengths:
 * what the echo gives back is what came, in whole pings; messages are the same however they were
 * cut. */
#include "base/buf.h"
#include "base/fuzz.h"
#include "p2p/delimited.h"
#include "p2p/ping.h"

enum { INPUT_MAX = 4096, MESSAGE_MAX = 600 };

/* The next piece, as long as its first byte says. */
static kl_span piece(kl_span *rest, bool whole)
{
    usize len = whole ? rest->len : KL_MIN((usize)rest->p[0] % 70 + 1, rest->len);
    kl_span out = kl_span_sub(*rest, 0, len);
    *rest = kl_span_sub(*rest, len, rest->len - len);
    return out;
}

static void echo(kl_span rest)
{
    struct kl_buf out;
    kl_ping_echo echo = {.got = 0};
    kl_span all = rest;
    kl_buf_init(&out, INPUT_MAX + KL_PING_LEN);
    while (rest.len) {
        kl_ping_echo_feed(&echo, piece(&rest, false), &out);
        KL_ASSERT(!out.failed && out.len % KL_PING_LEN == 0 && echo.got < KL_PING_LEN);
    }
    KL_ASSERT(out.len + echo.got == all.len);
    KL_ASSERT(out.len == 0 || memcmp(out.p, all.p, out.len) == 0);
    kl_buf_done(&out);
}

/* All messages, one behind the other, each behind a byte; *broken: how it ended. */
static void cut(struct kl_buf *out, kl_span rest, bool whole, kl_rule *broken)
{
    struct kl_delimited d;
    kl_delimited_init(&d, MESSAGE_MAX);
    *broken = KL_RULE_NONE;
    while (rest.len && *broken == KL_RULE_NONE) {
        kl_span in = piece(&rest, whole);
        while (in.len && *broken == KL_RULE_NONE) {
            kl_span message;
            bool is_whole;
            KL_ASSERT(kl_delimited_next(&d, &in, &message, &is_whole, broken) == KL_OK);
            if (*broken != KL_RULE_NONE || !is_whole)
                continue;
            KL_ASSERT(message.len <= MESSAGE_MAX);
            kl_buf_str(out, "|");
            kl_buf_span(out, message);
        }
    }
    kl_delimited_done(&d);
}

int LLVMFuzzerTestOneInput(const u8 *bytes, usize len)
{
    kl_span all = kl_span_of(bytes, KL_MIN(len, (usize)INPUT_MAX));
    struct kl_buf a, b;
    kl_rule broken[2];
    echo(all);
    kl_buf_init(&a, 2 * INPUT_MAX);
    kl_buf_init(&b, 2 * INPUT_MAX);
    cut(&a, all, true, &broken[0]);
    cut(&b, all, false, &broken[1]);
    KL_ASSERT(broken[0] == broken[1] && kl_span_eq(kl_buf_view(&a), kl_buf_view(&b)));
    kl_buf_done(&a);
    kl_buf_done(&b);
    return 0;
}

#include "p2p/multistream.h"

#include "base/test.h"

static const kl_span names[] = {
    {(const u8 *)"/noise", 6},
    {(const u8 *)"/yamux/1.0.0", 12},
    {(const u8 *)"/ipfs/ping/1.0.0", 16},
    {(const u8 *)"/keel/bft/1", 11},
};

struct end {
    kl_multistream m;
    struct kl_buf out;
    usize taken; /* of the other's out */
};

static void start(struct end *end, bool dials, const kl_span *list, usize count)
{
    kl_buf_init(&end->out, 1 << 20);
    end->taken = 0;
    if (dials)
        kl_multistream_dial(&end->m, list, count, &end->out);
    else
        kl_multistream_listen(&end->m, list, count, &end->out);
}

/* Gives some of what `from` has sent. */
static kl_rule pass(struct end *from, struct end *to, usize most)
{
    usize len = KL_MIN(from->out.len - to->taken, most);
    kl_span in = kl_span_of(from->out.p + to->taken, len);
    kl_rule broken = kl_multistream_feed(&to->m, &in, &to->out);
    to->taken += len - in.len;
    return broken;
}

/* Property: however the bytes are cut, both ends agree on the first of the dialer's names that the
 * listener has, or on none; and what follows is left alone. */
KL_TEST(multistream_agrees)
{
    for (int round = 0; round < 500; round++) {
        struct end a, b;
        kl_span wants[4], has[4];
        usize want_count = 0, has_count = 0, first = KL_MULTISTREAM_NONE;
        for (usize i = 0; i < KL_COUNT_OF(names); i++) {
            if (kl_rand_below(seed, 2))
                wants[want_count++] = names[(i + (usize)round) % 4];
            if (kl_rand_below(seed, 2))
                has[has_count++] = names[i];
        }
        if (!want_count)
            continue;
        for (usize i = want_count; i--;)
            for (usize j = 0; j < has_count; j++)
                first = kl_span_eq(wants[i], has[j]) ? i : first;
        start(&a, true, wants, want_count);
        start(&b, false, has, has_count);
        bool told = false;
        for (int turn = 0; turn < 400; turn++) {
            CHECK_RULE(pass(&a, &b, 1 + kl_rand_below(seed, 30)), KL_RULE_NONE);
            if (b.m.done && !told) {
                kl_buf_str(&b.out, "hello");
                told = true;
            }
            CHECK_RULE(pass(&b, &a, 1 + kl_rand_below(seed, 30)), KL_RULE_NONE);
        }
        CHECK(a.m.done);
        CHECK_U64(a.m.chosen, first);
        CHECK(b.m.done == (first != KL_MULTISTREAM_NONE));
        if (b.m.done) {
            CHECK(kl_span_eq(has[b.m.chosen], wants[first]));
            CHECK_SPAN(kl_span_of(b.out.p + a.taken, b.out.len - a.taken), kl_span_str("hello"));
        }
        kl_buf_done(&a.out);
        kl_buf_done(&b.out);
    }
}

/* What a dialer says first, in one piece [seen on the wire of other implementations]. */
KL_TEST(multistream_first_bytes)
{
    struct end a;
    start(&a, true, names, 1);
    CHECK_SPAN(kl_buf_view(&a.out), kl_span_str("\x13/multistream/1.0.0\n\x07/noise\n"));
    kl_buf_done(&a.out);
}

KL_TEST(multistream_refuses)
{
    static const struct {
        bool dials;
        const char *bytes;
        kl_rule rule;
    } rows[] = {
        {true, "\x13/multistream/2.0.0\n", KL_RULE_MULTISTREAM_HEADER},
        {false, "\x07/noise\n", KL_RULE_MULTISTREAM_HEADER},
        {true, "\x13/multistream/1.0.0\n\x03no\n", KL_RULE_MULTISTREAM_ANSWER},
        {true, "\x13/multistream/1.0.0\n\x0d/yamux/1.0.0\n", KL_RULE_MULTISTREAM_ANSWER},
        {false, "\x13/multistream/1.0.0!", KL_RULE_MULTISTREAM_LINE},
        {false, "\x81\x7f", KL_RULE_MULTISTREAM_LINE},
        {false, "\xff\xff\xff\xff\xff\xff\xff\xff\xff\x7f", KL_RULE_MULTISTREAM_LINE},
    };
    for (usize i = 0; i < KL_COUNT_OF(rows); i++) {
        struct end a;
        start(&a, rows[i].dials, names, 1);
        kl_span in = kl_span_str(rows[i].bytes);
        CHECK_RULE(kl_multistream_feed(&a.m, &in, &a.out), rows[i].rule);
        kl_buf_done(&a.out);
    }
    struct end a;
    start(&a, false, names, 1);
    kl_span in = kl_span_of("\0", 1);
    CHECK_RULE(kl_multistream_feed(&a.m, &in, &a.out), KL_RULE_MULTISTREAM_LINE);
    kl_buf_done(&a.out);
}

/* Who asks for ever is sent away. */
KL_TEST(multistream_tries_are_bounded)
{
    struct end a;
    start(&a, false, names, 1);
    kl_span in = kl_span_str("\x13/multistream/1.0.0\n");
    CHECK_RULE(kl_multistream_feed(&a.m, &in, &a.out), KL_RULE_NONE);
    for (int i = 0; i < KL_MULTISTREAM_TRIES_MAX; i++) {
        in = kl_span_str("\x03/x\n");
        CHECK_RULE(kl_multistream_feed(&a.m, &in, &a.out), KL_RULE_NONE);
    }
    in = kl_span_str("\x03/x\n");
    CHECK_RULE(kl_multistream_feed(&a.m, &in, &a.out), KL_RULE_MULTISTREAM_TRIES);
    kl_buf_done(&a.out);
}

#include "p2p/noise.h"

#include "base/test.h"

struct end {
    struct kl_noise *noise;
    struct kl_buf out, plain;
    usize taken; /* of the other's out */
    kl_secret32 identity;
    kl_peer_id id;
    kl_rule broken;
};

static const kl_span muxers[] = {{(const u8 *)"/yamux/1.0.0", 12},
                                 {(const u8 *)"/mplex/6.7.0", 12}};

static void start(struct end *end, bool dials, const kl_peer_id *expected, usize muxer_first,
                  usize muxer_count, u64 *seed)
{
    kl_noise_config config = {.dials = dials,
                              .identity = &end->identity,
                              .expected = expected,
                              .muxers = muxers + muxer_first,
                              .muxer_count = muxer_count};
    kl_rand_fill(seed, end->identity.b, 32);
    kl_rand_fill(seed, config.static_key.b, 32);
    kl_rand_fill(seed, config.ephemeral.b, 32);
    end->id = kl_peer_id_of(&end->identity);
    end->taken = 0;
    end->broken = KL_RULE_NONE;
    kl_buf_init(&end->out, 1 << 20);
    kl_buf_init(&end->plain, 1 << 20);
    CHECK_OK(kl_noise_new(&end->noise, &config, &end->out));
}

static void stop(struct end *end)
{
    kl_noise_free(end->noise);
    kl_buf_done(&end->out);
    kl_buf_done(&end->plain);
}

/* Gives some of what `from` has sent; whole frames only are taken. */
static void pass(struct end *from, struct end *to, usize most)
{
    usize len = KL_MIN(from->out.len - to->taken, most);
    kl_span in = kl_span_of(from->out.p + to->taken, len);
    if (to->broken != KL_RULE_NONE)
        return;
    CHECK_OK(kl_noise_feed(to->noise, &in, &to->out, &to->plain, &to->broken));
    if (to->broken == KL_RULE_NONE)
        to->taken += len - in.len;
}

static void shake(struct end *a, struct end *b)
{
    for (int i = 0; i < 3; i++) {
        pass(a, b, SIZE_MAX);
        pass(b, a, SIZE_MAX);
    }
}

KL_TEST(noise_peers_know_one_another)
{
    for (int i = 0; i < 30; i++) {
        struct end a, b;
        start(&b, false, NULL, 0, (usize)i % 3, seed);
        start(&a, true, i % 2 ? &b.id : NULL, (usize)i % 2, 1, seed);
        shake(&a, &b);
        CHECK_RULE(a.broken, KL_RULE_NONE);
        CHECK_RULE(b.broken, KL_RULE_NONE);
        CHECK(kl_noise_is_open(a.noise) && kl_noise_is_open(b.noise));
        CHECK(kl_peer_id_eq(kl_noise_peer(a.noise), &b.id));
        CHECK(kl_peer_id_eq(kl_noise_peer(b.noise), &a.id));
        bool common = (usize)i % 3 > (usize)i % 2;
        CHECK_U64(kl_noise_muxer(a.noise), common ? 0 : KL_NOISE_NO_MUXER);
        CHECK_U64(kl_noise_muxer(b.noise), common ? (usize)i % 2 : KL_NOISE_NO_MUXER);
        stop(&a);
        stop(&b);
    }
}

/* Property: text arrives as it was sent, both ways, however frames are cut. */
KL_TEST(noise_carries_text)
{
    static u8 text[200000];
    kl_rand_fill(seed, text, sizeof text);
    for (int i = 0; i < 20; i++) {
        struct end a, b;
        usize sent = 0;
        start(&b, false, NULL, 0, 1, seed);
        start(&a, true, NULL, 0, 1, seed);
        shake(&a, &b);
        while (sent < sizeof text) {
            usize some = kl_rand_below(seed, 100000), len = KL_MIN(sizeof text - sent, some);
            kl_noise_write(a.noise, kl_span_of(text + sent, len), &a.out);
            kl_noise_write(b.noise, kl_span_of(text + sent, len), &b.out);
            sent += len;
            pass(&a, &b, 65537 + kl_rand_below(seed, 65537));
            pass(&b, &a, 65537 + kl_rand_below(seed, 65537));
        }
        for (int k = 0; k < 12; k++) {
            pass(&a, &b, 65537);
            pass(&b, &a, 65537);
        }
        CHECK(kl_span_eq(kl_buf_view(&a.plain), KL_SPAN_OF(text)));
        CHECK(kl_span_eq(kl_buf_view(&b.plain), KL_SPAN_OF(text)));
        stop(&a);
        stop(&b);
    }
}

/* One changed bit anywhere on the way: no connection that both believe in, and no text. */
KL_TEST(noise_notices_every_change)
{
    for (int i = 0; i < 300; i++) {
        struct end a, b;
        start(&b, false, NULL, 0, 1, seed);
        start(&a, true, NULL, 0, 1, seed);
        u64 which = kl_rand_below(seed, 4);
        for (u64 step = 0; step < 4; step++) {
            struct end *from = step % 2 ? &b : &a, *to = step % 2 ? &a : &b;
            if (step == 3 && !kl_noise_is_open(from->noise))
                break;
            if (step == 3)
                kl_noise_write(from->noise, KL_SPAN_TEXT("attack at dawn"), &from->out);
            if (step == which) {
                usize at = to->taken + kl_rand_below(seed, from->out.len - to->taken);
                from->out.p[at] ^= (u8)(1u << kl_rand_below(seed, 8));
            }
            pass(from, to, SIZE_MAX);
            if (step >= which && (to->broken != KL_RULE_NONE || !kl_noise_is_open(from->noise)))
                break;
        }
        CHECK_U64(a.plain.len, 0);
        CHECK(which == 3 || !kl_noise_is_open(a.noise) || !kl_noise_is_open(b.noise));
        stop(&a);
        stop(&b);
    }
}

KL_TEST(noise_refuses_another_peer)
{
    struct end a, b;
    kl_peer_id other = {{1}};
    start(&b, false, NULL, 0, 1, seed);
    start(&a, true, &other, 0, 1, seed);
    shake(&a, &b);
    CHECK_RULE(a.broken, KL_RULE_NOISE_PEER);
    CHECK(!kl_noise_is_open(b.noise));
    stop(&a);
    stop(&b);
}

/* Frames that cannot be: too short for what they must hold, too long for a handshake, or with a key
 * that would give everybody the same secret. */
KL_TEST(noise_refuses_malformed_frames)
{
    static u8 frame[5002];
    static const struct {
        usize len;
        kl_rule rule;
    } rows[] = {
        {0, KL_RULE_NOISE_FRAME}, {31, KL_RULE_NOISE_FRAME}, {4097, KL_RULE_NOISE_FRAME},
        {32, KL_RULE_NOISE_KEY},  {4096, KL_RULE_NOISE_KEY},
    };
    for (usize i = 0; i < KL_COUNT_OF(rows); i++) {
        struct end b;
        start(&b, false, NULL, 0, 1, seed);
        frame[0] = (u8)(rows[i].len >> 8);
        frame[1] = (u8)rows[i].len;
        kl_span in = kl_span_of(frame, rows[i].len + 2);
        CHECK_OK(kl_noise_feed(b.noise, &in, &b.out, &b.plain, &b.broken));
        CHECK_RULE(b.broken, rows[i].rule);
        stop(&b);
    }
    /* Of one that is too long nobody waits for more than its length. */
    struct end b;
    kl_span in = kl_span_of((const u8 *)"\x10\x01", 2);
    start(&b, false, NULL, 0, 1, seed);
    CHECK_OK(kl_noise_feed(b.noise, &in, &b.out, &b.plain, &b.broken));
    CHECK_RULE(b.broken, KL_RULE_NOISE_FRAME);
    stop(&b);
}

/* A frame that holds no text is one all the same; one shorter than a tag is not. */
KL_TEST(noise_empty_frames)
{
    struct end a, b;
    start(&b, false, NULL, 0, 1, seed);
    start(&a, true, NULL, 0, 1, seed);
    shake(&a, &b);
    kl_noise_write(a.noise, KL_SPAN_NONE, &a.out);
    CHECK_U64(a.out.len, b.taken);
    kl_buf_bytes(&a.out,
                 "\0\x0f"
                 "123456789012345",
                 17);
    pass(&a, &b, SIZE_MAX);
    CHECK_RULE(b.broken, KL_RULE_NOISE_FRAME);
    stop(&a);
    stop(&b);
}

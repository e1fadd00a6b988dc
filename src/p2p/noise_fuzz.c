/* A peer that sends any bytes, at any point of a handshake with a correct one behind it: nothing
 * fails, and nothing opens.  The first byte says how many correct messages come first. */
#include "base/fuzz.h"
#include "p2p/noise.h"

struct end {
    struct kl_noise *noise;
    struct kl_buf out, plain;
};

static void start(struct end *end, bool dials)
{
    static const kl_span muxer = {(const u8 *)"/yamux/1.0.0", 12};
    kl_secret32 identity = {{dials ? 1 : 2}};
    const kl_noise_config config = {.dials = dials,
                                    .identity = &identity,
                                    .static_key = {{3, (u8)dials}},
                                    .ephemeral = {{4, (u8)dials}},
                                    .muxers = &muxer,
                                    .muxer_count = 1};
    kl_buf_init(&end->out, 1 << 20);
    kl_buf_init(&end->plain, 1 << 20);
    KL_ASSERT(kl_noise_new(&end->noise, &config, &end->out) == KL_OK);
}

static void stop(struct end *end)
{
    kl_noise_free(end->noise);
    kl_buf_done(&end->out);
    kl_buf_done(&end->plain);
}

static kl_rule feed(struct end *end, kl_span in)
{
    kl_rule broken;
    KL_ASSERT(kl_noise_feed(end->noise, &in, &end->out, &end->plain, &broken) == KL_OK);
    return broken;
}

int LLVMFuzzerTestOneInput(const u8 *bytes, usize len)
{
    struct end a, b;
    if (len == 0)
        return 0;
    start(&a, true);
    start(&b, false);
    unsigned good = bytes[0] % 4;
    usize taken = 0;
    if (good > 0) {
        KL_ASSERT(feed(&b, kl_buf_view(&a.out)) == KL_RULE_NONE);
        taken = a.out.len;
    }
    if (good > 1)
        KL_ASSERT(feed(&a, kl_buf_view(&b.out)) == KL_RULE_NONE);
    if (good > 2)
        KL_ASSERT(feed(&b, kl_span_of(a.out.p + taken, a.out.len - taken)) == KL_RULE_NONE);
    struct end *to = good == 1 ? &a : &b; /* whose turn it is to hear */
    kl_rule broken = feed(to, kl_span_of(bytes + 1, len - 1));
    KL_ASSERT(to->plain.len == 0);
    KL_ASSERT(good == 3 || broken != KL_RULE_NONE || !kl_noise_is_open(to->noise));
    stop(&a);
    stop(&b);
    return 0;
}

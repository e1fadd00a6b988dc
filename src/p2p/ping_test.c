#include "p2p/ping.h"

#include "base/test.h"

/* Many pings, cut anywhere, come back; nothing comes before a ping is whole. */
KL_TEST(ping_echo)
{
    kl_ping ping = {0};
    kl_ping_echo echo = {0};
    struct kl_buf there, back;
    kl_buf_init(&there, 1 << 16);
    kl_buf_init(&back, 1 << 16);
    for (int i = 0; i < 200; i++) {
        u8 bytes[KL_PING_LEN];
        bool pong = false;
        kl_rand_fill(seed, bytes, sizeof bytes);
        kl_buf_clear(&there);
        kl_buf_clear(&back);
        kl_ping_send(&ping, bytes, &there);
        usize cut = kl_rand_below(seed, KL_PING_LEN);
        kl_ping_echo_feed(&echo, kl_span_of(there.p, cut), &back);
        CHECK_U64(back.len, 0);
        kl_ping_echo_feed(&echo, kl_span_of(there.p + cut, there.len - cut), &back);
        CHECK_U64(back.len, KL_PING_LEN);
        cut = kl_rand_below(seed, KL_PING_LEN);
        CHECK_RULE(kl_ping_feed(&ping, kl_span_of(back.p, cut), &pong), KL_RULE_NONE);
        CHECK(!pong);
        CHECK_RULE(kl_ping_feed(&ping, kl_span_of(back.p + cut, back.len - cut), &pong),
                   KL_RULE_NONE);
        CHECK(pong);
    }
    kl_buf_done(&there);
    kl_buf_done(&back);
}

KL_TEST(ping_wrong_answers)
{
    u8 bytes[KL_PING_LEN], more[KL_PING_LEN + 1] = {0};
    struct kl_buf send;
    bool pong;
    kl_buf_init(&send, 1 << 10);
    kl_rand_fill(seed, bytes, sizeof bytes);
    kl_ping ping = {0};
    CHECK_RULE(kl_ping_feed(&ping, KL_SPAN_OF(bytes), &pong), KL_RULE_PING_ANSWER);
    kl_ping_send(&ping, bytes, &send);
    memcpy(more, bytes, sizeof bytes);
    CHECK_RULE(kl_ping_feed(&ping, KL_SPAN_OF(more), &pong), KL_RULE_PING_ANSWER);
    more[kl_rand_below(seed, KL_PING_LEN)] ^= 1;
    CHECK_RULE(kl_ping_feed(&ping, kl_span_of(more, KL_PING_LEN), &pong), KL_RULE_PING_ANSWER);
    CHECK(!pong);
    kl_buf_done(&send);
}

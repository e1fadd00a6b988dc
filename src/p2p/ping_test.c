#include "p2p/ping.h"

#include "base/test.h"

/* Many pings, cut anywhere, come back; nothing comes before a ping is whole. */
KL_TEST(ping_echo)
{
    kl_ping_echo echo = {0};
    struct kl_buf back;
    kl_buf_init(&back, 1 << 16);
    for (int i = 0; i < 200; i++) {
        u8 bytes[KL_PING_LEN];
        kl_rand_fill(seed, bytes, sizeof bytes);
        kl_buf_clear(&back);
        usize cut = kl_rand_below(seed, KL_PING_LEN);
        kl_ping_echo_feed(&echo, kl_span_of(bytes, cut), &back);
        CHECK_U64(back.len, 0);
        kl_ping_echo_feed(&echo, kl_span_of(bytes + cut, sizeof bytes - cut), &back);
        CHECK_U64(back.len, KL_PING_LEN);
        CHECK(memcmp(back.p, bytes, KL_PING_LEN) == 0);
    }
    kl_buf_done(&back);
}

#include "p2p/ping.h"

void kl_ping_echo_feed(kl_ping_echo *echo, kl_span in, struct kl_buf *send)
{
    for (usize at = 0, len; at < in.len; at += len) {
        len = KL_MIN(in.len - at, KL_PING_LEN - echo->got);
        memcpy(echo->part + echo->got, in.p + at, len);
        echo->got += len;
        if (echo->got == KL_PING_LEN) {
            kl_buf_bytes(send, echo->part, KL_PING_LEN);
            echo->got = 0;
        }
    }
}

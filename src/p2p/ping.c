#include "p2p/ping.h"

void kl_ping_send(kl_ping *ping, const u8 bytes[KL_PING_LEN], struct kl_buf *send)
{
    KL_ASSERT(!ping->waits);
    memcpy(ping->wanted, bytes, KL_PING_LEN);
    ping->waits = true;
    ping->got = 0;
    kl_buf_bytes(send, bytes, KL_PING_LEN);
}

kl_rule kl_ping_feed(kl_ping *ping, kl_span in, bool *pong)
{
    *pong = false;
    if (in.len == 0)
        return KL_RULE_NONE;
    if (!ping->waits || in.len > KL_PING_LEN - ping->got ||
        memcmp(ping->wanted + ping->got, in.p, in.len) != 0)
        return KL_RULE_PING_ANSWER;
    ping->got += in.len;
    *pong = ping->got == KL_PING_LEN;
    ping->waits = !*pong;
    return KL_RULE_NONE;
}

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

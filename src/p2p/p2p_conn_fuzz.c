/* A correct peer that sends any bytes inside the encryption: streams it opens, what it says on
 * them.  The other end does what its protocols say; nothing fails, and nothing grows without end.
 */
#include "base/fuzz.h"
#include "p2p/conn.h"

static const kl_conn_protocol protocols[] = {{{(const u8 *)"/echo/1", 7}, KL_YAMUX_USUAL}};

struct user {
    struct kl_conn_user user;
    struct kl_conn *conn;
};

static void hear(struct kl_conn_user *base, const kl_conn_event *event)
{
    struct user *user = (struct user *)base;
    if (event->kind == KL_CONN_DATA) {
        (void)!kl_conn_write(user->conn, event->stream, event->data);
        kl_conn_took(user->conn, event->stream, event->data.len);
    }
    if (event->kind == KL_CONN_ENDED)
        kl_conn_end(user->conn, event->stream);
}

static void feed_noise(struct kl_noise *noise, kl_span in, struct kl_buf *send)
{
    struct kl_buf plain;
    kl_rule broken;
    kl_buf_init(&plain, 1 << 22);
    KL_ASSERT(kl_noise_feed(noise, &in, send, &plain, &broken) == KL_OK && broken == KL_RULE_NONE);
    kl_buf_done(&plain);
}

static kl_rule feed(struct user *user, kl_span in)
{
    kl_rule broken;
    KL_ASSERT(kl_conn_feed(user->conn, in, &broken) == KL_OK);
    return broken;
}

int LLVMFuzzerTestOneInput(const u8 *bytes, usize len)
{
    static const kl_span muxer = {(const u8 *)"/yamux/1.0.0", 12};
    static const char hello[] = "\x13/multistream/1.0.0\n\x07/noise\n";
    kl_secret32 ours = {{1}}, theirs = {{2}};
    const kl_conn_config config = {.identity = &ours,
                                   .static_key = {{3}},
                                   .ephemeral = {{4}},
                                   .protocols = protocols,
                                   .protocol_count = 1,
                                   .peer_streams_max = 8,
                                   .streams_max = 8,
                                   .window = KL_YAMUX_WINDOW,
                                   .queue_max = 1 << 16};
    const kl_noise_config peer = {.dials = true,
                                  .identity = &theirs,
                                  .static_key = {{5}},
                                  .ephemeral = {{6}},
                                  .muxers = &muxer,
                                  .muxer_count = len && bytes[0] & 1 ? 1 : 0};
    struct user user = {.user = {hear}};
    struct kl_noise *noise;
    struct kl_buf send, got;
    bool more;
    kl_buf_init(&send, 1 << 22);
    kl_buf_init(&got, 1 << 22);
    KL_ASSERT(kl_conn_new(&user.conn, &config, &user.user) == KL_OK);
    KL_ASSERT(feed(&user, kl_span_of(hello, sizeof hello - 1)) == KL_RULE_NONE);
    KL_ASSERT(kl_conn_pull(user.conn, 0, &got, &more) == KL_OK);
    KL_ASSERT(kl_noise_new(&noise, &peer, &send) == KL_OK);
    KL_ASSERT(feed(&user, kl_buf_view(&send)) == KL_RULE_NONE);
    kl_buf_clear(&send);
    kl_buf_clear(&got);
    KL_ASSERT(kl_conn_pull(user.conn, 0, &got, &more) == KL_OK);
    feed_noise(noise, kl_buf_view(&got), &send);
    kl_rule broken = feed(&user, kl_buf_view(&send));
    for (usize at = 1, n; at < len && broken == KL_RULE_NONE; at += n) {
        n = KL_MIN(len - at, (usize)1 + bytes[at]);
        kl_buf_clear(&send);
        kl_noise_write(noise, kl_span_of(bytes + at, n), &send);
        broken = feed(&user, kl_buf_view(&send));
        kl_buf_clear(&got);
        if (broken == KL_RULE_NONE)
            KL_ASSERT(kl_conn_pull(user.conn, 10000, &got, &more) == KL_OK);
        KL_ASSERT(kl_conn_stream_count(user.conn) <= 8);
    }
    kl_noise_free(noise);
    kl_conn_free(user.conn);
    kl_buf_done(&send);
    kl_buf_done(&got);
    return 0;
}

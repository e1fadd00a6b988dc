/* Any bytes from a peer, with what a user does in between: nothing fails, streams stay within their
 * number, and no more data is heard than windows allow. */
#include "base/fuzz.h"
#include "p2p/yamux.h"

enum { STREAMS = 8, WINDOW = KL_YAMUX_WINDOW };

struct user {
    struct kl_yamux_user user;
    struct kl_yamux *y;
    const u8 *choice; /* what the user does about an event */
    usize choices;
    u64 heard;
};

static u8 choose(struct user *user)
{
    if (user->choices == 0)
        return 0;
    user->choices--;
    return *user->choice++;
}

static void hear(struct kl_yamux_user *base, const kl_yamux_event *event)
{
    struct user *user = (struct user *)base;
    u8 what = choose(user);
    if (event->kind == KL_YAMUX_DATA) {
        user->heard += event->data.len;
        if (what & 1)
            kl_yamux_took(user->y, event->stream, event->data.len);
    }
    if (what % 16 == 2)
        kl_yamux_reset(user->y, event->stream);
    if (what % 16 == 4)
        kl_yamux_end(user->y, event->stream);
    if (what % 16 == 6)
        (void)!kl_yamux_write(user->y, event->stream, KL_SPAN_TEXT("answer"));
    if (what % 16 == 8)
        kl_yamux_set_class(user->y, event->stream, KL_YAMUX_FIRST);
}

int LLVMFuzzerTestOneInput(const u8 *bytes, usize len)
{
    const kl_yamux_config config = {.peer_streams_max = STREAMS,
                                    .streams_max = 2 * STREAMS,
                                    .window = WINDOW,
                                    .queue_max = 4096};
    struct user user = {.user = {hear}};
    struct kl_buf out;
    kl_rule broken = KL_RULE_NONE;
    u32 id;
    if (len < 8)
        return 0;
    user.choice = bytes;
    user.choices = len / 4;
    KL_ASSERT(kl_yamux_new(&user.y, &config, &user.user) == KL_OK);
    kl_buf_init(&out, 1 << 22);
    for (usize at = user.choices, n; at < len && broken == KL_RULE_NONE; at += n) {
        usize some = 1 + (usize)choose(&user);
        n = KL_MIN(len - at, some);
        KL_ASSERT(kl_yamux_feed(user.y, kl_span_of(bytes + at, n), &broken) == KL_OK);
        KL_ASSERT(kl_yamux_stream_count(user.y) <= 2 * STREAMS);
        u8 what = choose(&user);
        if (what % 8 == 1 && kl_yamux_open(user.y, KL_YAMUX_BULK, &id) == KL_OK)
            (void)!kl_yamux_write(user.y, id, kl_span_of(bytes, len % 4096));
        if (what % 8 == 2 && broken == KL_RULE_NONE)
            (void)kl_yamux_pull(user.y, 20000, &out);
        if (what % 8 == 3)
            kl_yamux_ping(user.y, what);
        KL_ASSERT(!out.failed || out.len > (1 << 21));
        kl_buf_clear(&out);
    }
    kl_buf_done(&out);
    kl_yamux_free(user.y);
    return 0;
}

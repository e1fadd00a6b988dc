#include "cli/devnet_pipe.h"

#include <stdlib.h>

#include "base/rand.h"
#include "base/test.h"

#define MS 1000000ull

static struct kl_devnet_pipe *pipe_new(void)
{
    struct kl_devnet_pipe *pipe = calloc(1, sizeof *pipe);
    CHECK(pipe);
    pipe->bytes = malloc(KL_DEVNET_PIPE_BYTES);
    CHECK(pipe->bytes);
    return pipe;
}

static void pipe_free(struct kl_devnet_pipe *pipe)
{
    free(pipe->bytes);
    free(pipe);
}

KL_TEST(devnet_pipe_a_byte_arrives_when_the_latency_is_over)
{
    struct kl_devnet_pipe *pipe = pipe_new();
    const kl_devnet_way way = {.latency_ns = 100 * MS};
    CHECK_U64(kl_devnet_pipe_due_ns(pipe, &way), UINT64_MAX);
    kl_devnet_pipe_put(pipe, KL_SPAN_TEXT("one"), &way, 5 * MS, seed);
    kl_devnet_pipe_put(pipe, KL_SPAN_TEXT("two"), &way, 9 * MS, seed);
    CHECK_U64(kl_devnet_pipe_due_ns(pipe, &way), 105 * MS);
    CHECK_U64(kl_devnet_pipe_ready(pipe, &way, 105 * MS - 1).len, 0);
    CHECK_SPAN(kl_devnet_pipe_ready(pipe, &way, 105 * MS), KL_SPAN_TEXT("one"));
    CHECK_SPAN(kl_devnet_pipe_ready(pipe, &way, 200 * MS), KL_SPAN_TEXT("onetwo"));
    kl_devnet_pipe_taken(pipe, 4);
    CHECK_SPAN(kl_devnet_pipe_ready(pipe, &way, 109 * MS), KL_SPAN_TEXT("wo"));
    pipe_free(pipe);
}

KL_TEST(devnet_pipe_a_cut_way_keeps_everything)
{
    struct kl_devnet_pipe *pipe = pipe_new();
    kl_devnet_way way = {.cut = true};
    kl_devnet_pipe_put(pipe, KL_SPAN_TEXT("late"), &way, 0, seed);
    CHECK_U64(kl_devnet_pipe_due_ns(pipe, &way), UINT64_MAX);
    CHECK_U64(kl_devnet_pipe_ready(pipe, &way, 1000000 * MS).len, 0);
    way.cut = false;
    CHECK_SPAN(kl_devnet_pipe_ready(pipe, &way, 1000000 * MS), KL_SPAN_TEXT("late"));
    pipe_free(pipe);
}

/* Whatever is put in comes out, in order, never before its time, whatever is lost on the way. */
KL_TEST(devnet_pipe_loses_and_turns_over_nothing)
{
    struct kl_devnet_pipe *pipe = pipe_new();
    kl_devnet_way way = {.latency_ns = 3 * MS, .loss_percent = 20};
    static u8 bytes[20000];
    u64 now_ns = 0, sent = 0, got = 0, late = 0;
    while (got < 5000000) {
        usize len = (usize)kl_rand_below(seed, sizeof bytes);
        len = sent < 5000000 ? KL_MIN(len, kl_devnet_pipe_room(pipe)) : 0;
        for (usize i = 0; i < len; i++)
            bytes[i] = (u8)((sent + i) * 31 >> 3);
        kl_devnet_pipe_put(pipe, kl_span_of(bytes, len), &way, now_ns, seed);
        sent += len;
        now_ns += kl_rand_below(seed, 20 * MS);
        kl_span ready = kl_devnet_pipe_ready(pipe, &way, now_ns);
        usize take = (usize)kl_rand_below(seed, ready.len + 1);
        for (usize i = 0; i < take; i++)
            CHECK(ready.p[i] == (u8)((got + i) * 31 >> 3));
        kl_devnet_pipe_taken(pipe, take);
        got += take;
        late += pipe->count && kl_devnet_pipe_due_ns(pipe, &way) > now_ns + 100 * MS;
    }
    CHECK(late > 0);
    CHECK_U64(sent, got + pipe->len);
    pipe_free(pipe);
}

KL_TEST(devnet_pipe_takes_no_more_than_it_has_room_for)
{
    struct kl_devnet_pipe *pipe = pipe_new();
    const kl_devnet_way way = {.cut = true};
    while (kl_devnet_pipe_room(pipe))
        kl_devnet_pipe_put(pipe, KL_SPAN_TEXT("x"), &way, 0, seed);
    CHECK_U64(pipe->len, KL_DEVNET_SEGMENTS); /* a segment each */
    kl_devnet_pipe_taken(pipe, 1);
    CHECK_U64(kl_devnet_pipe_room(pipe), KL_DEVNET_SEGMENT);
    pipe_free(pipe);
}

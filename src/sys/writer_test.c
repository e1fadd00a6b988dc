#include "sys/writer.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <unistd.h>

#include "base/test.h"
#include "sys/thread.h"

#define SECOND UINT64_C(1000000000)

static void say_dropped(kl_out *line, u64 count)
{
    char text[40];
    int len = snprintf(text, sizeof text, "[%u dropped]", (unsigned)count);
    kl_out_bytes(line, text, (usize)len);
}

static struct kl_writer *open_on(int fd, usize buffer_bytes)
{
    struct kl_writer *w;
    CHECK_OK(kl_writer_open(
        &w, &(kl_writer_config){.fd = fd, .buffer_bytes = buffer_bytes, .dropped = say_dropped}));
    return w;
}

/* Reads until the writers are gone. */
static usize read_all(int fd, u8 *out, usize cap)
{
    usize len = 0;
    for (ssize_t n; (n = read(fd, out + len, cap - len)) > 0;)
        len += (usize)n;
    return len;
}

struct talk {
    struct kl_writer *writer;
    u8 letter;
};

enum { TALKS = 3, TEXTS = 2000, TEXT_LEN = 7 };

static void *talk_main(void *ctx)
{
    const struct talk *talk = ctx;
    u8 text[TEXT_LEN];
    memset(text, talk->letter, sizeof text);
    for (usize i = 0; i < TEXTS; i++)
        kl_writer_put(talk->writer, KL_SPAN_OF(text));
    return NULL;
}

KL_TEST(writer_keeps_texts_whole_and_loses_none_that_fits)
{
    static u8 got[TALKS * TEXTS * TEXT_LEN + 1];
    int pipe_fds[2];
    usize seen[TALKS] = {0};
    CHECK(pipe(pipe_fds) == 0);
    CHECK(fcntl(pipe_fds[0], F_SETPIPE_SZ, (int)sizeof got + 65536) > 0);
    struct kl_writer *w = open_on(pipe_fds[1], sizeof got);
    kl_thread threads[TALKS];
    struct talk talks[TALKS];
    for (usize i = 0; i < TALKS; i++) {
        talks[i] = (struct talk){w, (u8)('a' + i)};
        CHECK_OK(kl_thread_start(&threads[i], "talk", talk_main, &talks[i]));
    }
    for (usize i = 0; i < TALKS; i++)
        kl_thread_join(threads[i]);
    kl_writer_close(w, 10 * SECOND);
    close(pipe_fds[1]);
    usize len = read_all(pipe_fds[0], got, sizeof got);
    close(pipe_fds[0]);
    CHECK_U64(len, TALKS * TEXTS * TEXT_LEN);
    for (usize i = 0; i < len; i += TEXT_LEN) {
        for (usize k = 1; k < TEXT_LEN; k++)
            CHECK(got[i + k] == got[i]);
        seen[got[i] - 'a']++;
    }
    for (usize i = 0; i < TALKS; i++)
        CHECK_U64(seen[i], TEXTS);
}

/* Nobody reads: texts are dropped, nobody waits, and closing does not wait for ever either. */
KL_TEST(writer_does_not_wait_for_a_reader)
{
    static u8 got[1 << 20];
    u8 text[100];
    int pipe_fds[2];
    memset(text, 'x', sizeof text);
    CHECK(pipe(pipe_fds) == 0);
    struct kl_writer *w = open_on(pipe_fds[1], 4096);
    for (usize i = 0; i < 10000; i++)
        kl_writer_put(w, KL_SPAN_OF(text));
    kl_writer_close(w, 1000000);
    close(pipe_fds[1]);
    usize len = read_all(pipe_fds[0], got, sizeof got);
    close(pipe_fds[0]);
    CHECK(len < 10000 * sizeof text);
}

/* Waits until len bytes have come. */
static void read_exactly(int fd, u8 *out, usize len)
{
    while (len > 0) {
        ssize_t n = read(fd, out, len);
        CHECK(n > 0);
        out += n;
        len -= (usize)n;
    }
}

KL_TEST(writer_says_how_much_was_dropped)
{
    static u8 got[1 << 20];
    u8 text[64];
    int pipe_fds[2];
    memset(text, 'x', sizeof text);
    CHECK(pipe(pipe_fds) == 0);
    struct kl_writer *w = open_on(pipe_fds[1], 256);
    kl_writer_put(w, KL_SPAN_TEXT("first."));
    read_exactly(pipe_fds[0], got, 6);
    CHECK_SPAN(kl_span_of(got, 6), KL_SPAN_TEXT("first."));
    u8 huge[257] = {0};
    kl_writer_put(w, KL_SPAN_OF(huge));
    kl_writer_put(w, KL_SPAN_OF(huge));
    kl_writer_put(w, KL_SPAN_TEXT("last."));
    kl_writer_close(w, 10 * SECOND);
    close(pipe_fds[1]);
    usize len = read_all(pipe_fds[0], got, sizeof got);
    close(pipe_fds[0]);
    CHECK_SPAN(kl_span_of(got, len), KL_SPAN_TEXT("[1 dropped][1 dropped]last."));
}

KL_TEST(writer_survives_a_reader_who_leaves)
{
    int pipe_fds[2];
    CHECK(pipe(pipe_fds) == 0);
    close(pipe_fds[0]);
    struct kl_writer *w = open_on(pipe_fds[1], 4096);
    for (usize i = 0; i < 1000; i++)
        kl_writer_put(w, KL_SPAN_TEXT("is anybody there?"));
    kl_writer_close(w, 10 * SECOND);
    close(pipe_fds[1]);
    kl_writer_close(NULL, 0);
}

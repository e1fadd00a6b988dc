/* A ring of bytes.  The thread waits until the descriptor takes bytes, together with a descriptor
 * of its own that ends the wait, and writes at most what a pipe that is ready takes without
 * blocking: so it can always be told to stop. */
#include "sys/writer.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/sync.h"
#include "sys/env.h"
#include "sys/thread.h"

enum { NOTE_MAX = 200 };

struct kl_writer {
    kl_writer_config config;
    kl_thread thread;
    int stop_fd; /* readable: stop_ns is set */
    kl_mutex mutex;
    kl_cond work; /* something to write, or to stop for */
    u8 *bytes;
    usize first, count;
    u64 dropped;
    u64 stop_ns; /* stop by then, on the monotonic clock; 0: go on */
};

static u64 now_ns(void)
{
    return kl_mono_ns(kl_sys_clock());
}

/* The mutex is held. */
static bool add(struct kl_writer *w, kl_span text)
{
    usize cap = w->config.buffer_bytes;
    if (text.len > cap - w->count)
        return false;
    usize at = (w->first + w->count) % cap, head = KL_MIN(text.len, cap - at);
    memcpy(w->bytes + at, text.p, head);
    memcpy(w->bytes, text.p + head, text.len - head);
    w->count += text.len;
    return true;
}

/* The mutex is held. */
static void add_note(struct kl_writer *w)
{
    u8 room[NOTE_MAX];
    kl_out note = kl_out_of(room, sizeof room);
    w->config.dropped(&note, w->dropped);
    if (add(w, kl_out_done(&note)))
        w->dropped = 0;
}

void kl_writer_put(struct kl_writer *w, kl_span text)
{
    if (text.len == 0)
        return;
    kl_lock(&w->mutex);
    if (w->dropped && w->config.dropped)
        add_note(w);
    if ((w->dropped && w->config.dropped) || !add(w, text))
        w->dropped++;
    kl_cond_signal(&w->work);
    kl_unlock(&w->mutex);
}

/* The next bytes to write, as many as lie together and a pipe takes; none: time to stop. */
static kl_span next_bytes(struct kl_writer *w)
{
    kl_lock(&w->mutex);
    while (w->count == 0 && !w->stop_ns)
        kl_cond_wait(&w->work, &w->mutex);
    usize len = KL_MIN(w->count, w->config.buffer_bytes - w->first);
    kl_span bytes = kl_span_of(w->bytes + w->first, KL_MIN(len, (usize)PIPE_BUF));
    if (w->stop_ns && now_ns() >= w->stop_ns)
        bytes.len = 0;
    kl_unlock(&w->mutex);
    return bytes;
}

/* Waits until bytes can be written; false when it is too late. */
static bool wait_ready(struct kl_writer *w)
{
    struct pollfd fds[] = {{.fd = w->config.fd, .events = POLLOUT},
                           {.fd = w->stop_fd, .events = POLLIN}};
    for (;;) {
        kl_lock(&w->mutex);
        u64 stop_ns = w->stop_ns, now = now_ns();
        kl_unlock(&w->mutex);
        if (stop_ns && now >= stop_ns)
            return false;
        int wait_ms = stop_ns ? (int)KL_MIN((stop_ns - now) / 1000000 + 1, (u64)INT_MAX) : -1;
        if (poll(fds, stop_ns ? 1 : 2, wait_ms) > 0 && fds[0].revents)
            return true;
    }
}

/* How many bytes are done with: all of them when nobody will ever read them. */
static usize write_some(int fd, kl_span bytes)
{
    ssize_t n = write(fd, bytes.p, bytes.len);
    if (n >= 0)
        return (usize)n;
    return errno == EINTR || errno == EAGAIN ? 0 : bytes.len;
}

static void *writer_main(void *ctx)
{
    struct kl_writer *w = ctx;
    for (kl_span bytes; (bytes = next_bytes(w)).len > 0 && wait_ready(w);) {
        usize done = write_some(w->config.fd, bytes);
        kl_lock(&w->mutex);
        w->first = (w->first + done) % w->config.buffer_bytes;
        w->count -= done;
        kl_unlock(&w->mutex);
    }
    return NULL;
}

static void writer_free(struct kl_writer *w)
{
    if (w->stop_fd >= 0)
        close(w->stop_fd);
    kl_cond_done(&w->work);
    kl_mutex_done(&w->mutex);
    free(w->bytes);
    free(w);
}

kl_status kl_writer_open(struct kl_writer **out, const kl_writer_config *config)
{
    struct kl_writer *w = calloc(1, sizeof *w);
    if (!w)
        return KL_NOMEM;
    w->config = *config;
    kl_mutex_init(&w->mutex);
    kl_cond_init(&w->work);
    w->bytes = malloc(config->buffer_bytes);
    w->stop_fd = eventfd(0, EFD_CLOEXEC);
    kl_status status = w->bytes && w->stop_fd >= 0 ? KL_OK : KL_NOMEM;
    if (status == KL_OK)
        status = kl_thread_start(&w->thread, "keel writer", writer_main, w);
    if (status != KL_OK) {
        writer_free(w);
        return status;
    }
    *out = w;
    return KL_OK;
}

void kl_writer_close(struct kl_writer *w, u64 timeout_ns)
{
    static const u64 one = 1;
    if (!w)
        return;
    kl_lock(&w->mutex);
    w->stop_ns = kl_add_sat_u64(now_ns(), timeout_ns);
    kl_cond_signal(&w->work);
    kl_unlock(&w->mutex);
    KL_ASSERT(write(w->stop_fd, &one, sizeof one) == (ssize_t)sizeof one);
    kl_thread_join(w->thread);
    writer_free(w);
}

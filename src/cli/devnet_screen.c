/* What is on the screen: the log, and on a terminal the table below it, redrawn in place; elsewhere
 * the table is printed into the log now and then. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "cli/devnet.h"

#define PRINT_NS UINT64_C(10000000000)
#define LOG_MAX  ((usize)16 << 20)

void kl_devnet_screen_open(struct kl_devnet *d)
{
    const char *term = getenv("TERM"), *no_colour = getenv("NO_COLOR");
    d->is_terminal = isatty(STDOUT_FILENO) && term && strcmp(term, "dumb") != 0;
    d->has_colour = d->is_terminal && !(no_colour && no_colour[0]);
    d->printed_ns = kl_loop_now(d->loop);
    kl_buf_init(&d->log, LOG_MAX);
}

static usize width(void)
{
    struct winsize size;
    return ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col ? size.ws_col : 80;
}

u32 kl_devnet_fold(struct kl_buf *out, kl_span text, usize columns)
{
    u32 rows = 0;
    while (text.len) {
        const u8 *end = memchr(text.p, '\n', text.len);
        usize len = end ? (usize)(end - text.p) : text.len, take = KL_MIN(len, columns);
        while (take < len && take > columns / 2 && text.p[take] != ' ')
            take--;
        if (take < len && text.p[take] != ' ')
            take = columns;
        kl_buf_span(out, kl_span_sub(text, 0, take));
        kl_buf_str(out, "\n");
        rows++;
        bool between = take < text.len && (text.p[take] == ' ' || text.p[take] == '\n');
        text = kl_span_sub(text, take + between, SIZE_MAX);
    }
    return rows;
}

static void write_all(kl_span text)
{
    while (text.len) {
        ssize_t put = write(STDOUT_FILENO, text.p, text.len);
        if (put < 0 && errno != EINTR && errno != EAGAIN)
            return; /* nobody is there */
        if (put > 0)
            text = kl_span_sub(text, (usize)put, SIZE_MAX);
    }
}

/* The log comes where the table was, and the table below it again. */
static void draw(struct kl_devnet *d)
{
    struct kl_buf out, table;
    kl_buf_init(&out, SIZE_MAX);
    kl_buf_init(&table, 1 << 20);
    if (d->shown_rows)
        kl_buf_print(&out, "\x1b[%uA\r\x1b[J", d->shown_rows);
    kl_buf_span(&out, kl_buf_view(&d->log));
    d->shown_rows = 0;
    if (!d->stopping) {
        kl_buf_str(&out, "\n");
        kl_devnet_table_print(d, &table);
        d->shown_rows = 1 + kl_devnet_fold(&out, kl_buf_view(&table), width());
    }
    write_all(kl_buf_view(&out));
    kl_buf_done(&out);
    kl_buf_done(&table);
}

void kl_devnet_screen_show(struct kl_devnet *d)
{
    u64 now_ns = kl_loop_now(d->loop);
    if (d->is_terminal) {
        if (d->stale || d->log.len)
            draw(d);
    } else {
        if (now_ns - d->printed_ns >= PRINT_NS && !d->stopping) {
            d->printed_ns = now_ns;
            kl_buf_str(&d->log, "\n");
            kl_devnet_table_print(d, &d->log);
            kl_buf_str(&d->log, "\n");
        }
        write_all(kl_buf_view(&d->log));
    }
    kl_buf_clear(&d->log);
    d->stale = false;
}

void kl_devnet_screen_close(struct kl_devnet *d)
{
    write_all(kl_buf_view(&d->log));
    kl_buf_done(&d->log);
}

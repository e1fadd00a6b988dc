/* writer: text for a terminal, a pipe or a file, written by a thread of its own, so that nobody who
 * has something to say waits for whoever reads it.  What does not fit the buffer is dropped, as a
 * whole, and counted; a reader who has gone away ends nothing. */
#ifndef KL_SYS_WRITER_H
#define KL_SYS_WRITER_H

#include "base/buf.h"
#include "base/status.h"

struct kl_writer;

typedef struct kl_writer_config {
    int fd; /* stays the caller's; must not be closed before the writer is */
    usize buffer_bytes;
    /* Writes into line what is said, once there is room again, about `count` texts that were
     * dropped; NULL: nothing. */
    void (*dropped)(kl_out *line, u64 count);
} kl_writer_config;

/* KL_NOMEM, KL_LIMIT (no more threads). */
KL_MUST_USE kl_status kl_writer_open(struct kl_writer **out, const kl_writer_config *config);

/* Takes the whole text or drops it.  Any thread; never waits. */
void kl_writer_put(struct kl_writer *writer, kl_span text);

/* Writes what is left, but waits at most timeout_ns for a slow reader.  NULL is fine. */
void kl_writer_close(struct kl_writer *writer, u64 timeout_ns);

#endif

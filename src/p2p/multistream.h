/* multistream: two ends of a stream agree on a protocol [libp2p specs: multistream-select 1.0].
 *
 * Lines of text, each behind its length.  The dialer names a protocol; the listener repeats it, and
 * from there on the stream is that protocol's, or says "na", and the dialer names another.  The
 * dialer's header and first name travel together; whatever follows the listener's yes in the same
 * bytes is left where it is.
 *
 * A pure machine over the caller's struct; the names stay the caller's.  Limits: a line of
 * KL_MULTISTREAM_LINE_MAX bytes, KL_MULTISTREAM_TRIES_MAX names. */
#ifndef KL_P2P_MULTISTREAM_H
#define KL_P2P_MULTISTREAM_H

#include "base/buf.h"
#include "base/rule.h"

enum {
    KL_MULTISTREAM_LINE_MAX = 256,
    KL_MULTISTREAM_TRIES_MAX = 32,
};
#define KL_MULTISTREAM_NONE SIZE_MAX

typedef struct kl_multistream {
    const kl_span *names;
    usize count;
    bool dials, greeted, done;
    usize tried;  /* the dialer's current name; how many the listener was told */
    usize chosen; /* index of the name, or KL_MULTISTREAM_NONE */
    u8 line[KL_MULTISTREAM_LINE_MAX + 2];
    usize line_len; /* of what has come of a line, length included */
} kl_multistream;

/* Begins; count is at least 1 for a dialer (asserted).  What is to be sent goes to send. */
void kl_multistream_dial(kl_multistream *m, const kl_span *names, usize count, struct kl_buf *send);
void kl_multistream_listen(kl_multistream *m, const kl_span *names, usize count,
                           struct kl_buf *send);

/* Takes what it needs off the front of in.  Once done is set: chosen says which name; for a dialer
 * KL_MULTISTREAM_NONE means that the other end knows none.  *broken ends the stream:
 * MULTISTREAM_LINE (malformed or too long), MULTISTREAM_HEADER (another protocol, or version),
 * MULTISTREAM_ANSWER (neither yes nor no), MULTISTREAM_TRIES. */
kl_rule kl_multistream_feed(kl_multistream *m, kl_span *in, struct kl_buf *send);

#endif

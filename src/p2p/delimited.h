/* delimited: messages on a stream, each behind its length as a varint; here they are cut apart.
 *
 * A message that came whole is not copied; of others the bytes are kept as they come, never more
 * than one message, and no room is made for bytes that have not come.  Thread: one at a time. */
#ifndef KL_P2P_DELIMITED_H
#define KL_P2P_DELIMITED_H

#include "base/buf.h"
#include "base/rule.h"
#include "base/status.h"

struct kl_delimited {
    struct kl_buf part; /* of a message, its length included */
    usize max;
    bool given; /* part was handed out and is over */
};

void kl_delimited_init(struct kl_delimited *d, usize message_max);
void kl_delimited_done(struct kl_delimited *d);

/* Takes bytes off the front of in, until a message is whole or nothing is left.  *whole: message
 * views it, until in's bytes go or the next call comes.  *broken: DELIMITED_LONG, the row of
 * kl_varint; the stream is over then.  KL_NOMEM: over too. */
KL_MUST_USE kl_status kl_delimited_next(struct kl_delimited *d, kl_span *in, kl_span *message,
                                        bool *whole, kl_rule *broken);

#endif

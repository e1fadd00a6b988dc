/* history_record_priv: a reverse delta as payloads of log records.
 *
 * A large reverse delta is split into parts, so that finding one key in it reads little:
 *
 *     8 version | 4 part, from 0 | 1 flags: 1 = the last part | entries
 *     entry: 1 table | 1 key length - 1 | 4 value length + 1, 0: there was nothing | key | value
 *
 * Numbers are big-endian; entries are sorted by table and key. */
#ifndef KL_STATE_HISTORY_RECORD_PRIV_H
#define KL_STATE_HISTORY_RECORD_PRIV_H

#include "base/buf.h"
#include "state/history_priv.h"

#define KL_HISTORY_KIND  1           /* of the log's records */
#define KL_HISTORY_PART  (16u << 10) /* bytes at which a part is full */
#define KL_HISTORY_FIRST 13          /* bytes before the entries */

typedef struct kl_history_part {
    u64 version;
    u32 part;
    bool last;
    kl_span entries;
} kl_history_part;

void kl_history_part_begin(struct kl_buf *out, u64 version, u32 part);
void kl_history_part_add(struct kl_buf *out, const kl_old *old);
void kl_history_part_end(struct kl_buf *out, bool last);

KL_MUST_USE kl_status kl_history_part_read(kl_history_part *out, kl_span payload);
/* Takes the next entry off; KL_NOTFOUND at the end, KL_CORRUPT. */
KL_MUST_USE kl_status kl_history_part_next(kl_span *entries, kl_old *out);

/* What the index is ordered by; part of the format. */
u64 kl_history_hash(kl_table table, kl_span key);

#endif

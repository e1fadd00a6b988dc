/* transfer: everything in a state database as a stream of entries, for checkpoints: out of one,
 * into another.  META is not in the stream: it is the version, and comes by itself. */
#ifndef KL_STATE_TRANSFER_H
#define KL_STATE_TRANSFER_H

#include "state/state.h"

struct kl_state_sink {
    kl_status (*entry)(struct kl_state_sink *sink, kl_table table, kl_span key, kl_span value);
};

/* Gives every entry of the database to the sink, in order of table and key, out of one snapshot; on
 * the flushing thread it is that of kl_state_stored.  KL_CORRUPT, KL_TIMEOUT (a snapshot that grew
 * too old), what the sink returns. */
KL_MUST_USE kl_status kl_state_export(struct kl_state *state, struct kl_state_sink *sink);

/* Fills a database that no kl_state has open.  Begin empties it; until the end it counts as empty.
 * After any failure only drop is allowed. */
struct kl_state_loader;
KL_MUST_USE kl_status kl_state_load_begin(struct kl_state_loader **out, struct kl_kv *kv);
KL_MUST_USE kl_status kl_state_load_put(struct kl_state_loader *loader, kl_table table, kl_span key,
                                        kl_span value);
/* The loader is gone afterwards, also on failure. */
KL_MUST_USE kl_status kl_state_load_end(struct kl_state_loader *loader, u64 version);
void kl_state_load_drop(struct kl_state_loader *loader); /* NULL is fine */

#endif

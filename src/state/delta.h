/* delta: what one step changed, as an immutable set of (table, key) -> value or "gone".
 *
 * A delta holds its parent alive until the parent is flushed and, so that a look-up does not walk
 * through every ancestor, a merged index over the last 2^k steps, where 2^k is the largest power of
 * two that divides its number (a Fenwick tree over time): a look-up visits at most log2(steps)
 * indexes.
 *
 * Thread: immutable once sealed; references may be taken and dropped on any thread. */
#ifndef KL_STATE_DELTA_H
#define KL_STATE_DELTA_H

#include "base/status.h"
#include "store/kv.h"

struct kl_delta;
struct kl_delta_builder;

/* Collects the changes of one step on top of parent (NULL: on top of the database's version, or on
 * nothing when it is empty); version is the parent's + 1.  META is the database's own table.  Keys
 * and values are copied.  Putting a key twice keeps the last. */
KL_MUST_USE kl_status kl_delta_begin(struct kl_delta_builder **out, struct kl_delta *parent,
                                     u64 version);
KL_MUST_USE kl_status kl_delta_put(struct kl_delta_builder *builder, kl_table table, kl_span key,
                                   kl_span value);
KL_MUST_USE kl_status kl_delta_del(struct kl_delta_builder *builder, kl_table table, kl_span key);
/* The builder is gone afterwards, also on failure. */
KL_MUST_USE kl_status kl_delta_seal(struct kl_delta_builder *builder, struct kl_delta **out);
void kl_delta_drop(struct kl_delta_builder *builder);

struct kl_delta *kl_delta_ref(struct kl_delta *delta);
void kl_delta_unref(struct kl_delta *delta); /* NULL is fine */

u64 kl_delta_version(const struct kl_delta *delta);

/* Changes of this step alone, in order of table and key: start with *cursor = 0; false at the end.
 * gone says the key was removed. */
bool kl_delta_next(const struct kl_delta *delta, usize *cursor, kl_table *table, kl_span *key,
                   kl_span *value, bool *gone);

/* Bytes of memory this delta holds, for back-pressure. */
usize kl_delta_bytes(const struct kl_delta *delta);

#endif

/* changes_priv: sorted sets of changes, of one step or merged from several.
 *
 * Steps are counted from 1: version v is made by step v + 1, and step 0 is the empty world. */
#ifndef KL_STATE_CHANGES_PRIV_H
#define KL_STATE_CHANGES_PRIV_H

#include "base/sync.h"
#include "store/kv.h"

/* One key's change, with its key and value behind it. */
typedef struct kl_change {
    u64 step;
    u32 value_len;
    u16 key_len;
    kl_table table;
    bool gone;
    u8 bytes[]; /* key, then value */
} kl_change;

static inline kl_span kl_change_key(const kl_change *change)
{
    return kl_span_of(change->bytes, change->key_len);
}

static inline kl_span kl_change_value(const kl_change *change)
{
    return kl_span_of(change->bytes + change->key_len, change->value_len);
}

/* Bytes of a change in memory, rounded up so that another may follow. */
static inline usize kl_change_bytes(usize key_len, usize value_len)
{
    usize align = _Alignof(kl_change);
    return (sizeof(kl_change) + key_len + value_len + align - 1) / align * align;
}

/* A change with what can be said about its key without looking at it. */
typedef struct kl_change_ref {
    u32 prefix; /* table, then the first three bytes of the key: decides the order nearly always */
    u32 hash;   /* see kl_change_hash */
    const kl_change *change;
} kl_change_ref;

u32 kl_change_prefix(kl_table table, kl_span key);
u32 kl_change_hash(u64 seed, kl_table table, kl_span key);

/* Order of table and key: <0, 0 or >0. */
int kl_change_cmp(const kl_change_ref *a, const kl_change_ref *b);

/* Sorts by table and key, equal ones in the order they had; scratch has room for count. */
void kl_change_sort(kl_change_ref *refs, usize count, kl_change_ref *scratch);

/* The newest change of every key in the steps (low, high]; immutable. */
struct kl_changes {
    kl_refs refs;
    u64 low, high;
    kl_change_ref *sorted;
    usize count;
    usize bytes; /* held by this object alone */

    /* The hash index, unless tags is NULL. */
    u8 *tags;    /* 0 marks a free place */
    u32 *places; /* where in sorted */
    usize mask;

    struct kl_changes **parts; /* who holds the bytes, when not this object */
    usize part_count;
};

/* Copies the changes of one step, sorted; of equal keys the last one counts. */
KL_MUST_USE kl_status kl_changes_new(struct kl_changes **out, u64 step, const kl_change_ref *refs,
                                     usize count, bool with_index);

/* Merges sets that follow one another without gaps, newest first.  Changes of steps up to `above`
 * may be left out. */
KL_MUST_USE kl_status kl_changes_merge(struct kl_changes **out, struct kl_changes *const *sets,
                                       usize count, u64 above);

struct kl_changes *kl_changes_ref(struct kl_changes *changes);
void kl_changes_unref(struct kl_changes *changes); /* NULL is fine */

/* The first place in sorted with a table and key >= the given ones. */
usize kl_changes_seek(const struct kl_changes *changes, kl_table table, kl_span key);

/* By the index; NULL when the key is not in it. */
const kl_change *kl_changes_find(const struct kl_changes *changes, u32 hash, kl_table table,
                                 kl_span key);

static inline void kl_changes_prefetch(const struct kl_changes *changes, u32 hash)
{
    __builtin_prefetch(&changes->tags[hash & changes->mask]);
}

#endif

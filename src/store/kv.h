/* kv: ordered tables of keys and values, with snapshots and one writer.
 *
 * Every value carries a CRC-32C over table, key and value, added by kl_kv_put and checked by every
 * read: a damaged value is KL_CORRUPT and never served.  Keys are 1 to KL_KV_KEY_MAX bytes and sort
 * bytewise; values are at most KL_KV_VALUE_MAX bytes.
 *
 * Thread: snapshots may be taken on any thread, a snapshot is used by one thread at a time, there
 * is one write transaction at a time, and snapshots never wait for it. */
#ifndef KL_STORE_KV_H
#define KL_STORE_KV_H

#include "base/span.h"
#include "base/status.h"

#define KL_KV_KEY_MAX   256
#define KL_KV_VALUE_MAX (16u << 20)
#define KL_KV_TABLE_MAX 32

typedef u8 kl_table; /* index into the names the store was opened with */

struct kl_kv_ops;
struct kl_kv {
    const struct kl_kv_ops *ops;
};

/* A snapshot.  Spans it hands out live as long as it does. */
struct kl_kv_read {
    struct kl_kv *kv;
};

/* The write transaction; ended by the thread that began it. */
struct kl_kv_write {
    struct kl_kv *kv;
    bool broken; /* something failed; kept by kl_kv_* */
};

/* Walks over one table of a snapshot; closed before the snapshot ends. */
struct kl_kv_cursor {
    struct kl_kv *kv;
    kl_table table;
};

/* What a backend implements; values here include the checksum. */
struct kl_kv_ops {
    kl_status (*begin_read)(struct kl_kv *kv, struct kl_kv_read **out);
    void (*end_read)(struct kl_kv_read *read);
    kl_status (*get)(struct kl_kv_read *read, kl_table table, kl_span key, kl_span *value);
    kl_status (*cursor_open)(struct kl_kv_read *read, kl_table table, struct kl_kv_cursor **out);
    /* First entry with a key >= key. */
    kl_status (*cursor_seek)(struct kl_kv_cursor *cursor, kl_span key, kl_span *k, kl_span *v);
    kl_status (*cursor_next)(struct kl_kv_cursor *cursor, kl_span *k, kl_span *v);
    void (*cursor_close)(struct kl_kv_cursor *cursor);
    kl_status (*begin_write)(struct kl_kv *kv, struct kl_kv_write **out);
    /* Room for value_len bytes under key, to be filled before the next call. */
    kl_status (*reserve)(struct kl_kv_write *write, kl_table table, kl_span key, usize value_len,
                         u8 **room);
    kl_status (*del)(struct kl_kv_write *write, kl_table table, kl_span key);
    kl_status (*get_in_write)(struct kl_kv_write *write, kl_table table, kl_span key,
                              kl_span *value);
    kl_status (*commit)(struct kl_kv_write *write); /* frees write, also on failure */
    void (*abort)(struct kl_kv_write *write);
    kl_status (*bytes)(struct kl_kv *kv, u64 *out);
    void (*close)(struct kl_kv *kv);
};

KL_MUST_USE kl_status kl_kv_begin_read(struct kl_kv *kv, struct kl_kv_read **out);
void kl_kv_end_read(struct kl_kv_read *read); /* NULL is fine */

/* KL_NOTFOUND, KL_CORRUPT, KL_IO; KL_TIMEOUT once the snapshot is older than the store allows. */
KL_MUST_USE kl_status kl_kv_get(struct kl_kv_read *read, kl_table table, kl_span key,
                                kl_span *value);

/* Cursors end with KL_NOTFOUND.  A seek finds the first key >= key, which may be empty here; a new
 * cursor's next is the first entry; after the end only a seek goes on.  When KL_CORRUPT comes from
 * an entry's checksum, *k is that entry's key. */
KL_MUST_USE kl_status kl_kv_cursor_open(struct kl_kv_read *read, kl_table table,
                                        struct kl_kv_cursor **out);
KL_MUST_USE kl_status kl_kv_cursor_seek(struct kl_kv_cursor *cursor, kl_span key, kl_span *k,
                                        kl_span *v);
KL_MUST_USE kl_status kl_kv_cursor_next(struct kl_kv_cursor *cursor, kl_span *k, kl_span *v);
void kl_kv_cursor_close(struct kl_kv_cursor *cursor);

/* The one write transaction; waits while another thread has it.  After any failure but KL_NOTFOUND
 * only kl_kv_abort is allowed (asserted). */
KL_MUST_USE kl_status kl_kv_begin_write(struct kl_kv *kv, struct kl_kv_write **out);
/* KL_LIMIT for a value over KL_KV_VALUE_MAX. */
KL_MUST_USE kl_status kl_kv_put(struct kl_kv_write *write, kl_table table, kl_span key,
                                kl_span value);
/* KL_OK also when the key is not there. */
KL_MUST_USE kl_status kl_kv_del(struct kl_kv_write *write, kl_table table, kl_span key);
/* What the transaction sees, its own changes included; the span lives until the next change. */
KL_MUST_USE kl_status kl_kv_get_in_write(struct kl_kv_write *write, kl_table table, kl_span key,
                                         kl_span *value);
/* All or nothing, durable as the backend promises when it returns KL_OK; *write is gone either way.
 */
KL_MUST_USE kl_status kl_kv_commit(struct kl_kv_write *write);
void kl_kv_abort(struct kl_kv_write *write); /* NULL is fine */

/* Bytes the store takes on disk. */
KL_MUST_USE kl_status kl_kv_bytes(struct kl_kv *kv, u64 *out);
/* NULL is fine; no snapshot and no write transaction may be open (asserted). */
void kl_kv_close(struct kl_kv *kv);

#endif

/* Writing checkpoints: entries gather in a chunk, full chunks go to the file; it gets its name when
 * all of it is durable and was read back. */
#include <stdio.h>

#include "base/buf.h"
#include "chain/checkpoint_priv.h"

struct writing {
    struct kl_state_sink sink;
    struct kl_file *file;
    u64 at, number, entries;
    struct kl_buf chunk; /* room for the head, then the body */
    bool (*go_on)(void *ctx);
    void *ctx;
};

static void begin_chunk(struct writing *w)
{
    kl_buf_clear(&w->chunk);
    u8 *head = kl_buf_extend(&w->chunk, KL_CHUNK_HEAD);
    if (head)
        memset(head, 0, KL_CHUNK_HEAD);
}

static kl_status end_chunk(struct writing *w, kl_chunk_kind kind)
{
    if (w->chunk.failed)
        return KL_NOMEM;
    u8 *head = w->chunk.p;
    kl_span body = kl_span_sub(kl_buf_view(&w->chunk), KL_CHUNK_HEAD, SIZE_MAX);
    head[0] = (u8)kind;
    kl_store_be32(head + 1, (u32)body.len);
    kl_store_be32(head + 5, kl_chunk_crc(w->number, head[0], body));
    KL_TRY(kl_file_write(w->file, w->chunk.p, w->chunk.len, w->at));
    w->at += w->chunk.len;
    w->number++;
    begin_chunk(w);
    return KL_OK;
}

static kl_status write_begin(struct writing *w, const kl_checkpoint *c)
{
    u8 fixed[KL_CHECKPOINT_BEGIN_LEN];
    memcpy(fixed, KL_CHECKPOINT_MAGIC, 8);
    kl_store_be32(fixed + 8, KL_CHECKPOINT_FORMAT);
    kl_store_be64(fixed + 12, c->version);
    kl_store_be64(fixed + 20, c->head_version);
    memcpy(fixed + 28, c->head_hash.b, 32);
    memcpy(fixed + 60, c->state_root.b, 32);
    begin_chunk(w);
    kl_buf_bytes(&w->chunk, fixed, sizeof fixed);
    kl_buf_span(&w->chunk, c->genesis);
    return end_chunk(w, KL_CHUNK_BEGIN);
}

static kl_status write_entry(struct kl_state_sink *sink, kl_table table, kl_span key, kl_span value)
{
    struct writing *w = (struct writing *)sink;
    u8 head[KL_ENTRY_HEAD];
    head[0] = table;
    kl_store_be16(head + 1, (u16)key.len);
    kl_store_be32(head + 3, (u32)value.len);
    kl_buf_bytes(&w->chunk, head, sizeof head);
    kl_buf_span(&w->chunk, key);
    kl_buf_span(&w->chunk, value);
    w->entries++;
    if (!w->chunk.failed && w->chunk.len < KL_CHUNK_BYTES)
        return KL_OK;
    return w->go_on(w->ctx) ? end_chunk(w, KL_CHUNK_ENTRIES) : KL_CANCELED;
}

static kl_status write_end(struct writing *w)
{
    u8 entries[8];
    if (w->chunk.len > KL_CHUNK_HEAD)
        KL_TRY(end_chunk(w, KL_CHUNK_ENTRIES));
    kl_store_be64(entries, w->entries);
    kl_buf_bytes(&w->chunk, entries, sizeof entries);
    return end_chunk(w, KL_CHUNK_END);
}

static kl_status write_all(struct writing *w, struct kl_state *state, const kl_checkpoint *c)
{
    KL_TRY(write_begin(w, c));
    KL_TRY(kl_state_export(state, &w->sink));
    KL_TRY(write_end(w));
    return kl_file_sync(w->file);
}

static kl_status remove_unfinished(struct kl_fs *fs)
{
    return kl_fs_remove(fs, KL_CHECKPOINT_DIR "/" KL_CHECKPOINT_UNNAMED);
}

static kl_status write_unnamed(struct kl_fs *fs, struct kl_state *state, const kl_checkpoint *c,
                               bool (*go_on)(void *ctx), void *ctx)
{
    struct writing w = {.sink.entry = write_entry, .go_on = go_on, .ctx = ctx};
    kl_buf_init(&w.chunk, KL_CHUNK_MAX + KL_CHUNK_HEAD);
    KL_TRY(remove_unfinished(fs));
    kl_status status =
        kl_fs_open(fs, &w.file, KL_CHECKPOINT_DIR "/" KL_CHECKPOINT_UNNAMED, KL_OPEN_CREATE);
    if (status == KL_OK)
        status = write_all(&w, state, c);
    kl_file_close(w.file);
    kl_buf_done(&w.chunk);
    return status;
}

kl_status kl_checkpoint_write(struct kl_fs *fs, struct kl_state *state,
                              const kl_checkpoint *checkpoint, bool (*go_on)(void *ctx), void *ctx)
{
    char path[KL_PATH_MAX + 1];
    kl_checkpoint_damage damage;
    kl_checkpoint_path(checkpoint->version, path);
    KL_TRY(kl_fs_make_dir(fs, KL_CHECKPOINT_DIR));
    KL_TRY(kl_fs_sync_dir(fs, ""));
    kl_status status = write_unnamed(fs, state, checkpoint, go_on, ctx);
    if (status == KL_OK)
        status = kl_fs_rename(fs, KL_CHECKPOINT_DIR "/" KL_CHECKPOINT_UNNAMED, path);
    if (status == KL_OK)
        status = kl_fs_sync_dir(fs, KL_CHECKPOINT_DIR);
    if (status == KL_OK)
        status = kl_checkpoint_read(fs, checkpoint->version, NULL, &damage);
    return status == KL_NOTFOUND ? KL_IO : status;
}

struct dropping {
    struct kl_fs *fs;
    u64 version, lowest;
    bool any;
};

static void find_lower(void *ctx, u64 version)
{
    struct dropping *d = ctx;
    if (version < d->version && (!d->any || version < d->lowest)) {
        d->lowest = version;
        d->any = true;
    }
}

kl_status kl_checkpoint_drop(struct kl_fs *fs, u64 version)
{
    char path[KL_PATH_MAX + 1];
    bool dropped = false;
    KL_TRY(remove_unfinished(fs));
    for (;;) {
        struct dropping d = {.fs = fs, .version = version};
        KL_TRY(kl_checkpoint_list(fs, find_lower, &d));
        if (!d.any)
            break;
        kl_checkpoint_path(d.lowest, path);
        KL_TRY(kl_fs_unlink(fs, path));
        dropped = true;
    }
    return dropped ? kl_fs_sync_dir(fs, KL_CHECKPOINT_DIR) : KL_OK;
}

/* Checkpoint files.  Input: options, then chunks: kind, length (2 bytes), body.  Checksums are put
 * right and the first chunk gets its magic, so that whatever the chunks say gets behind them.  What
 * is only checked and what is loaded must be judged alike, damage must be named, and of a good file
 * the head that is found is the one that was read. */
#include <stdlib.h>

#include "base/buf.h"
#include "chain/checkpoint_priv.h"
#include "sim/disk.h"
#include "store/memkv.h"

int LLVMFuzzerTestOneInput(const u8 *bytes, usize len);

enum {
    KEEP_MAGIC = 1,
    BAD_SUM = 2,
    CUT = 4,
    LONG = 8,
    OTHER_NAME = 16,
    LEFT_OVER = 32,
    COPIES = 64
};
#define VERSION 5

static void put_chunk(struct kl_buf *file, u64 number, u8 kind, kl_span body, u8 options)
{
    u8 head[KL_CHUNK_HEAD] = {kind};
    u32 bad = number == 1 && options & BAD_SUM ? 1 : 0;
    kl_store_be32(head + 1, (u32)body.len + (number == 1 && options & LONG ? 1000 : 0));
    kl_store_be32(head + 5, kl_chunk_crc(number, kind, body) ^ bad);
    kl_buf_bytes(file, head, sizeof head);
    kl_buf_span(file, body);
}

/* The first chunk of a checkpoint, whatever else its body says. */
static kl_span with_magic(u8 *room, kl_span body, u8 options)
{
    if (body.len)
        memcpy(room, body.p, body.len);
    if (body.len >= 20 && !(options & KEEP_MAGIC)) {
        memcpy(room, KL_CHECKPOINT_MAGIC, 8);
        kl_store_be32(room + 8, KL_CHECKPOINT_FORMAT);
        kl_store_be64(room + 12, VERSION);
    }
    return kl_span_of(room, body.len);
}

static void make_file(struct kl_buf *file, u8 options, kl_span in)
{
    u8 *room = malloc(1 << 16);
    KL_ASSERT(room);
    for (u64 number = 0; in.len >= 3; number++) {
        kl_span body = kl_span_sub(in, 3, kl_load_be16(in.p + 1));
        kl_span given = number ? body : with_magic(room, body, options);
        put_chunk(file, number, in.p[0], given, options);
        in = kl_span_sub(in, 3 + body.len, SIZE_MAX);
    }
    if (options & CUT && file->len)
        file->len--;
    free(room);
}

static void put_file(struct kl_fs *fs, const char *path, kl_span bytes)
{
    struct kl_file *f;
    KL_ASSERT(kl_fs_open(fs, &f, path, KL_OPEN_CREATE) == KL_OK);
    if (bytes.len)
        KL_ASSERT(kl_file_write(f, bytes.p, bytes.len, 0) == KL_OK);
    kl_file_close(f);
}

/* Loads the file into an empty database. */
static kl_status load(struct kl_fs *fs, kl_checkpoint_damage *damage)
{
    struct kl_kv *kv;
    struct kl_state_loader *loader;
    KL_ASSERT(kl_memkv_open(&kv, KL_TABLE_COUNT) == KL_OK);
    KL_ASSERT(kl_state_load_begin(&loader, kv) == KL_OK);
    kl_status status = kl_checkpoint_read(fs, VERSION, loader, damage);
    if (status == KL_OK)
        KL_ASSERT(kl_state_load_end(loader, VERSION) == KL_OK);
    else
        kl_state_load_drop(loader);
    kl_kv_close(kv);
    return status;
}

/* Finds the file, whose reading came to status, or nothing. */
static void find(struct kl_fs *fs, kl_status status, u64 least, u64 most, bool newest)
{
    kl_checkpoint found;
    struct kl_arena arena;
    kl_arena_init(&arena, 1 << 20);
    kl_status seen = kl_checkpoint_find(fs, least, most, newest, &arena, &found);
    KL_ASSERT(seen == KL_OK || seen == (status == KL_UNSUPPORTED ? KL_UNSUPPORTED : KL_NOTFOUND));
    KL_ASSERT(seen != KL_OK || (found.version == VERSION && found.head_version >= least));
    kl_arena_done(&arena);
}

static void read_all(struct kl_fs *fs, u64 size)
{
    kl_checkpoint_damage checked, loaded;
    kl_status status = kl_checkpoint_read(fs, VERSION, NULL, &checked);
    KL_ASSERT(status == KL_OK || status == KL_CORRUPT || status == KL_UNSUPPORTED);
    KL_ASSERT(status != KL_CORRUPT || (checked.what && checked.offset <= size));
    KL_ASSERT(load(fs, &loaded) == status && loaded.what == checked.what);
    find(fs, status, 0, UINT64_MAX, true);
    find(fs, status, 0, UINT64_MAX, false);
    find(fs, status, 4, VERSION, true);
}

int LLVMFuzzerTestOneInput(const u8 *bytes, usize len)
{
    struct kl_sim_disk *disk;
    struct kl_buf file;
    char path[KL_PATH_MAX + 1];
    if (len == 0)
        return 0;
    kl_buf_init(&file, 1 << 24);
    make_file(&file, bytes[0], kl_span_of(bytes + 1, len - 1));
    KL_ASSERT(kl_sim_disk_new(&disk) == KL_OK);
    struct kl_fs *fs = kl_sim_disk_fs(disk);
    KL_ASSERT(kl_fs_make_dir(fs, KL_CHECKPOINT_DIR) == KL_OK);
    kl_checkpoint_path(VERSION, path);
    put_file(fs, path, kl_buf_view(&file));
    if (bytes[0] & LEFT_OVER)
        put_file(fs, KL_CHECKPOINT_DIR "/" KL_CHECKPOINT_UNNAMED, kl_buf_view(&file));
    if (bytes[0] & OTHER_NAME)
        put_file(fs, KL_CHECKPOINT_DIR "/00000000000000F5.state", kl_buf_view(&file));
    for (u64 other = VERSION - 3; bytes[0] & COPIES && other <= VERSION + 3; other += 6) {
        kl_checkpoint_path(other, path);
        put_file(fs, path, kl_buf_view(&file));
    }
    read_all(fs, file.len);
    KL_ASSERT(kl_checkpoint_drop(fs, VERSION + 1) == KL_OK);
    kl_sim_disk_free(disk);
    kl_buf_done(&file);
    return 0;
}

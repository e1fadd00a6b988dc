/* A checkpoint file of arbitrary bytes: read wholly, into a database and without one.  What is read
 * without a fault makes a state that can be opened, and a checkpoint of that state can be read.
 *
 * The first input byte: 1 puts the checksums right before, so that inputs get behind them. */
#include "base/fuzz.h"
#include "chain/checkpoint_priv.h"
#include "sim/disk.h"
#include "store/memkv.h"

enum { FIX = 1, VERSION = 7 };

/* Puts the checksum of every chunk right, as far as lengths lead. */
static void fix(u8 *p, usize len)
{
    usize at = 0;
    for (u64 number = 0; len - at >= KL_CHUNK_HEAD; number++) {
        usize body = kl_load_be32(p + at + 1);
        if (body > len - at - KL_CHUNK_HEAD)
            return;
        kl_span view = kl_span_of(p + at + KL_CHUNK_HEAD, body);
        kl_store_be32(p + at + 5, kl_chunk_crc(number, p[at], view));
        at += KL_CHUNK_HEAD + body;
    }
}

static void put_file(struct kl_fs *fs, const u8 *bytes, usize len)
{
    struct kl_file *file;
    char path[KL_PATH_MAX + 1];
    kl_checkpoint_path(VERSION, path);
    bool made = kl_fs_make_dir(fs, KL_CHECKPOINT_DIR) == KL_OK &&
                kl_fs_open(fs, &file, path, KL_OPEN_CREATE) == KL_OK;
    KL_ASSERT(made);
    made = len == 0 || kl_file_write(file, bytes, len, 0) == KL_OK;
    KL_ASSERT(made);
    kl_file_close(file);
}

/* Loads the file into an empty database; the status is that of reading it. */
static kl_status load(struct kl_fs *fs, struct kl_kv *kv)
{
    struct kl_state_loader *loader;
    kl_checkpoint_damage damage;
    bool begun = kl_state_load_begin(&loader, kv) == KL_OK;
    KL_ASSERT(begun);
    kl_status status = kl_checkpoint_read(fs, VERSION, loader, &damage);
    if (status == KL_OK)
        return kl_state_load_end(loader, VERSION);
    kl_state_load_drop(loader);
    KL_ASSERT((status == KL_CORRUPT && damage.what) || status == KL_UNSUPPORTED);
    return status;
}

static bool go_on(void *ctx)
{
    (void)ctx;
    return true;
}

static void write_again(struct kl_fs *fs, struct kl_kv *kv)
{
    const kl_state_config config = {.kv = kv};
    struct kl_arena arena;
    struct kl_state *state;
    kl_checkpoint head, again;
    kl_arena_init(&arena, SIZE_MAX);
    bool good = kl_checkpoint_find(fs, 0, VERSION, true, &arena, &head) == KL_OK;
    KL_ASSERT(good);
    good = kl_state_open(&state, &config) == KL_OK &&
           kl_checkpoint_write(fs, state, &head, go_on, NULL) == KL_OK &&
           kl_checkpoint_find(fs, 0, VERSION, true, &arena, &again) == KL_OK;
    KL_ASSERT(good);
    KL_ASSERT(kl_span_eq(head.genesis, again.genesis) && head.version == again.version);
    kl_state_close(state);
    kl_arena_done(&arena);
}

int LLVMFuzzerTestOneInput(const u8 *bytes, usize len)
{
    static u8 file[1 << 16];
    struct kl_sim_disk *disk;
    struct kl_kv *kv;
    kl_checkpoint_damage damage;
    if (len == 0 || len > sizeof file)
        return 0;
    memcpy(file, bytes + 1, len - 1);
    if (bytes[0] & FIX)
        fix(file, len - 1);
    bool made = kl_sim_disk_new(&disk) == KL_OK && kl_memkv_open(&kv, KL_TABLE_COUNT) == KL_OK;
    KL_ASSERT(made);
    struct kl_fs *fs = kl_sim_disk_fs(disk);
    put_file(fs, file, len - 1);
    kl_status status = kl_checkpoint_read(fs, VERSION, NULL, &damage);
    KL_ASSERT(load(fs, kv) == status);
    if (status == KL_OK)
        write_again(fs, kv);
    kl_kv_close(kv);
    kl_sim_disk_free(disk);
    return 0;
}

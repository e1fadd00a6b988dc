/* Bytes of the ledger that change by themselves: found by verifying, by opening, and by whoever
 * reads them; and what is no damage, tears. */
#include <stdio.h>
#include <stdlib.h>

#include "base/test.h"
#include "chain/chain_world_priv.h"
#include "sim/disk.h"

enum { SEGMENT = 16 << 10, SECTOR = 512, FLIPS = 10000, FILES = 64 };

struct files {
    char path[FILES][KL_PATH_MAX + 1];
    u64 size[FILES];
    usize count;
};

static void add_name(void *ctx, const char *name)
{
    struct files *f = ctx;
    usize len = strlen(name);
    if (len < 4 || strcmp(name + len - 4, ".seg") != 0)
        return;
    CHECK(f->count < FILES);
    snprintf(f->path[f->count++], KL_PATH_MAX + 1, "ledger/%s", name);
}

static void list_ledger(struct files *f, struct kl_fs *fs)
{
    f->count = 0;
    CHECK_OK(kl_fs_list(fs, "ledger", add_name, f));
    for (usize i = 0; i < f->count; i++) {
        struct kl_file *file;
        CHECK_OK(kl_fs_open(fs, &file, f->path[i], KL_OPEN_READ));
        CHECK_OK(kl_file_size(file, &f->size[i]));
        kl_file_close(file);
    }
}

static bool is_blank(struct kl_fs *fs, const char *path, u64 offset)
{
    struct kl_file *file;
    u8 sector[SECTOR], sum = 0;
    CHECK_OK(kl_fs_open(fs, &file, path, KL_OPEN_READ));
    CHECK_OK(kl_file_read(file, sector, SECTOR, offset / SECTOR * SECTOR));
    kl_file_close(file);
    for (usize i = 0; i < SECTOR; i++)
        sum |= sector[i];
    return sum == 0;
}

/* A chain of several segments, of which one at least has room left at its end. */
static void make_chain(struct world *w, usize steps, u64 *seed)
{
    static u8 code[SEGMENT * 2 / 3];
    const kl_devop large = {.kind = KL_DEVOP_SET_CODE, .address = {{8}}, .code = KL_SPAN_OF(code)};
    world_init_bare(w);
    w->segment_bytes = SEGMENT;
    world_begin(w);
    for (usize i = 0; i < steps; i++) {
        world_take(w, world_next_step(w, seed));
        if (i == steps / 2)
            for (int n = 0; n < 3; n++)
                CHECK_RULE(world_dev(w, &large), KL_RULE_NONE);
    }
}

static void close_chain(struct world *w)
{
    kl_chain_close(w->chain);
    w->chain = NULL;
}

/* Sectors of a closed segment behind its last record hold nothing.  A bit there means nothing, and
 * every record is what it was; but whoever searches for one may come by and name it. */
KL_TEST(damage_at_any_offset_of_the_ledger_is_named_or_means_nothing)
{
    struct world w;
    static struct files files;
    kl_verify_result whole, result;
    usize named = 0, nothing = 0;
    make_chain(&w, 12, seed);
    close_chain(&w);
    struct kl_fs *fs = kl_sim_disk_fs(w.disk);
    list_ledger(&files, fs);
    CHECK(files.count > 1);
    world_verify(w.disk, &whole);
    CHECK(whole.good);
    for (int i = 0; i < FLIPS; i++) {
        usize n = kl_rand_below(seed, files.count);
        u64 offset = kl_rand_below(seed, files.size[n]);
        unsigned bit = (unsigned)kl_rand_below(seed, 8);
        bool blank = is_blank(fs, files.path[n], offset), newest = n + 1 == files.count;
        CHECK_OK(kl_sim_disk_flip(w.disk, files.path[n], offset, bit));
        world_verify(w.disk, &result);
        CHECK_OK(kl_sim_disk_flip(w.disk, files.path[n], offset, bit));
        CHECK(!result.good || (blank && !newest));
        if (result.good) {
            CHECK(kl_hash_eq(&result.head_hash, &whole.head_hash));
            CHECK_U64(result.versions, whole.versions);
            nothing++;
        } else {
            CHECK(result.damage && strcmp(result.file, files.path[n]) == 0);
            CHECK_U64(result.offset / SECTOR, offset / SECTOR);
            named++;
        }
    }
    CHECK(named > 1000 && nothing > 100);
    world_done(&w);
}

/* Every record of the chain with a byte flipped, while the chain is open. */
KL_TEST(damage_is_met_by_the_read_and_never_served)
{
    struct world w;
    static struct files files;
    struct kl_arena arena;
    struct kl_reader *reader;
    kl_stored_block block;
    kl_header header;
    kl_hash hash;
    make_chain(&w, 40, seed);
    world_block(&w, NULL, 0); /* its header is the tip's, which is in memory */
    kl_arena_init(&arena, SIZE_MAX);
    list_ledger(&files, kl_sim_disk_fs(w.disk));
    CHECK_OK(kl_reader_open(w.chain, &reader));
    u64 head = kl_reader_tip(reader)->header.number;
    for (u64 number = 0; number <= head; number++) {
        char path[KL_PATH_MAX + 1];
        u64 version, offset;
        CHECK_OK(kl_reader_block(reader, number, &arena, &block));
        CHECK_OK(world_place(&w, number, &version, path, &offset));
        offset += kl_rand_below(seed, 25); /* the record's head */
        unsigned bit = (unsigned)kl_rand_below(seed, 8);
        CHECK_OK(kl_sim_disk_flip(w.disk, path, offset, bit));
        CHECK(kl_reader_block(reader, number, &arena, &block) == KL_CORRUPT);
        if (number < head)
            CHECK(kl_reader_header(reader, number, &arena, &header, &hash) == KL_CORRUPT);
        CHECK_OK(kl_sim_disk_flip(w.disk, path, offset, bit));
        CHECK_OK(kl_reader_block(reader, number, &arena, &block));
        kl_arena_reset(&arena, SIZE_MAX);
    }
    kl_reader_close(reader);
    kl_arena_done(&arena);
    world_done(&w);
}

static kl_status open_again(struct world *w)
{
    kl_status status = world_try_open(w);
    if (status != KL_OK)
        w->chain = NULL;
    return status;
}

KL_TEST(damage_found_at_opening_names_file_and_offset)
{
    struct world w;
    static struct files files;
    make_chain(&w, 20, seed);
    world_flush(&w);
    close_chain(&w);
    list_ledger(&files, kl_sim_disk_fs(w.disk));
    for (int i = 0; i < 200; i++) {
        usize n = files.count - 1;
        u64 offset = kl_rand_below(seed, files.size[n]);
        CHECK_OK(kl_sim_disk_flip(w.disk, files.path[n], offset, 3));
        CHECK(open_again(&w) == KL_CORRUPT);
        CHECK(w.report.ledger.damage && strcmp(w.report.ledger.file, files.path[n]) == 0);
        CHECK_U64(w.report.ledger.offset / SECTOR, offset / SECTOR);
        CHECK_OK(kl_sim_disk_flip(w.disk, files.path[n], offset, 3));
    }
    CHECK_OK(open_again(&w));
    world_done(&w);
}

/* The disk as it was some time ago, with the database of today. */
KL_TEST(a_ledger_that_lost_its_end_is_told_from_one_that_has_another_state)
{
    struct world w, other;
    struct kl_sim_disk *old, *disk;
    make_chain(&w, 6, seed);
    world_flush(&w);
    u64 then = kl_sim_disk_operations(w.disk);
    for (int i = 0; i < 3; i++)
        world_block(&w, NULL, 0);
    world_flush(&w);
    close_chain(&w);
    CHECK_OK(kl_sim_disk_cut(w.disk, then, KL_CUT_DROP, 0, &old));
    disk = w.disk;
    w.disk = old;
    CHECK(open_again(&w) == KL_CORRUPT);
    CHECK(w.report.ledger.damage && w.report.ledger.file[0] && w.report.bad_version == 0);
    w.disk = disk;
    kl_sim_disk_free(old);

    make_chain(&other, 3, seed);
    world_flush(&other);
    close_chain(&other);
    struct kl_kv *kv = w.kv;
    w.kv = other.kv;
    CHECK(open_again(&w) == KL_CORRUPT);
    CHECK(!w.report.ledger.damage && w.report.bad_rule == KL_RULE_NONE);
    w.kv = kv;
    CHECK_OK(open_again(&w));
    world_done(&other);
    world_done(&w);
}

KL_TEST(a_torn_ledger_is_good_up_to_the_tear)
{
    struct world w;
    kl_verify_result whole, result;
    usize torn = 0;
    make_chain(&w, 5, seed);
    u64 synced = kl_sim_disk_operations(w.disk);
    world_verify(w.disk, &whole);
    for (int i = 0; i < 4; i++) {
        struct kl_tip *tip = world_next_step(&w, seed);
        CHECK_OK(kl_chain_append(w.chain, tip));
        CHECK_OK(kl_chain_write(w.chain));
        kl_tip_unref(tip);
    }
    for (int i = 0; i < 50; i++) {
        struct kl_sim_disk *cut;
        u64 end = kl_sim_disk_operations(w.disk);
        CHECK_OK(kl_sim_disk_cut(w.disk, synced + kl_rand_below(seed, end - synced + 1),
                                 KL_CUT_RANDOM, kl_rand(seed), &cut));
        world_verify(cut, &result);
        CHECK(result.good && result.versions >= whole.versions);
        torn += result.tear.cut_bytes > 0;
        kl_sim_disk_free(cut);
    }
    CHECK(torn > 0);
    world_done(&w);
}

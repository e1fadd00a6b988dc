#include <stdio.h>
#include <stdlib.h>

#include "base/file_contract.h"
#include "base/test.h"
#include "sim/disk.h"

enum { SECTOR = 512 };

static struct kl_sim_disk *new_disk(void)
{
    struct kl_sim_disk *disk;
    CHECK_OK(kl_sim_disk_new(&disk));
    return disk;
}

static struct kl_sim_disk *cut(struct kl_sim_disk *disk, kl_power_cut how, u64 seed)
{
    struct kl_sim_disk *found;
    CHECK_OK(kl_sim_disk_cut(disk, kl_sim_disk_operations(disk), how, seed, &found));
    return found;
}

static struct kl_file *open_file(struct kl_sim_disk *disk, const char *path, kl_open how)
{
    struct kl_file *f;
    CHECK_OK(kl_fs_open(kl_sim_disk_fs(disk), &f, path, how));
    return f;
}

static bool has(struct kl_sim_disk *disk, const char *path)
{
    struct kl_file *f;
    kl_status status = kl_fs_open(kl_sim_disk_fs(disk), &f, path, KL_OPEN_READ);
    if (status == KL_OK)
        kl_file_close(f);
    CHECK(status == KL_OK || status == KL_NOTFOUND);
    return status == KL_OK;
}

/* The file's bytes as text; "" also when it is not there. */
static const char *text_of(struct kl_sim_disk *disk, const char *path)
{
    static char text[200];
    struct kl_file *f;
    u64 size;
    memset(text, 0, sizeof text);
    if (!has(disk, path))
        return text;
    f = open_file(disk, path, KL_OPEN_READ);
    CHECK_OK(kl_file_size(f, &size));
    CHECK(size < sizeof text);
    CHECK_OK(kl_file_read(f, text, size, 0));
    kl_file_close(f);
    return text;
}

static void check_text(struct kl_sim_disk *disk, const char *path, const char *want)
{
    CHECK_SPAN(kl_span_str(text_of(disk, path)), kl_span_str(want));
}

/* The same, on what a cut leaves. */
static void check_cut(struct kl_sim_disk *disk, kl_power_cut how, const char *path,
                      const char *want)
{
    struct kl_sim_disk *found = cut(disk, how, 1);
    check_text(found, path, want);
    kl_sim_disk_free(found);
}

KL_TEST(disk_keeps_the_contract)
{
    struct kl_sim_disk *disk = new_disk();
    kl_file_contract(kl_sim_disk_fs(disk));
    kl_sim_disk_free(disk);
}

KL_TEST(disk_agrees_with_its_twin)
{
    struct kl_sim_disk *disk = new_disk();
    kl_file_twin_run(kl_sim_disk_fs(disk), 300, seed);
    kl_sim_disk_free(disk);
    kl_sim_disk_free(NULL);
}

KL_TEST(disk_loses_what_was_not_synced)
{
    struct kl_sim_disk *disk = new_disk();
    struct kl_fs *fs = kl_sim_disk_fs(disk);
    struct kl_file *f = open_file(disk, "a", KL_OPEN_CREATE);
    CHECK_OK(kl_file_write(f, "old", 3, 0));
    CHECK_OK(kl_file_sync(f));
    check_cut(disk, KL_CUT_DROP, "a", "");
    check_cut(disk, KL_CUT_KEEP, "a", "old");
    CHECK_OK(kl_fs_sync_dir(fs, ""));
    check_cut(disk, KL_CUT_DROP, "a", "old");
    CHECK_OK(kl_file_write(f, "newer", 5, 0));
    check_cut(disk, KL_CUT_DROP, "a", "old");
    check_cut(disk, KL_CUT_KEEP, "a", "newer");
    CHECK_OK(kl_file_sync(f));
    check_cut(disk, KL_CUT_DROP, "a", "newer");

    CHECK_OK(kl_fs_rename(fs, "a", "b"));
    check_cut(disk, KL_CUT_DROP, "a", "newer");
    check_cut(disk, KL_CUT_DROP, "b", "");
    CHECK_OK(kl_fs_sync_dir(fs, ""));
    check_cut(disk, KL_CUT_DROP, "b", "newer");
    CHECK_OK(kl_fs_unlink(fs, "b"));
    check_cut(disk, KL_CUT_DROP, "b", "newer");
    CHECK_OK(kl_fs_sync_dir(fs, ""));
    check_cut(disk, KL_CUT_DROP, "b", "");
    kl_file_close(f);
    kl_sim_disk_free(disk);
}

KL_TEST(disk_cuts_at_any_operation)
{
    struct kl_sim_disk *disk = new_disk(), *found;
    struct kl_file *f = open_file(disk, "a", KL_OPEN_CREATE);
    const char *want[] = {"", "", "1", "21", "22"};
    CHECK_OK(kl_file_write(f, "1", 1, 0));
    CHECK_OK(kl_file_write(f, "21", 2, 0));
    CHECK_OK(kl_file_write(f, "2", 1, 1));
    CHECK_U64(kl_sim_disk_operations(disk), 4);
    for (u64 n = 0; n <= 4; n++) {
        CHECK_OK(kl_sim_disk_cut(disk, n, KL_CUT_KEEP, 0, &found));
        CHECK(has(found, "a") == (n > 0));
        check_text(found, "a", want[n]);
        kl_sim_disk_free(found);
    }
    kl_file_close(f);
    kl_sim_disk_free(disk);
}

KL_TEST(disk_found_after_a_cut_is_durable)
{
    struct kl_sim_disk *disk = new_disk();
    struct kl_file *f;
    CHECK_OK(kl_fs_make_dir(kl_sim_disk_fs(disk), "d"));
    f = open_file(disk, "d/a", KL_OPEN_CREATE);
    CHECK_OK(kl_file_write(f, "x", 1, 0));
    kl_file_close(f);
    struct kl_sim_disk *kept = cut(disk, KL_CUT_KEEP, 0), *again = cut(kept, KL_CUT_DROP, 0);
    check_text(again, "d/a", "x");
    check_cut(disk, KL_CUT_DROP, "d/a", "");
    kl_sim_disk_free(again);
    kl_sim_disk_free(kept);
    kl_sim_disk_free(disk);
}

/* A failed sync's bytes can be read, and are gone with the power even after a later good sync;
 * bytes written again are safe. */
KL_TEST(disk_failed_sync_is_not_made_good_by_a_later_one)
{
    struct kl_sim_disk *disk = new_disk();
    struct kl_file *f = open_file(disk, "a", KL_OPEN_CREATE);
    CHECK_OK(kl_fs_sync_dir(kl_sim_disk_fs(disk), ""));
    CHECK_OK(kl_file_write(f, "one", 3, 0));
    kl_sim_disk_fail(disk, 0, KL_IO, 1);
    CHECK(kl_file_sync(f) == KL_IO);
    CHECK(kl_fs_unlink(kl_sim_disk_fs(disk), "a") == KL_IO);
    kl_sim_disk_fail(disk, 0, KL_OK, 0);
    check_text(disk, "a", "one");
    CHECK_OK(kl_file_sync(f));
    check_cut(disk, KL_CUT_KEEP, "a", "one");
    struct kl_sim_disk *found = cut(disk, KL_CUT_DROP, 0);
    struct kl_file *lost = open_file(found, "a", KL_OPEN_READ);
    u8 byte[3];
    CHECK_OK(kl_file_read(lost, byte, 3, 0));
    CHECK_HEX(KL_SPAN_OF(byte), "000000");
    kl_file_close(lost);
    kl_sim_disk_free(found);
    CHECK_OK(kl_file_write(f, "one", 3, 0));
    CHECK_OK(kl_file_sync(f));
    check_cut(disk, KL_CUT_DROP, "a", "one");
    kl_file_close(f);
    kl_sim_disk_free(disk);
}

KL_TEST(disk_fails_from_the_nth_operation_on)
{
    u8 bytes[3000];
    kl_rand_fill(seed, bytes, sizeof bytes);
    for (u64 n = 0; n < 6; n++) {
        struct kl_sim_disk *disk = new_disk();
        struct kl_fs *fs = kl_sim_disk_fs(disk);
        struct kl_file *f, *g;
        kl_sim_disk_fail(disk, n, KL_FULL, kl_rand(seed));
        kl_status got[6] = {kl_fs_open(fs, &f, "a", KL_OPEN_CREATE)};
        if (n > 0) {
            got[1] = kl_file_write(f, bytes, sizeof bytes, 0);
            u64 size;
            CHECK_OK(kl_file_size(f, &size));
            CHECK(n == 1 ? size % SECTOR == 0 : size == sizeof bytes);
            got[2] = kl_file_sync(f);
            got[3] = kl_fs_make_dir(fs, "d");
            got[4] = kl_fs_sync_dir(fs, "");
            got[5] = kl_file_truncate(f, 3);
            for (u64 i = 0; i < 6; i++)
                CHECK(got[i] == (i < n ? KL_OK : KL_FULL));
            CHECK(kl_fs_lock(fs, &g, "l") == KL_FULL);
            kl_file_close(f);
        }
        kl_sim_disk_free(disk);
    }
}

KL_TEST(disk_fails_reads)
{
    struct kl_sim_disk *disk = new_disk();
    struct kl_fs *fs = kl_sim_disk_fs(disk);
    struct kl_file *f = open_file(disk, "a", KL_OPEN_CREATE), *g;
    u64 size;
    u8 byte;
    CHECK_OK(kl_file_write(f, "x", 1, 0));
    kl_sim_disk_fail_reads(disk, 1, KL_IO);
    CHECK_OK(kl_file_read(f, &byte, 1, 0));
    CHECK(kl_file_read(f, &byte, 1, 0) == KL_IO);
    CHECK(kl_file_size(f, &size) == KL_IO);
    CHECK(kl_fs_open(fs, &g, "a", KL_OPEN_READ) == KL_IO);
    CHECK_OK(kl_file_write(f, "x", 1, 0));
    kl_sim_disk_fail_reads(disk, 0, KL_OK);
    CHECK_OK(kl_file_read(f, &byte, 1, 0));
    kl_file_close(f);
    kl_sim_disk_free(disk);
}

KL_TEST(disk_is_full_at_its_limit)
{
    struct kl_sim_disk *disk = new_disk();
    struct kl_fs *fs = kl_sim_disk_fs(disk);
    struct kl_file *f = open_file(disk, "a", KL_OPEN_CREATE);
    kl_fs_room room;
    u64 size;
    u8 bytes[3 * SECTOR] = {1};
    kl_sim_disk_limit(disk, 2 * SECTOR + 100);
    CHECK_OK(kl_file_write(f, bytes, SECTOR, 0));
    CHECK_OK(kl_fs_room_of(fs, &room));
    CHECK_U64(room.free, SECTOR + 100);
    CHECK_U64(room.total, 2 * SECTOR + 100);
    CHECK(kl_file_write(f, bytes, 2 * SECTOR, SECTOR) == KL_FULL);
    CHECK_OK(kl_file_size(f, &size));
    CHECK_U64(size, 2 * SECTOR);
    CHECK_OK(kl_file_write(f, bytes, 2 * SECTOR + 100, 0));
    CHECK(kl_file_truncate(f, 2 * SECTOR + 101) == KL_FULL);
    CHECK_OK(kl_fs_unlink(fs, "a"));
    CHECK_OK(kl_fs_room_of(fs, &room));
    CHECK_U64(room.free, 0);
    kl_file_close(f);
    CHECK_OK(kl_fs_room_of(fs, &room));
    CHECK_U64(room.free, 2 * SECTOR + 100);
    kl_sim_disk_free(disk);
}

KL_TEST(disk_lies_about_some)
{
    struct kl_sim_disk *disk = new_disk();
    struct kl_file *a = open_file(disk, "a", KL_OPEN_CREATE);
    struct kl_file *b = open_file(disk, "b", KL_OPEN_CREATE);
    CHECK_OK(kl_fs_sync_dir(kl_sim_disk_fs(disk), ""));
    kl_sim_disk_lie(disk, "a");
    CHECK_OK(kl_file_write(a, "x", 1, 0));
    CHECK_OK(kl_file_write(b, "x", 1, 0));
    CHECK_OK(kl_file_sync(a));
    CHECK_OK(kl_file_sync(b));
    check_cut(disk, KL_CUT_DROP, "a", "");
    check_cut(disk, KL_CUT_DROP, "b", "x");
    kl_sim_disk_lie(disk, NULL);
    CHECK_OK(kl_file_sync(a));
    check_cut(disk, KL_CUT_DROP, "a", "x");
    kl_file_close(a);
    kl_file_close(b);
    kl_sim_disk_free(disk);
}

KL_TEST(disk_flips_bits)
{
    struct kl_sim_disk *disk = new_disk();
    struct kl_file *f = open_file(disk, "a", KL_OPEN_CREATE);
    CHECK_OK(kl_file_write(f, "abc", 3, 0));
    CHECK_OK(kl_file_sync(f));
    CHECK_OK(kl_fs_sync_dir(kl_sim_disk_fs(disk), ""));
    CHECK_OK(kl_sim_disk_flip(disk, "a", 1, 0));
    CHECK(kl_sim_disk_flip(disk, "a", 3, 0) == KL_NOTFOUND);
    CHECK(kl_sim_disk_flip(disk, "b", 0, 0) == KL_NOTFOUND);
    check_text(disk, "a", "acc");
    check_cut(disk, KL_CUT_DROP, "a", "acc");
    check_cut(disk, KL_CUT_KEEP, "a", "acc");
    kl_file_close(f);
    kl_sim_disk_free(disk);
}

/* One file whose sectors hold the number of the write that filled them. */
enum { SECTORS = 12, WRITES = 9 };

struct history {
    u32 at[WRITES + 1][SECTORS]; /* what each sector held after so many writes */
    u32 durable;                 /* writes that were synced */
};

static void random_history(struct kl_sim_disk *disk, struct history *h, u64 *seed)
{
    struct kl_file *f = open_file(disk, "a", KL_OPEN_CREATE);
    static const u8 zeros[SECTORS * SECTOR];
    CHECK_OK(kl_file_write(f, zeros, sizeof zeros, 0));
    CHECK_OK(kl_file_sync(f));
    CHECK_OK(kl_fs_sync_dir(kl_sim_disk_fs(disk), ""));
    *h = (struct history){0};
    for (u32 n = 1; n <= WRITES; n++) {
        u8 bytes[SECTORS * SECTOR];
        usize from = kl_rand_below(seed, SECTORS), count = 1 + kl_rand_below(seed, SECTORS - from);
        memcpy(h->at[n], h->at[n - 1], sizeof h->at[n]);
        for (usize i = 0; i < count; i++) {
            memset(bytes + i * SECTOR, (int)n, SECTOR);
            h->at[n][from + i] = n;
        }
        CHECK_OK(kl_file_write(f, bytes, count * SECTOR, from * SECTOR));
        if (kl_rand_below(seed, 5) == 0) {
            CHECK_OK(kl_file_sync(f));
            h->durable = n;
        }
    }
    kl_file_close(f);
}

/* Sets value[i] to the number of the write that sector i holds all of. */
static void read_sectors(struct kl_sim_disk *disk, u32 value[SECTORS])
{
    u8 bytes[SECTORS * SECTOR];
    struct kl_file *f = open_file(disk, "a", KL_OPEN_READ);
    CHECK_OK(kl_file_read(f, bytes, sizeof bytes, 0));
    for (usize i = 0; i < SECTORS; i++) {
        value[i] = bytes[i * SECTOR];
        for (usize b = 0; b < SECTOR; b++)
            CHECK_U64(bytes[i * SECTOR + b], value[i]);
    }
    kl_file_close(f);
}

static bool was_there(const struct history *h, usize sector, u32 value)
{
    for (u32 n = h->durable; n <= WRITES; n++)
        if (h->at[n][sector] == value)
            return true;
    return false;
}

/* After a cut each sector holds what it held at some moment since the last sync; over many cuts,
 * sectors of one write are seen both mixed and whole. */
KL_TEST(disk_sectors_are_old_or_new)
{
    unsigned mixed = 0, all_old = 0, all_new = 0;
    for (int round = 0; round < 40; round++) {
        struct kl_sim_disk *disk = new_disk();
        struct history h;
        random_history(disk, &h, seed);
        for (u64 s = 0; s < 25; s++) {
            struct kl_sim_disk *found = cut(disk, KL_CUT_RANDOM, s), *same;
            u32 value[SECTORS], again[SECTORS];
            read_sectors(found, value);
            for (usize i = 0; i < SECTORS; i++)
                CHECK(was_there(&h, i, value[i]));
            bool old = memcmp(value, h.at[h.durable], sizeof value) == 0;
            bool new = memcmp(value, h.at[WRITES], sizeof value) == 0;
            all_old += old;
            all_new += new;
            mixed += !old && !new;
            same = cut(disk, KL_CUT_RANDOM, s);
            read_sectors(same, again);
            CHECK(memcmp(value, again, sizeof value) == 0);
            kl_sim_disk_free(same);
            kl_sim_disk_free(found);
        }
        kl_sim_disk_free(disk);
    }
    CHECK(mixed > 100 && all_old > 10 && all_new > 10);
}

/* Names appear and vanish in order: after a cut, as many of them as a prefix of what was done. */
KL_TEST(disk_names_change_in_order)
{
    enum { NAMES = 6 };
    static const char *const name[NAMES] = {"f", "c", "e", "a", "d", "b"};
    bool seen[NAMES + 1] = {false};
    struct kl_sim_disk *disk = new_disk();
    for (usize i = 0; i < NAMES; i++)
        kl_file_close(open_file(disk, name[i], KL_OPEN_CREATE));
    for (u64 s = 0; s < 200; s++) {
        struct kl_sim_disk *found = cut(disk, KL_CUT_RANDOM, s);
        usize count = 0;
        while (count < NAMES && has(found, name[count]))
            count++;
        for (usize i = count; i < NAMES; i++)
            CHECK(!has(found, name[i]));
        seen[count] = true;
        kl_sim_disk_free(found);
    }
    for (usize i = 0; i <= NAMES; i++)
        CHECK(seen[i]);
    kl_sim_disk_free(disk);
}

/* A file's size after a cut is one that it had. */
KL_TEST(disk_sizes_change_in_order)
{
    enum { STEPS = 8 };
    u64 size[STEPS + 1] = {0};
    struct kl_sim_disk *disk = new_disk();
    struct kl_file *f = open_file(disk, "a", KL_OPEN_CREATE);
    CHECK_OK(kl_fs_sync_dir(kl_sim_disk_fs(disk), ""));
    for (usize i = 1; i <= STEPS; i++) {
        u64 to = kl_rand_below(seed, 5000);
        if (kl_rand_below(seed, 2)) {
            CHECK_OK(kl_file_truncate(f, to));
        } else {
            u8 bytes[100];
            memset(bytes, 0xff, sizeof bytes);
            CHECK_OK(kl_file_write(f, bytes, sizeof bytes, to));
        }
        CHECK_OK(kl_file_size(f, &size[i]));
    }
    for (u64 s = 0; s < 100; s++) {
        struct kl_sim_disk *found = cut(disk, KL_CUT_RANDOM, s);
        struct kl_file *g = open_file(found, "a", KL_OPEN_READ);
        u64 got;
        CHECK_OK(kl_file_size(g, &got));
        usize i = 0;
        while (i <= STEPS && size[i] != got)
            i++;
        CHECK(i <= STEPS);
        kl_file_close(g);
        kl_sim_disk_free(found);
    }
    kl_file_close(f);
    kl_sim_disk_free(disk);
}

/* One random change of a disk; equal seeds make equal changes. */
static void random_change(struct kl_sim_disk *disk, u64 *seed)
{
    static const char *const name[] = {"a", "b", "c"};
    struct kl_fs *fs = kl_sim_disk_fs(disk);
    const char *path = name[kl_rand_below(seed, 3)];
    u64 dice = kl_rand_below(seed, 16), at = kl_rand_below(seed, 3000);
    struct kl_file *f = NULL;
    u8 bytes[1500];
    kl_rand_fill(seed, bytes, sizeof bytes);
    if (dice == 0) {
        KL_UNUSED kl_status any = kl_fs_unlink(fs, path);
    } else if (dice == 1) {
        KL_UNUSED kl_status any = kl_fs_rename(fs, path, name[at % 3]);
    } else if (dice <= 3) {
        CHECK_OK(kl_fs_sync_dir(fs, ""));
    } else if (kl_fs_open(fs, &f, path, has(disk, path) ? KL_OPEN_WRITE : KL_OPEN_CREATE) ==
               KL_OK) {
        if (dice == 4)
            kl_sim_disk_fail(disk, 0, KL_IO, at);
        kl_status status = dice <= 6   ? kl_file_sync(f)
                           : dice == 7 ? kl_file_truncate(f, at)
                                       : kl_file_write(f, bytes, 1 + at / 2, at);
        CHECK((status == KL_OK) == (dice != 4));
        kl_sim_disk_fail(disk, 0, KL_OK, 0);
        kl_file_close(f);
    }
}

static void check_same(struct kl_sim_disk *a, struct kl_sim_disk *b)
{
    static const char *const name[] = {"a", "b", "c"};
    static u8 bytes[2][8192];
    for (usize i = 0; i < 3; i++) {
        CHECK(has(a, name[i]) == has(b, name[i]));
        if (!has(a, name[i]))
            continue;
        struct kl_file *f = open_file(a, name[i], KL_OPEN_READ);
        struct kl_file *g = open_file(b, name[i], KL_OPEN_READ);
        u64 size, other;
        CHECK_OK(kl_file_size(f, &size));
        CHECK_OK(kl_file_size(g, &other));
        CHECK_U64(size, other);
        CHECK(size <= sizeof bytes[0]);
        CHECK_OK(kl_file_read(f, bytes[0], size, 0));
        CHECK_OK(kl_file_read(g, bytes[1], size, 0));
        CHECK(memcmp(bytes[0], bytes[1], size) == 0);
        kl_file_close(f);
        kl_file_close(g);
    }
}

/* Two disks with the same history, one of which settles it now and then: cuts find the same. */
KL_TEST(disk_settles_without_a_trace)
{
    for (u32 round = 0; round < 20; round++) {
        struct kl_sim_disk *plain = new_disk(), *settled = new_disk(), *found, *other;
        for (u32 i = 0; i < 150; i++) {
            u64 same = *seed;
            random_change(plain, seed);
            random_change(settled, &same);
            u64 now = kl_sim_disk_operations(plain), least = now - KL_MIN(now, i % 4);
            CHECK_U64(kl_sim_disk_operations(settled), now);
            if (kl_rand_below(seed, 8) == 0)
                kl_sim_disk_settle(settled, least);
            for (u64 s = 0; s < 3; s++) {
                kl_power_cut how = s ? KL_CUT_RANDOM : KL_CUT_DROP;
                CHECK_OK(kl_sim_disk_cut(plain, now, how, s, &found));
                CHECK_OK(kl_sim_disk_cut(settled, now, how, s, &other));
                check_same(found, other);
                kl_sim_disk_free(found);
                kl_sim_disk_free(other);
            }
        }
        kl_sim_disk_free(plain);
        kl_sim_disk_free(settled);
    }
}

/* The log's ordinary life, and damage. */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/test.h"
#include "crypto/digest.h"
#include "sim/disk.h"
#include "store/seglog.h"
#include "store/seglog_priv.h"
#include "store/seglog_twin.h"

enum { SMALL = 4096 };

static struct kl_seglog_twin twin;

static struct kl_sim_disk *begin(usize segment_bytes)
{
    struct kl_sim_disk *disk;
    CHECK_OK(kl_sim_disk_new(&disk));
    kl_twin_init(&twin, kl_sim_disk_fs(disk), segment_bytes);
    kl_twin_open(&twin);
    return disk;
}

static void finish(struct kl_sim_disk *disk)
{
    kl_twin_close(&twin);
    kl_sim_disk_free(disk);
}

static void append(usize len, u64 *seed)
{
    CHECK_OK(kl_twin_append(&twin, len, seed));
}

static void reopen(void)
{
    kl_twin_close(&twin);
    kl_twin_open(&twin);
}

/* What opening says; the log is closed again. */
static kl_status try_open(kl_seglog_report *report)
{
    struct kl_seglog *log;
    kl_status status = kl_seglog_open(&log, twin.fs, &twin.config, report);
    if (status == KL_OK)
        kl_seglog_close(log);
    return status;
}

static void count_name(void *ctx, const char *name)
{
    *(usize *)ctx += strcmp(name, "next.tmp") != 0;
}

/* How many files the log has, the one it makes ahead of need not counted. */
static usize files(void)
{
    usize count = 0;
    CHECK_OK(kl_fs_list(twin.fs, "log", count_name, &count));
    return count;
}

/* Replaces bytes of a file, as somebody with an editor would. */
static void patch(const char *path, u64 offset, const void *bytes, usize len)
{
    struct kl_file *f;
    CHECK_OK(kl_fs_open(twin.fs, &f, path, KL_OPEN_WRITE));
    CHECK_OK(kl_file_write(f, bytes, len, offset));
    CHECK_OK(kl_file_sync(f));
    kl_file_close(f);
}

static void peek(const char *path, u64 offset, void *bytes, usize len)
{
    struct kl_file *f;
    CHECK_OK(kl_fs_open(twin.fs, &f, path, KL_OPEN_READ));
    CHECK_OK(kl_file_read(f, bytes, len, offset));
    kl_file_close(f);
}

#define FIRST_FILE "log/0000000000000000.seg"

KL_TEST(seglog_begins_empty)
{
    struct kl_sim_disk *disk = begin(SMALL);
    CHECK_U64(kl_seglog_first(twin.log), 0);
    CHECK_U64(kl_seglog_end(twin.log), 0);
    CHECK_U64(kl_seglog_synced(twin.log), 0);
    CHECK_U64(kl_seglog_bytes(twin.log), SMALL);
    CHECK_OK(kl_seglog_write(twin.log));
    CHECK_OK(kl_seglog_sync(twin.log));
    kl_twin_check_all(&twin);
    reopen();
    CHECK_U64(kl_seglog_end(twin.log), 0);
    CHECK_U64(files(), 1);
    finish(disk);
    kl_seglog_close(NULL);
}

/* Reads before, between and after append, write, sync and reopening all give the same. */
KL_TEST(seglog_gives_back_what_was_appended)
{
    struct kl_sim_disk *disk = begin(SMALL * 4);
    for (int i = 0; i < 400; i++) {
        u64 what = kl_rand_below(seed, 10);
        append(kl_rand_below(seed, kl_rand_below(seed, 8) ? 300 : 5000), seed);
        if (what < 3)
            CHECK_OK(kl_seglog_write(twin.log));
        if (what == 0) {
            CHECK_OK(kl_seglog_sync(twin.log));
            CHECK_U64(kl_seglog_synced(twin.log), twin.end);
        }
        if (what == 9 && kl_rand_below(seed, 5) == 0) {
            CHECK_OK(kl_seglog_write(twin.log));
            reopen();
            CHECK_U64(kl_seglog_synced(twin.log), twin.end);
        }
        CHECK_U64(kl_seglog_end(twin.log), twin.end);
        for (int n = 0; n < 5; n++)
            kl_twin_check(&twin, kl_rand_below(seed, twin.end));
    }
    kl_twin_check_all(&twin);
    finish(disk);
}

/* Lengths around every edge of a sector, in batches of one and of many. */
KL_TEST(seglog_fits_every_length)
{
    for (int batched = 0; batched < 2; batched++) {
        struct kl_sim_disk *disk = begin(1 << 20);
        for (usize len = 0; len < 1500; len++) {
            append(len, seed);
            if (!batched || len % 100 == 0)
                CHECK_OK(kl_seglog_write(twin.log));
        }
        kl_twin_check_all(&twin);
        CHECK_OK(kl_seglog_write(twin.log));
        kl_twin_check_all(&twin);
        reopen();
        CHECK_U64(kl_seglog_end(twin.log), 1500);
        kl_twin_check_all(&twin);
        finish(disk);
    }
}

/* Behind the last byte of a sector are zeros, whatever lay in the memory that a batch has grown
 * into. */
KL_TEST(seglog_writes_nothing_that_lay_in_memory)
{
    for (int count = 1; count < 60; count++) {
        struct kl_sim_disk *disk = begin(1 << 16);
        for (int i = 0; i < count; i++) {
            u8 *volatile dirty = malloc(1 << 14); /* volatile, or none of this would happen */
            CHECK(dirty);
            memset(dirty, 0xa5, 1 << 14);
            free(dirty);
            append(kl_rand_below(seed, 90), seed);
        }
        CHECK_OK(kl_seglog_write(twin.log));
        u8 sector[KL_SEG_SECTOR];
        u64 at = KL_SEG_SECTOR; /* behind the file's header */
        for (usize end;; at += KL_SEG_SECTOR) {
            peek(FIRST_FILE, at, sector, sizeof sector);
            end = kl_load_be16(sector + 6);
            if (end == 0)
                break;
            while (end < KL_SEG_SECTOR)
                CHECK_U64(sector[end++], 0);
        }
        CHECK(at > KL_SEG_SECTOR);
        finish(disk);
    }
}

/* Records larger than a segment get a larger one; an empty segment makes room for it. */
KL_TEST(seglog_takes_large_records)
{
    struct kl_sim_disk *disk = begin(SMALL);
    struct kl_arena arena;
    kl_record record;
    usize len = 9u << 20;
    u8 *bytes = malloc(KL_SEGLOG_RECORD_MAX + 1);
    u64 seq;
    KL_ASSERT(bytes);
    kl_rand_fill(seed, bytes, len);
    append(10000, seed);
    append(100, seed);
    append(15000, seed);
    kl_span part = kl_span_of(bytes, len);
    CHECK_OK(kl_seglog_append(twin.log, 7, &part, 1, &seq));
    for (int round = 0; round < 3; round++) {
        kl_arena_init(&arena, 1 << 28);
        CHECK_OK(kl_seglog_read(twin.log, seq, &arena, &record, NULL));
        CHECK_SPAN(record.payload, part);
        CHECK(record.kind == 7);
        kl_arena_done(&arena);
        if (round == 0)
            CHECK_OK(kl_seglog_write(twin.log));
        if (round == 1)
            reopen();
    }
    CHECK_U64(kl_seglog_end(twin.log), 4);
    kl_twin_check(&twin, 2);

    kl_span too_long[2] = {kl_span_of(bytes, KL_SEGLOG_RECORD_MAX), kl_span_of(bytes, 1)};
    CHECK(kl_seglog_append(twin.log, 7, too_long, 2, &seq) == KL_LIMIT);
    CHECK_U64(seq, 3);
    kl_span absurd[2] = {kl_span_of(bytes, SIZE_MAX), kl_span_of(bytes, SIZE_MAX)};
    CHECK(kl_seglog_append(twin.log, 7, absurd, 2, &seq) == KL_LIMIT);
    kl_arena_init(&arena, 1 << 16);
    CHECK(kl_seglog_read(twin.log, 3, &arena, &record, NULL) == KL_NOMEM);
    kl_arena_done(&arena);
    free(bytes);
    finish(disk);
}

/* Many segments: more than are kept open, read in every order, dropped from the old end. */
KL_TEST(seglog_rolls_and_drops)
{
    struct kl_sim_disk *disk = begin(SMALL);
    for (int i = 0; i < 700; i++)
        append(300 + kl_rand_below(seed, 300), seed);
    CHECK_OK(kl_seglog_write(twin.log));
    CHECK_OK(kl_seglog_sync(twin.log));
    CHECK(files() > 80);
    CHECK_U64(kl_seglog_bytes(twin.log), files() * SMALL);
    reopen();
    for (int i = 0; i < 2000; i++)
        kl_twin_check(&twin, kl_rand_below(seed, twin.end));
    kl_twin_check_all(&twin);

    for (u64 keep = 0; keep < 900; keep += 1 + kl_rand_below(seed, 100)) {
        CHECK_OK(kl_seglog_drop(twin.log, keep));
        CHECK(kl_seglog_first(twin.log) <= keep);
        CHECK_U64(kl_seglog_end(twin.log), 700);
        CHECK_U64(kl_seglog_bytes(twin.log), files() * SMALL);
        if (kl_rand_below(seed, 3) == 0)
            reopen();
        kl_twin_check_all(&twin);
    }
    CHECK_U64(files(), 1);
    append(10, seed);
    kl_twin_check_all(&twin);
    finish(disk);
}

static bool has_file(const char *path)
{
    struct kl_file *f;
    if (kl_fs_open(twin.fs, &f, path, KL_OPEN_READ) != KL_OK)
        return false;
    kl_file_close(f);
    return true;
}

/* The next segment is filled bit by bit while the newest is used up, so that going over to it is
 * four operations; closing removes it. */
KL_TEST(seglog_makes_the_next_segment_ahead)
{
    struct kl_sim_disk *disk = begin(1 << 20);
    u64 most = 0;
    for (int i = 0; i < 220; i++) {
        u64 before = kl_sim_disk_operations(disk);
        usize count = files();
        append(15000, seed);
        if (files() > count)
            most = KL_MAX(most, kl_sim_disk_operations(disk) - before);
        CHECK_OK(kl_seglog_write(twin.log));
        CHECK_OK(kl_seglog_sync(twin.log));
    }
    CHECK_U64(kl_seglog_bytes(twin.log), 4 << 20);
    CHECK(most <= 6);
    while (!has_file("log/next.tmp")) {
        append(15000, seed);
        CHECK_OK(kl_seglog_write(twin.log));
        CHECK_OK(kl_seglog_sync(twin.log));
    }
    reopen();
    CHECK(!has_file("log/next.tmp"));
    kl_twin_check_all(&twin);
    finish(disk);
}

/* A sync that somebody waits for is one operation of the disk, however full the segment; to prepare
 * is another call, after which going over is as short as ever. */
KL_TEST(seglog_sync_alone_leaves_the_next_segment_for_later)
{
    struct kl_sim_disk *disk = begin(1 << 20);
    while (kl_seglog_bytes(twin.log) < 2 << 20) {
        append(15000, seed);
        CHECK_OK(kl_seglog_write(twin.log));
        u64 before = kl_sim_disk_operations(disk);
        CHECK_OK(kl_seglog_sync_alone(twin.log));
        CHECK_U64(kl_sim_disk_operations(disk), before + 1);
        CHECK(!has_file("log/next.tmp"));
    }
    for (int i = 0; i < 50; i++) {
        append(15000, seed);
        CHECK_OK(kl_seglog_write(twin.log));
        CHECK_OK(kl_seglog_sync_alone(twin.log));
        kl_seglog_prepare(twin.log);
    }
    CHECK(has_file("log/next.tmp"));
    kl_twin_check_all(&twin);
    finish(disk);
}

/* Segments grow to the size that was asked for. */
KL_TEST(seglog_segments_grow)
{
    struct kl_sim_disk *disk = begin(8 << 20);
    CHECK_U64(kl_seglog_bytes(twin.log), 1 << 20);
    static const u64 sum[] = {1, 3, 7, 15, 23, 31};
    usize n = 0;
    while (n < KL_COUNT_OF(sum)) {
        append(20000, seed);
        if (kl_seglog_bytes(twin.log) > sum[n] << 20)
            CHECK_U64(kl_seglog_bytes(twin.log),
                      n + 1 < KL_COUNT_OF(sum) ? sum[n + 1] << 20 : 39 << 20);
        n += kl_seglog_bytes(twin.log) > sum[n] << 20;
    }
    finish(disk);
}

KL_TEST(seglog_says_where_records_are)
{
    struct kl_sim_disk *disk = begin(SMALL);
    char file[KL_PATH_MAX + 1];
    u64 offset;
    for (int i = 0; i < 30; i++) {
        append(10 + kl_rand_below(seed, 1000), seed);
        if (kl_rand_below(seed, 2))
            CHECK_OK(kl_seglog_write(twin.log));
    }
    for (u64 seq = 0; seq < 30; seq++) {
        u64 before = 0;
        char text[KL_PATH_MAX + 1];
        CHECK_OK(kl_seglog_place(twin.log, seq, text, &before));
        CHECK_OK(kl_seglog_write(twin.log));
        CHECK_OK(kl_seglog_place(twin.log, seq, file, &offset));
        CHECK_U64(offset, before);
        CHECK_SPAN(kl_span_str(text), kl_span_str(file));
        u8 head[1];
        peek(file, offset, head, 1);
        CHECK(head[0] == 1 + twin.seed[seq] % 255);
    }
    CHECK(kl_seglog_place(twin.log, 30, file, &offset) == KL_NOTFOUND);
    finish(disk);
}

/* A small log of several segments, all of it synced and closed. */
static struct kl_sim_disk *small_log(u64 *seed)
{
    struct kl_sim_disk *disk = begin(SMALL);
    for (int i = 0; i < 24 || files() < 3; i++) {
        append(kl_rand_below(seed, kl_rand_below(seed, 4) ? 100 : 1300), seed);
        if (kl_rand_below(seed, 3) == 0)
            CHECK_OK(kl_seglog_write(twin.log));
        if (kl_rand_below(seed, 3) == 0)
            CHECK_OK(kl_seglog_sync(twin.log));
    }
    CHECK_OK(kl_seglog_write(twin.log));
    CHECK_OK(kl_seglog_sync(twin.log));
    kl_twin_close(&twin);
    return disk;
}

struct name_list {
    char path[40][KL_PATH_MAX + 1];
    usize count;
};

static void keep_name(void *ctx, const char *name)
{
    struct name_list *list = ctx;
    KL_ASSERT(list->count < 40);
    snprintf(list->path[list->count++], KL_PATH_MAX + 1, "log/%s", name);
}

/* Whether the sector at offset of path is blank in the twin's log. */
static bool blank(const char *path, u64 offset)
{
    u8 sector[512], any = 0;
    peek(path, offset / 512 * 512, sector, sizeof sector);
    for (usize i = 0; i < sizeof sector; i++)
        any |= sector[i];
    return any == 0;
}

static bool names_place(const kl_seglog_report *report, const char *path, u64 offset)
{
    return report->damage && strcmp(report->file, path) == 0 &&
           report->offset / 512 == offset / 512;
}

/* Flips a bit and checks that opening or reading says so, naming the sector, and that nothing wrong
 * is ever served.  Blank sectors of segments that are not the newest hold nothing to be met. */
static void check_flip(struct kl_sim_disk *disk, const char *path, u64 offset, unsigned bit,
                       bool newest)
{
    kl_seglog_report report;
    bool met = false, harmless = !newest && blank(path, offset);
    CHECK_OK(kl_sim_disk_flip(disk, path, offset, bit));
    kl_status status = kl_seglog_open(&twin.log, twin.fs, &twin.config, &report);
    if (status != KL_OK) {
        CHECK(status == KL_CORRUPT);
        CHECK(names_place(&report, path, offset));
        met = true;
    } else {
        CHECK(report.cut_bytes == 0 && kl_seglog_end(twin.log) == twin.end);
        for (u64 seq = 0; seq < twin.end; seq++) {
            status = kl_twin_read(&twin, seq, &report);
            CHECK(status == KL_OK || status == KL_CORRUPT);
            if (status == KL_CORRUPT) {
                CHECK(names_place(&report, path, offset));
                met = true;
            }
        }
        kl_twin_close(&twin);
    }
    CHECK(met || harmless);
    CHECK_OK(kl_sim_disk_flip(disk, path, offset, bit));
}

static void flip_all(struct kl_sim_disk *from, const char *path, bool newest)
{
    for (u64 sector = 0; sector < SMALL / 512; sector++) {
        struct kl_sim_disk *disk;
        CHECK_OK(kl_sim_disk_cut(from, UINT64_MAX, KL_CUT_KEEP, 0, &disk));
        twin.fs = kl_sim_disk_fs(disk);
        for (unsigned bit = 0; bit < 512 * 8; bit++)
            check_flip(disk, path, sector * 512 + bit / 8, bit % 8, newest);
        kl_sim_disk_free(disk);
    }
}

KL_TEST(seglog_finds_every_flipped_bit)
{
    struct name_list list = {.count = 0};
    struct kl_sim_disk *disk = small_log(seed);
    CHECK_OK(kl_fs_list(twin.fs, "log", keep_name, &list));
    CHECK(list.count >= 2);
    flip_all(disk, list.path[0], false);
    flip_all(disk, list.path[list.count - 1], true);
    kl_sim_disk_free(disk);
}

KL_TEST(seglog_finds_flipped_bits_of_a_larger_log)
{
    struct kl_sim_disk *from = begin(1 << 16), *disk;
    struct name_list list = {.count = 0};
    for (int i = 0; i < 250; i++)
        append(kl_rand_below(seed, 2000), seed);
    CHECK_OK(kl_seglog_write(twin.log));
    CHECK_OK(kl_seglog_sync(twin.log));
    kl_twin_close(&twin);
    CHECK_OK(kl_fs_list(twin.fs, "log", keep_name, &list));
    CHECK_OK(kl_sim_disk_cut(from, UINT64_MAX, KL_CUT_KEEP, 0, &disk));
    twin.fs = kl_sim_disk_fs(disk);
    for (int i = 0; i < 200; i++) {
        usize f = kl_rand_below(seed, list.count);
        check_flip(disk, list.path[f], kl_rand_below(seed, 1 << 16),
                   (unsigned)kl_rand_below(seed, 8), f + 1 == list.count);
    }
    kl_sim_disk_free(disk);
    kl_sim_disk_free(from);
}

/* Sectors exchanged within a segment and between segments are whole, and in the wrong place. */
KL_TEST(seglog_finds_misplaced_sectors)
{
    struct kl_sim_disk *from = small_log(seed), *disk;
    struct name_list list = {.count = 0};
    kl_seglog_report report;
    u8 a[512], b[512];
    CHECK_OK(kl_fs_list(twin.fs, "log", keep_name, &list));
    CHECK_OK(kl_sim_disk_cut(from, UINT64_MAX, KL_CUT_KEEP, 0, &disk));
    twin.fs = kl_sim_disk_fs(disk);
    for (usize f = 0; f < list.count; f += list.count - 1) {
        const char *other = list.path[f ? 0 : list.count - 1];
        for (u64 i = 1; i < 4 && !blank(list.path[f], i * 512); i++) {
            if (blank(other, i * 512))
                continue;
            peek(list.path[f], i * 512, a, 512);
            peek(f && i == 2 ? list.path[f] : other, (f && i == 2 ? 1 : i) * 512, b, 512);
            patch(list.path[f], i * 512, b, 512);
            bool met = try_open(&report) == KL_CORRUPT;
            if (!met) {
                kl_twin_open(&twin);
                for (u64 seq = 0; seq < twin.end; seq++)
                    met |= kl_twin_read(&twin, seq, &report) == KL_CORRUPT;
                kl_twin_close(&twin);
            }
            CHECK(met);
            CHECK(names_place(&report, list.path[f], i * 512));
            patch(list.path[f], i * 512, a, 512);
        }
    }
    kl_twin_open(&twin);
    kl_twin_check_all(&twin);
    finish(disk);
    kl_sim_disk_free(from);
}

/* Gives a sector, whose checksum stays right, another seq or other data. */
static void forge(const char *path, u64 index, u64 add_to_seq, u8 add_to_data)
{
    u8 sector[512];
    peek(path, index * 512, sector, 512);
    kl_seg_sector head = kl_seg_sector_get(sector);
    head.seq += add_to_seq;
    kl_seg_sector_set(sector, &head);
    sector[100] = (u8)(sector[100] + add_to_data);
    kl_seg_sector_seal(sector, strtoull(path + 4, NULL, 16), index);
    patch(path, index * 512, sector, 512);
}

/* Sectors that are whole but not from the same writing of a record: never served.  In the newest
 * segment, one of another record is what a tear may leave; a whole record that does not add up is
 * damage. */
KL_TEST(seglog_refuses_records_of_mixed_sectors)
{
    struct kl_sim_disk *disk = begin(SMALL);
    kl_seglog_report report = {.damage = NULL};
    append(2500, seed);
    append(2500, seed);
    CHECK_OK(kl_seglog_write(twin.log));
    kl_twin_close(&twin);
    static const char second[] = "log/0000000000000001.seg";

    forge(FIRST_FILE, 3, 0, 1);
    kl_twin_open(&twin);
    CHECK(kl_twin_read(&twin, 0, &report) == KL_CORRUPT);
    CHECK_SPAN(kl_span_str(report.damage), KL_SPAN_TEXT("the record's checksum is wrong"));
    kl_twin_close(&twin);
    forge(FIRST_FILE, 3, 1, 255);
    kl_twin_open(&twin);
    CHECK(kl_twin_read(&twin, 0, &report) == KL_CORRUPT);
    CHECK_SPAN(kl_span_str(report.damage), KL_SPAN_TEXT("a part of a record is missing"));
    CHECK_U64(report.offset, 3 * 512);
    kl_twin_close(&twin);

    forge(second, 3, 0, 1);
    CHECK(try_open(&report) == KL_CORRUPT);
    CHECK_SPAN(kl_span_str(report.damage), KL_SPAN_TEXT("the record's checksum is wrong"));
    CHECK_SPAN(kl_span_str(report.file), kl_span_str(second));
    CHECK_U64(files(), 2);
    forge(second, 3, 1, 255);
    CHECK_OK(try_open(&report));
    CHECK_U64(report.offset, 512);
    CHECK_U64(report.cut_bytes, 6 * 512);
    kl_sim_disk_free(disk);
}

/* Sectors lost altogether (zeros) where later records vouch for them: damage, and nothing is cut.
 * At the end, where nothing vouches, it is a tear. */
KL_TEST(seglog_tells_holes_from_tears)
{
    static const u8 zeros[512];
    struct kl_sim_disk *disk = begin(SMALL * 8);
    kl_seglog_report report;
    u8 sector[512];
    for (int i = 0; i < 6; i++) {
        append(900, seed);
        CHECK_OK(kl_seglog_write(twin.log));
        CHECK_OK(kl_seglog_sync(twin.log));
    }
    kl_twin_close(&twin);
    for (u64 at = 512; at < 512 * (1 + 2 * 5); at += 512) {
        peek(FIRST_FILE, at, sector, 512);
        patch(FIRST_FILE, at, zeros, 512);
        CHECK(try_open(&report) == KL_CORRUPT);
        CHECK(strcmp(report.file, FIRST_FILE) == 0 && report.damage);
        CHECK(report.offset / 1024 == (at - 512) / 1024 || report.offset / 512 == at / 512);
        CHECK_U64(files(), 1);
        patch(FIRST_FILE, at, sector, 512);
    }
    CHECK_OK(try_open(&report));
    CHECK(report.cut_bytes == 0 && report.file[0] == '\0');

    peek(FIRST_FILE, 512 * 12, sector, 512);
    patch(FIRST_FILE, 512 * 12, zeros, 512);
    CHECK_OK(try_open(&report));
    CHECK(strcmp(report.file, FIRST_FILE) == 0 && !report.damage);
    CHECK_U64(report.offset, 512 * 11);
    CHECK_U64(report.cut_bytes, 512);
    CHECK_U64(files(), 2);
    u8 kept[1024];
    peek(FIRST_FILE ".torn", 0, kept, sizeof kept);
    CHECK_HEX(kl_span_of(kept, 8), "4b4c53454754524e");
    CHECK_U64(kl_load_be64(kept + 12), 512 * 11);
    CHECK_U64(kl_load_be64(kept + 20), 512);
    CHECK(!blank(FIRST_FILE ".torn", 512));
    CHECK(blank(FIRST_FILE, 512 * 11));
    CHECK_OK(try_open(&report));
    CHECK(report.cut_bytes == 0);
    twin.end = 5;
    kl_twin_open(&twin);
    append(3000, seed);
    kl_twin_check_all(&twin);
    CHECK_OK(kl_seglog_write(twin.log));
    reopen();
    kl_twin_check_all(&twin);
    finish(disk);
}

static void expect_damage(const char *file, const char *what)
{
    kl_seglog_report report;
    CHECK(try_open(&report) == KL_CORRUPT);
    CHECK_SPAN(kl_span_str(report.file), kl_span_str(file));
    CHECK_SPAN(kl_span_str(report.damage), kl_span_str(what));
}

KL_TEST(seglog_finds_files_out_of_order)
{
    struct kl_sim_disk *from = small_log(seed), *disk;
    struct name_list list = {.count = 0};
    struct kl_file *f;
    kl_seglog_report report;
    u8 sector[512];
    CHECK_OK(kl_fs_list(twin.fs, "log", keep_name, &list));
    CHECK(list.count >= 3);
    for (int what = 0; what < 6; what++) {
        CHECK_OK(kl_sim_disk_cut(from, UINT64_MAX, KL_CUT_KEEP, 0, &disk));
        twin.fs = kl_sim_disk_fs(disk);
        if (what == 0) {
            CHECK_OK(kl_fs_unlink(twin.fs, list.path[1]));
            expect_damage(list.path[2], "the segment before this one is missing");
        } else if (what == 1) {
            CHECK_OK(kl_fs_rename(twin.fs, list.path[2], list.path[1]));
            expect_damage(list.path[1], "the segment has another segment's name");
        } else if (what == 2) {
            CHECK_OK(kl_fs_open(twin.fs, &f, list.path[1], KL_OPEN_WRITE));
            CHECK_OK(kl_file_truncate(f, 1024));
            kl_file_close(f);
            expect_damage(list.path[1], "the file's size is not the one its header says");
        } else if (what == 3) {
            CHECK_OK(kl_fs_open(twin.fs, &f, list.path[1], KL_OPEN_WRITE));
            CHECK_OK(kl_file_truncate(f, 100));
            kl_file_close(f);
            expect_damage(list.path[1], "the file is shorter than a segment's header");
        } else if (what == 4) {
            peek(list.path[1], 0, sector, 512);
            sector[11] = 2;
            u32 crc = kl_crc32c(0, kl_span_of(sector, 12));
            kl_store_be32(sector + 12, kl_crc32c(crc, kl_span_of(sector + 16, 496)));
            patch(list.path[1], 0, sector, 512);
            CHECK(try_open(&report) == KL_UNSUPPORTED);
            CHECK_SPAN(kl_span_str(report.damage),
                       KL_SPAN_TEXT("the segment's format is not known"));
        } else {
            patch(list.path[1], 0, "KLSEGLOX", 8);
            expect_damage(list.path[1], "this is no segment file");
        }
        kl_sim_disk_free(disk);
    }
    kl_sim_disk_free(from);
}

/* Files go away and shrink under an open log. */
KL_TEST(seglog_reads_survive_vanishing_files)
{
    struct kl_sim_disk *disk = small_log(seed);
    struct name_list list = {.count = 0};
    struct kl_file *f;
    kl_seglog_report report = {.damage = NULL};
    CHECK_OK(kl_fs_list(twin.fs, "log", keep_name, &list));
    kl_twin_open(&twin);
    CHECK_OK(kl_fs_unlink(twin.fs, list.path[0]));
    CHECK(kl_twin_read(&twin, 0, &report) == KL_CORRUPT);
    CHECK_SPAN(kl_span_str(report.damage), KL_SPAN_TEXT("the segment file is gone"));
    u64 first = strtoull(list.path[1] + 4, NULL, 16);
    kl_twin_check(&twin, first);
    CHECK_OK(kl_fs_open(twin.fs, &f, list.path[1], KL_OPEN_WRITE));
    CHECK_OK(kl_file_truncate(f, 600));
    kl_file_close(f);
    CHECK(kl_twin_read(&twin, first, &report) == KL_CORRUPT);
    char file[KL_PATH_MAX + 1];
    u64 offset;
    CHECK(kl_seglog_place(twin.log, first, file, &offset) == KL_CORRUPT);
    finish(disk);
}

KL_TEST(seglog_ignores_files_of_others)
{
    struct kl_sim_disk *disk = small_log(seed);
    static const char *const other[] = {"log/readme", "log/0000000000000abc.seg.bak",
                                        "log/000000000000000A.seg", "log/0000000000000000.torn"};
    struct kl_file *f;
    for (usize i = 0; i < KL_COUNT_OF(other); i++) {
        CHECK_OK(kl_fs_open(twin.fs, &f, other[i], KL_OPEN_CREATE));
        kl_file_close(f);
    }
    CHECK_OK(kl_fs_open(twin.fs, &f, "log/next.tmp", KL_OPEN_CREATE));
    kl_file_close(f);
    usize before = files();
    kl_twin_open(&twin);
    kl_twin_check_all(&twin);
    CHECK_U64(files(), before);
    CHECK(!has_file("log/next.tmp"));
    finish(disk);
}

/* One thread appends, one syncs, others read what is there, one of them at the newest end. */
struct crew {
    struct kl_seglog *log;
    atomic_bool stop;
    atomic_uint wrong, reads, syncs;
};

static usize crew_len(u64 seq)
{
    return (usize)(kl_rand(&seq) % 700);
}

static void crew_fill(u64 seq, u8 *bytes)
{
    u64 seed = ~seq;
    kl_rand_fill(&seed, bytes, crew_len(seq));
}

static void *crew_read(void *ctx)
{
    struct crew *crew = ctx;
    struct kl_arena arena;
    u64 seed = 1;
    kl_arena_init(&arena, 1 << 20);
    while (!atomic_load(&crew->stop)) {
        u64 first = kl_seglog_first(crew->log), end = kl_seglog_end(crew->log);
        u64 back = 1 + kl_rand_below(&seed, 4);
        u64 seq = kl_rand_below(&seed, 3) ? end - KL_MIN(end - first, back)
                                          : first + kl_rand_below(&seed, end - first + 1);
        u8 want[700];
        kl_record record;
        kl_status status = kl_seglog_read(crew->log, seq, &arena, &record, NULL);
        crew_fill(seq, want);
        if (status == KL_OK) {
            atomic_fetch_add(&crew->wrong,
                             !kl_span_eq(record.payload, kl_span_of(want, crew_len(seq))));
            atomic_fetch_add(&crew->reads, 1);
        } else if (status != KL_NOTFOUND) {
            atomic_fetch_add(&crew->wrong, 1);
        }
        kl_arena_reset(&arena, 1 << 20);
    }
    kl_arena_done(&arena);
    return NULL;
}

static void *crew_sync(void *ctx)
{
    struct crew *crew = ctx;
    while (!atomic_load(&crew->stop)) {
        u64 synced = kl_seglog_synced(crew->log);
        if (kl_seglog_sync(crew->log) != KL_OK || kl_seglog_synced(crew->log) < synced)
            atomic_fetch_add(&crew->wrong, 1);
        atomic_fetch_add(&crew->syncs, 1);
    }
    return NULL;
}

KL_TEST(seglog_serves_readers_beside_the_writer)
{
    struct kl_sim_disk *disk = begin(SMALL * 2);
    struct crew crew = {.log = twin.log};
    pthread_t reader[2], syncer;
    for (int i = 0; i < 2; i++)
        CHECK(pthread_create(&reader[i], NULL, crew_read, &crew) == 0);
    CHECK(pthread_create(&syncer, NULL, crew_sync, &crew) == 0);
    for (u64 i = 0; i < 3000 || atomic_load(&crew.reads) < 1000; i++) {
        u8 bytes[700];
        u64 seq;
        crew_fill(i, bytes);
        kl_span part = kl_span_of(bytes, crew_len(i));
        CHECK_OK(kl_seglog_append(twin.log, 1, &part, 1, &seq));
        CHECK_U64(seq, i);
        if (kl_rand_below(seed, 3) == 0)
            CHECK_OK(kl_seglog_write(twin.log));
        if (kl_rand_below(seed, 500) == 0)
            CHECK_OK(kl_seglog_drop(twin.log, kl_rand_below(seed, i + 1)));
    }
    atomic_store(&crew.stop, true);
    for (int i = 0; i < 2; i++)
        CHECK(pthread_join(reader[i], NULL) == 0);
    CHECK(pthread_join(syncer, NULL) == 0);
    CHECK_U64(atomic_load(&crew.wrong), 0);
    finish(disk);
}

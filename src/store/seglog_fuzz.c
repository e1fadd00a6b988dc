/* Opens a log whose segment file holds arbitrary bytes, reads all it is said to hold, and goes on
 * with it.  Nothing may be read past its end, damage is named, and a log that opened must take a
 * record, keep it, and open again with the same records.
 *
 * The first input byte says what is put right before, so that inputs get behind the checksums. */
#include <stdio.h>
#include <stdlib.h>

#include "base/fuzz.h"
#include "crypto/digest.h"
#include "sim/disk.h"
#include "store/seglog.h"
#include "store/seglog_priv.h"

enum {
    FIX_HEADER = 1,  /* the segment's header is good */
    FIX_SECTORS = 2, /* the checksum of every sector that is not blank */
    FIX_RECORDS = 4, /* the checksum of records that lie in one sector */
    WITH_TORN = 8,   /* a .torn file: 2 bytes for its length, then its bytes */
    NOT_NEWEST = 16, /* an empty segment follows: 1 byte for the number of its first record */
    WITH_NAME = 32,  /* a file more: 24 bytes for its name */
    READ_ONLY = 64,  /* it is looked at first by one who changes nothing */
    FIELDS = 128,    /* the good header says what 25 bytes say: version, first, previous, size */
    NAME_LEN = 24,
    FIELDS_LEN = 25,
    FILE_MAX = 1 << 16,
    READS_MAX = 3000,
};

#define SEGMENT "log/0000000000000000.seg"

struct input {
    u8 flags, next_first;
    kl_span torn, name, fields, body;
};

static struct input parse(kl_span rest)
{
    struct input in = {.flags = rest.len ? rest.p[0] : 0};
    (void)kl_span_take(&rest, 1);
    if (in.flags & NOT_NEWEST) {
        kl_span first = kl_span_take(&rest, 1);
        in.next_first = first.len ? first.p[0] : 0;
    }
    if (in.flags & WITH_TORN) {
        kl_span length = kl_span_take(&rest, 2);
        in.torn = kl_span_take(&rest, length.len == 2 ? kl_load_be16(length.p) : 0);
    }
    if (in.flags & WITH_NAME)
        in.name = kl_span_take(&rest, NAME_LEN);
    if (in.flags & FIELDS)
        in.fields = kl_span_take(&rest, FIELDS_LEN);
    in.body = kl_span_take(&rest, FILE_MAX);
    return in;
}

static void fix_records(u8 *sector)
{
    kl_seg_sector head = kl_seg_sector_get(sector);
    usize end = KL_MIN((usize)head.end, (usize)KL_SEG_SECTOR);
    for (usize at = head.start; at >= KL_SEG_DATA && at + KL_SEG_HEAD <= end;) {
        kl_seg_head record = kl_seg_head_get(sector + at);
        if (record.len > end - at - KL_SEG_HEAD)
            return;
        kl_span payload = kl_span_of(sector + at + KL_SEG_HEAD, record.len);
        kl_seg_head_put(sector + at, &record, &payload, 1);
        at += KL_SEG_HEAD + record.len;
    }
}

/* A header with what the input says it has, and the checksum of that. */
static void put_fields(u8 *sector, kl_span fields)
{
    sector[11] = fields.p[0];
    memcpy(sector + 16, fields.p + 1, FIELDS_LEN - 1);
    u32 sum = kl_crc32c(kl_crc32c(0, kl_span_of(sector, 12)),
                        kl_span_of(sector + 16, KL_SEG_SECTOR - 16));
    kl_store_be32(sector + 12, sum);
}

static void fix(const struct input *in, u8 *file, usize size)
{
    if (in->flags & FIX_HEADER)
        kl_seg_header_put(file, &(kl_seg_header){.size = size});
    if ((in->flags & FIX_HEADER) && in->fields.len == FIELDS_LEN)
        put_fields(file, in->fields);
    for (usize i = 1; i < size / KL_SEG_SECTOR; i++) {
        u8 *sector = file + i * KL_SEG_SECTOR;
        if (kl_seg_sector_check(sector, 0, i) == KL_SEG_BLANK)
            continue;
        if (in->flags & FIX_RECORDS)
            fix_records(sector);
        if (in->flags & FIX_SECTORS)
            kl_seg_sector_seal(sector, 0, i);
    }
}

static void put_file(struct kl_fs *fs, const char *path, const u8 *bytes, usize len)
{
    struct kl_file *f;
    KL_ASSERT(kl_fs_open(fs, &f, path, KL_OPEN_CREATE) == KL_OK);
    KL_ASSERT(kl_file_write(f, bytes, len, 0) == KL_OK);
    kl_file_close(f);
}

static void put_files(struct kl_fs *fs, const struct input *in)
{
    usize size = (in->body.len + KL_SEG_UNIT - 1) / KL_SEG_UNIT * KL_SEG_UNIT;
    u8 *file = calloc(1, size + KL_SEG_UNIT);
    KL_ASSERT(file && kl_fs_make_dir(fs, "log") == KL_OK);
    if (in->body.len)
        memcpy(file, in->body.p, in->body.len);
    fix(in, file, size);
    put_file(fs, SEGMENT, file, size);
    put_file(fs, SEGMENT ".torn", in->torn.p, in->torn.len);
    if (in->flags & NOT_NEWEST && in->next_first > 0) {
        char path[KL_PATH_MAX + 1];
        snprintf(path, sizeof path, "log/%016x.seg", in->next_first);
        memset(file, 0, KL_SEG_UNIT);
        kl_seg_header_put(file, &(kl_seg_header){.first = in->next_first, .size = KL_SEG_UNIT});
        put_file(fs, path, file, KL_SEG_UNIT);
    }
    free(file);
}

/* An empty file under a name from outside: of a segment, or of anything. */
static void put_name(struct kl_fs *fs, kl_span name)
{
    char path[4 + NAME_LEN + 1] = "log/";
    struct kl_file *f;
    for (usize i = 0; i < name.len && name.p[i]; i++)
        path[4 + i] = name.p[i] == '/' ? '_' : (char)name.p[i];
    if (!path[4] || strcmp(path + 4, ".") == 0 || strcmp(path + 4, "..") == 0)
        return;
    if (kl_fs_open(fs, &f, path, KL_OPEN_CREATE) == KL_OK)
        kl_file_close(f);
}

/* Reads what the log says it has; true when all of it could be read. */
static bool read_all(struct kl_seglog *log)
{
    struct kl_arena arena;
    u64 first = kl_seglog_first(log), end = kl_seglog_end(log);
    bool all = true;
    kl_arena_init(&arena, 1 << 20);
    for (u64 i = 0; i < KL_MIN(end - first, (u64)READS_MAX); i++) {
        kl_record record = {0};
        kl_seglog_report report = {.damage = NULL};
        u64 seq = i % 2 ? end - 1 - i / 2 : first + i / 2;
        kl_status status = kl_seglog_read(log, seq, &arena, &record, &report);
        KL_ASSERT(status == KL_OK || (status == KL_CORRUPT && report.damage && report.file[0]));
        KL_ASSERT(status != KL_OK || (record.kind != 0 && record.seq == seq));
        all &= status == KL_OK;
        kl_arena_reset(&arena, 1 << 20);
    }
    kl_arena_done(&arena);
    return all;
}

/* Appends a record and opens the log again. */
static void go_on(struct kl_seglog *log, struct kl_fs *fs, const kl_seglog_config *config,
                  bool newest)
{
    kl_seglog_report report;
    kl_span part = KL_SPAN_TEXT("and so it goes on");
    u64 seq, end = kl_seglog_end(log);
    KL_ASSERT(read_all(log) || !newest);
    KL_ASSERT(kl_seglog_append(log, 1, &part, 1, &seq) == KL_OK && seq == end);
    KL_ASSERT(read_all(log) || !newest); /* the last of it is not in any file */
    KL_ASSERT(kl_seglog_write(log) == KL_OK && kl_seglog_sync(log) == KL_OK);
    kl_seglog_close(log);
    KL_ASSERT(kl_seglog_open(&log, fs, config, &report) == KL_OK && report.cut_bytes == 0);
    KL_ASSERT(kl_seglog_end(log) == end + 1);
    KL_ASSERT(read_all(log) || !newest);
    kl_seglog_close(log);
}

/* Reads all that there is and changes nothing; what it says of damage is all that may be said. */
static void look(struct kl_fs *fs, struct kl_sim_disk *disk)
{
    const kl_seglog_config config = {.dir = "log", .segment_bytes = KL_SEG_UNIT, .read_only = true};
    struct kl_seglog *log;
    kl_seglog_report report;
    u64 before = kl_sim_disk_operations(disk);
    kl_status status = kl_seglog_open(&log, fs, &config, &report);
    if (status == KL_OK) {
        (void)read_all(log);
        kl_seglog_close(log);
    } else {
        KL_ASSERT((status == KL_CORRUPT || status == KL_UNSUPPORTED) && report.damage);
    }
    KL_ASSERT(kl_sim_disk_operations(disk) == before);
}

int LLVMFuzzerTestOneInput(const u8 *bytes, usize len)
{
    const kl_seglog_config config = {.dir = "log", .segment_bytes = KL_SEG_UNIT};
    struct input in = parse(kl_span_of(bytes, len));
    struct kl_sim_disk *disk;
    struct kl_seglog *log;
    kl_seglog_report report;
    KL_ASSERT(kl_sim_disk_new(&disk) == KL_OK);
    struct kl_fs *fs = kl_sim_disk_fs(disk);
    put_files(fs, &in);
    put_name(fs, in.name);
    if (in.flags & READ_ONLY)
        look(fs, disk);
    kl_status status = kl_seglog_open(&log, fs, &config, &report);
    if (status == KL_OK)
        go_on(log, fs, &config, !(in.flags & NOT_NEWEST && in.next_first > 0));
    else
        KL_ASSERT((status == KL_CORRUPT || status == KL_UNSUPPORTED) && report.damage);
    kl_sim_disk_free(disk);
    return 0;
}

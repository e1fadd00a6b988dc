/* Index files against a search through everything, and what can happen to files on disk. */
#include <stdio.h>
#include <stdlib.h>

#include "base/test.h"
#include "sim/disk.h"
#include "state/history_core_priv.h"

enum { ENTRIES = 6000, VERSIONS = 1500, HASHES = 900 };

static struct kl_sim_disk *disk;

/* A made-up history: entries sorted, versions with their first records. */
struct content {
    struct kl_hsource source;
    kl_hrange range;
    kl_hentry entries[ENTRIES];
    u64 seqs[VERSIONS];
    usize entry_at, version_at;
};

static kl_status next_entry(struct kl_hsource *source, kl_hentry *out)
{
    struct content *c = (struct content *)source;
    *out = c->entries[c->entry_at++];
    return KL_OK;
}

static kl_status next_version(struct kl_hsource *source, u64 *seq)
{
    struct content *c = (struct content *)source;
    *seq = c->seqs[c->version_at++];
    return KL_OK;
}

static int cmp_entries(const void *a, const void *b)
{
    return kl_hentry_cmp(a, b);
}

/* Follows what ends at first_version and first_seq.  One hash is so frequent that it fills pages.
 */
static void make_content(u64 *seed, struct content *c, u64 first_version, u64 first_seq)
{
    usize versions = 1 + kl_rand_below(seed, VERSIONS), entries = kl_rand_below(seed, ENTRIES);
    u64 seq = first_seq, hot = kl_rand(seed);
    *c = (struct content){.source = {next_entry, next_version}};
    for (usize v = 0; v < versions; v++) {
        c->seqs[v] = seq;
        seq += 1 + (kl_rand_below(seed, 10) == 0) * kl_rand_below(seed, 5);
    }
    for (usize e = 0; e < entries; e++) {
        u64 at = kl_rand_below(seed, versions), n = kl_rand_below(seed, HASHES);
        u64 hash = kl_rand_below(seed, 4) ? kl_rand(&n) : hot;
        c->entries[e] = (kl_hentry){hash, first_version + at, c->seqs[at]};
    }
    qsort(c->entries, entries, sizeof c->entries[0], cmp_entries);
    c->range = (kl_hrange){first_seq, seq, first_version, versions, entries, 0};
}

static void begin(void)
{
    CHECK_OK(kl_sim_disk_new(&disk));
    CHECK_OK(kl_fs_make_dir(kl_sim_disk_fs(disk), "d"));
}

static struct kl_hindex *write_index(struct content *c)
{
    struct kl_hindex *index;
    CHECK_OK(kl_hindex_write(&index, kl_sim_disk_fs(disk), "d", &c->range, &c->source));
    return index;
}

static void check_find(struct kl_hindex *index, const kl_hentry *entries, usize count,
                       const kl_hentry *from)
{
    usize i = 0;
    while (i < count && kl_hentry_cmp(&entries[i], from) < 0)
        i++;
    kl_hentry got;
    kl_status status = kl_hindex_find(index, from, &got);
    if (i == count || entries[i].hash != from->hash) {
        CHECK(status == KL_NOTFOUND);
        return;
    }
    CHECK_OK(status);
    CHECK(kl_hentry_cmp(&got, &entries[i]) == 0);
}

static void check_index(u64 *seed, struct kl_hindex *index, const kl_hentry *entries, usize count)
{
    for (int n = 0; n < 300; n++) {
        kl_hentry from = {.hash = kl_rand(seed), .version = kl_rand_below(seed, 9000)};
        if (count && kl_rand_below(seed, 8)) {
            from = entries[kl_rand_below(seed, count)];
            from.version += kl_rand_below(seed, 5) - 2;
            from.seq += kl_rand_below(seed, 3) - 1;
        }
        check_find(index, entries, count, &from);
    }
}

KL_TEST(history_index_finds_what_a_search_finds)
{
    static struct content c[KL_HISTORY_MERGE];
    static kl_hentry all[KL_HISTORY_MERGE * ENTRIES];
    for (int round = 0; round < 6; round++) {
        begin();
        struct kl_hindex *index[KL_HISTORY_MERGE], *merged;
        usize count = 0;
        u64 version = kl_rand_below(seed, 1000), seq = kl_rand_below(seed, 1000);
        for (usize i = 0; i < KL_HISTORY_MERGE; i++) {
            make_content(seed, &c[i], version, seq);
            version += c[i].range.version_count;
            seq = c[i].range.end_seq;
            index[i] = write_index(&c[i]);
            check_index(seed, index[i], c[i].entries, c[i].range.entry_count);
            memcpy(all + count, c[i].entries, c[i].range.entry_count * sizeof all[0]);
            count += c[i].range.entry_count;
        }
        qsort(all, count, sizeof all[0], cmp_entries);
        CHECK_OK(kl_hindex_merge(&merged, kl_sim_disk_fs(disk), "d", index, KL_HISTORY_MERGE));
        CHECK_U64(merged->range.level, 1);
        check_index(seed, merged, all, count);
        for (usize i = 0; i < KL_HISTORY_MERGE; i++) {
            for (u64 v = 0; v < c[i].range.version_count; v += 1 + kl_rand_below(seed, 40)) {
                u64 got;
                CHECK_OK(kl_hindex_seq_of(merged, c[i].range.first_version + v, &got));
                CHECK_U64(got, c[i].seqs[v]);
            }
            kl_hindex_unref(index[i]);
        }
        kl_hindex_unref(merged);
        kl_sim_disk_free(disk);
    }
}

/* A flipped bit anywhere is found by whoever reads that page, and never changes an answer. */
KL_TEST(history_index_damage_is_found)
{
    static struct content c;
    for (int round = 0; round < 40; round++) {
        begin();
        make_content(seed, &c, 5, 9);
        struct kl_hindex *index = write_index(&c);
        u64 size;
        CHECK_OK(kl_file_size(index->file, &size));
        u64 at = kl_rand_below(seed, size);
        CHECK_OK(kl_sim_disk_flip(disk, index->path, at, (unsigned)kl_rand_below(seed, 8)));
        usize damaged = 0;
        for (usize i = 0; i < c.range.entry_count; i++) {
            kl_hentry got;
            kl_status status = kl_hindex_find(index, &c.entries[i], &got);
            CHECK(status == KL_OK || status == KL_CORRUPT);
            damaged += status == KL_CORRUPT;
            CHECK(status != KL_OK || kl_hentry_cmp(&got, &c.entries[i]) == 0);
        }
        u64 pages = (c.range.version_count + 1019) / 1020 + 1;
        CHECK(at / 4096 < pages || damaged > 0);
        struct kl_hindex *again = NULL;
        kl_status status = kl_hindex_open(&again, kl_sim_disk_fs(disk), "d", index->path + 2);
        CHECK(status == (at < 4096 ? KL_CORRUPT : KL_OK));
        kl_hindex_unref(again);
        kl_hindex_unref(index);
        kl_sim_disk_free(disk);
    }
}

/* A history that each version writes some keys into. */

enum { KEYS = 30, MANY = 400 };

static struct kl_history *history;
static u64 before[MANY + 1][KEYS]; /* value of each key at each version; 0: none */

static kl_span key_of(const u64 *key)
{
    return kl_span_of(key, sizeof *key);
}

static kl_history_place place(void)
{
    return (kl_history_place){
        .fs = kl_sim_disk_fs(disk), .dir = "h", .suffix = ".x", .segment_bytes = 1 << 20};
}

static void open_history(bool empty, u64 version, u64 want_oldest)
{
    u64 oldest;
    const kl_history_place where = place();
    CHECK_OK(kl_history_open(&history, &where, empty, version, &oldest));
    CHECK_U64(oldest, want_oldest);
    history->seal = 60;
}

static void add_version(u64 *seed, u64 version)
{
    static u64 keys[KEYS];
    kl_old olds[KEYS];
    usize count = 0;
    memcpy(before[version], before[version - 1], sizeof before[0]);
    for (u64 k = 0; k < KEYS; k++) {
        keys[k] = k;
        if (kl_rand_below(seed, 4))
            continue;
        u64 *old = &before[version - 1][k];
        olds[count++] = (kl_old){
            .table = 1, .key = key_of(&keys[k]), .value = KL_SPAN_OF(*old), .gone = *old == 0};
        before[version][k] = kl_rand_below(seed, 5) ? kl_rand(seed) | 1 : 0;
    }
    CHECK_OK(kl_history_add(history, version, olds, count));
}

static void add_versions(u64 *seed, u64 from, u64 end)
{
    for (u64 version = from; version < end;) {
        CHECK_OK(kl_history_seal(history));
        u64 stop = version + 1 + kl_rand_below(seed, 4);
        stop = KL_MIN(stop, end);
        for (; version < stop; version++)
            add_version(seed, version);
        CHECK_OK(kl_history_sync(history));
        kl_history_settle(history);
    }
}

/* Every key at every version from oldest on, seen from the newest. */
static void check_history(u64 oldest, u64 newest)
{
    struct kl_history_reader reader;
    kl_history_reader_init(&reader);
    for (u64 v = oldest; v <= newest; v += 1 + (newest - v) / 20)
        for (u64 k = 0; k < KEYS; k++) {
            kl_old old;
            bool found;
            CHECK_OK(kl_history_find(history, &reader, 1, key_of(&k), v, newest, &found, &old));
            u64 now = found ? old.gone ? 0 : kl_load_le64(old.value.p) : before[newest][k];
            CHECK_U64(now, before[v][k]);
        }
    kl_history_reader_done(&reader);
}

/* Leaves the path of some file in ctx. */
static void take_name(void *ctx, const char *name)
{
    snprintf(ctx, KL_PATH_MAX + 1, "h/index.x/%s", name);
}

KL_TEST(history_lost_or_damaged_index_files_are_made_again)
{
    memset(before, 0, sizeof before);
    begin();
    open_history(false, 0, 0);
    add_versions(seed, 1, MANY);
    CHECK(history->file_count > 0);
    check_history(0, MANY - 1);
    for (int round = 0; round < 8; round++) {
        kl_history_close(history);
        char path[KL_PATH_MAX + 1];
        CHECK_OK(kl_fs_list(kl_sim_disk_fs(disk), "h/index.x", take_name, path));
        if (round % 2)
            CHECK_OK(kl_fs_unlink(kl_sim_disk_fs(disk), path));
        else
            CHECK_OK(kl_sim_disk_flip(disk, path, kl_rand_below(seed, 4000), 3));
        /* What a crash while making a file leaves behind. */
        struct kl_file *left;
        if (round == 3) {
            CHECK_OK(kl_fs_open(kl_sim_disk_fs(disk), &left, "h/index.x/next.tmp", KL_OPEN_CREATE));
            kl_file_close(left);
        }
        open_history(false, MANY - 1, 0);
        check_history(0, MANY - 1);
        history->settled_before = MANY - 1;
        CHECK_OK(kl_history_seal(history));
        check_history(0, MANY - 1);
    }
    kl_history_close(history);
    kl_sim_disk_free(disk);
}

/* Versions that the database lost are written again; the older records of them do not count. */
KL_TEST(history_ahead_of_the_database_does_not_count)
{
    memset(before, 0, sizeof before);
    begin();
    open_history(true, 0, 0);
    u64 version = 1;
    for (int round = 0; round < 30; round++) {
        u64 end = version + 1 + kl_rand_below(seed, 20);
        add_versions(seed, version, end);
        kl_history_close(history);
        version = end - kl_rand_below(seed, KL_MIN(end - version, (u64)3) + 1);
        open_history(false, version - 1, 0);
        check_history(0, version - 1);
        if (version + 25 > MANY)
            break;
    }
    kl_history_close(history);
    kl_sim_disk_free(disk);
}

/* Records that do not count, before the first file and between two, make no file useless. */
KL_TEST(history_ahead_of_the_database_costs_no_index)
{
    memset(before, 0, sizeof before);
    begin();
    open_history(true, 0, 0);
    u64 version = 1;
    for (int round = 0; round < 10; round++) {
        for (u64 ahead = 0; ahead < 5; ahead++)
            add_version(seed, version + ahead);
        CHECK_OK(kl_history_sync(history));
        kl_history_forget(history);
        kl_history_close(history); /* before the database's commit */
        open_history(false, version - 1, 0);
        add_versions(seed, version, version + 30);
        version += 30;
        kl_history_close(history);
        open_history(false, version - 1, 0);
        CHECK(history->file_count > 0);
        CHECK(kl_htail_entries(&history->tail) < 300); /* the files hold the rest */
        check_history(0, version - 1);
    }
    kl_history_close(history);
    kl_sim_disk_free(disk);
}

/* A version of many parts is there whole or not at all, wherever the power goes. */
KL_TEST(history_parts_of_a_version_stand_together)
{
    static u8 value[3000];
    static u64 keys[60];
    for (int round = 0; round < 40; round++) {
        memset(before, 0, sizeof before);
        begin();
        open_history(true, 0, 0);
        add_versions(seed, 1, 6);
        kl_old olds[60];
        usize count = 1 + kl_rand_below(seed, 60);
        for (usize i = 0; i < count; i++) {
            keys[i] = i;
            olds[i] = (kl_old){.table = 2, .key = key_of(&keys[i]), .value = KL_SPAN_OF(value)};
        }
        u64 first = kl_sim_disk_operations(disk);
        CHECK_OK(kl_history_add(history, 6, olds, count));
        CHECK_OK(kl_history_sync(history));
        u64 cut = first + kl_rand_below(seed, kl_sim_disk_operations(disk) - first + 1);
        kl_history_forget(history);
        kl_history_close(history);
        struct kl_sim_disk *after;
        kl_power_cut how = (kl_power_cut)kl_rand_below(seed, 3);
        CHECK_OK(kl_sim_disk_cut(disk, cut, how, kl_rand(seed), &after));
        kl_sim_disk_free(disk);
        disk = after;
        open_history(false, 5, 0);
        check_history(0, 5);
        add_versions(seed, 6, 30);
        check_history(0, 29);
        kl_history_close(history);
        open_history(false, 29, 0);
        check_history(0, 29);
        kl_history_close(history);
        kl_sim_disk_free(disk);
    }
}

/* A database further than the history reaches has no history, never a wrong one. */
KL_TEST(history_with_a_gap_is_forgotten)
{
    memset(before, 0, sizeof before);
    begin();
    open_history(false, 0, 0);
    add_versions(seed, 1, 100);
    kl_history_close(history);
    open_history(false, 150, 150);
    memcpy(before[150], before[99], sizeof before[0]);
    add_versions(seed, 151, 200);
    check_history(150, 199);
    kl_history_close(history);
    open_history(false, 199, 150);
    check_history(150, 199);
    kl_history_close(history);
    kl_sim_disk_free(disk);
}

/* Another key with the same hash leads to records that do not have this one. */
KL_TEST(history_tells_keys_of_one_hash_apart)
{
    memset(before, 0, sizeof before);
    begin();
    open_history(false, 0, 0);
    history->seal = SIZE_MAX;
    add_versions(seed, 1, 100);
    kl_hentries extra = {calloc(KEYS * 100, sizeof(kl_hentry)), 0};
    for (u64 k = 0; k < KEYS; k++)
        for (u64 v = 1; v < 100; v++)
            if (kl_rand_below(seed, 3) == 0)
                extra.entries[extra.count++] =
                    (kl_hentry){kl_history_hash(1, key_of(&k)), v, history->tail.seqs[v - 1]};
    struct kl_htail *tail = &history->tail;
    CHECK_OK(kl_htail_add(tail, kl_htail_end_version(tail), tail->seqs, 0, extra));
    CHECK_OK(kl_htail_drop_below(tail, 2)); /* sorts all of it together */
    check_history(1, 99);
    kl_history_close(history);
    kl_sim_disk_free(disk);
}

KL_TEST(history_parts_refuse_other_bytes)
{
    struct kl_buf buf;
    kl_buf_init(&buf, 1 << 20);
    u8 key[256], value[100];
    kl_rand_fill(seed, key, sizeof key);
    kl_rand_fill(seed, value, sizeof value);
    kl_history_part_begin(&buf, 77, 3);
    kl_old olds[3] = {
        {.table = 1, .key = KL_SPAN_OF(key), .value = KL_SPAN_OF(value)},
        {.table = 2, .key = kl_span_of(key, 1), .gone = true},
        {.table = 3, .key = kl_span_of(key, 32)},
    };
    for (usize i = 0; i < 3; i++)
        kl_history_part_add(&buf, &olds[i]);
    kl_history_part_end(&buf, true);
    kl_history_part part;
    CHECK_OK(kl_history_part_read(&part, kl_buf_view(&buf)));
    CHECK(part.version == 77 && part.part == 3 && part.last);
    for (usize i = 0; i < 3; i++) {
        kl_old got;
        CHECK_OK(kl_history_part_next(&part.entries, &got));
        CHECK(got.table == olds[i].table && got.gone == olds[i].gone);
        CHECK_SPAN(got.key, olds[i].key);
        CHECK_SPAN(got.value, olds[i].value);
    }
    kl_old got;
    CHECK(kl_history_part_next(&part.entries, &got) == KL_NOTFOUND);
    usize ends[] = {13, 13 + 6 + 256 + 100, 13 + 6 + 256 + 100 + 7, buf.len};
    for (usize len = 0; len < buf.len; len++) {
        kl_status status = kl_history_part_read(&part, kl_span_of(buf.p, len));
        while (status == KL_OK)
            status = kl_history_part_next(&part.entries, &got);
        bool whole = false;
        for (usize i = 0; i < KL_COUNT_OF(ends); i++)
            whole |= len == ends[i];
        CHECK(status == (whole ? KL_NOTFOUND : KL_CORRUPT));
    }
    buf.p[12] = 2;
    CHECK(kl_history_part_read(&part, kl_buf_view(&buf)) == KL_CORRUPT);
    kl_buf_done(&buf);
}

KL_TEST(history_takes_large_values)
{
    begin();
    u64 oldest;
    const kl_history_place where = place();
    CHECK_OK(kl_history_open(&history, &where, false, 0, &oldest));
    u8 *value = calloc(1, KL_KV_VALUE_MAX);
    kl_old olds[3];
    for (u8 i = 0; i < 3; i++) {
        static u8 keys[3] = {0, 1, 2};
        olds[i] = (kl_old){.table = 1,
                           .key = KL_SPAN_OF(keys[i]),
                           .value = kl_span_of(value, KL_KV_VALUE_MAX - i)};
    }
    CHECK_OK(kl_history_add(history, 1, olds, 3));
    CHECK_OK(kl_history_sync(history));
    kl_history_settle(history);
    kl_history_close(history);
    CHECK_OK(kl_history_open(&history, &where, false, 1, &oldest));
    CHECK_U64(oldest, 0);
    struct kl_history_reader reader;
    kl_history_reader_init(&reader);
    for (u8 i = 0; i < 3; i++) {
        kl_old old;
        bool found;
        CHECK_OK(kl_history_find(history, &reader, 1, KL_SPAN_OF(i), 0, 1, &found, &old));
        CHECK(found && !old.gone && old.value.len == KL_KV_VALUE_MAX - i);
    }
    kl_history_reader_done(&reader);
    kl_history_close(history);
    free(value);
    kl_sim_disk_free(disk);
}

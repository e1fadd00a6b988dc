/* Index files of the history.  Input: options, then pages; what is missing of a page is zeros.
 * Checksums and page numbers are put right, so that whatever the pages say gets behind them.  A
 * file that opens is searched everywhere and merged with one that follows it: damage is named, and
 * the merged file says what the two said. */
#include <stdlib.h>

#include "base/fuzz.h"
#include "crypto/digest.h"
#include "sim/disk.h"
#include "state/history_index_priv.h"

enum { KEEP_HEAD = 1, BAD_SUM = 2, BAD_NUMBER = 4, BAD_OWNER = 8, LEFT_OVER = 16, CUT = 128 };
enum { PAGE = 4096, BODY = 4080, PART = 64, PAGES_MAX = 8 };

/* Pages from parts of 64 bytes each: most of a page is zeros anyway. */
static usize make_pages(u8 (*pages)[PAGE], u8 options, kl_span in)
{
    usize count = KL_MIN(in.len / PART + 1, (usize)PAGES_MAX);
    memset(pages, 0, count * PAGE);
    for (usize i = 0; i < count; i++) {
        kl_span part = kl_span_sub(in, i * PART, PART);
        if (part.len)
            memcpy(pages[i], part.p, part.len);
        if (i == 0 && !(options & KEEP_HEAD)) {
            memcpy(pages[0], "KLHISTIX", 8);
            kl_store_be32(pages[0] + 8, 1);
        }
        bool bad = i == count / 2; /* one page is, if any */
        memcpy(pages[i] + BODY, pages[0] + 16, 8);
        pages[i][BODY + 7] ^= bad && options & BAD_OWNER ? 1 : 0;
        kl_store_be32(pages[i] + BODY + 8, (u32)i ^ (bad && options & BAD_NUMBER ? 1 : 0));
        u32 sum = kl_crc32c(0, kl_span_of(pages[i], PAGE - 4));
        kl_store_be32(pages[i] + PAGE - 4, sum ^ (bad && options & BAD_SUM ? 1 : 0));
    }
    return count;
}

static void put_file(struct kl_fs *fs, const char *path, const void *bytes, usize len)
{
    struct kl_file *f;
    KL_ASSERT(kl_fs_open(fs, &f, path, KL_OPEN_CREATE) == KL_OK);
    KL_ASSERT(kl_file_write(f, bytes, len, 0) == KL_OK);
    kl_file_close(f);
}

static bool fine(kl_status status)
{
    return status == KL_OK || status == KL_NOTFOUND || status == KL_CORRUPT;
}

static void search(struct kl_hindex *index)
{
    for (u64 i = 0; i < 64; i++) {
        kl_hentry from = {i << 58 | i, index->range.first_version + i, index->range.first_seq};
        kl_hentry found;
        kl_status status = kl_hindex_find(index, &from, &found);
        KL_ASSERT(fine(status));
        if (status == KL_OK)
            KL_ASSERT(found.hash == from.hash && kl_hentry_cmp(&found, &from) >= 0);
    }
    for (u64 i = 0; i < KL_MIN(index->range.version_count, (u64)64); i++) {
        u64 seq, at = i % 2 ? index->range.version_count - 1 - i / 2 : i / 2;
        kl_status status = kl_hindex_seq_of(index, index->range.first_version + at, &seq);
        KL_ASSERT(fine(status) && status != KL_NOTFOUND);
        KL_ASSERT(status != KL_OK || (seq >= index->range.first_seq && seq < index->range.end_seq));
    }
}

/* A sound file of one version and one change. */
static kl_status one_entry(struct kl_hsource *source, kl_hentry *out);
static kl_status one_version(struct kl_hsource *source, u64 *seq);
struct one {
    struct kl_hsource source;
    kl_hrange range;
};

static kl_status one_entry(struct kl_hsource *source, kl_hentry *out)
{
    const kl_hrange *r = &((const struct one *)(const void *)source)->range;
    *out = (kl_hentry){UINT64_C(1) << 63, r->first_version, r->first_seq};
    return KL_OK;
}

static kl_status one_version(struct kl_hsource *source, u64 *seq)
{
    *seq = ((const struct one *)(const void *)source)->range.first_seq;
    return KL_OK;
}

static void merge(struct kl_fs *fs, struct kl_hindex *index)
{
    struct one one = {
        .source = {one_entry, one_version},
        .range = {index->range.end_seq, index->range.end_seq + 1, kl_hindex_end_version(index), 1,
                  1, 0},
    };
    struct kl_hindex *files[2] = {kl_hindex_ref(index), NULL}, *merged = NULL;
    if (one.range.end_seq == 0 || one.range.first_version == UINT64_MAX) {
        kl_hindex_unref(index);
        return;
    }
    KL_ASSERT(kl_hindex_write(&files[1], fs, "index", &one.range, &one.source) == KL_OK);
    kl_status status = kl_hindex_merge(&merged, fs, "index", files, 2);
    KL_ASSERT(status == KL_OK || status == KL_CORRUPT || status == KL_LIMIT);
    if (status == KL_OK) {
        KL_ASSERT(merged->range.version_count == index->range.version_count + 1);
        KL_ASSERT(merged->range.entry_count == index->range.entry_count + 1);
        search(merged);
        kl_hindex_unref(merged);
    }
    kl_hindex_unref(files[0]);
    kl_hindex_unref(files[1]);
}

int LLVMFuzzerTestOneInput(const u8 *bytes, usize len)
{
    static u8 pages[PAGES_MAX][PAGE];
    struct kl_sim_disk *disk;
    struct kl_hindex *index;
    if (len == 0)
        return 0;
    usize count = make_pages(pages, bytes[0], kl_span_of(bytes + 1, len - 1));
    KL_ASSERT(kl_sim_disk_new(&disk) == KL_OK);
    struct kl_fs *fs = kl_sim_disk_fs(disk);
    KL_ASSERT(kl_fs_make_dir(fs, "index") == KL_OK);
    put_file(fs, "index/a.idx", pages, count * PAGE - (bytes[0] & CUT ? 1 : 0));
    if (bytes[0] & LEFT_OVER) /* of a writer that was killed */
        put_file(fs, "index/next.tmp", pages, 10);
    kl_status status = kl_hindex_open(&index, fs, "index", "a.idx");
    KL_ASSERT(status == KL_OK || status == KL_CORRUPT);
    if (status == KL_OK) {
        search(index);
        merge(fs, index);
        kl_hindex_unref(index);
    }
    kl_sim_disk_free(disk);
    return 0;
}

/* A file is a row of pages of 4,096 bytes, each checked whenever it is read:
 *
 *     4,080 body | 8 first sequence number of the file | 4 page number | 4 CRC-32C of all before
 *
 * Page 0 is the header; then come pages of 1,020 version records (4 bytes: the version's first
 * record, counted from the file's), then pages of 255 entries (8 hash, 4 version, 4 record, both
 * counted from the file's).  Numbers are big-endian.
 *
 * Hashes are spread evenly, so a look-up guesses the page by proportion; a key that changed very
 * often fills many pages by itself, so the search then doubles its steps and halves them again. */
#include "state/history_index_priv.h"

#include <stdio.h>
#include <stdlib.h>

#include "crypto/digest.h"

enum {
    PAGE = 4096,
    BODY = 4080,
    VERSIONS = BODY / 4, /* a page */
    ENTRIES = BODY / 16,
    FORMAT = 1,
    BATCH = 16, /* pages written at once */
};

static const char magic[8] = "KLHISTIX";

static u64 version_pages(const kl_hrange *r)
{
    return (r->version_count + VERSIONS - 1) / VERSIONS;
}

static u64 entry_pages(const kl_hrange *r)
{
    return (r->entry_count + ENTRIES - 1) / ENTRIES;
}

static bool range_fits(const kl_hrange *r)
{
    return r->first_seq < r->end_seq && r->end_seq - r->first_seq <= UINT32_MAX &&
           r->version_count > 0 && r->version_count <= UINT32_MAX &&
           r->first_version <= UINT64_MAX - r->version_count && r->entry_count <= UINT32_MAX;
}

static void finish_page(u8 page[PAGE], u64 first_seq, u64 number)
{
    kl_store_be64(page + BODY, first_seq);
    kl_store_be32(page + BODY + 8, (u32)number);
    kl_store_be32(page + BODY + 12, kl_crc32c(0, kl_span_of(page, PAGE - 4)));
}

static kl_status read_page(struct kl_file *file, u8 page[PAGE], u64 number)
{
    kl_status status = kl_file_read(file, page, PAGE, number * PAGE);
    if (status != KL_OK)
        return status == KL_NOTFOUND ? KL_CORRUPT : status;
    bool good = kl_load_be32(page + BODY + 8) == (u32)number &&
                kl_load_be32(page + BODY + 12) == kl_crc32c(0, kl_span_of(page, PAGE - 4));
    return good ? KL_OK : KL_CORRUPT;
}

static kl_status read_own_page(const struct kl_hindex *index, u8 page[PAGE], u64 number)
{
    KL_TRY(read_page(index->file, page, number));
    return kl_load_be64(page + BODY) == index->range.first_seq ? KL_OK : KL_CORRUPT;
}

static void put_header(u8 page[PAGE], const kl_hrange *r)
{
    memset(page, 0, PAGE);
    kl_out out = kl_out_of(page, BODY);
    kl_out_bytes(&out, magic, sizeof magic);
    kl_out_be32(&out, FORMAT);
    kl_out_be32(&out, r->level);
    kl_out_be64(&out, r->first_seq);
    kl_out_be64(&out, r->end_seq);
    kl_out_be64(&out, r->first_version);
    kl_out_be64(&out, r->version_count);
    kl_out_be64(&out, r->entry_count);
}

static kl_status get_header(struct kl_file *file, kl_hrange *r)
{
    u8 page[PAGE];
    KL_TRY(read_page(file, page, 0));
    if (memcmp(page, magic, sizeof magic) != 0 || kl_load_be32(page + 8) != FORMAT)
        return KL_CORRUPT;
    *r = (kl_hrange){
        .level = kl_load_be32(page + 12),
        .first_seq = kl_load_be64(page + 16),
        .end_seq = kl_load_be64(page + 24),
        .first_version = kl_load_be64(page + 32),
        .version_count = kl_load_be64(page + 40),
        .entry_count = kl_load_be64(page + 48),
    };
    return range_fits(r) ? KL_OK : KL_CORRUPT;
}

static struct kl_hindex *make(struct kl_fs *fs)
{
    struct kl_hindex *index = calloc(1, sizeof *index);
    if (!index)
        return NULL;
    kl_refs_init(&index->refs);
    index->fs = fs;
    return index;
}

struct kl_hindex *kl_hindex_ref(struct kl_hindex *index)
{
    kl_refs_add(&index->refs);
    return index;
}

void kl_hindex_unref(struct kl_hindex *index)
{
    if (!index || !kl_refs_drop(&index->refs))
        return;
    kl_file_close(index->file);
    free(index);
}

static kl_status path_of(char path[KL_PATH_MAX + 1], const char *dir, const char *name)
{
    int n = snprintf(path, KL_PATH_MAX + 1, "%s/%s", dir, name);
    return n > 0 && n <= KL_PATH_MAX ? KL_OK : KL_LIMIT;
}

static kl_status load(struct kl_hindex *index, const char *dir, const char *name)
{
    KL_TRY(path_of(index->path, dir, name));
    KL_TRY(kl_fs_open(index->fs, &index->file, index->path, KL_OPEN_READ));
    KL_TRY(get_header(index->file, &index->range));
    u64 size;
    KL_TRY(kl_file_size(index->file, &size));
    u64 pages = 1 + version_pages(&index->range) + entry_pages(&index->range);
    return size == pages * PAGE ? KL_OK : KL_CORRUPT;
}

kl_status kl_hindex_open(struct kl_hindex **out, struct kl_fs *fs, const char *dir,
                         const char *name)
{
    struct kl_hindex *index = make(fs);
    if (!index)
        return KL_NOMEM;
    kl_status status = load(index, dir, name);
    if (status != KL_OK) {
        kl_hindex_unref(index);
        return status;
    }
    *out = index;
    return KL_OK;
}

/* Pages on their way to a file. */
struct writer {
    struct kl_file *file;
    const kl_hrange *range;
    u64 written; /* pages */
    usize filled;
    u8 (*pages)[PAGE];
};

static kl_status write_out(struct writer *w)
{
    KL_TRY(kl_file_write(w->file, w->pages, w->filled * PAGE, w->written * PAGE));
    w->written += w->filled;
    w->filled = 0;
    return KL_OK;
}

/* The page to fill next, zeroed. */
static u8 *page_begin(struct writer *w)
{
    memset(w->pages[w->filled], 0, PAGE);
    return w->pages[w->filled];
}

static kl_status page_end(struct writer *w)
{
    finish_page(w->pages[w->filled], w->range->first_seq, w->written + w->filled);
    w->filled++;
    return w->filled == BATCH ? write_out(w) : KL_OK;
}

static kl_status write_versions(struct writer *w, struct kl_hsource *source)
{
    for (u64 done = 0; done < w->range->version_count;) {
        u8 *page = page_begin(w);
        for (usize i = 0; i < VERSIONS && done < w->range->version_count; i++, done++) {
            u64 seq;
            KL_TRY(source->version(source, &seq));
            KL_ASSERT(seq >= w->range->first_seq && seq < w->range->end_seq);
            kl_store_be32(page + 4 * i, (u32)(seq - w->range->first_seq));
        }
        KL_TRY(page_end(w));
    }
    return KL_OK;
}

static kl_status write_entries(struct writer *w, struct kl_hsource *source)
{
    for (u64 done = 0; done < w->range->entry_count;) {
        u8 *page = page_begin(w);
        for (usize i = 0; i < ENTRIES && done < w->range->entry_count; i++, done++) {
            kl_hentry e;
            KL_TRY(source->entry(source, &e));
            KL_ASSERT(e.version - w->range->first_version < w->range->version_count);
            KL_ASSERT(e.seq >= w->range->first_seq && e.seq < w->range->end_seq);
            kl_store_be64(page + 16 * i, e.hash);
            kl_store_be32(page + 16 * i + 8, (u32)(e.version - w->range->first_version));
            kl_store_be32(page + 16 * i + 12, (u32)(e.seq - w->range->first_seq));
        }
        KL_TRY(page_end(w));
    }
    return write_out(w);
}

static kl_status write_all(struct kl_file *file, const kl_hrange *range, struct kl_hsource *source)
{
    struct writer w = {.file = file, .range = range, .pages = malloc(BATCH * PAGE)};
    if (!w.pages)
        return KL_NOMEM;
    put_header(page_begin(&w), range);
    kl_status status = page_end(&w);
    if (status == KL_OK)
        status = write_versions(&w, source);
    if (status == KL_OK)
        status = write_entries(&w, source);
    free(w.pages);
    return status == KL_OK ? kl_file_sync(file) : status;
}

static kl_status create(struct kl_fs *fs, const char *path, const kl_hrange *range,
                        struct kl_hsource *source)
{
    struct kl_file *file;
    kl_status status = kl_fs_open(fs, &file, path, KL_OPEN_CREATE);
    if (status == KL_BUSY) {
        KL_TRY(kl_fs_unlink(fs, path));
        status = kl_fs_open(fs, &file, path, KL_OPEN_CREATE);
    }
    KL_TRY(status);
    status = write_all(file, range, source);
    kl_file_close(file);
    return status;
}

kl_status kl_hindex_write(struct kl_hindex **out, struct kl_fs *fs, const char *dir,
                          const kl_hrange *range, struct kl_hsource *source)
{
    if (!range_fits(range))
        return KL_LIMIT;
    char name[64], temporary[KL_PATH_MAX + 1], path[KL_PATH_MAX + 1];
    snprintf(name, sizeof name, "%016llx-%016llx.idx", (unsigned long long)range->first_seq,
             (unsigned long long)range->end_seq);
    KL_TRY(path_of(path, dir, name));
    KL_TRY(path_of(temporary, dir, "next.tmp"));
    KL_TRY(create(fs, temporary, range, source));
    KL_TRY(kl_fs_rename(fs, temporary, path));
    KL_TRY(kl_fs_sync_dir(fs, dir));
    return kl_hindex_open(out, fs, dir, name);
}

static kl_hentry entry_at(const kl_hrange *r, const u8 page[PAGE], usize i)
{
    return (kl_hentry){
        .hash = kl_load_be64(page + 16 * i),
        .version = r->first_version + kl_load_be32(page + 16 * i + 8),
        .seq = r->first_seq + kl_load_be32(page + 16 * i + 12),
    };
}

static bool seq_fits(const kl_hrange *r, u64 seq)
{
    return seq - r->first_seq < r->end_seq - r->first_seq;
}

static bool entry_fits(const kl_hrange *r, const kl_hentry *e)
{
    return e->version - r->first_version < r->version_count && seq_fits(r, e->seq);
}

/* Entries on entry page number `page`. */
static usize entries_on(const kl_hrange *r, u64 page)
{
    u64 before = page * ENTRIES;
    return (usize)KL_MIN((u64)ENTRIES, r->entry_count - before);
}

/* The next page to look at between low and high: by doubled steps while the search has gone one way
 * only, by halves once it is enclosed. */
static u64 next_probe(u64 low, u64 high, bool went_up, bool went_down, u64 step)
{
    if (went_up && went_down)
        return low + (high - low) / 2;
    if (went_up)
        return KL_MIN(low + step - 1, high - 1);
    return high - low > step ? high - step : low;
}

/* Leaves in page the first entry page whose last entry is not before *from; KL_NOTFOUND. */
static kl_status find_page(struct kl_hindex *index, const kl_hentry *from, u8 page[PAGE],
                           u64 *number)
{
    const kl_hrange *r = &index->range;
    u64 first = 1 + version_pages(r), low = 0, high = entry_pages(r);
    u64 probe = (u64)((u128)from->hash * high >> 64), held = UINT64_MAX;
    bool went_up = false, went_down = false;
    for (u64 step = 1; low < high; step *= 2) {
        KL_TRY(read_own_page(index, page, first + probe));
        held = probe;
        kl_hentry head = entry_at(r, page, 0);
        kl_hentry last = entry_at(r, page, entries_on(r, probe) - 1);
        if (kl_hentry_cmp(&last, from) < 0) {
            low = probe + 1;
            went_up = true;
        } else if (kl_hentry_cmp(&head, from) < 0) {
            low = high = probe;
        } else {
            high = probe;
            went_down = true;
        }
        if (low < high)
            probe = next_probe(low, high, went_up, went_down, step);
    }
    if (low == entry_pages(r))
        return KL_NOTFOUND;
    *number = low;
    return held == low ? KL_OK : read_own_page(index, page, first + low);
}

kl_status kl_hindex_find(struct kl_hindex *index, const kl_hentry *from, kl_hentry *out)
{
    u8 page[PAGE];
    u64 number;
    KL_TRY(find_page(index, from, page, &number));
    usize low = 0, high = entries_on(&index->range, number);
    while (low < high) {
        usize middle = low + (high - low) / 2;
        kl_hentry e = entry_at(&index->range, page, middle);
        if (kl_hentry_cmp(&e, from) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    KL_ASSERT(low < entries_on(&index->range, number));
    kl_hentry found = entry_at(&index->range, page, low);
    if (found.hash != from->hash)
        return KL_NOTFOUND;
    if (!entry_fits(&index->range, &found))
        return KL_CORRUPT;
    *out = found;
    return KL_OK;
}

kl_status kl_hindex_seq_of(struct kl_hindex *index, u64 version, u64 *seq)
{
    const kl_hrange *r = &index->range;
    KL_ASSERT(version - r->first_version < r->version_count);
    u64 at = version - r->first_version;
    u8 page[PAGE];
    KL_TRY(read_own_page(index, page, 1 + at / VERSIONS));
    *seq = r->first_seq + kl_load_be32(page + 4 * (at % VERSIONS));
    return seq_fits(r, *seq) ? KL_OK : KL_CORRUPT;
}

/* One input of a merger, read from front to back. */
struct input {
    struct kl_hindex *index;
    u64 versions_read, entries_read;
    bool has_head;
    kl_hentry head;
    u8 version_page[PAGE], entry_page[PAGE];
};

struct merger {
    struct kl_hsource source;
    struct input *inputs;
    usize count, version_input;
};

static kl_status advance(struct input *in)
{
    const kl_hrange *r = &in->index->range;
    u64 at = in->entries_read;
    in->has_head = at < r->entry_count;
    if (!in->has_head)
        return KL_OK;
    if (at % ENTRIES == 0)
        KL_TRY(read_own_page(in->index, in->entry_page, 1 + version_pages(r) + at / ENTRIES));
    in->head = entry_at(r, in->entry_page, at % ENTRIES);
    in->entries_read++;
    return entry_fits(r, &in->head) ? KL_OK : KL_CORRUPT;
}

static kl_status merged_entry(struct kl_hsource *source, kl_hentry *out)
{
    struct merger *m = (struct merger *)source;
    struct input *least = NULL;
    for (usize i = 0; i < m->count; i++) {
        struct input *in = &m->inputs[i];
        if (in->has_head && (!least || kl_hentry_cmp(&in->head, &least->head) < 0))
            least = in;
    }
    KL_ASSERT(least);
    *out = least->head;
    return advance(least);
}

static kl_status merged_version(struct kl_hsource *source, u64 *seq)
{
    struct merger *m = (struct merger *)source;
    struct input *in = &m->inputs[m->version_input];
    const kl_hrange *r = &in->index->range;
    u64 at = in->versions_read++;
    if (at % VERSIONS == 0)
        KL_TRY(read_own_page(in->index, in->version_page, 1 + at / VERSIONS));
    *seq = r->first_seq + kl_load_be32(in->version_page + 4 * (at % VERSIONS));
    m->version_input += in->versions_read == r->version_count;
    return seq_fits(r, *seq) ? KL_OK : KL_CORRUPT;
}

static kl_status merge(struct merger *m, struct kl_hindex **out, struct kl_fs *fs, const char *dir,
                       struct kl_hindex *const *files)
{
    kl_hrange range = files[0]->range;
    range.level++;
    range.version_count = range.entry_count = 0;
    for (usize i = 0; i < m->count; i++) {
        KL_ASSERT(files[i]->range.first_version == range.first_version + range.version_count);
        range.version_count += files[i]->range.version_count;
        range.entry_count += files[i]->range.entry_count;
        range.end_seq = files[i]->range.end_seq;
        m->inputs[i].index = files[i];
        KL_TRY(advance(&m->inputs[i]));
    }
    return kl_hindex_write(out, fs, dir, &range, &m->source);
}

kl_status kl_hindex_merge(struct kl_hindex **out, struct kl_fs *fs, const char *dir,
                          struct kl_hindex *const *files, usize count)
{
    struct merger m = {
        .source = {.entry = merged_entry, .version = merged_version},
        .inputs = calloc(count, sizeof(struct input)),
        .count = count,
    };
    if (!m.inputs)
        return KL_NOMEM;
    kl_status status = merge(&m, out, fs, dir, files);
    free(m.inputs);
    return status;
}

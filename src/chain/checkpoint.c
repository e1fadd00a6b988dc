/* Reading checkpoints: a file is a row of chunks, the next of which is always read wholly, checked,
 * and then looked at. */
#include "chain/checkpoint.h"

#include <stdio.h>

#include "base/buf.h"
#include "chain/checkpoint_priv.h"
#include "crypto/digest.h"

u32 kl_chunk_crc(u64 number, u8 kind, kl_span body)
{
    u8 head[13];
    kl_store_be64(head, number);
    head[8] = kind;
    kl_store_be32(head + 9, (u32)body.len);
    return kl_crc32c(kl_crc32c(0, KL_SPAN_OF(head)), body);
}

void kl_checkpoint_path(u64 version, char path[KL_PATH_MAX + 1])
{
    snprintf(path, KL_PATH_MAX + 1, KL_CHECKPOINT_DIR "/%016llx" KL_CHECKPOINT_SUFFIX,
             (unsigned long long)version);
}

struct reading {
    struct kl_file *file;
    u64 size, at, number; /* of the next chunk */
    struct kl_buf body;
    kl_checkpoint_damage *damage;
};

static kl_status damaged(struct reading *r, u64 offset, const char *what)
{
    r->damage->offset = offset;
    r->damage->what = what;
    return KL_CORRUPT;
}

static kl_status next_chunk(struct reading *r, u8 *kind)
{
    u8 head[KL_CHUNK_HEAD];
    u64 at = r->at;
    if (r->size - at < sizeof head)
        return damaged(r, at, "the checkpoint ends too early");
    KL_TRY(kl_file_read(r->file, head, sizeof head, at));
    u32 len = kl_load_be32(head + 1);
    if (len == 0 || len > KL_CHUNK_MAX || len > r->size - at - sizeof head)
        return damaged(r, at, "a chunk's length is impossible");
    kl_buf_clear(&r->body);
    u8 *body = kl_buf_extend(&r->body, len);
    if (!body)
        return KL_NOMEM;
    KL_TRY(kl_file_read(r->file, body, len, at + sizeof head));
    if (kl_chunk_crc(r->number, head[0], kl_buf_view(&r->body)) != kl_load_be32(head + 5))
        return damaged(r, at, "a chunk's checksum is wrong");
    *kind = head[0];
    r->at = at + sizeof head + len;
    r->number++;
    return KL_OK;
}

static kl_status read_begin(struct reading *r, kl_checkpoint *out)
{
    u8 kind;
    KL_TRY(next_chunk(r, &kind));
    const u8 *p = r->body.p;
    if (kind != KL_CHUNK_BEGIN || r->body.len <= KL_CHECKPOINT_BEGIN_LEN ||
        memcmp(p, KL_CHECKPOINT_MAGIC, 8) != 0)
        return damaged(r, 0, "this is no checkpoint");
    if (kl_load_be32(p + 8) != KL_CHECKPOINT_FORMAT)
        return KL_UNSUPPORTED;
    out->version = kl_load_be64(p + 12);
    out->head_version = kl_load_be64(p + 20);
    memcpy(out->head_hash.b, p + 28, 32);
    memcpy(out->state_root.b, p + 60, 32);
    out->genesis = kl_span_sub(kl_buf_view(&r->body), KL_CHECKPOINT_BEGIN_LEN, SIZE_MAX);
    return KL_OK;
}

static kl_status reading_open(struct reading *r, struct kl_fs *fs, u64 version,
                              kl_checkpoint_damage *damage)
{
    *r = (struct reading){.damage = damage};
    kl_buf_init(&r->body, KL_CHUNK_MAX);
    kl_checkpoint_path(version, damage->file);
    KL_TRY(kl_fs_open(fs, &r->file, damage->file, KL_OPEN_READ));
    return kl_file_size(r->file, &r->size);
}

static void reading_close(struct reading *r)
{
    kl_file_close(r->file);
    kl_buf_done(&r->body);
}

/* Entries of the whole file rise by table and key. */
struct order {
    kl_table table;
    u8 key[KL_KV_KEY_MAX];
    usize key_len;
    bool any;
};

static bool rises(struct order *o, kl_table table, kl_span key)
{
    kl_span last = kl_span_of(o->key, o->key_len);
    if (o->any && (table < o->table || (table == o->table && kl_span_cmp(key, last) <= 0)))
        return false;
    o->any = true;
    o->table = table;
    o->key_len = key.len;
    memcpy(o->key, key.p, key.len);
    return true;
}

/* The first entry of rest, which goes behind it; false when it is none. */
static bool take_entry(kl_span *rest, kl_table *table, kl_span *key, kl_span *value)
{
    if (rest->len < KL_ENTRY_HEAD)
        return false;
    usize key_len = kl_load_be16(rest->p + 1), value_len = kl_load_be32(rest->p + 3);
    *table = rest->p[0];
    if (*table == KL_TABLE_META || *table >= KL_TABLE_COUNT || key_len == 0 ||
        key_len > KL_KV_KEY_MAX || value_len > KL_KV_VALUE_MAX ||
        rest->len - KL_ENTRY_HEAD < key_len + value_len)
        return false;
    *key = kl_span_of(rest->p + KL_ENTRY_HEAD, key_len);
    *value = kl_span_of(rest->p + KL_ENTRY_HEAD + key_len, value_len);
    usize len = KL_ENTRY_HEAD + key_len + value_len;
    *rest = kl_span_of(rest->p + len, rest->len - len);
    return true;
}

static kl_status read_entries(struct reading *r, u64 at, struct order *order,
                              struct kl_state_loader *loader, u64 *entries)
{
    kl_span rest = kl_buf_view(&r->body), key, value;
    kl_table table;
    while (rest.len > 0) {
        if (!take_entry(&rest, &table, &key, &value) || !rises(order, table, key))
            return damaged(r, at, "an entry is malformed or out of order");
        if (loader)
            KL_TRY(kl_state_load_put(loader, table, key, value));
        ++*entries;
    }
    return KL_OK;
}

static kl_status read_end(struct reading *r, u64 at, u64 entries)
{
    if (r->body.len != 8 || kl_load_be64(r->body.p) != entries)
        return damaged(r, at, "the number of entries is not the one at the end");
    return r->at == r->size ? KL_OK : damaged(r, r->at, "there is something behind the end");
}

static kl_status read_chunks(struct reading *r, struct kl_state_loader *loader)
{
    struct order order = {0};
    for (u64 entries = 0;;) {
        u64 at = r->at;
        u8 kind;
        KL_TRY(next_chunk(r, &kind));
        if (kind == KL_CHUNK_END)
            return read_end(r, at, entries);
        if (kind != KL_CHUNK_ENTRIES)
            return damaged(r, at, "a chunk of an unknown kind");
        KL_TRY(read_entries(r, at, &order, loader, &entries));
    }
}

kl_status kl_checkpoint_read(struct kl_fs *fs, u64 version, struct kl_state_loader *loader,
                             kl_checkpoint_damage *damage)
{
    struct reading r;
    kl_checkpoint head;
    *damage = (kl_checkpoint_damage){.what = NULL};
    kl_status status = reading_open(&r, fs, version, damage);
    if (status == KL_OK)
        status = read_begin(&r, &head);
    if (status == KL_OK && head.version != version)
        status = damaged(&r, 0, "the checkpoint has another checkpoint's name");
    if (status == KL_OK)
        status = read_chunks(&r, loader);
    reading_close(&r);
    return status;
}

static kl_status read_head(struct kl_fs *fs, u64 version, struct kl_arena *arena,
                           kl_checkpoint *out)
{
    struct reading r;
    kl_checkpoint head;
    kl_checkpoint_damage damage;
    kl_status status = reading_open(&r, fs, version, &damage);
    if (status == KL_OK)
        status = read_begin(&r, &head);
    if (status == KL_OK && head.version != version)
        status = KL_CORRUPT;
    if (status == KL_OK) {
        head.genesis = kl_arena_copy(arena, head.genesis);
        status = head.genesis.p ? KL_OK : KL_NOMEM;
    }
    reading_close(&r);
    if (status == KL_OK)
        *out = head;
    return status;
}

/* The versions in the folder. */
struct listing {
    void (*each)(void *ctx, u64 version);
    void *ctx;
};

static void see_name(void *ctx, const char *name)
{
    const struct listing *l = ctx;
    char path[KL_PATH_MAX + 1];
    unsigned long long version;
    if (sscanf(name, "%16llx", &version) != 1)
        return;
    kl_checkpoint_path(version, path);
    if (strcmp(path + sizeof KL_CHECKPOINT_DIR, name) == 0)
        l->each(l->ctx, version);
}

kl_status kl_checkpoint_list(struct kl_fs *fs, void (*each)(void *ctx, u64 version), void *ctx)
{
    struct listing l = {each, ctx};
    kl_status status = kl_fs_list(fs, KL_CHECKPOINT_DIR, see_name, &l);
    return status == KL_NOTFOUND ? KL_OK : status;
}

/* One of the versions in [least, most] beyond which nothing has been tried. */
struct choice {
    u64 least, most, best;
    bool newest, any;
};

static void choose(void *ctx, u64 version)
{
    struct choice *c = ctx;
    if (version < c->least || version > c->most)
        return;
    if (!c->any || (c->newest ? version > c->best : version < c->best))
        c->best = version;
    c->any = true;
}

kl_status kl_checkpoint_find(struct kl_fs *fs, u64 least, u64 most, bool newest,
                             struct kl_arena *arena, kl_checkpoint *out)
{
    const u64 from = least;
    kl_checkpoint head;
    for (;;) {
        struct choice c = {.least = least, .most = most, .newest = newest};
        KL_TRY(kl_checkpoint_list(fs, choose, &c));
        if (!c.any)
            return KL_NOTFOUND;
        kl_status status = read_head(fs, c.best, arena, &head);
        if (status == KL_OK && head.head_version >= from) {
            *out = head;
            return KL_OK;
        }
        if (status != KL_OK && status != KL_CORRUPT)
            return status;
        if (newest ? c.best == least : c.best == most)
            return KL_NOTFOUND;
        if (newest)
            most = c.best - 1;
        else
            least = c.best + 1;
    }
}

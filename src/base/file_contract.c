#include "base/file_contract.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/arena.h"
#include "base/test.h"

struct listing {
    char text[1000];
};

static void add_name(void *ctx, const char *name)
{
    struct listing *list = ctx;
    usize used = strlen(list->text);
    KL_ASSERT(used + strlen(name) + 2 < sizeof list->text);
    snprintf(list->text + used, sizeof list->text - used, "%s ", name);
}

static void check_list(struct kl_fs *fs, const char *path, const char *want)
{
    struct listing list = {{0}};
    CHECK_OK(kl_fs_list(fs, path, add_name, &list));
    CHECK_SPAN(kl_span_str(list.text), kl_span_str(want));
}

static void put_text(struct kl_fs *fs, const char *path, const char *text)
{
    struct kl_file *f;
    CHECK_OK(kl_fs_open(fs, &f, path, KL_OPEN_CREATE));
    CHECK_OK(kl_file_write(f, text, strlen(text), 0));
    CHECK_OK(kl_file_sync(f));
    kl_file_close(f);
}

static void check_text(struct kl_fs *fs, const char *path, const char *want)
{
    struct kl_file *f;
    u64 size;
    char text[100];
    CHECK_OK(kl_fs_open(fs, &f, path, KL_OPEN_READ));
    CHECK_OK(kl_file_size(f, &size));
    CHECK_U64(size, strlen(want));
    CHECK_OK(kl_file_read(f, text, size, 0));
    CHECK_SPAN(kl_span_of(text, size), kl_span_str(want));
    kl_file_close(f);
}

static void names(struct kl_fs *fs)
{
    struct kl_file *f;
    check_list(fs, "", "");
    CHECK(kl_fs_open(fs, &f, "a", KL_OPEN_READ) == KL_NOTFOUND);
    CHECK(kl_fs_open(fs, &f, "a", KL_OPEN_WRITE) == KL_NOTFOUND);
    CHECK(kl_fs_open(fs, &f, "d/a", KL_OPEN_CREATE) == KL_NOTFOUND);
    put_text(fs, "b", "one");
    put_text(fs, "a", "two");
    CHECK(kl_fs_open(fs, &f, "a", KL_OPEN_CREATE) == KL_BUSY);
    check_list(fs, "", "a b ");
    CHECK_OK(kl_fs_make_dir(fs, "d"));
    CHECK_OK(kl_fs_make_dir(fs, "d"));
    CHECK(kl_fs_make_dir(fs, "a") == KL_IO);
    CHECK(kl_fs_make_dir(fs, "e/f") == KL_NOTFOUND);
    CHECK_OK(kl_fs_make_dir(fs, "d/e"));
    put_text(fs, "d/e/x", "three");
    put_text(fs, "d/B", "four");
    check_list(fs, "", "a b d ");
    check_list(fs, "d", "B e ");
    check_list(fs, "d/e", "x ");
    struct listing none;
    CHECK(kl_fs_list(fs, "e", add_name, &none) == KL_NOTFOUND);
    CHECK_OK(kl_fs_sync_dir(fs, ""));
    CHECK_OK(kl_fs_sync_dir(fs, "d/e"));
    CHECK(kl_fs_sync_dir(fs, "e") == KL_NOTFOUND);
}

static void renames(struct kl_fs *fs)
{
    struct kl_file *f;
    char text[3];
    CHECK(kl_fs_rename(fs, "no", "a") == KL_NOTFOUND);
    CHECK(kl_fs_rename(fs, "e/no", "e/a") == KL_NOTFOUND);
    CHECK_OK(kl_fs_rename(fs, "b", "c"));
    check_text(fs, "c", "one");
    CHECK_OK(kl_fs_open(fs, &f, "a", KL_OPEN_WRITE));
    CHECK_OK(kl_fs_rename(fs, "c", "a"));
    check_text(fs, "a", "one");
    CHECK_OK(kl_file_read(f, text, 3, 0));
    CHECK_SPAN(KL_SPAN_OF(text), KL_SPAN_TEXT("two"));
    kl_file_close(f);
    CHECK_OK(kl_fs_rename(fs, "d/e/x", "d/e/y"));
    check_list(fs, "d/e", "y ");

    CHECK_OK(kl_fs_open(fs, &f, "d/e/y", KL_OPEN_WRITE));
    CHECK_OK(kl_fs_unlink(fs, "d/e/y"));
    CHECK(kl_fs_unlink(fs, "d/e/y") == KL_NOTFOUND);
    CHECK(kl_fs_unlink(fs, "e/y") == KL_NOTFOUND);
    put_text(fs, "d/e/y", "five");
    CHECK_OK(kl_file_write(f, "T", 1, 0));
    CHECK_OK(kl_file_read(f, text, 3, 0));
    CHECK_SPAN(KL_SPAN_OF(text), KL_SPAN_TEXT("Thr"));
    kl_file_close(f);
    check_text(fs, "d/e/y", "five");
}

/* Folders, with what is in them. */
static void renames_folders(struct kl_fs *fs)
{
    CHECK_OK(kl_fs_make_dir(fs, "m"));
    CHECK_OK(kl_fs_make_dir(fs, "m/from"));
    CHECK_OK(kl_fs_make_dir(fs, "m/to"));
    put_text(fs, "m/from/x", "six");
    put_text(fs, "m/to/y", "seven");
    put_text(fs, "m/z", "eight");
    CHECK(kl_fs_rename(fs, "m/from", "m/to") != KL_OK);
    CHECK(kl_fs_rename(fs, "m/from", "m/z") != KL_OK);
    check_list(fs, "m", "from to z ");
    CHECK_OK(kl_fs_unlink(fs, "m/to/y"));
    CHECK_OK(kl_fs_rename(fs, "m/from", "m/to"));
    check_list(fs, "m", "to z ");
    check_list(fs, "m/to", "x ");
    check_text(fs, "m/to/x", "six");
    CHECK_OK(kl_fs_rename(fs, "m/to", "m/new"));
    check_text(fs, "m/new/x", "six");
    CHECK(kl_fs_list(fs, "m/to", add_name, &(struct listing){{0}}) == KL_NOTFOUND);
}

static void check_has(struct kl_fs *fs, bool file, bool any)
{
    bool is = !file;
    CHECK_OK(kl_fs_has(fs, "r/x", &is));
    CHECK(is == file);
    is = !any;
    CHECK_OK(kl_fs_has_any(fs, "r", &is));
    CHECK(is == any);
}

static void removes(struct kl_fs *fs)
{
    check_has(fs, false, false); /* nor the folder */
    CHECK_OK(kl_fs_remove(fs, "r/x"));
    CHECK_OK(kl_fs_empty(fs, "r"));
    CHECK_OK(kl_fs_make_dir(fs, "r"));
    check_has(fs, false, false);
    put_text(fs, "r/x", "nine");
    put_text(fs, "r/y", "ten");
    check_has(fs, true, true);
    CHECK_OK(kl_fs_remove(fs, "r/x"));
    check_has(fs, false, true);
    put_text(fs, "r/x", "nine");
    put_text(fs, "r/z", "eleven");
    CHECK_OK(kl_fs_empty(fs, "r"));
    check_has(fs, false, false);
    check_list(fs, "r", "");
}

static void bytes(struct kl_fs *fs)
{
    struct kl_file *f, *again;
    u8 got[12];
    u64 size;
    CHECK_OK(kl_fs_open(fs, &f, "bytes", KL_OPEN_CREATE));
    CHECK_OK(kl_file_size(f, &size));
    CHECK_U64(size, 0);
    CHECK_OK(kl_file_read(f, got, 0, 0));
    CHECK(kl_file_read(f, got, 1, 0) == KL_NOTFOUND);
    CHECK_OK(kl_file_write(f, "xyz", 3, 5));
    CHECK_OK(kl_fs_open(fs, &again, "bytes", KL_OPEN_READ));
    CHECK_OK(kl_file_size(again, &size));
    CHECK_U64(size, 8);
    CHECK_OK(kl_file_read(again, got, 8, 0));
    CHECK_HEX(kl_span_of(got, 8), "000000000078797a");
    CHECK(kl_file_read(again, got, 2, 7) == KL_NOTFOUND);
    CHECK(kl_file_read(again, got, 2, 100) == KL_NOTFOUND);
    CHECK(kl_file_write(again, "a", 1, 0) == KL_IO);
    CHECK_OK(kl_file_truncate(f, 6));
    CHECK_OK(kl_file_truncate(f, 10));
    CHECK_OK(kl_file_read(again, got, 10, 0));
    CHECK_HEX(kl_span_of(got, 10), "00000000007800000000");
    CHECK_OK(kl_file_sync(f));
    kl_file_close(again);
    kl_file_close(f);
}

static void locks(struct kl_fs *fs)
{
    struct kl_file *lock, *other;
    CHECK(kl_fs_lock(fs, &lock, "none/lock") == KL_NOTFOUND);
    CHECK_OK(kl_fs_lock(fs, &lock, "lock"));
    CHECK(kl_fs_lock(fs, &other, "lock") == KL_BUSY);
    CHECK_OK(kl_fs_lock(fs, &other, "lock2"));
    kl_file_close(other);
    kl_file_close(lock);
    CHECK_OK(kl_fs_lock(fs, &lock, "lock"));
    kl_file_close(lock);
}

static void wholes(struct kl_fs *fs)
{
    struct kl_arena arena;
    kl_span got;
    kl_arena_init(&arena, 1 << 16);
    CHECK(kl_fs_read_whole(fs, "whole", 100, &arena, &got) == KL_NOTFOUND);
    CHECK_OK(kl_fs_write_new(fs, "whole", KL_SPAN_TEXT("once")));
    CHECK(kl_fs_write_new(fs, "whole", KL_SPAN_TEXT("again")) == KL_BUSY);
    check_text(fs, "whole", "once");
    put_text(fs, "half", "of somebody who was cut short");
    CHECK_OK(kl_fs_replace(fs, "whole", "half", KL_SPAN_TEXT("twice")));
    CHECK(kl_fs_unlink(fs, "half") == KL_NOTFOUND);
    CHECK(kl_fs_read_whole(fs, "whole", 4, &arena, &got) == KL_LIMIT);
    CHECK_OK(kl_fs_read_whole(fs, "whole", 5, &arena, &got));
    CHECK_SPAN(got, KL_SPAN_TEXT("twice"));
    CHECK_OK(kl_fs_replace(fs, "empty", "half", KL_SPAN_NONE));
    CHECK_OK(kl_fs_read_whole(fs, "empty", 0, &arena, &got));
    CHECK_U64(got.len, 0);
    CHECK_OK(kl_fs_unlink(fs, "whole"));
    CHECK_OK(kl_fs_unlink(fs, "empty"));
    kl_arena_done(&arena);
}

void kl_file_contract(struct kl_fs *fs)
{
    kl_fs_room room;
    CHECK_OK(kl_fs_room_of(fs, &room));
    CHECK(room.free > 0 && room.total >= room.free);
    names(fs);
    renames(fs);
    renames_folders(fs);
    removes(fs);
    bytes(fs);
    locks(fs);
    wholes(fs);
}

enum { NAMES = 5, BYTES_MAX = 5000 };

/* What a file holds; it may have lost its name. */
struct twin {
    struct twin *made_before;
    u8 byte[BYTES_MAX];
    usize size;
};

/* A name, and a file that is open under it or under a name it had. */
struct slot {
    struct twin *file; /* under this name; NULL: none */
    struct kl_file *open;
    struct twin *open_file;
};

static const char *const file_name[NAMES] = {"p", "q", "r", "s", "t"};

static void check_file(struct kl_file *f, const struct twin *twin, u64 *seed)
{
    static u8 got[BYTES_MAX];
    u64 size;
    CHECK_OK(kl_file_size(f, &size));
    CHECK_U64(size, twin->size);
    usize from = kl_rand_below(seed, size + 1), len = kl_rand_below(seed, size + 1 - from);
    CHECK_OK(kl_file_read(f, got, len, from));
    CHECK_SPAN(kl_span_of(got, len), kl_span_of(twin->byte + from, len));
}

static void write_step(struct slot *slot, u64 *seed)
{
    u8 bytes[BYTES_MAX];
    struct twin *twin = slot->open_file;
    usize from = kl_rand_below(seed, BYTES_MAX), len = kl_rand_below(seed, BYTES_MAX - from);
    kl_rand_fill(seed, bytes, len);
    CHECK_OK(kl_file_write(slot->open, bytes, len, from));
    memcpy(twin->byte + from, bytes, len);
    if (len)
        twin->size = KL_MAX(twin->size, from + len);
}

static void truncate_step(struct slot *slot, u64 *seed)
{
    struct twin *twin = slot->open_file;
    usize size = kl_rand_below(seed, BYTES_MAX);
    CHECK_OK(kl_file_truncate(slot->open, size));
    if (size < twin->size)
        memset(twin->byte + size, 0, twin->size - size);
    twin->size = size;
}

static void open_step(struct kl_fs *fs, struct slot *slot, usize i, struct twin **made)
{
    kl_file_closep(&slot->open);
    kl_open how = slot->file ? KL_OPEN_WRITE : KL_OPEN_CREATE;
    CHECK_OK(kl_fs_open(fs, &slot->open, file_name[i], how));
    if (!slot->file) {
        slot->file = calloc(1, sizeof *slot->file);
        KL_ASSERT(slot->file);
        slot->file->made_before = *made;
        *made = slot->file;
    }
    slot->open_file = slot->file;
}

static void name_step(struct kl_fs *fs, struct slot slot[NAMES], usize i, u64 *seed)
{
    usize to = kl_rand_below(seed, NAMES);
    kl_status want = slot[i].file ? KL_OK : KL_NOTFOUND;
    if (kl_rand_below(seed, 2) == 0) {
        CHECK(kl_fs_unlink(fs, file_name[i]) == want);
        slot[i].file = NULL;
        return;
    }
    CHECK(kl_fs_rename(fs, file_name[i], file_name[to]) == want);
    if (to != i && want == KL_OK) {
        slot[to].file = slot[i].file;
        slot[i].file = NULL;
    }
}

void kl_file_twin_run(struct kl_fs *fs, usize steps, u64 *seed)
{
    struct slot slot[NAMES] = {{0}};
    struct twin *made = NULL;
    for (usize n = 0; n < steps; n++) {
        usize i = kl_rand_below(seed, NAMES);
        u64 what = kl_rand_below(seed, 10);
        if (what == 0)
            name_step(fs, slot, i, seed);
        else if (!slot[i].open || what == 1)
            open_step(fs, &slot[i], i, &made);
        else if (what == 2)
            truncate_step(&slot[i], seed);
        else if (what == 3)
            CHECK_OK(kl_file_sync(slot[i].open));
        else if (what == 4)
            CHECK_OK(kl_fs_sync_dir(fs, ""));
        else
            write_step(&slot[i], seed);
        if (slot[i].open)
            check_file(slot[i].open, slot[i].open_file, seed);
    }
    struct listing want = {{0}};
    for (usize i = 0; i < NAMES; i++)
        if (slot[i].file)
            add_name(&want, file_name[i]);
    check_list(fs, "", want.text);
    for (usize i = 0; i < NAMES; i++)
        kl_file_close(slot[i].open);
    while (made) {
        struct twin *before = made->made_before;
        free(made);
        made = before;
    }
}

/* A list of entries, each a folder or a file: there are never more than some dozens.  An entry that
 * has lost its name is out of the list and lives until it is closed. */
#include "sys/scratch.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/sync.h"
#include "sys/fs_priv.h"

enum { FILE_MODE = 0600 };

struct entry {
    char path[KL_PATH_MAX + 1];
    bool is_dir, locked, named;
    int fd;       /* of a file */
    usize opened; /* how often */
    struct entry *next;
};

struct scratch {
    struct kl_fs fs;
    int folder;
    kl_mutex mutex;
    struct entry *entries; /* sorted by path */
};

struct scratch_file {
    struct kl_file file;
    struct scratch *scratch;
    struct entry *entry;
    bool writable, locks;
};

static struct scratch *scratch_of(struct kl_fs *fs)
{
    return (struct scratch *)fs;
}

static struct scratch_file *file_of(struct kl_file *file)
{
    return (struct scratch_file *)file;
}

static void entry_free(struct entry *entry)
{
    if (!entry->is_dir)
        close(entry->fd);
    free(entry);
}

/* Where path is, or belongs, in the sorted list. */
static struct entry **place_of(struct scratch *s, const char *path)
{
    struct entry **link = &s->entries;
    while (*link && strcmp((*link)->path, path) < 0)
        link = &(*link)->next;
    return link;
}

static struct entry *find(struct scratch *s, const char *path)
{
    struct entry *entry = *place_of(s, path);
    return entry && strcmp(entry->path, path) == 0 ? entry : NULL;
}

/* The length of the folder's part of path, without the '/'. */
static usize folder_len(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash ? (usize)(slash - path) : 0;
}

static bool has_folder(struct scratch *s, const char *path)
{
    char folder[KL_PATH_MAX + 1];
    usize len = folder_len(path);
    if (len == 0)
        return true;
    memcpy(folder, path, len);
    folder[len] = '\0';
    const struct entry *entry = find(s, folder);
    return entry && entry->is_dir;
}

static void link_entry(struct scratch *s, struct entry *entry, const char *path)
{
    struct entry **link = place_of(s, path);
    snprintf(entry->path, sizeof entry->path, "%s", path);
    entry->named = true;
    entry->next = *link;
    *link = entry;
}

/* The name is gone; so is the file unless somebody has it open. */
static void unlink_entry(struct scratch *s, struct entry *entry)
{
    *place_of(s, entry->path) = entry->next;
    entry->named = false;
    if (entry->opened == 0)
        entry_free(entry);
}

/* A file without a name; where the file system has none, one whose name goes at once. */
static int nameless(int folder)
{
    char path[64];
    int fd = openat(folder, ".", O_TMPFILE | O_RDWR | O_CLOEXEC, FILE_MODE);
    if (fd >= 0 || (errno != EOPNOTSUPP && errno != EISDIR && errno != ENOENT && errno != EINVAL))
        return fd;
    for (unsigned i = 0; i < 1000; i++) {
        snprintf(path, sizeof path, ".keel-%ld-%u", (long)getpid(), i);
        fd = openat(folder, path, O_CREAT | O_EXCL | O_RDWR | O_CLOEXEC, FILE_MODE);
        if (fd >= 0)
            unlinkat(folder, path, 0);
        if (fd >= 0 || errno != EEXIST)
            break;
    }
    return fd;
}

static kl_status make(struct scratch *s, const char *path, bool is_dir, struct entry **out)
{
    if (!has_folder(s, path))
        return KL_NOTFOUND;
    struct entry *entry = calloc(1, sizeof *entry);
    if (!entry)
        return KL_NOMEM;
    entry->is_dir = is_dir;
    entry->fd = is_dir ? -1 : nameless(s->folder);
    if (!is_dir && entry->fd < 0) {
        kl_status status = kl_sys_status(errno);
        free(entry);
        return status;
    }
    link_entry(s, entry, path);
    *out = entry;
    return KL_OK;
}

static kl_status read_scratch(struct kl_file *file, void *out, usize len, u64 offset)
{
    return kl_fd_read(file_of(file)->entry->fd, out, len, offset);
}

static kl_status write_scratch(struct kl_file *file, const void *bytes, usize len, u64 offset)
{
    const struct scratch_file *f = file_of(file);
    return f->writable ? kl_fd_write(f->entry->fd, bytes, len, offset) : KL_IO;
}

static kl_status sync_scratch(KL_UNUSED struct kl_file *file)
{
    return KL_OK;
}

static kl_status size_scratch(struct kl_file *file, u64 *out)
{
    return kl_fd_size(file_of(file)->entry->fd, out);
}

static kl_status truncate_scratch(struct kl_file *file, u64 size)
{
    return kl_fd_truncate(file_of(file)->entry->fd, size);
}

static void close_scratch(struct kl_file *file)
{
    struct scratch_file *f = file_of(file);
    struct entry *entry = f->entry;
    kl_lock(&f->scratch->mutex);
    if (f->locks)
        entry->locked = false;
    bool gone = --entry->opened == 0 && !entry->named;
    kl_unlock(&f->scratch->mutex);
    if (gone)
        entry_free(entry);
    free(f);
}

static const struct kl_file_ops file_ops = {
    .read = read_scratch,
    .write = write_scratch,
    .sync = sync_scratch,
    .size = size_scratch,
    .truncate = truncate_scratch,
    .close = close_scratch,
};

/* The mutex is held. */
static kl_status hand_out(struct scratch *s, struct entry *entry, bool writable,
                          struct scratch_file **out)
{
    struct scratch_file *f = malloc(sizeof *f);
    if (!f)
        return KL_NOMEM;
    *f = (struct scratch_file){.file.ops = &file_ops, .scratch = s, .entry = entry};
    f->writable = writable;
    entry->opened++;
    *out = f;
    return KL_OK;
}

static kl_status open_locked(struct scratch *s, struct scratch_file **out, const char *path,
                             kl_open how)
{
    struct entry *entry = find(s, path);
    if (how == KL_OPEN_CREATE && entry)
        return KL_BUSY;
    if (how == KL_OPEN_CREATE)
        KL_TRY(make(s, path, false, &entry));
    if (!entry)
        return KL_NOTFOUND;
    return entry->is_dir ? KL_IO : hand_out(s, entry, how != KL_OPEN_READ, out);
}

static kl_status open_scratch(struct kl_fs *fs, struct kl_file **out, const char *path, kl_open how)
{
    struct scratch *s = scratch_of(fs);
    struct scratch_file *f = NULL;
    kl_lock(&s->mutex);
    kl_status status = open_locked(s, &f, kl_fs_inside(path), how);
    kl_unlock(&s->mutex);
    if (status == KL_OK)
        *out = &f->file;
    return status;
}

static kl_status lock_locked(struct scratch *s, struct scratch_file **out, const char *path)
{
    struct entry *entry = find(s, path);
    if (!entry)
        KL_TRY(make(s, path, false, &entry));
    if (entry->is_dir)
        return KL_IO;
    if (entry->locked)
        return KL_BUSY;
    KL_TRY(hand_out(s, entry, true, out));
    (*out)->locks = entry->locked = true;
    return KL_OK;
}

static kl_status lock_scratch(struct kl_fs *fs, struct kl_file **out, const char *path)
{
    struct scratch *s = scratch_of(fs);
    struct scratch_file *f = NULL;
    kl_lock(&s->mutex);
    kl_status status = lock_locked(s, &f, kl_fs_inside(path));
    kl_unlock(&s->mutex);
    if (status == KL_OK)
        *out = &f->file;
    return status;
}

static bool is_inside(const struct entry *entry, const char *dir)
{
    usize len = strlen(dir);
    return strncmp(entry->path, dir, len) == 0 && entry->path[len] == '/';
}

static bool is_empty(const struct scratch *s, const char *dir)
{
    for (const struct entry *entry = s->entries; entry; entry = entry->next)
        if (is_inside(entry, dir))
            return false;
    return true;
}

/* All that is in a folder gets the paths that its new name gives. */
static void move_inside(struct scratch *s, const char *from, const char *to)
{
    char path[KL_PATH_MAX + 1];
    for (struct entry *entry = s->entries, *next; entry; entry = next) {
        next = entry->next;
        if (!is_inside(entry, from))
            continue;
        int len = snprintf(path, sizeof path, "%s%s", to, entry->path + strlen(from));
        KL_ASSERT(len <= KL_PATH_MAX);
        *place_of(s, entry->path) = entry->next;
        link_entry(s, entry, path);
    }
}

static kl_status rename_locked(struct scratch *s, const char *from, const char *to)
{
    struct entry *entry = find(s, from), *replaced = find(s, to);
    if (!entry || !has_folder(s, to))
        return KL_NOTFOUND;
    if (entry == replaced)
        return KL_OK;
    if (replaced && (replaced->is_dir != entry->is_dir || !is_empty(s, to)))
        return KL_IO;
    if (replaced)
        unlink_entry(s, replaced);
    if (entry->is_dir)
        move_inside(s, from, to);
    *place_of(s, from) = entry->next;
    link_entry(s, entry, to);
    return KL_OK;
}

static kl_status rename_scratch(struct kl_fs *fs, const char *from, const char *to)
{
    struct scratch *s = scratch_of(fs);
    usize len = folder_len(from);
    KL_ASSERT(len == folder_len(to) && memcmp(from, to, len) == 0);
    kl_lock(&s->mutex);
    kl_status status = rename_locked(s, kl_fs_inside(from), kl_fs_inside(to));
    kl_unlock(&s->mutex);
    return status;
}

static kl_status unlink_scratch(struct kl_fs *fs, const char *path)
{
    struct scratch *s = scratch_of(fs);
    kl_lock(&s->mutex);
    struct entry *entry = find(s, kl_fs_inside(path));
    kl_status status = !entry ? KL_NOTFOUND : entry->is_dir ? KL_IO : KL_OK;
    if (status == KL_OK)
        unlink_entry(s, entry);
    kl_unlock(&s->mutex);
    return status;
}

static kl_status make_dir_scratch(struct kl_fs *fs, const char *path)
{
    struct scratch *s = scratch_of(fs);
    kl_lock(&s->mutex);
    struct entry *entry = find(s, kl_fs_inside(path));
    kl_status status = !entry ? make(s, path, true, &entry) : entry->is_dir ? KL_OK : KL_IO;
    kl_unlock(&s->mutex);
    return status;
}

/* A folder that is there; "" is the root. */
static kl_status judge_folder(struct scratch *s, const char *path)
{
    const struct entry *entry = *path ? find(s, kl_fs_inside(path)) : NULL;
    if (!*path)
        return KL_OK;
    return !entry ? KL_NOTFOUND : entry->is_dir ? KL_OK : KL_IO;
}

static kl_status sync_dir_scratch(struct kl_fs *fs, const char *path)
{
    struct scratch *s = scratch_of(fs);
    kl_lock(&s->mutex);
    kl_status status = judge_folder(s, path);
    kl_unlock(&s->mutex);
    return status;
}

/* Copies of the names in folder, one after the other with their NULs; the mutex is held. */
static kl_status copy_names(struct scratch *s, const char *path, char **out, usize *len)
{
    usize depth = strlen(path), cap = 1;
    KL_TRY(judge_folder(s, path));
    for (const struct entry *e = s->entries; e; e = e->next)
        cap += strlen(e->path) + 1;
    char *names = malloc(cap);
    if (!names)
        return KL_NOMEM;
    *len = 0;
    for (const struct entry *e = s->entries; e; e = e->next) {
        usize folder = folder_len(e->path), start = folder ? folder + 1 : 0;
        if (folder != depth || memcmp(e->path, path, depth) != 0)
            continue;
        usize bytes = strlen(e->path + start) + 1;
        memcpy(names + *len, e->path + start, bytes);
        *len += bytes;
    }
    *out = names;
    return KL_OK;
}

static kl_status list_scratch(struct kl_fs *fs, const char *path,
                              void (*each)(void *ctx, const char *name), void *ctx)
{
    struct scratch *s = scratch_of(fs);
    char *names = NULL;
    usize len = 0;
    kl_lock(&s->mutex);
    kl_status status = copy_names(s, path, &names, &len);
    kl_unlock(&s->mutex);
    for (usize at = 0; status == KL_OK && at < len; at += strlen(names + at) + 1)
        each(ctx, names + at);
    free(names);
    return status;
}

static kl_status room_of_scratch(struct kl_fs *fs, kl_fs_room *out)
{
    return kl_fd_room(scratch_of(fs)->folder, out);
}

static const struct kl_fs_ops fs_ops = {
    .open = open_scratch,
    .rename = rename_scratch,
    .unlink = unlink_scratch,
    .make_dir = make_dir_scratch,
    .sync_dir = sync_dir_scratch,
    .list = list_scratch,
    .lock = lock_scratch,
    .room = room_of_scratch,
};

kl_status kl_sys_scratch_open(struct kl_fs **out)
{
    const char *folder = getenv("TMPDIR");
    struct scratch *s = calloc(1, sizeof *s);
    if (!s)
        return KL_NOMEM;
    s->folder = open(folder && *folder ? folder : "/tmp", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (s->folder < 0) {
        kl_status status = kl_sys_status(errno);
        free(s);
        return status;
    }
    s->fs.ops = &fs_ops;
    kl_mutex_init(&s->mutex);
    *out = &s->fs;
    return KL_OK;
}

void kl_sys_scratch_close(struct kl_fs *fs)
{
    struct scratch *s = scratch_of(fs);
    if (!s)
        return;
    while (s->entries) {
        struct entry *entry = s->entries;
        s->entries = entry->next;
        KL_ASSERT(entry->opened == 0);
        entry_free(entry);
    }
    close(s->folder);
    kl_mutex_done(&s->mutex);
    free(s);
}

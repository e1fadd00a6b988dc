/* Files through one descriptor of the root folder: every path is opened relative to it, so that the
 * process's working directory does not matter.  A sync is fdatasync, which also makes the size
 * durable; EINTR is a failure there, because a sync must not be repeated and believed. */
#include "sys/fs_priv.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

enum { FILE_MODE = 0600, DIR_MODE = 0700 };

struct sys_fs {
    struct kl_fs fs;
    int root;
};

struct sys_file {
    struct kl_file file;
    int fd;
};

kl_status kl_sys_status(int error_number)
{
    switch (error_number) {
    case 0:
        return KL_OK;
    case ENOENT:
        return KL_NOTFOUND;
    case ENOSPC:
    case EDQUOT:
    case EFBIG:
        return KL_FULL;
    case EACCES:
    case EPERM:
    case EROFS:
        return KL_DENIED;
    case ENOMEM:
        return KL_NOMEM;
    case EMFILE:
    case ENFILE:
        return KL_LIMIT;
    case EEXIST:
    case EBUSY:
    case EAGAIN:
        return KL_BUSY;
    case ETIMEDOUT:
        return KL_TIMEOUT;
    case EOPNOTSUPP:
    case ENOSYS:
        return KL_UNSUPPORTED;
    default: /* errno is not an enum of ours */
        return KL_IO;
    }
}

static kl_status last_error(void)
{
    return kl_sys_status(errno);
}

static int root_of(struct kl_fs *fs)
{
    return ((struct sys_fs *)fs)->root;
}

static int fd_of(struct kl_file *file)
{
    return ((struct sys_file *)file)->fd;
}

/* Parts of 1 byte or more, none of them "." or "..", with single '/' between them. */
static bool stays_inside(const char *path)
{
    usize len = strlen(path);
    if (len > KL_PATH_MAX)
        return false;
    for (const char *part = path;;) {
        usize n = strcspn(part, "/");
        if (n == 0 || (n <= 2 && strncmp(part, "..", n) == 0))
            return false;
        if (part[n] == '\0')
            return true;
        part += n + 1;
    }
}

const char *kl_fs_inside(const char *path)
{
    KL_ASSERT(stays_inside(path));
    return path;
}

/* A folder; "" is the root. */
static const char *folder(const char *path)
{
    return *path ? kl_fs_inside(path) : ".";
}

kl_status kl_fd_read(int fd, void *out, usize len, u64 offset)
{
    KL_ASSERT(len <= INT64_MAX && offset <= INT64_MAX - len);
    u8 *p = out;
    while (len > 0) {
        ssize_t n = pread(fd, p, len, (off_t)offset);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return last_error();
        if (n == 0)
            return KL_NOTFOUND;
        p += n;
        len -= (usize)n;
        offset += (u64)n;
    }
    return KL_OK;
}

kl_status kl_fd_write(int fd, const void *bytes, usize len, u64 offset)
{
    KL_ASSERT(len <= INT64_MAX && offset <= INT64_MAX - len);
    const u8 *p = bytes;
    while (len > 0) {
        ssize_t n = pwrite(fd, p, len, (off_t)offset);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return last_error();
        if (n == 0)
            return KL_IO;
        p += n;
        len -= (usize)n;
        offset += (u64)n;
    }
    return KL_OK;
}

kl_status kl_fd_size(int fd, u64 *out)
{
    struct stat st;
    if (fstat(fd, &st) != 0)
        return last_error();
    *out = (u64)st.st_size;
    return KL_OK;
}

kl_status kl_fd_truncate(int fd, u64 size)
{
    KL_ASSERT(size <= INT64_MAX);
    int failed;
    do
        failed = ftruncate(fd, (off_t)size);
    while (failed && errno == EINTR);
    return failed ? last_error() : KL_OK;
}

kl_status kl_fd_room(int fd, kl_fs_room *out)
{
    struct statvfs st;
    if (fstatvfs(fd, &st) != 0)
        return last_error();
    *out = (kl_fs_room){.free = kl_mul_sat_u64(st.f_bavail, st.f_frsize),
                        .total = kl_mul_sat_u64(st.f_blocks, st.f_frsize)};
    return KL_OK;
}

static kl_status read_file(struct kl_file *file, void *out, usize len, u64 offset)
{
    return kl_fd_read(fd_of(file), out, len, offset);
}

static kl_status write_file(struct kl_file *file, const void *bytes, usize len, u64 offset)
{
    return kl_fd_write(fd_of(file), bytes, len, offset);
}

/* What a sync met: a disk that was found to be full only now has lost what was written before,
 * which no room that there is later brings back. */
static kl_status sync_error(void)
{
    kl_status status = last_error();
    return status == KL_FULL ? KL_IO : status;
}

static kl_status sync_file(struct kl_file *file)
{
    return fdatasync(fd_of(file)) == 0 ? KL_OK : sync_error();
}

static kl_status size_of(struct kl_file *file, u64 *out)
{
    return kl_fd_size(fd_of(file), out);
}

static kl_status truncate_file(struct kl_file *file, u64 size)
{
    return kl_fd_truncate(fd_of(file), size);
}

static void close_file(struct kl_file *file)
{
    close(fd_of(file));
    free(file);
}

static const struct kl_file_ops file_ops = {
    .read = read_file,
    .write = write_file,
    .sync = sync_file,
    .size = size_of,
    .truncate = truncate_file,
    .close = close_file,
};

static kl_status open_with(struct kl_fs *fs, struct sys_file **out, const char *path, int flags)
{
    struct sys_file *f = malloc(sizeof *f);
    if (!f)
        return KL_NOMEM;
    f->file.ops = &file_ops;
    do
        f->fd = openat(root_of(fs), path, flags | O_CLOEXEC, FILE_MODE);
    while (f->fd < 0 && errno == EINTR);
    if (f->fd < 0) {
        kl_status status = last_error();
        free(f);
        return status;
    }
    *out = f;
    return KL_OK;
}

static kl_status open_file(struct kl_fs *fs, struct kl_file **out, const char *path, kl_open how)
{
    static const int flags[] = {
        [KL_OPEN_READ] = O_RDONLY,
        [KL_OPEN_WRITE] = O_RDWR,
        [KL_OPEN_CREATE] = O_RDWR | O_CREAT | O_EXCL,
    };
    struct sys_file *f = NULL;
    KL_TRY(open_with(fs, &f, kl_fs_inside(path), flags[how]));
    *out = &f->file;
    return KL_OK;
}

/* What is locked.  Who may only read can lock what is there; where there is no file, nobody who
 * could have made it has locked it, so the root folder does. */
static kl_status open_lock(struct kl_fs *fs, struct sys_file **out, const char *path)
{
    kl_status status = open_with(fs, out, path, O_RDWR | O_CREAT);
    if (status != KL_DENIED)
        return status;
    status = open_with(fs, out, path, O_RDONLY);
    if (status != KL_NOTFOUND)
        return status;
    return open_with(fs, out, ".", O_RDONLY | O_DIRECTORY);
}

/* The lock belongs to the open file description: a second open of the same file, in this process or
 * another, does not share it. */
static kl_status lock_file(struct kl_fs *fs, struct kl_file **out, const char *path)
{
    struct sys_file *f = NULL;
    KL_TRY(open_lock(fs, &f, kl_fs_inside(path)));
    if (flock(f->fd, LOCK_EX | LOCK_NB) != 0) {
        kl_status status = last_error();
        close_file(&f->file);
        return status;
    }
    *out = &f->file;
    return KL_OK;
}

static kl_status rename_file(struct kl_fs *fs, const char *from, const char *to)
{
    const char *a = strrchr(from, '/'), *b = strrchr(to, '/');
    KL_ASSERT(!a == !b && (!a || (a - from == b - to && memcmp(from, to, (usize)(a - from)) == 0)));
    int failed = renameat(root_of(fs), kl_fs_inside(from), root_of(fs), kl_fs_inside(to));
    return failed ? last_error() : KL_OK;
}

static kl_status unlink_file(struct kl_fs *fs, const char *path)
{
    return unlinkat(root_of(fs), kl_fs_inside(path), 0) == 0 ? KL_OK : last_error();
}

static kl_status make_dir(struct kl_fs *fs, const char *path)
{
    struct stat st;
    if (mkdirat(root_of(fs), kl_fs_inside(path), DIR_MODE) == 0)
        return KL_OK;
    if (errno != EEXIST)
        return last_error();
    if (fstatat(root_of(fs), path, &st, 0) != 0)
        return last_error();
    return S_ISDIR(st.st_mode) ? KL_OK : KL_IO;
}

static int open_dir(struct kl_fs *fs, const char *path)
{
    return openat(root_of(fs), folder(path), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

static kl_status sync_dir(struct kl_fs *fs, const char *path)
{
    int fd = open_dir(fs, path);
    if (fd < 0)
        return last_error();
    kl_status status = fsync(fd) == 0 ? KL_OK : sync_error();
    close(fd);
    return status;
}

/* Names collected while a folder is read. */
struct names {
    char **name;
    usize count, cap;
};

static void names_done(struct names *names)
{
    for (usize i = 0; i < names->count; i++)
        free(names->name[i]);
    free(names->name);
}

static kl_status names_add(struct names *names, const char *name)
{
    if (names->count == names->cap) {
        usize cap = names->cap ? names->cap * 2 : 64;
        char **grown = realloc(names->name, cap * sizeof *grown);
        if (!grown)
            return KL_NOMEM;
        names->name = grown;
        names->cap = cap;
    }
    char *copy = strdup(name);
    if (!copy)
        return KL_NOMEM;
    names->name[names->count++] = copy;
    return KL_OK;
}

static kl_status names_read(struct names *names, DIR *dir)
{
    for (;;) {
        errno = 0;
        const struct dirent *entry = readdir(dir);
        if (!entry)
            return last_error();
        if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
            KL_TRY(names_add(names, entry->d_name));
    }
}

static int by_bytes(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static kl_status list_dir(struct kl_fs *fs, const char *path,
                          void (*each)(void *ctx, const char *name), void *ctx)
{
    KL_CLEANUP(names_done) struct names names = {0};
    int fd = open_dir(fs, path);
    if (fd < 0)
        return last_error();
    DIR *dir = fdopendir(fd);
    if (!dir) {
        close(fd);
        return KL_NOMEM;
    }
    kl_status status = names_read(&names, dir);
    closedir(dir);
    if (status != KL_OK)
        return status;
    if (names.count > 0)
        qsort(names.name, names.count, sizeof names.name[0], by_bytes);
    for (usize i = 0; i < names.count; i++)
        each(ctx, names.name[i]);
    return KL_OK;
}

static kl_status room_of(struct kl_fs *fs, kl_fs_room *out)
{
    return kl_fd_room(root_of(fs), out);
}

static const struct kl_fs_ops fs_ops = {
    .open = open_file,
    .rename = rename_file,
    .unlink = unlink_file,
    .make_dir = make_dir,
    .sync_dir = sync_dir,
    .list = list_dir,
    .lock = lock_file,
    .room = room_of,
};

kl_status kl_sys_fs_open(struct kl_fs **out, const char *root)
{
    struct sys_fs *s = malloc(sizeof *s);
    if (!s)
        return KL_NOMEM;
    s->fs.ops = &fs_ops;
    s->root = open(root, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (s->root < 0) {
        kl_status status = last_error();
        free(s);
        return status;
    }
    *out = &s->fs;
    return KL_OK;
}

void kl_sys_fs_close(struct kl_fs *fs)
{
    if (!fs)
        return;
    close(root_of(fs));
    free(fs);
}

kl_status kl_sys_fs_is_private(struct kl_fs *fs, const char *path, bool *out)
{
    struct stat stat;
    if (fstatat(root_of(fs), kl_fs_inside(path), &stat, 0) != 0)
        return last_error();
    *out = (stat.st_mode & (S_IRWXG | S_IRWXO)) == 0;
    return KL_OK;
}

/* Power cuts at every write of LMDB's file.
 *
 * The calls by which liblmdb writes are this file's (a program's own symbols come before those of
 * the libraries that it is linked with): they pass on what they are asked for and write it down.
 * Then each prefix of what was written down is a moment at which power went out.  What was synced
 * is in the file; of what was written behind the last sync nothing is, or everything, or each
 * sector of 512 bytes or not, as is drawn.  What is opened then must be the newest commit that was
 * durable or the one that was on its way to it, whole, and must go on as a store. */
#include "lmdb/lmdb.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/rand.h"
#include "base/test.h"

enum {
    SECTOR = 512,
    COMMITS = 14,
    OPS_MAX = 4096,
    FILE_MAX = 4 << 20,
    TABLES = 3,
};

/* --- what was written --- */

struct op {
    bool syncs;
    usize offset, len;
    u8 *bytes;
};

static struct op ops[OPS_MAX];
static usize op_count;
static ino_t recorded; /* the file's; 0: nothing is written down */

static bool is_recorded(int fd)
{
    struct stat st;
    return recorded && fstat(fd, &st) == 0 && st.st_ino == recorded;
}

static struct op *next_op(void)
{
    KL_ASSERT(op_count < OPS_MAX);
    return &ops[op_count++];
}

static void note_write(int fd, const void *bytes, ssize_t len, off_t offset)
{
    if (len <= 0 || !is_recorded(fd))
        return;
    struct op *op = next_op();
    *op = (struct op){.offset = (usize)offset, .len = (usize)len, .bytes = malloc((usize)len)};
    KL_ASSERT(op->bytes && op->offset + op->len <= FILE_MAX);
    memcpy(op->bytes, bytes, op->len);
    if (fcntl(fd, F_GETFL) & O_DSYNC)
        next_op()->syncs = true;
}

static off_t place(int fd)
{
    return recorded ? lseek(fd, 0, SEEK_CUR) : 0;
}

/* Under both names: which one a library calls is how it was compiled. */
ssize_t pwrite_32(int fd, const void *bytes, size_t len, off_t offset) __asm__("pwrite");
ssize_t pwrite_64(int fd, const void *bytes, size_t len, off_t offset) __asm__("pwrite64");

ssize_t pwrite_64(int fd, const void *bytes, size_t len, off_t offset)
{
    ssize_t n = syscall(SYS_pwrite64, fd, bytes, len, offset);
    note_write(fd, bytes, n, offset);
    return n;
}

ssize_t pwrite_32(int fd, const void *bytes, size_t len, off_t offset)
{
    return pwrite_64(fd, bytes, len, offset);
}

ssize_t write(int fd, const void *bytes, size_t len)
{
    off_t offset = place(fd);
    ssize_t n = syscall(SYS_write, fd, bytes, len);
    note_write(fd, bytes, n, offset);
    return n;
}

ssize_t writev(int fd, const struct iovec *parts, int count)
{
    off_t offset = place(fd);
    ssize_t n = syscall(SYS_writev, fd, parts, count);
    for (ssize_t left = n; left > 0; parts++) {
        ssize_t len = (ssize_t)parts->iov_len < left ? (ssize_t)parts->iov_len : left;
        note_write(fd, parts->iov_base, len, offset);
        offset += len;
        left -= len;
    }
    return n;
}

static int sync_with(long call, int fd)
{
    int error = (int)syscall(call, fd);
    if (!error && is_recorded(fd))
        next_op()->syncs = true;
    return error;
}

int fdatasync(int fd)
{
    return sync_with(SYS_fdatasync, fd);
}

int fsync(int fd)
{
    return sync_with(SYS_fsync, fd);
}

/* --- the store --- */

static char folder[64], path[96];

static u64 read_clock(KL_UNUSED struct kl_clock *clock)
{
    return 0;
}

static struct kl_clock still = {.mono_ns = read_clock, .wall_ns = read_clock};

static kl_status open_store(struct kl_kv **out)
{
    static const char *const names[TABLES] = {"accounts", "slots", "nodes"};
    const kl_lmdb_config config = {.path = folder,
                                   .tables = names,
                                   .table_count = TABLES,
                                   .map_bytes = 64 << 20,
                                   .reader_max = 4,
                                   .clock = &still};
    return kl_lmdb_open(out, &config);
}

/* A number for everything in it. */
static u64 content(struct kl_kv *kv)
{
    struct kl_kv_read *read;
    u64 sum = 1;
    CHECK_OK(kl_kv_begin_read(kv, &read));
    for (kl_table t = 0; t < TABLES; t++) {
        struct kl_kv_cursor *cursor;
        kl_span key, value;
        CHECK_OK(kl_kv_cursor_open(read, t, &cursor));
        while (kl_kv_cursor_next(cursor, &key, &value) == KL_OK) {
            sum = sum * 0x9e3779b97f4a7c15u + t + key.len;
            for (usize i = 0; i < key.len; i++)
                sum = (sum ^ key.p[i]) * 0x100000001b3u;
            for (usize i = 0; i < value.len; i++)
                sum = (sum ^ value.p[i]) * 0x100000001b3u;
        }
        kl_kv_cursor_close(cursor);
    }
    kl_kv_end_read(read);
    return sum;
}

/* Puts, overwrites and removes, with values from nothing to several pages. */
static void change(struct kl_kv *kv, u64 *dice)
{
    static u8 value[3 * 4096 + 100];
    struct kl_kv_write *write;
    CHECK_OK(kl_kv_begin_write(kv, &write));
    for (u64 n = 1 + kl_rand_below(dice, 40); n; n--) {
        u8 key[8];
        kl_table table = (kl_table)kl_rand_below(dice, TABLES);
        kl_store_be64(key, kl_rand_below(dice, 60));
        usize most = kl_rand_below(dice, 8) ? 200 : sizeof value;
        usize len = (usize)kl_rand_below(dice, most);
        kl_rand_fill(dice, value, len);
        if (kl_rand_below(dice, 3) || n == 1) /* a commit of nothing writes nothing */
            CHECK_OK(kl_kv_put(write, table, KL_SPAN_OF(key), kl_span_of(value, len)));
        else
            CHECK_OK(kl_kv_del(write, table, KL_SPAN_OF(key)));
    }
    CHECK_OK(kl_kv_commit(write));
}

/* --- moments --- */

/* Commit 0 is the store as it was made. */
static struct {
    u64 content;
    usize end; /* operations, when it had returned: the last is its meta page's write */
} commits[COMMITS + 1];

static u8 image[FILE_MAX];
static usize image_len;

typedef enum survives { NOTHING, EVERYTHING, SECTORS } survives;

static void apply(const struct op *op, survives how, u64 *dice)
{
    for (usize at = 0; at < op->len;) {
        usize place = op->offset + at;
        usize len = SECTOR - place % SECTOR < op->len - at ? SECTOR - place % SECTOR : op->len - at;
        if (how == EVERYTHING || (how == SECTORS && kl_rand_below(dice, 2))) {
            memcpy(image + place, op->bytes + at, len);
            image_len = place + len > image_len ? place + len : image_len;
        }
        at += len;
    }
}

/* The file behind so many operations; syncs: or as if there were no syncs. */
static void make_image(usize count, survives how, bool syncs, u64 *dice)
{
    usize durable = 0;
    for (usize i = 0; syncs && i < count; i++)
        durable = ops[i].syncs ? i : durable;
    memset(image, 0, image_len);
    image_len = 0;
    for (usize i = 0; i < count; i++)
        if (!ops[i].syncs)
            apply(&ops[i], i < durable ? EVERYTHING : how, dice);
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    CHECK(fd >= 0 && syscall(SYS_pwrite64, fd, image, image_len, 0L) == (long)image_len);
    close(fd);
}

/* The newest commit whose meta page was synced, and the newest that was written at all. */
static void commits_at(usize count, usize *durable, usize *written)
{
    *durable = *written = 0;
    for (usize c = 0; c <= COMMITS && commits[c].end <= count; c++) {
        *written = c;
        for (usize i = commits[c].end; i < count; i++)
            if (ops[i].syncs)
                *durable = c;
    }
}

/* What is found is one of the two, and goes on: it takes a change and keeps it. */
static bool is_good(usize count, u64 *dice)
{
    struct kl_kv *kv;
    usize durable, written;
    commits_at(count, &durable, &written);
    if (open_store(&kv) != KL_OK)
        return false;
    u64 found = content(kv);
    bool good = found == commits[durable].content || found == commits[written].content;
    if (good) {
        change(kv, dice);
        u64 after = content(kv);
        kl_kv_close(kv);
        CHECK_OK(open_store(&kv));
        good = content(kv) == after;
    }
    kl_kv_close(kv);
    return good;
}

static void record(u64 *dice)
{
    struct kl_kv *kv;
    struct stat st;
    snprintf(folder, sizeof folder, "/tmp/keel-test-XXXXXX");
    CHECK(mkdtemp(folder) != NULL);
    snprintf(path, sizeof path, "%s/data.mdb", folder);
    CHECK_OK(open_store(&kv));
    kl_kv_close(kv); /* it is durable from here on */
    int fd = open(path, O_RDONLY);
    CHECK(fd >= 0 && fstat(fd, &st) == 0 && fsync(fd) == 0 && st.st_size <= FILE_MAX);
    struct op *base = next_op();
    *base = (struct op){.len = (usize)st.st_size, .bytes = malloc((usize)st.st_size)};
    CHECK(base->bytes && pread(fd, base->bytes, base->len, 0) == (ssize_t)base->len);
    close(fd);
    CHECK_OK(open_store(&kv));
    commits[0].content = content(kv);
    commits[0].end = op_count;
    next_op()->syncs = true;
    recorded = st.st_ino;
    for (usize c = 1; c <= COMMITS; c++) {
        change(kv, dice);
        commits[c].content = content(kv);
        commits[c].end = op_count;
        const struct op *meta = &ops[op_count - 1]; /* every call of liblmdb's is seen */
        CHECK(!meta->syncs && meta->offset < 2 * 4096 && meta->len < SECTOR);
    }
    recorded = 0;
    kl_kv_close(kv);
}

static void finish(void)
{
    char lock[96];
    snprintf(lock, sizeof lock, "%s/lock.mdb", folder);
    CHECK(unlink(path) == 0 && unlink(lock) == 0 && rmdir(folder) == 0);
    for (usize i = 0; i < op_count; i++)
        free(ops[i].bytes);
    op_count = 0;
}

KL_TEST(lmdb_power_cut_at_every_write)
{
    u64 dice = *seed;
    usize lost = 0, kept = 0;
    record(&dice);
    CHECK(op_count > 6 * COMMITS);
    for (usize count = 2; count <= op_count; count++)
        for (u32 round = 0; round < 6; round++) {
            survives how = round < 2 ? (survives)round : SECTORS;
            usize durable, written;
            make_image(count, how, true, &dice);
            if (!is_good(count, &dice))
                kl_test_fail(__FILE__, __LINE__,
                             "a power cut behind operation %zu of %zu leaves neither the durable "
                             "commit nor the one under way",
                             count, op_count);
            commits_at(count, &durable, &written);
            lost += durable != written && how == NOTHING;
            kept += durable != written && how == EVERYTHING;
        }
    CHECK(lost > COMMITS / 2 && kept > COMMITS / 2);
    finish();
}

/* The same without syncs is not survived: what is asked above can be false.  In children, since
 * liblmdb may stumble. */
KL_TEST(lmdb_power_cut_without_syncs_is_noticed)
{
    u64 dice = *seed;
    usize bad = 0;
    record(&dice);
    for (u32 round = 0; round < 20; round++) {
        usize count = op_count / 2 + (usize)kl_rand_below(&dice, op_count / 2);
        make_image(count, SECTORS, false, &dice);
        fflush(NULL);
        pid_t child = fork();
        CHECK(child >= 0);
        if (child == 0) {
            CHECK(freopen("/dev/null", "w", stderr) != NULL);
            _exit(is_good(count, &dice) ? 0 : 1);
        }
        int status;
        CHECK(waitpid(child, &status, 0) == child);
        bad += status != 0;
    }
    CHECK(bad > 10);
    finish();
}

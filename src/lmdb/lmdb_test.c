#include "lmdb/lmdb.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/test.h"
#include "store/kv_twin.h"

static const char *const names[] = {"accounts", "slots", "nodes"};

/* A clock that stands until it is moved. */
static u64 now_ns;

static u64 read_clock(KL_UNUSED struct kl_clock *clock)
{
    return now_ns;
}

static struct kl_clock test_clock = {.mono_ns = read_clock, .wall_ns = read_clock};

static char folder[64];

static kl_lmdb_config config_of(u64 map_bytes)
{
    return (kl_lmdb_config){
        .path = folder,
        .tables = names,
        .table_count = 3,
        .map_bytes = map_bytes,
        .reader_max = 20,
        .clock = &test_clock,
    };
}

static struct kl_kv *open_with(const kl_lmdb_config *config)
{
    struct kl_kv *kv;
    CHECK_OK(kl_lmdb_open(&kv, config));
    return kv;
}

static struct kl_kv *open_default(void)
{
    kl_lmdb_config config = config_of(1 << 30);
    return open_with(&config);
}

static struct kl_kv *begin(void)
{
    snprintf(folder, sizeof folder, "/tmp/keel-test-XXXXXX");
    CHECK(mkdtemp(folder) != NULL);
    return open_default();
}

static const char *file(const char *name)
{
    static char path[100];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    return path;
}

static void finish(struct kl_kv *kv)
{
    kl_kv_close(kv);
    unlink(file("data.mdb"));
    unlink(file("lock.mdb"));
    CHECK(rmdir(folder) == 0);
}

static void put(struct kl_kv *kv, const char *key, const char *value)
{
    struct kl_kv_write *write;
    CHECK_OK(kl_kv_begin_write(kv, &write));
    CHECK_OK(kl_kv_put(write, 0, kl_span_str(key), kl_span_str(value)));
    CHECK_OK(kl_kv_commit(write));
}

static kl_status get(struct kl_kv *kv, const char *key, const char *want)
{
    struct kl_kv_read *read;
    kl_span value;
    CHECK_OK(kl_kv_begin_read(kv, &read));
    kl_status status = kl_kv_get(read, 0, kl_span_str(key), &value);
    if (status == KL_OK)
        CHECK_SPAN(value, kl_span_str(want));
    kl_kv_end_read(read);
    return status;
}

KL_TEST(lmdb_agrees_with_its_twin)
{
    struct kl_kv *kv = begin();
    kl_kv_twin_run(kv, 3, 30, seed);
    finish(kv);
}

KL_TEST(lmdb_snapshots_add_up_beside_a_writer)
{
    struct kl_kv *kv = begin();
    kl_kv_twin_threads(kv, 20);
    finish(kv);
}

KL_TEST(lmdb_keeps_what_was_committed)
{
    struct kl_kv *kv = begin();
    struct kl_kv_write *write;
    put(kv, "a", "one");
    CHECK_OK(kl_kv_begin_write(kv, &write));
    CHECK_OK(kl_kv_put(write, 0, KL_SPAN_TEXT("b"), KL_SPAN_TEXT("two")));
    kl_kv_abort(write);
    u64 bytes;
    CHECK_OK(kl_kv_bytes(kv, &bytes));
    CHECK(bytes >= 3 * 4096 && bytes < 1 << 20);
    kl_kv_close(kv);
    kv = open_default();
    CHECK_OK(get(kv, "a", "one"));
    CHECK(get(kv, "b", "") == KL_NOTFOUND);
    struct stat st;
    CHECK(stat(file("data.mdb"), &st) == 0 && (st.st_mode & 07777) == 0600);
    finish(kv);
}

/* A process that is killed loses what it had not committed and nothing else. */
KL_TEST(lmdb_survives_kill)
{
    struct kl_kv *kv = begin();
    kl_kv_close(kv);
    fflush(NULL);
    pid_t child = fork();
    CHECK(child >= 0);
    if (child == 0) {
        struct kl_kv_write *write;
        kv = open_default();
        put(kv, "a", "one");
        CHECK_OK(kl_kv_begin_write(kv, &write));
        CHECK_OK(kl_kv_put(write, 0, KL_SPAN_TEXT("a"), KL_SPAN_TEXT("two")));
        raise(SIGKILL);
    }
    int how;
    CHECK(waitpid(child, &how, 0) == child && WIFSIGNALED(how));
    kv = open_default();
    CHECK_OK(get(kv, "a", "one"));
    put(kv, "a", "three");
    CHECK_OK(get(kv, "a", "three"));
    finish(kv);
}

KL_TEST(lmdb_full_map_is_a_full_disk)
{
    struct kl_kv *kv = begin();
    struct kl_kv_write *write;
    static u8 value[50000];
    kl_kv_close(kv);
    kl_lmdb_config config = config_of(1 << 20);
    kv = open_with(&config);
    put(kv, "a", "one");
    kl_status status = KL_OK;
    CHECK_OK(kl_kv_begin_write(kv, &write));
    for (u64 i = 0; i < 100 && status == KL_OK; i++)
        status = kl_kv_put(write, 1, KL_SPAN_OF(i), KL_SPAN_OF(value));
    CHECK(status == KL_FULL);
    kl_kv_abort(write);
    CHECK_OK(get(kv, "a", "one"));
    put(kv, "a", "two");
    CHECK_OK(get(kv, "a", "two"));
    finish(kv);
}

KL_TEST(lmdb_snapshots_have_an_end)
{
    struct kl_kv *kv = begin();
    struct kl_kv_read *read;
    struct kl_kv_cursor *cursor, *late;
    kl_span k, v;
    kl_kv_close(kv);
    kl_lmdb_config config = config_of(1 << 30);
    config.read_limit_ns = 100;
    kv = open_with(&config);
    put(kv, "a", "one");
    CHECK_OK(kl_kv_begin_read(kv, &read));
    CHECK_OK(kl_kv_cursor_open(read, 0, &cursor));
    now_ns += 100;
    CHECK_OK(kl_kv_get(read, 0, KL_SPAN_TEXT("a"), &v));
    CHECK_OK(kl_kv_cursor_seek(cursor, KL_SPAN_TEXT("a"), &k, &v));
    now_ns += 1;
    CHECK(kl_kv_get(read, 0, KL_SPAN_TEXT("a"), &v) == KL_TIMEOUT);
    CHECK(kl_kv_cursor_seek(cursor, KL_SPAN_TEXT("a"), &k, &v) == KL_TIMEOUT);
    CHECK(kl_kv_cursor_next(cursor, &k, &v) == KL_TIMEOUT);
    CHECK(kl_kv_cursor_open(read, 0, &late) == KL_TIMEOUT);
    kl_kv_cursor_close(cursor);
    kl_kv_end_read(read);
    CHECK_OK(get(kv, "a", "one"));
    finish(kv);
}

KL_TEST(lmdb_snapshots_have_a_number)
{
    struct kl_kv *kv = begin();
    struct kl_kv_read *read[21];
    put(kv, "a", "one");
    for (int round = 0; round < 3; round++) {
        for (usize i = 0; i < 20; i++)
            CHECK_OK(kl_kv_begin_read(kv, &read[i]));
        CHECK(kl_kv_begin_read(kv, &read[20]) == KL_LIMIT);
        for (usize i = 0; i < 20; i++)
            kl_kv_end_read(read[i]);
    }
    finish(kv);
}

/* Slots of a process that was killed while it read are free for the next one that opens. */
KL_TEST(lmdb_clears_readers_of_dead_processes)
{
    struct kl_kv *kv = begin();
    int ready[2];
    char byte;
    CHECK(pipe(ready) == 0);
    fflush(NULL);
    pid_t reader = fork();
    CHECK(reader >= 0);
    if (reader == 0) {
        struct kl_kv_read *read;
        struct kl_kv *own = open_default();
        for (int i = 0; i < 20; i++)
            CHECK_OK(kl_kv_begin_read(own, &read));
        CHECK(write(ready[1], "x", 1) == 1);
        pause();
    }
    CHECK(read(ready[0], &byte, 1) == 1);
    struct kl_kv_read *read;
    CHECK(kl_kv_begin_read(kv, &read) == KL_LIMIT);
    CHECK(kill(reader, SIGKILL) == 0 && waitpid(reader, NULL, 0) == reader);
    fflush(NULL);
    pid_t next = fork();
    CHECK(next >= 0);
    if (next == 0) {
        struct kl_kv *own = open_default();
        _exit(kl_kv_begin_read(own, &read) == KL_OK ? 0 : 1);
    }
    int how;
    CHECK(waitpid(next, &how, 0) == next && WIFEXITED(how) && WEXITSTATUS(how) == 0);
    close(ready[0]);
    close(ready[1]);
    finish(kv);
}

/* Reserving a large address range costs nothing until it is used. */
KL_TEST(lmdb_reserves_without_taking)
{
    if (KL_SANITIZED)
        kl_test_skip("a sanitizer has the addresses");
    struct kl_kv *kv = begin();
    kl_kv_close(kv);
    kl_lmdb_config config = config_of(UINT64_C(1) << 40);
    kv = open_with(&config);
    put(kv, "a", "one");
    struct stat st;
    CHECK(stat(file("data.mdb"), &st) == 0);
    CHECK(st.st_size < 1 << 20 && st.st_blocks * 512 < 1 << 20);
    long pages[2] = {0};
    FILE *f = fopen("/proc/self/statm", "r");
    CHECK(f && fscanf(f, "%ld %ld", &pages[0], &pages[1]) == 2);
    fclose(f);
    CHECK(pages[1] < (64 << 20) / 4096 || pages[0] > 10 * ((1L << 40) / 4096));
    finish(kv);
}

/* Changes a byte of data.mdb wherever pattern stands there: old copies of pages too. */
static void damage(const char *pattern)
{
    static u8 bytes[1 << 20];
    int fd = open(file("data.mdb"), O_RDWR);
    CHECK(fd >= 0);
    ssize_t n = read(fd, bytes, sizeof bytes);
    CHECK(n > 0);
    usize len = strlen(pattern), hits = 0;
    for (usize i = 0; i + len <= (usize)n; i++) {
        if (memcmp(bytes + i, pattern, len) != 0)
            continue;
        CHECK(pwrite(fd, "X", 1, (off_t)i + 1) == 1);
        hits++;
    }
    CHECK(hits > 0);
    close(fd);
}

KL_TEST(lmdb_finds_damaged_values)
{
    struct kl_kv *kv = begin();
    put(kv, "key", "a value to be damaged");
    put(kv, "other", "another");
    kl_kv_close(kv);
    damage("a value to be");
    kv = open_default();
    CHECK(get(kv, "key", "") == KL_CORRUPT);
    CHECK_OK(get(kv, "other", "another"));
    struct kl_kv_write *write;
    kl_span value;
    CHECK_OK(kl_kv_begin_write(kv, &write));
    CHECK(kl_kv_get_in_write(write, 0, KL_SPAN_TEXT("key"), &value) == KL_CORRUPT);
    kl_kv_abort(write);
    put(kv, "key", "good again");
    CHECK_OK(get(kv, "key", "good again"));
    finish(kv);
}

static void overwrite(const char *text, usize len, bool truncate_first)
{
    int fd = open(file("data.mdb"), O_WRONLY | (truncate_first ? O_TRUNC : 0));
    CHECK(fd >= 0 && pwrite(fd, text, len, 0) == (ssize_t)len);
    close(fd);
}

KL_TEST(lmdb_refuses_files_of_others)
{
    static const char junk[20000] = "this is no database";
    struct kl_kv *kv = begin(), *none = NULL;
    kl_lmdb_config config = config_of(1 << 30);
    put(kv, "a", "one");
    kl_kv_close(kv);
    damage("kv 1");
    CHECK(kl_lmdb_open(&none, &config) == KL_CORRUPT);
    overwrite(junk, sizeof junk, true);
    CHECK(kl_lmdb_open(&none, &config) == KL_CORRUPT);
    overwrite(junk, 10, true);
    CHECK(kl_lmdb_open(&none, &config) == KL_CORRUPT);
    CHECK(!none);
    CHECK(unlink(file("data.mdb")) == 0);
    finish(open_default());
    CHECK(kl_lmdb_open(&none, &config) == KL_NOTFOUND);
}

/* A table that a later version adds is made; those that are there keep what they have. */
KL_TEST(lmdb_adds_tables)
{
    struct kl_kv *kv = begin();
    struct kl_kv_write *write;
    put(kv, "a", "one");
    kl_kv_close(kv);
    static const char *const more[] = {"accounts", "slots", "nodes", "code"};
    kl_lmdb_config config = config_of(1 << 30);
    config.tables = more;
    config.table_count = 4;
    kv = open_with(&config);
    CHECK_OK(kl_kv_begin_write(kv, &write));
    CHECK_OK(kl_kv_put(write, 3, KL_SPAN_TEXT("c"), KL_SPAN_TEXT("three")));
    CHECK_OK(kl_kv_commit(write));
    CHECK_OK(get(kv, "a", "one"));
    finish(kv);
}

static struct kl_kv *watched;
static int blame_pipe[2];

static void on_bus(KL_UNUSED int signal, siginfo_t *info, KL_UNUSED void *context)
{
    char byte = kl_lmdb_at_fault(watched, info->si_addr) ? 'y' : 'n';
    ssize_t ignored = write(blame_pipe[1], &byte, 1);
    (void)ignored;
    _exit(0);
}

/* What a child that looks a key up in a file cut short says about whose fault it was. */
static char look_up_in_vain(void)
{
    char byte = '-';
    CHECK(pipe(blame_pipe) == 0);
    fflush(NULL);
    pid_t child = fork();
    CHECK(child >= 0);
    if (child == 0) {
        struct kl_kv_read *read;
        kl_span value;
        struct sigaction action = {.sa_sigaction = on_bus, .sa_flags = (int)SA_SIGINFO};
        if (sigaction(SIGBUS, &action, NULL) == 0 && truncate(file("data.mdb"), 0) == 0 &&
            kl_kv_begin_read(watched, &read) == KL_OK)
            (void)!kl_kv_get(read, 0, KL_SPAN_TEXT("key"), &value);
        _exit(1);
    }
    close(blame_pipe[1]);
    ssize_t n = read(blame_pipe[0], &byte, 1);
    close(blame_pipe[0]);
    CHECK(waitpid(child, NULL, 0) == child);
    return n == 1 ? byte : '-';
}

KL_TEST(lmdb_knows_its_faults)
{
    struct kl_kv_write *change;
    struct kl_kv_read *snapshot;
    kl_span value;
    watched = begin();
    CHECK_OK(kl_kv_begin_write(watched, &change));
    CHECK_OK(kl_kv_put(change, 0, KL_SPAN_TEXT("key"), KL_SPAN_TEXT("value")));
    CHECK_OK(kl_kv_commit(change));
    CHECK_OK(kl_kv_begin_read(watched, &snapshot));
    CHECK_OK(kl_kv_get(snapshot, 0, KL_SPAN_TEXT("key"), &value));
    CHECK(kl_lmdb_at_fault(watched, value.p));
    CHECK(!kl_lmdb_at_fault(watched, &value));
    CHECK(!kl_lmdb_at_fault(watched, watched));
    CHECK(!kl_lmdb_at_fault(watched, NULL));
    kl_kv_end_read(snapshot);
    CHECK(look_up_in_vain() == 'y');
    finish(watched);
}

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/file_contract.h"
#include "base/test.h"
#include "sys/env.h"
#include "sys/fs.h"
#include "sys/slow_fs.h"

/* A fresh folder under the system's one for temporary files. */
struct temp {
    char path[64];
    struct kl_fs *fs;
};

static void temp_open(struct temp *temp)
{
    snprintf(temp->path, sizeof temp->path, "/tmp/keel-test-XXXXXX");
    CHECK(mkdtemp(temp->path) != NULL);
    CHECK_OK(kl_sys_fs_open(&temp->fs, temp->path));
}

static void remove_name(void *ctx, const char *name)
{
    if (unlinkat(*(int *)ctx, name, 0) != 0)
        (void)unlinkat(*(int *)ctx, name, AT_REMOVEDIR);
}

static void temp_done(struct temp *temp)
{
    static const char *const folders[] = {"d/e", "d", ""};
    for (usize i = 0; i < KL_COUNT_OF(folders); i++) {
        char path[80];
        snprintf(path, sizeof path, "%s/%s", temp->path, folders[i]);
        int fd = open(path, O_RDONLY | O_DIRECTORY);
        if (fd >= 0) {
            (void)!kl_fs_list(temp->fs, folders[i], remove_name, &fd);
            close(fd);
        }
    }
    kl_sys_fs_close(temp->fs);
    rmdir(temp->path);
}

KL_TEST(fs_keeps_the_contract)
{
    struct temp temp;
    temp_open(&temp);
    kl_file_contract(temp.fs);
    temp_done(&temp);
}

KL_TEST(slow_fs_keeps_the_contract)
{
    struct temp temp;
    struct kl_fs *slow;
    temp_open(&temp);
    CHECK_OK(kl_slow_fs_open(&slow, temp.fs, 1));
    kl_file_contract(slow);
    kl_slow_fs_close(slow);
    temp_done(&temp);
}

KL_TEST(slow_fs_waits_behind_what_went_well)
{
    const u64 delay_ns = 3000000;
    struct temp temp;
    struct kl_fs *slow;
    struct kl_file *file;
    temp_open(&temp);
    CHECK_OK(kl_slow_fs_open(&slow, temp.fs, delay_ns));
    CHECK_OK(kl_fs_open(slow, &file, "a", KL_OPEN_CREATE));
    u64 start_ns = kl_mono_ns(kl_sys_clock());
    CHECK_OK(kl_file_sync(file));
    CHECK(kl_mono_ns(kl_sys_clock()) - start_ns >= delay_ns);
    start_ns = kl_mono_ns(kl_sys_clock());
    CHECK_OK(kl_fs_sync_dir(slow, ""));
    CHECK(kl_mono_ns(kl_sys_clock()) - start_ns >= delay_ns);
    CHECK(kl_fs_sync_dir(slow, "none") == KL_NOTFOUND);
    kl_file_close(file);
    kl_slow_fs_close(slow);
    temp_done(&temp);
}

KL_TEST(fs_agrees_with_its_twin)
{
    struct temp temp;
    temp_open(&temp);
    kl_file_twin_run(temp.fs, 300, seed);
    temp_done(&temp);
}

KL_TEST(fs_root_must_exist)
{
    struct kl_fs *fs;
    CHECK(kl_sys_fs_open(&fs, "/tmp/keel-test-that-is-not-there") == KL_NOTFOUND);
    CHECK(kl_sys_fs_open(&fs, "/dev/null") == KL_IO);
    kl_sys_fs_close(NULL);
}

KL_TEST(fs_files_are_private)
{
    struct temp temp;
    struct kl_file *f;
    struct stat st;
    char path[80];
    mode_t before = umask(0);
    temp_open(&temp);
    CHECK_OK(kl_fs_make_dir(temp.fs, "d"));
    CHECK_OK(kl_fs_open(temp.fs, &f, "d/f", KL_OPEN_CREATE));
    kl_file_close(f);
    umask(before);
    snprintf(path, sizeof path, "%s/d", temp.path);
    CHECK(stat(path, &st) == 0 && (st.st_mode & 07777) == 0700);
    snprintf(path, sizeof path, "%s/d/f", temp.path);
    CHECK(stat(path, &st) == 0 && (st.st_mode & 07777) == 0600);
    temp_done(&temp);
}

/* What the process made by fork ends with: an exit code, or minus a signal's number. */
static int outcome(pid_t child)
{
    int how;
    CHECK(waitpid(child, &how, 0) == child);
    return WIFSIGNALED(how) ? -WTERMSIG(how) : WEXITSTATUS(how);
}

static pid_t start_child(void)
{
    fflush(NULL);
    pid_t child = fork();
    CHECK(child >= 0);
    return child;
}

KL_TEST(fs_lock_is_between_processes)
{
    struct temp temp;
    struct kl_file *lock;
    int ready[2], quit[2];
    char byte;
    temp_open(&temp);
    CHECK(pipe(ready) == 0 && pipe(quit) == 0);
    pid_t child = start_child();
    if (child == 0) {
        bool held = kl_fs_lock(temp.fs, &lock, "lock") == KL_OK;
        held = held && write(ready[1], "x", 1) == 1;
        close(quit[1]);
        _exit(held && read(quit[0], &byte, 1) == 0 ? 0 : 1);
    }
    CHECK(read(ready[0], &byte, 1) == 1);
    CHECK(kl_fs_lock(temp.fs, &lock, "lock") == KL_BUSY);
    close(quit[1]);
    CHECK_U64(outcome(child), 0);
    CHECK_OK(kl_fs_lock(temp.fs, &lock, "lock"));

    child = start_child();
    if (child == 0)
        _exit(kl_fs_lock(temp.fs, &lock, "lock") == KL_BUSY ? 0 : 1);
    CHECK_U64(outcome(child), 0);
    kl_file_close(lock);
    close(ready[0]);
    close(ready[1]);
    close(quit[0]);
    temp_done(&temp);
}

/* Root may write everywhere. */
static bool become_nobody(void)
{
    return geteuid() != 0 || setuid(65534) == 0;
}

KL_TEST(fs_lock_of_a_folder_that_can_only_be_read)
{
    struct temp temp;
    struct kl_file *lock, *again;
    temp_open(&temp);
    CHECK(chmod(temp.path, 0555) == 0);
    pid_t child = start_child();
    if (child == 0) {
        bool good = become_nobody() && kl_fs_open(temp.fs, &lock, "x", KL_OPEN_CREATE) == KL_DENIED;
        good = good && kl_fs_lock(temp.fs, &lock, "lock") == KL_OK;
        _exit(good && kl_fs_lock(temp.fs, &again, "lock") == KL_BUSY ? 0 : 1);
    }
    CHECK_U64(outcome(child), 0);
    CHECK(chmod(temp.path, 0700) == 0);
    temp_done(&temp);
}

KL_TEST(fs_a_file_that_may_not_grow_is_full)
{
    struct temp temp;
    struct kl_file *file;
    u8 bytes[8192] = {0};
    temp_open(&temp);
    pid_t child = start_child();
    if (child == 0) {
        const struct rlimit limit = {4096, 4096};
        kl_sys_file_limit_is_full();
        bool good = setrlimit(RLIMIT_FSIZE, &limit) == 0;
        good = good && kl_fs_open(temp.fs, &file, "x", KL_OPEN_CREATE) == KL_OK;
        _exit(good && kl_file_write(file, bytes, sizeof bytes, 0) == KL_FULL ? 0 : 1);
    }
    CHECK_U64(outcome(child), 0);
    temp_done(&temp);
}

KL_TEST(fs_refuses_paths_that_leave_it)
{
    static const char *const bad[] = {
        "..", ".", "", "/", "/a", "a/", "a//b", "a/../b", "../a", "a/..", "./a",
    };
    struct temp temp;
    struct kl_file *f;
    temp_open(&temp);
    for (usize i = 0; i < KL_COUNT_OF(bad); i++) {
        pid_t child = start_child();
        if (child == 0) {
            kl_panic_hook(NULL);
            CHECK(freopen("/dev/null", "w", stderr) != NULL);
            _exit(kl_fs_open(temp.fs, &f, bad[i], KL_OPEN_READ) == KL_OK ? 0 : 1);
        }
        CHECK(outcome(child) == -SIGABRT);
    }
    CHECK(kl_fs_open(temp.fs, &f, "...", KL_OPEN_READ) == KL_NOTFOUND);
    CHECK(kl_fs_open(temp.fs, &f, ".a", KL_OPEN_READ) == KL_NOTFOUND);
    CHECK(kl_fs_open(temp.fs, &f, "..a/b", KL_OPEN_READ) == KL_NOTFOUND);
    temp_done(&temp);
}

KL_TEST(fs_full_and_other_failures_of_the_kernel)
{
    struct kl_fs *fs;
    struct kl_file *f;
    CHECK(kl_sys_status(0) == KL_OK);
    CHECK(kl_sys_status(EDQUOT) == KL_FULL);
    CHECK(kl_sys_status(EIO) == KL_IO);
    CHECK(kl_sys_status(EMFILE) == KL_LIMIT);
    CHECK(kl_sys_status(ENOMEM) == KL_NOMEM);
    CHECK(kl_sys_status(EWOULDBLOCK) == KL_BUSY);
    CHECK(kl_sys_status(ETIMEDOUT) == KL_TIMEOUT);
    CHECK(kl_sys_status(ENOSYS) == KL_UNSUPPORTED);
    CHECK_OK(kl_sys_fs_open(&fs, "/dev"));
    if (kl_fs_open(fs, &f, "full", KL_OPEN_WRITE) == KL_OK) {
        CHECK(kl_file_write(f, "x", 1, 0) == KL_FULL);
        kl_file_close(f);
    }
    kl_sys_fs_close(fs);
}

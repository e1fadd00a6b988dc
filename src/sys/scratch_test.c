#include "sys/scratch.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/file_contract.h"
#include "base/test.h"

KL_TEST(scratch_keeps_the_contract)
{
    struct kl_fs *fs;
    CHECK_OK(kl_sys_scratch_open(&fs));
    kl_file_contract(fs);
    kl_sys_scratch_close(fs);
    kl_sys_scratch_close(NULL);
}

KL_TEST(scratch_agrees_with_its_twin)
{
    struct kl_fs *fs;
    CHECK_OK(kl_sys_scratch_open(&fs));
    kl_file_twin_run(fs, 2000, seed);
    kl_sys_scratch_close(fs);
}

static usize entries_of(const char *path)
{
    usize count = 0;
    DIR *dir = opendir(path);
    CHECK(dir != NULL);
    while (readdir(dir))
        count++;
    closedir(dir);
    return count - 2; /* "." and ".." */
}

KL_TEST(scratch_leaves_no_name_behind_even_while_it_is_used)
{
    struct kl_fs *fs;
    struct kl_file *f;
    char path[] = "/tmp/keel-test-XXXXXX", text[5];
    const char *before = getenv("TMPDIR");
    CHECK(mkdtemp(path) != NULL);
    CHECK(setenv("TMPDIR", path, 1) == 0);
    CHECK_OK(kl_sys_scratch_open(&fs));
    CHECK_OK(kl_fs_make_dir(fs, "d"));
    CHECK_OK(kl_fs_open(fs, &f, "d/f", KL_OPEN_CREATE));
    CHECK_OK(kl_file_write(f, "bytes", 5, 0));
    CHECK_U64(entries_of(path), 0);
    CHECK_OK(kl_file_read(f, text, 5, 0));
    CHECK_SPAN(KL_SPAN_OF(text), KL_SPAN_TEXT("bytes"));
    kl_file_close(f);
    kl_sys_scratch_close(fs);
    CHECK(rmdir(path) == 0);
    CHECK(kl_sys_scratch_open(&fs) == KL_NOTFOUND);
    CHECK((before ? setenv("TMPDIR", before, 1) : unsetenv("TMPDIR")) == 0);
}

KL_TEST(scratch_tells_files_from_folders)
{
    struct kl_fs *fs;
    struct kl_file *f;
    CHECK_OK(kl_sys_scratch_open(&fs));
    CHECK_OK(kl_fs_make_dir(fs, "d"));
    CHECK_OK(kl_fs_lock(fs, &f, "file"));
    kl_file_close(f);
    CHECK(kl_fs_open(fs, &f, "d", KL_OPEN_READ) == KL_IO);
    CHECK(kl_fs_lock(fs, &f, "d") == KL_IO);
    CHECK(kl_fs_unlink(fs, "d") == KL_IO);
    CHECK(kl_fs_rename(fs, "file", "d") == KL_IO);
    CHECK(kl_fs_sync_dir(fs, "file") == KL_IO);
    CHECK(kl_fs_open(fs, &f, "file/x", KL_OPEN_CREATE) == KL_NOTFOUND);
    kl_sys_scratch_close(fs);
}

/* test_file: files that tests read, and remove. */
#include <fts.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/test.h"

struct held {
    struct held *next;
    u8 bytes[];
};

static struct held *held_files;

void kl_test_files_done(void)
{
    while (held_files) {
        struct held *file = held_files;
        held_files = file->next;
        free(file);
    }
}

static struct held *load(const char *path, usize *len)
{
    FILE *f = fopen(path, "rb");
    if (!f || fseek(f, 0, SEEK_END) != 0)
        kl_test_fail(__FILE__, __LINE__, "cannot open %s", path);
    long size = ftell(f);
    rewind(f);
    KL_ASSERT(size >= 0);
    struct held *file = malloc(sizeof *file + (usize)size + 1);
    KL_ASSERT(file);
    *len = fread(file->bytes, 1, (usize)size, f);
    file->bytes[*len] = 0;
    KL_ASSERT(*len == (usize)size);
    fclose(f);
    return file;
}

kl_span kl_test_file(const char *path)
{
    usize len;
    struct held *file = load(path, &len);
    file->next = held_files;
    held_files = file;
    return kl_span_of(file->bytes, len);
}

const char *kl_test_fixtures(void)
{
    static char path[4096];
    const char *set = getenv("KEEL_FIXTURES");
    int len = 0;
    if (set) {
        len = snprintf(path, sizeof path, "%s", set);
    } else {
        ssize_t program = readlink("/proc/self/exe", path, sizeof path - 1);
        KL_ASSERT(program > 0);
        path[program] = 0;
        *(strrchr(path, '/') + 1) = 0;
        usize folder = strlen(path);
        len = (int)folder + snprintf(path + folder, sizeof path - folder, "fixtures");
    }
    KL_ASSERT(len > 0 && (usize)len < sizeof path);
    if (access(path, R_OK) != 0)
        kl_test_skip("no official fixtures; KEEL_FIXTURES names their folder");
    return path;
}

static int by_name(const FTSENT **a, const FTSENT **b)
{
    return strcmp((*a)->fts_name, (*b)->fts_name);
}

usize kl_test_files(const char *folder, const char *suffix,
                    void (*each)(void *ctx, const char *path, kl_span bytes), void *ctx)
{
    char root[4096];
    KL_ASSERT((usize)snprintf(root, sizeof root, "%s", folder) < sizeof root);
    char *roots[] = {root, NULL};
    FTS *tree = fts_open(roots, FTS_LOGICAL | FTS_NOCHDIR, by_name);
    KL_ASSERT(tree);
    usize count = 0;
    for (FTSENT *entry = fts_read(tree); entry; entry = fts_read(tree)) {
        usize len = strlen(entry->fts_name), end = strlen(suffix);
        if (entry->fts_info != FTS_F || len < end ||
            strcmp(entry->fts_name + len - end, suffix) != 0)
            continue;
        usize size;
        struct held *file = load(entry->fts_path, &size);
        each(ctx, entry->fts_path, kl_span_of(file->bytes, size));
        free(file);
        count++;
    }
    fts_close(tree);
    return count;
}

static int remove_entry(const char *path, KL_UNUSED const struct stat *info, KL_UNUSED int kind,
                        KL_UNUSED struct FTW *walk)
{
    return remove(path);
}

void kl_test_remove(const char *path)
{
    CHECK(nftw(path, remove_entry, 16, FTW_DEPTH | FTW_PHYS) == 0);
}

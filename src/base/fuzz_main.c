/* The main of a fuzz target without libFuzzer: feeds every file of a corpus folder to the target
 * once, so that all inputs ever found run as a test. */
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/int.h"

int LLVMFuzzerTestOneInput(const u8 *bytes, usize len);

static bool feed(const char *path)
{
    FILE *f = fopen(path, "rb");
    if (!f)
        return false;
    usize cap = 1 << 24;
    u8 *bytes = malloc(cap);
    KL_ASSERT(bytes);
    usize len = fread(bytes, 1, cap, f);
    fclose(f);
    u8 *exact = malloc(len ? len : 1); /* so that a sanitizer sees a read past the end */
    KL_ASSERT(exact);
    memcpy(exact, bytes, len);
    free(bytes);
    LLVMFuzzerTestOneInput(exact, len);
    free(exact);
    return true;
}

int main(int argc, char **argv)
{
    const char *folder = argc > 1 ? argv[1] : ".";
    DIR *dir = opendir(folder);
    unsigned passed = 0, failed = 0;
    for (const struct dirent *entry = dir ? readdir(dir) : NULL; entry; entry = readdir(dir)) {
        char path[4096];
        if (entry->d_name[0] == '.')
            continue;
        int len = snprintf(path, sizeof path, "%s/%s", folder, entry->d_name);
        if (len > 0 && (usize)len < sizeof path && feed(path))
            passed++;
        else
            failed++;
    }
    if (dir)
        closedir(dir);
    if (passed == 0) {
        printf("no corpus in %s\n", folder);
        failed++;
    }
    printf("%u passed, %u failed, 0 skipped\n", passed, failed);
    return failed != 0;
}

#include "crypto/vectors_test_priv.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static char text[4 << 20];
static u8 bytes[1 << 20];
static const char *at;
static unsigned seen;

static void full_path(char out[4096], const char *path)
{
    const char *folder = getenv("KEEL_FIXTURES");
    char beside[2048] = "";
    if (!folder) {
        ssize_t len = readlink("/proc/self/exe", beside, sizeof beside - 16);
        char *slash = len > 0 ? strrchr(beside, '/') : NULL;
        if (slash)
            memcpy(slash + 1, "fixtures", sizeof "fixtures");
        folder = beside;
    }
    if (access(folder, R_OK) != 0)
        kl_test_skip("no fixture pack");
    int len = snprintf(out, 4096, "%s/%s", folder, path);
    CHECK(len > 0 && len < 4096);
}

const char *kl_vectors_text(const char *path)
{
    char name[4096];
    full_path(name, path);
    FILE *f = fopen(name, "rb");
    if (!f)
        return NULL;
    usize len = fread(text, 1, sizeof text - 1, f);
    CHECK(feof(f));
    fclose(f);
    text[len] = '\0';
    return text;
}

void kl_vectors_open(const char *path)
{
    at = kl_vectors_text(path);
    seen = 0;
    if (!at)
        kl_test_fail(__FILE__, __LINE__, "the fixture pack lacks %s", path);
}

/* The text of "key" between from and to; false where there is none. */
static bool field(kl_span *out, const char *from, const char *to, const char *key)
{
    char quoted[32];
    int n = snprintf(quoted, sizeof quoted, "\"%s\"", key);
    const char *p = memmem(from, (usize)(to - from), quoted, (usize)n);
    p = p ? memchr(p + n, '"', (usize)(to - p - n)) : NULL;
    const char *end = p ? memchr(p + 1, '"', (usize)(to - p - 1)) : NULL;
    if (!end)
        return false;
    *out = kl_span_of(p + 1, (usize)(end - p - 1));
    return true;
}

static unsigned digit(u8 c)
{
    CHECK((c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F'));
    return (unsigned)(c <= '9' ? c - '0' : (c | 0x20) - 'a' + 10);
}

static kl_span unhex(u8 *room, usize cap, kl_span hex)
{
    CHECK(hex.len % 2 == 0 && hex.len / 2 <= cap);
    for (usize i = 0; i < hex.len / 2; i++)
        room[i] = (u8)(digit(hex.p[2 * i]) << 4 | digit(hex.p[2 * i + 1]));
    return kl_span_of(room, hex.len / 2);
}

bool kl_vectors_next(struct kl_vector *out)
{
    for (;;) {
        const char *end = strchr(at, '}'),
                   *start = end ? memrchr(at, '{', (usize)(end - at)) : NULL;
        if (!start) {
            CHECK(seen > 0);
            return false;
        }
        kl_span name = KL_SPAN_TEXT("no name"), input, expected = KL_SPAN_NONE, error;
        at = end + 1;
        if (!field(&input, start, end, "Input"))
            continue;
        (void)field(&name, start, end, "Name");
        out->fails = field(&error, start, end, "ExpectedError");
        CHECK(field(&expected, start, end, "Expected") != out->fails);
        snprintf(out->name, sizeof out->name, "%.*s", (int)name.len, (const char *)name.p);
        out->input = unhex(bytes, sizeof bytes, input);
        out->expected = unhex(bytes + out->input.len, sizeof bytes - out->input.len, expected);
        seen++;
        return true;
    }
}

const char *kl_vectors_folder(const char *path)
{
    static DIR *dir;
    static struct dirent *entry;
    if (path) {
        char name[4096];
        full_path(name, path);
        dir = opendir(name);
        CHECK(dir);
    }
    do
        entry = readdir(dir);
    while (entry && entry->d_name[0] == '.');
    if (entry)
        return entry->d_name;
    closedir(dir);
    return NULL;
}

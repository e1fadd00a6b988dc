#include "crypto/vectors_test_priv.h"

#include <stdio.h>

static u8 room[1 << 20];
static const char *at;
static unsigned seen;

void kl_vectors_open(const char *path)
{
    char name[4096];
    int len = snprintf(name, sizeof name, "%s/%s", kl_test_fixtures(), path);
    CHECK(len > 0 && (usize)len < sizeof name);
    at = (const char *)kl_test_file(name).p;
    seen = 0;
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

static kl_span unhex(u8 *out, usize cap, kl_span hex)
{
    CHECK(hex.len % 2 == 0 && hex.len / 2 <= cap);
    for (usize i = 0; i < hex.len / 2; i++)
        out[i] = (u8)(digit(hex.p[2 * i]) << 4 | digit(hex.p[2 * i + 1]));
    return kl_span_of(out, hex.len / 2);
}

bool kl_vectors_next(struct kl_vector *out)
{
    for (;;) {
        const char *end = strchr(at, '}');
        const char *start = end ? memrchr(at, '{', (usize)(end - at)) : NULL;
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
        out->input = unhex(room, sizeof room, input);
        out->expected = unhex(room + out->input.len, sizeof room - out->input.len, expected);
        seen++;
        return true;
    }
}

/* Reading official fixtures in tests of this layer. */
#ifndef KL_TYPES_FIXTURE_TEST_H
#define KL_TYPES_FIXTURE_TEST_H

#include <stdio.h>

#include "base/test.h"
#include "codec/hex.h"
#include "codec/json.h"

/* "<fixtures>/sub"; skips the test without fixtures. */
static inline const char *fixture_path(const char *sub)
{
    static char path[4400];
    snprintf(path, sizeof path, "%s/%s", kl_test_fixtures(), sub);
    return path;
}

static inline struct kl_json fixture_json(kl_span text, struct kl_arena *arena)
{
    struct kl_json json;
    kl_rule broken;
    usize at;
    CHECK_OK(kl_json_parse(&json, text, 1 << 26, arena, &broken, &at));
    CHECK_RULE(broken, KL_RULE_NONE);
    return json;
}

/* The bytes of a "0x…" text. */
static inline kl_span fixture_data(const struct kl_json *json, kl_json_ref ref,
                                   struct kl_arena *arena)
{
    kl_span data;
    bool no_memory;
    CHECK(kl_json_is(json, ref, KL_JSON_STRING));
    CHECK_RULE(kl_hex_data(&data, kl_json_raw(json, ref), arena, &no_memory), KL_RULE_NONE);
    CHECK(!no_memory);
    return data;
}

static inline u64 fixture_u64(const struct kl_json *json, kl_json_ref ref)
{
    u64 v;
    CHECK(kl_json_is(json, ref, KL_JSON_STRING));
    CHECK_RULE(kl_hex_u64(&v, kl_json_raw(json, ref)), KL_RULE_NONE);
    return v;
}

/* Do the two lists of names, joined with '|', share one? */
static inline bool fixture_names_meet(kl_span wanted, const char *names)
{
    for (usize start = 0; start < wanted.len;) {
        const u8 *bar = memchr(wanted.p + start, '|', wanted.len - start);
        usize end = bar ? (usize)(bar - wanted.p) : wanted.len;
        for (const char *at = names; *at;) {
            usize len = strcspn(at, "|");
            if (len == end - start && memcmp(at, wanted.p + start, len) == 0)
                return true;
            at += len + (at[len] == '|');
        }
        start = end + 1;
    }
    return false;
}

#endif

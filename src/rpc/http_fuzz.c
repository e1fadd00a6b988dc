/* Heads and chunked bodies: whatever the bytes, the same is read however they arrive. */
#include <stdlib.h>

#include "base/fuzz.h"
#include "rpc/http.h"

static bool inside(kl_span part, kl_span whole)
{
    return part.len == 0 || (part.p >= whole.p && part.p + part.len <= whole.p + whole.len);
}

static usize check_head(kl_span bytes)
{
    usize seen = 0, head_len = kl_http_head_len(bytes, &seen);
    usize split_seen = 0, found = 0;
    for (usize n = 0; n <= bytes.len && !found; n++)
        found = kl_http_head_len(kl_span_of(bytes.p, n), &split_seen);
    KL_ASSERT(found == head_len && head_len <= bytes.len);
    if (head_len == 0)
        return 0;
    kl_http_request r;
    kl_span head = kl_span_of(bytes.p, head_len);
    kl_rule rule = kl_http_parse(&r, head);
    KL_ASSERT(kl_http_status_of(rule) >= 400);
    if (rule == KL_RULE_NONE) {
        KL_ASSERT(inside(r.host, head) && inside(r.origin, head) && inside(r.ws_key, head));
        KL_ASSERT(!(r.chunked && r.has_length) && (r.has_length || r.length == 0));
    }
    return head_len;
}

static kl_rule take_chunks(kl_span raw, usize step, u8 *body, usize *body_len, usize *used)
{
    enum { BODY_MAX = 4096 };
    struct kl_http_chunks c = {0};
    *body_len = *used = 0;
    while (*used < raw.len && !c.done) {
        usize took, put;
        kl_span piece = kl_span_sub(raw, *used, step);
        KL_JUDGE(kl_http_chunks(&c, body + *body_len, piece, BODY_MAX, &took, &put));
        *used += took;
        *body_len += put;
        KL_ASSERT(*body_len == c.body_len && c.body_len <= BODY_MAX);
    }
    return KL_RULE_NONE;
}

int LLVMFuzzerTestOneInput(const u8 *bytes, usize len)
{
    usize head_len = check_head(kl_span_of(bytes, len));
    kl_span raw = kl_span_of(bytes + head_len, len - head_len);
    u8 *whole = malloc(raw.len + 1), *pieces = malloc(raw.len + 1);
    KL_ASSERT(whole && pieces);
    usize whole_len, pieces_len, whole_used, pieces_used;
    kl_rule a = take_chunks(raw, raw.len ? raw.len : 1, whole, &whole_len, &whole_used);
    kl_rule b = take_chunks(raw, 1, pieces, &pieces_len, &pieces_used);
    KL_ASSERT(a == b);
    if (a == KL_RULE_NONE)
        KL_ASSERT(whole_used == pieces_used &&
                  kl_span_eq(kl_span_of(whole, whole_len), kl_span_of(pieces, pieces_len)));
    free(whole);
    free(pieces);
    return 0;
}

/* rlp: every read goes through head_of, which judges one header against the bytes that are there;
 * all else is what a caller wants the payload to be.  A list is written payload first: its header
 * is put in front when its end is known, which moves the payload once but needs no second pass. */
#include "codec/rlp.h"

enum { SHORT_MAX = 55, HEADER_MAX = 9 };

/* One item's header. */
typedef struct head {
    bool is_list;
    usize header, len; /* bytes of header (0 for a byte that encodes itself) and of payload */
} head;

/* A length of `count` big-endian bytes behind the first byte of rest, in the long form. */
static kl_rule long_length(usize *out, kl_span rest, usize count)
{
    if (rest.len - 1 < count)
        return KL_RULE_RLP_SHORT;
    if (rest.p[1] == 0)
        return KL_RULE_RLP_CANONICAL;
    u64 len = 0;
    for (usize i = 1; i <= count; i++)
        len = len << 8 | rest.p[i];
    if (len <= SHORT_MAX)
        return KL_RULE_RLP_CANONICAL;
    *out = len;
    return KL_RULE_NONE;
}

/* The header at the front of rest, which is not empty.  The payload is there in full. */
static kl_rule head_of(head *out, kl_span rest)
{
    u8 first = rest.p[0];
    if (first < 0x80) {
        *out = (head){.header = 0, .len = 1};
        return KL_RULE_NONE;
    }
    bool is_list = first >= 0xc0;
    usize len = first - (is_list ? 0xc0u : 0x80u), header = 1;
    if (len > SHORT_MAX) {
        header += len - SHORT_MAX;
        KL_JUDGE(long_length(&len, rest, len - SHORT_MAX));
    }
    if (len > rest.len - header)
        return KL_RULE_RLP_SHORT;
    if (len == 1 && !is_list && rest.p[1] < 0x80)
        return KL_RULE_RLP_CANONICAL;
    *out = (head){is_list, header, len};
    return KL_RULE_NONE;
}

/* The next item's payload, without moving on; *whole is the length of header and payload. */
static kl_rule peek(const kl_rlp *from, bool want_list, kl_span *payload, usize *whole)
{
    if (from->rest.len == 0)
        return KL_RULE_RLP_COUNT;
    head h;
    KL_JUDGE(head_of(&h, from->rest));
    if (h.is_list != want_list)
        return KL_RULE_RLP_KIND;
    *payload = kl_span_of(from->rest.p + h.header, h.len);
    *whole = h.header + h.len;
    return KL_RULE_NONE;
}

static void advance(kl_rlp *from, usize whole)
{
    from->rest = kl_span_of(from->rest.p + whole, from->rest.len - whole);
}

kl_rule kl_rlp_open(kl_rlp *items, kl_span bytes)
{
    if (bytes.len == 0)
        return KL_RULE_RLP_SHORT;
    kl_rlp all = {bytes};
    kl_span payload;
    usize whole;
    KL_JUDGE(peek(&all, true, &payload, &whole));
    if (whole != bytes.len)
        return KL_RULE_RLP_TRAILING;
    items->rest = payload;
    return KL_RULE_NONE;
}

kl_rule kl_rlp_close(const kl_rlp *items)
{
    return kl_rlp_end(items) ? KL_RULE_NONE : KL_RULE_RLP_COUNT;
}

kl_rule kl_rlp_list(kl_rlp *from, kl_rlp *items)
{
    kl_span payload;
    usize whole;
    KL_JUDGE(peek(from, true, &payload, &whole));
    advance(from, whole);
    items->rest = payload;
    return KL_RULE_NONE;
}

kl_rule kl_rlp_bytes(kl_rlp *from, kl_span *out)
{
    kl_span payload;
    usize whole;
    KL_JUDGE(peek(from, false, &payload, &whole));
    advance(from, whole);
    *out = payload;
    return KL_RULE_NONE;
}

/* The next item as an integer of at most `widest` bytes, still big-endian. */
static kl_rule integer(kl_rlp *from, usize widest, kl_span *out)
{
    kl_span payload;
    usize whole;
    KL_JUDGE(peek(from, false, &payload, &whole));
    if (payload.len > widest || (payload.len && payload.p[0] == 0))
        return KL_RULE_RLP_INTEGER;
    advance(from, whole);
    *out = payload;
    return KL_RULE_NONE;
}

kl_rule kl_rlp_u64(kl_rlp *from, u64 *out)
{
    kl_span digits;
    KL_JUDGE(integer(from, 8, &digits));
    u64 v = 0;
    for (usize i = 0; i < digits.len; i++)
        v = v << 8 | digits.p[i];
    *out = v;
    return KL_RULE_NONE;
}

kl_rule kl_rlp_u256(kl_rlp *from, kl_u256 *out)
{
    kl_span digits;
    KL_JUDGE(integer(from, 32, &digits));
    u8 wide[32] = {0};
    if (digits.len)
        memcpy(wide + sizeof wide - digits.len, digits.p, digits.len);
    *out = kl_u256_from_be(wide);
    return KL_RULE_NONE;
}

kl_rule kl_rlp_fixed(kl_rlp *from, void *out, usize len)
{
    kl_span payload;
    usize whole;
    KL_JUDGE(peek(from, false, &payload, &whole));
    if (payload.len != len)
        return KL_RULE_RLP_LENGTH;
    advance(from, whole);
    if (len)
        memcpy(out, payload.p, len);
    return KL_RULE_NONE;
}

kl_rule kl_rlp_maybe_address(kl_rlp *from, kl_address *out, bool *has)
{
    kl_span payload;
    usize whole;
    KL_JUDGE(peek(from, false, &payload, &whole));
    if (payload.len != 0 && payload.len != sizeof out->b)
        return KL_RULE_RLP_LENGTH;
    advance(from, whole);
    *has = payload.len != 0;
    if (*has)
        memcpy(out->b, payload.p, sizeof out->b);
    return KL_RULE_NONE;
}

kl_rule kl_rlp_item(kl_rlp *from, kl_span *out, bool *is_list)
{
    if (from->rest.len == 0)
        return KL_RULE_RLP_COUNT;
    head h;
    KL_JUDGE(head_of(&h, from->rest));
    *out = kl_span_of(from->rest.p, h.header + h.len);
    *is_list = h.is_list;
    advance(from, h.header + h.len);
    return KL_RULE_NONE;
}

kl_rule kl_rlp_count(const kl_rlp *items, usize *out)
{
    usize count = 0;
    for (kl_rlp left = *items; !kl_rlp_end(&left); count++) {
        head h;
        KL_JUDGE(head_of(&h, left.rest));
        advance(&left, h.header + h.len);
    }
    *out = count;
    return KL_RULE_NONE;
}

kl_rule kl_rlp_check(kl_span bytes, usize max_depth)
{
    KL_ASSERT(max_depth <= KL_RLP_DEPTH_MAX);
    if (bytes.len == 0)
        return KL_RULE_RLP_SHORT;
    usize end_of[KL_RLP_DEPTH_MAX + 1]; /* of the open lists, the outermost first */
    usize depth = 0, at = 0;
    end_of[0] = bytes.len;
    do {
        head h;
        KL_JUDGE(head_of(&h, kl_span_of(bytes.p + at, end_of[depth] - at)));
        at += h.header;
        if (at + h.len != bytes.len && depth == 0)
            return KL_RULE_RLP_TRAILING;
        if (!h.is_list) {
            at += h.len;
        } else if (depth == max_depth) {
            return KL_RULE_RLP_DEPTH;
        } else {
            end_of[++depth] = at + h.len;
        }
        while (depth > 0 && at == end_of[depth])
            depth--;
    } while (depth > 0);
    return KL_RULE_NONE;
}

/* The header of len payload bytes; kind is 0x80 for bytes, 0xc0 for a list. */
static usize header_of(u8 header[HEADER_MAX], u8 kind, usize len)
{
    if (len <= SHORT_MAX) {
        header[0] = (u8)(kind + len);
        return 1;
    }
    usize count = (64 - (usize)__builtin_clzll(len) + 7) / 8;
    header[0] = (u8)(kind + SHORT_MAX + count);
    for (usize i = 1; i <= count; i++)
        header[i] = (u8)(len >> 8 * (count - i));
    return 1 + count;
}

void kl_rlp_put_bytes_header(kl_out *out, kl_span bytes)
{
    u8 header[HEADER_MAX];
    if (bytes.len != 1 || bytes.p[0] >= 0x80)
        kl_out_bytes(out, header, header_of(header, 0x80, bytes.len));
}

void kl_rlp_put_bytes(kl_out *out, kl_span bytes)
{
    kl_rlp_put_bytes_header(out, bytes);
    kl_out_span(out, bytes);
}

static void put_integer(kl_out *out, const u8 *be, usize len)
{
    while (len && be[0] == 0) {
        be++;
        len--;
    }
    kl_rlp_put_bytes(out, kl_span_of(be, len));
}

void kl_rlp_put_u64(kl_out *out, u64 v)
{
    u8 be[8];
    kl_store_be64(be, v);
    put_integer(out, be, sizeof be);
}

void kl_rlp_put_u256(kl_out *out, kl_u256 v)
{
    u8 be[32];
    kl_u256_to_be(be, v);
    put_integer(out, be, sizeof be);
}

kl_rlp_mark kl_rlp_put_begin(kl_out *out)
{
    return (kl_rlp_mark){out->len};
}

void kl_rlp_put_end(kl_out *out, kl_rlp_mark mark)
{
    if (out->full)
        return;
    u8 header[HEADER_MAX];
    usize len = out->len - mark.start;
    usize header_len = header_of(header, 0xc0, len);
    kl_out_bytes(out, header, header_len);
    if (out->full || !out->p)
        return;
    memmove(out->p + mark.start + header_len, out->p + mark.start, len);
    memcpy(out->p + mark.start, header, header_len);
}

void kl_rlp_put_list_header(kl_out *out, usize payload_len)
{
    u8 header[HEADER_MAX];
    kl_out_bytes(out, header, header_of(header, 0xc0, payload_len));
}

usize kl_rlp_list_header_len(usize payload_len)
{
    u8 header[HEADER_MAX];
    return header_of(header, 0xc0, payload_len);
}

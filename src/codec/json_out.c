/* json_out: the writer.  Each put first writes the comma its place calls for; `not_first` keeps one
 * bit a depth. */
#include "codec/hex.h"
#include "codec/json.h"
#include "codec/json_priv.h"

/* The bit of the innermost open container; 0 at the top, where values stand alone. */
static u64 here(const struct kl_json_out *out)
{
    return out->depth ? 1ull << (out->depth - 1) : 0;
}

static void before_value(struct kl_json_out *out)
{
    if (!out->after_key && (out->not_first & here(out)))
        kl_buf_str(out->buf, ",");
    out->not_first |= here(out);
    out->after_key = false;
}

static void open_container(struct kl_json_out *out, const char *bracket)
{
    before_value(out);
    KL_ASSERT(out->depth < KL_JSON_DEPTH_MAX);
    out->depth++;
    out->not_first &= ~here(out);
    kl_buf_str(out->buf, bracket);
}

static void close_container(struct kl_json_out *out, const char *bracket)
{
    KL_ASSERT(out->depth > 0 && !out->after_key);
    out->depth--;
    kl_buf_str(out->buf, bracket);
}

void kl_json_put_object(struct kl_json_out *out)
{
    open_container(out, "{");
}

void kl_json_put_object_end(struct kl_json_out *out)
{
    close_container(out, "}");
}

void kl_json_put_array(struct kl_json_out *out)
{
    open_container(out, "[");
}

void kl_json_put_array_end(struct kl_json_out *out)
{
    close_container(out, "]");
}

/* A character that cannot stand for itself. */
static void escape(struct kl_buf *buf, u8 c)
{
    static const char names[] = "\"\\bfnrt", values[] = "\"\\\b\f\n\r\t";
    const char *hit = c ? strchr(values, c) : NULL;
    char text[6] = {'\\', 'u', '0', '0'};
    if (hit)
        text[1] = names[hit - values];
    else
        kl_hex_digits(text + 4, kl_span_of(&c, 1));
    kl_buf_bytes(buf, text, hit ? 2 : 6);
}

static void quoted(struct kl_buf *buf, kl_span utf8)
{
    const u8 *p = utf8.p, *end = p + utf8.len;
    kl_buf_str(buf, "\"");
    while (p < end) {
        usize plain = kl_json_plain(p, end);
        kl_buf_bytes(buf, p, plain);
        p += plain;
        if (p == end)
            break;
        usize len = 1;
        if (*p < 0x80) {
            escape(buf, *p);
        } else if ((len = kl_json_utf8(p, end)) != 0) {
            kl_buf_bytes(buf, p, len);
        } else {
            kl_buf_str(buf, "\\ufffd");
            len = 1;
        }
        p += len;
    }
    kl_buf_str(buf, "\"");
}

void kl_json_put_key(struct kl_json_out *out, const char *name)
{
    before_value(out);
    usize len = strlen(name);
    u8 *room = kl_buf_extend(out->buf, len + 3);
    if (room) {
        room[0] = '"';
        memcpy(room + 1, name, len);
        memcpy(room + 1 + len, "\":", 2);
    }
    out->after_key = true;
}

void kl_json_put_key_span(struct kl_json_out *out, kl_span name)
{
    before_value(out);
    quoted(out->buf, name);
    kl_buf_str(out->buf, ":");
    out->after_key = true;
}

void kl_json_put_null(struct kl_json_out *out)
{
    kl_json_put_raw(out, KL_SPAN_TEXT("null"));
}

void kl_json_put_bool(struct kl_json_out *out, bool v)
{
    kl_json_put_raw(out, kl_span_str(v ? "true" : "false"));
}

void kl_json_put_number(struct kl_json_out *out, u64 v)
{
    char text[20];
    usize at = sizeof text;
    do {
        text[--at] = (char)('0' + v % 10);
        v /= 10;
    } while (v);
    kl_json_put_raw(out, kl_span_of(text + at, sizeof text - at));
}

void kl_json_put_string(struct kl_json_out *out, kl_span utf8)
{
    before_value(out);
    quoted(out->buf, utf8);
}

void kl_json_put_text(struct kl_json_out *out, const char *text)
{
    kl_json_put_string(out, kl_span_str(text));
}

void kl_json_put_raw(struct kl_json_out *out, kl_span json)
{
    before_value(out);
    kl_buf_span(out->buf, json);
}

void kl_json_put_data(struct kl_json_out *out, kl_span bytes)
{
    before_value(out);
    usize digits = 2 * bytes.len;
    u8 *room = kl_buf_extend(out->buf, digits + 4);
    if (!room)
        return;
    memcpy(room, "\"0x", 3);
    kl_hex_digits((char *)room + 3, bytes);
    room[3 + digits] = '"';
}

/* A text of hex digits with "0x", in quotes. */
static void put_quantity(struct kl_json_out *out, const char *text, usize len)
{
    char quoted_text[KL_HEX_U256_MAX + 2] = {'"'};
    memcpy(quoted_text + 1, text, len);
    quoted_text[1 + len] = '"';
    kl_json_put_raw(out, kl_span_of(quoted_text, len + 2));
}

void kl_json_put_quantity(struct kl_json_out *out, u64 v)
{
    char text[KL_HEX_U64_MAX];
    put_quantity(out, text, kl_hex_of_u64(text, v));
}

void kl_json_put_quantity_u256(struct kl_json_out *out, kl_u256 v)
{
    char text[KL_HEX_U256_MAX];
    put_quantity(out, text, kl_hex_of_u256(text, v));
}

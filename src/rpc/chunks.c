/* chunks: bodies that come in pieces [RFC 9112 section 7.1].
 *
 *     1*HEXDIG [ ";" extension ] CR LF  data  CR LF   …   "0" … CR LF  *( trailer CR LF )  CR LF
 *
 * Data moves in blocks, everything else takes a step a byte.  Extensions and trailers are checked
 * for their characters, counted, and forgotten. */
#include "rpc/http.h"

enum state {
    SIZE, /* the first: digits of a chunk's size */
    EXTENSION,
    SIZE_FEED,
    DATA,
    DATA_RETURN,
    DATA_FEED,
    TRAILER_START,
    TRAILER,
    TRAILER_FEED,
    END_FEED,
};

enum { SIZE_DIGITS_MAX = 16 };

static int hex_digit(u8 c)
{
    return c >= '0' && c <= '9'   ? c - '0'
           : c >= 'a' && c <= 'f' ? c - 'a' + 10
           : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                  : -1;
}

static kl_rule size_byte(struct kl_http_chunks *c, u8 byte)
{
    int digit = hex_digit(byte);
    if (digit >= 0 && c->digits < SIZE_DIGITS_MAX) {
        c->digits++;
        c->left = c->left << 4 | (u64)digit;
        return KL_RULE_NONE;
    }
    if (c->digits == 0 || (byte != '\r' && byte != ';'))
        return KL_RULE_HTTP_CHUNK;
    c->state = byte == ';' ? EXTENSION : SIZE_FEED;
    return KL_RULE_NONE;
}

/* A byte of an extension or a trailer; CR leads to the state after. */
static kl_rule ignored_byte(struct kl_http_chunks *c, u8 byte, enum state after)
{
    if (byte == '\r') {
        c->state = after;
        return KL_RULE_NONE;
    }
    bool text = byte == '\t' || (byte >= ' ' && byte != 0x7f);
    return text && c->extra++ < KL_HTTP_TRAILER_MAX ? KL_RULE_NONE : KL_RULE_HTTP_CHUNK;
}

static kl_rule exactly(struct kl_http_chunks *c, u8 byte, char want, enum state after)
{
    c->state = after;
    return byte == (u8)want ? KL_RULE_NONE : KL_RULE_HTTP_CHUNK;
}

static kl_rule framing_byte(struct kl_http_chunks *c, u8 byte)
{
    switch ((enum state)c->state) {
    case SIZE:
        return size_byte(c, byte);
    case EXTENSION:
        return ignored_byte(c, byte, SIZE_FEED);
    case SIZE_FEED:
        c->digits = 0;
        return exactly(c, byte, '\n', c->left ? DATA : TRAILER_START);
    case DATA_RETURN:
        return exactly(c, byte, '\r', DATA_FEED);
    case DATA_FEED:
        return exactly(c, byte, '\n', SIZE);
    case TRAILER_START:
        if (byte == '\r') {
            c->state = END_FEED;
            return KL_RULE_NONE;
        }
        c->state = TRAILER;
        return ignored_byte(c, byte, TRAILER_FEED);
    case TRAILER:
        return ignored_byte(c, byte, TRAILER_FEED);
    case TRAILER_FEED:
        return exactly(c, byte, '\n', TRAILER_START);
    case END_FEED:
        c->done = byte == '\n';
        return exactly(c, byte, '\n', SIZE);
    case DATA:
        break;
    }
    KL_UNREACHABLE();
}

kl_rule kl_http_chunks(struct kl_http_chunks *c, u8 *dst, kl_span raw, usize body_max, usize *used,
                       usize *put)
{
    usize at = 0, out = 0;
    while (at < raw.len && !c->done) {
        if (c->state != DATA) {
            KL_JUDGE(framing_byte(c, raw.p[at++]));
            if (c->state == DATA && c->left > body_max - c->body_len)
                return KL_RULE_HTTP_BODY_SIZE;
            continue;
        }
        usize len = (usize)KL_MIN(c->left, (u64)(raw.len - at));
        memmove(dst + out, raw.p + at, len);
        at += len;
        out += len;
        c->body_len += len;
        c->left -= len;
        if (c->left == 0)
            c->state = DATA_RETURN;
    }
    *used = at;
    *put = out;
    return KL_RULE_NONE;
}

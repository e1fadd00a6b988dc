/* ws: frames [RFC 6455 section 5.2].
 *
 *     0                   1
 *     0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5
 *    +-+-+-+-+-------+-+-------------+------------------+---------+---------+
 *    |F|R|R|R| opcode|M| length 0-125| 16 or 64 bits of | mask    | payload |
 *    |I|S|S|S|  (4)  |A| 126: 16 bits| length, if asked | 4 bytes |         |
 *    |N|V|V|V|       |S| 127: 64 bits| for              |         |         |
 *    +-+-+-+-+-------+-+-------------+------------------+---------+---------+
 *
 * A frame is looked at when all of it is there, so a message costs at most its own length and one
 * frame's head, both within the limit. */
#include "rpc/ws.h"

#include "crypto/digest.h"

typedef struct frame {
    bool fin;
    u8 opcode;
    usize head_len;
    u64 len;
    u8 mask[4];
} frame;

static const char base64[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

kl_rule kl_ws_accept(char out[KL_WS_ACCEPT_LEN], kl_span key)
{
    static const char id[] = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"; /* [RFC 6455 section 1.3] */
    enum { KEY_LEN = 24, DIGITS = 22 };
    if (key.len != KEY_LEN || key.p[DIGITS] != '=' || key.p[DIGITS + 1] != '=')
        return KL_RULE_WS_HANDSHAKE;
    for (usize i = 0; i < DIGITS; i++)
        if (!key.p[i] || !strchr(base64, key.p[i]))
            return KL_RULE_WS_HANDSHAKE;
    u8 text[KEY_LEN + sizeof id - 1], digest[21] = {0};
    memcpy(text, key.p, KEY_LEN);
    memcpy(text + KEY_LEN, id, sizeof id - 1);
    kl_sha1(digest, KL_SPAN_OF(text));
    for (usize i = 0; i < 7; i++) {
        u32 three = (u32)digest[3 * i] << 16 | (u32)digest[3 * i + 1] << 8 | digest[3 * i + 2];
        for (usize j = 0; j < 4; j++)
            out[4 * i + j] = base64[three >> (18 - 6 * j) & 63];
    }
    out[KL_WS_ACCEPT_LEN - 1] = '=';
    return KL_RULE_NONE;
}

static bool is_control(u8 opcode)
{
    return opcode & 8;
}

/* Reads the head at the start of bytes; *whole says whether all of it was there. */
static kl_rule read_head(frame *out, kl_span bytes, bool *whole)
{
    *whole = false;
    if (bytes.len < 2)
        return KL_RULE_NONE;
    u8 first = bytes.p[0], second = bytes.p[1];
    u8 opcode = first & 15, short_len = second & 127;
    bool known = opcode <= KL_WS_BINARY || (opcode >= KL_WS_CLOSE && opcode <= KL_WS_PONG);
    if ((first & 0x70) || !known || !(second & 0x80))
        return KL_RULE_WS_FRAME; /* no extension was agreed on, and clients must mask */
    if (is_control(opcode) && (!(first & 0x80) || short_len > KL_WS_CONTROL_MAX))
        return KL_RULE_WS_FRAME;
    usize len_len = short_len == 126 ? 2 : short_len == 127 ? 8 : 0;
    usize head_len = 2 + len_len + 4;
    if (bytes.len < head_len)
        return KL_RULE_NONE;
    u64 len = len_len == 2   ? kl_load_be16(bytes.p + 2)
              : len_len == 8 ? kl_load_be64(bytes.p + 2)
                             : short_len;
    if ((len_len == 2 && len < 126) || (len_len == 8 && (len <= UINT16_MAX || len >> 63)))
        return KL_RULE_WS_FRAME;
    *out = (frame){.fin = first >> 7, .opcode = opcode, .head_len = head_len, .len = len};
    memcpy(out->mask, bytes.p + 2 + len_len, sizeof out->mask);
    *whole = true;
    return KL_RULE_NONE;
}

static void unmask(u8 *p, usize len, const u8 mask[4])
{
    u64 wide = (u64)kl_load_le32(mask) << 32 | kl_load_le32(mask);
    usize i = 0;
    for (; len - i >= 8; i += 8)
        kl_store_le64(p + i, kl_load_le64(p + i) ^ wide);
    for (; i < len; i++)
        p[i] ^= mask[i % 4];
}

static bool is_close_code(unsigned code)
{
    return (code >= 1000 && code <= 1003) || (code >= 1007 && code <= 1014) ||
           (code >= 3000 && code <= 4999);
}

static kl_rule on_control(struct kl_ws *ws, u8 opcode, kl_span payload, kl_ws_event *out)
{
    out->bytes = payload;
    out->kind = opcode == KL_WS_PING ? KL_WS_PINGED : KL_WS_PONGED;
    if (opcode != KL_WS_CLOSE)
        return KL_RULE_NONE;
    out->kind = KL_WS_CLOSED;
    out->code = KL_WS_NORMAL;
    ws->closing = true;
    if (payload.len == 0)
        return KL_RULE_NONE;
    if (payload.len == 1 || !is_close_code(kl_load_be16(payload.p)))
        return KL_RULE_WS_FRAME;
    out->code = kl_load_be16(payload.p);
    return kl_ws_utf8(kl_span_sub(payload, 2, payload.len)) ? KL_RULE_NONE : KL_RULE_WS_UTF8;
}

/* A piece of a message, or all of one; *done says whether out holds a message. */
static kl_rule on_data(struct kl_ws *ws, u8 *buffer, const frame *f, kl_span payload,
                       kl_ws_event *out, bool *done)
{
    u8 opcode = f->opcode ? f->opcode : ws->opcode;
    bool alone = f->fin && f->opcode;
    if (!alone) {
        memmove(buffer + ws->whole, payload.p, payload.len);
        ws->whole += payload.len;
        ws->opcode = opcode;
    }
    *done = f->fin;
    if (!f->fin)
        return KL_RULE_NONE;
    *out = (kl_ws_event){.kind = KL_WS_MESSAGE,
                         .bytes = alone ? payload : kl_span_of(buffer, ws->whole)};
    ws->whole = 0;
    ws->opcode = 0;
    return opcode == KL_WS_BINARY || kl_ws_utf8(out->bytes) ? KL_RULE_NONE : KL_RULE_WS_UTF8;
}

kl_rule kl_ws_next(struct kl_ws *ws, u8 *buffer, usize len, usize message_max, kl_ws_event *out)
{
    *out = (kl_ws_event){.kind = KL_WS_WAIT};
    for (bool done = ws->closing; !done;) {
        kl_span rest = kl_span_of(buffer + ws->at, len - ws->at);
        frame f;
        bool whole;
        KL_JUDGE(read_head(&f, rest, &whole));
        if (!whole)
            break;
        /* a message goes on with continuations, and only a message does */
        if (!is_control(f.opcode) && (f.opcode == KL_WS_CONTINUATION) != (ws->opcode != 0))
            return KL_RULE_WS_FRAME;
        if (!is_control(f.opcode) && f.len > message_max - ws->whole)
            return KL_RULE_WS_SIZE;
        if (f.len > rest.len - f.head_len)
            break;
        u8 *payload = buffer + ws->at + f.head_len;
        unmask(payload, (usize)f.len, f.mask);
        ws->at += f.head_len + (usize)f.len;
        kl_span bytes = kl_span_of(payload, (usize)f.len);
        if (is_control(f.opcode))
            return on_control(ws, f.opcode, bytes, out);
        KL_JUDGE(on_data(ws, buffer, &f, bytes, out, &done));
    }
    return KL_RULE_NONE;
}

usize kl_ws_compact(struct kl_ws *ws, u8 *buffer, usize len)
{
    usize left = ws->closing ? 0 : len - ws->at;
    memmove(buffer + ws->whole, buffer + ws->at, left);
    ws->at = ws->whole;
    return ws->whole + left;
}

unsigned kl_ws_code_of(kl_rule rule)
{
    return rule == KL_RULE_WS_UTF8   ? KL_WS_NOT_UTF8
           : rule == KL_RULE_WS_SIZE ? KL_WS_TOO_BIG
                                     : KL_WS_PROTOCOL;
}

usize kl_ws_head(u8 out[KL_WS_HEAD_MAX], kl_ws_opcode opcode, u64 payload_len)
{
    out[0] = (u8)(0x80 | opcode);
    if (payload_len < 126) {
        out[1] = (u8)payload_len;
        return 2;
    }
    bool wide = payload_len > UINT16_MAX;
    out[1] = wide ? 127 : 126;
    if (wide)
        kl_store_be64(out + 2, payload_len);
    else
        kl_store_be16(out + 2, (u16)payload_len);
    return wide ? 10 : 4;
}

/* The length of the multi-byte character at p, of which len bytes are there; 0 when it is none
 * [RFC 3629 section 4]. */
static usize utf8_character(const u8 *p, usize len)
{
    u8 c = p[0];
    usize n = c >= 0xc2 && c <= 0xdf   ? 2
              : c >= 0xe0 && c <= 0xef ? 3
              : c >= 0xf0 && c <= 0xf4 ? 4
                                       : 0;
    if (n == 0 || n > len)
        return 0;
    u8 low = c == 0xe0 ? 0xa0 : c == 0xf0 ? 0x90 : 0x80;
    u8 high = c == 0xed ? 0x9f : c == 0xf4 ? 0x8f : 0xbf;
    if (p[1] < low || p[1] > high)
        return 0;
    for (usize i = 2; i < n; i++)
        if ((p[i] & 0xc0) != 0x80)
            return 0;
    return n;
}

bool kl_ws_utf8(kl_span bytes)
{
    usize i = 0;
    while (i < bytes.len) {
        if (bytes.len - i >= 8 && (kl_load_le64(bytes.p + i) & 0x8080808080808080u) == 0) {
            i += 8;
        } else if (bytes.p[i] < 0x80) {
            i++;
        } else {
            usize n = utf8_character(bytes.p + i, bytes.len - i);
            if (n == 0)
                return false;
            i += n;
        }
    }
    return true;
}

/* json_text: the inside of JSON strings.  Eight bytes at a time are tested for anything special by
 * arithmetic on a word [the "has a zero byte" identity]: a borrow can make a byte above a true hit
 * look like one, never one below it, so the lowest hit is always right. */
#include "codec/json_priv.h"

#define LOW  0x0101010101010101u
#define HIGH 0x8080808080808080u

static inline u64 zero_bytes(u64 word)
{
    return (word - LOW) & ~word & HIGH;
}

usize kl_json_plain(const u8 *p, const u8 *end)
{
    const u8 *start = p;
    for (; end - p >= 8; p += 8) {
        u64 word = kl_load_le64(p);
        u64 control = (word - LOW * 0x20) & ~word & HIGH;
        u64 special =
            control | (word & HIGH) | zero_bytes(word ^ LOW * '"') | zero_bytes(word ^ LOW * '\\');
        if (special)
            return (usize)(p - start) + (usize)__builtin_ctzll(special) / 8;
    }
    while (p < end && *p >= 0x20 && *p < 0x80 && *p != '"' && *p != '\\')
        p++;
    return (usize)(p - start);
}

static bool is_tail(u8 byte, u8 low, u8 high)
{
    return byte >= low && byte <= high;
}

usize kl_json_utf8(const u8 *p, const u8 *end)
{
    usize room = (usize)(end - p);
    u8 first = room ? p[0] : 0xff;
    if (first < 0x80)
        return 1;
    if (first < 0xc2 || first > 0xf4)
        return 0;
    usize len = first < 0xe0 ? 2 : first < 0xf0 ? 3 : 4;
    if (room < len)
        return 0;
    /* The second byte's range shuts out overlong forms, surrogates and points above 0x10ffff. */
    u8 low = first == 0xe0 ? 0xa0 : first == 0xf0 ? 0x90 : 0x80;
    u8 high = first == 0xed ? 0x9f : first == 0xf4 ? 0x8f : 0xbf;
    if (!is_tail(p[1], low, high))
        return 0;
    for (usize i = 2; i < len; i++)
        if (!is_tail(p[i], 0x80, 0xbf))
            return 0;
    return len;
}

usize kl_json_utf8_put(u8 out[4], u32 point)
{
    if (point < 0x80) {
        out[0] = (u8)point;
        return 1;
    }
    usize len = point < 0x800 ? 2 : point < 0x10000 ? 3 : 4;
    static const u8 lead[5] = {0, 0, 0xc0, 0xe0, 0xf0};
    for (usize i = len; i-- > 1; point >>= 6)
        out[i] = (u8)(0x80 | (point & 0x3f));
    out[0] = (u8)(lead[len] | point);
    return len;
}

/* Four hexadecimal digits; false when they are not. */
static bool unit_of(u32 *unit, const u8 *p, const u8 *end)
{
    if (end - p < 4)
        return false;
    u32 v = 0;
    for (int i = 0; i < 4; i++) {
        u8 number = (u8)(p[i] - '0'), letter = (u8)((p[i] | 0x20) - 'a');
        if (number > 9 && letter > 5)
            return false;
        v = v << 4 | (number < 10 ? number : letter + 10u);
    }
    *unit = v;
    return true;
}

usize kl_json_escape(u32 *point, const u8 *p, const u8 *end)
{
    static const char names[] = "\"\\/bfnrt", values[] = "\"\\/\b\f\n\r\t";
    if (p == end)
        return 0;
    if (*p != 'u') {
        const char *hit = *p ? strchr(names, *p) : NULL;
        *point = hit ? (u8)values[hit - names] : 0;
        return hit != NULL;
    }
    u32 high, low;
    if (!unit_of(&high, p + 1, end))
        return 0;
    *point = high;
    if (high < 0xd800 || high > 0xdfff)
        return 5;
    bool paired = high < 0xdc00 && end - p >= 7 && p[5] == '\\' && p[6] == 'u' &&
                  unit_of(&low, p + 7, end) && low >= 0xdc00 && low <= 0xdfff;
    if (!paired)
        return 0;
    *point = 0x10000 + ((high - 0xd800) << 10) + (low - 0xdc00);
    return 11;
}

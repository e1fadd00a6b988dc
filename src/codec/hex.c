/* hex: digits are handled in bulk.  The loops have no branch on the data, so that compilers make
 * vectors of them; a bad digit anywhere shows in a mask that is looked at once, at the end. */
#include "codec/hex.h"

void kl_hex_digits(char *restrict out, kl_span bytes)
{
    const u8 *restrict in = bytes.p;
    for (usize i = 0; i < bytes.len; i++) {
        u8 high = in[i] >> 4, low = in[i] & 15;
        out[2 * i] = (char)(high + (high > 9 ? 'a' - 10 : '0'));
        out[2 * i + 1] = (char)(low + (low > 9 ? 'a' - 10 : '0'));
    }
}

/* 2 * len digits into len bytes; false, with rubbish written, when one of them is no digit. */
static bool parse_pairs(u8 *restrict out, const u8 *restrict digits, usize len)
{
    u8 bad = 0;
    for (usize i = 0; i < len; i++) {
        u8 a = digits[2 * i], b = digits[2 * i + 1];
        u8 a_number = (u8)(a - '0'), a_letter = (u8)((a | 0x20) - 'a');
        u8 b_number = (u8)(b - '0'), b_letter = (u8)((b | 0x20) - 'a');
        bad |= (u8)((a_number > 9) & (a_letter > 5)) | (u8)((b_number > 9) & (b_letter > 5));
        u8 high = a_number < 10 ? a_number : (u8)(a_letter + 10);
        u8 low = b_number < 10 ? b_number : (u8)(b_letter + 10);
        out[i] = (u8)(high << 4 | low);
    }
    return bad == 0;
}

kl_rule kl_hex_parse(void *out, usize out_len, kl_span digits)
{
    if (digits.len % 2 != 0 || digits.len / 2 != out_len)
        return KL_RULE_HEX_LENGTH;
    return parse_pairs(out, digits.p, out_len) ? KL_RULE_NONE : KL_RULE_HEX_DIGIT;
}

static kl_rule strip_prefix(kl_span *digits, kl_span text)
{
    if (text.len < 2 || text.p[0] != '0' || (text.p[1] | 0x20) != 'x')
        return KL_RULE_HEX_PREFIX;
    *digits = kl_span_of(text.p + 2, text.len - 2);
    return KL_RULE_NONE;
}

kl_rule kl_hex_fixed(void *out, usize out_len, kl_span text)
{
    kl_span digits;
    KL_JUDGE(strip_prefix(&digits, text));
    return kl_hex_parse(out, out_len, digits);
}

kl_rule kl_hex_data(kl_span *out, kl_span text, struct kl_arena *arena, bool *out_of_memory)
{
    kl_span digits;
    *out_of_memory = false;
    KL_JUDGE(strip_prefix(&digits, text));
    if (digits.len % 2 != 0)
        return KL_RULE_HEX_LENGTH;
    usize len = digits.len / 2;
    if (len == 0) {
        *out = KL_SPAN_NONE;
        return KL_RULE_NONE;
    }
    u8 *bytes = KL_TAKE(arena, u8, len);
    if (!bytes) {
        *out_of_memory = true;
        return KL_RULE_NONE;
    }
    KL_JUDGE(kl_hex_parse(bytes, len, digits));
    *out = kl_span_of(bytes, len);
    return KL_RULE_NONE;
}

/* A number of at most `widest` bytes, right-aligned in be[widest]. */
static kl_rule number(u8 *be, usize widest, kl_span text)
{
    kl_span digits;
    KL_JUDGE(strip_prefix(&digits, text));
    if (digits.len == 0)
        return KL_RULE_HEX_EMPTY;
    usize zeros = 0;
    while (zeros < digits.len && digits.p[zeros] == '0')
        zeros++;
    usize len = digits.len - zeros;
    if (len > 2 * widest)
        return KL_RULE_HEX_WIDE;
    u8 padded[64];
    memset(padded, '0', 2 * widest - len);
    memcpy(padded + 2 * widest - len, digits.p + zeros, len);
    return kl_hex_parse(be, widest, kl_span_of(padded, 2 * widest));
}

kl_rule kl_hex_u64(u64 *out, kl_span text)
{
    u8 be[8];
    KL_JUDGE(number(be, sizeof be, text));
    *out = kl_load_be64(be);
    return KL_RULE_NONE;
}

kl_rule kl_hex_u256(kl_u256 *out, kl_span text)
{
    u8 be[32];
    KL_JUDGE(number(be, sizeof be, text));
    *out = kl_u256_from_be(be);
    return KL_RULE_NONE;
}

/* "0x" and the digits of be[len] without leading zeros, at least one. */
static usize quantity(char *out, const u8 *be, usize len)
{
    char digits[64];
    kl_hex_digits(digits, kl_span_of(be, len));
    usize zeros = 0;
    while (zeros < 2 * len - 1 && digits[zeros] == '0')
        zeros++;
    usize count = 2 * len - zeros;
    memcpy(out, "0x", 2);
    memcpy(out + 2, digits + zeros, count);
    out[2 + count] = 0;
    return 2 + count;
}

usize kl_hex_of_u64(char out[KL_HEX_U64_MAX], u64 v)
{
    u8 be[8];
    kl_store_be64(be, v);
    return quantity(out, be, sizeof be);
}

usize kl_hex_of_u256(char out[KL_HEX_U256_MAX], kl_u256 v)
{
    u8 be[32];
    kl_u256_to_be(be, v);
    return quantity(out, be, sizeof be);
}

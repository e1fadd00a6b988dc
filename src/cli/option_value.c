/* Values of options from text.  Fractions are read as whole numbers of their smallest unit: digits
 * that the unit cannot hold are refused, not rounded. */
#include <stdio.h>

#include "cli/option.h"
#include "codec/hex.h"

enum { SECOND_DIGITS = 9, MILLISECOND_DIGITS = 6, ETHER_DIGITS = 18, FRACTION_MAX = 100 };

static bool read_number(u64 *out, const char *text)
{
    kl_u256 wide;
    if (text[0] == '0' && (text[1] == 'x' || text[1] == 'X'))
        return kl_hex_u64(out, kl_span_str(text)) == KL_RULE_NONE;
    return kl_u256_from_decimal(&wide, kl_span_str(text)) && kl_u256_to_u64(out, wide);
}

/* "12.5" with `digits` digits behind the point as 125 and zeros. */
static bool read_fraction(kl_u256 *out, const char *text, usize digits)
{
    char whole[FRACTION_MAX + 1];
    usize len = strcspn(text, "."), rest = text[len] ? strlen(text + len + 1) : 0;
    if (len + digits > FRACTION_MAX || rest > digits || len + rest == 0 || (text[len] && !rest))
        return false;
    memcpy(whole, text, len);
    if (rest)
        memcpy(whole + len, text + len + 1, rest);
    memset(whole + len + rest, '0', digits - rest);
    return kl_u256_from_decimal(out, kl_span_of(whole, len + digits));
}

static bool read_seconds(u64 *out, const char *text)
{
    kl_u256 wide;
    char bare[FRACTION_MAX];
    usize len = strlen(text);
    if (len > 2 && len < sizeof bare && strcmp(text + len - 2, "ms") == 0) {
        memcpy(bare, text, len - 2);
        bare[len - 2] = '\0';
        return read_fraction(&wide, bare, MILLISECOND_DIGITS) && kl_u256_to_u64(out, wide);
    }
    return read_fraction(&wide, text, SECOND_DIGITS) && kl_u256_to_u64(out, wide);
}

static bool read_bool(bool *out, const char *text)
{
    if (strcmp(text, "1") == 0 || strcmp(text, "true") == 0)
        *out = true;
    else if (strcmp(text, "0") == 0 || strcmp(text, "false") == 0)
        *out = false;
    else
        return false;
    return true;
}

static bool put_ranged(const kl_option *option, bool good, u64 value)
{
    if (!good || value < option->min || value > option->max)
        return false;
    *(u64 *)option->into = value;
    return true;
}

bool kl_option_set(const kl_option *option, const char *text)
{
    u64 value = 0;
    bool good;
    switch (option->kind) {
    case KL_OPTION_FLAG:
        return read_bool(option->into, text);
    case KL_OPTION_TEXT:
        if (*text == '\0')
            return false;
        *(const char **)option->into = text;
        return true;
    case KL_OPTION_NUMBER:
        good = read_number(&value, text);
        return put_ranged(option, good, value);
    case KL_OPTION_SECONDS:
        good = read_seconds(&value, text);
        return put_ranged(option, good, value);
    case KL_OPTION_ETHER:
        return read_fraction(option->into, text, ETHER_DIGITS);
    case KL_OPTION_GROUP:
        break;
    }
    KL_UNREACHABLE();
}

/* "0.001" for 1000000. */
static void seconds_text(char out[32], u64 ns)
{
    const u64 second = 1000000000;
    usize len = (usize)snprintf(out, 32, "%llu.%09llu", (unsigned long long)(ns / second),
                                (unsigned long long)(ns % second));
    while (out[len - 1] == '0')
        out[--len] = '\0';
    if (out[len - 1] == '.')
        out[--len] = '\0';
}

void kl_option_expects(char out[KL_EXPECTS_MAX], const kl_option *option)
{
    char low[32], high[32];
    switch (option->kind) {
    case KL_OPTION_FLAG:
        snprintf(out, KL_EXPECTS_MAX, "1 or 0");
        return;
    case KL_OPTION_TEXT:
        snprintf(out, KL_EXPECTS_MAX, "a text");
        return;
    case KL_OPTION_NUMBER:
        snprintf(out, KL_EXPECTS_MAX, "a number from %llu to %llu", (unsigned long long)option->min,
                 (unsigned long long)option->max);
        return;
    case KL_OPTION_SECONDS:
        seconds_text(low, option->min);
        seconds_text(high, option->max);
        snprintf(out, KL_EXPECTS_MAX, "seconds from %s to %s, at most 9 digits behind the point",
                 low, high);
        return;
    case KL_OPTION_ETHER:
        snprintf(out, KL_EXPECTS_MAX, "an amount of ether, at most 18 digits behind the point");
        return;
    case KL_OPTION_GROUP:
        break;
    }
    KL_UNREACHABLE();
}

void kl_option_variable(char out[64], const kl_option *option)
{
    int len = snprintf(out, 64, "KEEL_%s", option->name + 2);
    KL_ASSERT(len < 64);
    for (char *c = out; *c; c++)
        *c = *c == '-' || *c == '.' ? '_' : *c >= 'a' && *c <= 'z' ? (char)(*c - 'a' + 'A') : *c;
}

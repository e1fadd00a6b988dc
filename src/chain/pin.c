#include "chain/pin.h"

#include <stdio.h>

#include "codec/hex.h"

kl_rule kl_pin_parse(kl_pin *out, kl_span text)
{
    kl_u256 number;
    kl_pin pin;
    const u8 *colon = text.len ? memchr(text.p, ':', text.len) : NULL;
    usize at = colon ? (usize)(colon - text.p) : 0;
    bool good = colon && kl_u256_from_decimal(&number, kl_span_sub(text, 0, at)) &&
                kl_u256_to_u64(&pin.number, number) && pin.number > 0 &&
                kl_hex_fixed(pin.hash.b, sizeof pin.hash.b, kl_span_sub(text, at + 1, SIZE_MAX)) ==
                    KL_RULE_NONE;
    if (!good)
        return KL_RULE_PIN_FORM;
    *out = pin;
    return KL_RULE_NONE;
}

void kl_pin_text(char out[KL_PIN_TEXT_MAX], const kl_pin *pin)
{
    usize len = (usize)snprintf(out, KL_PIN_TEXT_MAX, "%llu:0x", (unsigned long long)pin->number);
    kl_hex_digits(out + len, KL_SPAN_OF(pin->hash.b));
    out[len + 2 * sizeof pin->hash.b] = '\0';
}

bool kl_pin_excludes(const kl_pin *pin, u64 number, const kl_hash *hash)
{
    return pin->number && pin->number == number && !kl_hash_eq(&pin->hash, hash);
}

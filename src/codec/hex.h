/* hex: the two spellings of JSON-RPC [execution-apis, "Hex value encoding"]: data, "0x" and an even
 * number of digits; and quantities, "0x" and a number without leading zeros.  Reading is lenient
 * where geth users expect it (upper case, leading zeros of quantities), writing is strict. */
#ifndef KL_CODEC_HEX_H
#define KL_CODEC_HEX_H

#include "base/arena.h"
#include "base/buf.h"
#include "base/rule.h"
#include "base/u256.h"

/* Writes 2 * bytes.len lower-case digits, without "0x". */
void kl_hex_digits(char *restrict out, kl_span bytes);

/* Digits without "0x" into exactly out_len bytes, which hold rubbish when a rule is broken.
 * HEX_DIGIT, HEX_LENGTH. */
kl_rule kl_hex_parse(void *out, usize out_len, kl_span digits);

/* "0x…" of exactly out_len bytes. */
kl_rule kl_hex_fixed(void *out, usize out_len, kl_span text);

/* "0x…" of any even length, into the arena.  HEX_PREFIX, HEX_DIGIT, HEX_LENGTH (odd); *out is
 * {NULL, 0} and KL_RULE_NONE for "0x".  out_of_memory is set, and no rule named, when the arena is
 * exhausted. */
kl_rule kl_hex_data(kl_span *out, kl_span text, struct kl_arena *arena, bool *out_of_memory);

/* "0x…" as a number; *out is untouched when a rule is broken.  HEX_PREFIX, HEX_DIGIT, HEX_EMPTY
 * ("0x"), HEX_WIDE. */
kl_rule kl_hex_u64(u64 *out, kl_span text);
kl_rule kl_hex_u256(kl_u256 *out, kl_span text);

/* "0x0", "0x1f": returns the length, NUL-terminated. */
#define KL_HEX_U64_MAX  19
#define KL_HEX_U256_MAX 67
usize kl_hex_of_u64(char out[KL_HEX_U64_MAX], u64 v);
usize kl_hex_of_u256(char out[KL_HEX_U256_MAX], kl_u256 v);

/* EIP-55 spelling needs a hash and therefore lives in crypto/address.h. */

#endif

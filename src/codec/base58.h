/* base58: bytes as text without look-alikes, Bitcoin's alphabet [base58btc], for peer ids.
 * The cost grows with the square of the length: for short texts only. */
#ifndef KL_CODEC_BASE58_H
#define KL_CODEC_BASE58_H

#include "base/rule.h"
#include "base/span.h"

enum { KL_BASE58_BYTES_MAX = 64 };
#define KL_BASE58_TEXT_MAX (KL_BASE58_BYTES_MAX * 138 / 100 + 2)

/* At most KL_BASE58_BYTES_MAX bytes (asserted); NUL-terminated; returns the length. */
usize kl_base58_encode(char out[KL_BASE58_TEXT_MAX], kl_span bytes);
/* BASE58_DIGIT, BASE58_LENGTH (more than KL_BASE58_BYTES_MAX); outputs are untouched then. */
kl_rule kl_base58_decode(u8 out[KL_BASE58_BYTES_MAX], usize *len, kl_span text);

#endif

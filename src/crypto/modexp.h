/* modexp: base ^ exponent mod modulus over big-endian bytes [EIP-198].  Takes up to 256
 * KiB of stack, inside GMP, and up to 48 where lengths are at most 1,024 bytes [EIP-7823]. */
#ifndef KL_CRYPTO_MODEXP_H
#define KL_CRYPTO_MODEXP_H

#include "base/span.h"
#include "base/status.h"

/* out_len must be modulus.len; the result is left-padded with zeros.  A modulus of 0 or of no bytes
 * gives zeros; 0 ^ 0 mod m is 1 mod m.  Lengths are the caller's gas rule to bound; KL_LIMIT where
 * one is above 256 MiB, KL_NOMEM. */
KL_MUST_USE kl_status kl_modexp_var(u8 *out, usize out_len, kl_span base, kl_span exponent,
                                    kl_span modulus);

#endif

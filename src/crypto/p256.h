/* p256: secp256r1 [FIPS 186-5], as EIP-7951 needs it. */
#ifndef KL_CRYPTO_P256_H
#define KL_CRYPTO_P256_H

#include "base/hash.h"

/* True when r ‖ s (big-endian, 32 bytes each, any s in [1, n)) over digest is by the key x ‖ y.
 * False for every input that is out of range or off the curve. */
bool kl_p256_verify_var(const u8 digest[32], const u8 r_s[64], const u8 x_y[64]);

#endif

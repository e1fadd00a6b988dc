/* crypto: hashes, curves and signature schemes.  Pure functions over the caller's memory, any
 * thread. A name ending in _var takes a time that depends on its input and is for public data only;
 * all that touches a secret is constant time.
 *
 *   keccak.h   Keccak-256, one at a time and in batches     secp256k1.h  recover, verify, sign
 *   digest.h   SHA-256, RIPEMD-160, BLAKE2b F, CRC-32C       p256.h       secp256r1 verify
 *   kdf.h      HMAC, PBKDF2                                  bn254.h      add, mul, pairing
 *   modexp.h   big modular exponentiation                    bls12.h      BLS12-381, KZG opening
 *   address.h  addresses from keys, CREATE and CREATE2       ethash.h     proof of work, light
 *   bls_sign.h signatures that aggregate, on BLS12-381 */
#ifndef KL_CRYPTO_CRYPTO_H
#define KL_CRYPTO_CRYPTO_H

#include "crypto/address.h"
#include "crypto/bls12.h"
#include "crypto/bls_sign.h"
#include "crypto/bn254.h"
#include "crypto/digest.h"
#include "crypto/ethash.h"
#include "crypto/kdf.h"
#include "crypto/keccak.h"
#include "crypto/modexp.h"
#include "crypto/p256.h"
#include "crypto/secp256k1.h"

#endif

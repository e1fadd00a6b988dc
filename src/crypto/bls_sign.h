/* bls_sign: BLS signatures over BLS12-381, keys in G1 and signatures in G2 (min-pk), as Ethereum's
 * consensus layer makes them: ciphersuite BLS_SIG_BLS12381G2_XMD:SHA-256_SSWU_RO_POP_
 * [draft-irtf-cfrg-bls-signature-05, consensus-specs phase0 "BLS signatures"], on blst.
 *
 * A secret is the scalar itself, 32 bytes big-endian, 0 < secret < r.  Points are compressed, and
 * have one encoding each.  A key that is not in G1's subgroup, or is the point at infinity, is no
 * key; a signature outside G2's subgroup is none.  Signing is constant time and deterministic, and
 * there is one signature of a key over a message.  All functions leave outputs untouched when they
 * return false. */
#ifndef KL_CRYPTO_BLS_SIGN_H
#define KL_CRYPTO_BLS_SIGN_H

#include "base/span.h"
#include "base/wipe.h"

enum { KL_BLS_KEY_LEN = 48, KL_BLS_SIGNATURE_LEN = 96 };

/* False for a secret out of range. */
KL_MUST_USE bool kl_bls_public_key(u8 out[KL_BLS_KEY_LEN], const kl_secret32 *secret);
KL_MUST_USE bool kl_bls_sign(u8 out[KL_BLS_SIGNATURE_LEN], const kl_secret32 *secret,
                             kl_span message);

/* KeyValidate. */
bool kl_bls_key_valid(const u8 key[KL_BLS_KEY_LEN]);

bool kl_bls_verify(const u8 key[KL_BLS_KEY_LEN], kl_span message,
                   const u8 signature[KL_BLS_SIGNATURE_LEN]);

/* PopProve: that somebody knows the secret behind a key, signed in a domain of its own.  Keys whose
 * proof has been checked may be aggregated: without it a key can be made that cancels others. */
KL_MUST_USE bool kl_bls_prove(u8 out[KL_BLS_SIGNATURE_LEN], const kl_secret32 *secret);
/* PopVerify, KeyValidate included. */
bool kl_bls_check_proof(const u8 key[KL_BLS_KEY_LEN], const u8 proof[KL_BLS_SIGNATURE_LEN]);

/* Aggregate: count > 0 (asserted).  False when one is no signature. */
KL_MUST_USE bool kl_bls_aggregate(u8 out[KL_BLS_SIGNATURE_LEN], const u8 *const *signatures,
                                  usize count);

/* FastAggregateVerify: one message, count > 0 (asserted) keys.  Each has passed kl_bls_check_proof:
 * only the sum of the keys is asked for the subgroup.  512 keys are kept opened for the process,
 * behind a lock that is held for an addition a key. */
bool kl_bls_verify_aggregate(const u8 *const *keys, usize count, kl_span message,
                             const u8 signature[KL_BLS_SIGNATURE_LEN]);

#endif

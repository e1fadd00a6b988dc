/* scheme: how votes are signed, numbered so that a chain can change it at an epoch.
 *
 *   1  secp256k1     key: the address; signature: r ‖ s ‖ y_parity, 65 bytes, over
 *                    keccak(preimage), low s; ecrecover checks it on any EVM chain
 *   2  bls12-381     key: 48 bytes in G1; signature: 96 bytes in G2, Ethereum's ciphersuite
 *                    BLS_SIG_BLS12381G2_XMD:SHA-256_SSWU_RO_POP_; proof of possession
 *   255 keyed hash   for tests and the simulator: key = keccak(secret); signature =
 *                    keccak(key ‖ preimage).  Anybody can forge it: no chain spec may name it
 *
 * All are attributable: who signed can be proven to others.  Thread: any. */
#ifndef KL_CERT_SCHEME_H
#define KL_CERT_SCHEME_H

#include "base/span.h"
#include "base/wipe.h"

enum {
    KL_VOTE_KEY_MAX = 48,
    KL_VOTE_SIGNATURE_MAX = 96,
    KL_VOTE_PROOF_MAX = 96,
    KL_SCHEME_SECP256K1 = 1,
    KL_SCHEME_BLS12_381 = 2,
    KL_SCHEME_KEYED_HASH = 255,
};

typedef struct kl_vote_scheme {
    u8 id;
    const char *name; /* "secp256k1" */
    usize key_len, signature_len;
    usize proof_len; /* of a proof of possession; 0: the scheme needs none */
    bool aggregates; /* a certificate carries one signature instead of one a signer */

    /* False for a secret that is none. */
    bool (*public_key)(u8 *key, const kl_secret32 *secret);
    bool (*prove)(u8 *proof, const kl_secret32 *secret);
    /* A key from outside: well-formed, in its group, and its proof holds. */
    bool (*check_key)(const u8 *key, kl_span proof);

    /* Deterministic: the same preimage gives the same signature.  False for a bad secret. */
    bool (*sign)(u8 *signature, const kl_secret32 *secret, kl_span preimage);
    bool (*verify)(const u8 *key, kl_span preimage, const u8 *signature);

    /* With aggregates: one signature of count > 0, all well-formed; and whether it is one of all
     * these keys, each of which has passed check_key, over the same preimage. */
    bool (*aggregate)(u8 *signature, const u8 *const *signatures, usize count);
    bool (*verify_aggregate)(const u8 *const *keys, usize count, kl_span preimage,
                             const u8 *signature);
} kl_vote_scheme;

/* NULL for a number that is no scheme; the keyed hash only when tests is set. */
const kl_vote_scheme *kl_vote_scheme_of(u8 id, bool tests);

#endif

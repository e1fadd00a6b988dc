/* curve25519: key agreement [RFC 7748] and signatures [RFC 8032], for peers' identities and their
 * connections.  Thread: any. */
#ifndef KL_CRYPTO_CURVE25519_H
#define KL_CRYPTO_CURVE25519_H

#include "base/span.h"
#include "base/wipe.h"

enum { KL_ED25519_SIGNATURE_LEN = 64 };

/* X25519.  Any 32 bytes are a secret, and a public key. */
void kl_x25519_public(u8 out[32], const kl_secret32 *secret);
/* False, and nothing is shared, when the other's key is of small order: the outcome would be zeros
 * whatever our secret is. */
KL_MUST_USE bool kl_x25519(kl_secret32 *shared, const kl_secret32 *secret, const u8 peer[32]);

/* Ed25519; the secret is the seed. */
void kl_ed25519_public(u8 out[32], const kl_secret32 *secret);
void kl_ed25519_sign(u8 out[KL_ED25519_SIGNATURE_LEN], const kl_secret32 *secret, kl_span message);
bool kl_ed25519_verify(const u8 key[32], kl_span message,
                       const u8 signature[KL_ED25519_SIGNATURE_LEN]);

#endif

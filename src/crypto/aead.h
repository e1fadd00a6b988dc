/* aead: ChaCha20-Poly1305, encryption that notices changes [RFC 8439].  One object is one key in
 * one direction.  Thread: one at a time. */
#ifndef KL_CRYPTO_AEAD_H
#define KL_CRYPTO_AEAD_H

#include "base/span.h"
#include "base/wipe.h"

enum {
    KL_AEAD_TAG_LEN = 16,
    KL_AEAD_NONCE_LEN = 12,
};
#define KL_AEAD_PLAIN_MAX ((usize)1 << 30)

struct kl_aead;

/* The key is copied, and wiped with the object.  NULL when there is no memory. */
struct kl_aead *kl_aead_new(const kl_secret32 *key);
void kl_aead_free(struct kl_aead *aead); /* NULL is fine */

/* Writes plain.len + KL_AEAD_TAG_LEN bytes; out may be where plain is.  A nonce is used once. */
void kl_aead_seal(struct kl_aead *aead, u8 *out, const u8 nonce[KL_AEAD_NONCE_LEN], kl_span extra,
                  kl_span plain);
/* Writes sealed.len - KL_AEAD_TAG_LEN bytes; out may be where sealed is.  False when it was not
 * sealed with this key, nonce and extra, or is shorter than a tag; what out holds is then worth
 * nothing. */
KL_MUST_USE bool kl_aead_open(struct kl_aead *aead, u8 *out, const u8 nonce[KL_AEAD_NONCE_LEN],
                              kl_span extra, kl_span sealed);

#endif

/* noise_priv: the symmetric part of a handshake, for noise.c. */
#ifndef KL_P2P_NOISE_PRIV_H
#define KL_P2P_NOISE_PRIV_H

#include "crypto/aead.h"
#include "p2p/noise.h"

/* [Noise section 5.2] */
typedef struct noise_symmetric {
    u8 hash[32];
    kl_secret32 chaining;
    struct kl_aead *aead; /* NULL before the first key */
    u64 nonce;
} noise_symmetric;

void noise_nonce(u8 out[KL_AEAD_NONCE_LEN], u64 counter);
void noise_symmetric_init(noise_symmetric *s);
void noise_symmetric_done(noise_symmetric *s);
void noise_mix_hash(noise_symmetric *s, kl_span bytes);
KL_MUST_USE kl_status noise_mix_key(noise_symmetric *s, const kl_secret32 *input);
/* EncryptAndHash and DecryptAndHash: in clear before the first key. */
void noise_seal(noise_symmetric *s, struct kl_buf *out, kl_span text);
KL_MUST_USE bool noise_open(noise_symmetric *s, u8 *out, kl_span sealed);
/* The keys of the two directions, the dialer's first. */
KL_MUST_USE kl_status noise_split(noise_symmetric *s, struct kl_aead **first,
                                  struct kl_aead **second);

#endif

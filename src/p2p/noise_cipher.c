/* The symmetric state of a handshake [Noise section 5.2], for the one suite that libp2p uses. */
#include "p2p/noise_priv.h"

#include "crypto/digest.h"
#include "crypto/kdf.h"

#define SUITE "Noise_XX_25519_ChaChaPoly_SHA256"

void noise_nonce(u8 out[KL_AEAD_NONCE_LEN], u64 counter)
{
    memset(out, 0, KL_AEAD_NONCE_LEN);
    for (usize i = 0; i < 8; i++)
        out[4 + i] = (u8)(counter >> (8 * i));
}

static void hash_two(u8 out[32], kl_span a, kl_span b)
{
    u8 room[32 + KL_NOISE_HANDSHAKE_MAX + KL_AEAD_TAG_LEN];
    KL_ASSERT(a.len + b.len <= sizeof room);
    memcpy(room, a.p, a.len);
    if (b.len)
        memcpy(room + a.len, b.p, b.len);
    kl_sha256(out, kl_span_of(room, a.len + b.len));
}

void noise_symmetric_init(noise_symmetric *s)
{
    memset(s, 0, sizeof *s);
    KL_ASSERT(sizeof SUITE - 1 == sizeof s->hash);
    memcpy(s->hash, SUITE, sizeof s->hash);
    memcpy(s->chaining.b, SUITE, sizeof s->chaining.b);
    noise_mix_hash(s, KL_SPAN_NONE); /* the prologue */
}

void noise_symmetric_done(noise_symmetric *s)
{
    kl_aead_free(s->aead);
    kl_wipe(s, sizeof *s);
}

void noise_mix_hash(noise_symmetric *s, kl_span bytes)
{
    hash_two(s->hash, KL_SPAN_OF(s->hash), bytes);
}

kl_status noise_mix_key(noise_symmetric *s, const kl_secret32 *input)
{
    u8 out[64];
    KL_SECRET key;
    kl_hkdf_sha256(out, sizeof out, KL_SPAN_OF(s->chaining.b), KL_SPAN_OF(input->b), KL_SPAN_NONE);
    memcpy(s->chaining.b, out, 32);
    memcpy(key.b, out + 32, 32);
    kl_wipe(out, sizeof out);
    kl_aead_free(s->aead);
    s->aead = kl_aead_new(&key);
    s->nonce = 0;
    return s->aead ? KL_OK : KL_NOMEM;
}

void noise_seal(noise_symmetric *s, struct kl_buf *out, kl_span text)
{
    usize len = text.len + (s->aead ? KL_AEAD_TAG_LEN : 0u);
    u8 *room = kl_buf_extend(out, len);
    if (!room)
        return;
    if (s->aead) {
        u8 nonce[KL_AEAD_NONCE_LEN];
        noise_nonce(nonce, s->nonce++);
        kl_aead_seal(s->aead, room, nonce, KL_SPAN_OF(s->hash), text);
    } else if (len) {
        memcpy(room, text.p, len);
    }
    noise_mix_hash(s, kl_span_of(room, len));
}

bool noise_open(noise_symmetric *s, u8 *out, kl_span sealed)
{
    if (s->aead) {
        u8 nonce[KL_AEAD_NONCE_LEN];
        noise_nonce(nonce, s->nonce++);
        if (!kl_aead_open(s->aead, out, nonce, KL_SPAN_OF(s->hash), sealed))
            return false;
    } else if (sealed.len) {
        memcpy(out, sealed.p, sealed.len);
    }
    noise_mix_hash(s, sealed);
    return true;
}

kl_status noise_split(noise_symmetric *s, struct kl_aead **first, struct kl_aead **second)
{
    u8 out[64];
    KL_SECRET a;
    KL_SECRET b;
    kl_hkdf_sha256(out, sizeof out, KL_SPAN_OF(s->chaining.b), KL_SPAN_NONE, KL_SPAN_NONE);
    memcpy(a.b, out, 32);
    memcpy(b.b, out + 32, 32);
    kl_wipe(out, sizeof out);
    *first = kl_aead_new(&a);
    *second = kl_aead_new(&b);
    return *first && *second ? KL_OK : KL_NOMEM;
}

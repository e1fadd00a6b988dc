/* The dialer's side of a handshake [Noise XX], done by hand, so that what stands in its third
 * message can be a lie. */
#include <stdlib.h>

#include "codec/protobuf.h"
#include "crypto/aead.h"
#include "crypto/curve25519.h"
#include "crypto/digest.h"
#include "crypto/kdf.h"
#include "evil/evil_priv.h"

#define SUITE "Noise_XX_25519_ChaChaPoly_SHA256"

enum { KEY = 32, SEALED_KEY = KEY + KL_AEAD_TAG_LEN, MESSAGE_MAX = 4096 };

struct evil_forge {
    u8 hash[32], chaining[32];
    struct kl_aead *aead;
    u64 nonce;
    kl_secret32 ephemeral, fixed;
    bool done;
};

static void mix_hash(struct evil_forge *f, kl_span bytes)
{
    u8 room[32 + MESSAGE_MAX];
    KL_ASSERT(bytes.len <= MESSAGE_MAX);
    memcpy(room, f->hash, 32);
    if (bytes.len)
        memcpy(room + 32, bytes.p, bytes.len);
    kl_sha256(f->hash, kl_span_of(room, 32 + bytes.len));
}

static void mix_key(struct evil_forge *f, const kl_secret32 *ours, const u8 theirs[KEY])
{
    u8 out[64];
    kl_secret32 shared, key;
    KL_ASSERT(kl_x25519(&shared, ours, theirs));
    kl_hkdf_sha256(out, sizeof out, KL_SPAN_OF(f->chaining), KL_SPAN_OF(shared.b), KL_SPAN_NONE);
    memcpy(f->chaining, out, 32);
    memcpy(key.b, out + 32, 32);
    kl_aead_free(f->aead);
    f->aead = kl_aead_new(&key);
    KL_ASSERT(f->aead);
    f->nonce = 0;
}

static void next_nonce(struct evil_forge *f, u8 nonce[KL_AEAD_NONCE_LEN])
{
    memset(nonce, 0, KL_AEAD_NONCE_LEN);
    nonce[4] = (u8)f->nonce++;
}

static usize seal(struct evil_forge *f, u8 *out, kl_span text)
{
    u8 nonce[KL_AEAD_NONCE_LEN];
    usize len = text.len + KL_AEAD_TAG_LEN;
    next_nonce(f, nonce);
    kl_aead_seal(f->aead, out, nonce, KL_SPAN_OF(f->hash), text);
    mix_hash(f, kl_span_of(out, len));
    return len;
}

static bool unseal(struct evil_forge *f, u8 *out, kl_span sealed)
{
    u8 nonce[KL_AEAD_NONCE_LEN];
    next_nonce(f, nonce);
    bool good = kl_aead_open(f->aead, out, nonce, KL_SPAN_OF(f->hash), sealed);
    mix_hash(f, sealed);
    return good;
}

static void say(struct evil_wire *w, kl_span message)
{
    u8 head[2] = {(u8)(message.len >> 8), (u8)message.len};
    evil_raw(w, KL_SPAN_OF(head));
    evil_raw(w, message);
}

struct evil_forge *evil_forge_new(struct evil_wire *w)
{
    u8 key[KEY];
    struct evil_forge *f = calloc(1, sizeof *f);
    KL_ASSERT(f);
    memcpy(f->hash, SUITE, 32);
    memcpy(f->chaining, SUITE, 32);
    mix_hash(f, KL_SPAN_NONE);
    evil_random_bytes(w->evil, f->ephemeral.b, KEY);
    evil_random_bytes(w->evil, f->fixed.b, KEY);
    kl_x25519_public(key, &f->ephemeral);
    mix_hash(f, KL_SPAN_OF(key));
    mix_hash(f, KL_SPAN_NONE); /* the first message's payload */
    say(w, KL_SPAN_OF(key));
    return f;
}

void evil_forge_free(struct evil_forge *f)
{
    if (!f)
        return;
    kl_aead_free(f->aead);
    free(f);
}

/* The key of whom we say we are, and a signature that is nobody's. */
static kl_span payload(struct evil_wire *w, u8 *room, usize len)
{
    u8 key[KL_PEER_KEY_LEN], signature[KL_ED25519_SIGNATURE_LEN];
    kl_peer_id id = kl_peer_id_of(&w->identity);
    kl_out to = kl_out_of(key, sizeof key), out = kl_out_of(room, len);
    kl_peer_key_put(&to, &id);
    kl_pb_put_bytes(&out, 1, kl_out_done(&to));
    evil_random_bytes(w->evil, signature, sizeof signature);
    kl_pb_put_bytes(&out, 2, KL_SPAN_OF(signature));
    return kl_out_done(&out);
}

static bool answer(struct evil_forge *f, struct evil_wire *w, kl_span m)
{
    u8 theirs[KEY], fixed[KEY], text[MESSAGE_MAX], room[256], out[512];
    if (m.len < KEY + SEALED_KEY + KL_AEAD_TAG_LEN || m.len > MESSAGE_MAX)
        return false;
    memcpy(theirs, m.p, KEY);
    mix_hash(f, KL_SPAN_OF(theirs));
    mix_key(f, &f->ephemeral, theirs);
    if (!unseal(f, fixed, kl_span_sub(m, KEY, SEALED_KEY)))
        return false;
    mix_key(f, &f->ephemeral, fixed);
    if (!unseal(f, text, kl_span_sub(m, KEY + SEALED_KEY, m.len - KEY - SEALED_KEY)))
        return false;
    u8 key[KEY];
    kl_x25519_public(key, &f->fixed);
    usize len = seal(f, out, KL_SPAN_OF(key));
    mix_key(f, &f->fixed, theirs);
    len += seal(f, out + len, payload(w, room, sizeof room));
    say(w, kl_span_of(out, len));
    return true;
}

bool evil_forge_feed(struct evil_forge *f, struct evil_wire *w, kl_span *in)
{
    if (f->done || in->len < 2)
        return true;
    usize len = (usize)(in->p[0] << 8 | in->p[1]);
    if (in->len < 2 + len)
        return true;
    f->done = true;
    bool good = answer(f, w, kl_span_sub(*in, 2, len));
    *in = kl_span_sub(*in, 2 + len, in->len - 2 - len);
    return good;
}

#include "p2p/noise.h"

#include <stdlib.h>

#include "codec/protobuf.h"
#include "crypto/curve25519.h"
#include "p2p/noise_priv.h"

#define SIGNED_PREFIX "noise-libp2p-static-key:"

enum {
    FRAME_HEAD = 2,
    KEY_LEN = 32,
    SEALED_KEY_LEN = KEY_LEN + KL_AEAD_TAG_LEN,
    MUXERS_MAX = 8,
    /* the handshake's payload */
    FIELD_KEY = 1,
    FIELD_SIGNATURE = 2,
    FIELD_EXTENSIONS = 4,
    FIELD_MUXERS = 2, /* of the extensions */
};

struct kl_noise {
    bool dials, expects, open, over;
    unsigned step; /* handshake messages so far */
    kl_secret32 identity, static_key, ephemeral;
    kl_peer_id expected, peer;
    u8 peer_static[KEY_LEN], peer_ephemeral[KEY_LEN];
    const kl_span *muxers;
    usize muxer_count, muxer;
    noise_symmetric symmetric;
    struct kl_aead *send, *receive;
    u64 sent, received; /* frames */
};

/* --- what a peer says of itself --- */

static void signed_text(u8 out[sizeof SIGNED_PREFIX - 1 + KEY_LEN], const u8 key[KEY_LEN])
{
    memcpy(out, SIGNED_PREFIX, sizeof SIGNED_PREFIX - 1);
    memcpy(out + sizeof SIGNED_PREFIX - 1, key, KEY_LEN);
}

static void put_extensions(kl_out *out, const struct kl_noise *n)
{
    for (usize i = 0; i < n->muxer_count; i++)
        kl_pb_put_bytes(out, FIELD_MUXERS, n->muxers[i]);
}

static void put_payload(kl_out *out, const struct kl_noise *n)
{
    u8 text[sizeof SIGNED_PREFIX - 1 + KEY_LEN], key[KEY_LEN], proto[KL_PEER_KEY_LEN];
    u8 signature[KL_ED25519_SIGNATURE_LEN];
    kl_peer_id id = kl_peer_id_of(&n->identity);
    kl_out to = kl_out_of(proto, sizeof proto);
    kl_x25519_public(key, &n->static_key);
    signed_text(text, key);
    kl_ed25519_sign(signature, &n->identity, KL_SPAN_OF(text));
    kl_peer_key_put(&to, &id);
    kl_pb_put_bytes(out, FIELD_KEY, kl_out_done(&to));
    kl_pb_put_bytes(out, FIELD_SIGNATURE, KL_SPAN_OF(signature));
    if (n->muxer_count == 0)
        return;
    kl_out counter = kl_out_counter();
    put_extensions(&counter, n);
    kl_pb_put_head(out, FIELD_EXTENSIONS, counter.len);
    put_extensions(out, n);
}

/* What the peer's payload has; the last of a field that comes twice counts, as protobuf has it. */
struct payload {
    kl_span key, signature, muxers[MUXERS_MAX];
    usize muxer_count;
};

static kl_rule get_extensions(struct payload *p, kl_span bytes)
{
    kl_pb_field f;
    while (bytes.len) {
        KL_JUDGE(kl_pb_next(&bytes, &f));
        if (f.number == FIELD_MUXERS && f.wire == KL_PB_BYTES && p->muxer_count < MUXERS_MAX)
            p->muxers[p->muxer_count++] = f.bytes;
    }
    return KL_RULE_NONE;
}

static kl_rule get_payload(struct payload *p, kl_span bytes)
{
    kl_pb_field f;
    *p = (struct payload){.muxer_count = 0};
    while (bytes.len) {
        KL_JUDGE(kl_pb_next(&bytes, &f));
        if (f.wire != KL_PB_BYTES)
            continue;
        if (f.number == FIELD_KEY)
            p->key = f.bytes;
        else if (f.number == FIELD_SIGNATURE)
            p->signature = f.bytes;
        else if (f.number == FIELD_EXTENSIONS)
            KL_JUDGE(get_extensions(p, f.bytes));
    }
    return KL_RULE_NONE;
}

/* The dialer's best muxer that the listener has too. */
static usize agree(const struct kl_noise *n, const struct payload *p)
{
    usize outer = n->dials ? n->muxer_count : p->muxer_count;
    usize inner = n->dials ? p->muxer_count : n->muxer_count;
    for (usize i = 0; i < outer; i++)
        for (usize j = 0; j < inner; j++) {
            usize ours = n->dials ? i : j, theirs = n->dials ? j : i;
            if (kl_span_eq(n->muxers[ours], p->muxers[theirs]))
                return ours;
        }
    return KL_NOISE_NO_MUXER;
}

static kl_rule believe(struct kl_noise *n, kl_span bytes)
{
    struct payload p;
    u8 text[sizeof SIGNED_PREFIX - 1 + KEY_LEN];
    KL_JUDGE(get_payload(&p, bytes));
    KL_JUDGE(kl_peer_key(&n->peer, p.key));
    signed_text(text, n->peer_static);
    if (p.signature.len != KL_ED25519_SIGNATURE_LEN ||
        !kl_ed25519_verify(n->peer.key, KL_SPAN_OF(text), p.signature.p))
        return KL_RULE_NOISE_IDENTITY;
    if (n->expects && !kl_peer_id_eq(&n->peer, &n->expected))
        return KL_RULE_NOISE_PEER;
    n->muxer = agree(n, &p);
    return KL_RULE_NONE;
}

/* --- the three messages --- */

static usize begin_frame(struct kl_buf *out)
{
    usize at = out->len;
    kl_buf_bytes(out, "\0\0", FRAME_HEAD);
    return at;
}

static void end_frame(struct kl_buf *out, usize at)
{
    if (out->failed)
        return;
    usize len = out->len - at - FRAME_HEAD;
    KL_ASSERT(len <= UINT16_MAX);
    out->p[at] = (u8)(len >> 8);
    out->p[at + 1] = (u8)len;
}

static void put_ephemeral(struct kl_noise *n, struct kl_buf *out)
{
    u8 key[KEY_LEN];
    kl_x25519_public(key, &n->ephemeral);
    kl_buf_bytes(out, key, sizeof key);
    noise_mix_hash(&n->symmetric, KL_SPAN_OF(key));
}

/* Mixes in what our secret and the peer's key give. */
static kl_status mix(struct kl_noise *n, const kl_secret32 *ours, const u8 theirs[KEY_LEN],
                     kl_rule *broken)
{
    KL_SECRET shared;
    if (!kl_x25519(&shared, ours, theirs)) {
        *broken = KL_RULE_NOISE_KEY;
        return KL_OK;
    }
    return noise_mix_key(&n->symmetric, &shared);
}

static void put_static(struct kl_noise *n, struct kl_buf *out)
{
    u8 key[KEY_LEN];
    kl_x25519_public(key, &n->static_key);
    noise_seal(&n->symmetric, out, KL_SPAN_OF(key));
}

static void put_identity(struct kl_noise *n, struct kl_buf *out)
{
    u8 room[KL_NOISE_HANDSHAKE_MAX - 256];
    kl_out to = kl_out_of(room, sizeof room);
    put_payload(&to, n);
    KL_ASSERT(!to.full);
    noise_seal(&n->symmetric, out, kl_out_done(&to));
}

/* Takes the peer's static key and identity off a message's end, with the key that comes between
 * them: what `ours` gives with the static key. */
static kl_status get_static(struct kl_noise *n, kl_span *rest, kl_rule *broken)
{
    if (rest->len < SEALED_KEY_LEN) {
        *broken = KL_RULE_NOISE_FRAME;
        return KL_OK;
    }
    if (!noise_open(&n->symmetric, n->peer_static, kl_span_sub(*rest, 0, SEALED_KEY_LEN))) {
        *broken = KL_RULE_NOISE_DECRYPT;
        return KL_OK;
    }
    *rest = kl_span_sub(*rest, SEALED_KEY_LEN, rest->len - SEALED_KEY_LEN);
    return mix(n, &n->ephemeral, n->peer_static, broken);
}

static kl_rule get_identity(struct kl_noise *n, kl_span sealed)
{
    u8 room[KL_NOISE_HANDSHAKE_MAX];
    if (sealed.len < KL_AEAD_TAG_LEN)
        return KL_RULE_NOISE_FRAME;
    if (!noise_open(&n->symmetric, room, sealed))
        return KL_RULE_NOISE_DECRYPT;
    return believe(n, kl_span_of(room, sealed.len - KL_AEAD_TAG_LEN));
}

static kl_status finish(struct kl_noise *n)
{
    KL_TRY(n->dials ? noise_split(&n->symmetric, &n->send, &n->receive)
                    : noise_split(&n->symmetric, &n->receive, &n->send));
    noise_symmetric_done(&n->symmetric);
    kl_secret32_wipe(&n->identity);
    kl_secret32_wipe(&n->static_key);
    kl_secret32_wipe(&n->ephemeral);
    n->open = true;
    return KL_OK;
}

/* Listener: e arrives; e, ee, s, es and the identity leave. */
static kl_status answer_first(struct kl_noise *n, kl_span message, struct kl_buf *send,
                              kl_rule *broken)
{
    if (message.len < KEY_LEN) {
        *broken = KL_RULE_NOISE_FRAME;
        return KL_OK;
    }
    memcpy(n->peer_ephemeral, message.p, KEY_LEN);
    noise_mix_hash(&n->symmetric, KL_SPAN_OF(n->peer_ephemeral));
    /* a payload here is in clear, and nothing that counts */
    noise_mix_hash(&n->symmetric, kl_span_sub(message, KEY_LEN, message.len - KEY_LEN));
    usize at = begin_frame(send);
    put_ephemeral(n, send);
    KL_TRY(mix(n, &n->ephemeral, n->peer_ephemeral, broken));
    if (*broken != KL_RULE_NONE)
        return KL_OK;
    put_static(n, send);
    KL_TRY(mix(n, &n->static_key, n->peer_ephemeral, broken));
    if (*broken != KL_RULE_NONE)
        return KL_OK;
    put_identity(n, send);
    end_frame(send, at);
    return KL_OK;
}

/* Dialer: e, ee, s, es and the identity arrive; s, se and the identity leave. */
static kl_status answer_second(struct kl_noise *n, kl_span message, struct kl_buf *send,
                               kl_rule *broken)
{
    if (message.len < KEY_LEN) {
        *broken = KL_RULE_NOISE_FRAME;
        return KL_OK;
    }
    memcpy(n->peer_ephemeral, message.p, KEY_LEN);
    noise_mix_hash(&n->symmetric, KL_SPAN_OF(n->peer_ephemeral));
    KL_TRY(mix(n, &n->ephemeral, n->peer_ephemeral, broken));
    if (*broken != KL_RULE_NONE)
        return KL_OK;
    kl_span rest = kl_span_sub(message, KEY_LEN, message.len - KEY_LEN);
    KL_TRY(get_static(n, &rest, broken));
    if (*broken == KL_RULE_NONE)
        *broken = get_identity(n, rest);
    if (*broken != KL_RULE_NONE)
        return KL_OK;
    usize at = begin_frame(send);
    put_static(n, send);
    KL_TRY(mix(n, &n->static_key, n->peer_ephemeral, broken));
    if (*broken != KL_RULE_NONE)
        return KL_OK;
    put_identity(n, send);
    end_frame(send, at);
    return finish(n);
}

/* Listener: s, se and the identity arrive. */
static kl_status hear_third(struct kl_noise *n, kl_span message, kl_rule *broken)
{
    kl_span rest = message;
    KL_TRY(get_static(n, &rest, broken));
    if (*broken == KL_RULE_NONE)
        *broken = get_identity(n, rest);
    return *broken == KL_RULE_NONE ? finish(n) : KL_OK;
}

static kl_status hear_handshake(struct kl_noise *n, kl_span message, struct kl_buf *send,
                                kl_rule *broken)
{
    if (message.len > KL_NOISE_HANDSHAKE_MAX) {
        *broken = KL_RULE_NOISE_FRAME;
        return KL_OK;
    }
    n->step++;
    if (n->dials)
        return answer_second(n, message, send, broken);
    return n->step == 1 ? answer_first(n, message, send, broken) : hear_third(n, message, broken);
}

/* --- afterwards --- */

static kl_rule hear_text(struct kl_noise *n, kl_span sealed, struct kl_buf *plain)
{
    u8 nonce[KL_AEAD_NONCE_LEN];
    if (sealed.len < KL_AEAD_TAG_LEN)
        return KL_RULE_NOISE_FRAME;
    u8 *room = kl_buf_extend(plain, sealed.len - KL_AEAD_TAG_LEN);
    if (!room && plain->failed)
        return KL_RULE_NONE;
    noise_nonce(nonce, n->received++);
    if (kl_aead_open(n->receive, room, nonce, KL_SPAN_NONE, sealed))
        return KL_RULE_NONE;
    plain->len -= sealed.len - KL_AEAD_TAG_LEN; /* what is there is nobody's text */
    return KL_RULE_NOISE_DECRYPT;
}

void kl_noise_write(struct kl_noise *n, kl_span text, struct kl_buf *send)
{
    KL_ASSERT(n->open);
    while (text.len) {
        u8 nonce[KL_AEAD_NONCE_LEN];
        usize len = KL_MIN(text.len, (usize)KL_NOISE_PLAIN_MAX);
        u8 *room = kl_buf_extend(send, FRAME_HEAD + len + KL_AEAD_TAG_LEN);
        if (!room)
            return;
        room[0] = (u8)((len + KL_AEAD_TAG_LEN) >> 8);
        room[1] = (u8)(len + KL_AEAD_TAG_LEN);
        noise_nonce(nonce, n->sent++);
        kl_aead_seal(n->send, room + FRAME_HEAD, nonce, KL_SPAN_NONE, kl_span_sub(text, 0, len));
        text = kl_span_sub(text, len, text.len - len);
    }
}

static kl_status hear(struct kl_noise *n, kl_span frame, struct kl_buf *send, struct kl_buf *plain,
                      kl_rule *broken)
{
    if (!n->open)
        KL_TRY(hear_handshake(n, frame, send, broken));
    else
        *broken = hear_text(n, frame, plain);
    return send->failed || plain->failed ? KL_NOMEM : KL_OK;
}

kl_status kl_noise_feed(struct kl_noise *n, kl_span *in, struct kl_buf *send, struct kl_buf *plain,
                        kl_rule *broken)
{
    KL_ASSERT(!n->over);
    *broken = KL_RULE_NONE;
    while (in->len >= FRAME_HEAD) {
        usize len = (usize)in->p[0] << 8 | in->p[1];
        if (!n->open && len > KL_NOISE_HANDSHAKE_MAX) {
            *broken = KL_RULE_NOISE_FRAME; /* and nobody waits for the rest */
            n->over = true;
            return KL_OK;
        }
        if (in->len < FRAME_HEAD + len)
            break;
        kl_status status = hear(n, kl_span_sub(*in, FRAME_HEAD, len), send, plain, broken);
        n->over = status != KL_OK || *broken != KL_RULE_NONE;
        if (n->over)
            return status;
        *in = kl_span_sub(*in, FRAME_HEAD + len, in->len - FRAME_HEAD - len);
    }
    return KL_OK;
}

kl_status kl_noise_new(struct kl_noise **out, const kl_noise_config *config, struct kl_buf *send)
{
    KL_ASSERT(config->muxer_count <= MUXERS_MAX);
    struct kl_noise *n = calloc(1, sizeof *n);
    if (!n)
        return KL_NOMEM;
    n->dials = config->dials;
    n->identity = *config->identity;
    n->static_key = config->static_key;
    n->ephemeral = config->ephemeral;
    n->expects = config->expected;
    if (config->expected)
        n->expected = *config->expected;
    n->muxers = config->muxers;
    n->muxer_count = config->muxer_count;
    n->muxer = KL_NOISE_NO_MUXER;
    noise_symmetric_init(&n->symmetric);
    if (n->dials) {
        usize at = begin_frame(send);
        put_ephemeral(n, send);
        noise_mix_hash(&n->symmetric, KL_SPAN_NONE); /* the empty payload */
        end_frame(send, at);
    }
    *out = n;
    return KL_OK;
}

void kl_noise_free(struct kl_noise *n)
{
    if (!n)
        return;
    noise_symmetric_done(&n->symmetric);
    kl_aead_free(n->send);
    kl_aead_free(n->receive);
    kl_wipe(n, sizeof *n);
    free(n);
}

bool kl_noise_is_open(const struct kl_noise *n)
{
    return n->open && !n->over;
}

const kl_peer_id *kl_noise_peer(const struct kl_noise *n)
{
    KL_ASSERT(n->open);
    return &n->peer;
}

usize kl_noise_muxer(const struct kl_noise *n)
{
    return n->muxer;
}

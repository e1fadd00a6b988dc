/* noise: an encrypted connection between two peers who prove to one another who they are [libp2p
 * specs: noise; Noise_XX_25519_ChaChaPoly_SHA256].
 *
 *     -> e                                 32 bytes
 *     <- e, ee, s, es, identity            the listener shows its identity, encrypted
 *     -> s, se, identity                   and the dialer shows its
 *
 * Every frame is a length of 2 bytes and that many bytes.  An identity is an Ed25519 key that has
 * signed the static key of the handshake; it travels with the names of the muxers that its peer
 * speaks, so that no round trip is spent on agreeing about one.
 *
 * A pure machine: bytes in, bytes out.  After a broken rule the connection is over.  Thread: one at
 * a time. */
#ifndef KL_P2P_NOISE_H
#define KL_P2P_NOISE_H

#include "base/buf.h"
#include "base/rule.h"
#include "base/status.h"
#include "p2p/peer_id.h"

enum {
    KL_NOISE_PLAIN_MAX = 65535 - 16, /* bytes of one frame */
    KL_NOISE_HANDSHAKE_MAX = 4096,   /* of one handshake message */
};
#define KL_NOISE_NO_MUXER SIZE_MAX

struct kl_noise;

typedef struct kl_noise_config {
    bool dials;
    const kl_secret32 *identity;       /* Ed25519 */
    kl_secret32 static_key, ephemeral; /* X25519, fresh for each connection */
    const kl_peer_id *expected;        /* whom a dialer wants, or NULL */
    const kl_span *muxers;             /* what we speak, best first; stays the caller's */
    usize muxer_count;                 /* at most 8 (asserted) */
} kl_noise_config;

/* A dialer's first message goes to send.  The config's secrets are copied and wiped when they are
 * not needed any more.  KL_NOMEM. */
KL_MUST_USE kl_status kl_noise_new(struct kl_noise **out, const kl_noise_config *config,
                                   struct kl_buf *send);
void kl_noise_free(struct kl_noise *noise); /* NULL is fine */

/* Takes whole frames off the front of in; what is left is the beginning of one (at most 65,537
 * bytes).  Handshake messages are answered into send, of later ones the plain text goes to plain.
 * *broken: the NOISE_ rows.  KL_NOMEM (a buffer's limit counts as that). */
KL_MUST_USE kl_status kl_noise_feed(struct kl_noise *noise, kl_span *in, struct kl_buf *send,
                                    struct kl_buf *plain, kl_rule *broken);

/* From here on the peer is known and text may be sent. */
bool kl_noise_is_open(const struct kl_noise *noise);
const kl_peer_id *kl_noise_peer(const struct kl_noise *noise);
/* The muxer that both named, by index; KL_NOISE_NO_MUXER: none, so multistream has to find one. */
usize kl_noise_muxer(const struct kl_noise *noise);

/* Encrypts text into frames, in send.  Open (asserted). */
void kl_noise_write(struct kl_noise *noise, kl_span text, struct kl_buf *send);

#endif

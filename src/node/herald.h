/* herald: where the validators are, as they say themselves.
 *
 * An announcement is a validator's signed peer record (p2p/peer_record.h) and the proof that it
 * holds a key of the set (cert/peer_proof.h); docs/formats/wire.md draws it.  Of each validator of
 * the set the newest is kept, and passed on to whoever has not heard it: by the topic "peers", and
 * to each new peer.  So a node that knows one other finds all validators, and finds one again that
 * has moved.  A validator behind sentries announces where these are: addresses with a peer.
 *
 * Signatures are looked at only for keys of the set, and not twice for the same bytes.  A pure
 * machine with memory that is bounded by the set.  Thread: one at a time. */
#ifndef KL_NODE_HERALD_H
#define KL_NODE_HERALD_H

#include "base/buf.h"
#include "cert/peer_proof.h"
#include "p2p/peer_record.h"

enum {
    KL_HERALD_KIND = 64, /* the first byte of an announcement, and of the frame that it is */
    KL_HERALD_RECORD_MAX = 1024,
    KL_HERALD_MAX = KL_HERALD_RECORD_MAX + KL_VOTE_KEY_MAX + KL_VOTE_SIGNATURE_MAX + 16,
};

typedef enum kl_herald_news {
    KL_HERALD_NEW,   /* newer than what was known: to be passed on */
    KL_HERALD_OLD,   /* known, or older */
    KL_HERALD_ALIEN, /* no validator that we know of: not judged */
    KL_HERALD_FALSE, /* malformed, or signed wrongly: whoever says it breaks a rule */
} kl_herald_news;

struct kl_herald;

/* KL_NOMEM. */
KL_MUST_USE kl_status kl_herald_new(struct kl_herald **out, const kl_vote_domain *domain);
void kl_herald_free(struct kl_herald *herald); /* NULL is fine */

/* Who the validators are from here on: what others announced is forgotten. */
void kl_herald_set_validators(struct kl_herald *herald, const kl_valset *set);

/* *record: of a NEW one.  *broken: of a FALSE one, ANNOUNCE_FORM, ANNOUNCE_PROOF, the rows of
 * kl_peer_record_open and the RLP_ ones. */
kl_herald_news kl_herald_hear(struct kl_herald *herald, kl_span announcement,
                              kl_peer_record *record, kl_rule *broken);

/* What is known now, in no order that means anything: from 0 to kl_herald_count - 1. */
u32 kl_herald_count(const struct kl_herald *herald);
kl_span kl_herald_at(const struct kl_herald *herald, u32 index, kl_peer_id *peer);
/* Where the sentries of that one are, each address with its peer, as their ward says; 0: it has
 * none, and is met itself. */
usize kl_herald_sentries(const struct kl_herald *herald, u32 index,
                         kl_multiaddr out[KL_RECORD_ADDRS_MAX]);
/* Whether it is known that a validator is met at this peer: itself, or at a sentry of its. */
bool kl_herald_find(const struct kl_herald *herald, const kl_peer_id *peer);
/* Where the validator with that vote key is, of those that are known; false: none is. */
bool kl_herald_of_key(const struct kl_herald *herald, const u8 *key, u32 *index);
/* What a validator said that is this peer, whether or not it has sentries; nothing: none is. */
kl_span kl_herald_of(const struct kl_herald *herald, const kl_peer_id *peer);

/* The addresses of a record that are of other peers than its own; how many. */
usize kl_herald_sentries_in(const kl_peer_record *record, kl_multiaddr out[KL_RECORD_ADDRS_MAX]);

/* Appends our own: record is sealed with identity, and proven with vote_secret.  False for a secret
 * that is none, or a record that is too long. */
KL_MUST_USE bool kl_herald_put(struct kl_buf *out, const kl_peer_record *record,
                               const kl_secret32 *identity, const kl_vote_scheme *scheme,
                               const kl_secret32 *vote_secret, const kl_vote_domain *domain);

#endif

/* peer_id: who a peer is: its public key, and nothing else [libp2p specs: peer-ids].  Addresses
 * change, identities do not.
 *
 * Keys are Ed25519, whose peer id is the key itself behind a few bytes that say so (an identity
 * multihash of its protobuf); other kinds are refused.  As text, base58: "12D3KooW…". */
#ifndef KL_P2P_PEER_ID_H
#define KL_P2P_PEER_ID_H

#include "base/rule.h"
#include "base/wipe.h"
#include "codec/base58.h"

typedef struct kl_peer_id {
    u8 key[32];
} kl_peer_id;

static inline bool kl_peer_id_eq(const kl_peer_id *a, const kl_peer_id *b)
{
    return memcmp(a->key, b->key, sizeof a->key) == 0;
}

/* The id of whoever has the secret. */
kl_peer_id kl_peer_id_of(const kl_secret32 *secret);

/* The key as a protobuf, 36 bytes: PublicKey {type: Ed25519, data}. */
enum { KL_PEER_KEY_LEN = 36 };
void kl_peer_key_put(kl_out *out, const kl_peer_id *peer);
/* PEER_KEY for another kind or length; the rows of kl_pb_next. */
kl_rule kl_peer_key(kl_peer_id *out, kl_span bytes);

/* The id as a multihash, 38 bytes. */
enum { KL_PEER_ID_LEN = 38 };
void kl_peer_id_put(kl_out *out, const kl_peer_id *peer);
kl_rule kl_peer_id_get(kl_peer_id *out, kl_span bytes);

/* As text; returns the length. */
usize kl_peer_id_text(char out[KL_BASE58_TEXT_MAX], const kl_peer_id *peer);
kl_rule kl_peer_id_parse(kl_peer_id *out, kl_span text);

#endif

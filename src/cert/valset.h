/* valset: the validators of one epoch, in order; a vote names its signer by place.
 *
 * Total weight W; at most F = ⌊(W−1)/3⌋ of it may be faulty; a quorum is Q = W − F = ⌊2W/3⌋ + 1.
 * Two quorums share more than F. */
#ifndef KL_CERT_VALSET_H
#define KL_CERT_VALSET_H

#include "base/arena.h"
#include "base/hash.h"
#include "base/rule.h"
#include "base/status.h"
#include "cert/scheme.h"

enum {
    KL_VALIDATORS_MAX = 256, /* of one epoch */
    KL_RANDAO_KEY_LEN = 48,  /* in G1 */
};
#define KL_WEIGHT_MAX ((u64)1 << 32) /* of a set as a whole */

typedef struct kl_validator {
    kl_address operator; /* who it is on the chain */
    u8 key[KL_VOTE_KEY_MAX];
    u8 randao_key[KL_RANDAO_KEY_LEN];
    u64 weight; /* at least 1 */
} kl_validator;

/* Views validators; a plain value. */
typedef struct kl_valset {
    const kl_vote_scheme *scheme;
    const kl_validator *validators;
    u32 count;
    u64 weight; /* W */
    u64 unit;   /* the greatest common divisor of the weights */
    u64 stride; /* of the leaders' round, see valset.c */
    kl_hash hash;
} kl_valset;

/* Makes a set of validators, which stay the caller's.  Whether keys are any, check_key has said
 * before they came here.  VALSET_EMPTY, VALSET_SIZE, VALSET_WEIGHT (0, or above KL_WEIGHT_MAX),
 * VALSET_TWICE (an operator or vote key twice). */
kl_rule kl_valset_init(kl_valset *out, const kl_vote_scheme *scheme, const kl_validator *validators,
                       u32 count);

static inline u64 kl_valset_faulty(const kl_valset *set) /* F */
{
    return (set->weight - 1) / 3;
}

static inline u64 kl_valset_quorum(const kl_valset *set) /* Q */
{
    return set->weight - kl_valset_faulty(set);
}

/* Where the validator with a vote key stands; false: nobody has it. */
bool kl_valset_find(const kl_valset *set, const u8 *key, u32 *place);

/* Who leads a view ≥ 1 of an epoch, the same for everybody: a weighted round, about even.
 * Over any W / unit views in a row a validator leads weight / unit times; in epoch 0 and with equal
 * weights it is validators[view mod count].  Rounds of other epochs begin elsewhere, evenly spread,
 * so that epochs shorter than a round leave nobody out.  O(count). */
u32 kl_valset_leader(const kl_valset *set, u64 epoch, u64 view);

/* rlp([scheme, [[operator, key, randao_key, weight], …]]); its keccak is the set's hash. */
void kl_valset_encode(kl_out *out, const kl_valset *set);
/* Validators lie in the arena.  *broken: an RLP_ row, VALSET_SCHEME, and what kl_valset_init says.
 * KL_NOMEM. */
KL_MUST_USE kl_status kl_valset_decode(kl_valset *out, kl_span bytes, bool tests,
                                       struct kl_arena *arena, kl_rule *broken);

#endif

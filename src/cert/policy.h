/* policy: from what the validator contract wants to the next epoch's set.
 *
 * At the end of epoch e the chain asks the contract for its list of validators, decodes the answer,
 * and takes one step from the current set towards it: set(e + 1) = step(set(e), wanted).  A step is
 * bounded, so that no vote, however it went, changes more of the set at once than it can lose.
 * Neither function ever makes a block invalid: where an answer is malformed the current set stays.
 * docs/formats/consensus.md "Next set" is the specification.  Pure; thread: any. */
#ifndef KL_CERT_POLICY_H
#define KL_CERT_POLICY_H

#include "cert/consensus_header.h"
#include "cert/valset.h"

/* Bounds of an answer: KL_VALIDATORS_MAX entries, each of a tuple of 7 words and 4 byte strings. */
#define KL_POLICY_ANSWER_MAX ((usize)3 * 32 + KL_VALIDATORS_MAX * (usize)24 * 32)

/* One entry of the contract's list. */
typedef struct kl_policy_entry {
    kl_validator validator;
    u64 seen;          /* the epoch in which it last said that it is there */
    kl_span key_proof; /* of possession, as long as the scheme's */
    kl_span randao_proof;
} kl_policy_entry;

/* How long the proof of a randao key is: the keyed hash, for tests, has none. */
static inline usize kl_randao_proof_len(const kl_vote_scheme *scheme)
{
    return scheme->id == KL_SCHEME_KEYED_HASH ? 0 : KL_RANDAO_PROOF_LEN;
}

/* Writes entries as the contract's ABI has an array of them: how many, their offsets, they. */
void kl_policy_put_entries(kl_out *out, const kl_policy_entry *entries, usize count,
                           const kl_vote_scheme *scheme);
/* Writes a whole answer, as kl_policy_decode reads it. */
void kl_policy_put_answer(kl_out *out, const kl_policy_entry *entries, usize count,
                          const kl_vote_scheme *scheme);

/* Decodes what validators() returned:
 *
 *     (uint8 scheme, (address operator, uint64 weight, uint64 seen, bytes key, bytes key_proof,
 *                     bytes randao_key, bytes randao_proof)[])
 *
 * into a set in the answer's order, made in the arena.  An entry is left out, and counted in
 * *left_out, when it could be no validator:
 *   - its key or randao key is none, or a proof of possession does not hold; keys that are in
 *     current have been checked when they came there,
 *   - its operator or key stands earlier in the list,
 *   - its weight is 0, or the sum would pass KL_WEIGHT_MAX.
 * An entry whose operator or keys are not in current yet and that was not seen in epoch or the one
 * before (seen: the epoch in which it last said that it is there) counts as what it is in current:
 * not there, or with its old keys; it is not counted in *left_out.
 *
 * current is the set of the epoch that ends, or NULL at a genesis: every entry then needs its
 * proofs, and none needs to have been seen.  tests: the keyed hash is a scheme.
 *
 * *broken: the ABI_ rows, VALSET_SCHEME (unknown, or not current's), VALSET_SIZE, VALSET_EMPTY
 * (no entry is left), POLICY_KEY.  *out and *left_out are untouched then.  KL_NOMEM. */
KL_MUST_USE kl_status kl_policy_decode(kl_valset *out, u32 *left_out, kl_span answer,
                                       const kl_valset *current, u64 epoch, bool tests,
                                       struct kl_arena *arena, kl_rule *broken);

/* One step from current towards wanted, both of one scheme (asserted), into the arena:
 *   - never empty, never more than KL_VALIDATORS_MAX or KL_WEIGHT_MAX, nobody twice;
 *   - what changes weighs at most F of current, or is one validator;
 *   - the same input gives the same set; equal sets give current again;
 *   - repeated, it reaches wanted, its order included.
 * KL_NOMEM. */
KL_MUST_USE kl_status kl_policy_step(kl_valset *out, const kl_valset *current,
                                     const kl_valset *wanted, struct kl_arena *arena);

#endif

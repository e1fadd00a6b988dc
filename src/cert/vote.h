/* vote: what a validator signs.
 *
 * Equality of votes is equality of what was signed; signature bytes never enter a hash.  The
 * preimage binds the chain, the genesis, the scheme and the kind, so that no signature means
 * anything elsewhere:
 *
 *     "keel/1/vote" 11 ‖ scheme 1 ‖ chain id 8 ‖ genesis hash 32 ‖ kind 1 ‖ epoch 8 ‖ view 8 ‖
 *     parent view 8 ‖ height 8 ‖ parent hash 32 ‖ block hash 32
 *
 * Integers are big-endian; of a nullify vote the last four fields are zeros. */
#ifndef KL_CERT_VOTE_H
#define KL_CERT_VOTE_H

#include "base/hash.h"
#include "base/rule.h"
#include "cert/valset.h"

/* What is proposed in a view.  parent_view is bound because safety rests on the gap above it.  A
 * re-proposal of an epoch's last block has block_hash == parent_hash. */
typedef struct kl_proposal {
    u64 epoch, view, parent_view, height;
    kl_hash parent_hash, block_hash;
} kl_proposal;

bool kl_proposal_eq(const kl_proposal *a, const kl_proposal *b);

typedef enum kl_vote_kind {
    KL_VOTE_NOTARIZE = 1, /* the proposal is good; the leader's own is the proposal itself */
    KL_VOTE_NULLIFY = 2,  /* the view came to nothing: only epoch and view count */
    KL_VOTE_FINALIZE = 3, /* I saw a quorum notarize it, and have not nullified the view */
} kl_vote_kind;

/* The signed part. */
typedef struct kl_vote_subject {
    kl_vote_kind kind;
    kl_proposal proposal;
} kl_vote_subject;

bool kl_vote_subject_eq(const kl_vote_subject *a, const kl_vote_subject *b);

typedef struct kl_vote {
    kl_vote_subject subject;
    u32 signer; /* place in the epoch's set */
    u8 signature[KL_VOTE_SIGNATURE_MAX];
} kl_vote;

/* Which chain it is for. */
typedef struct kl_vote_domain {
    u64 chain_id;
    kl_hash genesis_hash;
} kl_vote_domain;

#define KL_VOTE_PREIMAGE_LEN 149
void kl_vote_preimage(u8 out[KL_VOTE_PREIMAGE_LEN], const kl_vote_domain *domain, u8 scheme,
                      const kl_vote_subject *subject);

/* Signs with the signer's secret.  Whoever calls it has asked the guard.  False for a secret that
 * is none. */
KL_MUST_USE bool kl_vote_sign(kl_vote *out, const kl_vote_subject *subject, u32 signer,
                              const kl_vote_scheme *scheme, const kl_secret32 *secret,
                              const kl_vote_domain *domain);

/* VOTE_SIGNER (no such place), VOTE_SIGNATURE.  The set is that of the subject's epoch. */
kl_rule kl_vote_check(const kl_vote *vote, const kl_valset *set, const kl_vote_domain *domain);

/* rlp([kind, epoch, view(, parent_view, height, parent_hash, block_hash), signer, signature]); the
 * signature has the scheme's length.  The RLP_ rows, VOTE_KIND, VOTE_VIEW (view 0, or a parent's
 * view that is not below it), VOTE_SIGNER (beyond KL_VALIDATORS_MAX). */
#define KL_VOTE_RLP_MAX 256
void kl_vote_encode(kl_out *out, const kl_vote *vote, const kl_vote_scheme *scheme);
kl_rule kl_vote_decode(kl_vote *out, kl_span bytes, const kl_vote_scheme *scheme);

#endif

/* evidence: two votes of one validator in one view that no honest one signs both.  Self-contained:
 * with the epoch's set anybody can check it, and so can a contract. */
#ifndef KL_CERT_EVIDENCE_H
#define KL_CERT_EVIDENCE_H

#include "cert/vote.h"

typedef enum kl_evidence_kind {
    KL_EVIDENCE_NONE,
    KL_EVIDENCE_NOTARIZE, /* two notarize votes for different proposals */
    KL_EVIDENCE_FINALIZE, /* two finalize votes for different proposals */
    KL_EVIDENCE_BOTH,     /* a nullify and a finalize vote */
} kl_evidence_kind;

/* Whether two subjects of the same signer conflict, and how. */
kl_evidence_kind kl_evidence_of(const kl_vote_subject *a, const kl_vote_subject *b);

typedef struct kl_evidence {
    kl_vote first, second;
} kl_evidence;

/* EVIDENCE_NONE (they do not conflict, or the signers differ), VOTE_SIGNER, VOTE_SIGNATURE. */
kl_rule kl_evidence_check(const kl_evidence *evidence, const kl_valset *set,
                          const kl_vote_domain *domain);

/* rlp([vote, vote]), the lesser encoding first, so that the same evidence is the same bytes.  The
 * rows of kl_vote_decode, and EVIDENCE_ORDER. */
#define KL_EVIDENCE_RLP_MAX (2 * KL_VOTE_RLP_MAX + 8)
void kl_evidence_encode(kl_out *out, const kl_evidence *evidence, const kl_vote_scheme *scheme);
kl_rule kl_evidence_decode(kl_evidence *out, kl_span bytes, const kl_vote_scheme *scheme);

#endif

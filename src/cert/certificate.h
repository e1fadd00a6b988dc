/* certificate: a quorum's votes for one subject: Notarization, Nullification, Finalization.
 * Self-contained: with the epoch's set it proves what it says, whoever brings it and whenever. */
#ifndef KL_CERT_CERTIFICATE_H
#define KL_CERT_CERTIFICATE_H

#include "cert/vote.h"

enum {
    KL_CERTIFICATE_MAX = 256 * KL_VOTE_SIGNATURE_MAX, /* bytes of signatures */
    KL_CERTIFICATE_RLP_MAX = KL_CERTIFICATE_MAX + 512,
};

typedef struct kl_certificate {
    kl_vote_subject subject;
    u8 signers[KL_VALIDATORS_MAX / 8]; /* bit i % 8 of byte i / 8: validator i signed */
    /* One after the other in order of signers; where the scheme aggregates, one in all. */
    kl_span signatures; /* the bytes are the caller's */
} kl_certificate;

/* Makes a certificate of votes for the same subject by different signers (asserted), each of which
 * has passed kl_vote_check; signatures go into room.  The votes must weigh a quorum (asserted). */
#define KL_CERTIFICATE_ROOM(scheme, count) \
    ((scheme)->aggregates ? (scheme)->signature_len : (scheme)->signature_len * (count))
void kl_certificate_make(kl_certificate *out, u8 *room, const kl_vote *const *votes, usize count,
                         const kl_valset *set);

/* The weight that signed; bits beyond the set's count are CERTIFICATE_SIGNERS. */
kl_rule kl_certificate_weight(u64 *out, const kl_certificate *certificate, const kl_valset *set);

/* CERTIFICATE_SIGNERS, CERTIFICATE_WEIGHT (less than a quorum), CERTIFICATE_SIGNATURE (also for a
 * wrong number of bytes). */
kl_rule kl_certificate_check(const kl_certificate *certificate, const kl_valset *set,
                             const kl_vote_domain *domain);

/* rlp([kind, epoch, view(, parent_view, height, parent_hash, block_hash), signers, signatures]);
 * signers is a byte string without trailing zero bytes, and not empty.  A decoded certificate views
 * the bytes.  The RLP_ rows, VOTE_KIND, VOTE_VIEW, CERTIFICATE_SIGNERS, CERTIFICATE_SIGNATURE (too
 * many bytes). */
void kl_certificate_encode(kl_out *out, const kl_certificate *certificate);
kl_rule kl_certificate_decode(kl_certificate *out, kl_span bytes);

#endif

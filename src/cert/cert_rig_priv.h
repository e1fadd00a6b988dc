/* cert_rig_priv: validators with their secrets, for the tests of this layer. */
#ifndef KL_CERT_CERT_RIG_PRIV_H
#define KL_CERT_CERT_RIG_PRIV_H

#include "base/test.h"
#include "cert/cert.h"

typedef struct cert_rig {
    const kl_vote_scheme *scheme;
    kl_vote_domain domain;
    kl_secret32 secrets[KL_VALIDATORS_MAX];
    kl_validator validators[KL_VALIDATORS_MAX];
    kl_valset set;
} cert_rig;

extern const u8 cert_schemes[3];

/* A set of count validators with weights from 1 to max_weight, under a scheme. */
void cert_rig_init(cert_rig *rig, u8 scheme, u32 count, u64 max_weight, u64 *seed);

/* A well-formed subject of a kind, at random. */
kl_vote_subject cert_rig_subject(kl_vote_kind kind, u64 *seed);

kl_vote cert_rig_vote(const cert_rig *rig, const kl_vote_subject *subject, u32 signer);

/* The first damage (of kind 0, 1, …) done to a subject, one for each field that counts for its
 * kind; false when there are no more. */
bool cert_rig_damage(kl_vote_subject *subject, unsigned kind, u64 *seed);

/* A certificate of signers picked at random until they weigh a quorum; room has
 * KL_CERTIFICATE_MAX bytes. */
kl_certificate cert_rig_certificate(const cert_rig *rig, const kl_vote_subject *subject, u8 *room,
                                    u64 *seed);

#endif

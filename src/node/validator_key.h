/* validator_key: the secrets of one validator, in a folder of their own, beside the sign guard that
 * knows what they have signed.
 *
 *     validator/
 *         key.json     the secrets, readable by its owner alone
 *         sign.guard   what the vote key has signed (guard/guard.h)
 *
 * Whoever copies the folder copies both.  docs/formats/validator-key.md draws the file. */
#ifndef KL_NODE_VALIDATOR_KEY_H
#define KL_NODE_VALIDATOR_KEY_H

#include "base/arena.h"
#include "base/file.h"
#include "cert/cert.h"
#include "cert/policy.h"
#include "cert/randao.h"

typedef struct kl_validator_key {
    const kl_vote_scheme *scheme;
    kl_secret32 operator_secret; /* of an account: it pays, and signs transactions */
    kl_secret32 vote_secret, randao_secret;
} kl_validator_key;

#define KL_VALIDATOR_FOLDER "validator"

/* New secrets. */
void kl_validator_key_new(kl_validator_key *out, const kl_vote_scheme *scheme);
void kl_validator_key_wipe(kl_validator_key *key);

/* What the network learns of it: operator, keys, proofs of possession, a weight.  Proofs lie in
 * room. */
typedef struct kl_validator_proofs {
    u8 key[KL_VOTE_PROOF_MAX], randao[KL_RANDAO_PROOF_LEN];
} kl_validator_proofs;
void kl_validator_key_entry(kl_policy_entry *out, kl_validator_proofs *room,
                            const kl_validator_key *key, u64 weight);

/* fs is of the folder, on the real file system.  Writes key.json into it, where there must be none
 * (KL_BUSY); durable when it returns KL_OK. */
KL_MUST_USE kl_status kl_validator_key_save(struct kl_fs *fs, const kl_validator_key *key);
/* KL_NOTFOUND; KL_DENIED when others than its owner may read it; KL_CORRUPT when it is not what it
 * should be. */
KL_MUST_USE kl_status kl_validator_key_load(struct kl_fs *fs, kl_validator_key *out);

#endif

/* light: trust in a block without its chain: no state, no bodies, no peers.
 *
 * Whoever trusts a genesis, or has trusted a block before, follows one validator set to the next:
 * an epoch's last block names the next set, and a quorum of the present one has finalized it.  Then
 * a Finalization proves a block, a chain of headers the blocks below it, and Merkle proofs what an
 * account holds under a state root.
 *
 *     genesis ── start ──► light ── advance ── advance ── … ── final ──► header ── account
 *                            ▲
 *     what was trusted before, resume
 *
 * bundle.h has all of this in one JSON text.  Pure: no clock, no disk, no heap but the caller's
 * arena.  The rows of rule.def that a function may name besides are those of the decoders of types
 * and cert.  Outputs are untouched when a rule is broken.  Thread: any. */
#ifndef KL_LIGHT_LIGHT_H
#define KL_LIGHT_LIGHT_H

#include "cert/cert.h"
#include "types/account.h"
#include "types/header.h"

enum {
    KL_LIGHT_HEADERS_MAX = 8192, /* from a block to the final one above it */
};

/* What is trusted: the set of an epoch, and a block that is final: the newest one that was proven,
 * or the one behind which the epoch begins.  Large; set views validators, so it does not move. */
struct kl_light {
    kl_vote_domain domain;
    u64 epoch;
    kl_valset set;
    u64 number;
    kl_hash hash;
    kl_validator validators[KL_VALIDATORS_MAX];
};

/* RLP, as it lies in the ledger. */
typedef struct kl_light_genesis {
    kl_span header, consensus_header;
    kl_span validators; /* the set of epoch 0 */
} kl_light_genesis;

/* Starts from a genesis whose hash, domain's, is trusted.  The chain id is only believed: a
 * certificate of another chain id does not hold.  *broken: LIGHT_ANCHOR (another hash),
 * LIGHT_GENESIS, LIGHT_EXTRA_DATA, LIGHT_SET.  KL_NOMEM when scratch, which holds nothing
 * afterwards, is exhausted. */
KL_MUST_USE kl_status kl_light_start(struct kl_light *light, const kl_vote_domain *domain,
                                     const kl_light_genesis *genesis, struct kl_arena *scratch,
                                     kl_rule *broken);

/* What was trusted before. */
typedef struct kl_light_checkpoint {
    kl_vote_domain domain;
    u64 epoch, number;
    kl_hash hash;
    kl_span validators; /* RLP of the epoch's set */
} kl_light_checkpoint;

/* Goes on from it; nothing is asked but that the set is one. */
KL_MUST_USE kl_status kl_light_resume(struct kl_light *light, const kl_light_checkpoint *checkpoint,
                                      struct kl_arena *scratch, kl_rule *broken);

/* The end of an epoch: its last block, that block's Finalization, and the next epoch's set. */
typedef struct kl_light_change {
    kl_span header, consensus_header, finalization, validators; /* RLP */
} kl_light_change;

/* Moves on to the next epoch.  The block lies above the trusted one, or is it.  *broken:
 * LIGHT_EXTRA_DATA, LIGHT_NOT_LAST, LIGHT_SET, and what kl_light_final says of a Finalization. */
KL_MUST_USE kl_status kl_light_advance(struct kl_light *light, const kl_light_change *change,
                                       struct kl_arena *scratch, kl_rule *broken);

/* Headers from a block up to a final one.  That one is final by a Finalization of the trusted
 * epoch; or, consensus_header and finalization being empty, because it is the trusted block. */
typedef struct kl_light_finality {
    const kl_span *headers; /* RLP; each the parent of the next */
    usize header_count;
    kl_span consensus_header, finalization; /* of the last header */
} kl_light_finality;

/* What a finality has proven. */
typedef struct kl_light_block {
    kl_header header; /* of the first header's block */
    kl_hash hash;
    u64 final_number; /* of the last header's */
    kl_hash final_hash;
    bool is_signed; /* there was a Finalization: */
    u64 time_ms, view;
    u64 weight; /* of its signers */
    u32 signers;
} kl_light_block;

/* Proves a block; a final block above the trusted one becomes the trusted one.  *at: which header
 * breaks the rule, or header_count for the Finalization and its consensus header.  LIGHT_COUNT (no
 * headers, or more than KL_LIGHT_HEADERS_MAX), LIGHT_LINK, LIGHT_UNPROVEN; and of the Finalization
 * LIGHT_EXTRA_DATA, LIGHT_GENESIS (a genesis is not finalized), LIGHT_EPOCH, LIGHT_KIND,
 * LIGHT_SUBJECT, LIGHT_AGAIN, LIGHT_VIEW, LIGHT_OLD, LIGHT_FORK, and the CERTIFICATE_ rows. */
kl_rule kl_light_final(struct kl_light *light, kl_light_block *out,
                       const kl_light_finality *finality, usize *at);

/* What an account holds, by eth_getProof [EIP-1186]: claims, each with the nodes from the root. */
typedef struct kl_light_slot {
    kl_u256 key, value; /* value 0: there is none */
    const kl_span *nodes;
    usize node_count;
} kl_light_slot;

typedef struct kl_light_account {
    kl_address address;
    kl_account claim; /* kl_account_none for one that is not there */
    const kl_span *nodes;
    usize node_count;
    const kl_light_slot *slots;
    usize slot_count;
} kl_light_account;

/* Judges all claims under a state root.  *exists: is there such an account?  *at: which slot breaks
 * the rule, or slot_count for the account.  The PROOF_ rows, LIGHT_ACCOUNT, LIGHT_SLOT. */
kl_rule kl_light_prove(bool *exists, const kl_light_account *account, const kl_hash *state_root,
                       usize *at);

#endif

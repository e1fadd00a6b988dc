/* bft_world: a chain whose validators vote, in memory, for tests: they sign whatever a test wants
 * to be final. */
#ifndef KL_CHAIN_BFT_WORLD_PRIV_H
#define KL_CHAIN_BFT_WORLD_PRIV_H

#include "chain/bft_priv.h"
#include "chain/verify.h"

struct kl_sim_disk;

enum { BFT_WORLD_MAX = 8 };

struct bft_world {
    struct kl_sim_disk *disk;
    struct kl_kv *kv;
    struct kl_chain *chain;
    struct kl_exec *exec;
    struct kl_run *run;
    struct kl_arena arena; /* of the test */
    kl_chain_report report;
    const kl_vote_scheme *scheme;
    u32 count; /* of validators at the genesis; more can come */
    kl_secret32 vote_secret[BFT_WORLD_MAX], randao_secret[BFT_WORLD_MAX];
    kl_validator validator[BFT_WORLD_MAX]; /* operators are who they are in a set */
    u64 epoch_blocks;
    kl_span policy_code;  /* at bft_world_policy; empty: none */
    kl_span policy_alloc; /* instead of code: members of the alloc, that address among them */
    const char *forks;    /* behind Cancun: members of the config, beginning with a comma */
    const char *more;     /* members of the genesis file, beginning with a comma */
    usize segment_bytes;
    u64 keep_blocks, keep_history;
    kl_pin pin;
    u8 damaged_proof;            /* 1: of the last vote key, 2: of the last randao key */
    u64 nonce;                   /* of the next transaction */
    u64 gap;                     /* views passed over before the next block */
    struct kl_tx_source *source; /* of the next blocks' transactions; NULL: transfers */
};

extern const u8 bft_world_schemes[3];
extern const kl_address bft_world_policy;

void bft_world_init(struct bft_world *w, u8 scheme, u32 count, u64 epoch_blocks); /* no chain yet */
void bft_world_begin(struct bft_world *w);
void bft_world_done(struct bft_world *w);
kl_status bft_world_try_open(struct bft_world *w, bool tests);
void bft_world_reopen(struct bft_world *w, bool forget_state);
/* The proofs of possession of a validator. */
void bft_world_proofs(const struct bft_world *w, u32 i, u8 key[KL_VOTE_PROOF_MAX],
                      u8 randao[KL_RANDAO_PROOF_LEN]);

/* The nonce as the head's state has it. */
void bft_world_refresh(struct bft_world *w);
/* Signs tx, whose fields are set, nonce and chain id included. */
const kl_tx *bft_world_sign(struct bft_world *w, const kl_tx *fields);
/* A transfer of 1 wei, signed, with the next nonce. */
const kl_tx *bft_world_tx(struct bft_world *w);
/* A block on top of parent in its next view (or, with gap, a later one), with count transfers.  The
 * time is the parent's and step_ms. */
struct kl_tip *bft_world_build(struct bft_world *w, struct kl_tip *parent, usize count,
                               u64 step_ms);
kl_span bft_world_body(struct bft_world *w, const struct kl_tip *tip); /* in the arena */
kl_rule bft_world_judge(struct bft_world *w, struct kl_tip *parent, kl_span body,
                        struct kl_tip **out);

/* What the tip's block was proposed as. */
kl_proposal bft_world_proposal(const struct kl_tip *tip);
/* A quorum of set for a subject; bytes in the arena. */
kl_certificate bft_world_certificate(struct bft_world *w, const kl_vote_subject *subject,
                                     const kl_valset *set);
/* Appends the block, with a Finalization or not, writes, syncs, publishes; the tip is given up. */
void bft_world_take(struct bft_world *w, struct kl_tip *tip, bool final);
/* Builds and takes blocks, each third of which is final through a later one. */
void bft_world_grow(struct bft_world *w, usize blocks);
void bft_world_flush(struct bft_world *w);
void bft_world_verify(struct bft_world *w, kl_verify_result *result);

#endif

/* bundle: all that a light client needs for one block in one JSON text, docs/formats/
 * finality-proof.md: a genesis, the ends of epochs, headers, a Finalization, an account.
 *
 * The text comes from anybody; what it says is believed as far as it is proven from what the reader
 * trusts already, a genesis hash or a checkpoint. */
#ifndef KL_LIGHT_BUNDLE_H
#define KL_LIGHT_BUNDLE_H

#include "codec/json.h"
#include "light/light.h"

enum {
    KL_LIGHT_EPOCHS_MAX = 1 << 16,
    KL_LIGHT_SLOTS_MAX = 1024,
    KL_LIGHT_NODES_MAX = 66, /* of one proof: a node a nibble, and some */
};

/* Views the arena it was read into. */
typedef struct kl_light_bundle {
    u64 chain_id;
    bool has_genesis, has_account;
    kl_hash genesis_hash;
    kl_light_genesis genesis;
    const kl_light_change *epochs;
    usize epoch_count;
    kl_light_finality finality;
    kl_light_account account;
} kl_light_bundle;

/* What is wrong, and where: "epochs[3]", "account.storageProof[0]". */
typedef struct kl_light_fault {
    kl_rule rule;
    char where[96];
} kl_light_fault;

/* Reads the object at ref.  fault->rule: LIGHT_MEMBER, LIGHT_COUNT, the HEX_ rows.  KL_NOMEM. */
KL_MUST_USE kl_status kl_light_bundle_read(kl_light_bundle *out, const struct kl_json *json,
                                           kl_json_ref ref, struct kl_arena *arena,
                                           kl_light_fault *fault);

/* Starts from the bundle's genesis, whose hash is trusted.  With chain_id NULL the chain id is the
 * bundle's: see kl_light_start. */
KL_MUST_USE kl_status kl_light_bundle_start(struct kl_light *light, const kl_light_bundle *bundle,
                                            const u64 *chain_id, const kl_hash *genesis_hash,
                                            struct kl_arena *scratch, kl_light_fault *fault);

/* What a bundle has proven. */
typedef struct kl_light_result {
    kl_light_block block;
    bool account_exists; /* where the bundle has an account */
} kl_light_result;

/* Follows the bundle's epochs from what light trusts, those below light's epoch being passed over,
 * then judges its finality and account.  What was proven before the fault stays trusted; *out is
 * untouched then.  LIGHT_ANCHOR for a bundle of another chain. */
KL_MUST_USE kl_status kl_light_bundle_judge(struct kl_light *light, kl_light_result *out,
                                            const kl_light_bundle *bundle, struct kl_arena *scratch,
                                            kl_light_fault *fault);

/* A checkpoint as JSON: {"chainId", "genesisHash", "epoch", "number", "hash", "validators"}. */
KL_MUST_USE kl_status kl_light_checkpoint_read(kl_light_checkpoint *out, const struct kl_json *json,
                                               kl_json_ref ref, struct kl_arena *arena,
                                               kl_light_fault *fault);
/* What light trusts.  KL_NOMEM. */
KL_MUST_USE kl_status kl_light_checkpoint_put(struct kl_json_out *out, const struct kl_light *light,
                                              struct kl_arena *scratch);

/* Where the writer finds the parts: a chain, up to its newest final block.  Spans are RLP and live
 * in the arena.  KL_NOTFOUND where there is none: above the head, below what is kept. */
struct kl_light_source {
    u64 chain_id;
    kl_hash genesis_hash;
    kl_status (*header)(struct kl_light_source *source, u64 number, struct kl_arena *arena,
                        kl_span *out);
    kl_status (*consensus_header)(struct kl_light_source *source, u64 number,
                                  struct kl_arena *arena, kl_span *out);
    /* A block's Finalization; KL_NOTFOUND for one that is final through a descendant. */
    kl_status (*finalization)(struct kl_light_source *source, u64 number, struct kl_arena *arena,
                              kl_span *out);
    kl_status (*validators)(struct kl_light_source *source, u64 epoch, struct kl_arena *arena,
                            kl_span *out);
    /* The number of an epoch's last block. */
    kl_status (*epoch_end)(struct kl_light_source *source, u64 epoch, u64 *out);
};

/* Writes the members of a bundle for block number into an open object, all but "account", with the
 * ends of epochs from from_epoch on; the genesis stands in it when from_epoch is 0.  KL_NOTFOUND
 * when the block is not there or not final yet; KL_LIMIT when that takes more than
 * KL_LIGHT_HEADERS_MAX headers or epochs_max epochs; KL_NOMEM.  After a failure the object is
 * half-written. */
KL_MUST_USE kl_status kl_light_bundle_put(struct kl_json_out *out, struct kl_light_source *source,
                                          u64 number, u64 from_epoch, u64 epochs_max,
                                          struct kl_arena *scratch);

#endif

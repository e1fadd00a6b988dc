/* Reading members of a genesis file, with a path that says where we are when something is wrong. */
#ifndef KL_TYPES_GENESIS_PRIV_H
#define KL_TYPES_GENESIS_PRIV_H

#include "types/decode_priv.h"
#include "types/genesis.h"

enum { KL_GENESIS_PATH_MAX = 6 };

struct kl_genesis_reader {
    const struct kl_json *json;
    struct kl_arena *arena;
    kl_file_fault *fault;
    kl_span path[KL_GENESIS_PATH_MAX];
    unsigned depth;
};

/* Fills the fault for what stands at ref, which the path leads to, and returns rule. */
kl_rule kl_genesis_blame(struct kl_genesis_reader *r, kl_rule rule, kl_json_ref ref);

/* Steps into a member; the path is left as it is when a rule is broken. */
void kl_genesis_enter(struct kl_genesis_reader *r, kl_span name);
void kl_genesis_leave(struct kl_genesis_reader *r);

/* The member called name, whatever its case (as Go reads it), of several the last; KL_JSON_NONE
 * also for null. */
kl_json_ref kl_genesis_member(const struct kl_genesis_reader *r, kl_json_ref object,
                              const char *name);

/* One value.  Numbers may be JSON numbers, or strings in decimal or with 0x. */
kl_rule kl_genesis_u64(struct kl_genesis_reader *r, kl_json_ref ref, void *out);  /* u64 */
kl_rule kl_genesis_u256(struct kl_genesis_reader *r, kl_json_ref ref, void *out); /* kl_u256 */
/* GENESIS_RANGE beyond the bounds. */
kl_rule kl_genesis_at_least_one(struct kl_genesis_reader *r, kl_json_ref ref, void *out); /* u64 */
kl_rule kl_genesis_range(struct kl_genesis_reader *r, kl_json_ref ref, u64 least, u64 most,
                         u64 *out);
kl_rule kl_genesis_bool(struct kl_genesis_reader *r, kl_json_ref ref, void *out); /* bool */
kl_rule kl_genesis_hash(struct kl_genesis_reader *r, kl_json_ref ref, void *out); /* kl_hash */
kl_rule kl_genesis_address(struct kl_genesis_reader *r, kl_json_ref ref,
                           void *out);                                            /* kl_address */
kl_rule kl_genesis_data(struct kl_genesis_reader *r, kl_json_ref ref, void *out); /* kl_span */

/* Fails with GENESIS_KIND unless ref is an object. */
kl_rule kl_genesis_object(struct kl_genesis_reader *r, kl_json_ref ref);

/* A member and where it goes. */
typedef struct kl_genesis_field {
    const char *name;
    kl_rule (*read)(struct kl_genesis_reader *r, kl_json_ref ref, void *out);
    void *out;
    bool required;
} kl_genesis_field;
kl_rule kl_genesis_fields(struct kl_genesis_reader *r, kl_json_ref object,
                          const kl_genesis_field *fields, usize count);

/* The same for an object of ours: names are spelled as they are here, and an unknown one is a
 * fault. */
kl_rule kl_genesis_ours(struct kl_genesis_reader *r, kl_json_ref object,
                        const kl_genesis_field *fields, usize count);

/* genesis_config.c: config.  genesis_keel.c: config.keel.  genesis_bft.c: config.keel.bft. */
kl_rule kl_genesis_config(struct kl_genesis_reader *r, kl_json_ref config, kl_genesis *out);
kl_rule kl_genesis_keel(struct kl_genesis_reader *r, kl_json_ref keel, kl_genesis *out);
kl_rule kl_genesis_bft(struct kl_genesis_reader *r, kl_json_ref bft, kl_genesis *out);
/* What of header and config a chain whose validators vote must not have. */
kl_rule kl_genesis_bft_fits(struct kl_genesis_reader *r, const kl_genesis *genesis);

/* genesis_alloc.c: the accounts. */
kl_rule kl_genesis_alloc(struct kl_genesis_reader *r, kl_json_ref alloc, kl_genesis *out);

#endif

/* index: the tables that find blocks, transactions and log entries, written by the same delta as
 * the state they belong to, so that a revert takes them back too.
 *
 *     CHAIN   "head"               -> number u64 ‖ version u64 ‖ hash      the head block
 *             "dev"                -> rlp(dev environment)
 *             "epoch" ‖ number u64 -> rlp(validator set)     of every epoch that has begun
 *     HEIGHT  number u64           -> hash ‖ version u64
 *     BLOCK   hash                 -> number u64
 *     TX      hash                 -> number u64 ‖ index u32
 *     LOG     kind u8 ‖ tail 20 ‖ number u64 -> nothing
 *
 * Integers are big-endian.  A LOG key's kind says whether tail is an address or the last 20 bytes
 * of a topic; an entry says that the block may hold such a log, and the log itself is looked at. */
#ifndef KL_CHAIN_INDEX_H
#define KL_CHAIN_INDEX_H

#include "cert/cert.h"
#include "chain/devop.h"
#include "state/state.h"
#include "types/types.h"

/* Puts everything that finds block, made by step version. */
KL_MUST_USE kl_status kl_index_block(struct kl_delta_builder *builder, const kl_block *block,
                                     const kl_receipt *receipts, u64 version);
KL_MUST_USE kl_status kl_index_dev(struct kl_delta_builder *builder, const kl_dev_env *env);
KL_MUST_USE kl_status kl_index_epoch(struct kl_delta_builder *builder, u64 number,
                                     const kl_valset *set);

/* Reads; KL_CORRUPT for a value of the wrong form. */
typedef struct kl_index_head {
    u64 number, version;
    kl_hash hash;
} kl_index_head;
KL_MUST_USE kl_status kl_index_get_head(struct kl_view *view, kl_index_head *out);
/* The environment of a dev chain on which nothing was set is the initial one. */
KL_MUST_USE kl_status kl_index_get_dev(struct kl_view *view, kl_dev_env *out);
KL_MUST_USE kl_status kl_index_get_epoch(struct kl_view *view, u64 number, kl_span *set);
KL_MUST_USE kl_status kl_index_get_height(struct kl_view *view, u64 number, kl_hash *hash,
                                          u64 *version);
KL_MUST_USE kl_status kl_index_get_block(struct kl_view *view, const kl_hash *hash, u64 *number);
KL_MUST_USE kl_status kl_index_get_tx(struct kl_view *view, const kl_hash *hash, u64 *number,
                                      usize *index);

/* Keys of LOG. */
#define KL_LOG_PREFIX_LEN 21
#define KL_LOG_KEY_LEN    29
typedef enum kl_index_log {
    KL_INDEX_ADDRESS = 'a',
    KL_INDEX_TOPIC = 't',
} kl_index_log;
void kl_log_address_prefix(u8 out[KL_LOG_PREFIX_LEN], const kl_address *address);
void kl_log_topic_prefix(u8 out[KL_LOG_PREFIX_LEN], const kl_hash *topic);

#endif

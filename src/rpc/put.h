/* put: the chain's nouns as JSON, member for member as execution-apis and geth have them. */
#ifndef KL_RPC_PUT_H
#define KL_RPC_PUT_H

#include "chain/reader.h"
#include "codec/json.h"

/* A header, as newHeads gives it; hash NULL: of a pending block, whose hash, nonce and miner are
 * null. */
void kl_put_header(struct kl_json_out *out, const kl_header *header, const kl_hash *hash);

/* A block with its transactions whole or by hash; pending as above. */
void kl_put_block(struct kl_json_out *out, const kl_block *block, bool whole, bool pending);

/* Where a transaction is; block NULL: in no block yet. */
typedef struct kl_put_place {
    const kl_block *block;
    usize index;
} kl_put_place;

void kl_put_tx(struct kl_json_out *out, const kl_tx *tx, const kl_put_place *place);

/* first_log: how many log entries the block has before this receipt's. */
void kl_put_receipt(struct kl_json_out *out, const kl_spec *spec, const kl_stored_block *stored,
                    usize index, usize first_log);

/* The receipt of the transaction under hash; *found is false, and nothing written, when no block
 * has it.  False: it failed and has been said. */
struct kl_rpc_call;
bool kl_rpc_put_receipt_of(struct kl_rpc_call *call, const kl_hash *hash, bool *found);

void kl_put_log(struct kl_json_out *out, const kl_log_entry *entry, const kl_block *block,
                usize tx_index, usize log_index);

#endif

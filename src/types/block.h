/* block: header, transactions, ommers, withdrawals: rlp([header, txs, ommers(, withdrawals)]). */
#ifndef KL_TYPES_BLOCK_H
#define KL_TYPES_BLOCK_H

#include "codec/rlp.h"
#include "types/header.h"
#include "types/tx.h"

typedef struct kl_withdrawal {
    u64 index, validator_index;
    kl_address address;
    u64 amount; /* in gwei [EIP-4895] */
} kl_withdrawal;

typedef struct kl_block {
    kl_header header;
    kl_hash hash; /* of the header */
    kl_tx *txs;
    usize tx_count;
    const kl_header *ommers;
    usize ommer_count;
    const kl_withdrawal *withdrawals;
    usize withdrawal_count;
    bool has_withdrawals; /* the fourth item is there, maybe empty */
    usize rlp_len;        /* of the whole block [EIP-7934] */
} kl_block;

/* Decodes a block; transactions by the rules of the fork that spec gives the header.  Everything
 * views bytes and arena. */
KL_MUST_USE kl_status kl_block_decode(kl_block *out, kl_span bytes, const kl_spec *spec,
                                      struct kl_arena *arena, kl_rule *broken);
void kl_block_encode(kl_out *out, const kl_block *block);

/* A transaction among a block's: a legacy one stands there as the list that it is, a typed one as
 * bytes [EIP-2718]; what is read is what is hashed.  TX_TYPE: bytes that would be a legacy one. */
kl_rule kl_envelope_next(kl_rlp *list, kl_span *out);
void kl_envelope_put(kl_out *out, kl_span envelope);

void kl_withdrawal_encode(kl_out *out, const kl_withdrawal *withdrawal);

/* keccak(rlp(ommers)) [YP section 4.4.2]. */
kl_hash kl_ommers_hash(const kl_header *ommers, usize count);

#endif

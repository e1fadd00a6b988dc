/* header: a block's header, 15 fields and up to 6 more [YP section 4.4.3; EIP-1559, 4895, 4844,
 * 4788, 7685]. */
#ifndef KL_TYPES_HEADER_H
#define KL_TYPES_HEADER_H

#include "base/rule.h"
#include "base/u256.h"
#include "types/fork.h"

#define KL_EXTRA_DATA_MAX 32
#define KL_HEADER_RLP_MAX 1024

typedef struct kl_bloom {
    u8 b[256];
} kl_bloom;

typedef struct kl_header {
    kl_hash parent_hash, ommers_hash;
    kl_address coinbase;
    kl_hash state_root, transactions_root, receipts_root;
    kl_bloom logs_bloom;
    kl_u256 difficulty;
    u64 number, gas_limit, gas_used, timestamp;
    u8 extra_data[KL_EXTRA_DATA_MAX];
    u8 extra_len;
    kl_hash mix_hash; /* prevRandao from Paris on */
    u8 nonce[8];
    u8 tail;          /* how many of the following fields are there, in this order: 0 to 6 */
    kl_u256 base_fee; /* 1: London */
    kl_hash withdrawals_root;   /* 2: Shanghai */
    u64 blob_gas_used;          /* 3: Cancun */
    u64 excess_blob_gas;        /* 4 */
    kl_hash parent_beacon_root; /* 5 */
    kl_hash requests_hash;      /* 6: Prague */
} kl_header;

/* How many tail fields a header has under fork. */
u8 kl_header_tail(kl_fork fork);

void kl_header_encode(kl_out *out, const kl_header *header);

/* Judges the form: types, lengths, number of fields (15 to 21, 18 and 19 not possible).  The RLP_
 * rows of rule.def, and HEADER_EXTRA_DATA. */
kl_rule kl_header_decode(kl_header *out, kl_span bytes);

/* keccak(rlp(header)), the block's hash. */
kl_hash kl_header_hash(const kl_header *header);

#endif

/* reader: the chain as of one published tip: blocks, transactions, receipts, logs and state that
 * all belong together, however the head moves on meanwhile.
 *
 * Spans and structs handed out live in the arena they were read into.  Every record is checked when
 * it is read: KL_CORRUPT, never wrong bytes.  Thread: one at a time; take a reader a request. */
#ifndef KL_CHAIN_READER_H
#define KL_CHAIN_READER_H

#include "chain/chain.h"

struct kl_reader;

/* KL_NOMEM, KL_LIMIT. */
KL_MUST_USE kl_status kl_reader_open(struct kl_chain *chain, struct kl_reader **out);
void kl_reader_close(struct kl_reader *reader); /* NULL is fine */

const struct kl_tip *kl_reader_tip(const struct kl_reader *reader);

/* The state as of the tip; lives as long as the reader. */
struct kl_view *kl_reader_view(struct kl_reader *reader);

/* The state after block number, with the dev operations that followed it; to be closed by the
 * caller. KL_NOTFOUND above the head or below what is kept. */
KL_MUST_USE kl_status kl_reader_state(struct kl_reader *reader, u64 number, struct kl_view **out);
u64 kl_reader_oldest_state(struct kl_reader *reader);
u64 kl_reader_oldest_block(struct kl_reader *reader);

KL_MUST_USE kl_status kl_reader_hash_of(struct kl_reader *reader, u64 number, kl_hash *out);
KL_MUST_USE kl_status kl_reader_number_of(struct kl_reader *reader, const kl_hash *hash, u64 *out);

/* A header alone; KL_NOTFOUND above the head or below what is kept. */
KL_MUST_USE kl_status kl_reader_header(struct kl_reader *reader, u64 number, struct kl_arena *arena,
                                       kl_header *out, kl_hash *hash);

/* A block as it lies in the ledger. */
typedef struct kl_stored_block {
    kl_block block; /* senders set, authorities not */
    const kl_receipt *receipts;
    kl_span rlp;
} kl_stored_block;
KL_MUST_USE kl_status kl_reader_block(struct kl_reader *reader, u64 number, struct kl_arena *arena,
                                      kl_stored_block *out);

/* The same, shared with other readers where the block is large: not to be changed, and good until
 * the reader is closed, or the arena forgets it. */
KL_MUST_USE kl_status kl_reader_shared(struct kl_reader *reader, u64 number, struct kl_arena *arena,
                                       kl_stored_block *out);

/* Where a transaction is. */
KL_MUST_USE kl_status kl_reader_tx(struct kl_reader *reader, const kl_hash *hash, u64 *number,
                                   usize *index);

/* Log entries in [from, to], oldest first.  An address list of 0 matches all; topics[i] of 0
 * alternatives matches all. */
typedef struct kl_log_filter {
    u64 from, to;
    const kl_address *addresses;
    usize address_count;
    const kl_hash *topics[4];
    usize topic_counts[4];
} kl_log_filter;

/* Does one entry match (block numbers aside)? */
bool kl_log_filter_match(const kl_log_filter *filter, const kl_log_entry *entry);

/* Gives every match to each(), which returns false to stop; all it gets lives for the call only. */
typedef struct kl_log_hit {
    const kl_log_entry *entry;
    const kl_stored_block *block;
    usize tx_index, log_index; /* log_index counts through the block */
} kl_log_hit;
KL_MUST_USE kl_status kl_reader_logs(struct kl_reader *reader, const kl_log_filter *filter,
                                     bool (*each)(void *ctx, const kl_log_hit *hit), void *ctx);

/* For BLOCKHASH: the hashes that a view of any version knows; lives in the caller's struct. */
struct kl_view_hashes {
    struct kl_block_hashes hashes;
    struct kl_view *view;
};
void kl_view_hashes_init(struct kl_view_hashes *out, struct kl_view *view);

#endif

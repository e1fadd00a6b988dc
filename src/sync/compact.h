/* compact: a body (docs/formats/wire.md) without its transactions: their hashes stand for those
 * that whoever gets it has already.
 *
 * Hashes are whole, 32 bytes: no two transactions share one, so that whoever has the right hashes
 * rebuilds the right body, and nobody can make transactions that are taken for one another. */
#ifndef KL_SYNC_COMPACT_H
#define KL_SYNC_COMPACT_H

#include "base/buf.h"
#include "base/rule.h"
#include "codec/rlp.h"

enum { KL_COMPACT_MAX = 65536 }; /* transactions; blocks with more travel whole */

/* Views whatever it was made of. */
typedef struct kl_compact {
    kl_span header;    /* RLP */
    kl_span rest;      /* what stands behind the transactions in the block's list */
    kl_span consensus; /* RLP of the consensus header */
    kl_span hashes;    /* of the transactions, in their order */
} kl_compact;

static inline usize kl_compact_count(const kl_compact *compact)
{
    return compact->hashes.len / sizeof(kl_hash);
}
kl_hash kl_compact_hash(const kl_compact *compact, usize place);

/* Takes a body apart: everything but the hashes; *txs walks over its transactions, see
 * kl_envelope_next.  Only the outer form is judged. */
kl_rule kl_compact_split(kl_compact *out, kl_rlp *txs, kl_span body);

/* Writes the body of which compact is the outline and these, in order, are the transactions. */
void kl_compact_join(kl_out *out, const kl_compact *compact, const kl_span *envelopes, usize count);

#endif

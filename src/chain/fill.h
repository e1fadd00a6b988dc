/* fill: a chain that begins with what others have executed.
 *
 * A fresh chain, whose ledger holds the genesis alone, takes the ledger's records from peers,
 * judged in all that needs no state, and the state of the newest one range by range.  When both are
 * whole the chain is opened as any other (chain.h): its ledger begins with the genesis, and says
 * the same of every block as those of its peers.  Only the history of states begins where filling
 * ended.
 *
 * The ledger remains the truth: at any moment the state database may be deleted and made again by
 * executing.  While the database is being filled, kl_chain_open calls it KL_CORRUPT.
 *
 *     kl_fill_open ── take, take …, keep ──┐          height moves on
 *                     kl_fill_state: ranges, code     of the state at the height
 *                     kl_fill_end  ── kl_chain_open
 *
 * Thread: one at a time. */
#ifndef KL_CHAIN_FILL_H
#define KL_CHAIN_FILL_H

#include "chain/chain.h"
#include "state/fill.h"

struct kl_fill;

/* Opens a ledger that begins with its genesis, made by kl_chain_open, and its database, which is
 * emptied unless it is being filled already; *note, see kl_state_fill_begin, is the caller's of
 * kl_fill_keep.  KL_CORRUPT with the report filled; KL_UNSUPPORTED: the ledger's beginning has been
 * dropped, or nobody votes on this chain. */
KL_MUST_USE kl_status kl_fill_open(struct kl_fill **out, const kl_chain_config *config,
                                   kl_span *note, kl_chain_report *report);
void kl_fill_close(struct kl_fill *fill); /* NULL is fine; goes on at the next open */

const kl_spec *kl_fill_spec(const struct kl_fill *fill);
kl_vote_domain kl_fill_domain(const struct kl_fill *fill);
const kl_pin *kl_fill_pin(const struct kl_fill *fill);

/* The newest block; its epoch is that of the blocks behind it and lives until the next take. */
typedef struct kl_fill_head {
    u64 height;
    kl_hash hash, state_root;
    const struct kl_epoch *epoch;
} kl_fill_head;
void kl_fill_head_of(const struct kl_fill *fill, kl_fill_head *out);

/* The next block's record without its finalization (kl_reader_record), and that.  Every record
 * that is taken is to be final, be it through a later block: the caller has seen to that (sync/
 * fetch.h).  *broken: nothing was taken; PIN_BLOCK: all else is good, and kl_fill_off_pin tells
 * which block it is. */
KL_MUST_USE kl_status kl_fill_take(struct kl_fill *fill, kl_span record, kl_span finalization,
                                   kl_rule *broken);
kl_hash kl_fill_off_pin(const struct kl_fill *fill);
/* What was taken is made durable, and found by the indexes; the note goes with it, and with all
 * that was put into the state before. */
KL_MUST_USE kl_status kl_fill_keep(struct kl_fill *fill, kl_span note);

struct kl_state_filler *kl_fill_state(struct kl_fill *fill);

/* The state is that of the newest block: *good says whether it makes its root.  When it does, the
 * database is whole, and the fill is only to be closed. */
KL_MUST_USE kl_status kl_fill_end(struct kl_fill *fill, bool *good);

#endif

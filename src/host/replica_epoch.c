/* From one set of validators to the next: when an epoch's last block is durable in the ledger, and
 * what made it final in the consensus log, since others will ask for that.  A ledger that was
 * fetched may be several epochs ahead of the engine. */
#include "host/replica_priv.h"

static u32 place_of(const struct kl_replica *r, const kl_valset *set)
{
    u32 place;
    return r->has_key && kl_valset_find(set, r->key, &place) ? place : KL_BFT_NOBODY;
}

/* Up to which view of the epoch earlier lives may have signed. */
static u64 signed_view(const struct kl_replica *r, u64 epoch)
{
    kl_guard_view newest = r->signed_before;
    if (r->config.shares_key || epoch < newest.epoch)
        return UINT64_MAX;
    return epoch == newest.epoch ? newest.view : 0;
}

kl_bft_epoch replica_epoch_of(struct kl_replica *r, const struct kl_tip *tip)
{
    const struct kl_epoch *epoch = tip->epoch;
    return (kl_bft_epoch){
        .epoch = epoch->number,
        .set = &epoch->set,
        .self = place_of(r, &epoch->set),
        .last_height = epoch->last_height,
        .signed_view = signed_view(r, epoch->number),
        .floor = kl_tip_floor(tip),
    };
}

void replica_epoch_due(struct kl_replica *r)
{
    u64 next = r->durable->epoch->number;
    if (r->broken != KL_OK || next <= r->epoch->number)
        return;
    /* Once, since the ledger passed the end of the engine's epoch: a ledger that is being fetched
     * may be in another one by then. */
    if (r->epoch_marked <= r->epoch->number) {
        if (r->epoch_asked <= r->epoch->number) {
            r->epoch_asked = next;
            replica_log_mark(r, next);
        }
        return;
    }
    kl_bft_epoch epoch = replica_epoch_of(r, r->durable);
    struct kl_epoch *before = r->epoch;
    r->epoch = kl_epoch_ref(r->durable->epoch);
    r->self = epoch.self;
    r->branch_moved = true;
    replica_tell(r, &(kl_bft_event){
                        .kind = KL_BFT_NEXT_EPOCH, .peer = KL_BFT_NO_PEER, .epoch_config = &epoch});
    kl_epoch_unref(before); /* the engine views the new one */
}

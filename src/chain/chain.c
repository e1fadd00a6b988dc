/* The chain's life: appended tips wait in a queue, oldest first, until the database holds them.
 *
 *     flushed <= synced <= written <= head
 *                          published is behind written, or behind synced where blocks must be
 *                          durable before they are acknowledged
 *
 * The anchor that the database carries is empty: its own version is the number of the ledger record
 * it stands at. */
#include <stdlib.h>

#include "chain/bft_priv.h"

#define FLUSH_STEPS_MAX 4096u /* of one transaction of the database */

const kl_spec *kl_chain_spec(const struct kl_chain *chain)
{
    return &chain->spec;
}

const kl_hash *kl_chain_genesis_hash(const struct kl_chain *chain)
{
    return &chain->genesis_hash;
}

const kl_pin *kl_chain_pin(const struct kl_chain *chain)
{
    return &chain->pin;
}

struct kl_tip *kl_chain_head(struct kl_chain *chain)
{
    return kl_tip_ref(chain->head);
}

struct kl_tip *kl_chain_published(struct kl_chain *chain)
{
    kl_lock(&chain->lock);
    struct kl_tip *tip = kl_tip_ref(chain->published);
    kl_unlock(&chain->lock);
    return tip;
}

/* The queue keeps a reference of its own. */
static void enqueue(struct kl_chain *chain, struct kl_tip *tip)
{
    kl_tip_ref(tip);
    tip->next = NULL;
    if (chain->newest)
        chain->newest->next = tip;
    else
        chain->oldest = tip;
    chain->newest = tip;
    if (!chain->to_publish)
        chain->to_publish = tip;
    chain->delta_bytes += kl_delta_bytes(tip->delta);
}

/* Removes ledger segments that may go.  A failure is no reason to make no more blocks: they may
 * still go after a later flush. */
static void drop_segments(struct kl_chain *chain)
{
    kl_lock(&chain->lock);
    u64 below = chain->drop_below;
    chain->drop_below = 0;
    kl_unlock(&chain->lock);
    kl_status status = below ? kl_seglog_drop(chain->ledger, below) : KL_OK;
    (void)status;
}

/* The tip's record, and what goes behind it. */
static kl_status append(struct kl_chain *chain, struct kl_tip *tip, kl_span tail)
{
    static const u8 kinds[] = {
        [KL_STEP_GENESIS] = KL_RECORD_GENESIS,
        [KL_STEP_BLOCK] = KL_RECORD_BLOCK,
        [KL_STEP_DEV] = KL_RECORD_DEV,
        [KL_STEP_REVERT] = KL_RECORD_DEV,
    };
    bool voted = tip->step == KL_STEP_BLOCK && kl_chain_votes(chain);
    u8 kind = voted ? KL_RECORD_VOTED : kinds[tip->step];
    u64 seq;
    const kl_span parts[] = {kl_buf_view(&tip->record), tail};
    KL_ASSERT(tip->version == (chain->head ? chain->head->version + 1 : 0));
    KL_ASSERT(tip->version == kl_seglog_end(chain->ledger));
    drop_segments(chain);
    KL_TRY(kl_seglog_append(chain->ledger, kind, parts, tail.len ? 2 : 1, &seq));
    KL_ASSERT(seq == tip->version);
    kl_chain_take_head(chain, tip);
    return KL_OK;
}

kl_status kl_chain_append(struct kl_chain *chain, struct kl_tip *tip)
{
    KL_ASSERT(tip->step != KL_STEP_BLOCK || !kl_chain_votes(chain));
    return append(chain, tip, KL_SPAN_NONE);
}

kl_status kl_chain_append_final(struct kl_chain *chain, struct kl_tip *tip,
                                const kl_certificate *finalization)
{
    KL_ASSERT(tip->step == KL_STEP_BLOCK && kl_chain_votes(chain));
    if (!finalization) {
        KL_ASSERT(!kl_is_anchor(&chain->spec, tip->header.number));
        return append(chain, tip, KL_SPAN_NONE);
    }
    const kl_vote_subject *subject = &finalization->subject;
    KL_ASSERT(subject->kind == KL_VOTE_FINALIZE &&
              kl_hash_eq(&subject->proposal.block_hash, &tip->hash));
    kl_arena_mark mark = kl_arena_here(&chain->arena);
    u8 *room = KL_TAKE(&chain->arena, u8, KL_CERTIFICATE_RLP_MAX);
    if (!room)
        return KL_NOMEM;
    kl_out out = kl_out_of(room, KL_CERTIFICATE_RLP_MAX);
    kl_certificate_encode(&out, finalization);
    KL_ASSERT(!out.full);
    kl_status status = append(chain, tip, kl_out_done(&out));
    kl_arena_rewind(&chain->arena, mark);
    return status;
}

void kl_chain_take_head(struct kl_chain *chain, struct kl_tip *tip)
{
    kl_buf_done(&tip->record);
    kl_tip_unref(chain->head);
    chain->head = kl_tip_ref(tip);
    kl_lock(&chain->lock);
    enqueue(chain, tip);
    kl_unlock(&chain->lock);
}

kl_status kl_chain_write(struct kl_chain *chain)
{
    u64 end = kl_seglog_end(chain->ledger);
    KL_TRY(kl_seglog_write(chain->ledger));
    kl_lock(&chain->lock);
    chain->written = end;
    kl_unlock(&chain->lock);
    return KL_OK;
}

kl_status kl_chain_sync(struct kl_chain *chain)
{
    return kl_seglog_sync(chain->ledger);
}

/* The next tip readers may see, with a reference; NULL when there is none. */
static struct kl_tip *publish_one(struct kl_chain *chain, bool durable)
{
    struct kl_tip *tip = NULL;
    kl_lock(&chain->lock);
    u64 end = durable ? kl_seglog_synced(chain->ledger) : chain->written;
    if (chain->to_publish && chain->to_publish->version < end) {
        tip = kl_tip_ref(chain->to_publish);
        kl_tip_unref(chain->published);
        chain->published = kl_tip_ref(tip);
        chain->to_publish = tip->next;
    }
    kl_unlock(&chain->lock);
    return tip;
}

void kl_chain_publish(struct kl_chain *chain, bool durable,
                      void (*each)(void *ctx, struct kl_tip *tip), void *ctx)
{
    for (struct kl_tip *tip; (tip = publish_one(chain, durable)) != NULL;) {
        if (each)
            each(ctx, tip);
        kl_tip_unref(tip);
    }
}

/* The newest tip that may be flushed in one go, with a reference, or NULL. */
static struct kl_tip *flush_target(struct kl_chain *chain, u64 end, bool *more)
{
    struct kl_tip *target = NULL;
    u64 steps = 0;
    kl_lock(&chain->lock);
    struct kl_tip *tip = chain->oldest;
    /* published first: a reader's view of the published tip must not be overtaken in the queue */
    end = KL_MIN(end, chain->published ? chain->published->version + 1 : 0);
    for (; tip && tip->version < end && steps < FLUSH_STEPS_MAX; tip = tip->next, steps++)
        target = tip;
    *more = tip && tip->version < end;
    if (target)
        kl_tip_ref(target);
    kl_unlock(&chain->lock);
    return target;
}

/* Forgets the tips up to version, which the database holds. */
static void forget(struct kl_chain *chain, u64 version)
{
    struct kl_tip *gone = NULL;
    kl_lock(&chain->lock);
    while (chain->oldest && chain->oldest->version <= version) {
        struct kl_tip *tip = chain->oldest;
        chain->oldest = tip->next;
        chain->delta_bytes -= kl_delta_bytes(tip->delta);
        tip->next = gone;
        gone = tip;
    }
    if (!chain->oldest)
        chain->newest = NULL;
    chain->flushed = version;
    chain->has_flushed = true;
    kl_unlock(&chain->lock);
    while (gone) {
        struct kl_tip *tip = gone;
        gone = tip->next;
        kl_tip_unref(tip);
    }
}

kl_status kl_chain_flush_to(struct kl_chain *chain, u64 end, bool *more)
{
    struct kl_tip *target = flush_target(chain, end, more);
    if (!target)
        return KL_OK;
    kl_status status = kl_state_flush(chain->state, target->delta, KL_SPAN_NONE);
    if (status == KL_OK)
        forget(chain, target->version);
    kl_tip_unref(target);
    return status;
}

kl_status kl_chain_flush(struct kl_chain *chain, bool durable, bool *more)
{
    kl_lock(&chain->lock);
    u64 end = durable ? kl_seglog_synced(chain->ledger) : chain->written;
    kl_unlock(&chain->lock);
    KL_TRY(kl_chain_flush_to(chain, end, more));
    return *more ? KL_OK : kl_chain_retain(chain);
}

void kl_chain_hurry(struct kl_chain *chain)
{
    kl_lock(&chain->lock);
    chain->hurry = true;
    kl_unlock(&chain->lock);
}

void kl_chain_lag_of(struct kl_chain *chain, kl_chain_lag *out)
{
    kl_lock(&chain->lock);
    *out = (kl_chain_lag){
        .head = chain->newest ? chain->newest->version : chain->flushed,
        .written = chain->written,
        .synced = kl_seglog_synced(chain->ledger),
        .flushed = chain->flushed,
        .delta_bytes = chain->delta_bytes,
    };
    kl_unlock(&chain->lock);
}

void kl_chain_close(struct kl_chain *chain)
{
    if (!chain)
        return;
    while (chain->oldest) {
        struct kl_tip *tip = chain->oldest;
        chain->oldest = tip->next;
        kl_tip_unref(tip);
    }
    kl_tip_unref(chain->published);
    kl_tip_unref(chain->head);
    kl_epoch_unref(chain->first_epoch);
    kl_state_close(chain->state);
    kl_seglog_close(chain->ledger);
    kl_arena_done(&chain->arena);
    kl_block_cache_done(&chain->blocks);
    kl_mutex_done(&chain->lock);
    free(chain);
}

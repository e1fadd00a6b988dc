/* Catching up by height: blocks that the machine has found to be final are executed and appended in
 * one job; then the engine hears how far that has come.
 *
 * Our head moves by the engine's commits too.  While blocks are being taken the machine does not
 * hear of that, since for it a new head is the end of taking; the job passes over what is there
 * already. */
#include <stdlib.h>

#include "host/replica_priv.h"

#define KEEP_BYTES ((usize)8 << 20)

struct take_work {
    struct replica_work work;
    usize count;
    struct replica_body *bodies[KL_FETCH_BATCH];
    kl_certificate certificates[KL_FETCH_BATCH];
    u8 *signatures[KL_FETCH_BATCH]; /* NULL: no certificate */
    kl_certificate later;           /* of a block behind the last one, where that has none */
    u8 *later_signatures;
    /* What came of it. */
    kl_status status;
    kl_rule broken;
    u64 refused; /* height of a final block that is broken itself, not only what a peer has sent */
    bool forked, off_pin;
    kl_hash found;       /* with off_pin: the block that is not the pinned one */
    struct kl_tip *head; /* NULL: it has not moved */
    struct replica_txs *txs[KL_FETCH_BATCH];
    usize appended;
    replica_fact *facts;
    usize fact_count;
};

/* --- the execution lane --- */

static kl_status append(struct kl_replica *r, struct take_work *w, usize i, struct kl_tip *tip)
{
    KL_TRY(replica_txs_of(r, tip, &w->txs[w->appended]));
    KL_TRY(kl_chain_append_final(r->chain, tip, w->signatures[i] ? &w->certificates[i] : NULL));
    w->appended++;
    return KL_OK;
}

/* One block on the head, which it must be the child of, unless it is there. */
static kl_status take_one(struct kl_replica *r, struct take_work *w, usize i, struct kl_tip *head)
{
    const struct replica_body *body = w->bodies[i];
    kl_span bytes = kl_span_of(body->bytes, body->len);
    kl_body parts;
    w->broken = kl_body_decode(&parts, bytes);
    if (w->broken != KL_RULE_NONE)
        return KL_OK;
    if (parts.header.number <= head->header.number) {
        w->forked |=
            parts.header.number == head->header.number && !kl_hash_eq(&parts.hash, &head->hash);
        return KL_OK;
    }
    w->off_pin = kl_pin_excludes(kl_chain_pin(r->chain), parts.header.number, &parts.hash);
    w->found = parts.hash;
    if (w->off_pin)
        return KL_OK;
    struct kl_tip *tip = replica_tip(r, &parts.hash);
    if (tip)
        return append(r, w, i, tip);
    KL_TRY(kl_chain_judge(r->chain, r->run, head, bytes, &tip, &w->broken));
    if (w->broken != KL_RULE_NONE) {
        bool is = false;
        KL_TRY(replica_is_of_header(r, &parts, &is));
        w->refused = is ? parts.header.number : 0;
        return KL_OK;
    }
    kl_status status = append(r, w, i, tip);
    kl_tip_unref(tip);
    return status;
}

static kl_status take_all(struct kl_replica *r, struct take_work *w)
{
    kl_status status = KL_OK;
    for (usize i = 0;
         i < w->count && status == KL_OK && w->broken == KL_RULE_NONE && !w->forked && !w->off_pin;
         i++) {
        struct kl_tip *head = kl_chain_head(r->chain);
        status = take_one(r, w, i, head);
        kl_tip_unref(head);
    }
    if (!w->appended)
        return status;
    KL_TRY(status);
    KL_TRY(kl_chain_write(r->chain));
    struct kl_tip *head = kl_chain_head(r->chain);
    status = replica_facts_at(r, head, w->txs, w->appended, &w->facts, &w->fact_count);
    replica_tips_prune(r, head->header.number);
    w->head = head;
    return status;
}

static void take_run(struct kl_job *job)
{
    struct take_work *w = (struct take_work *)job;
    kl_arena_reset(&w->work.replica->run_arena, KEEP_BYTES);
    w->status = take_all(w->work.replica, w);
}

/* --- the replica's thread --- */

static void tell_final(struct kl_replica *r, const kl_certificate *certificate)
{
    if (certificate->subject.proposal.epoch == r->epoch->number)
        replica_tell(r, &(kl_bft_event){.kind = KL_BFT_CERTIFICATE,
                                        .peer = KL_BFT_NO_PEER,
                                        .certificate = certificate});
}

static void tell_synced(struct kl_replica *r, const kl_proposal *proposal)
{
    kl_simplex_status status = kl_simplex_status_of(r->engine, replica_now(r));
    if (proposal->epoch == status.epoch && proposal->view && proposal->view <= status.final.view)
        replica_tell(r, &(kl_bft_event){
                            .kind = KL_BFT_SYNCED, .peer = KL_BFT_NO_PEER, .proposal = proposal});
}

/* The engine learns what the blocks were final by, and that all up to the last one is here. */
static void tell_engine(struct kl_replica *r, const struct take_work *w)
{
    usize last = w->count - 1;
    kl_proposal floor = kl_tip_floor(r->head);
    bool has_own = w->signatures[last];
    const kl_certificate *certificate = has_own ? &w->certificates[last] : &w->later;
    if (has_own || w->later_signatures)
        tell_final(r, certificate);
    if (has_own && certificate->subject.proposal.height == r->head->header.number)
        floor = certificate->subject.proposal; /* of an epoch's last block too */
    tell_synced(r, &floor);
}

static void take_finish(struct replica_work *work)
{
    struct take_work *w = (struct take_work *)work;
    struct kl_replica *r = work->replica;
    r->taking = false;
    if (w->status != KL_OK)
        replica_fail(r, w->status, "fetched blocks could not be executed");
    if (w->forked)
        replica_fail(r, KL_CORRUPT, "another block is final at this height");
    if (w->off_pin)
        replica_refuse_pin(r, &w->found);
    struct kl_tip *head = w->head;
    w->head = NULL;
    for (usize i = 0; head && i < w->appended; i++)
        replica_local_final(r, w->txs[i]);
    if (head) {
        r->head_fetched = true;
        replica_head_moved(r, head, w->facts, w->fact_count, r->token_given);
    }
    if (w->refused)
        replica_refuse_final(r, w->refused, w->broken);
    if (w->broken != KL_RULE_NONE || w->status != KL_OK)
        replica_fetch(r, &(kl_fetch_event){.kind = KL_FETCH_FAILED, .rule = w->broken});
    else if (!head)
        replica_fetch_head(r);
    if (head && w->broken == KL_RULE_NONE && r->broken == KL_OK)
        tell_engine(r, w);
}

static void take_drop(struct replica_work *work)
{
    struct take_work *w = (struct take_work *)work;
    for (usize i = 0; i < w->count; i++) {
        replica_body_unref(w->bodies[i]);
        replica_txs_unref(w->txs[i]);
        free(w->signatures[i]);
    }
    free(w->later_signatures);
    kl_tip_unref(w->head);
    free(w->facts);
    free(w);
}

/* A certificate from its bytes, with signatures of its own; false: no memory, or no certificate. */
static bool copy_certificate(kl_certificate *out, u8 **signatures, kl_span bytes)
{
    kl_certificate certificate;
    return kl_certificate_decode(&certificate, bytes) == KL_RULE_NONE &&
           replica_certificate_copy(out, signatures, &certificate);
}

static bool copy_blocks(struct take_work *w, const kl_message *m)
{
    static const kl_hash none; /* the body's own hash is read by the job */
    for (usize i = 0; i < w->count; i++) {
        const kl_message_block *block = &m->blocks[i];
        w->bodies[i] = replica_body_new(&none, block->body);
        if (!w->bodies[i] ||
            (block->finalization.len &&
             !copy_certificate(&w->certificates[i], &w->signatures[i], block->finalization)))
            return false;
    }
    return w->signatures[w->count - 1] ||
           copy_certificate(&w->later, &w->later_signatures, m->finalization);
}

static void take(struct kl_replica *r, const kl_fetch_event *event, usize count)
{
    kl_chain_lag lag;
    kl_chain_lag_of(r->chain, &lag);
    bool room = r->broken == KL_OK && lag.delta_bytes <= REPLICA_LAG_BYTES;
    struct take_work *w = room ? calloc(1, sizeof *w) : NULL;
    KL_ASSERT(count && count <= KL_FETCH_BATCH);
    if (w) {
        w->count = count;
        if (copy_blocks(w, event->message)) {
            r->taking = true;
            replica_give(r, KL_LANE_EXECUTION, &w->work, take_run, take_finish, take_drop);
            return;
        }
        take_drop(&w->work);
    }
    /* No memory, or a state database that lags: another time.  A broken disk takes nothing any
     * more. */
    if (r->broken == KL_OK)
        replica_fetch(r, &(kl_fetch_event){.kind = KL_FETCH_FAILED});
}

void replica_fetch(struct kl_replica *r, const kl_fetch_event *event)
{
    kl_fetch_effects effects;
    kl_fetch_step(r->fetch, event, replica_now(r), &effects);
    for (usize i = 0; i < effects.count; i++) {
        const kl_fetch_effect *effect = &effects.list[i];
        switch (effect->kind) {
        case KL_FETCH_ASK:
            replica_send(r, effect->peer,
                         &(kl_message){.kind = KL_MESSAGE_ASK_BLOCKS,
                                       .from = effect->from,
                                       .to = effect->to});
            break;
        case KL_FETCH_TAKE:
            take(r, event, effect->count);
            break;
        case KL_FETCH_PENALIZE:
            r->config.net->penalize(r->config.net, effect->peer, effect->rule);
            break;
        case KL_FETCH_SET_TIMER:
            r->fetch_due_ns = effect->at_ns;
            break;
        }
    }
}

/* Whoever turns to the others' state votes no more until it has it, and lets go of its own, so
 * nobody's word is enough.  One of those who say so is honest, as far as they are validators; and
 * whoever votes or has a state must be seen to be behind: its newest block was fetched. */
static void look_far(struct kl_replica *r)
{
    struct kl_replica_watch *watch = r->config.watch;
    u64 height = r->head->header.number;
    bool was_ahead = r->signed_before.epoch > r->epoch->number; /* before it lost its folder */
    bool fresh = !height && (!r->signing || was_ahead);
    if (r->told_far || !watch || !watch->far || (!fresh && !r->head_fetched))
        return;
    u64 target = kl_fetch_credible(r->fetch, (r->head->epoch->set.count - 1) / 3 + 1);
    u64 few = r->config.far_blocks ? r->config.far_blocks : KL_REPLICA_FAR_FRESH;
    if (target < height + (fresh ? few : KL_REPLICA_FAR))
        return;
    r->told_far = true;
    watch->far(watch, target);
}

#define BEHIND         4 /* blocks that are on their way do not count */
#define STOOD_STILL_NS UINT64_C(5000000000)

/* Where it began to catch up.  Who neither heard nor made anything for long begins then. */
static void look_behind(struct kl_replica *r)
{
    u64 now = replica_now(r), height = r->head->header.number;
    bool goes_on = r->behind && now - r->looked_ns < STOOD_STILL_NS;
    r->looked_ns = now;
    r->behind = kl_fetch_credible(r->fetch, 1) >= height + BEHIND;
    if (goes_on || !r->behind)
        return;
    r->behind_ns = now;
    r->behind_height = height;
}

void replica_fetch_height(struct kl_replica *r, u32 peer, u64 height)
{
    replica_fetch(r, &(kl_fetch_event){.kind = KL_FETCH_HEIGHT, .peer = peer, .height = height});
    look_behind(r);
    look_far(r);
}

u64 replica_eta_s(u64 passed_ns, u64 done, u64 all)
{
    if (!done || all < done)
        return UINT64_MAX;
    return (u64)((double)passed_ns / (double)done * (double)(all - done) / 1e9);
}

kl_replica_sync kl_replica_sync_of(const struct kl_replica *r)
{
    u64 now = replica_now(r), height = r->head->header.number;
    u64 final = kl_simplex_status_of(r->engine, now).final.height;
    u64 target = KL_MAX(height, KL_MAX(final, kl_fetch_credible(r->fetch, 1)));
    target = KL_MAX(target, kl_chain_pin(r->chain)->number);
    return (kl_replica_sync){
        .first = r->first_height,
        .height = height,
        .target = target,
        .eta_s = r->behind ? replica_eta_s(now - r->behind_ns, height - r->behind_height,
                                           target - r->behind_height)
                           : UINT64_MAX,
        .off_pin = r->off_pin,
        .found = r->found,
        .lack = kl_fetch_lack_of(r->fetch),
    };
}

void replica_fetch_head(struct kl_replica *r)
{
    look_behind(r);
    if (r->taking)
        return; /* it hears when the blocks are taken */
    const struct kl_epoch *epoch = r->head->epoch;
    const kl_fetch_head head = {
        .height = r->head->header.number,
        .hash = r->head->hash,
        .epoch = epoch->number,
        .last_height = epoch->last_height,
        .set = &epoch->set,
    };
    struct kl_tip *before = r->fetch_tip;
    r->fetch_tip = kl_tip_ref(r->head);
    replica_fetch(r, &(kl_fetch_event){.kind = KL_FETCH_HEAD, .head = &head});
    kl_tip_unref(before);
}

void replica_sync(struct kl_replica *r, const kl_proposal *p, const kl_certificate *certificate)
{
    bool is_here = p->height <= r->head->header.number;
    if (is_here || replica_commit_branch(r, p, certificate)) {
        replica_tell(r,
                     &(kl_bft_event){.kind = KL_BFT_SYNCED, .peer = KL_BFT_NO_PEER, .proposal = p});
        return;
    }
    /* Whoever it is, it has heard of the block, or will soon. */
    u32 peer = replica_somebody(r, KL_REPLICA_ALL);
    if (peer != KL_REPLICA_ALL && kl_fetch_target(r->fetch) < p->height)
        replica_fetch(
            r, &(kl_fetch_event){.kind = KL_FETCH_HEIGHT, .peer = peer, .height = p->height});
}

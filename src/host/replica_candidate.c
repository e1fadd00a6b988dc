/* A candidate is kept from the moment its body, or somebody's wish for its body, is here, until a
 * block at its height is final.  What was executed is never evicted before that: the engine may
 * make it final at any time, and asks about no more blocks than its window has views for.  Bodies
 * that nobody has executed are bounded, by bytes and by number, and those farthest ahead go first:
 * who hears but cannot ask collects them, and will take those blocks by height. */
#include <stdlib.h>

#include "host/replica_priv.h"

#define NS_PER_MS 1000000u

struct replica_body *replica_body_room(const kl_hash *hash, usize len)
{
    struct replica_body *body = malloc(sizeof *body + len);
    if (!body)
        return NULL;
    kl_refs_init(&body->refs);
    body->hash = *hash;
    body->len = len;
    return body;
}

struct replica_body *replica_body_new(const kl_hash *hash, kl_span bytes)
{
    struct replica_body *body = replica_body_room(hash, bytes.len);
    if (body && bytes.len)
        memcpy(body->bytes, bytes.p, bytes.len);
    return body;
}

struct replica_body *replica_body_ref(struct replica_body *body)
{
    if (body)
        kl_refs_add(&body->refs);
    return body;
}

void replica_body_unref(struct replica_body *body)
{
    if (body && kl_refs_drop(&body->refs))
        free(body);
}

struct replica_candidate *replica_candidate_of(const struct kl_replica *r, const kl_hash *hash)
{
    return kl_map_get(&r->by_hash, hash);
}

struct replica_candidate *replica_candidate_for(struct kl_replica *r, const kl_proposal *proposal)
{
    struct replica_candidate *c = replica_candidate_of(r, &proposal->block_hash);
    if (c)
        return c;
    c = calloc(1, sizeof *c);
    if (!c)
        return NULL;
    c->hash = proposal->block_hash;
    c->height = proposal->height;
    c->epoch = proposal->epoch;
    c->view = proposal->view;
    c->source.peer = KL_REPLICA_ALL;
    if (kl_map_put(&r->by_hash, c) != KL_OK) {
        free(c);
        return NULL;
    }
    c->next = r->candidates;
    r->candidates = c;
    r->candidate_count++;
    return c;
}

static bool is_waiting(const struct replica_candidate *c)
{
    return c->body && c->state == REPLICA_WAITS;
}

void replica_candidate_read(struct kl_replica *r, struct replica_candidate *c,
                            struct replica_body *body, const kl_body *parts)
{
    (void)r;
    replica_body_unref(c->body);
    c->body = body;
    c->read = true;
    c->wanted = false;
    c->parent_hash = parts->header.parent_hash;
    c->height = parts->header.number;
    c->epoch = parts->consensus_header.epoch;
    c->view = parts->consensus_header.view;
    c->time_ms = parts->consensus_header.time_ms;
}

void replica_candidate_unread(struct kl_replica *r, struct replica_candidate *c)
{
    (void)r;
    replica_body_unref(c->body);
    c->body = NULL;
    c->state = REPLICA_WAITS;
}

static void drop(struct kl_replica *r, struct replica_candidate **at)
{
    struct replica_candidate *c = *at;
    *at = c->next;
    r->candidate_count--;
    (void)kl_map_take(&r->by_hash, &c->hash);
    replica_body_unref(c->body);
    replica_txs_unref(c->txs);
    free(c->order);
    free(c);
}

bool replica_candidate_room(struct kl_replica *r, usize len, u64 view)
{
    while (true) {
        usize bytes = 0, count = 0;
        struct replica_candidate **farthest = NULL;
        for (struct replica_candidate **at = &r->candidates; *at; at = &(*at)->next) {
            if (!is_waiting(*at))
                continue;
            bytes += (*at)->body->len;
            count++;
            if (!farthest || (*at)->view > (*farthest)->view)
                farthest = at;
        }
        if (bytes + len <= REPLICA_BODIES_BYTES &&
            count < REPLICA_BODIES_WINDOWS * r->config.window)
            return true;
        if (!farthest || (*farthest)->view <= view)
            return false;
        drop(r, farthest);
    }
}

u32 replica_candidates_in(const struct kl_replica *r, u64 epoch, u64 view)
{
    u32 count = 0;
    for (const struct replica_candidate *c = r->candidates; c; c = c->next)
        count += c->epoch == epoch && c->view == view && (c->body || c->rebuilding);
    return count;
}

void replica_candidates_prune(struct kl_replica *r)
{
    kl_proposal floor = kl_tip_floor(r->head);
    for (struct replica_candidate **at = &r->candidates; *at;) {
        const struct replica_candidate *c = *at;
        if (c->height <= r->head->header.number || c->epoch < floor.epoch ||
            (c->epoch == floor.epoch && c->view <= floor.view))
            drop(r, at);
        else
            at = &(*at)->next;
    }
}

/* What a notarized block stands on was notarized too, also where we heard so before it was here. */
static void learn_below(struct kl_replica *r)
{
    for (const struct replica_candidate *above = r->candidates; above; above = above->next) {
        struct replica_candidate *c = NULL;
        if (above->notarized && above->read)
            c = replica_candidate_of(r, &above->parent_hash);
        while (c && !c->notarized) {
            c->notarized = true;
            c = c->read ? replica_candidate_of(r, &c->parent_hash) : NULL;
        }
    }
}

void replica_candidates_learn(struct kl_replica *r, const kl_vote_subject *subject)
{
    struct replica_candidate *named = replica_candidate_of(r, &subject->proposal.block_hash);
    if (named && subject->kind != KL_VOTE_NULLIFY)
        named->notarized = true;
    if (r->candidate_count <= r->config.window / 2)
        return;
    learn_below(r);
    kl_simplex_status status = kl_simplex_status_of(r->engine, replica_now(r));
    for (struct replica_candidate **at = &r->candidates; *at;) {
        const struct replica_candidate *c = *at;
        bool is_over = c->epoch == status.epoch && c->view + r->config.window / 2 < status.view;
        bool is_kept = (c->notarized && c->body) || c->state == REPLICA_RUNNING;
        if (is_over && !is_kept)
            drop(r, at);
        else
            at = &(*at)->next;
    }
}

void replica_candidates_done(struct kl_replica *r)
{
    while (r->candidates)
        drop(r, &r->candidates);
    kl_map_done(&r->by_hash);
}

/* --- verdicts --- */

static void answer_at(struct kl_replica *r, const kl_proposal *proposal, kl_bft_verdict verdict,
                      u64 at_ns)
{
    replica_tell(r, &(kl_bft_event){.kind = KL_BFT_EXECUTED,
                                    .peer = KL_BFT_NO_PEER,
                                    .hash = proposal->block_hash,
                                    .view = proposal->view,
                                    .verdict = verdict,
                                    .at_ns = at_ns});
}

static void answer(struct kl_replica *r, const kl_proposal *proposal, kl_bft_verdict verdict)
{
    answer_at(r, proposal, verdict, 0);
}

/* What a proposal says must be what the headers say; a re-proposal, of an epoch's last block, has a
 * view of its own. */
static bool fits(const struct replica_candidate *c, const kl_proposal *p)
{
    bool again = kl_hash_eq(&p->block_hash, &p->parent_hash);
    if (c->height != p->height || c->epoch != p->epoch)
        return false;
    return again ? c->view < p->view
                 : c->view == p->view && kl_hash_eq(&c->parent_hash, &p->parent_hash);
}

void replica_refused(struct kl_replica *r, const struct replica_candidate *c, kl_rule why)
{
    struct kl_replica_watch *watch = r->config.watch;
    kl_replica_refusal refusal = {
        .why = why, .number = c->height, .epoch = c->epoch, .view = c->view};
    if (!watch || !watch->refused)
        return;
    if (c->epoch == r->epoch->number) {
        const kl_valset *set = &r->epoch->set;
        refusal.has_leader = true;
        refusal.leader = set->validators[kl_valset_leader(set, c->epoch, c->view)].operator;
    }
    watch->refused(watch, &refusal);
}

/* How far a time is ahead of what our clock allows. */
static u64 ahead_ns(const struct kl_replica *r, u64 time_ms)
{
    u64 allowed_ns = kl_add_sat_u64(kl_wall_ns(r->config.clock), r->config.drift_ns);
    u64 time_ns = kl_mul_sat_u64(time_ms, NS_PER_MS);
    return time_ns > allowed_ns ? time_ns - allowed_ns : 0;
}

/* Whether the block's time is too far ahead of our clock for a vote.  Once a quorum has notarized
 * it, which is when the engine is in a later view, our clock no longer counts. */
static bool is_early(struct kl_replica *r, struct replica_candidate *c, const kl_proposal *p)
{
    u64 wait_ns = ahead_ns(r, c->time_ms);
    if (!wait_ns)
        return false;
    kl_simplex_status status = kl_simplex_status_of(r->engine, replica_now(r));
    if (p->epoch != status.epoch || p->view < status.view)
        return false;
    r->early_due_ns = KL_MIN(r->early_due_ns, kl_add_sat_u64(replica_now(r), wait_ns));
    if (!c->told_early)
        replica_refused(r, c, KL_RULE_CONSENSUS_EARLY);
    c->early = c->told_early = true;
    return true;
}

/* Where the parent, for which a quorum has voted, is ahead of our clock too, it may be ours that is
 * wrong, and what our patience is worth is not for it to say. */
static bool is_parent_early(struct kl_replica *r, const struct replica_candidate *c)
{
    const struct replica_candidate *parent = replica_candidate_of(r, &c->parent_hash);
    if (parent && parent->read)
        return ahead_ns(r, parent->time_ms) != 0;
    return !kl_hash_eq(&r->head->hash, &c->parent_hash) ||
           ahead_ns(r, r->head->consensus.time_ms) != 0;
}

static void verdict_on(struct kl_replica *r, struct replica_candidate *c, const kl_proposal *p)
{
    if (c->state == REPLICA_INVALID || (c->read && !fits(c, p)))
        answer(r, p, KL_BFT_INVALID);
    else if (c->state != REPLICA_VALID)
        answer(r, p, KL_BFT_UNAVAILABLE);
    else if (!is_early(r, c, p))
        answer(r, p, KL_BFT_VALID);
    else if (is_parent_early(r, c))
        answer(r, p, KL_BFT_UNAVAILABLE);
    else
        answer_at(r, p, KL_BFT_EARLY, kl_add_sat_u64(replica_now(r), ahead_ns(r, c->time_ms)));
}

void replica_candidate_answer(struct kl_replica *r, struct replica_candidate *c)
{
    kl_proposal asks[REPLICA_ASKS_MAX];
    u32 count = c->ask_count;
    memcpy(asks, c->asks, sizeof asks);
    c->ask_count = 0;
    for (u32 i = 0; i < count; i++) { /* an answer may make the candidate go */
        const kl_hash hash = asks[i].block_hash;
        struct replica_candidate *now = replica_candidate_of(r, &hash);
        if (now)
            verdict_on(r, now, &asks[i]);
        else
            answer(r, &asks[i], KL_BFT_UNAVAILABLE);
    }
}

void replica_early(struct kl_replica *r)
{
    r->early_due_ns = NEVER;
    for (struct replica_candidate *c = r->candidates; c; c = c->next) {
        c->rouse = c->early;
        c->early = false;
    }
    for (struct replica_candidate *c = r->candidates; c;) {
        if (!c->rouse) {
            c = c->next;
            continue;
        }
        c->rouse = false;
        replica_tell(r,
                     &(kl_bft_event){.kind = KL_BFT_BODY, .peer = KL_BFT_NO_PEER, .hash = c->hash});
        c = r->candidates; /* it may have gone */
    }
}

/* Executes the block, and the blocks below it first as far as their bodies are here: the lane keeps
 * the order. */
static void start(struct kl_replica *r, struct replica_candidate *c)
{
    struct replica_candidate *path[KL_SIMPLEX_WINDOW_MAX];
    usize count = 0;
    while (c && c->state == REPLICA_WAITS && count < KL_COUNT_OF(path)) {
        if (!c->body && !kl_bft_log_has_body(r->log, &c->hash))
            break;
        path[count++] = c;
        c = c->read ? replica_candidate_of(r, &c->parent_hash) : NULL;
    }
    while (count)
        replica_judge(r, path[--count]);
}

void replica_execute(struct kl_replica *r, const kl_proposal *p)
{
    if (r->broken != KL_OK || p->height < r->head->header.number) {
        answer(r, p, KL_BFT_UNAVAILABLE);
        return;
    }
    if (kl_hash_eq(&r->head->hash, &p->block_hash)) {
        answer(r, p, KL_BFT_VALID);
        return;
    }
    struct replica_candidate *c = replica_candidate_of(r, &p->block_hash);
    if (!c && kl_bft_log_has_body(r->log, &p->block_hash))
        c = replica_candidate_for(r, p);
    if (!c || c->ask_count == REPLICA_ASKS_MAX) {
        answer(r, p, KL_BFT_UNAVAILABLE);
        return;
    }
    bool is_open =
        (!c->read || fits(c, p)) && (c->state == REPLICA_WAITS || c->state == REPLICA_RUNNING);
    if (!is_open) {
        verdict_on(r, c, p);
        return;
    }
    c->asks[c->ask_count++] = *p;
    if (c->state == REPLICA_WAITS)
        start(r, c);
    if (c->state == REPLICA_WAITS) /* no body */
        replica_candidate_answer(r, c);
}

void replica_want_body(struct kl_replica *r, const kl_proposal *p, u32 peer)
{
    if (p->height <= r->head->header.number)
        return;
    struct replica_candidate *c = replica_candidate_of(r, &p->block_hash);
    kl_hash wanted = p->block_hash;
    for (u32 i = 0; c && c->body && i < KL_SIMPLEX_WINDOW_MAX; i++) { /* down to what lacks */
        wanted = c->parent_hash;
        if (c->height <= r->head->header.number + 1)
            return;
        c = replica_candidate_of(r, &wanted);
    }
    kl_proposal lacking = *p;
    lacking.block_hash = wanted;
    if (!c)
        c = replica_candidate_for(r, &lacking);
    u32 to = replica_somebody(r, peer);
    if (!c || c->body || c->rebuilding || to == KL_REPLICA_ALL)
        return;
    c->wanted = true;
    replica_send(r, to, &(kl_message){.kind = KL_MESSAGE_ASK_BODY, .hash = wanted});
}

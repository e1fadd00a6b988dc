/* The host of a node: what the production host does, as a model.  Effects are carried out in order;
 * answers come back as events of this life, after some time of the disk or the execution. */
#include "consensus/simplex_sim_test.h"

#include <stdio.h>
#include <stdlib.h>

static void send_certificate(struct sim *sim, const sim_node *from, u32 to,
                             const kl_certificate *certificate)
{
    sim_item *item = sim_item_new(sim, M_EVENT, from);
    item->event.kind = KL_BFT_CERTIFICATE;
    if (to == KL_BFT_ALL)
        item->view = certificate->subject.proposal.view;
    item->certificate.certificate = *certificate;
    KL_ASSERT(certificate->signatures.len <= sizeof item->certificate.bytes);
    memcpy(item->certificate.bytes, certificate->signatures.p, certificate->signatures.len);
    sim_send_message(sim, from, to, item);
}

/* --- the host of a node --- */

static u64 disk_ns(struct sim *sim)
{
    u64 ns = SIM_MS / 5 + sim_below(sim, 2 * SIM_MS);
    return sim->o.slow_disk && !sim->calm && sim_percent(sim, 10)
               ? ns + sim_below(sim, 500 * SIM_MS)
               : ns;
}

static u64 guard_ns(struct sim *sim)
{
    return sim->o.guard_ns ? sim->o.guard_ns : disk_ns(sim);
}

static u64 execution_ns(struct sim *sim)
{
    return SIM_MS + sim_below(sim, 10 * SIM_MS);
}

bool sim_is_forfeit(const sim_node *node, u64 epoch, u64 view)
{
    bool had = false;
    for (u32 i = 0; i < node->turn_count; i++)
        had = had || (node->turns[i].epoch == epoch && node->turns[i].view == view &&
                      node->turns[i].life != node->life);
    for (u32 i = 0; i < node->guard_count && had; i++) {
        const kl_vote_subject *held = &node->guard[i].vote.subject;
        had = held->kind != KL_VOTE_NOTARIZE || held->proposal.epoch != epoch ||
              held->proposal.view != view;
    }
    return had;
}

/* The guard: the same vote again is the same signature; what conflicts is refused. */
static bool guard_allows(const sim_node *node, const kl_vote_subject *subject)
{
    const kl_proposal *p = &subject->proposal;
    if (node->kind == SIM_EQUIVOCATES)
        return true;
    if (subject->kind == KL_VOTE_NOTARIZE && sim_is_forfeit(node, p->epoch, p->view) &&
        !(kl_simplex_mutants & KL_MUTANT_TURN_USED_AGAIN))
        return false;
    for (u32 i = 0; i < node->guard_count; i++) {
        const kl_vote_subject *held = &node->guard[i].vote.subject;
        if (held->proposal.epoch != subject->proposal.epoch ||
            held->proposal.view != subject->proposal.view)
            continue;
        bool differs = held->kind == subject->kind && !kl_vote_subject_eq(held, subject);
        bool excludes = held->kind + subject->kind == KL_VOTE_NULLIFY + KL_VOTE_FINALIZE &&
                        held->kind != subject->kind;
        if (differs || excludes)
            return false;
    }
    return true;
}

static void do_reserve(struct sim *sim, sim_node *node, const kl_bft_effect *effect)
{
    if (node->turn_count == SIM_TURNS_MAX || sim_is_forfeit(node, effect->epoch, effect->from))
        return;
    sim_item *item = sim_item_new(sim, M_EVENT, node);
    item->event.kind = KL_BFT_RESERVED;
    item->event.epoch = effect->epoch;
    item->event.view = effect->from;
    u64 durable_ns = sim->now_ns + guard_ns(sim);
    node->turns[node->turn_count++] =
        (sim_turn){effect->epoch, effect->from, durable_ns, node->life};
    sim_post(sim, item, durable_ns);
}

static void do_sign(struct sim *sim, sim_node *node, const kl_bft_effect *effect)
{
    const kl_vote_subject *subject = &effect->subject;
    sim_item *item = sim_item_new(sim, M_EVENT, node);
    u64 disk = guard_ns(sim);
    bool guarded = !(kl_simplex_mutants &
                     (KL_MUTANT_FINALIZE_AFTER_NULLIFY | KL_MUTANT_NULLIFY_AFTER_FINALIZE));
    if (guarded && !guard_allows(node, subject)) {
        item->event.kind = KL_BFT_SIGN_REFUSED;
        item->subject = *subject;
    } else {
        item->event.kind = KL_BFT_SIGNED;
        sim_sign(sim, node, subject, &item->vote);
        oracle_signed(sim, node, subject);
        if (node->guard_count < SIM_GUARD_MAX) {
            sim_record *record = &node->guard[node->guard_count++];
            *record = (sim_record){.vote = item->vote};
            if (effect->in_turn)
                record->durable_ns = sim->now_ns + disk;
            if (effect->vote)
                record->leader = *effect->vote;
        }
    }
    sim_post(sim, item, sim->now_ns + (effect->in_turn ? SIM_MS / 20 : disk));
}

static void do_barrier(struct sim *sim, sim_node *node, const kl_bft_effect *effect)
{
    sim_item *item = sim_item_new(sim, M_BODY_DURABLE, node);
    item->event.kind = KL_BFT_PERSISTED;
    item->event.token = effect->token;
    item->log_count = node->log_count;
    item->has_body = effect->has_body;
    item->proposal = effect->proposal;
    /* Tokens end in their order: the disk is one queue. */
    sim_post(sim, item, sim->now_ns + (sim->o.log_ns ? sim->o.log_ns : SIM_MS / 5));
}

static void do_persist(struct sim *sim, sim_node *node, const kl_certificate *certificate)
{
    oracle_certificate(sim, node, certificate);
    if (node->log_count == SIM_LOG_MAX)
        return;
    sim_certificate *to = &node->log[node->log_count++];
    to->certificate = *certificate;
    memcpy(to->bytes, certificate->signatures.p, certificate->signatures.len);
    to->certificate.signatures.p = to->bytes;
    const kl_proposal *p = &certificate->subject.proposal;
    if (certificate->subject.kind == KL_VOTE_NOTARIZE)
        node->old[node->old_count++ % KL_COUNT_OF(node->old)] = *p;
}

static void do_commit(struct sim *sim, sim_node *node, const kl_bft_effect *effect)
{
    const kl_proposal *p = &effect->proposal;
    oracle_commit(sim, node, p);
    if (p->height >= SIM_HEIGHTS_MAX)
        return;
    node->ledger[p->height] = *p;
    node->height = KL_MAX(node->height, p->height);
    sim_item *item = sim_item_new(sim, M_LEDGER_DURABLE, node);
    item->height = node->height;
    sim_post(sim, item, sim->now_ns + disk_ns(sim));
    if (node->pending) {
        node->pending = false;
        item = sim_item_new(sim, M_EVENT, node);
        item->event.kind = KL_BFT_PENDING;
        sim_post(sim, item, sim->now_ns);
    }
    if (kl_hash_eq(&p->block_hash, &p->parent_hash))
        sim->sometimes[SOMETIMES_REPROPOSAL]++;
}

static void ledger_durable(struct sim *sim, sim_node *node, u64 height)
{
    for (u64 h = node->height_durable + 1; h <= height; h++)
        node->has[sim_block_of(sim, &node->ledger[h].block_hash) - sim->blocks] |= HAS_DURABLE;
    node->height_durable = KL_MAX(node->height_durable, height);
}

static void do_epoch(struct sim *sim, sim_node *node)
{
    ledger_durable(sim, node, node->height);
    node->log_synced = node->log_count; /* its certificate too: others will ask for it */
    sim_item *item = sim_item_new(sim, M_EVENT, node);
    item->event.kind = KL_BFT_NEXT_EPOCH;
    sim_post(sim, item, sim->now_ns + SIM_MS);
    sim->sometimes[SOMETIMES_EPOCH]++;
}

static void do_serve_log(struct sim *sim, sim_node *node, const kl_bft_effect *effect)
{
    u32 sent = 0;
    sim->sometimes[SOMETIMES_SERVE_LOG]++;
    for (u32 i = 0; i < node->log_count && sent < 64; i++) {
        const kl_proposal *p = &node->log[i].certificate.subject.proposal;
        bool last = p->height == (effect->epoch + 1) * sim->o.epoch_blocks &&
                    node->log[i].certificate.subject.kind == KL_VOTE_FINALIZE;
        if (p->epoch == effect->epoch &&
            ((p->view >= effect->from && p->view <= effect->to) || last)) {
            send_certificate(sim, node, effect->peer, &node->log[i].certificate);
            sent++;
        }
    }
}

static void do_send_vote(struct sim *sim, sim_node *node, const kl_bft_effect *effect)
{
    oracle_vote_leaves(sim, node, effect->vote);
    const kl_vote_subject *subject = &effect->vote->subject;
    const kl_simplex_slot *slot = slot_at(node->engine, subject->proposal.view);
    bool is_own = effect->vote->signer == node->engine->self;
    if (slot && slot->own[subject->kind - 1].revived && is_own)
        sim->sometimes[SOMETIMES_REVIVED]++;
    if (!is_own)
        sim->sometimes[SOMETIMES_RETOLD]++;
    bool proposes = effect->kind == KL_BFT_SEND_PROPOSAL;
    sim_item *item = sim_item_new(sim, proposes ? M_PROPOSAL : M_EVENT, node);
    item->event.kind = KL_BFT_VOTE;
    item->view = effect->vote->subject.proposal.view;
    item->vote = *effect->vote;
    item->has_body = proposes && node->kind != SIM_WITHHOLDS;
    sim_send_message(sim, node, effect->peer, item);
}

/* What asks another node, or ourselves a little later. */
static void do_ask(struct sim *sim, sim_node *node, const kl_bft_effect *effect)
{
    u32 to = effect->peer == KL_BFT_ALL ? sim_somebody(sim, node) : effect->peer;
    sim_message message = effect->kind == KL_BFT_FETCH_BODY ? M_WANT_BODY
                          : effect->kind == KL_BFT_SYNC     ? M_WANT_SYNC
                                                            : M_EVENT;
    sim_item *item = sim_item_new(sim, message, node);
    item->proposal = effect->proposal;
    item->height = node->height;
    item->event.kind = KL_BFT_CERTIFICATE_REQUEST;
    item->event.epoch = effect->epoch;
    item->event.from = effect->from;
    item->event.to = effect->to;
    sim_send_message(sim, node, to, item);
}

static void do_work(struct sim *sim, sim_node *node, const kl_bft_effect *effect)
{
    sim_item *item = sim_item_new(sim, M_EVENT, node);
    item->event.kind = effect->kind == KL_BFT_BUILD ? KL_BFT_BUILT : KL_BFT_EXECUTED;
    item->proposal = effect->proposal;
    item->event.view = effect->proposal.view;
    item->event.hash = effect->proposal.block_hash;
    item->has_body = effect->again;
    sim_post(sim, item, sim->now_ns + execution_ns(sim));
}

static void do_found(struct sim *sim, sim_node *node, const kl_bft_effect *effect)
{
    oracle_evidence(sim, node, &effect->evidence);
    sim_item *item = sim_item_new(sim, M_EVENT, node);
    item->event.kind = KL_BFT_EVIDENCE;
    item->evidence = effect->evidence;
    sim_send_message(sim, node, KL_BFT_ALL, item);
}

static void do_timer(struct sim *sim, sim_node *node, u64 at_ns)
{
    node->timer_ns = at_ns;
    if (at_ns > sim->o.end_ns)
        return;
    sim_item *item = sim_item_new(sim, M_TIMER, node);
    sim_post(sim, item, at_ns);
}

static void carry_out(struct sim *sim, sim_node *node, const kl_bft_effect *effect)
{
    u32 me = sim_index(sim, node);
    switch (effect->kind) {
    case KL_BFT_SEND_VOTE:
    case KL_BFT_SEND_PROPOSAL:
        do_send_vote(sim, node, effect);
        break;
    case KL_BFT_SEND_CERTIFICATE:
        oracle_certificate(sim, node, effect->certificate);
        send_certificate(sim, node, effect->peer, effect->certificate);
        break;
    case KL_BFT_SERVE_LOG:
        do_serve_log(sim, node, effect);
        break;
    case KL_BFT_PERSIST:
        do_persist(sim, node, effect->certificate);
        break;
    case KL_BFT_BARRIER:
        do_barrier(sim, node, effect);
        break;
    case KL_BFT_SIGN:
        do_sign(sim, node, effect);
        break;
    case KL_BFT_RESERVE:
        do_reserve(sim, node, effect);
        break;
    case KL_BFT_BUILD:
    case KL_BFT_EXECUTE:
        do_work(sim, node, effect);
        break;
    case KL_BFT_SYNC:
        sim->sometimes[SOMETIMES_SYNC]++;
        do_ask(sim, node, effect);
        break;
    case KL_BFT_FETCH_BODY:
    case KL_BFT_FETCH_CERTIFICATES:
        do_ask(sim, node, effect);
        break;
    case KL_BFT_SET_TIMER:
        do_timer(sim, node, effect->at_ns);
        break;
    case KL_BFT_COMMIT:
        do_commit(sim, node, effect);
        break;
    case KL_BFT_EPOCH_DONE:
        do_epoch(sim, node);
        break;
    case KL_BFT_FOUND:
        do_found(sim, node, effect);
        break;
    case KL_BFT_PENALIZE:
        sim->sometimes[SOMETIMES_PENALTY]++;
        if (sim_is_honest(node) && sim_is_honest(&sim->nodes[effect->peer]))
            sim_break(sim, "honest %u penalizes honest %u: %s", me, effect->peer,
                      kl_rule_text(effect->rule));
        break;
    case KL_BFT_KEY_IS_USED:
        if (sim_is_honest(node))
            sim_break(sim, "node %u thinks that its key is used", me);
        break;
    case KL_BFT_FORKED:
        if (sim_is_honest(node))
            oracle_forks(sim, "a node sees a fork in view", effect->proposal.view);
        break;
    }
}

/* With KEEL_SIM_TRACE every step is told: kinds are numbers of bft.h. */
static void tell(const struct sim *sim, const sim_node *node, const kl_bft_event *event,
                 const kl_bft_effects *out)
{
    const struct kl_simplex *s = node->engine;
    printf("%9.3f node %u epoch %llu view %llu final %llu: event %u", (double)sim->now_ns / 1e9,
           sim_index(sim, node), (unsigned long long)s->epoch, (unsigned long long)s->view,
           (unsigned long long)s->final.height, event->kind);
    const kl_vote_subject *subject = event->kind == KL_BFT_VOTE ? &event->vote->subject
                                     : event->kind == KL_BFT_CERTIFICATE
                                         ? &event->certificate->subject
                                         : NULL;
    if (subject)
        printf(" (kind %u view %llu from %u)", subject->kind,
               (unsigned long long)subject->proposal.view, event->peer);
    printf(" ->");
    for (usize i = 0; i < out->count; i++) {
        const kl_bft_effect *e = &out->list[i];
        printf(" %u", e->kind);
        if (e->kind == KL_BFT_SET_TIMER && e->at_ns != NEVER)
            printf("@%.3f", (double)e->at_ns / 1e9);
        if (e->kind == KL_BFT_SIGN)
            printf("[%u %llu]", e->subject.kind, (unsigned long long)e->subject.proposal.view);
    }
    printf("\n");
}

void sim_step(struct sim *sim, sim_node *node, const kl_bft_event *event)
{
    kl_bft_effects out = {sim->effects, 0, sim->effects_cap};
    u64 view = node->engine->view, epoch = node->engine->epoch;
    kl_simplex_mutants = sim->o.mutants | (node->kind == SIM_TWIN ? KL_MUTANT_SHARED_KEY : 0u) |
                         (node->kind == SIM_EQUIVOCATES ? KL_MUTANT_SHARED_KEY : 0u);
    kl_simplex_step(node->engine, event, sim->now_ns, &out);
    if (sim_is_honest(node) && node->engine->epoch == epoch)
        sim->honest_views += node->engine->view - view;
    if (sim_is_honest(node) && kl_simplex_is_skipped(node->engine))
        sim->sometimes[SOMETIMES_SKIPPED]++;
    if (getenv("KEEL_SIM_TRACE"))
        tell(sim, node, event, &out);
    sim_trace(sim, sim->now_ns ^ (u64)event->kind << 56 ^ (u64)sim_index(sim, node) << 48);
    for (usize i = 0; i < out.count && !sim->broken[0]; i++) {
        sim_trace(sim, (u64)out.list[i].kind << 32 ^ out.list[i].at_ns);
        if (!attack(sim, node, &out.list[i]))
            carry_out(sim, node, &out.list[i]);
    }
}

/* --- what arrives --- */

/* An engine builds on what was found valid in this life, or is committed: a build on anything else
 * fails each time, and with all in that state nothing would ever be proposed. */
static void arrive_built(struct sim *sim, sim_node *node, sim_item *item)
{
    const kl_proposal *p = &item->proposal;
    u32 parent = (u32)(sim_block_of(sim, &p->parent_hash) - sim->blocks);
    if (!(node->has[parent] & HAS_EXECUTED) && !sim->forked)
        sim_break(sim, "node %u builds in view %llu on a block that it has not executed",
                  sim_index(sim, node), (unsigned long long)p->view);
    if (sim->no_builds || sim->block_count > SIM_BLOCKS_MAX - 8) {
        item->event.kind = KL_BFT_BUILD_FAILED;
        return;
    }
    sim_block *block = sim_block_new(sim, &p->parent_hash, p->height);
    node->has[block - sim->blocks] = HAS_BODY | HAS_EXECUTED;
    block->builder = 1 + node->validator;
    item->event.hash = block->hash;
}

/* As far as bodies are here, the blocks below it are executed first. */
static bool is_executed(struct sim *sim, sim_node *node, const sim_block *block)
{
    const sim_block *path[64];
    usize count = 0;
    while (!(node->has[block - sim->blocks] & HAS_EXECUTED)) {
        if (!(node->has[block - sim->blocks] & HAS_BODY) || !block->valid ||
            count == KL_COUNT_OF(path))
            return false;
        path[count++] = block;
        block = sim_block_of(sim, &block->parent);
    }
    while (count)
        node->has[path[--count] - sim->blocks] |= HAS_EXECUTED;
    return true;
}

static void arrive_executed(struct sim *sim, sim_node *node, sim_item *item)
{
    const kl_proposal *p = &item->proposal;
    const sim_block *block = sim_block_of(sim, &p->block_hash);
    item->event.verdict = KL_BFT_UNAVAILABLE;
    if (sim->no_executions >> item->node & 1)
        return;
    if (!(node->has[block - sim->blocks] & HAS_BODY))
        return;
    bool fits = block->valid && block->height == p->height &&
                (item->has_body || kl_hash_eq(&block->parent, &p->parent_hash));
    if (!fits) {
        item->event.verdict = KL_BFT_INVALID;
        return;
    }
    if (is_executed(sim, node, block))
        item->event.verdict = KL_BFT_VALID;
}

kl_bft_epoch sim_epoch_of(struct sim *sim, const sim_node *node, u64 height,
                          const kl_proposal *head)
{
    u64 epoch = height / sim->o.epoch_blocks;
    bool is_anchor = height % sim->o.epoch_blocks == 0;
    kl_bft_epoch out = {.epoch = epoch,
                        .set = sim_set(sim, epoch),
                        .self = sim_place(sim, node, epoch),
                        .last_height = (epoch + 1) * sim->o.epoch_blocks,
                        .floor = *head};
    if (is_anchor)
        out.floor = (kl_proposal){.epoch = epoch, .height = height, .block_hash = head->block_hash};
    for (u32 i = 0; i < node->guard_count; i++) {
        const kl_proposal *p = &node->guard[i].vote.subject.proposal;
        if (p->epoch == epoch)
            out.signed_view = KL_MAX(out.signed_view, p->view);
    }
    for (u32 i = 0; i < node->turn_count; i++)
        if (node->turns[i].epoch == epoch)
            out.signed_view = KL_MAX(out.signed_view, node->turns[i].view);
    return out;
}

static void arrive_event(struct sim *sim, sim_node *node, sim_item *item)
{
    kl_bft_epoch epoch;
    item->event.peer = item->from;
    item->event.vote = &item->vote;
    item->event.subject = &item->subject;
    item->event.evidence = &item->evidence;
    item->event.proposal = &item->proposal;
    item->event.certificate = &item->certificate.certificate;
    item->certificate.certificate.signatures.p = item->certificate.bytes;
    if (item->event.kind == KL_BFT_BUILT)
        arrive_built(sim, node, item);
    if (item->event.kind == KL_BFT_EXECUTED)
        arrive_executed(sim, node, item);
    if (item->event.kind == KL_BFT_VOTE)
        oracle_hears(sim, node, &item->vote);
    if (item->event.kind == KL_BFT_PENDING)
        node->pending = item->event.on;
    if (item->event.kind == KL_BFT_NEXT_EPOCH) {
        epoch = sim_epoch_of(sim, node, node->height, &node->ledger[node->height]);
        item->event.epoch_config = &epoch;
        if (epoch.epoch != node->engine->epoch + 1)
            return;
        oracle_epoch(sim, node);
    }
    sim_step(sim, node, &item->event);
}

static void arrive_body(struct sim *sim, sim_node *node, const kl_hash *hash)
{
    node->has[sim_block_of(sim, hash) - sim->blocks] |= HAS_BODY;
    kl_bft_event event = {.kind = KL_BFT_BODY, .peer = KL_BFT_NO_PEER, .hash = *hash};
    sim_step(sim, node, &event);
}

static void serve_body(struct sim *sim, sim_node *node, const sim_item *item)
{
    u8 has = node->has[sim_block_of(sim, &item->proposal.block_hash) - sim->blocks];
    if (!(has & HAS_BODY) || node->kind == SIM_WITHHOLDS)
        return;
    sim_item *reply = sim_item_new(sim, M_GIVE_BODY, node);
    reply->proposal = item->proposal;
    sim_send_message(sim, node, item->from, reply);
}

static void serve_sync(struct sim *sim, sim_node *node, const sim_item *item)
{
    const sim_block *block = sim_block_of(sim, &item->proposal.block_hash);
    for (; block->height > item->height; block = sim_block_of(sim, &block->parent))
        if (!(node->has[block - sim->blocks] & HAS_BODY))
            return;
    sim_item *reply = sim_item_new(sim, M_GIVE_SYNC, node);
    reply->proposal = item->proposal;
    reply->height = item->height;
    sim_send_message(sim, node, item->from, reply);
}

/* Bodies up to a final block came; the hash chain proves them. */
static void arrive_sync(struct sim *sim, sim_node *node, const sim_item *item)
{
    const kl_proposal *p = &item->proposal;
    u64 from = node->height;
    if (p->epoch != node->engine->epoch || p->view <= node->engine->committed.view ||
        p->view > node->engine->final.view || from < item->height)
        return;
    const sim_block *block = sim_block_of(sim, &p->block_hash);
    for (; block->height > from; block = sim_block_of(sim, &block->parent)) {
        node->has[block - sim->blocks] |= HAS_BODY | HAS_DURABLE | HAS_EXECUTED;
        node->ledger[block->height] =
            (kl_proposal){.epoch = p->epoch, .height = block->height, .block_hash = block->hash};
        if (block->height <= sim->height && !kl_hash_eq(&sim->final[block->height], &block->hash))
            oracle_forks(sim, "a node synced another block at height", block->height);
        sim->final[block->height] = block->hash;
    }
    sim->height = KL_MAX(sim->height, p->height);
    node->ledger[p->height] = *p;
    node->height = KL_MAX(node->height, p->height);
    node->height_durable = node->height;
    kl_bft_event event = {
        .kind = KL_BFT_SYNCED, .peer = KL_BFT_NO_PEER, .proposal = &item->proposal};
    sim_step(sim, node, &event);
}

void sim_arrive(struct sim *sim, sim_item *item)
{
    sim_node *node = &sim->nodes[item->node];
    bool is_own = item->from == item->node;
    if (!node->up || (is_own && item->life != node->life))
        return;
    switch (item->message) {
    case M_PROPOSAL:
        if (item->has_body)
            arrive_body(sim, node, &item->vote.subject.proposal.block_hash);
        arrive_event(sim, node, item);
        break;
    case M_EVENT:
        arrive_event(sim, node, item);
        break;
    case M_WANT_BODY:
        serve_body(sim, node, item);
        break;
    case M_GIVE_BODY:
        if (sim->no_executions >> item->node & 1)
            break;
        arrive_body(sim, node, &item->proposal.block_hash);
        break;
    case M_WANT_SYNC:
        serve_sync(sim, node, item);
        break;
    case M_GIVE_SYNC:
        arrive_sync(sim, node, item);
        break;
    case M_TIMER:
        if (item->at_ns == node->timer_ns || node->timer_ns <= sim->now_ns) {
            node->timer_ns = NEVER;
            item->event.kind = KL_BFT_TIMER;
            sim_step(sim, node, &item->event);
        }
        break;
    case M_BODY_DURABLE:
        node->log_synced = KL_MAX(node->log_synced, item->log_count);
        if (item->has_body) {
            u8 *has = &node->has[sim_block_of(sim, &item->proposal.block_hash) - sim->blocks];
            KL_ASSERT(*has & HAS_BODY);
            *has |= HAS_DURABLE;
        }
        sim_step(sim, node, &item->event);
        break;
    case M_LEDGER_DURABLE:
        ledger_durable(sim, node, item->height);
        break;
    case M_WORLD:
        break;
    }
}

/* A step takes the event in (collect), then applies the rules until none has more to say (settle),
 * then sets the one timer to the next moment at which a rule could.  Rules look at state and not at
 * events, so that it does not matter in which order things became known, or whether they were
 * restored after a crash. */
#include "consensus/simplex_priv.h"

/* Where the parts lie in the caller's room. */
typedef struct kl_simplex_layout {
    usize slots, votes, has_votes, rooms, end;
} kl_simplex_layout;

static usize aligned(usize at)
{
    return (at + 63) / 64 * 64;
}

static kl_simplex_layout layout(const kl_simplex_config *config)
{
    usize cells = (usize)config->window * config->validators_max * KINDS;
    kl_simplex_layout l;
    l.slots = aligned(sizeof(struct kl_simplex));
    l.votes = aligned(l.slots + config->window * sizeof(kl_simplex_slot));
    l.has_votes = aligned(l.votes + cells * sizeof(kl_vote));
    l.rooms = aligned(l.has_votes + cells * sizeof(bool));
    /* Root, final and boundary have one certificate each. */
    l.end = l.rooms + (config->window * (usize)KINDS + 3) * kl_simplex_room(config);
    return l;
}

usize kl_simplex_footprint(const kl_simplex_config *config)
{
    return layout(config).end;
}

/* In one step each view of the ring gives at most, per kind, a sign request with its barrier, a
 * vote that leaves, a certificate persisted and sent (9 + 6), two of execute, fetch and ask (at an
 * event and at a retry: 6), a commit and a build (2), the leader's vote twice and a turn that is
 * taken (3): flags of the slot let each happen once.
 * What belongs to no slot: a reply, and fewer than 32 others. */
usize kl_simplex_effects_max(const kl_simplex_config *config)
{
    return (usize)config->window * 28 + KL_SIMPLEX_REPLY_MAX + 32;
}

/* What is known of a validator that stays goes to its new place: when it was heard, and that it is
 * silent, until its first vote in the epoch, whose views begin anew.  For patience and status
 * alone. Our own silence would be another node's mistake. */
static void move_known(struct kl_simplex *s, const kl_bft_epoch *to)
{
    u64 heard_ns[KL_VALIDATORS_MAX] = {0}, silent_from[KL_VALIDATORS_MAX] = {0};
    if (!s->set)
        return;
    for (u32 i = 0; i < to->set->count; i++)
        for (u32 k = 0; k < s->set->count; k++) {
            const kl_address *now = &to->set->validators[i].operator;
            const kl_address *before = &s->set->validators[k].operator;
            if (!kl_address_eq(now, before))
                continue;
            heard_ns[i] = s->heard_ns[k];
            silent_from[i] = s->silent_from[k] && i != to->self ? 1 : 0;
        }
    memcpy(s->heard_ns, heard_ns, sizeof heard_ns);
    memcpy(s->silent_from, silent_from, sizeof silent_from);
}

static void epoch_enter(struct kl_simplex *s, const kl_bft_epoch *epoch)
{
    KL_ASSERT(epoch->set && epoch->set->count && epoch->set->count <= s->config.validators_max);
    KL_ASSERT(epoch->self == KL_BFT_NOBODY || epoch->self < epoch->set->count);
    move_known(s, epoch);
    s->config.epoch = *epoch;
    s->set = epoch->set;
    s->epoch = epoch->epoch;
    s->self = epoch->self;
    s->ended = s->syncing = false;
    s->given_up_in_row = 0;
    s->retry_at_ns = NEVER;
    memset(s->helped_ns, 0, sizeof s->helped_ns);
    memset(s->reported, 0, sizeof s->reported);
    kl_simplex_ring_reset(s, &epoch->floor);
    s->start_view = s->view;
    s->entered_ns = s->now_ns;
}

struct kl_simplex *kl_simplex_init(void *room, const kl_simplex_config *config)
{
    u32 window = config->window;
    KL_ASSERT(window >= KL_SIMPLEX_WINDOW_MIN && window <= KL_SIMPLEX_WINDOW_MAX &&
              (window & (window - 1)) == 0);
    KL_ASSERT(config->validators_max && config->validators_max <= KL_VALIDATORS_MAX);
    KL_ASSERT(config->delta_ns && config->retry_ns);
    KL_ASSERT(((uintptr_t)room & 63) == 0);
    kl_simplex_layout l = layout(config);
    u8 *bytes = room;
    struct kl_simplex *s = room;
    memset(s, 0, sizeof *s);
    s->config = *config;
    s->signing = config->signing;
    s->timer_ns = NEVER;
    s->slots = (void *)(bytes + l.slots);
    memset(s->slots, 0, window * sizeof *s->slots);
    usize row = (usize)config->validators_max * KINDS;
    u8 *at = bytes + l.rooms;
    for (u32 i = 0; i < window; i++) {
        kl_simplex_slot *slot = &s->slots[i];
        slot->votes = (kl_vote *)(void *)(bytes + l.votes) + i * row;
        slot->has_vote = (bool *)(bytes + l.has_votes) + i * row;
        for (u32 k = 0; k < KINDS; k++, at += kl_simplex_room(config))
            slot->room[k] = at;
    }
    s->root_room = at;
    s->final_room = at + kl_simplex_room(config);
    s->boundary_room = at + 2 * kl_simplex_room(config);
    epoch_enter(s, &config->epoch);
    return s;
}

kl_bft_effect *kl_simplex_emit(struct kl_simplex *s, kl_bft_effect_kind kind)
{
    KL_ASSERT(s->out->count < s->out->cap);
    kl_bft_effect *effect = &s->out->list[s->out->count++];
    *effect = (kl_bft_effect){.kind = kind, .peer = KL_BFT_ALL, .epoch = s->epoch};
    return effect;
}

void kl_simplex_send_certificate(struct kl_simplex *s, const kl_certificate *certificate,
                                 kl_bft_peer peer)
{
    kl_bft_effect *effect = kl_simplex_emit(s, KL_BFT_SEND_CERTIFICATE);
    effect->certificate = certificate;
    effect->peer = peer;
}

void kl_simplex_persist(struct kl_simplex *s, const kl_certificate *certificate)
{
    kl_simplex_emit(s, KL_BFT_PERSIST)->certificate = certificate;
    s->appended++;
}

void kl_simplex_ask_certificates(struct kl_simplex *s, kl_bft_peer peer, u64 from, u64 to)
{
    kl_bft_effect *effect = kl_simplex_emit(s, KL_BFT_FETCH_CERTIFICATES);
    effect->peer = peer == KL_BFT_NO_PEER ? KL_BFT_ALL : peer;
    effect->from = from;
    effect->to = to;
}

void kl_simplex_fetch_body(struct kl_simplex *s, const kl_proposal *proposal, kl_bft_peer peer)
{
    kl_bft_effect *effect = kl_simplex_emit(s, KL_BFT_FETCH_BODY);
    effect->proposal = *proposal;
    effect->peer = peer == KL_BFT_NO_PEER ? KL_BFT_ALL : peer;
}

u64 kl_simplex_quorum(const struct kl_simplex *s)
{
    return kl_valset_quorum(s->set) - (MUTANT(SMALL_QUORUM) ? 1 : 0);
}

static void on_start(struct kl_simplex *s)
{
    s->started = true;
    s->start_view = s->view;
    s->entered_ns = s->now_ns;
    s->retry_at_ns = s->now_ns;
}

static void on_signed(struct kl_simplex *s, const kl_vote *vote)
{
    const kl_proposal *p = &vote->subject.proposal;
    kl_simplex_slot *slot = p->epoch == s->epoch ? slot_at(s, p->view) : NULL;
    if (!slot)
        return; /* the window has passed on */
    kl_simplex_own *own = own_of(slot, vote->subject.kind);
    if (own->state != OWN_ASKED || !kl_vote_subject_eq(&own->vote.subject, &vote->subject))
        return;
    own->vote = *vote;
    own->is_signed = true;
}

static void on_refused(struct kl_simplex *s, const kl_vote_subject *subject)
{
    kl_simplex_slot *slot =
        subject->proposal.epoch == s->epoch ? slot_at(s, subject->proposal.view) : NULL;
    if (slot && own_of(slot, subject->kind)->state == OWN_ASKED)
        own_of(slot, subject->kind)->state = OWN_REFUSED;
}

static void on_reserved(struct kl_simplex *s, u64 epoch, u64 view)
{
    kl_simplex_slot *slot = epoch == s->epoch ? slot_at(s, view) : NULL;
    if (slot && slot->turn == TURN_ASKED)
        slot->turn = TURN_TAKEN;
}

static void on_persisted(struct kl_simplex *s, u64 token)
{
    KL_ASSERT(token <= s->token);
    s->token_persisted = KL_MAX(s->token_persisted, token);
    if (s->token_persisted == s->token)
        s->durable = s->barrier_appended;
}

static void on_built(struct kl_simplex *s, u64 view, const kl_hash *hash, bool failed)
{
    kl_simplex_slot *slot = slot_at(s, view);
    if (!slot || !slot->building)
        return;
    slot->building = false;
    if (failed || view != s->view) {
        slot->gives_up = true; /* [Simplex R7] local build failure */
        return;
    }
    /* The parent was chosen when building began, and is bound there. */
    own_of(slot, KL_VOTE_NOTARIZE)->vote.subject.proposal.block_hash = *hash;
    slot->built = true;
    slot->judged = JUDGED_VALID;
    slot->judged_hash = *hash;
}

/* [Simplex R7] Whose time comes after our patience has ended is not waited for: the clock of its
 * leader is wrong.  This says nothing of the block, which may be notarized all the same. */
static void on_early(struct kl_simplex *s, u64 of_view, const kl_hash *hash, u64 at_ns)
{
    kl_simplex_slot *slot = slot_at(s, s->view);
    if (of_view == s->view && slot->has_proposal && kl_hash_eq(&slot->proposal.block_hash, hash) &&
        at_ns > kl_simplex_advance_deadline(s))
        slot->gives_up = true;
}

static void on_executed(struct kl_simplex *s, u64 of_view, const kl_hash *hash,
                        kl_bft_verdict verdict)
{
    static const kl_simplex_judged judged[] = {
        [KL_BFT_VALID] = JUDGED_VALID,
        [KL_BFT_INVALID] = JUDGED_INVALID,
        [KL_BFT_UNAVAILABLE] = JUDGED_MISSING,
        [KL_BFT_EARLY] = JUDGED_MISSING,
    };
    if (s->root_judged == JUDGED_RUNNING && kl_hash_eq(&s->root.block_hash, hash) &&
        (!of_view || of_view == s->root.view)) {
        s->root_judged = judged[verdict];
        if (verdict == KL_BFT_UNAVAILABLE)
            kl_simplex_fetch_body(s, &s->root, KL_BFT_ALL);
    }
    for (u64 view = s->base; view < s->base + s->config.window; view++) {
        kl_simplex_slot *slot = slot_at(s, view);
        const kl_proposal *target = kl_simplex_target(slot);
        if (slot->judged == JUDGED_RUNNING && kl_hash_eq(&slot->judged_hash, hash) &&
            (!of_view || of_view == view)) {
            slot->judged = judged[verdict];
            if (verdict == KL_BFT_UNAVAILABLE && target)
                kl_simplex_fetch_body(s, target, slot->source);
        }
        /* A child may have waited for it. */
        if (verdict == KL_BFT_VALID && slot->judged == JUDGED_MISSING && target &&
            kl_hash_eq(&target->parent_hash, hash))
            slot->judged = JUDGED_NOT;
    }
}

static void on_body(struct kl_simplex *s, const kl_hash *hash)
{
    if (s->root_judged == JUDGED_MISSING && kl_hash_eq(&s->root.block_hash, hash))
        s->root_judged = JUDGED_NOT;
    for (u64 view = s->base; view < s->base + s->config.window; view++) {
        kl_simplex_slot *slot = slot_at(s, view);
        if (slot->judged == JUDGED_MISSING && kl_hash_eq(&slot->judged_hash, hash))
            slot->judged = JUDGED_NOT;
    }
}

static void on_synced(struct kl_simplex *s, const kl_proposal *proposal)
{
    if (proposal->epoch != s->epoch || proposal->view <= s->committed.view)
        return;
    KL_ASSERT(proposal->view <= s->final.view);
    s->committed = *proposal;
    s->syncing = false;
}

static void on_next_epoch(struct kl_simplex *s, const kl_bft_epoch *epoch)
{
    KL_ASSERT(epoch->epoch > s->epoch);
    s->has_boundary = epoch->epoch == s->epoch + 1 && s->has_final_certificate &&
                      s->final.height == s->config.epoch.last_height;
    if (s->has_boundary)
        kl_simplex_certificate_copy(&s->boundary, s->boundary_room, &s->final_certificate);
    epoch_enter(s, epoch);
}

static void on_pending(struct kl_simplex *s, bool on)
{
    if (on && !s->pending)
        s->pending_since_ns = s->now_ns;
    s->pending = on;
}

/* Who watched first may have signed in an earlier life what it saw then. */
static void on_signing(struct kl_simplex *s, bool on)
{
    if (on && !s->signing)
        s->start_view = s->view;
    s->signing = on;
}

static void take(struct kl_simplex *s, const kl_bft_event *event)
{
    switch (event->kind) {
    case KL_BFT_RESTORE_CERTIFICATE:
        kl_simplex_learn(s, event->certificate);
        break;
    case KL_BFT_RESTORE_VOTE:
        kl_simplex_restore_vote(s, event->vote);
        break;
    case KL_BFT_RESTORE_PROPOSAL:
        kl_simplex_restore_proposal(s, event->vote);
        break;
    case KL_BFT_RESTORE_TURN:
        kl_simplex_restore_turn(s, event->epoch, event->view);
        break;
    case KL_BFT_START:
        on_start(s);
        break;
    case KL_BFT_VOTE:
        kl_simplex_on_vote(s, event->vote, event->peer);
        break;
    case KL_BFT_CERTIFICATE:
        kl_simplex_on_certificate(s, event->certificate, event->peer);
        break;
    case KL_BFT_EVIDENCE:
        kl_simplex_on_evidence(s, event->evidence, event->peer);
        break;
    case KL_BFT_CERTIFICATE_REQUEST:
        kl_simplex_on_request(s, event);
        break;
    case KL_BFT_SIGNED:
        on_signed(s, event->vote);
        break;
    case KL_BFT_SIGN_REFUSED:
        on_refused(s, event->subject);
        break;
    case KL_BFT_RESERVED:
        on_reserved(s, event->epoch, event->view);
        break;
    case KL_BFT_PERSISTED:
        on_persisted(s, event->token);
        break;
    case KL_BFT_BUILT:
        on_built(s, event->view, &event->hash, false);
        break;
    case KL_BFT_BUILD_FAILED:
        on_built(s, event->view, &event->hash, true);
        break;
    case KL_BFT_EXECUTED:
        on_executed(s, event->view, &event->hash, event->verdict);
        if (event->verdict == KL_BFT_EARLY)
            on_early(s, event->view, &event->hash, event->at_ns);
        break;
    case KL_BFT_BODY:
        on_body(s, &event->hash);
        break;
    case KL_BFT_SYNCED:
        on_synced(s, event->proposal);
        break;
    case KL_BFT_NEXT_EPOCH:
        on_next_epoch(s, event->epoch_config);
        break;
    case KL_BFT_TIMER:
        break;
    case KL_BFT_PENDING:
        on_pending(s, event->on);
        break;
    case KL_BFT_SIGNING:
        on_signing(s, event->on);
        break;
    }
}

void kl_simplex_step(struct kl_simplex *s, const kl_bft_event *event, u64 now_ns,
                     kl_bft_effects *out)
{
    KL_ASSERT(out->cap - out->count >= kl_simplex_effects_max(&s->config));
    bool restores = event->kind <= KL_BFT_START;
    KL_ASSERT(s->started != restores || event->kind == KL_BFT_SIGNING);
    s->out = out;
    s->now_ns = KL_MAX(now_ns, s->now_ns);
    take(s, event);
    if (s->started) {
        if (s->now_ns >= s->retry_at_ns)
            kl_simplex_retry(s);
        kl_simplex_settle(s);
        kl_simplex_set_timer(s);
    }
    s->out = NULL;
}

void kl_simplex_certificate_make(const struct kl_simplex *s, kl_certificate *out, u8 *room,
                                 const kl_vote *const *votes, u32 count)
{
    /* Those make what cert would not make. */
    if (MUTANT(SMALL_QUORUM) || MUTANT(SIGNER_TWICE) || MUTANT(FOREIGN_EPOCH)) {
        *out = (kl_certificate){.subject = votes[0]->subject};
        usize len = s->set->scheme->signature_len;
        for (u32 i = 0; i < count; i++) {
            out->signers[votes[i]->signer / 8] |= (u8)(1u << votes[i]->signer % 8);
            memcpy(room + i * len, votes[i]->signature, len);
        }
        out->signatures = kl_span_of(room, count * len);
        return;
    }
    kl_certificate_make(out, room, votes, count, s->set);
}

kl_rule kl_simplex_certificate_check(const struct kl_simplex *s, const kl_certificate *certificate)
{
    kl_rule rule = kl_certificate_check(certificate, s->set, &s->config.domain);
    u64 weight;
    if (MUTANT(SMALL_QUORUM) && rule == KL_RULE_CERTIFICATE_WEIGHT &&
        kl_certificate_weight(&weight, certificate, s->set) == KL_RULE_NONE &&
        weight >= kl_simplex_quorum(s))
        return KL_RULE_NONE;
    return rule;
}

/* What comes from outside: bounded, verified, and put into its one slot.  A vote's slot is (view,
 * signer, kind): the first vote stays, a different second one is evidence and nothing else, so that
 * nobody can take a vote out of a quorum that is forming. */
#include "consensus/simplex_priv.h"

static void penalize(struct kl_simplex *s, kl_bft_peer peer, kl_rule rule)
{
    if (peer == KL_BFT_NO_PEER)
        return;
    kl_bft_effect *effect = kl_simplex_emit(s, KL_BFT_PENALIZE);
    effect->peer = peer;
    effect->rule = rule;
}

/* [Simplex R9] Somebody speaks of views or epochs beyond us. */
static void ask_behind(struct kl_simplex *s, kl_bft_peer peer)
{
    if (s->asked_behind_ns && s->now_ns - s->asked_behind_ns < s->config.retry_ns)
        return;
    s->asked_behind_ns = KL_MAX(s->now_ns, 1);
    kl_simplex_ask_certificates(s, peer, s->view, UINT64_MAX);
}

const kl_certificate *kl_simplex_entry(const struct kl_simplex *s)
{
    static const kl_vote_kind best[] = {KL_VOTE_FINALIZE, KL_VOTE_NULLIFY, KL_VOTE_NOTARIZE};
    const kl_simplex_slot *slot = slot_at(s, s->view - 1);
    for (usize i = 0; slot && i < KL_COUNT_OF(best); i++)
        if (has_certificate(slot, best[i]))
            return &slot->certificate[best[i] - 1];
    return s->has_final_certificate  ? &s->final_certificate
           : s->has_root_certificate ? &s->root_certificate
                                     : NULL;
}

/* Of the floor's own certificates, restored, one stays: others may need it to enter our view. */
static void learn_floor(struct kl_simplex *s, const kl_certificate *certificate)
{
    const kl_proposal *p = &certificate->subject.proposal;
    if (certificate->subject.kind == KL_VOTE_FINALIZE && kl_proposal_eq(p, &s->final) &&
        !s->has_final_certificate) {
        kl_simplex_certificate_copy(&s->final_certificate, s->final_room, certificate);
        s->has_final_certificate = true;
    }
    if (certificate->subject.kind == KL_VOTE_NOTARIZE && kl_proposal_eq(p, &s->root) &&
        !s->has_root_certificate) {
        kl_simplex_certificate_copy(&s->root_certificate, s->root_room, certificate);
        s->has_root_certificate = true;
    }
}

/* A validator is still in an earlier view: what lets it leave goes to it, not too often. */
static void help(struct kl_simplex *s, u32 signer, kl_bft_peer peer,
                 const kl_certificate *certificate)
{
    u64 *helped = &s->helped_ns[signer];
    if (peer == KL_BFT_NO_PEER || !certificate ||
        (*helped && s->now_ns - *helped < s->config.retry_ns / 2))
        return;
    *helped = KL_MAX(s->now_ns, 1);
    kl_simplex_send_certificate(s, certificate, peer);
    if (s->has_final_certificate && certificate != &s->final_certificate &&
        certificate != &s->boundary)
        kl_simplex_send_certificate(s, &s->final_certificate, peer);
}

/* [Simplex R13] */
static void found(struct kl_simplex *s, const kl_vote *a, const kl_vote *b)
{
    if (s->reported[a->signer])
        return;
    s->reported[a->signer] = true;
    kl_simplex_emit(s, KL_BFT_FOUND)->evidence = (kl_evidence){*a, *b};
}

static kl_vote *cell(const kl_simplex_slot *slot, u32 signer, kl_vote_kind kind)
{
    return &slot->votes[signer * KINDS + kind - 1];
}

static bool has_cell(const kl_simplex_slot *slot, u32 signer, kl_vote_kind kind)
{
    return slot->has_vote[signer * KINDS + kind - 1];
}

/* Makes the certificate of all votes in the slot that say the same. */
static void form(struct kl_simplex *s, kl_simplex_slot *slot, const kl_vote_subject *subject)
{
    const kl_vote *votes[KL_VALIDATORS_MAX];
    u32 count = 0;
    u64 weight = 0;
    for (u32 i = 0; i < s->set->count; i++) {
        const kl_vote *vote = cell(slot, i, subject->kind);
        if (!has_cell(slot, i, subject->kind) ||
            (!kl_vote_subject_eq(&vote->subject, subject) &&
             !(MUTANT(FOREIGN_EPOCH) && subject->kind == KL_VOTE_NULLIFY)))
            continue;
        votes[count++] = vote;
        weight += s->set->validators[i].weight;
    }
    if (MUTANT(SIGNER_TWICE) && count)
        weight += s->set->validators[votes[0]->signer].weight;
    if (subject->kind == KL_VOTE_NULLIFY && slot->nullify_some_ns == NEVER &&
        weight > kl_valset_faulty(s->set))
        slot->nullify_some_ns = s->now_ns;
    if (weight < kl_simplex_quorum(s) || has_certificate(slot, subject->kind))
        return;
    kl_certificate certificate;
    u8 *room = slot->room[subject->kind - 1];
    kl_simplex_certificate_make(s, &certificate, room, votes, count);
    kl_simplex_learn(s, &certificate);
}

/* [Simplex R2] A proposal is its leader's notarize vote. */
static void propose_comes(struct kl_simplex *s, kl_simplex_slot *slot, const kl_vote *vote,
                          kl_bft_peer peer)
{
    if (slot->has_proposal)
        return;
    slot->has_proposal = true;
    slot->proposal = vote->subject.proposal;
    slot->source = peer;
    slot->seen_ns = s->now_ns;
}

void kl_simplex_collect(struct kl_simplex *s, kl_simplex_slot *slot, const kl_vote *vote,
                        kl_bft_peer peer)
{
    u32 signer = vote->signer;
    kl_vote_kind kind = vote->subject.kind;
    s->again = true;
    *cell(slot, signer, kind) = *vote;
    slot->has_vote[signer * KINDS + kind - 1] = true;
    if (slot->view >= s->silent_from[signer])
        s->silent_from[signer] = 0;
    bool leads = signer == kl_valset_leader(s->set, s->epoch, slot->view);
    if (leads && kind == KL_VOTE_NOTARIZE)
        propose_comes(s, slot, vote, peer);
    if (leads && kind == KL_VOTE_NULLIFY)
        slot->gives_up = true; /* [Simplex R7] */
    form(s, slot, &vote->subject);
}

/* A vote that conflicts with one we hold by the same signer, or NULL. */
static const kl_vote *conflicting(const kl_simplex_slot *slot, const kl_vote *vote)
{
    for (kl_vote_kind kind = KL_VOTE_NOTARIZE; kind <= KL_VOTE_FINALIZE; kind++) {
        const kl_vote *held = cell(slot, vote->signer, kind);
        if (has_cell(slot, vote->signer, kind) &&
            kl_evidence_of(&held->subject, &vote->subject) != KL_EVIDENCE_NONE)
            return held;
    }
    return NULL;
}

/* Whether a vote of ours that says this is somebody else's: we have not signed it, and it is above
 * all that an earlier life may have signed, whose votes are replayed and counted at any time. */
static bool is_foreign(const struct kl_simplex *s, const kl_vote_subject *subject)
{
    u64 view = subject->proposal.view;
    if (!s->signing || view < s->start_view || view <= s->config.epoch.signed_view ||
        MUTANT(SHARED_KEY))
        return false;
    kl_simplex_slot *slot = slot_at(s, view);
    if (!slot)
        return view >= s->base; /* we were never there */
    const kl_simplex_own *own = own_of(slot, subject->kind);
    if (own->state == OWN_FORFEIT)
        return false;
    return own->state == OWN_NONE || !kl_vote_subject_eq(&own->vote.subject, subject);
}

static void key_is_used(struct kl_simplex *s, const kl_vote_subject *subject)
{
    s->signing = false;
    kl_simplex_emit(s, KL_BFT_KEY_IS_USED)->subject = *subject;
}

/* A vote whose signature holds. */
static void on_good_vote(struct kl_simplex *s, kl_simplex_slot *slot, const kl_vote *vote,
                         kl_bft_peer peer)
{
    kl_vote_kind kind = vote->subject.kind;
    const kl_vote *held = conflicting(slot, vote);
    if (held)
        found(s, held, vote);
    if (vote->signer == s->self && is_foreign(s, &vote->subject)) {
        key_is_used(s, &vote->subject);
        return;
    }
    bool is_second = has_cell(slot, vote->signer, kind);
    if (is_second && kind == KL_VOTE_NOTARIZE &&
        vote->signer == kl_valset_leader(s->set, s->epoch, slot->view))
        slot->leader_equivocates = true; /* [Simplex R3] */
    if (!is_second || MUTANT(SECOND_REPLACES))
        kl_simplex_collect(s, slot, vote, peer);
}

/* A vote of another epoch, or of views that the ring does not hold. */
static void on_far_vote(struct kl_simplex *s, const kl_vote *vote, kl_bft_peer peer)
{
    const kl_proposal *p = &vote->subject.proposal;
    if (p->epoch > s->epoch || (p->epoch == s->epoch && p->view > s->view))
        ask_behind(s, peer);
    else if (p->epoch == s->epoch)
        help(s, vote->signer, peer, kl_simplex_entry(s));
    else if (p->epoch + 1 == s->epoch && s->has_boundary)
        help(s, vote->signer % s->set->count, peer, &s->boundary);
}

void kl_simplex_on_vote(struct kl_simplex *s, const kl_vote *vote, kl_bft_peer peer)
{
    const kl_proposal *p = &vote->subject.proposal;
    bool is_ours =
        p->epoch == s->epoch || (MUTANT(FOREIGN_EPOCH) && vote->subject.kind == KL_VOTE_NULLIFY);
    if (is_ours && vote->signer >= s->set->count) {
        penalize(s, peer, KL_RULE_VOTE_SIGNER);
        return;
    }
    kl_simplex_slot *slot = is_ours ? slot_at(s, p->view) : NULL;
    if (!slot) {
        on_far_vote(s, vote, peer);
        return;
    }
    if (s->ended) {
        help(s, vote->signer, peer, s->has_final_certificate ? &s->final_certificate : NULL);
        return;
    }
    const kl_vote *held = cell(slot, vote->signer, vote->subject.kind);
    bool is_held = has_cell(slot, vote->signer, vote->subject.kind) &&
                   kl_vote_subject_eq(&held->subject, &vote->subject);
    /* The last view's nullify votes come late to everybody; repeated, their signer is stuck. */
    if (vote->subject.kind == KL_VOTE_NULLIFY && p->view + !is_held < s->view)
        help(s, vote->signer, peer, kl_simplex_entry(s));
    if (is_held) { /* nothing that it could say is new: not worth a verification */
        if (memcmp(held->signature, vote->signature, s->set->scheme->signature_len) == 0)
            s->heard_ns[vote->signer] = s->now_ns;
        return;
    }
    kl_rule rule = kl_vote_check(vote, s->set, &s->config.domain);
    if (rule != KL_RULE_NONE) {
        penalize(s, peer, rule);
        return;
    }
    s->heard_ns[vote->signer] = s->now_ns;
    on_good_vote(s, slot, vote, peer);
}

void kl_simplex_restore_vote(struct kl_simplex *s, const kl_vote *vote)
{
    const kl_proposal *p = &vote->subject.proposal;
    if (p->epoch != s->epoch || s->self == KL_BFT_NOBODY || p->view < s->base)
        return;
    KL_ASSERT(vote->signer == s->self);
    kl_simplex_ring_reach(s, p->view); /* we were there when we signed */
    kl_simplex_slot *slot = slot_at(s, p->view);
    kl_simplex_own *own = own_of(slot, vote->subject.kind);
    own->state = OWN_RESTORED;
    own->is_signed = true;
    own->vote = *vote;
    if (vote->subject.kind == KL_VOTE_NOTARIZE) /* it was proposed, then */
        propose_comes(s, slot, vote, KL_BFT_NO_PEER);
    s->view = KL_MAX(s->view, p->view);
}

/* Its leader may have lost it, so whoever notarized it keeps it: in a quorum it is needed too. */
void kl_simplex_restore_proposal(struct kl_simplex *s, const kl_vote *vote)
{
    const kl_proposal *p = &vote->subject.proposal;
    kl_simplex_slot *slot = p->epoch == s->epoch ? slot_at(s, p->view) : NULL;
    if (!slot || vote->subject.kind != KL_VOTE_NOTARIZE || MUTANT(PROPOSAL_NOT_KEPT) ||
        vote->signer != kl_valset_leader(s->set, s->epoch, p->view))
        return;
    const kl_simplex_own *own = own_of(slot, KL_VOTE_NOTARIZE);
    if (own->state != OWN_RESTORED || !kl_vote_subject_eq(&own->vote.subject, &vote->subject))
        return;
    *cell(slot, vote->signer, KL_VOTE_NOTARIZE) = *vote;
    slot->has_vote[vote->signer * KINDS + KL_VOTE_NOTARIZE - 1] = true;
}

/* Whatever it was, it is not said again; the others are told at once that nothing comes. */
void kl_simplex_restore_turn(struct kl_simplex *s, u64 epoch, u64 view)
{
    kl_simplex_slot *slot = epoch == s->epoch ? slot_at(s, view) : NULL;
    if (!slot || s->self == KL_BFT_NOBODY || MUTANT(TURN_USED_AGAIN) ||
        own_of(slot, KL_VOTE_NOTARIZE)->state != OWN_NONE)
        return;
    own_of(slot, KL_VOTE_NOTARIZE)->state = OWN_FORFEIT;
    slot->gives_up = true; /* [Simplex R7] */
}

/* Keeps the certificate in its slot; false when its like is there. */
static bool keep(struct kl_simplex *s, const kl_certificate *certificate)
{
    const kl_vote_subject *subject = &certificate->subject;
    kl_simplex_slot *slot = slot_at(s, subject->proposal.view);
    u32 k = subject->kind - 1;
    if (!slot || slot->has_certificate[k])
        return false;
    kl_simplex_certificate_copy(&slot->certificate[k], slot->room[k], certificate);
    slot->has_certificate[k] = true;
    return true;
}

/* Whether it excludes one that we hold: then more than F of the weight is faulty. */
static bool forks(const struct kl_simplex *s, const kl_certificate *certificate)
{
    const kl_vote_subject *subject = &certificate->subject;
    const kl_simplex_slot *slot = slot_at(s, subject->proposal.view);
    kl_proposal other;
    bool nullifies = subject->kind == KL_VOTE_NULLIFY;
    if (slot && nullifies && has_certificate(slot, KL_VOTE_FINALIZE))
        return true;
    if (slot && subject->kind == KL_VOTE_FINALIZE && has_certificate(slot, KL_VOTE_NULLIFY))
        return true;
    return !nullifies && kl_simplex_notarized(s, &other, subject->proposal.view) &&
           !kl_proposal_eq(&other, &subject->proposal);
}

/* [Simplex R4 R5 R6] Whatever certificate proves that a view is over opens the next. */
static void enter(struct kl_simplex *s, u64 view)
{
    if (view <= s->view)
        return;
    kl_simplex_ring_reach(s, view);
    s->view = view;
    s->entered_ns = s->now_ns;
    s->again = true;
}

static void learn_final(struct kl_simplex *s, const kl_certificate *certificate)
{
    const kl_proposal *p = &certificate->subject.proposal;
    if (p->view <= s->final.view)
        return;
    s->final = *p;
    kl_simplex_certificate_copy(&s->final_certificate, s->final_room, certificate);
    s->has_final_certificate = true;
    s->syncing = false;
    s->given_up_in_row = 0; /* [Simplex R11] */
    if (p->view > s->root.view)
        kl_simplex_root_set(s, p, certificate);
}

/* Below the ring only what mends the run is of use. */
static bool mend(struct kl_simplex *s, const kl_certificate *certificate)
{
    const kl_proposal *p = &certificate->subject.proposal;
    if (certificate->subject.kind == KL_VOTE_NULLIFY) {
        bool wants = kl_simplex_run_wants(s, p->view);
        kl_simplex_run_add(s, p->view);
        return wants;
    }
    if (p->view <= s->root.view)
        return false;
    kl_simplex_root_set(s, p, certificate);
    return true;
}

/* [Simplex R0] A leader that said nothing in its view, which was nullified, is suspected until it
 * is heard again.  One whose proposal only came too late is not: where it leads several views in a
 * row nobody would ever vote for it. */
static void suspect(struct kl_simplex *s, u64 view)
{
    const kl_simplex_slot *slot = slot_at(s, view);
    if (has_certificate(slot, KL_VOTE_NOTARIZE))
        return;
    s->given_up_in_row += s->given_up_in_row < 64;
    u32 leader = kl_valset_leader(s->set, s->epoch, view);
    const bool *votes = &slot->has_vote[leader * KINDS];
    if (leader != s->self && !votes[KL_VOTE_NOTARIZE - 1] && !votes[KL_VOTE_NULLIFY - 1])
        s->silent_from[leader] = view;
}

/* [Simplex R11] A view that we gave up and that was notarized all the same: with less patience than
 * messages take nobody would ever be free to sign finalize. */
static void outgrow(struct kl_simplex *s)
{
    const kl_simplex_slot *slot = slot_at(s, s->view);
    if (slot->own[KL_VOTE_NULLIFY - 1].state != OWN_NONE)
        s->given_up_in_row += s->given_up_in_row < 64;
}

/* [Simplex R4 R5 R6] Votes go from everybody to everybody, so a certificate is news only to those
 * whom votes did not reach.  Sent on by all n it is n² times a quorum of signatures, so in a large
 * set a few do it, others in each view.  Whom none of them reaches is helped when it repeats its
 * nullify vote, or asks.  Who is no validator has no votes to send, and sends these. */
static bool shares(const struct kl_simplex *s, u64 view)
{
    u32 n = s->set->count;
    return s->self == KL_BFT_NOBODY || (s->self + n - view % n) % n < SHARERS;
}

void kl_simplex_learn(struct kl_simplex *s, const kl_certificate *certificate)
{
    kl_vote_kind kind = certificate->subject.kind;
    const kl_proposal *p = &certificate->subject.proposal;
    bool is_fork = forks(s, certificate);
    if (!s->started)
        learn_floor(s, certificate);
    kl_simplex_ring_reach(s, p->view);
    bool is_new = p->view >= s->base ? keep(s, certificate) : mend(s, certificate);
    if (p->view >= s->base) /* effects view what stays */
        certificate = &slot_at(s, p->view)->certificate[kind - 1];
    p = &certificate->subject.proposal;
    if (is_fork) {
        kl_bft_effect *effect = kl_simplex_emit(s, KL_BFT_FORKED);
        effect->certificate = certificate;
        effect->proposal = *p;
    }
    if (kind == KL_VOTE_FINALIZE && p->view > s->final.view) {
        is_new = true;
        learn_final(s, certificate);
    }
    if (!is_new)
        return;
    s->again = true;
    if (kind != KL_VOTE_NULLIFY && p->view > s->notarized.view)
        s->notarized = *p;
    if (!s->started) {
        s->view = KL_MAX(s->view, p->view + 1);
        kl_simplex_ring_reach(s, s->view);
        return;
    }
    kl_simplex_persist(s, certificate);
    if (shares(s, p->view))
        kl_simplex_send_certificate(s, certificate, KL_BFT_ALL);
    if (kind == KL_VOTE_NULLIFY && p->view == s->view)
        suspect(s, p->view);
    if (kind == KL_VOTE_NOTARIZE && p->view == s->view)
        outgrow(s);
    enter(s, p->view + 1);
}

/* Whether it could tell us anything: asked before it costs a verification. */
static bool is_news(const struct kl_simplex *s, const kl_vote_subject *subject)
{
    const kl_proposal *p = &subject->proposal;
    const kl_simplex_slot *slot = slot_at(s, p->view);
    if (subject->kind == KL_VOTE_FINALIZE && p->view > s->final.view)
        return true;
    if (p->view < s->base)
        return subject->kind == KL_VOTE_NULLIFY ? kl_simplex_run_wants(s, p->view)
                                                : p->view > s->root.view;
    return !slot || !has_certificate(slot, subject->kind);
}

static bool counts(const kl_certificate *certificate, u32 signer)
{
    return certificate->signers[signer / 8] >> signer % 8 & 1;
}

/* A certificate that counts a vote of ours which we did not sign.  Whoever else has our key stands
 * where we stand: nobody is connected with both, so that its votes do not come to us themselves. */
static bool is_of_foreign(const struct kl_simplex *s, const kl_certificate *certificate)
{
    return s->self != KL_BFT_NOBODY && counts(certificate, s->self) &&
           is_foreign(s, &certificate->subject);
}

/* The vote of ours in it beside the one that it excludes, if we have signed such a one. */
static void find_own_conflict(struct kl_simplex *s, const kl_certificate *certificate)
{
    const kl_vote_scheme *scheme = s->set->scheme;
    const kl_simplex_slot *slot = slot_at(s, certificate->subject.proposal.view);
    kl_vote vote = {.subject = certificate->subject, .signer = s->self};
    usize before = 0;
    if (!slot || scheme->aggregates)
        return;
    for (u32 i = 0; i < s->self; i++)
        before += counts(certificate, i);
    memcpy(vote.signature, certificate->signatures.p + before * scheme->signature_len,
           scheme->signature_len);
    const kl_vote *held = conflicting(slot, &vote);
    if (held)
        found(s, held, &vote);
}

void kl_simplex_on_certificate(struct kl_simplex *s, const kl_certificate *certificate,
                               kl_bft_peer peer)
{
    const kl_proposal *p = &certificate->subject.proposal;
    if (p->epoch > s->epoch)
        ask_behind(s, peer);
    if (p->epoch != s->epoch || s->ended || !p->view)
        return;
    bool news = is_news(s, &certificate->subject), foreign = is_of_foreign(s, certificate);
    if (!news && !foreign)
        return;
    kl_rule rule = kl_simplex_certificate_check(s, certificate);
    if (rule != KL_RULE_NONE) {
        penalize(s, peer, rule);
        return;
    }
    if (foreign) {
        find_own_conflict(s, certificate);
        key_is_used(s, &certificate->subject);
    }
    if (news)
        kl_simplex_learn(s, certificate);
}

void kl_simplex_on_evidence(struct kl_simplex *s, const kl_evidence *evidence, kl_bft_peer peer)
{
    u32 signer = evidence->first.signer;
    if (evidence->first.subject.proposal.epoch != s->epoch || signer >= s->set->count ||
        s->reported[signer])
        return;
    kl_rule rule = kl_evidence_check(evidence, s->set, &s->config.domain);
    if (rule != KL_RULE_NONE) {
        penalize(s, peer, rule);
        return;
    }
    const kl_vote_subject *first = &evidence->first.subject, *second = &evidence->second.subject;
    if (signer == s->self && is_foreign(s, first))
        key_is_used(s, first);
    else if (signer == s->self && is_foreign(s, second))
        key_is_used(s, second);
    found(s, &evidence->first, &evidence->second);
}

/* [Simplex R9] */
void kl_simplex_on_request(struct kl_simplex *s, const kl_bft_event *event)
{
    if (event->epoch + 1 == s->epoch && s->has_boundary) {
        kl_simplex_send_certificate(s, &s->boundary, event->peer);
        return;
    }
    bool older = event->epoch < s->epoch;
    if (older || (event->epoch == s->epoch && event->from < s->base)) {
        kl_bft_effect *effect = kl_simplex_emit(s, KL_BFT_SERVE_LOG);
        effect->peer = event->peer;
        effect->epoch = event->epoch;
        effect->from = event->from;
        effect->to = older ? event->to : KL_MIN(event->to, s->base - 1);
    }
    if (event->epoch != s->epoch)
        return;
    u32 sent = 0;
    if (s->has_final_certificate && s->final.view >= event->from) {
        kl_simplex_send_certificate(s, &s->final_certificate, event->peer);
        sent++;
    }
    u64 end = KL_MIN(event->to, s->base + s->config.window - 1);
    for (u64 view = KL_MAX(event->from, s->base); view <= end; view++)
        for (u32 k = 0; k < KINDS && sent < KL_SIMPLEX_REPLY_MAX; k++)
            if (slot_at(s, view)->has_certificate[k]) {
                kl_simplex_send_certificate(s, &slot_at(s, view)->certificate[k], event->peer);
                sent++;
            }
}

/* The moments at which something is due.  All are functions of the state; the one timer of the
 * engine is set to the earliest. */
#include "consensus/simplex_priv.h"

#define PATIENCE_CAP    8u
#define PATIENCE_MAX_NS (10u * 1000000000ull)

/* [Simplex R11] deltas * Δ * 1.5^(views given up in a row), at most 8 times, at most 10 s. */
static u64 patience(const struct kl_simplex *s, u64 deltas)
{
    u64 base = kl_mul_sat_u64(deltas, s->config.delta_ns);
    u64 ns = base;
    for (u32 i = 0; i < s->given_up_in_row && ns < PATIENCE_CAP * base; i++)
        ns = kl_add_sat_u64(ns, ns / 2);
    return KL_MIN(KL_MIN(ns, kl_mul_sat_u64(base, PATIENCE_CAP)), PATIENCE_MAX_NS);
}

bool kl_simplex_is_unsettled(const struct kl_simplex *s)
{
    return s->notarized.view > s->final.view;
}

/* [Simplex R12] When there is reason for a block in our view, for a leader (a pending transaction
 * counts at once) or for those who wait for it (it counts after Δ, in which it reaches the leader).
 * A notarized head that is not final in time is reason too: the next block finalizes it.  And so is
 * a proposal, from when it is here: a leader that was silent for long has as long as any other. */
static u64 reason_at(const struct kl_simplex *s, bool leads)
{
    const kl_simplex_slot *slot = slot_at(s, s->view);
    u64 entered = s->entered_ns;
    if (!s->config.empty_period_ns)
        return entered;
    u64 at = kl_add_sat_u64(entered, s->config.empty_period_ns);
    if (s->pending) {
        u64 since = kl_add_sat_u64(s->pending_since_ns, leads ? 0 : s->config.delta_ns);
        at = KL_MIN(at, KL_MAX(entered, since));
    }
    if (kl_simplex_is_unsettled(s))
        at = KL_MIN(at, kl_add_sat_u64(entered, kl_mul_sat_u64(2, s->config.delta_ns)));
    if (slot->nullify_some_ns != NEVER)
        at = KL_MIN(at, KL_MAX(entered, slot->nullify_some_ns));
    if (slot->has_proposal)
        at = KL_MIN(at, KL_MAX(entered, slot->seen_ns));
    return at;
}

/* [Simplex R0] Its last led view came to nothing, in this epoch or before, and it was not heard
 * since. */
bool kl_simplex_is_skipped(const struct kl_simplex *s)
{
    return s->silent_from[kl_valset_leader(s->set, s->epoch, s->view)] != 0;
}

u64 kl_simplex_leader_deadline(const struct kl_simplex *s)
{
    if (kl_simplex_is_skipped(s))
        return s->entered_ns;
    u64 wait = kl_add_sat_u64(s->config.block_period_ns, patience(s, 2));
    return kl_add_sat_u64(reason_at(s, false), wait);
}

u64 kl_simplex_advance_deadline(const struct kl_simplex *s)
{
    u64 wait = kl_add_sat_u64(s->config.block_period_ns, patience(s, 3));
    return kl_add_sat_u64(reason_at(s, false), wait);
}

u64 kl_simplex_propose_at(const struct kl_simplex *s, const kl_proposal *parent)
{
    const kl_simplex_slot *slot = slot_at(s, parent->view);
    u64 at = s->entered_ns;
    if (slot && slot->seen_ns)
        at = KL_MAX(at, kl_add_sat_u64(slot->seen_ns, s->config.block_period_ns));
    return KL_MAX(at, reason_at(s, true));
}

/* Whether something is missing that only repetition brings. */
static bool is_stuck(const struct kl_simplex *s)
{
    const kl_simplex_slot *slot = slot_at(s, s->view);
    return slot->own[KL_VOTE_NULLIFY - 1].state != OWN_NONE ||
           slot->own[KL_VOTE_FINALIZE - 1].state != OWN_NONE || slot->asked_certificates ||
           slot->judged == JUDGED_MISSING || kl_simplex_is_unsettled(s) ||
           s->committed.view < s->final.view;
}

static void retry_bodies(struct kl_simplex *s)
{
    if (kl_simplex_root_lacks(s) && s->root_judged == JUDGED_MISSING) {
        kl_simplex_fetch_body(s, &s->root, KL_BFT_ALL);
        s->root_judged = JUDGED_NOT;
    }
    for (u64 view = KL_MAX(s->base, s->committed.view + 1); view <= s->view; view++) {
        kl_simplex_slot *slot = slot_at(s, view);
        if (slot->judged != JUDGED_MISSING || !kl_simplex_target(slot))
            continue;
        kl_simplex_fetch_body(s, kl_simplex_target(slot), KL_BFT_ALL);
        slot->judged = JUDGED_NOT; /* and ask once more: perhaps it was the clock or the disk */
    }
}

/* Our votes of earlier views of which there is no certificate, and those of this view that are from
 * before a crash, or beside a nullify vote: after a crash of all perhaps nobody has one, but for
 * the votes; and the leaders', who may not have their own. */
static void retry_holes(struct kl_simplex *s)
{
    kl_proposal notarized;
    for (u64 view = KL_MAX(s->base, s->final.view + 1); view <= s->view; view++) {
        const kl_simplex_slot *slot = slot_at(s, view);
        const kl_simplex_own *own = &slot->own[KL_VOTE_NOTARIZE - 1];
        bool gave_up = slot->own[KL_VOTE_NULLIFY - 1].state != OWN_NONE;
        if (kl_simplex_nullified(s, view) || kl_simplex_notarized(s, &notarized, view) ||
            (view == s->view && !own->revived && !gave_up))
            continue;
        if (own->state == OWN_SENT) {
            const kl_vote *leaders = kl_simplex_leaders(s, slot);
            kl_simplex_emit(s, KL_BFT_SEND_VOTE)->vote = &own->vote;
            if (leaders)
                kl_simplex_emit(s, KL_BFT_SEND_VOTE)->vote = leaders;
        }
        own = &slot->own[KL_VOTE_NULLIFY - 1];
        if (own->state == OWN_SENT && view < s->view)
            kl_simplex_emit(s, KL_BFT_SEND_VOTE)->vote = &own->vote;
    }
}

/* [Simplex R7] Stuck: our stored nullify vote, with what lets a peer enter our view; stored votes
 * of views in between that came to nothing; stored finalize votes of a head that is not final, with
 * its Notarization; and what is missing, asked of anybody. [Simplex R8] Nothing is signed here. */
void kl_simplex_retry(struct kl_simplex *s)
{
    s->retry_at_ns = NEVER;
    if (s->ended || !is_stuck(s))
        return;
    kl_simplex_slot *slot = slot_at(s, s->view);
    const kl_simplex_own *own = own_of(slot, KL_VOTE_NULLIFY);
    if (own->state == OWN_SENT) {
        kl_simplex_emit(s, KL_BFT_SEND_VOTE)->vote = &own->vote;
        const kl_certificate *entry = kl_simplex_entry(s);
        if (entry)
            kl_simplex_send_certificate(s, entry, KL_BFT_ALL);
    }
    kl_simplex_slot *head = slot_at(s, s->notarized.view);
    if (kl_simplex_is_unsettled(s) && head) {
        own = own_of(head, KL_VOTE_FINALIZE);
        if (own->state == OWN_SENT)
            kl_simplex_emit(s, KL_BFT_SEND_VOTE)->vote = &own->vote;
        if (has_certificate(head, KL_VOTE_NOTARIZE))
            kl_simplex_send_certificate(s, &head->certificate[KL_VOTE_NOTARIZE - 1], KL_BFT_ALL);
    }
    retry_holes(s);
    if (slot->asked_certificates)
        slot->source = KL_BFT_ALL;
    slot->asked_certificates = false;
    s->syncing = false;
    retry_bodies(s);
}

void kl_simplex_set_timer(struct kl_simplex *s)
{
    u64 at = NEVER;
    if (!s->ended) {
        const kl_simplex_slot *slot = slot_at(s, s->view);
        if (is_stuck(s) && s->retry_at_ns == NEVER)
            s->retry_at_ns = kl_add_sat_u64(s->now_ns, s->config.retry_ns);
        at = s->retry_at_ns;
        bool may_give_up = slot->own[KL_VOTE_NULLIFY - 1].state == OWN_NONE &&
                           slot->own[KL_VOTE_FINALIZE - 1].state == OWN_NONE;
        if (may_give_up && s->signing && s->self != KL_BFT_NOBODY) {
            at = KL_MIN(at, kl_simplex_advance_deadline(s));
            if (!slot->has_proposal)
                at = KL_MIN(at, kl_simplex_leader_deadline(s));
            kl_proposal parent;
            u64 missing;
            if (kl_valset_leader(s->set, s->epoch, s->view) == s->self && !slot->building &&
                slot->own[KL_VOTE_NOTARIZE - 1].state == OWN_NONE &&
                kl_simplex_parent(s, s->view, &parent, &missing) == LINK_GOOD &&
                kl_simplex_propose_at(s, &parent) > s->now_ns)
                at = KL_MIN(at, kl_simplex_propose_at(s, &parent));
        }
    }
    if (at == s->timer_ns && at > s->now_ns)
        return;
    s->timer_ns = at;
    kl_simplex_emit(s, KL_BFT_SET_TIMER)->at_ns = at;
}

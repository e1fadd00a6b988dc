/* The rules, each a look at the state that acts at most once for what it finds; settle repeats them
 * until none acts.  A vote is decided by asking for its signature: from then on it counts as cast
 * for every rule, whether or not it ever leaves. */
#include "consensus/simplex_priv.h"

static bool is_cast(const kl_simplex_slot *slot, kl_vote_kind kind)
{
    return slot->own[kind - 1].state != OWN_NONE;
}

static bool may_sign(const struct kl_simplex *s)
{
    return s->signing && s->self != KL_BFT_NOBODY;
}

/* [Simplex R10] The vote leaves when it is signed (its guard record is durable) and the barrier has
 * ended: all that justifies it, appended to the log before, is durable; and the body of what it
 * notarizes or finalizes, so that no power cut leaves a notarized block that nobody has.  A
 * re-proposal may be notarized without: its body is in the hands of those who notarized it.  The
 * leader's own leaves as soon as it is signed where its turn was taken: see may_leave. */
static void barrier(struct kl_simplex *s, kl_simplex_own *own)
{
    const kl_proposal *p = &own->vote.subject.proposal;
    kl_vote_kind kind = own->vote.subject.kind;
    bool is_again = kl_hash_eq(&p->block_hash, &p->parent_hash);
    bool has_body = !MUTANT(BODY_NOT_DURABLE) &&
                    (kind == KL_VOTE_FINALIZE || (kind == KL_VOTE_NOTARIZE && !is_again));
    if (has_body || s->appended != s->durable) {
        kl_bft_effect *effect = kl_simplex_emit(s, KL_BFT_BARRIER);
        effect->token = ++s->token;
        effect->has_body = has_body;
        effect->proposal = *p;
        s->barrier_appended = s->appended;
        own->token = s->token;
    }
    own->state = OWN_ASKED;
    s->again = true;
}

static bool leads(const struct kl_simplex *s, u64 view)
{
    return kl_valset_leader(s->set, s->epoch, view) == s->self;
}

static bool has_turn(const kl_simplex_slot *slot)
{
    return slot->turn == TURN_TAKEN || (MUTANT(TURN_NOT_DURABLE) && slot->turn == TURN_ASKED);
}

const kl_vote *kl_simplex_leaders(const struct kl_simplex *s, const kl_simplex_slot *slot)
{
    u32 leader = kl_valset_leader(s->set, s->epoch, slot->view);
    u32 at = leader * KINDS + KL_VOTE_NOTARIZE - 1;
    const kl_vote_subject *own = &slot->own[KL_VOTE_NOTARIZE - 1].vote.subject;
    return leader != s->self && slot->has_vote[at] &&
                   kl_vote_subject_eq(&slot->votes[at].subject, own)
               ? &slot->votes[at]
               : NULL;
}

static void cast(struct kl_simplex *s, kl_simplex_slot *slot, kl_vote_kind kind,
                 const kl_proposal *proposal)
{
    kl_simplex_own *own = own_of(slot, kind);
    KL_ASSERT(own->state == OWN_NONE);
    kl_vote_subject subject = {.kind = kind, .proposal = *proposal};
    own->vote = (kl_vote){.subject = subject, .signer = s->self};
    barrier(s, own);
    kl_bft_effect *effect = kl_simplex_emit(s, KL_BFT_SIGN);
    effect->subject = subject;
    effect->in_turn = kind == KL_VOTE_NOTARIZE && has_turn(slot);
    effect->vote = kind == KL_VOTE_NOTARIZE ? kl_simplex_leaders(s, slot) : NULL;
}

/* A vote that was signed before a crash leaves again, is never made again [Simplex R8], and counts
 * here as it does elsewhere: if all crash, nobody else may have what makes the quorum.  Its guard
 * record may have outlived what justifies it, and then it never left and does not now. */
static void revive(struct kl_simplex *s)
{
    for (u64 view = KL_MAX(s->base, s->final.view + 1); view <= s->view; view++) {
        kl_simplex_slot *slot = slot_at(s, view);
        for (kl_vote_kind kind = KL_VOTE_NOTARIZE; kind <= KL_VOTE_FINALIZE; kind++) {
            kl_simplex_own *own = own_of(slot, kind);
            const kl_proposal *p = &own->vote.subject.proposal;
            if (own->state != OWN_RESTORED || !may_sign(s))
                continue;
            const kl_proposal *target = kl_simplex_target(slot);
            bool is_judged = target && kl_proposal_eq(target, p) && slot->judged == JUDGED_VALID &&
                             kl_hash_eq(&slot->judged_hash, &p->block_hash);
            if (kind == KL_VOTE_NULLIFY ||
                (is_judged &&
                 (kind == KL_VOTE_NOTARIZE || has_certificate(slot, KL_VOTE_NOTARIZE)))) {
                own->revived = true;
                barrier(s, own);
            }
        }
    }
}

static void nullify(struct kl_simplex *s, kl_simplex_slot *slot)
{
    kl_proposal none = {.epoch = s->epoch, .view = slot->view};
    cast(s, slot, KL_VOTE_NULLIFY, &none);
    s->retry_at_ns = kl_add_sat_u64(s->now_ns, s->config.retry_ns);
}

/* Of each quorum with us more than F weight is of others: some honest validator holds the block and
 * our vote, durable, whatever becomes of ours [docs/adr/0011]. */
static bool is_held_by_others(const struct kl_simplex *s)
{
    u64 quorum = kl_valset_quorum(s->set), own = s->set->validators[s->self].weight;
    return quorum > own && quorum - own > kl_valset_faulty(s->set);
}

/* Turns are taken ahead, with the record of a vote in the view before, or when the view is entered.
 */
static void reserve(struct kl_simplex *s)
{
    const kl_simplex_slot *current = slot_at(s, s->view);
    bool votes = is_cast(current, KL_VOTE_NOTARIZE) || is_cast(current, KL_VOTE_NULLIFY);
    if (!may_sign(s) || !is_held_by_others(s))
        return;
    for (u64 view = s->view; view <= s->view + votes; view++) {
        kl_simplex_slot *slot = slot_at(s, view);
        if (!leads(s, view) || slot->turn != TURN_NONE || is_cast(slot, KL_VOTE_NOTARIZE) ||
            is_cast(slot, KL_VOTE_NULLIFY))
            continue;
        slot->turn = TURN_ASKED;
        kl_simplex_emit(s, KL_BFT_RESERVE)->from = view;
    }
}

static bool may_leave(const struct kl_simplex *s, const kl_simplex_slot *slot,
                      const kl_simplex_own *own)
{
    bool in_turn = own->vote.subject.kind == KL_VOTE_NOTARIZE && has_turn(slot);
    return own->state == OWN_ASKED && own->is_signed &&
           (own->token <= s->token_persisted || in_turn);
}

/* Own votes that may leave: into our collector, and to everybody.  Views about to leave the ring
 * are passed over, so that what effects view stays where it is. */
static void release(struct kl_simplex *s)
{
    for (u64 view = s->base; view < s->base + s->config.window; view++) {
        kl_simplex_slot *slot = slot_at(s, view);
        for (u32 k = 0; slot && k < KINDS; k++) {
            kl_simplex_own *own = &slot->own[k];
            if (!may_leave(s, slot, own) || view + s->config.window / 2 <= s->view)
                continue;
            own->state = OWN_SENT;
            bool is_notarize = own->vote.subject.kind == KL_VOTE_NOTARIZE;
            bool proposes = is_notarize && leads(s, view);
            const kl_vote *leaders = is_notarize ? kl_simplex_leaders(s, slot) : NULL;
            kl_simplex_emit(s, proposes ? KL_BFT_SEND_PROPOSAL : KL_BFT_SEND_VOTE)->vote =
                &own->vote;
            if (leaders && own->revived)
                kl_simplex_emit(s, KL_BFT_SEND_VOTE)->vote = leaders;
            if (!slot->has_vote[own->vote.signer * KINDS + k] &&
                !(MUTANT(NO_REINJECTION) && own->revived))
                kl_simplex_collect(s, slot, &own->vote, KL_BFT_NO_PEER);
        }
    }
}

static void execute(struct kl_simplex *s, const kl_proposal *p, kl_bft_peer peer)
{
    kl_bft_effect *effect = kl_simplex_emit(s, KL_BFT_EXECUTE);
    effect->proposal = *p;
    effect->again = kl_hash_eq(&p->block_hash, &p->parent_hash);
    effect->peer = peer;
    s->again = true;
}

/* Whether a block without a Notarization is to be executed: proposed in our view on a parent that
 * we accept, or one that we voted for before a crash, in a view that we have left since.  If all
 * have lost its Notarization, our vote may be what brings it back. */
static bool is_wanted(const struct kl_simplex *s, const kl_simplex_slot *slot, const kl_proposal *p)
{
    u64 missing;
    return slot->view == s->view ? kl_simplex_link_of(s, p, &missing) == LINK_GOOD
                                 : slot->own[KL_VOTE_NOTARIZE - 1].state == OWN_RESTORED;
}

/* Blocks to execute: what is notarized above the committed, be it below the ring, and what else is
 * wanted. */
static void judge(struct kl_simplex *s)
{
    if (kl_simplex_root_lacks(s) && s->root_judged == JUDGED_NOT) {
        s->root_judged = JUDGED_RUNNING;
        execute(s, &s->root, KL_BFT_NO_PEER);
    }
    for (u64 view = KL_MAX(s->base, s->committed.view + 1); view <= s->view; view++) {
        kl_simplex_slot *slot = slot_at(s, view);
        const kl_proposal *p = kl_simplex_target(slot);
        kl_proposal notarized;
        if (!p || (slot->judged != JUDGED_NOT && kl_hash_eq(&slot->judged_hash, &p->block_hash)))
            continue;
        if (!kl_simplex_notarized(s, &notarized, view) && !is_wanted(s, slot, p))
            continue;
        slot->judged = JUDGED_RUNNING;
        slot->judged_hash = p->block_hash;
        execute(s, p, slot->source);
    }
}

static void ask_missing(struct kl_simplex *s, kl_simplex_slot *slot, u64 missing)
{
    if (slot->asked_certificates)
        return;
    slot->asked_certificates = true; /* until the next retry */
    kl_simplex_ask_certificates(s, slot->source, missing, s->view - 1);
}

/* So much weight has notarized it that a quorum may have, of which all but the faulty tell it
 * again: who saw it signs no nullify vote behind its finalize vote, even where a power cut has
 * taken the Notarization.  A notarize vote excludes no nullify vote, so who has cast one helps it
 * out. */
static bool may_be_notarized(const struct kl_simplex *s, const kl_simplex_slot *slot)
{
    const kl_vote_subject subject = {.kind = KL_VOTE_NOTARIZE, .proposal = slot->proposal};
    u64 weight = 0;
    for (u32 i = 0; i < s->set->count; i++) {
        u32 at = i * KINDS + KL_VOTE_NOTARIZE - 1;
        if (slot->has_vote[at] && kl_vote_subject_eq(&slot->votes[at].subject, &subject))
            weight += s->set->validators[i].weight;
    }
    return !MUTANT(GIVES_UP_FOR_GOOD) &&
           weight >= kl_valset_quorum(s->set) - kl_valset_faulty(s->set);
}

/* [Simplex R2] */
static void notarize(struct kl_simplex *s, kl_simplex_slot *slot)
{
    bool gave_up = slot->gives_up || is_cast(slot, KL_VOTE_NULLIFY);
    if (!slot->has_proposal || (gave_up && !may_be_notarized(s, slot)))
        return;
    const kl_proposal *p = &slot->proposal;
    u64 missing;
    switch (kl_simplex_link_of(s, p, &missing)) {
    case LINK_BAD:
        s->again |= !slot->gives_up;
        slot->gives_up = true;
        return;
    case LINK_MISSING:
        ask_missing(s, slot, missing);
        return;
    case LINK_GOOD:
        break;
    }
    bool is_again = kl_hash_eq(&p->block_hash, &p->parent_hash);
    bool is_judged = kl_hash_eq(&slot->judged_hash, &p->block_hash);
    if (is_judged && slot->judged == JUDGED_INVALID) {
        s->again |= !slot->gives_up;
        slot->gives_up = true;
        return;
    }
    if (may_sign(s) && !is_cast(slot, KL_VOTE_NOTARIZE) &&
        (is_again || (is_judged && slot->judged == JUDGED_VALID)))
        cast(s, slot, KL_VOTE_NOTARIZE, p);
}

/* [Simplex R4] At any time after the Notarization; [Simplex R8] never beside a nullify vote, and
 * [Simplex R3] not where the leader proposed twice. */
static void finalize(struct kl_simplex *s)
{
    for (u64 view = KL_MAX(s->base, s->final.view + 1); view < s->view && may_sign(s); view++) {
        kl_simplex_slot *slot = slot_at(s, view);
        if (!has_certificate(slot, KL_VOTE_NOTARIZE) || is_cast(slot, KL_VOTE_FINALIZE) ||
            (is_cast(slot, KL_VOTE_NULLIFY) && !MUTANT(FINALIZE_AFTER_NULLIFY)) ||
            slot->leader_equivocates)
            continue;
        const kl_proposal *p = &slot->certificate[KL_VOTE_NOTARIZE - 1].subject.proposal;
        if (slot->judged == JUDGED_VALID && kl_hash_eq(&slot->judged_hash, &p->block_hash))
            cast(s, slot, KL_VOTE_FINALIZE, p);
    }
}

/* [Simplex R7] [Simplex R8] */
static void give_up(struct kl_simplex *s, kl_simplex_slot *slot)
{
    if (!may_sign(s) || is_cast(slot, KL_VOTE_NULLIFY))
        return;
    if (is_cast(slot, KL_VOTE_FINALIZE) && !MUTANT(NULLIFY_AFTER_FINALIZE))
        return;
    u64 deadline = kl_simplex_advance_deadline(s);
    if (!slot->has_proposal)
        deadline = KL_MIN(deadline, kl_simplex_leader_deadline(s));
    if (slot->gives_up || s->now_ns >= deadline)
        nullify(s, slot);
    /* The mutant regrets its last finalize vote. */
    kl_simplex_slot *last = slot_at(s, s->view - 1);
    if (MUTANT(NULLIFY_AFTER_FINALIZE) && last && is_cast(last, KL_VOTE_FINALIZE) &&
        !is_cast(last, KL_VOTE_NULLIFY) && is_cast(slot, KL_VOTE_NULLIFY))
        nullify(s, last);
}

/* [Simplex R1] */
static void propose(struct kl_simplex *s, kl_simplex_slot *slot)
{
    if (!may_sign(s) || !leads(s, s->view) || slot->building || slot->has_proposal ||
        is_cast(slot, KL_VOTE_NOTARIZE) || is_cast(slot, KL_VOTE_NULLIFY))
        return;
    kl_simplex_own *own = own_of(slot, KL_VOTE_NOTARIZE);
    if (slot->built) {
        kl_proposal built = own->vote.subject.proposal;
        cast(s, slot, KL_VOTE_NOTARIZE, &built);
        return;
    }
    kl_proposal parent;
    u64 missing;
    if (kl_simplex_parent(s, s->view, &parent, &missing) == LINK_MISSING) {
        ask_missing(s, slot, missing);
        return;
    }
    if (s->now_ns < kl_simplex_propose_at(s, &parent))
        return;
    kl_proposal p = {.epoch = s->epoch,
                     .view = s->view,
                     .parent_view = parent.view,
                     .parent_hash = parent.block_hash,
                     .height = parent.height + 1};
    if (parent.height == s->config.epoch.last_height) {
        p.height = parent.height;
        p.block_hash = parent.block_hash;
        cast(s, slot, KL_VOTE_NOTARIZE, &p);
        return;
    }
    const kl_simplex_slot *parent_slot = slot_at(s, parent.view);
    kl_simplex_judged judged = parent_slot ? parent_slot->judged : s->root_judged;
    if (parent.view > s->committed.view && judged != JUDGED_VALID)
        return; /* nothing to build on yet */
    slot->building = true;
    own->vote.subject.proposal = p;
    kl_simplex_emit(s, KL_BFT_BUILD)->proposal = p;
    s->again = true;
}

/* The lowest block above the committed one on the final block's branch; false when a link of the
 * branch is not known here. */
static bool next_to_commit(const struct kl_simplex *s, kl_proposal *next)
{
    *next = s->final;
    while (next->parent_view != s->committed.view) {
        kl_proposal parent;
        if (next->parent_view < s->committed.view || !slot_at(s, next->parent_view) ||
            !kl_simplex_notarized(s, &parent, next->parent_view) ||
            !kl_hash_eq(&parent.block_hash, &next->parent_hash))
            return false;
        *next = parent;
    }
    return true;
}

/* [Simplex R6] In height order, each block executed here; a re-proposal brings its certificate for
 * a height that is committed. */
static void commit(struct kl_simplex *s)
{
    while (s->committed.view < s->final.view && !s->syncing) {
        kl_proposal next;
        if (!next_to_commit(s, &next)) {
            s->syncing = true;
            kl_bft_effect *effect = kl_simplex_emit(s, KL_BFT_SYNC);
            effect->proposal = s->final;
            effect->certificate = &s->final_certificate;
            return;
        }
        const kl_simplex_slot *slot = slot_at(s, next.view);
        bool is_valid = slot && slot->judged == JUDGED_VALID &&
                        kl_hash_eq(&slot->judged_hash, &next.block_hash);
        bool is_again = kl_hash_eq(&next.block_hash, &next.parent_hash);
        if (slot && !is_valid && !is_again)
            return; /* judge has asked for it */
        if (!slot)
            s->syncing = true;
        kl_bft_effect *effect = kl_simplex_emit(s, slot ? KL_BFT_COMMIT : KL_BFT_SYNC);
        effect->proposal = next;
        effect->certificate = next.view == s->final.view ? &s->final_certificate : NULL;
        if (slot)
            s->committed = next;
        s->again = true;
    }
    if (s->committed.view == s->final.view && s->committed.height == s->config.epoch.last_height &&
        s->final.view) {
        s->ended = true;
        kl_simplex_emit(s, KL_BFT_EPOCH_DONE)->proposal = s->final;
    }
}

void kl_simplex_settle(struct kl_simplex *s)
{
    do {
        s->again = false;
        if (s->ended)
            return;
        revive(s);
        release(s);
        commit(s);
        if (s->ended)
            return;
        judge(s);
        kl_simplex_slot *slot = slot_at(s, s->view);
        propose(s, slot);
        notarize(s, slot);
        finalize(s);
        give_up(s, slot);
        reserve(s);
    } while (s->again);
}

/* The ring of views, and what is kept of those that left it: [root] is the newest block below the
 * ring that is known to be notarized or final, and all views of (root.view, run_end] are known to
 * be nullified.  A view that leaves with neither certificate breaks the run; the missing
 * certificates, asked for again, mend it in any order. */
#include "consensus/simplex_priv.h"

usize kl_simplex_room(const kl_simplex_config *config)
{
    usize bytes = (usize)config->validators_max * KL_VOTE_SIGNATURE_MAX;
    return (bytes + 63) / 64 * 64;
}

void kl_simplex_certificate_copy(kl_certificate *out, u8 *room, const kl_certificate *from)
{
    kl_span bytes = from->signatures;
    if (bytes.len)
        memmove(room, bytes.p, bytes.len);
    *out = *from;
    out->signatures = kl_span_of(room, bytes.len);
}

static void slot_reset(struct kl_simplex *s, kl_simplex_slot *slot, u64 view)
{
    kl_vote *votes = slot->votes;
    bool *has_vote = slot->has_vote;
    u8 *room[KINDS];
    memcpy(room, slot->room, sizeof room);
    memset(slot, 0, sizeof *slot);
    memset(has_vote, 0, (usize)s->config.validators_max * KINDS);
    slot->view = view;
    slot->votes = votes;
    slot->has_vote = has_vote;
    memcpy(slot->room, room, sizeof room);
    slot->source = KL_BFT_NO_PEER;
    slot->nullify_some_ns = NEVER;
}

void kl_simplex_ring_reset(struct kl_simplex *s, const kl_proposal *floor)
{
    s->root = s->final = s->committed = s->notarized = *floor;
    s->has_root_certificate = s->has_final_certificate = false;
    s->root_judged = JUDGED_VALID;
    s->run_end = floor->view;
    memset(s->ahead, 0, sizeof s->ahead);
    s->base = floor->view + 1;
    s->view = s->base;
    for (u32 i = 0; i < s->config.window; i++) {
        u64 view = s->base + i;
        slot_reset(s, &s->slots[view & (s->config.window - 1)], view);
    }
}

static bool is_ahead(const struct kl_simplex *s, u64 view)
{
    return s->ahead[view % RUN_AHEAD / 64] >> (view % 64) & 1;
}

/* The run moves on, over what is known above its end. */
static void run_to(struct kl_simplex *s, u64 end)
{
    do {
        for (u64 view = s->run_end + 1; view <= end && view <= s->run_end + RUN_AHEAD; view++)
            s->ahead[view % RUN_AHEAD / 64] &= ~(1ull << view % 64);
        s->run_end = end;
        end++;
    } while (is_ahead(s, end));
}

bool kl_simplex_run_wants(const struct kl_simplex *s, u64 view)
{
    return view > s->run_end && view < s->run_end + RUN_AHEAD && !is_ahead(s, view);
}

void kl_simplex_run_add(struct kl_simplex *s, u64 view)
{
    if (!kl_simplex_run_wants(s, view))
        return;
    if (view == s->run_end + 1)
        run_to(s, view);
    else
        s->ahead[view % RUN_AHEAD / 64] |= 1ull << view % 64;
}

void kl_simplex_root_set(struct kl_simplex *s, const kl_proposal *root,
                         const kl_certificate *certificate)
{
    KL_ASSERT(root->view > s->root.view);
    s->root = *root;
    s->root_judged = JUDGED_NOT;
    if (root->view > s->run_end)
        run_to(s, root->view);
    s->has_root_certificate = certificate;
    if (certificate)
        kl_simplex_certificate_copy(&s->root_certificate, s->root_room, certificate);
}

static const kl_certificate *notarized_by(const kl_simplex_slot *slot)
{
    if (has_certificate(slot, KL_VOTE_FINALIZE))
        return &slot->certificate[KL_VOTE_FINALIZE - 1];
    if (has_certificate(slot, KL_VOTE_NOTARIZE))
        return &slot->certificate[KL_VOTE_NOTARIZE - 1];
    return NULL;
}

static void slot_leaves(struct kl_simplex *s, const kl_simplex_slot *slot)
{
    if (slot->view <= s->root.view)
        return;
    const kl_certificate *certificate = notarized_by(slot);
    if (has_certificate(slot, KL_VOTE_NULLIFY))
        kl_simplex_run_add(s, slot->view);
    if (!certificate)
        return;
    kl_simplex_root_set(s, &certificate->subject.proposal, certificate);
    if (slot->judged == JUDGED_VALID && kl_hash_eq(&slot->judged_hash, &s->root.block_hash))
        s->root_judged = JUDGED_VALID;
}

bool kl_simplex_root_lacks(const struct kl_simplex *s)
{
    return s->root.view > s->committed.view && s->root_judged != JUDGED_VALID;
}

void kl_simplex_ring_reach(struct kl_simplex *s, u64 view)
{
    u64 window = s->config.window;
    if (view < s->base || view - s->base < window / 2 + 1)
        return;
    u64 base = view - window / 2;
    u64 leaving = KL_MIN(base - s->base, window);
    for (u64 i = 0; i < leaving; i++)
        slot_leaves(s, slot_at(s, s->base + i));
    /* Of a jump over more than the ring, the new views are the last `leaving` ones. */
    s->base = base;
    for (u64 i = window - leaving; i < window; i++)
        slot_reset(s, &s->slots[(base + i) & (window - 1)], base + i);
}

bool kl_simplex_notarized(const struct kl_simplex *s, kl_proposal *out, u64 view)
{
    if (view == s->root.view) {
        *out = s->root;
        return true;
    }
    const kl_simplex_slot *slot = slot_at(s, view);
    const kl_certificate *certificate = slot ? notarized_by(slot) : NULL;
    if (certificate)
        *out = certificate->subject.proposal;
    return certificate;
}

bool kl_simplex_nullified(const struct kl_simplex *s, u64 view)
{
    if (view > s->root.view && view <= s->run_end)
        return true;
    const kl_simplex_slot *slot = slot_at(s, view);
    return slot && has_certificate(slot, KL_VOTE_NULLIFY);
}

const kl_proposal *kl_simplex_target(const kl_simplex_slot *slot)
{
    const kl_certificate *certificate = notarized_by(slot);
    return certificate          ? &certificate->subject.proposal
           : slot->has_proposal ? &slot->proposal
                                : NULL;
}

/* The lowest view above a notarized one of which nothing is known. */
static u64 first_hole(const struct kl_simplex *s, u64 parent_view)
{
    u64 view = parent_view >= s->root.view ? KL_MAX(parent_view, s->run_end) : parent_view;
    kl_proposal ignored;
    do
        view++;
    while (view >= s->base && view < s->view &&
           (kl_simplex_nullified(s, view) || kl_simplex_notarized(s, &ignored, view)));
    return view;
}

/* A proposal says of itself what its parent must be. */
static bool follows(const struct kl_simplex *s, const kl_proposal *parent,
                    const kl_proposal *proposal)
{
    u64 last = s->config.epoch.last_height;
    if (!MUTANT(PARENT_UNBOUND) && !kl_hash_eq(&parent->block_hash, &proposal->parent_hash))
        return false;
    if (parent->height == last) /* [Simplex R1] the epoch's tail is proposed again as it is */
        return proposal->height == last &&
               kl_hash_eq(&proposal->block_hash, &proposal->parent_hash);
    if (kl_hash_eq(&proposal->block_hash, &proposal->parent_hash))
        return false;
    return MUTANT(PARENT_UNBOUND) ? proposal->height <= last
                                  : proposal->height == parent->height + 1;
}

kl_simplex_link kl_simplex_link_of(const struct kl_simplex *s, const kl_proposal *proposal,
                                   u64 *missing)
{
    u64 parent_view = proposal->parent_view;
    if (parent_view >= proposal->view)
        return LINK_BAD;
    if (!MUTANT(NO_GAP_CHECK) && parent_view < s->final.view)
        return LINK_BAD; /* it would step over a final block */
    kl_proposal parent;
    if (!kl_simplex_notarized(s, &parent, parent_view)) {
        *missing = parent_view;
        return LINK_MISSING;
    }
    if (!follows(s, &parent, proposal))
        return LINK_BAD;
    if (MUTANT(NO_GAP_CHECK))
        return LINK_GOOD;
    for (u64 view = proposal->view - 1; view > parent_view; view--) {
        if (view < s->base && parent_view >= s->root.view && view <= s->run_end)
            break; /* the run holds the rest */
        if (!kl_simplex_nullified(s, view)) {
            /* A notarized view is no hole in what we hold, but it is one in the gap. */
            *missing = KL_MIN(first_hole(s, parent_view), view);
            return LINK_MISSING;
        }
    }
    return LINK_GOOD;
}

kl_simplex_link kl_simplex_parent(const struct kl_simplex *s, u64 view, kl_proposal *parent,
                                  u64 *missing)
{
    for (u64 at = view - 1; at > s->root.view; at--) {
        if (at < s->base && at <= s->run_end)
            break;
        if (kl_simplex_notarized(s, parent, at))
            return LINK_GOOD;
        if (!kl_simplex_nullified(s, at)) {
            *missing = first_hole(s, s->root.view);
            return LINK_MISSING;
        }
    }
    *parent = s->root;
    return LINK_GOOD;
}

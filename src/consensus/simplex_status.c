/* Why no block is coming: the first reason that holds, and who is waited for. */
#include "consensus/simplex_priv.h"

static void count_votes(const struct kl_simplex *s, kl_simplex_status *out,
                        const kl_simplex_slot *slot, kl_vote_kind kind)
{
    out->need = kl_simplex_quorum(s);
    for (u32 i = 0; i < s->set->count; i++) {
        if (slot->has_vote[i * KINDS + kind - 1])
            out->have += s->set->validators[i].weight;
        else
            out->missing[i / 8] |= (u8)(1u << i % 8);
    }
}

static bool waits_for_disk(const kl_simplex_slot *slot)
{
    for (u32 k = 0; k < KINDS; k++)
        if (slot->own[k].state == OWN_ASKED)
            return true;
    return false;
}

static kl_simplex_why why(const struct kl_simplex *s, const kl_simplex_slot *slot, u64 now_ns)
{
    kl_proposal ignored;
    u64 missing;
    for (u64 view = KL_MAX(s->base, s->final.view + 1); view < s->view; view++)
        if (slot_at(s, view)->judged == JUDGED_INVALID && kl_simplex_notarized(s, &ignored, view))
            return KL_SIMPLEX_DIFFERS;
    if (s->ended)
        return KL_SIMPLEX_WAITS_EPOCH;
    if (waits_for_disk(slot))
        return KL_SIMPLEX_WAITS_DISK;
    if (slot->own[KL_VOTE_NULLIFY - 1].state != OWN_NONE)
        return KL_SIMPLEX_WAITS_NULLIFY;
    if (slot->has_proposal) {
        if (kl_simplex_link_of(s, &slot->proposal, &missing) == LINK_MISSING)
            return KL_SIMPLEX_WAITS_PARENT;
        if (slot->judged == JUDGED_MISSING)
            return KL_SIMPLEX_WAITS_BODY;
        return KL_SIMPLEX_WAITS_NOTARIZE;
    }
    if (kl_simplex_leader_deadline(s) > now_ns)
        return s->config.empty_period_ns && !s->pending && !kl_simplex_is_unsettled(s)
                   ? KL_SIMPLEX_IDLE
                   : KL_SIMPLEX_MOVING;
    return KL_SIMPLEX_WAITS_PROPOSAL;
}

u64 kl_simplex_heard_ns(const struct kl_simplex *s, u32 validator)
{
    KL_ASSERT(validator < s->set->count);
    return s->heard_ns[validator];
}

kl_simplex_status kl_simplex_status_of(const struct kl_simplex *s, u64 now_ns)
{
    const kl_simplex_slot *slot = slot_at(s, s->view);
    kl_simplex_status out = {
        .why = why(s, slot, now_ns),
        .signing = s->signing && s->self != KL_BFT_NOBODY,
        .epoch = s->epoch,
        .view = s->view,
        .entered_ns = s->entered_ns,
        .leader = kl_valset_leader(s->set, s->epoch, s->view),
        .leader_is_skipped = kl_simplex_is_skipped(s),
        .final = s->final,
        .notarized = s->notarized,
    };
    if (out.why == KL_SIMPLEX_WAITS_NULLIFY)
        count_votes(s, &out, slot, KL_VOTE_NULLIFY);
    else if (out.why == KL_SIMPLEX_WAITS_NOTARIZE)
        count_votes(s, &out, slot, KL_VOTE_NOTARIZE);
    return out;
}

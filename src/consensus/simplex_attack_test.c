/* What Byzantine validators do beyond running correct code twice, late, or to some only: they
 * change what leaves them. */
#include "consensus/simplex_sim_test.h"

#include <stdlib.h>

static void send_vote(struct sim *sim, const sim_node *node, u32 to, const kl_vote_subject *subject,
                      bool proposes)
{
    sim_item *item = sim_item_new(sim, proposes ? M_PROPOSAL : M_EVENT, node);
    item->event.kind = KL_BFT_VOTE;
    item->has_body = proposes;
    sim_sign(sim, node, subject, &item->vote);
    sim_send(sim, node, to, item);
    free(item);
}

/* Another block beside the proposed one goes to the other half. */
static void propose_twice(struct sim *sim, sim_node *node, const kl_vote *vote)
{
    kl_vote_subject other = vote->subject;
    sim_block *block =
        sim_block_new(sim, &other.proposal.parent_hash, vote->subject.proposal.height);
    node->has[block - sim->blocks] = HAS_BODY | HAS_EXECUTED;
    other.proposal.block_hash = block->hash;
    u64 half = kl_rand(&sim->rng);
    for (u32 i = 0; i < sim->count; i++)
        send_vote(sim, node, i, half >> i & 1 ? &vote->subject : &other, true);
    if (half >> 30 & 1)
        send_vote(sim, node, KL_BFT_ALL, &other, true);
}

/* Votes of all kinds for the view go to a random half each. */
static void vote_for_all(struct sim *sim, sim_node *node, const kl_vote *vote)
{
    kl_vote_subject subject = vote->subject;
    kl_vote_subject nothing = {
        .kind = KL_VOTE_NULLIFY,
        .proposal = {.epoch = subject.proposal.epoch, .view = subject.proposal.view}};
    u64 half = kl_rand(&sim->rng);
    for (u32 i = 0; i < sim->count; i++) {
        send_vote(sim, node, i, half >> i & 1 ? &vote->subject : &nothing, false);
        if (subject.kind == KL_VOTE_NULLIFY)
            continue;
        subject.kind = KL_VOTE_FINALIZE;
        if (half >> (i + 24) & 1)
            send_vote(sim, node, i, &subject, false);
    }
}

/* The proposal on a block that is not the newest; its parent view is true, or the newest's. */
static void propose_on_old(struct sim *sim, sim_node *node, const kl_vote *vote, bool lies)
{
    kl_vote_subject subject = vote->subject;
    kl_proposal *p = &subject.proposal;
    u32 held = KL_MIN(node->old_count, (u32)KL_COUNT_OF(node->old));
    if (held) {
        const kl_proposal *old = &node->old[kl_rand_below(&sim->rng, held)];
        bool same_epoch = old->epoch == p->epoch && old->view < p->parent_view;
        if (same_epoch) {
            sim_block *block = sim_block_new(sim, &old->block_hash, old->height + 1);
            node->has[block - sim->blocks] = HAS_BODY | HAS_EXECUTED;
            p->parent_view = lies ? p->parent_view : old->view;
            p->parent_hash = old->block_hash;
            p->height = old->height + 1;
            p->block_hash = block->hash;
        }
    }
    send_vote(sim, node, KL_BFT_ALL, &subject, true);
}

static void garbage(struct sim *sim, const sim_node *node, const kl_bft_effect *effect)
{
    sim_item *item = sim_item_new(sim, M_EVENT, node);
    item->event.kind = KL_BFT_VOTE;
    item->vote = *effect->vote;
    u64 dice = kl_rand(&sim->rng);
    item->vote.signature[dice % SIM_SIGNATURE] ^= 1;
    if (dice >> 20 & 1)
        item->vote.signer = (u32)(dice >> 32);
    if (dice >> 21 & 1)
        item->vote.subject.proposal.view += dice >> 40;
    sim_send(sim, node, KL_BFT_ALL, item);
    free(item);
}

bool attack(struct sim *sim, sim_node *node, const kl_bft_effect *effect)
{
    bool proposes = effect->kind == KL_BFT_SEND_PROPOSAL;
    if (!proposes && effect->kind != KL_BFT_SEND_VOTE)
        return false;
    bool is_again = kl_hash_eq(&effect->vote->subject.proposal.block_hash,
                               &effect->vote->subject.proposal.parent_hash);
    if (sim->block_count > SIM_BLOCKS_MAX - 8 || (proposes && is_again))
        return false;
    switch (node->kind) {
    case SIM_EQUIVOCATES:
        if (proposes)
            propose_twice(sim, node, effect->vote);
        else
            vote_for_all(sim, node, effect->vote);
        return true;
    case SIM_OLD_PARENT:
    case SIM_FALSE_PARENT:
        if (proposes)
            propose_on_old(sim, node, effect->vote, node->kind == SIM_FALSE_PARENT);
        return proposes;
    case SIM_GARBAGE:
        garbage(sim, node, effect);
        return false;
    case SIM_HONEST:
    case SIM_TWIN:
    case SIM_SILENT:
    case SIM_SELECTIVE:
    case SIM_WITHHOLDS:
    case SIM_LATE:
    case SIM_KINDS:
        break;
    }
    return false;
}

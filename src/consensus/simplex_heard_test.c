/* Who can be shown to have lied, from what honest nodes heard.  Numbers are those of the test
 * programme. */
#include "consensus/simplex_sim_test.h"

enum { SUSTAINED = 3 /* conflicts */ };

static u32 block_id(const kl_vote_subject *subject)
{
    return kl_load_be32(subject->proposal.block_hash.b);
}

/* [Simplex R13] From the kinds alone, without cert's predicate. */
static bool conflicts(const bool has[KINDS], const u32 block[KINDS], const kl_vote_subject *subject)
{
    u32 k = subject->kind - 1, other = KL_VOTE_NULLIFY + KL_VOTE_FINALIZE - subject->kind - 1;
    if (subject->kind == KL_VOTE_NULLIFY)
        return has[KL_VOTE_FINALIZE - 1];
    return (has[k] && block[k] != block_id(subject)) ||
           (subject->kind == KL_VOTE_FINALIZE && has[other]);
}

void oracle_shows(struct sim *sim, sim_view *v, u32 validator, const kl_vote_subject *subject)
{
    u32 k = subject->kind - 1;
    if (validator >= sim->o.validators)
        return;
    sim->lied[validator] =
        sim->lied[validator] || conflicts(v->shown[validator], v->shown_block[validator], subject);
    v->shown[validator][k] = true;
    v->shown_block[validator][k] = block_id(subject);
}

/* A vote of a faulty validator comes to an honest node that can place it. */
void oracle_hears(struct sim *sim, sim_node *node, const kl_vote *vote)
{
    const kl_proposal *p = &vote->subject.proposal;
    const struct kl_simplex *s = node->engine;
    if (!sim_is_honest(node) || vote->signer >= sim_set(sim, p->epoch)->count)
        return;
    u32 validator = sim_validator(sim, vote->signer, p->epoch), k = vote->subject.kind - 1;
    if (!sim->faulty[validator] || p->epoch != s->epoch || s->ended || !slot_at(s, p->view) ||
        kl_vote_check(vote, sim_set(sim, p->epoch), &sim->domain) != KL_RULE_NONE)
        return;
    sim_view *v = oracle_view(sim, p->epoch, p->view);
    if (v)
        oracle_shows(sim, v, validator, &vote->subject);
    sim_heard *heard = &node->heard[p->view % SIM_HEARD][validator];
    if (heard->epoch != p->epoch || heard->view != p->view)
        *heard = (sim_heard){.epoch = p->epoch, .view = p->view};
    node->conflicts[validator] += conflicts(heard->has, heard->block, &vote->subject);
    if (!heard->has[k]) {
        heard->has[k] = true;
        heard->block[k] = block_id(&vote->subject);
    }
}

/* 10: evidence names the faulty only. */
void oracle_evidence(struct sim *sim, sim_node *node, const kl_evidence *evidence)
{
    const kl_vote *a = &evidence->first, *b = &evidence->second;
    u64 epoch = a->subject.proposal.epoch;
    u32 validator = sim_validator(sim, a->signer, epoch);
    sim->sometimes[SOMETIMES_EVIDENCE]++;
    if (a->signer != b->signer || !sim->faulty[validator])
        sim_break(sim, "10: evidence against %u, who is honest", validator);
    node->named[validator] = sim->found[validator] = true;
}

/* 10: whoever equivocates again and again to a node is named by it within the epoch. */
void oracle_epoch(struct sim *sim, sim_node *node)
{
    for (u32 i = 0; i < sim->o.validators; i++)
        if (sim_is_honest(node) && node->conflicts[i] >= SUSTAINED && !node->named[i])
            sim_break(sim, "10: %u conflicts of %u, and node %u has no evidence",
                      node->conflicts[i], i, sim_index(sim, node));
    memset(node->conflicts, 0, sizeof node->conflicts);
    memset(node->named, 0, sizeof node->named);
}

/* 12: where agreement is broken, more than F of the weight have lied, honest nodes together hold
 * the votes that show it, and seconds later the evidence that engines found names them. */
void oracle_accounts(struct sim *sim)
{
    u64 total = 0, shown = 0, found = 0;
    for (u32 i = 0; i < sim->o.validators; i++) {
        total += sim->weights[i];
        shown += sim->lied[i] ? sim->weights[i] : 0;
        found += sim->found[i] ? sim->weights[i] : 0;
        if (sim->lied[i] && !sim->faulty[i])
            sim_break(sim, "12: honest %u is shown to have lied", i);
    }
    u64 least = sim->o.partitions ? shown : KL_MIN(shown, found);
    if (sim->forked && least <= (total - 1) / 3)
        sim_break(sim, "12: a fork, and only %llu of %llu shown to have lied, %llu in evidence",
                  (unsigned long long)shown, (unsigned long long)total, (unsigned long long)found);
}

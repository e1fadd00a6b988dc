/* What must never happen, judged without the engine's own predicates: from all certificates, votes
 * and commits that ever were, before and after crashes.  Numbers are those of the test programme.
 */
#include "consensus/simplex_sim_test.h"

sim_view *oracle_view(struct sim *sim, u64 epoch, u64 view)
{
    for (u32 i = sim->view_count; i > 0; i--)
        if (sim->views[i - 1].epoch == epoch && sim->views[i - 1].view == view)
            return &sim->views[i - 1];
    if (sim->view_count == SIM_VIEWS_MAX)
        return NULL;
    sim_view *v = &sim->views[sim->view_count++];
    *v = (sim_view){.epoch = epoch, .view = view};
    return v;
}

/* 7: no honest key ever signs two conflicting messages. */
void oracle_signed(struct sim *sim, const sim_node *node, const kl_vote_subject *subject)
{
    const kl_proposal *p = &subject->proposal;
    sim_view *v = oracle_view(sim, p->epoch, p->view);
    if (!v || !sim_is_honest(node))
        return;
    u8 *kinds = &v->signed_kinds[node->validator];
    kl_proposal *before = &v->signed_for[node->validator][subject->kind - 1];
    u8 bit = (u8)(1u << (subject->kind - 1));
    if ((*kinds & bit) && subject->kind != KL_VOTE_NULLIFY && memcmp(before, p, sizeof *p) != 0)
        sim_break(sim, "7: %u signed two of kind %u in view %llu", node->validator, subject->kind,
                  (unsigned long long)p->view);
    *kinds |= bit;
    *before = *p;
    if (subject->kind == KL_VOTE_NOTARIZE)
        for (u32 i = 0; i < sim->o.validators; i++)
            if ((v->signed_kinds[i] & bit) &&
                !kl_hash_eq(&v->signed_for[i][subject->kind - 1].block_hash, &p->block_hash))
                sim->sometimes[SOMETIMES_SPLIT]++;
    u8 both = (1u << (KL_VOTE_NULLIFY - 1)) | (1u << (KL_VOTE_FINALIZE - 1));
    if ((*kinds & both) == both)
        sim_break(sim, "7: %u signed nullify and finalize in view %llu", node->validator,
                  (unsigned long long)p->view);
}

void oracle_forks(struct sim *sim, const char *what, u64 where)
{
    if (!sim->o.forks)
        sim_break(sim, "1: agreement: %s %llu", what, (unsigned long long)where);
    if (sim->o.forks && !sim->forked) {
        sim->forked_ns = sim->now_ns;
        sim->forked = true;
    }
}

static bool signatures_hold(struct sim *sim, const kl_certificate *c)
{
    const kl_valset *set = sim_set(sim, c->subject.proposal.epoch);
    u8 preimage[KL_VOTE_PREIMAGE_LEN];
    kl_vote_preimage(preimage, &sim->domain, sim->scheme->id, &c->subject);
    const u8 *keys[SIM_NODES_MAX];
    usize count = 0, len = sim->scheme->signature_len;
    for (u32 i = 0; i < set->count; i++)
        if (c->signers[i / 8] >> (i % 8) & 1)
            keys[count++] = set->validators[i].key;
    if (c->signatures.len != KL_CERTIFICATE_ROOM(sim->scheme, count))
        return false;
    if (sim->scheme->aggregates)
        return sim->scheme->verify_aggregate(keys, count, KL_SPAN_OF(preimage), c->signatures.p);
    for (usize i = 0; i < count; i++)
        if (!sim->scheme->verify(keys[i], KL_SPAN_OF(preimage), c->signatures.p + i * len))
            return false;
    return true;
}

/* 6: at least Q valid distinct weight; epochs are not mixed.  What held once is not verified again.
 */
static bool has_weight(struct sim *sim, sim_view *v, const kl_certificate *c)
{
    const kl_valset *set = sim_set(sim, c->subject.proposal.epoch);
    u64 weight = 0, total = 0;
    for (u32 i = 0; i < set->count; i++) {
        total += set->validators[i].weight;
        if (c->signers[i / 8] >> (i % 8) & 1)
            weight += set->validators[i].weight;
    }
    u8 *checked = v->checked[c->subject.kind - 1];
    bool is_new = memcmp(checked, c->signers, sizeof c->signers) != 0;
    if (weight * 3 <= total * 2 || (is_new && !signatures_hold(sim, c)))
        return false;
    memcpy(checked, c->signers, sizeof c->signers);
    return true;
}

void oracle_certificate(struct sim *sim, const sim_node *node, const kl_certificate *c)
{
    const kl_proposal *p = &c->subject.proposal;
    u32 k = c->subject.kind - 1;
    if (!sim_is_honest(node))
        return;
    sim_view *v = oracle_view(sim, p->epoch, p->view);
    if (!v)
        return;
    for (u32 i = 0; i < sim_set(sim, p->epoch)->count; i++)
        if (c->signers[i / 8] >> (i % 8) & 1)
            oracle_shows(sim, v, sim_validator(sim, i, p->epoch), &c->subject);
    if (!has_weight(sim, v, c))
        sim_break(sim, "6: certificate of view %llu without a quorum", (unsigned long long)p->view);
    const u32 n = KL_VOTE_NOTARIZE - 1, f = KL_VOTE_FINALIZE - 1, z = KL_VOTE_NULLIFY - 1;
    if (v->has[k] && k != z && memcmp(&v->proposal[k], p, sizeof *p) != 0)
        oracle_forks(sim, "two certificates of a kind in view", p->view);
    if (!v->has[k] && k == z)
        sim->sometimes[SOMETIMES_NULLIFIED]++;
    v->has[k] = true;
    v->proposal[k] = *p;
    if (v->has[n] && v->has[z])
        sim->sometimes[SOMETIMES_BOTH]++;
    if (v->has[f] && v->has[z])
        oracle_forks(sim, "nullified and final is view", p->view);
    if (v->has[f] && !v->has[n])
        oracle_forks(sim, "final and not notarized is view", p->view);
    if (v->has[f] && memcmp(&v->proposal[f], &v->proposal[n], sizeof *p) != 0)
        oracle_forks(sim, "final with another block than its notarized one is view", p->view);
}

static bool in_synced_log(const sim_node *node, const kl_vote_subject *subject)
{
    for (u32 i = 0; i < node->log_synced; i++)
        if (kl_vote_subject_eq(&node->log[i].certificate.subject, subject))
            return true;
    return false;
}

/* A leader's vote may leave before its barrier where others hold the block in each quorum. */
static bool may_hurry(const struct sim *sim, const sim_node *node, const kl_vote *vote)
{
    const kl_valset *set = node->engine->set;
    const kl_proposal *p = &vote->subject.proposal;
    u64 own = sim->weights[node->validator], quorum = kl_valset_quorum(set);
    const kl_simplex_slot *slot = slot_at(node->engine, p->view);
    return vote->subject.kind == KL_VOTE_NOTARIZE && vote->signer == node->engine->self && slot &&
           slot->turn != TURN_NONE && slot->own[KL_VOTE_NOTARIZE - 1].token &&
           quorum > own + kl_valset_faulty(set);
}

/* The durability barrier, seen from outside. */
void oracle_vote_leaves(struct sim *sim, const sim_node *node, const kl_vote *vote)
{
    const kl_proposal *p = &vote->subject.proposal;
    kl_vote_kind kind = vote->subject.kind;
    bool is_again = kl_hash_eq(&p->block_hash, &p->parent_hash);
    if (!sim_is_honest(node) || kind == KL_VOTE_NULLIFY || (kind == KL_VOTE_NOTARIZE && is_again))
        return;
    kl_vote_subject notarized = {.kind = KL_VOTE_NOTARIZE, .proposal = *p};
    const sim_block *block = sim_block_of(sim, &p->block_hash);
    bool is_durable = node->has[block - sim->blocks] & HAS_DURABLE;
    if (!is_durable && may_hurry(sim, node, vote))
        sim->sometimes[SOMETIMES_HURRIED]++;
    else if (!is_durable)
        sim_break(sim, "8: vote %u of %u in view %llu before the body is durable", kind,
                  node->validator, (unsigned long long)p->view);
    if (kind == KL_VOTE_FINALIZE && p->view > node->ledger[node->height_durable].view &&
        !in_synced_log(node, &notarized))
        sim_break(sim, "8: finalize vote of %u in view %llu before the Notarization is durable",
                  node->validator, (unsigned long long)p->view);
}

/* 4: every view that a final block skipped was nullified, and none of them is final. */
static void check_gap(struct sim *sim, const kl_proposal *p)
{
    for (u64 view = p->parent_view + 1; view < p->view; view++) {
        const sim_view *v = oracle_view(sim, p->epoch, view);
        if (v && !v->has[KL_VOTE_NULLIFY - 1])
            oracle_forks(sim, "skipped and not nullified is view", view);
    }
}

/* 8: whoever crashes, a final block is there: of a quorum all but the faulty, and the leader whose
 * vote hurried, have its body on disk. */
static void check_durable(struct sim *sim, const kl_proposal *p)
{
    u32 id = (u32)(sim_block_of(sim, &p->block_hash) - sim->blocks);
    u64 total = 0, durable = 0;
    for (u32 i = 0; i < sim->o.validators; i++) {
        if (sim_place(sim, &sim->nodes[i], p->epoch) == KL_BFT_NOBODY)
            continue;
        total += sim->weights[i];
        if (!sim_is_honest(&sim->nodes[i]) || (sim->nodes[i].has[id] & HAS_DURABLE) ||
            sim->blocks[id].builder == i + 1)
            durable += sim->weights[i];
    }
    if (durable * 3 <= total * 2)
        sim_break(sim, "8: height %llu is final and not durable with a quorum",
                  (unsigned long long)p->height);
}

void oracle_commit(struct sim *sim, const sim_node *node, const kl_proposal *p)
{
    if (!sim_is_honest(node) || p->height >= SIM_HEIGHTS_MAX)
        return;
    const sim_block *block = sim_block_of(sim, &p->block_hash);
    if (p->height > node->height + 1 || p->height < node->height)
        sim_break(sim, "4: %u committed height %llu behind %llu", node->validator,
                  (unsigned long long)p->height, (unsigned long long)node->height);
    if (p->height <= sim->height && !kl_hash_eq(&sim->final[p->height], &p->block_hash))
        oracle_forks(sim, "two final blocks at height", p->height);
    if (!block->valid || block->height != p->height)
        sim_break(sim, "9: height %llu is final and invalid", (unsigned long long)p->height);
    if (!kl_hash_eq(&block->parent, &sim->final[p->height - 1]))
        oracle_forks(sim, "not on its parent is height", p->height);
    check_gap(sim, p);
    check_durable(sim, p);
    if (p->height > sim->height) {
        sim->height = p->height;
        sim->final[p->height] = p->block_hash;
        sim->sometimes[SOMETIMES_FINAL]++;
    }
}

/* Liveness: behind GST honest nodes make blocks, and all have them. */
void oracle_end(struct sim *sim)
{
    if (sim->broken[0] || sim->o.brief || sim->o.end_ns <= sim->o.gst_ns)
        return;
    u64 span_ns = sim->o.end_ns - sim->o.gst_ns;
    u64 step_ns = (sim_faulty_max(sim->o.validators) + 1) * 10000 * SIM_MS;
    u64 least = sim->o.idle ? 1 : KL_MAX(span_ns / step_ns, 1);
    if (sim->height < sim->height_at_gst + least)
        sim_break(sim, "liveness: %llu blocks behind GST, at least %llu wanted",
                  (unsigned long long)(sim->height - sim->height_at_gst),
                  (unsigned long long)least);
    for (u32 i = 0; i < sim->count; i++)
        if (sim_is_honest(&sim->nodes[i]) &&
            sim->nodes[i].height + 50 + sim->height / 4 < sim->height)
            sim_break(sim, "liveness: node %u stays at height %llu of %llu", i,
                      (unsigned long long)sim->nodes[i].height, (unsigned long long)sim->height);
}

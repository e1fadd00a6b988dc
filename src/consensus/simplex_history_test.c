/* Fixed scripts: what happened to other implementations of this protocol, and what happens at the
 * edges of epochs. */
#include "base/test.h"
#include "consensus/simplex_sim_test.h"

static struct sim sim;

static void begin(u32 validators, u32 faulty, u64 epoch_blocks)
{
    sim_options o = {.seed = 11,
                     .validators = validators,
                     .faulty = faulty,
                     .kind = SIM_SILENT,
                     .gst_ns = NEVER,
                     .end_ns = 600000 * SIM_MS,
                     .delay_ns = 20 * SIM_MS,
                     .epoch_blocks = epoch_blocks,
                     .window = 16};
    sim_begin(&sim, &o);
}

static void hold(u64 heights)
{
    if (sim.broken[0])
        kl_test_fail(__FILE__, __LINE__, "%s", sim.broken);
    for (u32 i = 0; i < sim.count; i++)
        if (sim.nodes[i].kind == SIM_HONEST && sim.nodes[i].height < heights)
            kl_test_fail(__FILE__, __LINE__, "node %u is at height %llu, at least %llu wanted", i,
                         (unsigned long long)sim.nodes[i].height, (unsigned long long)heights);
}

static const kl_vote_subject *said(const sim_item *item)
{
    return item->message == M_PROPOSAL || item->event.kind == KL_BFT_VOTE ? &item->vote.subject
           : item->event.kind == KL_BFT_CERTIFICATE ? &item->certificate.certificate.subject
                                                    : NULL;
}

/* --- a view that is notarized here and nullified there --- */

static u32 chosen;

/* Votes for the first view's block reach one node only, which tells nobody; all get the proposal.
 */
static bool splits(const struct sim *in, const sim_item *item, u32 from, u32 to)
{
    const kl_vote_subject *subject = said(item);
    if (!subject || subject->proposal.view != 1 || in->now_ns > 4000 * SIM_MS)
        return true;
    if (item->event.kind == KL_BFT_CERTIFICATE)
        return from != chosen;
    return item->message == M_PROPOSAL || subject->kind == KL_VOTE_NULLIFY || to == chosen;
}

/* Half has a Notarization and half a Nullification: whoever leads next builds on the one or the
 * other, and the others get what proves it. [commonware, certified split] */
KL_TEST(simplex_script_certified_split_heals)
{
    for (chosen = 0; chosen < 4; chosen++) {
        begin(4, 0, 1000);
        sim.passes = splits;
        sim_until(&sim, 20000 * SIM_MS);
        hold(30);
        CHECK(sim.sometimes[SOMETIMES_BOTH]);
        sim_done(&sim);
    }
}

/* --- rebroadcast --- */

static bool no_notarize_in_view_1(const struct sim *in, const sim_item *item, u32 from, u32 to)
{
    const kl_vote_subject *subject = said(item);
    (void)from;
    return in->now_ns > 3000 * SIM_MS || to != 0 || !subject || subject->proposal.view != 1 ||
           subject->kind != KL_VOTE_NOTARIZE;
}

static bool has_signed(u32 validator, kl_vote_kind kind, u64 view)
{
    const sim_view *v = oracle_view(&sim, 0, view);
    return v->signed_kinds[validator] >> (kind - 1) & 1;
}

/* Validator 0 nullifies view 1 alone, then learns that it was notarized and is final; repeats
 * itself, forgets the view, and comes back from a crash in between: it never signs finalize for
 * it. [ava-labs #280, #290] */
KL_TEST(simplex_script_rebroadcast_finalizes_nothing)
{
    for (u32 crashes = 0; crashes < 2; crashes++) {
        begin(4, 0, 1000);
        sim.passes = no_notarize_in_view_1;
        for (u32 i = 1; i < 4; i++) /* what would let it enter view 2 */
            sim.cut[i][0] = true;
        sim_until(&sim, 2500 * SIM_MS);
        CHECK(has_signed(0, KL_VOTE_NULLIFY, 1));
        for (u32 i = 1; i < 4; i++)
            sim.cut[i][0] = false;
        sim_until(&sim, 2900 * SIM_MS);
        if (crashes) {
            sim_crash(&sim, &sim.nodes[0]);
            sim_start(&sim, &sim.nodes[0]);
        }
        sim_until(&sim, 20000 * SIM_MS);
        hold(40);
        CHECK(!has_signed(0, KL_VOTE_FINALIZE, 1) && sim.nodes[0].engine->base > 1);
        sim_done(&sim);
    }
}

/* --- a block on an old parent --- */

static u32 refused;

static bool counts_votes_for_old(const struct sim *in, const sim_item *item, u32 from, u32 to)
{
    const kl_vote_subject *subject = said(item);
    (void)in;
    (void)to;
    if (subject && item->event.kind == KL_BFT_VOTE && from != 1 &&
        subject->kind == KL_VOTE_NOTARIZE &&
        subject->proposal.view > subject->proposal.parent_view + 1)
        refused++;
    return true;
}

/* A leader that always builds on an older block than it could gets no vote: nobody has proof that
 * the views between were nullified. [ava-labs #281] */
KL_TEST(simplex_script_old_parent_gets_no_vote)
{
    refused = 0;
    begin(4, 0, 1000);
    sim.nodes[1].kind = SIM_OLD_PARENT;
    sim.faulty[1] = true;
    sim.passes = counts_votes_for_old;
    sim_until(&sim, 20000 * SIM_MS);
    hold(30);
    /* Its views are nullified, and the block behind one skips it, with proof. */
    for (u32 i = 0; i < sim.view_count; i++) {
        const sim_view *v = &sim.views[i];
        const kl_proposal *p = &v->proposal[KL_VOTE_NOTARIZE - 1];
        if (v->has[KL_VOTE_NOTARIZE - 1])
            for (u64 view = p->parent_view + 1; view < p->view; view++)
                CHECK(oracle_view(&sim, 0, view)->has[KL_VOTE_NULLIFY - 1]);
    }
    CHECK(sim.sometimes[SOMETIMES_NULLIFIED] && refused);
    sim_done(&sim);
}

/* --- a parent below the ring --- */

static u64 notarized_views;

/* Of the first views no finalize vote arrives, of the others, for five minutes, no proposal. */
static bool nothing_becomes_final(const struct sim *in, const sim_item *item, u32 from, u32 to)
{
    const kl_vote_subject *subject = said(item);
    (void)from;
    (void)to;
    if (!subject)
        return true;
    if (subject->proposal.view <= notarized_views)
        return subject->kind != KL_VOTE_FINALIZE;
    return item->message != M_PROPOSAL || in->now_ns > 300000 * SIM_MS;
}

/* Blocks are notarized and not final when so many views come to nothing that no slot holds them;
 * then power fails everywhere.  What the next leader builds on is executed by those who were
 * started again, wherever it stands; of some, the body is gone with the power and is fetched. */
KL_TEST(simplex_script_parent_below_the_ring_is_built_on)
{
    for (u32 lost = 0; lost < 2; lost++)
        for (notarized_views = 1; notarized_views < 4; notarized_views++) {
            begin(4, 0, 1000);
            sim.passes = nothing_becomes_final;
            sim_until(&sim, 290000 * SIM_MS);
            CHECK_U64(sim.height, 0);
            CHECK(oracle_view(&sim, 0, notarized_views)->has[KL_VOTE_NOTARIZE - 1]);
            for (u32 i = 0; i < sim.count; i++) {
                const struct kl_simplex *s = sim.nodes[i].engine;
                CHECK(s->base > notarized_views && s->run_end > notarized_views + 8);
                sim_crash(&sim, &sim.nodes[i]);
            }
            if (lost)
                memset(sim.nodes[1].has + 1, 0, sim.block_count - 1);
            for (u32 i = 0; i < sim.count; i++)
                sim_start(&sim, &sim.nodes[i]);
            sim_until(&sim, 340000 * SIM_MS);
            hold(notarized_views + 20);
            sim_done(&sim);
        }
}

/* --- work that is lost --- */

/* Execution and bodies fail for a long time, at one node or at all: whatever was asked for is asked
 * for again. [ava-labs #542] */
KL_TEST(simplex_script_lost_work_is_asked_for_again)
{
    for (u32 mask = 1; mask < 16; mask = 2 * mask + 1) {
        begin(4, 0, 1000);
        sim_until(&sim, 2000 * SIM_MS);
        sim.no_executions = mask;
        sim_until(&sim, 62000 * SIM_MS);
        u64 height = sim.height;
        sim.no_executions = 0;
        sim_until(&sim, 82000 * SIM_MS); /* the longest patience is 10 s */
        hold(height + 5);
        sim_done(&sim);
    }
}

/* --- the end of an epoch --- */

/* Finalize votes for the epoch's last block are lost, so that it is proposed again. */
static bool last_block_is_not_final(const struct sim *in, const sim_item *item, u32 from, u32 to)
{
    const kl_vote_subject *subject = said(item);
    (void)from;
    (void)to;
    return !subject || subject->kind != KL_VOTE_FINALIZE || in->now_ns > 1300 * SIM_MS ||
           subject->proposal.height != in->o.epoch_blocks;
}

/* It is proposed again and again, and power fails at each moment of that, for one or for all. */
KL_TEST(simplex_script_boundary_block_is_proposed_again)
{
    u64 again = 0;
    for (u64 at_ms = 200; at_ms < 1500; at_ms += 30) {
        begin(4, 0, 2);
        sim.passes = last_block_is_not_final;
        sim_until(&sim, at_ms * SIM_MS);
        u32 count = at_ms / 30 % 2 ? 4 : 1;
        for (u32 i = 0; i < count; i++)
            sim_crash(&sim, &sim.nodes[i]);
        for (u32 i = 0; i < count; i++)
            sim_start(&sim, &sim.nodes[i]);
        sim_until(&sim, 10000 * SIM_MS);
        hold(10);
        again += sim.sometimes[SOMETIMES_REPROPOSAL] != 0;
        sim_done(&sim);
    }
    CHECK(again > 20);
}

/* A set change takes out a validator while it leads, with the epoch's last view or the next one's
 * first its own; it follows as an observer. */
KL_TEST(simplex_script_set_change_removes_the_leader)
{
    for (u64 blocks = 2; blocks < 8; blocks++) {
        begin(5, 0, blocks);
        sim.o.leaves_at = 2;
        sim_until(&sim, 15000 * SIM_MS);
        hold(20);
        CHECK_U64(sim.nodes[4].engine->self, KL_BFT_NOBODY);
        CHECK(sim.nodes[4].engine->epoch > 2);
        sim_done(&sim);
    }
}

/* --- an old copy --- */

/* One of four is dead.  Another loses its data folder for a copy that is 20 blocks old; the guard
 * lies beside the key and is the newest.  Nobody else can make the quorum, and the chain goes on
 * within ten seconds. */
KL_TEST(simplex_script_last_of_a_quorum_returns_with_an_old_copy)
{
    begin(4, 1, 1000);
    sim_until(&sim, 4000 * SIM_MS);
    sim_node *node = &sim.nodes[2];
    u64 height = node->height_durable;
    u32 log_count = node->log_synced;
    sim_until(&sim, 20000 * SIM_MS);
    CHECK(node->height_durable > height + 20);
    sim_crash(&sim, node);
    u64 stop = sim.height;
    for (u32 i = 1; i < sim.block_count; i++)
        if (sim.blocks[i].height > height)
            node->has[i] = 0;
    node->height_durable = height;
    node->log_count = node->log_synced = log_count;
    sim_until(&sim, 40000 * SIM_MS);
    CHECK(sim.height <= stop + 2);
    sim_start(&sim, node);
    sim_until(&sim, 50000 * SIM_MS);
    hold(stop + 10);
    sim_done(&sim);
}

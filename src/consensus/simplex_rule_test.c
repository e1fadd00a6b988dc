/* Single rules, on an engine that hears what it is told. */
#include "base/test.h"
#include "consensus/simplex_sim_test.h"

static struct sim sim;
static kl_bft_effects last;

static void begin(u32 validators, u32 window)
{
    sim_options o = {.seed = 3,
                     .validators = validators,
                     .kind = SIM_SILENT,
                     .gst_ns = NEVER,
                     .end_ns = 600000 * SIM_MS,
                     .delay_ns = 20 * SIM_MS,
                     .epoch_blocks = 1000,
                     .window = window};
    sim_begin(&sim, &o);
}

static void cut(u32 node, bool is_cut)
{
    for (u32 i = 0; i < sim.count; i++)
        sim.cut[node][i] = sim.cut[i][node] = is_cut;
}

/* One event for node 0, whose effects are looked at and not carried out. */
static void tell(kl_bft_event event)
{
    last = (kl_bft_effects){sim.effects, 0, sim.effects_cap};
    kl_simplex_mutants = 0;
    kl_simplex_step(sim.nodes[0].engine, &event, sim.now_ns, &last);
}

static void tell_vote(u32 by, kl_vote_subject subject)
{
    kl_vote vote;
    sim_sign(&sim, &sim.nodes[by], &subject, &vote);
    tell((kl_bft_event){.kind = KL_BFT_VOTE, .peer = by, .vote = &vote});
}

static const kl_bft_effect *find(kl_bft_effect_kind kind)
{
    for (usize i = 0; i < last.count; i++)
        if (last.list[i].kind == kind)
            return &last.list[i];
    return NULL;
}

static bool asked_to_sign(kl_vote_kind kind)
{
    for (usize i = 0; i < last.count; i++)
        if (last.list[i].kind == KL_BFT_SIGN && last.list[i].subject.kind == kind)
            return true;
    return false;
}

static kl_vote_subject proposal(u64 view, u64 parent_view, const kl_hash *parent, u64 height)
{
    kl_vote_subject subject = {
        .kind = KL_VOTE_NOTARIZE,
        .proposal = {
            .view = view, .parent_view = parent_view, .height = height, .parent_hash = *parent}};
    subject.proposal.block_hash = sim_block_new(&sim, parent, height)->hash;
    return subject;
}

static kl_vote_subject nullify(u64 view)
{
    return (kl_vote_subject){.kind = KL_VOTE_NULLIFY, .proposal = {.view = view}};
}

/* In a set of ten, eight send it on: those from the view's number on. */
KL_TEST(simplex_r5_few_send_a_certificate_on)
{
    begin(10, 16);
    for (u64 view = 1; view <= 23; view++) {
        for (u32 i = 1; i <= 7; i++)
            tell_vote(i, nullify(view));
        CHECK_U64(sim.nodes[0].engine->view, view + 1);
        CHECK((find(KL_BFT_SEND_CERTIFICATE) != NULL) == (view % 10 == 0 || view % 10 >= 3));
        CHECK(find(KL_BFT_PERSIST));
    }
    sim_done(&sim);
}

KL_TEST(simplex_r2_executes_before_it_notarizes)
{
    begin(4, 16);
    kl_vote_subject p = proposal(1, 0, &sim.final[0], 1);
    tell_vote(1, p);
    CHECK(find(KL_BFT_EXECUTE) && !find(KL_BFT_SIGN));
    tell((kl_bft_event){
        .kind = KL_BFT_EXECUTED, .hash = p.proposal.block_hash, .verdict = KL_BFT_VALID});
    CHECK(asked_to_sign(KL_VOTE_NOTARIZE));
    CHECK(find(KL_BFT_BARRIER)->has_body);
    sim_done(&sim);
}

KL_TEST(simplex_r2_unavailable_is_not_invalid)
{
    begin(4, 16);
    kl_vote_subject p = proposal(1, 0, &sim.final[0], 1);
    tell_vote(1, p);
    tell((kl_bft_event){
        .kind = KL_BFT_EXECUTED, .hash = p.proposal.block_hash, .verdict = KL_BFT_UNAVAILABLE});
    CHECK(find(KL_BFT_FETCH_BODY) && !find(KL_BFT_SIGN));
    CHECK_U64(find(KL_BFT_FETCH_BODY)->peer, 1);
    CHECK_U64(kl_simplex_status_of(sim.nodes[0].engine, sim.now_ns).why, KL_SIMPLEX_WAITS_BODY);
    tell((kl_bft_event){.kind = KL_BFT_BODY, .hash = p.proposal.block_hash});
    CHECK(find(KL_BFT_EXECUTE));
    tell((kl_bft_event){
        .kind = KL_BFT_EXECUTED, .hash = p.proposal.block_hash, .verdict = KL_BFT_INVALID});
    CHECK(asked_to_sign(KL_VOTE_NULLIFY));
    sim_done(&sim);
}

/* A block whose time comes while we are patient is waited for; one whose time comes later is given
 * up at once, and voted for no more in this view. */
KL_TEST(simplex_r7_patience_is_not_spent_on_a_clock_that_is_wrong)
{
    for (u32 i = 0; i < 2; i++) {
        begin(4, 16);
        kl_vote_subject p = proposal(1, 0, &sim.final[0], 1);
        tell_vote(1, p);
        kl_bft_event executed = {.kind = KL_BFT_EXECUTED,
                                 .view = 1,
                                 .hash = p.proposal.block_hash,
                                 .verdict = KL_BFT_EARLY,
                                 .at_ns = kl_simplex_advance_deadline(sim.nodes[0].engine) + i};
        tell(executed);
        CHECK(asked_to_sign(KL_VOTE_NULLIFY) == (i == 1));
        CHECK(!asked_to_sign(KL_VOTE_NOTARIZE));
        tell((kl_bft_event){.kind = KL_BFT_BODY, .hash = p.proposal.block_hash});
        CHECK(find(KL_BFT_EXECUTE));
        executed.verdict = KL_BFT_VALID;
        tell(executed);
        CHECK(asked_to_sign(KL_VOTE_NOTARIZE) == (i == 0));
        sim_done(&sim);
    }
}

KL_TEST(simplex_r2_a_gap_needs_its_nullifications)
{
    begin(4, 16);
    for (u32 i = 1; i < 4; i++) /* view 1 passes; view 2's leader skips it */
        tell_vote(i, nullify(1));
    CHECK_U64(sim.nodes[0].engine->view, 2);
    tell_vote(2, proposal(2, 0, &sim.final[0], 1));
    CHECK(find(KL_BFT_EXECUTE));
    kl_vote_subject p = proposal(2, 0, &sim.final[0], 1);
    for (u32 i = 1; i < 4; i++)
        tell_vote(i, nullify(2));
    p = proposal(3, 2, &p.proposal.block_hash, 2); /* view 2 was never notarized here */
    tell_vote(3, p);
    const kl_bft_effect *ask = find(KL_BFT_FETCH_CERTIFICATES);
    CHECK(ask && ask->peer == 3 && ask->from == 2 && ask->to == 2);
    CHECK(!find(KL_BFT_EXECUTE) && !find(KL_BFT_SIGN));
    CHECK_U64(kl_simplex_status_of(sim.nodes[0].engine, sim.now_ns).why, KL_SIMPLEX_WAITS_PARENT);
    sim_done(&sim);
}

/* A view may have both certificates; who holds the Notarization alone asks for the other. */
KL_TEST(simplex_r2_a_notarized_view_may_be_stepped_over_where_it_was_nullified_too)
{
    begin(4, 16);
    kl_vote_subject first = proposal(1, 0, &sim.final[0], 1);
    for (u32 i = 1; i < 4; i++)
        tell_vote(i, first);
    CHECK_U64(sim.nodes[0].engine->view, 2);
    tell_vote(2, proposal(2, 0, &sim.final[0], 1));
    const kl_bft_effect *ask = find(KL_BFT_FETCH_CERTIFICATES);
    CHECK(ask && ask->peer == 2 && ask->from == 1 && ask->to == 1);
    for (u32 i = 1; i < 4; i++)
        tell_vote(i, nullify(1));
    CHECK(find(KL_BFT_EXECUTE));
    sim_done(&sim);
}

KL_TEST(simplex_r3_r13_a_second_proposal_is_evidence)
{
    begin(4, 16);
    kl_vote_subject a = proposal(1, 0, &sim.final[0], 1);
    tell_vote(1, a);
    tell((kl_bft_event){
        .kind = KL_BFT_EXECUTED, .hash = a.proposal.block_hash, .verdict = KL_BFT_VALID});
    tell_vote(1, proposal(1, 0, &sim.final[0], 1));
    CHECK(find(KL_BFT_FOUND));
    tell_vote(2, a);
    tell_vote(3, a);
    CHECK_U64(sim.nodes[0].engine->view, 2); /* it may be notarized, and gets no finalize vote */
    CHECK(!asked_to_sign(KL_VOTE_FINALIZE));
    tell_vote(1, proposal(1, 0, &sim.final[0], 1));
    CHECK(!find(KL_BFT_FOUND)); /* once */
    sim_done(&sim);
}

KL_TEST(simplex_r8_no_finalize_vote_beside_a_nullify_vote)
{
    begin(4, 16);
    sim.now_ns = 5000 * SIM_MS;
    tell((kl_bft_event){.kind = KL_BFT_TIMER});
    CHECK(asked_to_sign(KL_VOTE_NULLIFY));
    kl_vote_subject p = proposal(1, 0, &sim.final[0], 1);
    for (u32 i = 1; i < 4; i++)
        tell_vote(i, p);
    CHECK_U64(sim.nodes[0].engine->view, 2);
    tell((kl_bft_event){
        .kind = KL_BFT_EXECUTED, .hash = p.proposal.block_hash, .verdict = KL_BFT_VALID});
    CHECK(!asked_to_sign(KL_VOTE_FINALIZE));
    sim_done(&sim);
}

KL_TEST(simplex_r11_patience_has_an_end)
{
    begin(4, 16);
    struct kl_simplex *s = sim.nodes[0].engine;
    u64 before = 0;
    for (s->given_up_in_row = 0; s->given_up_in_row < 64; s->given_up_in_row++) {
        u64 wait = kl_simplex_advance_deadline(s) - s->entered_ns;
        CHECK(wait >= before && wait <= s->config.block_period_ns + 10000 * SIM_MS);
        before = wait;
    }
    sim_done(&sim);
}

/* A leader was silent for as long as it may; its block then has the time that every block has. */
KL_TEST(simplex_r12_a_sparse_empty_block_is_not_late)
{
    begin(4, 16);
    sim.nodes[0].engine->config.empty_period_ns = 5000 * SIM_MS;
    sim.now_ns = 5000 * SIM_MS;
    kl_vote_subject p = proposal(1, 0, &sim.final[0], 1);
    tell_vote(1, p);
    CHECK(find(KL_BFT_EXECUTE) && !find(KL_BFT_SIGN));
    tell((kl_bft_event){
        .kind = KL_BFT_EXECUTED, .hash = p.proposal.block_hash, .verdict = KL_BFT_VALID});
    CHECK(asked_to_sign(KL_VOTE_NOTARIZE));
    u64 end_ns = kl_simplex_advance_deadline(sim.nodes[0].engine);
    CHECK_U64(end_ns, 5000 * SIM_MS + 200 * SIM_MS + 3 * 500 * SIM_MS);
    sim.now_ns = end_ns - 1;
    tell((kl_bft_event){.kind = KL_BFT_TIMER});
    CHECK(!asked_to_sign(KL_VOTE_NULLIFY));
    sim.now_ns = end_ns;
    tell((kl_bft_event){.kind = KL_BFT_TIMER});
    CHECK(asked_to_sign(KL_VOTE_NULLIFY));
    sim_done(&sim);
}

/* Whoever lost its log and not its guard is in a view in which it has signed finalize: it cannot
 * give that view up, and must not ask to be woken for it. */
KL_TEST(simplex_r8_no_timer_for_what_may_not_be_signed)
{
    begin(4, 16);
    kl_simplex_config config = sim.nodes[0].engine->config;
    sim.nodes[0].engine = kl_simplex_init(sim.nodes[0].room, &config);
    kl_vote_subject final = proposal(1, 0, &sim.final[0], 1);
    kl_vote vote;
    final.kind = KL_VOTE_FINALIZE;
    sim_sign(&sim, &sim.nodes[0], &final, &vote);
    tell((kl_bft_event){.kind = KL_BFT_RESTORE_VOTE, .vote = &vote});
    tell((kl_bft_event){.kind = KL_BFT_START});
    sim.now_ns = 60000 * SIM_MS;
    tell((kl_bft_event){.kind = KL_BFT_TIMER});
    CHECK(!asked_to_sign(KL_VOTE_NULLIFY));
    CHECK(!find(KL_BFT_SET_TIMER) || find(KL_BFT_SET_TIMER)->at_ns > sim.now_ns);
    sim_done(&sim);
}

KL_TEST(simplex_who_observes_signs_nothing_and_follows)
{
    begin(4, 16);
    kl_bft_event off = {.kind = KL_BFT_SIGNING};
    sim_step(&sim, &sim.nodes[0], &off);
    sim_until(&sim, 20000 * SIM_MS);
    CHECK_U64(sim.nodes[0].guard_count, 0);
    CHECK(sim.height > 20 && sim.nodes[0].height + 3 > sim.height);
    sim_done(&sim);
}

/* --- a key that somebody else has --- */

/* A quorum's certificate, of three of the four. */
static void make_certificate(kl_certificate *out, u8 room[4 * KL_VOTE_SIGNATURE_MAX],
                             const kl_vote_subject *subject, u32 without)
{
    kl_vote votes[4];
    const kl_vote *chosen[4];
    usize count = 0;
    for (u32 i = 0; i < 4; i++)
        if (i != without) {
            sim_sign(&sim, &sim.nodes[i], subject, &votes[count]);
            chosen[count] = &votes[count];
            count++;
        }
    kl_certificate_make(out, room, chosen, count, sim.nodes[0].engine->set);
}

static void tell_certificate(const kl_vote_subject *subject, u32 without)
{
    kl_certificate certificate;
    u8 room[4 * KL_VOTE_SIGNATURE_MAX];
    make_certificate(&certificate, room, subject, without);
    tell((kl_bft_event){.kind = KL_BFT_CERTIFICATE, .peer = 1, .certificate = &certificate});
}

static void tell_nullification(u64 view, u32 without)
{
    kl_vote_subject subject = nullify(view);
    tell_certificate(&subject, without);
}

/* Against node 0 itself. */
static void tell_evidence(u64 view)
{
    kl_vote_subject one = proposal(view, 0, &sim.final[0], 1), two = one;
    kl_evidence evidence;
    two.proposal.block_hash.b[0] ^= 1;
    sim_sign(&sim, &sim.nodes[0], &one, &evidence.first);
    sim_sign(&sim, &sim.nodes[0], &two, &evidence.second);
    tell((kl_bft_event){.kind = KL_BFT_EVIDENCE, .peer = 1, .evidence = &evidence});
}

/* Node 0 in another life; what it signed in earlier ones is unknown, up to that view. */
static void begin_again(u64 signed_view)
{
    kl_simplex_config config = sim.nodes[0].engine->config;
    config.epoch.signed_view = signed_view;
    sim.nodes[0].engine = kl_simplex_init(sim.nodes[0].room, &config);
    tell((kl_bft_event){.kind = KL_BFT_START});
}

/* The last event did it, and it is for good. */
static void check_stops(void)
{
    CHECK(find(KL_BFT_KEY_IS_USED));
    sim.now_ns += 30000 * SIM_MS;
    tell((kl_bft_event){.kind = KL_BFT_TIMER});
    CHECK(!find(KL_BFT_SIGN));
    CHECK(!kl_simplex_status_of(sim.nodes[0].engine, sim.now_ns).signing);
}

static void check_goes_on(void)
{
    CHECK(!find(KL_BFT_KEY_IS_USED));
    CHECK(kl_simplex_status_of(sim.nodes[0].engine, sim.now_ns).signing);
    sim.now_ns += 30000 * SIM_MS;
    tell((kl_bft_event){.kind = KL_BFT_TIMER});
    CHECK(asked_to_sign(KL_VOTE_NULLIFY));
}

KL_TEST(simplex_a_key_used_elsewhere_stops_signing)
{
    begin(4, 16);
    tell_vote(0, nullify(2));
    check_stops();
    sim_done(&sim);
}

/* Whoever has our key stands where we stand: nobody is connected with both.  What the others have
 * counted tells. */
KL_TEST(simplex_a_key_counted_elsewhere_stops_signing)
{
    begin(4, 16);
    tell_nullification(1, 0);
    CHECK(!find(KL_BFT_KEY_IS_USED));
    tell_nullification(2, 3);
    CHECK_U64(sim.nodes[0].engine->view, 3); /* it is true all the same */
    CHECK_U64(find(KL_BFT_KEY_IS_USED)->subject.proposal.view, 2);
    check_stops();
    sim_done(&sim);
}

/* What it says is known here already, of others. */
KL_TEST(simplex_a_key_counted_for_what_is_no_news_stops_signing)
{
    begin(4, 16);
    tell_nullification(1, 0);
    CHECK_U64(sim.nodes[0].engine->view, 2);
    tell_nullification(1, 0);
    CHECK_U64(last.count, 0);
    tell_nullification(1, 3);
    CHECK(!find(KL_BFT_PERSIST) && !find(KL_BFT_SEND_CERTIFICATE));
    check_stops();
    sim_done(&sim);
}

KL_TEST(simplex_a_key_counted_in_a_view_far_ahead_stops_signing)
{
    begin(4, 8);
    tell_nullification(100, 0);
    CHECK(!find(KL_BFT_KEY_IS_USED));
    tell_nullification(200, 3);
    check_stops();
    sim_done(&sim);
}

/* Anybody can write our name on a certificate. */
KL_TEST(simplex_a_key_counted_by_a_forgery_goes_on_signing)
{
    begin(4, 16);
    kl_certificate certificate;
    u8 room[4 * KL_VOTE_SIGNATURE_MAX];
    kl_vote_subject subject = nullify(2);
    make_certificate(&certificate, room, &subject, 3);
    room[0] ^= 1;
    tell((kl_bft_event){.kind = KL_BFT_CERTIFICATE, .peer = 1, .certificate = &certificate});
    CHECK(find(KL_BFT_PENALIZE));
    check_goes_on();
    sim_done(&sim);
}

/* Our own votes come back to us in certificates. */
KL_TEST(simplex_a_key_counted_for_what_we_signed_goes_on_signing)
{
    begin(4, 16);
    sim.now_ns = 5000 * SIM_MS;
    tell((kl_bft_event){.kind = KL_BFT_TIMER});
    CHECK(asked_to_sign(KL_VOTE_NULLIFY));
    tell_nullification(1, 3);
    CHECK(!find(KL_BFT_KEY_IS_USED));
    check_goes_on();
    sim_done(&sim);
}

/* Others count and replay for as long as they like what earlier lives have signed, of which, with
 * the data folder wiped, nothing but the guard's newest view is known here. */
KL_TEST(simplex_a_key_counted_for_what_earlier_lives_signed_goes_on_signing)
{
    begin(4, 8);
    begin_again(50);
    tell_vote(0, nullify(2));
    CHECK(!find(KL_BFT_KEY_IS_USED));
    tell_nullification(3, 3);
    CHECK(!find(KL_BFT_KEY_IS_USED));
    tell_nullification(50, 3);
    CHECK(!find(KL_BFT_KEY_IS_USED));
    tell_evidence(20);
    CHECK(find(KL_BFT_FOUND) && !find(KL_BFT_KEY_IS_USED));
    check_goes_on();
    tell_nullification(52, 3);
    check_stops();
    sim_done(&sim);
}

/* Whoever watched first may have signed what it saw meanwhile. */
KL_TEST(simplex_a_key_is_counted_from_where_signing_was_switched_on)
{
    begin(4, 16);
    tell((kl_bft_event){.kind = KL_BFT_SIGNING});
    tell_nullification(1, 3);
    tell_nullification(2, 3);
    tell((kl_bft_event){.kind = KL_BFT_SIGNING, .on = true});
    tell((kl_bft_event){.kind = KL_BFT_SIGNING, .on = true});
    tell_vote(0, nullify(1));
    CHECK(!find(KL_BFT_KEY_IS_USED));
    tell_evidence(2);
    CHECK(find(KL_BFT_FOUND) && !find(KL_BFT_KEY_IS_USED));
    check_goes_on();
    tell_nullification(4, 3);
    check_stops();
    sim_done(&sim);
}

KL_TEST(simplex_a_key_is_counted_in_an_epoch_from_where_no_earlier_life_signed)
{
    begin(4, 16);
    kl_bft_epoch next =
        sim_epoch_of(&sim, &sim.nodes[0], sim.o.epoch_blocks, &sim.nodes[0].engine->final);
    next.signed_view = 6;
    tell((kl_bft_event){.kind = KL_BFT_NEXT_EPOCH, .epoch_config = &next});
    kl_vote_subject subject = nullify(6);
    subject.proposal.epoch = next.epoch;
    tell_vote(0, subject);
    CHECK(!find(KL_BFT_KEY_IS_USED));
    check_goes_on();
    subject.proposal.view = 7;
    tell_vote(0, subject);
    check_stops();
    sim_done(&sim);
}

KL_TEST(simplex_evidence_of_what_we_did_not_sign_stops_signing)
{
    begin(4, 16);
    tell_evidence(1);
    CHECK(find(KL_BFT_FOUND));
    check_stops();
    sim_done(&sim);
}

/* Both machines have voted before one has noticed: a certificate has the other's vote, and with our
 * own that is evidence, whoever it is against. */
KL_TEST(simplex_a_key_counted_for_the_contrary_of_what_we_signed_is_evidence)
{
    begin(4, 16);
    kl_vote_subject ours = proposal(1, 0, &sim.final[0], 1), others = ours;
    others.proposal.block_hash.b[0] ^= 1;
    tell_vote(1, ours);
    tell((kl_bft_event){
        .kind = KL_BFT_EXECUTED, .hash = ours.proposal.block_hash, .verdict = KL_BFT_VALID});
    CHECK(asked_to_sign(KL_VOTE_NOTARIZE));
    u64 token = find(KL_BFT_BARRIER)->token;
    kl_vote vote;
    sim_sign(&sim, &sim.nodes[0], &ours, &vote);
    tell((kl_bft_event){.kind = KL_BFT_SIGNED, .vote = &vote});
    tell((kl_bft_event){.kind = KL_BFT_PERSISTED, .token = token});
    CHECK(find(KL_BFT_SEND_VOTE));
    tell_certificate(&others, 1);
    const kl_bft_effect *evidence = find(KL_BFT_FOUND);
    CHECK(evidence && evidence->evidence.first.signer == 0);
    CHECK_RULE(kl_evidence_check(&evidence->evidence, sim.nodes[0].engine->set, &sim.domain),
               KL_RULE_NONE);
    check_stops();
    sim_done(&sim);
}

/* Far more views come to nothing than the ring holds; who slept through it fills the hole from the
 * logs of the others. */
KL_TEST(simplex_a_nullified_run_may_be_longer_than_the_ring)
{
    begin(4, 8);
    sim_until(&sim, 3000 * SIM_MS);
    cut(0, true);
    sim.no_builds = true;
    sim_until(&sim, 20000 * SIM_MS);
    u64 height = sim.height, view = sim.nodes[1].engine->view;
    CHECK(view > sim.nodes[0].engine->view + 40);
    sim.no_builds = false;
    cut(0, false);
    cut(3, true); /* now the sleeper is needed */
    sim_until(&sim, 60000 * SIM_MS);
    if (sim.broken[0] || sim.height < height + 5)
        kl_test_fail(__FILE__, __LINE__, "height %llu of %llu, %s", (unsigned long long)sim.height,
                     (unsigned long long)height, sim.broken);
    sim_done(&sim);
}

KL_TEST(simplex_who_was_away_catches_up)
{
    begin(4, 8);
    cut(0, true);
    sim_until(&sim, 30000 * SIM_MS);
    CHECK(sim.height > 40 && sim.nodes[0].height == 0);
    cut(0, false);
    sim_until(&sim, 40000 * SIM_MS);
    CHECK(sim.nodes[0].height + 3 > sim.height && !sim.broken[0]);
    sim_done(&sim);
}

/* A leader may name a block that an earlier view proposed: whether the proposal fits its header is
 * another question in each view. */
KL_TEST(simplex_r2_a_verdict_is_on_the_proposal_of_one_view)
{
    begin(4, 16);
    kl_vote_subject p = proposal(1, 0, &sim.final[0], 1);
    tell_vote(1, p);
    CHECK(find(KL_BFT_EXECUTE));
    for (u32 i = 1; i < 4; i++)
        tell_vote(i, nullify(1));
    p.proposal.view = 2;
    tell_vote(2, p);
    CHECK(find(KL_BFT_EXECUTE));
    kl_bft_event executed = {
        .kind = KL_BFT_EXECUTED, .hash = p.proposal.block_hash, .view = 1, .verdict = KL_BFT_VALID};
    tell(executed);
    CHECK(!find(KL_BFT_SIGN));
    executed.view = 2;
    executed.verdict = KL_BFT_INVALID;
    tell(executed);
    CHECK(asked_to_sign(KL_VOTE_NULLIFY) && !asked_to_sign(KL_VOTE_NOTARIZE));
    sim_done(&sim);
}

/* Who has fetched blocks over the ends of epochs goes on wherever that led. */
KL_TEST(simplex_may_be_moved_into_the_middle_of_a_later_epoch)
{
    begin(4, 16);
    const kl_valset *set = sim_set(&sim, 5);
    kl_proposal floor = {.epoch = 5, .view = 7, .parent_view = 6, .height = 5003};
    kl_bft_epoch epoch = {
        .epoch = 5, .set = set, .self = sim_place(&sim, &sim.nodes[0], 5), .last_height = 6000};
    while (kl_valset_leader(set, 5, floor.view + 1) == epoch.self)
        floor.parent_view = floor.view++;
    floor.block_hash = sim_block_new(&sim, &sim.final[0], 5003)->hash;
    epoch.floor = floor;
    tell((kl_bft_event){.kind = KL_BFT_NEXT_EPOCH, .epoch_config = &epoch});
    kl_simplex_status status = kl_simplex_status_of(sim.nodes[0].engine, sim.now_ns);
    CHECK(status.epoch == 5 && status.view == floor.view + 1 && status.signing);
    CHECK(kl_proposal_eq(&status.final, &floor));
    kl_vote_subject p = proposal(floor.view + 1, floor.view, &floor.block_hash, 5004);
    p.proposal.epoch = 5;
    tell_vote(sim_validator(&sim, status.leader, 5), p);
    CHECK(find(KL_BFT_EXECUTE));
    tell((kl_bft_event){
        .kind = KL_BFT_EXECUTED, .hash = p.proposal.block_hash, .verdict = KL_BFT_VALID});
    CHECK(asked_to_sign(KL_VOTE_NOTARIZE));
    sim_done(&sim);
}

/* For status: who was heard is known under its place in the next epoch too. */
KL_TEST(simplex_knows_when_each_was_heard)
{
    begin(4, 16);
    const struct kl_simplex *engine = sim.nodes[0].engine;
    for (u32 i = 0; i < 4; i++)
        CHECK_U64(kl_simplex_heard_ns(engine, i), 0);
    sim.now_ns += 7 * SIM_MS;
    tell_vote(2, nullify(1));
    u64 first_ns = sim.now_ns;
    CHECK_U64(kl_simplex_heard_ns(engine, 2), first_ns);
    sim.now_ns += 7 * SIM_MS;
    tell_vote(3, nullify(1));
    tell_vote(2, nullify(1));
    CHECK_U64(kl_simplex_heard_ns(engine, 2), sim.now_ns);
    CHECK_U64(kl_simplex_heard_ns(engine, 1), 0);
    kl_bft_epoch epoch = {.epoch = 1,
                          .set = sim_set(&sim, 1),
                          .self = sim_place(&sim, &sim.nodes[0], 1),
                          .last_height = 6000,
                          .floor = {.epoch = 1, .height = 5}};
    u32 heard[] = {sim_place(&sim, &sim.nodes[2], 1), sim_place(&sim, &sim.nodes[3], 1)};
    tell((kl_bft_event){.kind = KL_BFT_NEXT_EPOCH, .epoch_config = &epoch});
    for (u32 i = 0; i < epoch.set->count; i++)
        CHECK_U64(kl_simplex_heard_ns(engine, i), i == heard[0] || i == heard[1] ? sim.now_ns : 0);
    sim_done(&sim);
}

/* Node 0 goes on in an epoch, in a view that a validator leads. */
static u64 enter_led_by(u64 number, u32 self, u32 leader)
{
    const kl_valset *set = sim_set(&sim, number);
    kl_bft_epoch epoch = {.epoch = number,
                          .set = set,
                          .self = self,
                          .last_height = 1000 * (number + 1),
                          .floor = {.epoch = number, .view = 1, .height = 1000 * number + 1}};
    while (kl_valset_leader(set, number, epoch.floor.view + 1) != leader)
        epoch.floor.view++;
    epoch.floor.parent_view = epoch.floor.view - 1;
    tell((kl_bft_event){.kind = KL_BFT_NEXT_EPOCH, .epoch_config = &epoch});
    return epoch.floor.view + 1;
}

static void nullify_by_all_others(u64 epoch, u64 view)
{
    kl_vote_subject subject = nullify(view);
    subject.proposal.epoch = epoch;
    for (u32 by = 1; by < 4; by++)
        tell_vote(by, subject);
}

static bool is_skipped(void)
{
    return kl_simplex_status_of(sim.nodes[0].engine, sim.now_ns).leader_is_skipped;
}

/* [Simplex R0] Who was silent at the end of an epoch is skipped in the next ones too, under its new
 * place, until its first vote there. */
KL_TEST(simplex_r0_the_silent_are_skipped_over_the_ends_of_epochs)
{
    begin(4, 16);
    kl_vote_subject first = nullify(1);
    tell_certificate(&first, 0); /* 1 led it, and no vote of it was heard */
    for (u64 epoch = 1; epoch < 7; epoch++) {
        enter_led_by(epoch, sim_place(&sim, &sim.nodes[0], epoch),
                     sim_place(&sim, &sim.nodes[1 + epoch % 2], epoch));
        CHECK(is_skipped() == (epoch % 2 == 0));
        CHECK(asked_to_sign(KL_VOTE_NULLIFY) == (epoch % 2 == 0));
    }
    kl_vote_subject subject = nullify(
        enter_led_by(8, sim_place(&sim, &sim.nodes[0], 8), sim_place(&sim, &sim.nodes[1], 8)));
    subject.proposal.epoch = 8;
    CHECK(is_skipped());
    tell_vote(1, subject);
    CHECK(!is_skipped());
    sim_done(&sim);
}

/* [Simplex R0] Whose proposal came too late is there: it is waited for the next time, which may be
 * at once where it weighs much. */
KL_TEST(simplex_r0_who_was_heard_in_its_view_is_not_silent)
{
    for (u32 heard = 0; heard < 3; heard++) {
        begin(4, 16);
        const kl_valset *set = sim_set(&sim, 0);
        u64 again = 1 + set->count;
        u32 leader = kl_valset_leader(set, 0, 1);
        CHECK(leader != 0 && kl_valset_leader(set, 0, again) == leader);
        kl_vote_subject late = proposal(1, 0, &sim.final[0], 1);
        if (heard == 1)
            tell_vote(leader, late);
        for (u64 view = 1; view < again; view++) {
            kl_vote_subject subject = nullify(view);
            tell_certificate(&subject, 0);
        }
        CHECK(is_skipped() == (heard != 1));
        if (heard == 2)
            tell_vote(leader, late);
        CHECK(is_skipped() == (heard == 0));
        sim_done(&sim);
    }
}

/* Who watched, and missed its own turn as all did, does not skip itself where it votes again. */
KL_TEST(simplex_r0_nobody_skips_itself)
{
    begin(4, 16);
    u64 view = enter_led_by(1, KL_BFT_NOBODY, sim_place(&sim, &sim.nodes[0], 1));
    nullify_by_all_others(1, view);
    u32 self = sim_place(&sim, &sim.nodes[0], 2);
    enter_led_by(2, self, self);
    CHECK(!is_skipped() && !asked_to_sign(KL_VOTE_NULLIFY));
    sim_done(&sim);
}

/* --- turns --- */

/* The first view from 2 on that node 0 leads. */
static u64 own_view(void)
{
    u64 view = 2;
    while (kl_valset_leader(sim_set(&sim, 0), 0, view) != 0)
        view++;
    return view;
}

static void nullify_below(u64 end)
{
    for (u64 view = sim.nodes[0].engine->view; view < end; view++)
        for (u32 i = 1; i < sim.count; i++)
            tell_vote(i, nullify(view));
    CHECK_U64(sim.nodes[0].engine->view, end);
}

static void tell_signed(const kl_vote_subject *subject)
{
    kl_vote vote;
    sim_sign(&sim, &sim.nodes[0], subject, &vote);
    tell((kl_bft_event){.kind = KL_BFT_SIGNED, .vote = &vote});
}

/* Node 0 has notarized the view before its own, and built its block; the barrier's token. */
static u64 comes_to_its_turn(bool is_durable, kl_vote_subject *asked)
{
    u64 view = own_view();
    nullify_below(view - 1);
    u32 before = kl_valset_leader(sim_set(&sim, 0), 0, view - 1);
    kl_vote_subject p = proposal(view - 1, 0, &sim.final[0], 1);
    tell_vote(before, p);
    tell((kl_bft_event){
        .kind = KL_BFT_EXECUTED, .hash = p.proposal.block_hash, .verdict = KL_BFT_VALID});
    CHECK(asked_to_sign(KL_VOTE_NOTARIZE));
    CHECK(find(KL_BFT_SIGN)->vote && find(KL_BFT_SIGN)->vote->signer == before);
    CHECK(find(KL_BFT_RESERVE) && find(KL_BFT_RESERVE)->from == view); /* with the same sync */
    if (is_durable)
        tell((kl_bft_event){.kind = KL_BFT_RESERVED, .view = view});
    for (u32 i = 1; i < 4; i++)
        if (i != before)
            tell_vote(i, p);
    CHECK(!find(KL_BFT_RESERVE));
    CHECK_U64(sim.nodes[0].engine->view, view);
    CHECK(find(KL_BFT_BUILD));
    kl_hash built = sim_block_new(&sim, &p.proposal.block_hash, 2)->hash;
    tell((kl_bft_event){.kind = KL_BFT_BUILT, .view = view, .hash = built});
    CHECK(find(KL_BFT_SIGN)->in_turn == is_durable && !find(KL_BFT_SIGN)->vote);
    CHECK(find(KL_BFT_BARRIER)->has_body);
    *asked = find(KL_BFT_SIGN)->subject;
    return find(KL_BFT_BARRIER)->token;
}

/* In its turn a proposal waits for nothing but its signature, and the finalize vote for the body;
 * without it, or while it is not durable, all is waited for. */
KL_TEST(simplex_turn_lets_the_proposal_leave_before_its_barrier)
{
    kl_vote_subject p;
    begin(4, 16);
    u64 token = comes_to_its_turn(true, &p);
    tell_signed(&p);
    CHECK(find(KL_BFT_SEND_PROPOSAL));
    tell_vote(1, p);
    tell_vote(2, p);
    CHECK(asked_to_sign(KL_VOTE_FINALIZE) && find(KL_BFT_BARRIER)->has_body);
    u64 last_token = find(KL_BFT_BARRIER)->token;
    CHECK(!find(KL_BFT_SIGN)->in_turn);
    kl_vote_subject f = {.kind = KL_VOTE_FINALIZE, .proposal = p.proposal};
    tell_signed(&f);
    tell((kl_bft_event){.kind = KL_BFT_PERSISTED, .token = token});
    CHECK(!find(KL_BFT_SEND_VOTE));
    tell((kl_bft_event){.kind = KL_BFT_PERSISTED, .token = last_token});
    CHECK(find(KL_BFT_SEND_VOTE));
    sim_done(&sim);
    begin(4, 16);
    token = comes_to_its_turn(false, &p);
    tell_signed(&p);
    CHECK(!find(KL_BFT_SEND_PROPOSAL));
    tell((kl_bft_event){.kind = KL_BFT_PERSISTED, .token = token});
    CHECK(find(KL_BFT_SEND_PROPOSAL));
    sim_done(&sim);
}

/* Where a quorum holds too little besides the leader, there are no turns: alone, or too heavy. */
KL_TEST(simplex_turn_is_not_taken_where_others_do_not_hold_enough)
{
    static const struct {
        u32 validators;
        u64 weight;
        bool takes;
    } cases[] = {{1, 1, false}, {2, 1, true}, {3, 1, true},
                 {4, 1, true},  {4, 3, true}, {4, 4, false}};
    for (usize i = 0; i < KL_COUNT_OF(cases); i++) {
        begin(cases[i].validators, 16);
        sim_node *node = &sim.nodes[0];
        sim.weights[0] = sim.validators[0][0].weight = cases[i].weight;
        CHECK_RULE(kl_valset_init(&sim.sets[0], sim.scheme, sim.validators[0], sim.count),
                   KL_RULE_NONE);
        sim_crash(&sim, node);
        node->turn_count = 0;
        sim_start(&sim, node);
        sim_until(&sim, 8000 * SIM_MS);
        CHECK(sim.height > 5 && !sim.broken[0]);
        CHECK((node->turn_count > 0) == cases[i].takes);
        sim_done(&sim);
    }
}

/* Of an earlier life: nothing is proposed, which the others hear at once; its vote, whichever, is
 * not somebody else's, and two of them are evidence as ever. */
KL_TEST(simplex_turn_of_an_earlier_life_is_over)
{
    begin(4, 16);
    u64 view = own_view();
    sim_node *node = &sim.nodes[0];
    sim_crash(&sim, node);
    node->turns[node->turn_count++] = (sim_turn){.view = view};
    sim_start(&sim, node);
    nullify_below(view);
    CHECK(asked_to_sign(KL_VOTE_NULLIFY) && !find(KL_BFT_BUILD));
    CHECK(!find(KL_BFT_RESERVE) || find(KL_BFT_RESERVE)->from != view);
    tell_vote(0, proposal(view, 0, &sim.final[0], 1));
    CHECK(!find(KL_BFT_KEY_IS_USED));
    tell_vote(0, proposal(view, 0, &sim.final[0], 1));
    CHECK(find(KL_BFT_FOUND) && !find(KL_BFT_KEY_IS_USED));
    sim_done(&sim);
}

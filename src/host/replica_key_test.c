/* A key that somebody else has too, or had: a copy of its folder on another machine, and a guard
 * and a log of which one knows what the other does not. */
#include "host/replica_rig_test.h"
#include "sim/disk.h"

static struct rig rig;

/* Node 1 hears a vote with its own key. */
static void sign_elsewhere(const kl_vote_subject *subject)
{
    struct rig_node *node = &rig.nodes[1];
    struct kl_chain *chain = kl_replica_chain(node->replica);
    const kl_vote_domain domain = kl_chain_vote_domain(chain);
    struct kl_tip *head = kl_chain_head(chain);
    kl_message message = {.kind = KL_MESSAGE_VOTE};
    u8 key[KL_VOTE_KEY_MAX];
    u32 place;
    CHECK_U64(head->epoch->number, subject->proposal.epoch);
    CHECK(rig.scheme->public_key(key, &node->vote_secret));
    CHECK(kl_valset_find(&head->epoch->set, key, &place));
    CHECK(kl_vote_sign(&message.vote, subject, place, rig.scheme, &node->vote_secret, &domain));
    rig.used[1] = true;
    rig_deliver(&rig, 1, 2, &message);
    kl_tip_unref(head);
    CHECK(strstr(rig.nodes[1].alarm, "somebody else signs with this node's key"));
}

static void check_signs_nothing(void)
{
    kl_replica_why why;
    usize signs = rig.nodes[1].signs;
    u64 height = rig.height;
    CHECK(rig_reaches(&rig, height + 10, 60 * RIG_S));
    CHECK_U64(rig.nodes[1].signs, signs);
    CHECK(!kl_replica_consensus(rig.nodes[1].replica).signing);
    kl_replica_why_of(rig.nodes[1].replica, &why);
    CHECK(strstr(why.text, "this node does not sign: its key is used elsewhere"));
    CHECK(strstr(why.text, "'keel validator resume'"));
}

/* For good: until whoever owns it says that nobody else has the key, and then it watches first. */
KL_TEST(replica_whose_key_is_used_elsewhere_signs_nothing_in_later_lives)
{
    kl_vote_subject subject = {.kind = KL_VOTE_NULLIFY};
    rig_init(&rig, 4, 200, *seed);
    rig_start(&rig);
    CHECK(rig_reaches(&rig, 5, 20 * RIG_S));
    subject.proposal.view = kl_replica_consensus(rig.nodes[1].replica).view + 5;
    sign_elsewhere(&subject);
    rig_until(&rig, rig.now_ns + 200 * RIG_MS); /* what was asked for is signed, and the mark set */
    check_signs_nothing();
    for (u32 life = 0; life < 2; life++) {
        rig_crash(&rig, 1);
        rig_open(&rig, 1);
        CHECK_RULE(rig.nodes[1].report.guard, KL_RULE_GUARD_USED);
        check_signs_nothing();
    }
    rig_crash(&rig, 1);
    CHECK_OK(kl_guard_resume(kl_sim_disk_fs(rig.nodes[1].key_disk)));
    rig.used[1] = false;
    for (u32 life = 0; life < 2; life++) {
        rig_open(&rig, 1);
        CHECK_RULE(rig.nodes[1].report.guard, KL_RULE_NONE);
        CHECK(kl_replica_consensus(rig.nodes[1].replica).signing == (life == 1));
        rig.nodes[1].signs = 0;
        CHECK(rig_reaches(&rig, rig.height + 20, 60 * RIG_S));
        CHECK(rig.nodes[1].signs > 5);
        rig_crash(&rig, 1);
    }
    rig_done(&rig);
}

/* Both machines have voted before one notices: it says so of its own key, and the contract takes
 * the seat away, as for anybody who signs both ways. */
KL_TEST(replica_what_two_machines_with_one_key_have_signed_goes_on_chain)
{
    rig_init(&rig, 4, 16, *seed);
    rig.policy = true;
    rig_start(&rig);
    CHECK(rig_reaches(&rig, 5, 20 * RIG_S));
    const struct rig_node *node = &rig.nodes[1];
    usize at = node->vote_count - 1;
    while (node->votes[at].kind != KL_VOTE_FINALIZE)
        at--;
    const kl_proposal *p = &node->votes[at].proposal;
    kl_vote_subject subject = {.kind = KL_VOTE_NULLIFY};
    subject.proposal.epoch = p->epoch;
    subject.proposal.view = p->view;
    sign_elsewhere(&subject);
    CHECK_U64(node->found, 1);
    rig_until(&rig, rig.now_ns + 30 * RIG_S);
    CHECK_U64(rig.transactions, 1);
    for (u32 i = 0; i < 4; i++) {
        struct kl_tip *head = kl_chain_published(kl_replica_chain(rig.nodes[i].replica));
        CHECK_U64(head->epoch->set.count, 3);
        CHECK_U64(rig.nodes[i].found, 1);
        kl_tip_unref(head);
    }
    rig_done(&rig);
}

/* Its log is gone, its guard is not: what the others still say of its earlier life is its own, in
 * whichever epoch; the rig fails where a node takes it for somebody else's. */
KL_TEST(replica_with_an_empty_folder_knows_its_earlier_votes_from_somebody_elses)
{
    for (u64 epoch_blocks = 3; epoch_blocks <= 50; epoch_blocks += 47) {
        rig_init(&rig, 4, epoch_blocks, *seed);
        rig_start(&rig);
        CHECK(rig_reaches(&rig, 30, 60 * RIG_S));
        for (u32 i = 0; i < 4; i++) {
            rig.cut[(i + 1) % 4] = true; /* the certificates of its last views name it */
            rig_until(&rig, rig.now_ns + 2 * RIG_S);
            rig_crash(&rig, i);
            rig_wipe(&rig, i);
            rig_open(&rig, i);
            rig_until(&rig, rig.now_ns + kl_rand_below(seed, RIG_S));
            rig.cut[(i + 1) % 4] = false;
            rig.nodes[i].signs = 0;
            CHECK(rig_reaches(&rig, rig.height + 20, 60 * RIG_S));
            CHECK(rig.nodes[i].signs > 5);
        }
        rig_done(&rig);
    }
}

/* Node 1 comes back with a guard that has signed elsewhere, in these views, what excludes what the
 * log says. */
static void return_with_other_guard(u64 from, u64 to)
{
    struct kl_guard *guard;
    kl_guard_owner owner = {.domain = kl_chain_vote_domain(kl_replica_chain(rig.nodes[1].replica)),
                            .scheme = rig.scheme};
    CHECK(rig.scheme->public_key(owner.key, &rig.nodes[1].vote_secret));
    rig_crash(&rig, 1);
    kl_sim_disk_free(rig.nodes[1].key_disk);
    CHECK_OK(kl_sim_disk_new(&rig.nodes[1].key_disk));
    CHECK_OK(kl_guard_create(&guard, kl_sim_disk_fs(rig.nodes[1].key_disk), &owner,
                             (kl_guard_view){0}, 256));
    for (u64 view = from; view < to; view++) {
        kl_vote_subject subject = {.kind = KL_VOTE_FINALIZE, .proposal = {.view = view}};
        kl_rule broken;
        CHECK_OK(kl_guard_ask(guard, &subject, &broken));
    }
    CHECK_OK(kl_guard_sync(guard));
    kl_guard_close(guard);
    rig.nodes[1].signs = 0;
    rig_open(&rig, 1);
    CHECK(strstr(rig.nodes[1].alarm, "older"));
    CHECK(!kl_replica_consensus(rig.nodes[1].replica).signing);
    rig_until(&rig, rig.now_ns + 400 * RIG_MS);
    CHECK_U64(rig.nodes[1].signs, 0);
}

KL_TEST(replica_whose_guard_and_log_exclude_one_another_watches)
{
    rig_init(&rig, 4, 200, *seed);
    rig_start(&rig);
    CHECK(rig_reaches(&rig, 20, 20 * RIG_S));
    return_with_other_guard(1, 100);
    rig_done(&rig);
}

static bool leads(u32 index)
{
    const struct rig_node *node = &rig.nodes[index];
    struct kl_tip *head = kl_chain_head(kl_replica_chain(node->replica));
    u8 key[KL_VOTE_KEY_MAX];
    u32 place;
    CHECK(rig.scheme->public_key(key, &node->vote_secret));
    CHECK(kl_valset_find(&head->epoch->set, key, &place));
    kl_tip_unref(head);
    return kl_replica_consensus(node->replica).leader == place;
}

/* From the first moment, also where it would give up its own turn at once. */
KL_TEST(replica_whose_guard_and_log_exclude_one_another_signs_nothing_at_its_start)
{
    for (u32 run = 0; run < 8; run++) {
        rig_init(&rig, 4, 200, *seed + run);
        rig_start(&rig);
        CHECK(rig_reaches(&rig, 20, 20 * RIG_S));
        while (!leads(1))
            rig_until(&rig, rig.now_ns + RIG_MS);
        u64 view = kl_replica_consensus(rig.nodes[1].replica).view;
        rig.cut[1] = true;
        return_with_other_guard(view - 4, view - 1);
        rig_done(&rig);
    }
}

static void is_none_of(void *ctx, const kl_vote_subject *subject)
{
    CHECK(!kl_vote_subject_eq(ctx, subject));
}

/* A vote in a turn of an earlier life, both in the log and neither in the guard: it may have been
 * asked for by the life behind that one, and refused, while another has left. */
KL_TEST(replica_takes_no_vote_over_in_a_turn_of_an_earlier_life)
{
    struct rig_node *node = &rig.nodes[1];
    struct kl_bft_log *log;
    struct kl_guard *guard;
    kl_bft_log_report report;
    kl_rule broken = KL_RULE_COUNT;
    kl_vote_subject subject = {.kind = KL_VOTE_NOTARIZE, .proposal = {.height = 1}};
    rig_init(&rig, 4, 200, *seed);
    rig_start(&rig);
    CHECK(rig_reaches(&rig, 5, 20 * RIG_S));
    kl_guard_owner owner = {.domain = kl_chain_vote_domain(kl_replica_chain(node->replica)),
                            .scheme = rig.scheme};
    CHECK(rig.scheme->public_key(owner.key, &node->vote_secret));
    subject.proposal.view = kl_replica_consensus(node->replica).view + 3;
    rig_crash(&rig, 1);
    CHECK_OK(kl_bft_log_open(&log, kl_sim_disk_fs(node->disk), 1 << 20, &report));
    CHECK_OK(kl_bft_log_turn(log, 0, subject.proposal.view));
    CHECK_OK(kl_bft_log_vote(log, &subject, (kl_span){NULL, 0}));
    CHECK_OK(kl_bft_log_sync(log));
    kl_bft_log_close(log);
    rig_open(&rig, 1);
    CHECK(!node->alarm[0]);
    rig_crash(&rig, 1);
    CHECK_OK(kl_guard_open(&guard, kl_sim_disk_fs(node->key_disk), &owner, &broken));
    CHECK_RULE(broken, KL_RULE_NONE);
    kl_guard_each(guard, is_none_of, &subject);
    CHECK_OK(kl_guard_ask(guard, &subject, &broken));
    CHECK_RULE(broken, KL_RULE_GUARD_TURN);
    kl_guard_close(guard);
    rig_done(&rig);
}

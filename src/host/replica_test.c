#include "host/replica_rig_test.h"
#include "sim/disk.h"
#include "store/memkv.h"

static struct rig rig;

KL_TEST(replica_four_make_blocks_final_with_transactions)
{
    rig_init(&rig, 4, 32, *seed);
    rig_start(&rig);
    CHECK(rig_reaches(&rig, 3, 20 * RIG_S));
    for (u32 i = 0; i < 40; i++)
        CHECK_RULE(rig_submit(&rig, i % 4, i % RIG_ACCOUNTS), KL_RULE_NONE);
    CHECK(rig_reaches(&rig, 20, 60 * RIG_S));
    CHECK_U64(rig.transactions, 40);
    for (u32 i = 0; i < 4; i++) {
        CHECK_U64(kl_pool_count(kl_replica_pool(rig.nodes[i].replica)).pending, 0);
        CHECK_U64(rig.nodes[i].penalties, 0);
    }
    rig_done(&rig);
}

KL_TEST(replica_one_alone_is_a_chain)
{
    rig_init(&rig, 1, 5, *seed);
    rig_start(&rig);
    CHECK_RULE(rig_submit(&rig, 0, 0), KL_RULE_NONE);
    CHECK(rig_reaches(&rig, 23, 60 * RIG_S));
    CHECK_U64(rig.transactions, 1);
    rig_done(&rig);
}

/* Everybody's pool is empty in the end, and every transaction is in one block. */
static void check_settled(u64 transactions)
{
    CHECK_U64(rig.transactions, transactions);
    for (u32 i = 0; i < rig.count; i++)
        if (rig.nodes[i].up) {
            CHECK_U64(kl_pool_count(kl_replica_pool(rig.nodes[i].replica)).pending, 0);
            CHECK_U64(rig.nodes[i].penalties, 0);
            CHECK(kl_replica_health(rig.nodes[i].replica) == KL_OK);
        }
}

KL_TEST(replica_who_crashed_comes_back_and_votes_again)
{
    rig_init(&rig, 4, 32, *seed);
    rig_start(&rig);
    CHECK(rig_reaches(&rig, 5, 20 * RIG_S));
    for (u32 node = 0; node < 4; node++) {
        rig_crash(&rig, node);
        u64 height = rig.height;
        for (u32 i = 0; i < 6; i++)
            CHECK_RULE(rig_submit(&rig, (node + 1) % 4, i % RIG_ACCOUNTS), KL_RULE_NONE);
        CHECK(rig_reaches(&rig, height + 8, 60 * RIG_S));
        rig_open(&rig, node);
        rig.nodes[node].signs = 0;
        CHECK(rig_reaches(&rig, rig.height + 8, 60 * RIG_S));
        CHECK(rig.nodes[node].signs > 4);
    }
    check_settled(24);
    rig_done(&rig);
}

/* All crash at once, again and again; nothing that was shown is lost. */
KL_TEST(replica_a_network_survives_the_power_cut_of_all)
{
    rig_init(&rig, 4, 6, *seed);
    rig_start(&rig);
    for (u32 round = 0; round < 12; round++) {
        u64 height = rig.height;
        rig_until(&rig, rig.now_ns + 300 * RIG_MS + kl_rand_below(seed, 900 * RIG_MS));
        for (u32 i = 0; i < 4; i++)
            rig_crash(&rig, i);
        for (u32 i = 0; i < 4; i++)
            rig_open(&rig, i);
        CHECK(rig_reaches(&rig, height + 2, 60 * RIG_S));
    }
    CHECK(rig_reaches(&rig, rig.height + 10, 60 * RIG_S));
    check_settled(0);
    rig_done(&rig);
}

KL_TEST(replica_one_alone_survives_power_cuts)
{
    rig_init(&rig, 1, 5, *seed);
    rig_start(&rig);
    for (u32 round = 0; round < 20; round++) {
        u64 height = rig.height;
        rig_until(&rig, rig.now_ns + kl_rand_below(seed, 400 * RIG_MS));
        rig_crash(&rig, 0);
        rig_open(&rig, 0);
        CHECK(rig.nodes[0].height >= height);
        CHECK_RULE(rig_submit(&rig, 0, 0), KL_RULE_NONE);
        CHECK(rig_reaches(&rig, rig.height + 3, 60 * RIG_S));
    }
    check_settled(20);
    rig_done(&rig);
}

static bool without_bodies(struct rig *r, u32 from, u32 to, kl_message_kind kind)
{
    return kind != KL_MESSAGE_PROPOSAL || to != (from + 1) % r->count;
}

/* A leader's proposal never reaches one of the others: it hears of it by the votes, and fetches the
 * block. */
KL_TEST(replica_a_body_that_did_not_come_is_fetched)
{
    rig_init(&rig, 4, 32, *seed);
    rig.passes = without_bodies;
    rig_start(&rig);
    CHECK_RULE(rig_submit(&rig, 0, 0), KL_RULE_NONE);
    CHECK(rig_reaches(&rig, 20, 60 * RIG_S));
    CHECK(rig.frames[KL_MESSAGE_ASK_BODY] > 10 && rig.frames[KL_MESSAGE_BODY] > 10);
    check_settled(1);
    rig_done(&rig);
}

static bool one_hears_and_is_not_heard(struct rig *r, u32 from, u32 to, kl_message_kind kind)
{
    bool lost = to == 3 && kind == KL_MESSAGE_PROPOSAL && r->height < 8;
    return from != 3 && !lost;
}

/* It can execute nothing and ask for nothing, and others go on without it for long: what it
 * collects is bounded, and is of no harm once it is heard. */
KL_TEST(replica_who_hears_but_cannot_ask_holds_little)
{
    rig_init(&rig, 4, 2000, *seed);
    rig_start(&rig);
    CHECK(rig_reaches(&rig, 3, 20 * RIG_S));
    rig.passes = one_hears_and_is_not_heard;
    usize most = 0;
    while (rig.height < 400) {
        u64 height = rig.height;
        rig_until(&rig, rig.now_ns + 5 * RIG_S);
        CHECK(rig.height > height);
        most = KL_MAX(most, kl_replica_load_of(rig.nodes[3].replica).candidates);
    }
    CHECK(rig.nodes[3].height < 8);
    CHECK(most > 100 && most < 200);
    rig.passes = NULL;
    u64 height = rig.height;
    rig_until(&rig, rig.now_ns + 20 * RIG_S);
    CHECK(rig.nodes[3].height > height);
    CHECK(kl_replica_load_of(rig.nodes[3].replica).candidates < 10);
    check_settled(0);
    rig_done(&rig);
}

KL_TEST(replica_who_was_away_catches_up_over_epochs)
{
    rig_init(&rig, 4, 7, *seed);
    rig_start(&rig);
    CHECK(rig_reaches(&rig, 3, 20 * RIG_S));
    rig.cut[2] = true;
    for (u32 i = 0; i < 30; i++) {
        CHECK_RULE(rig_submit(&rig, 0, i % RIG_ACCOUNTS), KL_RULE_NONE);
        rig_until(&rig, rig.now_ns + RIG_S);
    }
    CHECK(rig.height > 100 && rig.nodes[2].height < 10);
    rig.cut[2] = false;
    CHECK(rig_reaches(&rig, rig.height + 5, 60 * RIG_S));
    CHECK(rig.frames[KL_MESSAGE_BLOCKS] > 10);
    rig.nodes[2].signs = 0;
    rig.cut[1] = true; /* now it is needed */
    u64 height = rig.height;
    rig_until(&rig, rig.now_ns + 10 * RIG_S);
    CHECK(rig.height > height + 20 && rig.nodes[2].signs > 20);
    rig.cut[1] = false;
    CHECK(rig_reaches(&rig, rig.height + 5, 60 * RIG_S));
    check_settled(30);
    rig_done(&rig);
}

/* Its consensus log is slower than epochs are long: the engine is moved on all the same. */
static void lose_finality(KL_UNUSED struct rig *r, KL_UNUSED u32 from, kl_message *m)
{
    bool is_lost =
        (m->kind == KL_MESSAGE_VOTE && m->vote.subject.kind == KL_VOTE_FINALIZE) ||
        (m->kind == KL_MESSAGE_CERTIFICATE && m->certificate.subject.kind == KL_VOTE_FINALIZE);
    if (is_lost)
        *m = (kl_message){.kind = KL_MESSAGE_STATUS};
}

static bool votes_before_bodies(struct rig *r, u32 from, u32 to, kl_message_kind kind)
{
    return kind != KL_MESSAGE_BLOCKS &&
           (r->now_ns > 2 * RIG_S || without_bodies(r, from, to, kind));
}

/* Many blocks are notarized and none is final, more than the engine has views for.  Each node has
 * heard of some of the lowest that they were notarized before they came.  They are there when all
 * are final, for nobody has them by height. */
KL_TEST(replica_keeps_what_notarized_blocks_stand_on)
{
    rig_init(&rig, 4, 2000, kl_rand(seed));
    rig_start(&rig);
    rig.twist = lose_finality;
    rig.passes = votes_before_bodies;
    rig_until(&rig, 12 * RIG_S);
    CHECK_U64(rig.height, 0);
    CHECK(kl_replica_load_of(rig.nodes[0].replica).candidates > 64);
    rig.twist = NULL;
    CHECK(rig_reaches(&rig, 80, 20 * RIG_S));
    rig_done(&rig);
}

/* Who asks about an epoch that is over here fetches blocks once it knows that we have them. */
KL_TEST(replica_tells_its_height_to_who_is_epochs_behind)
{
    rig_init(&rig, 4, 4, kl_rand(seed));
    rig_start(&rig);
    CHECK(rig_reaches(&rig, 10, 60 * RIG_S));
    u64 told = rig.frames[KL_MESSAGE_STATUS];
    kl_message ask = {.kind = KL_MESSAGE_ASK_CERTIFICATES, .epoch = 2, .from = 1, .to = 9};
    rig_deliver(&rig, 0, 3, &ask);
    CHECK_U64(rig.frames[KL_MESSAGE_STATUS], told);
    ask.epoch = 0;
    rig_deliver(&rig, 0, 3, &ask);
    CHECK_U64(rig.frames[KL_MESSAGE_STATUS], told + 1);
    rig_done(&rig);
}

/* It is where the others were three seconds before, or later, however many epochs they make in a
 * second. */
KL_TEST(replica_with_a_slow_log_does_not_stay_in_an_old_epoch)
{
    rig_init(&rig, 4, 2, *seed);
    rig_start(&rig);
    CHECK(rig_reaches(&rig, 3, 20 * RIG_S));
    rig.nodes[2].lane_slow_ns[KL_LANE_LOG] = RIG_S;
    rig_until(&rig, rig.now_ns + 10 * RIG_S);
    u64 others[20]; /* second by second */
    for (u32 i = 0; i < KL_COUNT_OF(others); i++) {
        rig_until(&rig, rig.now_ns + RIG_S);
        others[i] = kl_replica_consensus(rig.nodes[0].replica).epoch;
        CHECK(others[i] > 30);
        CHECK(i < 3 || kl_replica_consensus(rig.nodes[2].replica).epoch >= others[i - 3]);
    }
    rig_done(&rig);
}

/* And the same for one that lost its ledger and kept its key. */
KL_TEST(replica_with_an_empty_folder_fetches_the_chain)
{
    rig_init(&rig, 4, 7, *seed);
    rig_start(&rig);
    CHECK_RULE(rig_submit(&rig, 0, 0), KL_RULE_NONE);
    CHECK(rig_reaches(&rig, 40, 60 * RIG_S));
    rig_crash(&rig, 3);
    kl_sim_disk_free(rig.nodes[3].disk);
    kl_kv_close(rig.nodes[3].kv);
    CHECK_OK(kl_sim_disk_new(&rig.nodes[3].disk));
    CHECK_OK(kl_memkv_open(&rig.nodes[3].kv, KL_TABLE_COUNT));
    rig_open(&rig, 3);
    CHECK(rig_reaches(&rig, rig.height + 20, 60 * RIG_S));
    check_settled(1);
    rig_done(&rig);
}

KL_TEST(replica_observers_follow_and_sign_nothing)
{
    rig_init(&rig, 5, 7, *seed);
    rig.no_key[4] = true;
    rig_start(&rig);
    CHECK_RULE(rig.nodes[4].report.guard, KL_RULE_GUARD_MISSING);
    CHECK_RULE(rig_submit(&rig, 4, 0), KL_RULE_NONE);
    CHECK(rig_reaches(&rig, 30, 60 * RIG_S));
    CHECK_U64(rig.nodes[4].signs, 0);
    check_settled(1);
    rig_done(&rig);
}

KL_TEST(replica_without_its_guard_observes)
{
    rig_init(&rig, 4, 32, *seed);
    rig_start(&rig);
    CHECK(rig_reaches(&rig, 5, 20 * RIG_S));
    rig_crash(&rig, 1);
    CHECK_OK(kl_fs_unlink(kl_sim_disk_fs(rig.nodes[1].key_disk), "sign.guard"));
    rig_open(&rig, 1);
    CHECK_RULE(rig.nodes[1].report.guard, KL_RULE_GUARD_MISSING);
    rig.nodes[1].signs = 0;
    CHECK(rig_reaches(&rig, rig.height + 10, 60 * RIG_S));
    CHECK_U64(rig.nodes[1].signs, 0);
    rig_crash(&rig, 1);
    CHECK_OK(kl_sim_disk_flip(rig.nodes[2].key_disk, "sign.guard", 100, 1));
    rig_crash(&rig, 2);
    rig_open(&rig, 2);
    CHECK_RULE(rig.nodes[2].report.guard, KL_RULE_GUARD_DAMAGED);
    rig_done(&rig);
}

/* Node 1 signs nothing until blocks that were proposed since have become final. */
static void check_watches(void)
{
    u64 opened_ns = rig.now_ns;
    rig.nodes[1].signs = 0;
    while (!rig.nodes[1].signs && rig.now_ns < opened_ns + 60 * RIG_S)
        rig_until(&rig, rig.now_ns + 10 * RIG_MS);
    CHECK(rig.nodes[1].signs && rig.now_ns > opened_ns + 500 * RIG_MS);
    CHECK(rig_reaches(&rig, rig.height + 10, 60 * RIG_S));
    for (u32 i = 0; i < 4; i++)
        CHECK_U64(rig.nodes[i].found, 0);
}

/* The guard comes back from a copy, again and again, whatever it signed since: the consensus log
 * holds that, and the guard is made whole. */
KL_TEST(replica_with_an_old_guard_learns_its_votes_from_the_log)
{
    rig_init(&rig, 4, 200, *seed);
    rig_start(&rig);
    CHECK(rig_reaches(&rig, 5, 20 * RIG_S));
    for (u32 i = 0; i < 40; i++) {
        struct kl_sim_disk *copy;
        CHECK_OK(kl_sim_disk_cut(rig.nodes[1].key_disk, UINT64_MAX, KL_CUT_KEEP, 0, &copy));
        rig.cut[3] = kl_rand_below(seed, 2); /* node 1 is needed, or not */
        rig_until(&rig, rig.now_ns + kl_rand_below(seed, 500 * RIG_MS));
        u64 end_ns = rig.now_ns + 10 * RIG_S;
        for (usize signs = rig.nodes[1].signs; rig.nodes[1].signs == signs;
             CHECK(rig.now_ns < end_ns))
            rig_until(&rig, rig.now_ns + RIG_MS); /* and goes right behind a vote */
        rig_crash(&rig, 1);
        kl_sim_disk_free(rig.nodes[1].key_disk);
        rig.nodes[1].key_disk = copy;
        rig_open(&rig, 1);
        rig_until(&rig, rig.now_ns + kl_rand_below(seed, 500 * RIG_MS));
    }
    rig.cut[3] = false;
    rig.nodes[1].signs = 0;
    CHECK(rig_reaches(&rig, rig.height + 10, 60 * RIG_S));
    CHECK(rig.nodes[1].signs > 5);
    check_settled(0);
    rig_done(&rig);
}

/* Everything comes back from a copy: only whoever brought it back can know. */
KL_TEST(replica_that_was_restored_watches_first)
{
    struct kl_sim_disk *data, *key;
    rig_init(&rig, 4, 200, *seed);
    rig_start(&rig);
    CHECK(rig_reaches(&rig, 5, 20 * RIG_S));
    CHECK_OK(kl_sim_disk_cut(rig.nodes[1].key_disk, UINT64_MAX, KL_CUT_KEEP, 0, &key));
    CHECK_OK(kl_sim_disk_cut(rig.nodes[1].disk, UINT64_MAX, KL_CUT_DROP, 0, &data));
    CHECK(rig_reaches(&rig, 20, 20 * RIG_S));
    rig_crash(&rig, 1);
    kl_sim_disk_free(rig.nodes[1].key_disk);
    kl_sim_disk_free(rig.nodes[1].disk);
    kl_kv_close(rig.nodes[1].kv);
    rig.nodes[1].key_disk = key;
    rig.nodes[1].disk = data;
    CHECK_OK(kl_memkv_open(&rig.nodes[1].kv, KL_TABLE_COUNT));
    rig.restored[1] = true;
    rig_open(&rig, 1);
    CHECK(!rig.nodes[1].alarm[0] && !kl_replica_consensus(rig.nodes[1].replica).signing);
    check_watches();
    rig_done(&rig);
}

KL_TEST(replica_with_a_damaged_log_observes_until_the_others_have_gone_past_its_votes)
{
    rig_init(&rig, 4, 200, *seed);
    rig_start(&rig);
    CHECK(rig_reaches(&rig, 12, 20 * RIG_S));
    rig_crash(&rig, 1);
    CHECK_OK(kl_sim_disk_flip(rig.nodes[1].disk, "consensus/0000000000000000.seg", 40, 1));
    rig_open(&rig, 1);
    CHECK(rig.nodes[1].report.log.damaged);
    CHECK(!kl_replica_consensus(rig.nodes[1].replica).signing);
    rig.nodes[1].signs = 0;
    CHECK(rig_reaches(&rig, rig.height + 10, 60 * RIG_S));
    CHECK(rig.nodes[1].signs > 5 && kl_replica_consensus(rig.nodes[1].replica).signing);
    rig_crash(&rig, 1);
    rig_open(&rig, 1);
    CHECK(!rig.nodes[1].report.log.damaged);
    rig_done(&rig);
}

static void check_stops(struct kl_sim_disk *disk, kl_status status)
{
    u64 height = rig.nodes[1].height;
    kl_sim_disk_fail(disk, 0, status, 3);
    rig_until(&rig, rig.now_ns + 5 * RIG_S);
    CHECK(kl_replica_health(rig.nodes[1].replica) == status);
    CHECK(!kl_replica_consensus(rig.nodes[1].replica).signing && rig.nodes[1].alarm[0]);
    usize signs = rig.nodes[1].signs;
    CHECK(rig.height > height + 10);
    rig_until(&rig, rig.now_ns + 5 * RIG_S);
    CHECK_U64(rig.nodes[1].signs, signs);
    struct kl_reader *reader; /* reads go on */
    CHECK_OK(kl_reader_open(kl_replica_chain(rig.nodes[1].replica), &reader));
    CHECK(kl_reader_tip(reader)->header.number >= height);
    kl_reader_close(reader);
    kl_rule broken;
    kl_tx tx = {.gas_limit = 21000};
    CHECK(kl_replica_submit(rig.nodes[1].replica, &tx, false, &broken) == status);
}

KL_TEST(replica_a_failing_disk_stops_signing_and_not_the_others)
{
    static const kl_status failures[] = {KL_IO, KL_FULL};
    for (u32 i = 0; i < 4; i++) {
        rig_init(&rig, 4, 32, *seed);
        rig_start(&rig);
        CHECK(rig_reaches(&rig, 5, 20 * RIG_S));
        check_stops(i % 2 ? rig.nodes[1].key_disk : rig.nodes[1].disk, failures[i / 2]);
        rig_done(&rig);
    }
}

/* The process goes on: what was written is there, and the disk takes more. */
static void open_again(u32 node)
{
    rig_crash_how(&rig, node, KL_CUT_KEEP);
    rig_open(&rig, node);
    CHECK_OK(kl_replica_health(rig.nodes[node].replica));
    usize signs = rig.nodes[node].signs;
    CHECK(rig_reaches(&rig, rig.height + 10, 60 * RIG_S));
    CHECK(rig.nodes[node].signs > signs + 5);
    CHECK(kl_replica_consensus(rig.nodes[node].replica).signing);
    CHECK_RULE(rig_submit(&rig, node, 1), KL_RULE_NONE);
}

KL_TEST(replica_without_room_goes_on_when_it_is_opened_again)
{
    for (u32 i = 0; i < 2; i++) {
        rig_init(&rig, 4, 32, *seed);
        rig_start(&rig);
        CHECK(rig_reaches(&rig, 5, 20 * RIG_S));
        check_stops(i ? rig.nodes[1].key_disk : rig.nodes[1].disk, KL_FULL);
        open_again(1);
        rig_done(&rig);
    }
}

KL_TEST(replica_that_is_halted_writes_nothing_and_goes_on_when_it_is_opened_again)
{
    rig_init(&rig, 4, 32, *seed);
    rig_start(&rig);
    CHECK(rig_reaches(&rig, 5, 20 * RIG_S));
    kl_replica_halt(rig.nodes[1].replica);
    CHECK(kl_replica_health(rig.nodes[1].replica) == KL_FULL && !rig.nodes[1].alarm[0]);
    rig_until(&rig, rig.now_ns + RIG_S); /* what was on its way ends */
    u64 operations =
        kl_sim_disk_operations(rig.nodes[1].disk) + kl_sim_disk_operations(rig.nodes[1].key_disk);
    u64 height = rig.height;
    rig_until(&rig, rig.now_ns + 20 * RIG_S);
    CHECK(rig.height > height + 20);
    CHECK_U64(kl_sim_disk_operations(rig.nodes[1].disk) +
                  kl_sim_disk_operations(rig.nodes[1].key_disk),
              operations);
    open_again(1);
    rig_done(&rig);
}

/* Node 3's key is in other hands, which sign two finalize votes in its name. */
static void equivocate(void)
{
    struct kl_tip *head = kl_chain_published(kl_replica_chain(rig.nodes[0].replica));
    kl_vote_domain domain = kl_chain_vote_domain(kl_replica_chain(rig.nodes[0].replica));
    kl_simplex_status status = kl_replica_consensus(rig.nodes[0].replica);
    kl_vote_subject subject = {.kind = KL_VOTE_FINALIZE,
                               .proposal = {.epoch = head->epoch->number,
                                            .view = status.view + 1,
                                            .parent_view = status.view,
                                            .height = head->header.number + 2,
                                            .parent_hash = head->hash}};
    for (u32 i = 0; i < 2; i++) {
        kl_message message = {.kind = KL_MESSAGE_VOTE};
        subject.proposal.block_hash.b[0] = (u8)(i + 1);
        CHECK(kl_vote_sign(&message.vote, &subject, 3, rig.scheme, &rig.nodes[3].vote_secret,
                           &domain));
        rig_deliver(&rig, i, 3, &message); /* one each: the votes are not forwarded */
        rig_deliver(&rig, 2, 3, &message);
    }
    kl_tip_unref(head);
}

KL_TEST(replica_two_votes_of_one_validator_are_evidence_for_all)
{
    rig_init(&rig, 4, 200, *seed);
    rig_start(&rig);
    CHECK(rig_reaches(&rig, 5, 20 * RIG_S));
    rig.cut[3] = true;
    equivocate();
    rig_until(&rig, rig.now_ns + RIG_S);
    for (u32 i = 0; i < 3; i++)
        CHECK_U64(rig.nodes[i].found, 1);
    rig_done(&rig);
}

static u32 validators_at(u32 node)
{
    struct kl_tip *head = kl_chain_published(kl_replica_chain(rig.nodes[node].replica));
    u32 count = head->epoch->set.count;
    kl_tip_unref(head);
    return count;
}

/* Evidence goes on chain, once, and whom it names is no validator any more in a later epoch. */
KL_TEST(replica_evidence_goes_on_chain_and_has_its_consequence)
{
    rig_init(&rig, 4, 16, *seed);
    rig.policy = true;
    rig_start(&rig);
    CHECK(rig_reaches(&rig, 5, 20 * RIG_S));
    CHECK_U64(validators_at(0), 4);
    rig.cut[3] = true;
    equivocate();
    rig_until(&rig, rig.now_ns + 30 * RIG_S);
    CHECK(rig.height > 33);
    CHECK_U64(rig.transactions, 1);
    for (u32 i = 0; i < 3; i++) {
        CHECK_U64(validators_at(i), 3);
        CHECK_U64(kl_pool_count(kl_replica_pool(rig.nodes[i].replica)).pending, 0);
    }
    rig_done(&rig);
}

/* A wall clock that is far behind finds every block too early, and votes when it is time. */
KL_TEST(replica_a_block_ahead_of_our_clock_is_voted_for_later)
{
    rig_init(&rig, 4, 32, *seed);
    rig.nodes[2].skew_ns = -(i64)(900 * RIG_MS);
    rig_start(&rig);
    CHECK(rig_reaches(&rig, 10, 60 * RIG_S));
    CHECK(rig.nodes[2].signs > 5);
    CHECK(rig.nodes[2].refused > 5);
    CHECK_RULE(rig.nodes[2].refusal, KL_RULE_CONSENSUS_EARLY);
    CHECK_U64(rig.nodes[0].refused + rig.nodes[1].refused + rig.nodes[3].refused, 0);
    check_settled(0);
    rig_done(&rig);
}

/* What a chain of four with one clock that is off makes in 20 s. */
static u64 blocks_with_a_clock(i64 off_ns, u64 seed)
{
    rig_init(&rig, 4, 1000, seed);
    rig.nodes[2].skew_ns = off_ns;
    rig_start(&rig);
    CHECK(rig_reaches(&rig, 8, 60 * RIG_S));
    u64 from = rig.height;
    rig_until(&rig, rig.now_ns + 20 * RIG_S);
    u64 made = rig.height - from;
    check_settled(0);
    rig_done(&rig);
    return made;
}

/* A leader whose clock is ahead costs its turn and nobody's patience.  One whose clock is behind
 * leads as any other; it finds all blocks early, and hinders none of them. */
KL_TEST(replica_a_leader_an_hour_ahead_is_not_waited_for)
{
    u64 right = blocks_with_a_clock(0, *seed);
    u64 ahead = blocks_with_a_clock((i64)(3600 * RIG_S), *seed);
    u64 behind = blocks_with_a_clock(-(i64)(900 * RIG_S), *seed);
    CHECK(ahead >= right * 3 / 4);
    CHECK(behind >= right * 3 / 4);
}

/* A burst goes out in a few messages and is in the next blocks, whoever leads them. */
KL_TEST(replica_many_transactions_travel_together)
{
    rig_init(&rig, 4, 200, *seed);
    rig_start(&rig);
    CHECK(rig_reaches(&rig, 3, 20 * RIG_S));
    for (u32 i = 0; i < 600; i++)
        CHECK_RULE(rig_submit(&rig, 0, i % RIG_ACCOUNTS), KL_RULE_NONE);
    u64 height = rig.height;
    CHECK(rig_reaches(&rig, height + 3, 20 * RIG_S));
    CHECK(rig.frames[KL_MESSAGE_TRANSACTIONS] <= 12);
    check_settled(600);
    /* What is no transaction tells of its sender. */
    const kl_span garbage = KL_SPAN_TEXT("\x02\xc3\x01\x02\x03");
    rig_deliver(&rig, 1, 2,
                &(kl_message){.kind = KL_MESSAGE_TRANSACTIONS,
                              .transactions = &garbage,
                              .transaction_count = 1});
    rig_until(&rig, rig.now_ns + RIG_S);
    CHECK_U64(rig.nodes[1].penalties, 1);
    rig_done(&rig);
}

KL_TEST(replica_an_idle_chain_is_silent_until_a_transaction_comes)
{
    rig_init(&rig, 4, 200, *seed);
    rig.empty_ms = 60000;
    rig_start(&rig);
    rig_until(&rig, rig.now_ns + 30 * RIG_S);
    CHECK(rig.height < 2);
    u64 height = rig.height;
    CHECK_RULE(rig_submit(&rig, 1, 0), KL_RULE_NONE);
    rig_until(&rig, rig.now_ns + 2 * RIG_S);
    CHECK_U64(rig.transactions, 1);
    CHECK(rig.height > height && rig.height < height + 5);
    height = rig.height;
    rig_until(&rig, rig.now_ns + 20 * RIG_S);
    CHECK(rig.height < height + 2);
    check_settled(1);
    rig_done(&rig);
}

static bool no_transactions(KL_UNUSED struct rig *r, KL_UNUSED u32 from, KL_UNUSED u32 to,
                            kl_message_kind kind)
{
    return kind != KL_MESSAGE_TRANSACTIONS;
}

/* Who was sent a transaction is alone, and dies; what it had is there when it comes back, and goes
 * to the others. */
KL_TEST(replica_own_transactions_survive_a_crash)
{
    rig_init(&rig, 4, 32, *seed);
    rig_start(&rig);
    CHECK(rig_reaches(&rig, 3, 20 * RIG_S));
    for (unsigned how = KL_CUT_DROP; how <= KL_CUT_RANDOM; how++) {
        u64 before = rig.transactions;
        rig.cut[1] = true;
        for (u32 i = 0; i < 6; i++)
            CHECK_RULE(rig_submit(&rig, 1, i % RIG_ACCOUNTS), KL_RULE_NONE);
        rig_until(&rig, rig.now_ns + RIG_S);
        rig_crash_how(&rig, 1, how);
        rig_until(&rig, rig.now_ns + 2 * RIG_S);
        CHECK_U64(rig.transactions, before);
        rig.cut[1] = false;
        rig_open(&rig, 1);
        CHECK_U64(kl_pool_count(kl_replica_pool(rig.nodes[1].replica)).pending, 6);
        CHECK(rig_reaches(&rig, rig.height + 10, 60 * RIG_S));
        CHECK_U64(rig.transactions, before + 6);
    }
    /* What is in a block is not brought back. */
    rig_crash_how(&rig, 1, KL_CUT_KEEP);
    rig_open(&rig, 1);
    CHECK_U64(kl_pool_count(kl_replica_pool(rig.nodes[1].replica)).pending, 0);
    check_settled(18);
    rig_done(&rig);
}

/* Who kills it as soon as it has answered finds what it took, whatever its file is doing. */
KL_TEST(replica_own_transactions_survive_a_kill_at_once)
{
    rig_init(&rig, 4, 32, *seed);
    rig_start(&rig);
    CHECK(rig_reaches(&rig, 3, 20 * RIG_S));
    rig.cut[1] = true;
    u64 waited = 0;
    for (u32 i = 0; i < 20; i++) {
        for (u32 n = 0; n < 3; n++) {
            rig_until(&rig, rig.now_ns + kl_rand_below(seed, 60 * RIG_MS));
            kl_tx tx = rig_tx(&rig, i % RIG_ACCOUNTS, 4711);
            CHECK_RULE(rig_submit(&rig, 1, i % RIG_ACCOUNTS), KL_RULE_NONE);
            for (; kl_replica_is_writing(rig.nodes[1].replica, &tx.hash); waited++)
                rig_until(&rig, rig.now_ns + RIG_MS);
        }
        rig_crash_how(&rig, 1, KL_CUT_KEEP);
        rig_open(&rig, 1);
        CHECK_U64(kl_pool_count(kl_replica_pool(rig.nodes[1].replica)).pending, 3 * (i + 1));
    }
    CHECK(waited < 10); /* most of them not a moment */
    rig.cut[1] = false;
    CHECK(rig_reaches(&rig, rig.height + 10, 60 * RIG_S));
    check_settled(60);
    rig_done(&rig);
}

/* Where the first word of a transaction is lost, it is said again. */
KL_TEST(replica_own_transactions_are_sent_until_they_are_final)
{
    rig_init(&rig, 4, 32, *seed);
    rig.no_key[3] = true;
    rig_start(&rig);
    CHECK(rig_reaches(&rig, 3, 20 * RIG_S));
    rig.passes = no_transactions;
    for (u32 i = 0; i < 6; i++)
        CHECK_RULE(rig_submit(&rig, 3, i % RIG_ACCOUNTS), KL_RULE_NONE);
    rig_until(&rig, rig.now_ns + 4 * RIG_S);
    CHECK_U64(rig.transactions, 0);
    rig.passes = NULL;
    u64 frames = rig.frames[KL_MESSAGE_TRANSACTIONS];
    rig_until(&rig, rig.now_ns + 12 * RIG_S);
    check_settled(6);
    CHECK(rig.frames[KL_MESSAGE_TRANSACTIONS] > frames);
    frames = rig.frames[KL_MESSAGE_TRANSACTIONS];
    rig_until(&rig, rig.now_ns + 40 * RIG_S); /* and not any more */
    CHECK_U64(rig.frames[KL_MESSAGE_TRANSACTIONS], frames);
    rig_done(&rig);
}

/* Nonces with gaps, each to another node: all travel, and are in blocks in order. */
KL_TEST(replica_gapped_nonces_travel_and_wait_for_one_another)
{
    rig_init(&rig, 4, 32, *seed);
    rig_start(&rig);
    CHECK(rig_reaches(&rig, 3, 20 * RIG_S));
    for (u64 nonce = 8; nonce-- > 1;) {
        rig.nonce[0] = nonce;
        CHECK_RULE(rig_submit(&rig, (u32)(nonce % 4), 0), KL_RULE_NONE);
    }
    rig_until(&rig, rig.now_ns + RIG_S);
    CHECK_U64(rig.transactions, 0);
    for (u32 i = 0; i < 4; i++)
        CHECK_U64(kl_pool_count(kl_replica_pool(rig.nodes[i].replica)).queued, 7);
    rig.nonce[0] = 0;
    CHECK_RULE(rig_submit(&rig, 2, 0), KL_RULE_NONE);
    CHECK(rig_reaches(&rig, rig.height + 10, 60 * RIG_S));
    check_settled(8);
    rig_done(&rig);
}

/* A replacement is the one that a restart brings back. */
KL_TEST(replica_a_replaced_transaction_stays_replaced)
{
    rig_init(&rig, 4, 32, *seed);
    rig_start(&rig);
    CHECK(rig_reaches(&rig, 3, 20 * RIG_S));
    rig.cut[1] = true;
    CHECK_RULE(rig_submit(&rig, 1, 0), KL_RULE_NONE);
    rig.nonce[0] = 0;
    rig.fee_percent = 120;
    CHECK_RULE(rig_submit(&rig, 1, 0), KL_RULE_NONE);
    rig_until(&rig, rig.now_ns + RIG_S);
    rig_crash(&rig, 1);
    rig_open(&rig, 1);
    CHECK_U64(kl_pool_count(kl_replica_pool(rig.nodes[1].replica)).pending, 1);
    rig.nonce[0] = 0; /* cheaper than what is there */
    rig.fee_percent = 110;
    CHECK_RULE(rig_submit(&rig, 1, 0), KL_RULE_POOL_REPLACE_UNDERPRICED);
    rig.cut[1] = false;
    CHECK(rig_reaches(&rig, rig.height + 10, 60 * RIG_S));
    check_settled(1);
    rig_done(&rig);
}

/* A node that has lost its data takes its state from the others, and goes on as one that executed.
 */
#include "host/filler.h"

#include "host/replica_rig_test.h"
#include "sim/disk.h"

static struct rig rig;

static void begin(u64 *seed, u64 height)
{
    rig_init(&rig, 4, 20, kl_rand(seed));
    rig_start(&rig);
    for (u32 i = 0; i < 8; i++)
        CHECK_RULE(rig_submit(&rig, 0, i % RIG_ACCOUNTS), KL_RULE_NONE);
    CHECK(rig_reaches(&rig, height / 2, 600 * RIG_S));
    for (u32 i = 0; i < 8; i++)
        CHECK_RULE(rig_submit(&rig, 1, i % RIG_ACCOUNTS), KL_RULE_NONE);
    CHECK(rig_reaches(&rig, height, 600 * RIG_S));
}

static kl_filler_status status_of(u32 node)
{
    kl_filler_status status;
    kl_filler_status_of(rig.nodes[node].filler, &status);
    return status;
}

static bool is_over(u32 node)
{
    kl_filler_phase phase = status_of(node).phase;
    return phase != KL_FILLER_RECORDS && phase != KL_FILLER_STATE;
}

static void until_over(u32 node, u64 timeout_ns)
{
    u64 end_ns = rig.now_ns + timeout_ns;
    while (!is_over(node) && rig.now_ns < end_ns)
        rig_until(&rig, rig.now_ns + 10 * RIG_MS);
    CHECK(is_over(node));
}

/* Receipts and state of every block are those of another node. */
static void check_same(u32 node, u32 other, u64 height)
{
    struct kl_reader *readers[2];
    struct kl_arena arena;
    CHECK_OK(kl_reader_open(kl_replica_chain(rig.nodes[node].replica), &readers[0]));
    CHECK_OK(kl_reader_open(kl_replica_chain(rig.nodes[other].replica), &readers[1]));
    kl_arena_init(&arena, SIZE_MAX);
    for (u64 number = 1; number <= height; number++) {
        kl_span records[2], finalization;
        for (usize i = 0; i < 2; i++)
            CHECK_OK(kl_reader_record(readers[i], number, &arena, &records[i], &finalization));
        CHECK_SPAN(records[0], records[1]);
    }
    kl_arena_done(&arena);
    kl_reader_close(readers[0]);
    kl_reader_close(readers[1]);
}

KL_TEST(filler_brings_a_wiped_node_back)
{
    begin(seed, 50);
    rig_crash(&rig, 3);
    CHECK(rig_reaches(&rig, 55, 60 * RIG_S));
    rig_wipe(&rig, 3);
    rig_fill(&rig, 3);
    until_over(3, 60 * RIG_S);
    CHECK(status_of(3).phase == KL_FILLER_WHOLE);
    CHECK(status_of(3).height >= 55);
    CHECK(status_of(3).leaves > RIG_ACCOUNTS);
    CHECK(status_of(3).records_ns > 0 && status_of(3).state_ns > 0);
    CHECK(status_of(3).records_ns + status_of(3).state_ns <= 60 * RIG_S);
    u64 height = status_of(3).height;
    rig_filled(&rig, 3);
    CHECK(rig.nodes[3].height >= height);
    CHECK_U64(rig.nodes[3].report.chain.replayed, 0);
    check_same(3, 0, 55);
    CHECK(rig_reaches(&rig, rig.height + 10, 60 * RIG_S));
    CHECK_RULE(rig_submit(&rig, 3, 0), KL_RULE_NONE); /* it knows the sender's account */
    u64 transactions = rig.transactions;
    CHECK(rig_reaches(&rig, rig.height + 10, 60 * RIG_S));
    CHECK_U64(rig.transactions, transactions + 1);
    CHECK_U64(rig.nodes[3].penalties, 0);
    rig_done(&rig);
}

/* Power cuts, at any moment, and frames that are lost: it goes on with what is durable. */
KL_TEST(filler_goes_on_after_crashes)
{
    for (int round = 0; round < 3; round++) {
        begin(seed, 40);
        rig_crash(&rig, 3);
        rig_wipe(&rig, 3);
        rig.loss_percent = 5;
        rig_fill(&rig, 3);
        for (int crash = 0; crash < 6 && !is_over(3); crash++) {
            rig_until(&rig, rig.now_ns + kl_rand_below(seed, 300 * RIG_MS));
            if (is_over(3))
                break;
            rig_crash_how(&rig, 3, (unsigned)kl_rand_below(seed, 3));
            rig_fill(&rig, 3);
        }
        until_over(3, 120 * RIG_S);
        CHECK(status_of(3).phase == KL_FILLER_WHOLE);
        rig.loss_percent = 0;
        rig_filled(&rig, 3);
        CHECK(rig_reaches(&rig, rig.height + 5, 60 * RIG_S));
        check_same(3, 0, rig.height - 1);
        rig_done(&rig);
    }
}

/* There is no room any more, or little; later there is, and it is opened again. */
KL_TEST(filler_without_room_writes_nothing_and_goes_on_later)
{
    for (int round = 0; round < 2; round++) {
        begin(seed, 40);
        rig_crash(&rig, 3);
        rig_wipe(&rig, 3);
        rig_fill(&rig, 3);
        rig_until(&rig, rig.now_ns + 20 * RIG_MS);
        if (round)
            kl_sim_disk_fail(rig.nodes[3].disk, 0, KL_FULL, *seed);
        else
            kl_filler_halt(rig.nodes[3].filler);
        rig_until(&rig, rig.now_ns + RIG_S);
        CHECK(status_of(3).phase == KL_FILLER_BROKEN && status_of(3).status == KL_FULL);
        u64 operations = kl_sim_disk_operations(rig.nodes[3].disk);
        rig_until(&rig, rig.now_ns + 10 * RIG_S);
        CHECK_U64(kl_sim_disk_operations(rig.nodes[3].disk), operations);
        rig_crash_how(&rig, 3, KL_CUT_KEEP);
        rig_fill(&rig, 3);
        until_over(3, 120 * RIG_S);
        CHECK(status_of(3).phase == KL_FILLER_WHOLE);
        kl_filler_halt(rig.nodes[3].filler); /* it has nothing more to write */
        CHECK(status_of(3).phase == KL_FILLER_WHOLE);
        rig_filled(&rig, 3);
        CHECK(rig_reaches(&rig, rig.height + 5, 60 * RIG_S));
        check_same(3, 0, rig.height - 1);
        rig_done(&rig);
    }
}

static bool no_records(KL_UNUSED struct rig *r, KL_UNUSED u32 from, KL_UNUSED u32 to,
                       kl_message_kind kind)
{
    return kind != KL_MESSAGE_RECORDS;
}

/* The first records, up to one with a finalization, which is changed: says all of it as a peer. */
static u64 say_false_records(struct kl_arena *arena, u64 *seed)
{
    struct kl_reader *reader;
    static kl_message_block blocks[KL_MESSAGE_BLOCKS_MAX];
    kl_message m = {.kind = KL_MESSAGE_RECORDS, .from = 1, .blocks = blocks};
    CHECK_OK(kl_reader_open(kl_replica_chain(rig.nodes[0].replica), &reader));
    do {
        kl_message_block *b = &blocks[m.block_count++];
        CHECK_OK(kl_reader_record(reader, m.block_count, arena, &b->body, &b->finalization));
    } while (!blocks[m.block_count - 1].finalization.len);
    kl_reader_close(reader);
    kl_span *record = &blocks[m.block_count - 1].body;
    u8 *changed = KL_TAKE(arena, u8, record->len);
    CHECK(changed);
    memcpy(changed, record->p, record->len);
    changed[record->len - 1 - kl_rand_below(seed, 20)] ^= 1; /* behind the block */
    record->p = changed;
    for (u32 peer = 0; peer < 3; peer++) /* only one of them was asked */
        rig_deliver(&rig, 3, peer, &m);
    return m.block_count;
}

/* A record that its block does not bind is its giver's lie; what stood before it counts. */
KL_TEST(filler_names_who_changes_a_record)
{
    struct kl_arena arena;
    begin(seed, 10);
    kl_arena_init(&arena, SIZE_MAX);
    rig_crash(&rig, 3);
    rig_wipe(&rig, 3);
    rig.passes = no_records;
    rig_fill(&rig, 3);
    rig_until(&rig, rig.now_ns + 50 * RIG_MS);
    u64 count = say_false_records(&arena, seed);
    rig_until(&rig, rig.now_ns + 50 * RIG_MS);
    CHECK_U64(rig.nodes[3].penalties, 1);
    CHECK_U64(status_of(3).height, count - 1);
    rig.passes = NULL;
    until_over(3, 60 * RIG_S);
    CHECK(status_of(3).phase == KL_FILLER_WHOLE);
    kl_arena_done(&arena);
    rig_done(&rig);
}

static void say_height(u32 from, u64 height)
{
    rig_deliver(&rig, 3, from, &(kl_message){.kind = KL_MESSAGE_STATUS, .from = height});
}

static bool no_votes_to_3(KL_UNUSED struct rig *r, KL_UNUSED u32 from, u32 to, kl_message_kind kind)
{
    return to != 3 || (kind != KL_MESSAGE_VOTE && kind != KL_MESSAGE_PROPOSAL &&
                       kind != KL_MESSAGE_COMPACT && kind != KL_MESSAGE_CERTIFICATE);
}

static void away_and_back(void)
{
    rig_crash(&rig, 3);
    rig_until(&rig, rig.now_ns + 5 * RIG_S);
    rig_open(&rig, 3);
    u64 height = rig.nodes[0].height;
    rig_until(&rig, rig.now_ns + 5 * RIG_S);
    CHECK(rig.nodes[3].height > height);
}

/* Whoever is far behind what enough others say asks to be filled, once: at the genesis, where it
 * votes for nothing, on their word alone, later when its newest block is one that they sent. */
KL_TEST(filler_is_for_who_is_far_behind)
{
    begin(seed, 10);
    u64 height = rig.nodes[3].height;
    say_height(0, height + 2 * KL_REPLICA_FAR);
    say_height(1, height + 2 * KL_REPLICA_FAR);
    CHECK_U64(rig.nodes[3].far, 0);
    away_and_back();
    height = rig.nodes[3].height;
    say_height(0, height + 2 * KL_REPLICA_FAR);
    say_height(1, height + 2 * KL_REPLICA_FAR);
    CHECK_U64(rig.nodes[3].far, 0); /* it takes part again */
    rig.passes = no_votes_to_3;
    away_and_back();
    height = rig.nodes[0].height;
    say_height(0, height + KL_REPLICA_FAR - 2);
    say_height(1, height + KL_REPLICA_FAR - 2);
    CHECK_U64(rig.nodes[3].far, 0);
    height = rig.nodes[3].height;
    say_height(0, height + 2 * KL_REPLICA_FAR);
    CHECK_U64(rig.nodes[3].far, 0);
    say_height(1, height + 2 * KL_REPLICA_FAR);
    CHECK_U64(rig.nodes[3].far, 1);
    rig_crash(&rig, 3);
    rig_wipe(&rig, 3);
    rig_open(&rig, 3);
    say_height(0, 1);
    say_height(1, 1);
    say_height(2, KL_REPLICA_FAR_FRESH);
    CHECK_U64(rig.nodes[3].far, 1); /* one of three is none too many to lie */
    CHECK_U64(kl_replica_sync_of(rig.nodes[3].replica).target, 1);
    say_height(1, KL_REPLICA_FAR_FRESH);
    say_height(1, KL_REPLICA_FAR_FRESH);
    CHECK_U64(rig.nodes[3].far, 2);
    CHECK_U64(kl_replica_sync_of(rig.nodes[3].replica).target, KL_REPLICA_FAR_FRESH);
    CHECK_U64(kl_replica_sync_of(rig.nodes[3].replica).height, 0);
    rig_done(&rig);
}

/* Blocks are the way back for whoever has a state, however many are missing: nothing is opened
 * again. */
KL_TEST(away_for_ten_thousand_blocks)
{
    enum { AWAY = 10000 };
    rig_init(&rig, 2, 1000, kl_rand(seed));
    rig.no_key[1] = true;
    rig.period_ms = rig.empty_ms = 1;
    rig_start(&rig);
    CHECK(rig_reaches(&rig, 20, 60 * RIG_S));
    u32 life = rig.nodes[1].life;
    rig.cut[1] = true;
    while (rig.height < 20 + AWAY)
        rig_until(&rig, rig.now_ns + RIG_S);
    CHECK(rig.nodes[1].height < 100);
    rig.cut[1] = false;
    u64 tenth = rig.nodes[1].height + AWAY / 10;
    while (rig.nodes[1].height < tenth)
        rig_until(&rig, rig.now_ns + 50 * RIG_MS);
    u64 since_ns = rig.now_ns, eta_s = kl_replica_sync_of(rig.nodes[1].replica).eta_s;
    CHECK(rig_reaches(&rig, 20 + AWAY, 600 * RIG_S));
    u64 took_s = (rig.now_ns - since_ns) / RIG_S;
    CHECK(eta_s >= took_s / 2 && eta_s <= 2 * took_s + 2);
    CHECK_U64(rig.nodes[1].life, life);
    CHECK_U64(rig.nodes[1].far, 0);
    rig_done(&rig);
}

/* Nobody has anything: it gives up, and what it has is opened by executing. */
KL_TEST(filler_gives_up)
{
    begin(seed, 10);
    rig_crash(&rig, 3);
    rig_wipe(&rig, 3);
    rig_fill(&rig, 3);
    rig_until(&rig, rig.now_ns + 20 * RIG_MS);
    rig.cut[3] = true;
    until_over(3, 120 * RIG_S);
    CHECK(status_of(3).phase == KL_FILLER_GIVEN_UP);
    rig.cut[3] = false;
    rig_done(&rig);
}

static void has_dropped_all(KL_UNUSED struct rig *r, KL_UNUSED u32 from, kl_message *message)
{
    if (message->kind == KL_MESSAGE_RECORDS || message->kind == KL_MESSAGE_BLOCKS)
        message->block_count = message->header_count = 0;
}

/* Where nobody has the first block any more, the filler says so and gives up, and so does the
 * replica behind it, once votes and bodies lead it no further.  As soon as somebody has the next
 * block, all is well. */
KL_TEST(filler_tells_that_nobody_has_the_blocks)
{
    begin(seed, 40);
    rig_crash(&rig, 3);
    rig_wipe(&rig, 3);
    rig.twist = has_dropped_all;
    rig_fill(&rig, 3);
    until_over(3, 60 * RIG_S);
    CHECK(status_of(3).phase == KL_FILLER_GIVEN_UP);
    CHECK(status_of(3).lack.number == 1 && status_of(3).lack.peers == 3);
    rig_crash(&rig, 3);
    rig_wipe(&rig, 3);
    rig_open(&rig, 3);
    /* Votes lead it some way first, by chance a long one. */
    for (u32 i = 0; i < 240 && !strstr(rig.nodes[3].stall, " any more (3 asked): "); i++)
        rig_until(&rig, rig.now_ns + RIG_S);
    kl_replica_why why;
    kl_replica_why_of(rig.nodes[3].replica, &why);
    kl_replica_sync sync = kl_replica_sync_of(rig.nodes[3].replica);
    CHECK(sync.lack.number == sync.height + 1 && sync.lack.peers == 3);
    CHECK(strstr(why.text, " any more (3 asked): "));
    CHECK(strstr(rig.nodes[3].stall, " any more (3 asked): "));
    rig.twist = NULL;
    CHECK(rig_reaches(&rig, rig.height + 5, 120 * RIG_S));
    CHECK_U64(kl_replica_sync_of(rig.nodes[3].replica).lack.number, 0);
    rig_done(&rig);
}

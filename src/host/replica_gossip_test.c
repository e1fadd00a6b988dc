/* Transactions between replicas: whose are believed, and blocks that are proposed by their hashes.
 */
#include "host/replica_rig_test.h"

static struct rig rig;

static void begin(u32 count, u64 seed)
{
    rig_init(&rig, count, 32, seed);
    rig.compact_bytes = 1;
    rig_start(&rig);
    CHECK(rig_reaches(&rig, 3, 20 * RIG_S));
}

static void check_no_penalties(void)
{
    for (u32 i = 0; i < rig.count; i++)
        CHECK_U64(rig.nodes[i].penalties, 0);
}

static kl_replica_compacts compacts(void)
{
    kl_replica_compacts sum = {0};
    for (u32 i = 0; i < rig.count; i++) {
        kl_replica_compacts one = kl_replica_compacts_of(rig.nodes[i].replica);
        sum.rebuilt += one.rebuilt;
        sum.completed += one.completed;
        sum.given_up += one.given_up;
    }
    return sum;
}

static usize queued_at(u32 node)
{
    return kl_pool_count(kl_replica_pool(rig.nodes[node].replica)).queued;
}

/* Whoever was given it keeps it, and tells the others again; they need not. */
KL_TEST(gossip_what_waits_too_long_for_a_nonce_is_only_its_own_nodes)
{
    rig_init(&rig, 4, 32, *seed);
    rig.queued_ns = 300 * RIG_S;
    rig_start(&rig);
    CHECK(rig_reaches(&rig, 3, 20 * RIG_S));
    rig.nonce[0] = 1;
    CHECK_RULE(rig_submit(&rig, 0, 0), KL_RULE_NONE);
    rig_until(&rig, rig.now_ns + RIG_S);
    for (u32 i = 0; i < 4; i++)
        CHECK_U64(queued_at(i), 1);
    rig.cut[0] = true;
    rig_until(&rig, rig.now_ns + 200 * RIG_S);
    for (u32 i = 0; i < 4; i++)
        CHECK_U64(queued_at(i), 1);
    rig_until(&rig, rig.now_ns + 200 * RIG_S);
    CHECK_U64(queued_at(0), 1);
    for (u32 i = 1; i < 4; i++)
        CHECK_U64(queued_at(i), 0);
    rig.cut[0] = false;
    rig_until(&rig, rig.now_ns + 20 * RIG_S);
    for (u32 i = 0; i < 4; i++)
        CHECK_U64(queued_at(i), 1);
    check_no_penalties();
    rig_done(&rig);
}

KL_TEST(gossip_is_worth_what_its_transactions_are)
{
    u8 copy[300];
    begin(4, *seed);
    rig.cut[3] = true; /* what it takes stays in its pool */
    kl_tx tx = rig_tx(&rig, 0, 4711);
    CHECK_U64(rig_gossip(&rig, 3, 1, tx.raw), KL_REPLICA_ACCEPT);
    CHECK_U64(kl_pool_count(kl_replica_pool(rig.nodes[3].replica)).pending, 1);
    CHECK_U64(rig_gossip(&rig, 3, 1, tx.raw), KL_REPLICA_IGNORE); /* known */
    rig.fee_percent = 101;
    tx = rig_tx(&rig, 0, 4711);
    CHECK_U64(rig_gossip(&rig, 3, 1, tx.raw), KL_REPLICA_IGNORE); /* pays too little more */
    rig.fee_percent = 120;
    tx = rig_tx(&rig, 0, 4711);
    CHECK_U64(rig_gossip(&rig, 3, 1, tx.raw), KL_REPLICA_ACCEPT);
    rig.nonce[1] = 5;
    tx = rig_tx(&rig, 1, 4711);
    CHECK_U64(rig_gossip(&rig, 3, 1, tx.raw), KL_REPLICA_ACCEPT); /* waits for others */
    tx = rig_tx(&rig, 2, 4712);
    CHECK_U64(rig_gossip(&rig, 3, 1, tx.raw), KL_REPLICA_REJECT); /* another chain's */
    tx = rig_tx(&rig, 2, 4711);
    CHECK(tx.raw.len <= sizeof copy);
    memcpy(copy, tx.raw.p, tx.raw.len);
    CHECK_U64(rig_gossip(&rig, 3, 1, kl_span_of(copy, tx.raw.len - 1)), KL_REPLICA_REJECT);
    memset(copy + tx.raw.len - 32, 0xff, 32); /* no signature has such an s */
    CHECK_U64(rig_gossip(&rig, 3, 1, kl_span_of(copy, tx.raw.len)), KL_REPLICA_REJECT);
    static u8 huge[KL_MESSAGE_TRANSACTION_MAX + 1];
    CHECK_U64(rig_gossip(&rig, 3, 1, KL_SPAN_OF(huge)), KL_REPLICA_REJECT);
    CHECK_U64(rig_gossip(&rig, 3, 1, tx.raw), KL_REPLICA_ACCEPT);
    check_no_penalties(); /* who passes on is the router's to judge */

    /* Who says so directly is named. */
    memset(copy + tx.raw.len - 32, 0xff, 32);
    kl_span envelope = kl_span_of(copy, tx.raw.len);
    rig_deliver(&rig, 3, 1,
                &(kl_message){.kind = KL_MESSAGE_TRANSACTIONS,
                              .transactions = &envelope,
                              .transaction_count = 1});
    rig_until(&rig, rig.now_ns + 20 * RIG_MS);
    CHECK_U64(rig.nodes[3].penalties, 1);
    CHECK_RULE(rig.nodes[3].penalty, KL_RULE_TX_SIGNATURE);

    /* Not who has come into its place before that was found out. */
    rig_deliver(&rig, 3, 1,
                &(kl_message){.kind = KL_MESSAGE_TRANSACTIONS,
                              .transactions = &envelope,
                              .transaction_count = 1});
    kl_replica_disconnected(rig.nodes[3].replica, 1);
    kl_replica_connected(rig.nodes[3].replica, 1);
    rig_until(&rig, rig.now_ns + 20 * RIG_MS);
    CHECK_U64(rig.nodes[3].penalties, 1);
    rig_done(&rig);
}

/* Answers that nobody asked for, and transactions whose sender has nothing, are no crime, and no
 * use. */
KL_TEST(what_nobody_asked_for_is_blamed)
{
    static const u8 body[1 << 16];
    kl_message_block block = {.body = KL_SPAN_OF(body)};
    begin(4, *seed);
    for (u32 i = 0; i < 40; i++)
        CHECK_RULE(rig_submit(&rig, i % 4, i % RIG_ACCOUNTS), KL_RULE_NONE);
    CHECK(rig_reaches(&rig, rig.height + 15, 60 * RIG_S));
    for (u32 i = 0; i < rig.count; i++)
        CHECK_U64(rig.nodes[i].blamed, 0);
    rig_deliver(
        &rig, 3, 1,
        &(kl_message){.kind = KL_MESSAGE_BLOCKS, .from = 1, .blocks = &block, .block_count = 1});
    CHECK(rig.nodes[3].blamed >= 128 && rig.nodes[3].blamed < 140);
    rig_deliver(&rig, 3, 1, &(kl_message){.kind = KL_MESSAGE_CODE, .body = KL_SPAN_OF(body)});
    u64 before = rig.nodes[3].blamed;
    CHECK(before >= 256 && before < 280);
    rig.fee_percent = UINT64_C(100000000000); /* more than anybody has */
    kl_tx tx = rig_tx(&rig, 2, 4711);
    rig_deliver(&rig, 3, 1,
                &(kl_message){.kind = KL_MESSAGE_TRANSACTIONS,
                              .transactions = &tx.raw,
                              .transaction_count = 1});
    rig_until(&rig, rig.now_ns + 20 * RIG_MS);
    CHECK_U64(rig.nodes[3].blamed, before + 64);
    check_no_penalties();
    rig_done(&rig);
}

KL_TEST(compact_blocks_are_rebuilt_from_the_pool)
{
    begin(4, *seed);
    for (u32 i = 0; i < 200; i++)
        CHECK_RULE(rig_submit(&rig, i % 4, i % RIG_ACCOUNTS), KL_RULE_NONE);
    CHECK(rig_reaches(&rig, rig.height + 15, 60 * RIG_S));
    CHECK_U64(rig.transactions, 200);
    CHECK(rig.frames[KL_MESSAGE_COMPACT] >= 3);
    CHECK_U64(compacts().rebuilt, rig.frames[KL_MESSAGE_COMPACT]);
    CHECK_U64(rig.frames[KL_MESSAGE_ASK_TRANSACTIONS], 0);
    CHECK_U64(rig.frames[KL_MESSAGE_ASK_BODY], 0);
    check_no_penalties();
    rig_done(&rig);
}

/* What goes by gossip does not get to two of them, who have some of a block's transactions only. */
static bool some_are_deaf(KL_UNUSED struct rig *r, u32 from, u32 to, kl_message_kind kind)
{
    return kind != KL_MESSAGE_TRANSACTIONS || to < 2 || from == 3;
}

static bool nobody_answers(struct rig *r, u32 from, u32 to, kl_message_kind kind)
{
    return some_are_deaf(r, from, to, kind) && kind != KL_MESSAGE_TRANSACTIONS_OF;
}

static void send_some(void)
{
    for (u32 round = 0; round < 20; round++) {
        for (u32 i = 0; i < 12; i++) /* most to one whom all hear */
            CHECK_RULE(rig_submit(&rig, i < 8 ? 3 : 0, i < 8 ? i % 2 : 2 + i % 2), KL_RULE_NONE);
        rig_until(&rig, rig.now_ns + 200 * RIG_MS);
    }
    rig_until(&rig, rig.now_ns + 15 * RIG_S);
    CHECK_U64(rig.transactions, 240);
}

KL_TEST(compact_blocks_are_completed_by_who_proposed_them)
{
    begin(4, *seed);
    rig.passes = some_are_deaf;
    send_some();
    CHECK(compacts().completed > 3);
    CHECK_U64(rig.frames[KL_MESSAGE_TRANSACTIONS_OF], rig.frames[KL_MESSAGE_ASK_TRANSACTIONS]);
    CHECK_U64(rig.frames[KL_MESSAGE_BODY], 0);
    check_no_penalties();
    rig_done(&rig);
}

KL_TEST(compact_blocks_that_nobody_completes_are_fetched)
{
    begin(4, *seed);
    rig.passes = nobody_answers;
    send_some();
    CHECK(compacts().given_up > 3 && compacts().completed == 0);
    CHECK(rig.frames[KL_MESSAGE_BODY] > 3);
    check_no_penalties();
    rig_done(&rig);
}

/* Node 0 proposes by hashes what nobody else has, and answers nobody. */
static bool withholds(KL_UNUSED struct rig *r, u32 from, KL_UNUSED u32 to, kl_message_kind kind)
{
    return from != 0 || (kind != KL_MESSAGE_TRANSACTIONS && kind != KL_MESSAGE_TRANSACTIONS_OF &&
                         kind != KL_MESSAGE_BODY);
}

static void give_nothing(KL_UNUSED struct rig *r, u32 from, kl_message *m)
{
    if (from == 0 && m->kind == KL_MESSAGE_COMPACT)
        m->given_count = 0;
}

/* Its views end when everybody's patience does, a period and 3 Δ; the others' are as ever. */
KL_TEST(compact_blocks_that_are_withheld_cost_a_view_and_no_more)
{
    begin(4, *seed);
    rig.passes = withholds;
    rig.twist = give_nothing;
    u64 height = rig.height, since_ns = rig.now_ns, longest_ns = 0;
    for (u32 i = 0; i < 1000; i++) {
        if (i % 4 || i < 40)
            CHECK_RULE(rig_submit(&rig, i % 4, i % 4), KL_RULE_NONE);
        rig_until(&rig, rig.now_ns + 20 * RIG_MS);
        longest_ns = KL_MAX(longest_ns, rig.now_ns - since_ns);
        if (rig.height > height)
            since_ns = rig.now_ns;
        height = rig.height;
    }
    CHECK(rig.frames[KL_MESSAGE_COMPACT] > 3 * 20 && compacts().given_up > 3 * 20);
    CHECK(longest_ns >= 400 * RIG_MS && longest_ns <= (400 + 100 + 100) * RIG_MS);
    rig_until(&rig, rig.now_ns + RIG_S);
    CHECK_U64(rig.transactions, 750);
    check_no_penalties();
    rig_done(&rig);
}

/* Node 1 is honest in nothing that is asked of it: the wrong transaction, nothing, or a place that
 * the block has not. */
static void lie(KL_UNUSED struct rig *r, u32 from, kl_message *m)
{
    static kl_message_tx given[1];
    static u32 turn;
    if (from != 1 || m->kind != KL_MESSAGE_TRANSACTIONS_OF)
        return;
    given[0] = (kl_message_tx){turn % 3 == 2 ? 60000 : m->given[0].place, KL_SPAN_OF("wrong")};
    m->given = given;
    m->given_count = turn++ % 3 != 1;
}

KL_TEST(compact_lies_are_found_out)
{
    begin(4, *seed);
    rig.passes = some_are_deaf;
    rig.twist = lie;
    send_some();
    kl_replica_compacts done = compacts();
    CHECK(done.given_up > 3 && done.completed > 3);
    CHECK(rig.nodes[0].penalties + rig.nodes[2].penalties + rig.nodes[3].penalties > 2);
    CHECK_U64(rig.nodes[1].penalties, 0);
    for (u32 i = 0; i < 4; i++)
        if (rig.nodes[i].penalties)
            CHECK(rig.nodes[i].penalty == KL_RULE_MESSAGE_TRANSACTION ||
                  rig.nodes[i].penalty == KL_RULE_MESSAGE_RANGE);
    rig_done(&rig);
}

/* A leader whose list of hashes is not the header's: execution finds out, and who sent it is named.
 */
static void swap_hashes(KL_UNUSED struct rig *r, u32 from, kl_message *m)
{
    static u8 hashes[32 * 1000];
    usize count = kl_compact_count(&m->compact);
    if (from != 3 || m->kind != KL_MESSAGE_COMPACT || count < 2 || m->given_count)
        return;
    CHECK(m->compact.hashes.len <= sizeof hashes);
    memcpy(hashes, m->compact.hashes.p + 32, 32 * (count - 1));
    memcpy(hashes + 32 * (count - 1), m->compact.hashes.p, 32);
    m->compact.hashes.p = hashes;
}

KL_TEST(compact_lists_that_are_not_the_headers_are_found_out)
{
    begin(4, *seed);
    rig.twist = swap_hashes;
    for (u32 i = 0; i < 200; i++) {
        CHECK_RULE(rig_submit(&rig, i % 3, i % RIG_ACCOUNTS), KL_RULE_NONE);
        rig_until(&rig, rig.now_ns + 20 * RIG_MS);
    }
    rig_until(&rig, rig.now_ns + 10 * RIG_S);
    CHECK_U64(rig.transactions, 200);
    CHECK(rig.nodes[0].penalties + rig.nodes[1].penalties + rig.nodes[2].penalties > 3);
    CHECK_U64(rig.nodes[3].penalties, 0);
    rig_done(&rig);
}

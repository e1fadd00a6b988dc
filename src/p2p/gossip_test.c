#include "p2p/gossip.h"

#include "base/test.h"
#include "codec/protobuf.h"
#include "crypto/digest.h"
#include "p2p/peer_record.h"

/* One router, and peers who are played by hand: what it sends each is read back. */

enum { TX, BLOCK, TOPICS, PEERS = 40, GOSSIP_TEST_NONE = 9999 };

#define SECOND KL_GOSSIP_BEAT_NS

static const kl_gossip_topic topics_plain[TOPICS] = {
    {.name = {(const u8 *)"tx", 2}},
    {.name = {(const u8 *)"block", 5}},
};

struct heard { /* by a peer, since it was last asked */
    u32 subscribes, messages, grafts, prunes, have, want, unwanted, px, backoff_s;
};

static struct world {
    struct kl_gossip_user user;
    struct kl_gossip *g;
    kl_gossip_topic topics[TOPICS];
    kl_gossip_config config;
    struct heard heard[KL_GOSSIP_PEERS_MAX];
    u32 delivered, connects, grays;
    u64 nuisance;
    u8 last_id[KL_GOSSIP_ID_LEN];
    int verdict; /* given at once, or -1 */
    u64 now;
    struct kl_gossip_rpc rpc;
    struct kl_buf out;
} w;

static void hear_rpc(struct heard *h, kl_span rpc)
{
    kl_gossip_cursor cursor = {.rpc = rpc};
    kl_gossip_item item;
    CHECK_RULE(kl_gossip_rpc_check(rpc), KL_RULE_NONE);
    while (kl_gossip_next(&cursor, &item)) {
        const u8 *id;
        kl_gossip_px px;
        u32 ids = 0;
        if (item.kind != KL_GOSSIP_PRUNE && item.list.number)
            while (kl_gossip_next_id(&item.list, &id))
                ids++;
        h->subscribes += item.kind == KL_GOSSIP_SUBSCRIBE;
        h->messages += item.kind == KL_GOSSIP_MESSAGE;
        h->grafts += item.kind == KL_GOSSIP_GRAFT;
        h->have += item.kind == KL_GOSSIP_IHAVE ? ids : 0;
        h->want += item.kind == KL_GOSSIP_IWANT ? ids : 0;
        h->unwanted += item.kind == KL_GOSSIP_IDONTWANT ? ids : 0;
        if (item.kind != KL_GOSSIP_PRUNE)
            continue;
        h->prunes++;
        h->backoff_s = (u32)item.backoff_s;
        while (kl_gossip_next_px(&item.list, &px))
            h->px++;
    }
}

static void on_event(struct kl_gossip_user *user, const kl_gossip_event *event)
{
    (void)user;
    kl_span rpc = event->bytes;
    u64 len;
    switch (event->kind) {
    case KL_GOSSIP_SEND:
        CHECK_RULE(kl_varint(&rpc, &len), KL_RULE_NONE);
        CHECK_U64(len, rpc.len);
        hear_rpc(&w.heard[event->peer], rpc);
        break;
    case KL_GOSSIP_DELIVER:
        w.delivered++;
        memcpy(w.last_id, event->id, sizeof w.last_id);
        if (w.verdict >= 0)
            kl_gossip_verdict(w.g, w.now, event->id, (kl_gossip_verdict_kind)w.verdict);
        break;
    case KL_GOSSIP_CONNECT:
        w.connects++;
        break;
    case KL_GOSSIP_GRAY:
        w.grays++;
        break;
    case KL_GOSSIP_NUISANCE:
        w.nuisance += event->units;
        break;
    }
}

static void start(u64 *seed)
{
    memset(&w, 0, sizeof w);
    w.user.event = on_event;
    w.verdict = KL_GOSSIP_ACCEPT;
    w.now = 1000 * SECOND;
    w.config = kl_gossip_config_usual();
    w.config.seed = kl_rand(seed);
    for (u32 t = 0; t < TOPICS; t++) {
        w.topics[t] = topics_plain[t];
        w.topics[t].score = kl_gossip_topic_score_usual();
    }
    w.config.topics = w.topics;
    w.config.topic_count = TOPICS;
    w.config.seen_max = 2000;
    w.config.held_max = 1 << 20;
    w.config.message_max = 1 << 16;
    kl_gossip_rpc_init(&w.rpc, 1 << 22);
    kl_buf_init(&w.out, 1 << 22);
}

static void open(void)
{
    CHECK_OK(kl_gossip_new(&w.g, &w.config, &w.user));
    kl_gossip_join(w.g, w.now, TX);
}

static void stop(void)
{
    kl_gossip_free(w.g);
    kl_gossip_rpc_done(&w.rpc);
    kl_buf_done(&w.out);
}

static u32 up(u8 name, bool outbound)
{
    u32 peer;
    kl_gossip_peer_info info = {
        .id = {{name}}, .ip = {10, 0, 0, name}, .outbound = outbound, .version = KL_GOSSIP_V12};
    CHECK_OK(kl_gossip_up(w.g, w.now, &info, &peer));
    return peer;
}

/* Says what was put into w.rpc. */
static void say(u32 peer)
{
    u64 len;
    kl_buf_clear(&w.out);
    kl_gossip_rpc_finish(&w.rpc, &w.out);
    kl_span rpc = kl_buf_view(&w.out);
    CHECK(!w.out.failed && kl_varint(&rpc, &len) == KL_RULE_NONE);
    CHECK_RULE(kl_gossip_hear(w.g, w.now, peer, rpc), KL_RULE_NONE);
}

static void subscribe(u32 peer, u32 topic)
{
    kl_gossip_put_subscription(&w.rpc, true, w.topics[topic].name);
    say(peer);
}

static void say_message(u32 peer, u32 topic, u32 number, usize len)
{
    static u8 data[1 << 17];
    kl_store_be32(data, number);
    kl_gossip_put_message(&w.rpc, w.topics[topic].name, kl_span_of(data, len));
    say(peer);
}

static void beat(void)
{
    w.now += SECOND;
    kl_gossip_beat(w.g, w.now);
}

static struct heard heard(u32 peer)
{
    struct heard h = w.heard[peer];
    w.heard[peer] = (struct heard){0};
    return h;
}

static void id_of(u8 id[KL_GOSSIP_ID_LEN], u32 number, usize len)
{
    static u8 data[1 << 16];
    kl_store_be32(data, number);
    kl_sha256(id, kl_span_of(data, len));
}

KL_TEST(gossip_mesh_fills_and_shrinks)
{
    start(seed);
    open();
    u32 peers[PEERS];
    for (u32 i = 0; i < PEERS; i++) {
        peers[i] = up((u8)(i + 1), i % 8 == 0);
        CHECK_U64(heard(peers[i]).subscribes, 1);
        subscribe(peers[i], TX);
    }
    beat();
    usize grafts = 0;
    for (u32 i = 0; i < PEERS; i++)
        grafts += heard(peers[i]).grafts;
    CHECK(grafts >= KL_GOSSIP_D && grafts <= KL_GOSSIP_D + KL_GOSSIP_D_OUT);
    CHECK_U64(kl_gossip_mesh_count(w.g, TX), grafts);
    for (u32 i = 0; i < PEERS; i++) { /* all want in: those we dialled may */
        kl_gossip_put_graft(&w.rpc, w.topics[TX].name);
        say(peers[i]);
        bool meshed = kl_gossip_in_mesh(w.g, TX, peers[i]);
        CHECK(meshed || i % 8);
        CHECK_U64(heard(peers[i]).prunes, meshed ? 0 : 1);
    }
    CHECK(kl_gossip_mesh_count(w.g, TX) >= KL_GOSSIP_D_HIGH);
    beat();
    CHECK_U64(kl_gossip_mesh_count(w.g, TX),
              kl_gossip_mesh_count(w.g, TX) > KL_GOSSIP_D ? KL_GOSSIP_D_HIGH : KL_GOSSIP_D);
    usize outbound = 0;
    for (u32 i = 0; i < PEERS; i += 8)
        outbound += kl_gossip_in_mesh(w.g, TX, peers[i]);
    CHECK(outbound >= KL_GOSSIP_D_OUT);
    stop();
}

KL_TEST(gossip_message_goes_on_once)
{
    start(seed);
    open();
    u32 peers[6];
    for (u32 i = 0; i < 6; i++) {
        peers[i] = up((u8)(i + 1), true);
        subscribe(peers[i], TX);
    }
    beat();
    CHECK_U64(kl_gossip_mesh_count(w.g, TX), 6);
    for (u32 i = 0; i < 6; i++)
        (void)heard(peers[i]);
    say_message(peers[0], TX, 1, 1000);
    CHECK_U64(w.delivered, 1);
    struct heard h = heard(peers[0]);
    CHECK(h.messages == 0 && h.unwanted == 0);
    for (u32 i = 1; i < 6; i++) {
        h = heard(peers[i]);
        CHECK(h.messages == 1 && h.unwanted == 1);
        say_message(peers[i], TX, 1, 1000);
    }
    CHECK_U64(w.delivered, 1);
    CHECK(kl_gossip_score(w.g, peers[0]) > kl_gossip_score(w.g, peers[1]));
    /* Who said that it does not want it is not sent it. */
    u8 id[KL_GOSSIP_ID_LEN];
    id_of(id, 2, 1000);
    kl_gossip_put_idontwant(&w.rpc, 1);
    kl_gossip_put_want_id(&w.rpc, id);
    say(peers[3]);
    say_message(peers[0], TX, 2, 1000);
    for (u32 i = 1; i < 6; i++)
        CHECK_U64(heard(peers[i]).messages, i == 3 ? 0 : 1);
    /* Under judgement, refused, or ignored: it goes nowhere. */
    w.verdict = -1;
    say_message(peers[0], TX, 3, 10);
    kl_gossip_verdict(w.g, w.now, w.last_id, KL_GOSSIP_REJECT);
    say_message(peers[0], TX, 4, 10);
    kl_gossip_verdict(w.g, w.now, w.last_id, KL_GOSSIP_IGNORE);
    CHECK_U64(w.delivered, 4);
    for (u32 i = 1; i < 6; i++)
        CHECK_U64(heard(peers[i]).messages, 0);
    stop();
}

KL_TEST(gossip_ihave_iwant)
{
    start(seed);
    open();
    u32 lazy[4], giver = up(100, true);
    subscribe(giver, TX);
    for (u32 i = 0; i < 4; i++)
        lazy[i] = up((u8)(i + 1), false);
    beat();
    for (u32 i = 0; i < 4; i++)
        subscribe(lazy[i], TX);
    /* Four more in the mesh, so that the lazy ones stay outside. */
    for (u32 i = 0; i < 4; i++) {
        u32 peer = up((u8)(50 + i), true);
        subscribe(peer, TX);
        kl_gossip_put_graft(&w.rpc, w.topics[TX].name);
        say(peer);
    }
    for (u32 n = 0; n < 10; n++)
        say_message(giver, TX, n, 100);
    beat();
    u32 told = 0;
    for (u32 i = 0; i < 4; i++)
        told += heard(lazy[i]).have == 10;
    CHECK_U64(told, 4);
    u8 id[KL_GOSSIP_ID_LEN];
    id_of(id, 3, 100);
    for (u32 i = 0; i < KL_GOSSIP_ANSWERS_MAX + 2; i++) {
        kl_gossip_put_iwant(&w.rpc, 1);
        kl_gossip_put_want_id(&w.rpc, id);
        say(lazy[0]);
        CHECK_U64(heard(lazy[0]).messages, i < KL_GOSSIP_ANSWERS_MAX);
    }
    for (u32 i = 0; i < KL_GOSSIP_HISTORY; i++)
        beat();
    CHECK_U64(kl_gossip_held_bytes(w.g), 0);
    kl_gossip_put_iwant(&w.rpc, 1);
    kl_gossip_put_want_id(&w.rpc, id);
    say(lazy[1]);
    CHECK_U64(heard(lazy[1]).messages, 0);
    say_message(lazy[1], TX, 3, 100); /* its data is gone, its id is not */
    CHECK_U64(w.delivered, 10);
    for (u32 i = 0; i < 130; i++)
        beat();
    say_message(lazy[1], TX, 3, 100);
    CHECK_U64(w.delivered, 11);
    stop();
}

/* Promises that are kept cost nothing, others do; too many IHAVEs are not listened to. */
KL_TEST(gossip_promises)
{
    start(seed);
    open();
    u32 good = up(1, false), bad = up(2, false);
    subscribe(good, TX);
    subscribe(bad, TX);
    for (u32 round = 0; round < 20; round++) {
        u8 id[KL_GOSSIP_ID_LEN];
        for (u32 i = 0; i < 3; i++) {
            u32 peer = i ? bad : good;
            id_of(id, 100 * round + i, 50);
            kl_gossip_put_ihave(&w.rpc, w.topics[TX].name, 1);
            kl_gossip_put_have_id(&w.rpc, id);
            bool listened_to = kl_gossip_score(w.g, peer) >= w.config.score.gossip;
            say(peer);
            CHECK_U64(heard(peer).want, listened_to);
        }
        say_message(good, TX, 100 * round, 50);
        beat();
    }
    CHECK(kl_gossip_score(w.g, good) >= 0);
    CHECK(kl_gossip_score(w.g, bad) < w.config.score.gray);
    CHECK_U64(w.grays, 1);
    stop();
}

KL_TEST(gossip_ihave_limits)
{
    start(seed);
    open();
    u32 peer = up(1, false);
    subscribe(peer, TX);
    u32 asked = 0;
    for (u32 i = 0; i < KL_GOSSIP_IHAVES_MAX + 5; i++) {
        kl_gossip_put_ihave(&w.rpc, w.topics[TX].name, 1000);
        for (u32 k = 0; k < 1000; k++) {
            u8 id[KL_GOSSIP_ID_LEN];
            kl_rand_fill(seed, id, sizeof id);
            kl_gossip_put_have_id(&w.rpc, id);
        }
        say(peer);
        asked += heard(peer).want;
    }
    CHECK_U64(asked, KL_GOSSIP_IDS_MAX);
    stop();
}

KL_TEST(gossip_graft_in_backoff)
{
    start(seed);
    open();
    u32 peer = up(1, false);
    subscribe(peer, TX);
    beat();
    CHECK(kl_gossip_in_mesh(w.g, TX, peer));
    kl_gossip_put_prune(&w.rpc, w.topics[TX].name, true, 60, KL_SPAN_NONE);
    say(peer);
    CHECK(!kl_gossip_in_mesh(w.g, TX, peer));
    (void)heard(peer);
    for (u32 i = 0; i < 60; i++) { /* it is left alone for as long */
        beat();
        CHECK_U64(heard(peer).grafts, 0);
    }
    beat();
    beat();
    CHECK_U64(heard(peer).grafts, 1);
    kl_gossip_put_prune(&w.rpc, w.topics[TX].name, true, UINT64_MAX, KL_SPAN_NONE);
    say(peer);
    u32 prunes = 0;
    for (u32 i = 0; i < 12; i++) {
        kl_gossip_put_graft(&w.rpc, w.topics[TX].name);
        say(peer);
        CHECK(!kl_gossip_in_mesh(w.g, TX, peer));
        prunes += heard(peer).prunes;
    }
    CHECK(prunes > 1 && prunes < 12);
    CHECK_U64(w.grays, 1);
    /* Coming back under the same name does not help. */
    double score = kl_gossip_score(w.g, peer);
    kl_gossip_down(w.g, w.now, peer);
    peer = up(1, false);
    CHECK(kl_gossip_score(w.g, peer) <= score / 2);
    kl_gossip_put_graft(&w.rpc, w.topics[TX].name);
    say(peer);
    CHECK(!kl_gossip_in_mesh(w.g, TX, peer));
    stop();
}

/* Whoever is started again, or whose connection breaks while our PRUNE is on its way, GRAFTs though
 * it should wait: it cannot know.  That costs nothing however often it happens; what it does when
 * it knows costs as ever. */
KL_TEST(gossip_graft_of_who_does_not_know)
{
    start(seed);
    open();
    u32 peer = up(1, false);
    kl_gossip_set_direct(w.g, w.now, peer, true); /* belongs to no mesh: its GRAFTs are refused */
    kl_gossip_put_graft(&w.rpc, w.topics[TX].name);
    say(peer);
    CHECK_U64(heard(peer).prunes, 1);
    for (int i = 0; i < 20; i++) {
        kl_gossip_down(w.g, w.now, peer);
        peer = up(1, false);
        subscribe(peer, TX);
        kl_gossip_put_graft(&w.rpc, w.topics[TX].name);
        say(peer);
        CHECK(!kl_gossip_in_mesh(w.g, TX, peer));
        CHECK_U64(heard(peer).prunes, 1);
        CHECK(kl_gossip_score(w.g, peer) >= 0);
        beat();
    }
    CHECK_U64(w.grays, 0);
    for (int i = 0; i < 5; i++) {
        kl_gossip_put_graft(&w.rpc, w.topics[TX].name);
        say(peer);
    }
    CHECK(kl_gossip_score(w.g, peer) < 0);
    stop();
}

/* Signed messages, long ones, refused ones: each costs those who sent it, and only them. */
KL_TEST(gossip_invalid_messages)
{
    for (int kind = 0; kind < 3; kind++) {
        start(seed);
        open();
        u32 bad = up(1, false), also = up(2, false), good = up(3, false);
        w.verdict = kind == 2 ? -1 : KL_GOSSIP_ACCEPT;
        for (u32 i = 0; i < 5; i++) {
            u8 room[] = {0x12, 8, 0x22, 2, 't', 'x', 0x12, 0, 0x1a, 0};
            if (kind == 0)
                CHECK_RULE(kl_gossip_hear(w.g, w.now, bad, KL_SPAN_OF(room)), KL_RULE_NONE);
            else
                say_message(bad, TX, i, kind == 1 ? w.config.message_max + 1 : 40);
            if (kind != 2)
                continue;
            say_message(also, TX, i, 40);
            kl_gossip_verdict(w.g, w.now, w.last_id, KL_GOSSIP_REJECT);
        }
        CHECK(kl_gossip_score(w.g, bad) < w.config.score.gray);
        CHECK((kl_gossip_score(w.g, also) < w.config.score.gray) == (kind == 2));
        CHECK(kl_gossip_score(w.g, good) >= 0);
        beat();
        CHECK_U64(w.grays, kind == 2 ? 2 : 1);
        w.verdict = KL_GOSSIP_ACCEPT;
        u32 before = w.delivered;
        say_message(bad, TX, 77, 40); /* to deaf ears */
        CHECK_U64(w.delivered, before);
        say_message(good, TX, 77, 40);
        CHECK_U64(w.delivered, before + 1);
        stop();
    }
}

/* A flood, of one message, of a topic nobody asked for, of more than can be judged: memory stays
 * within its limits, and the first two cost. */
KL_TEST(gossip_floods)
{
    for (int kind = 0; kind < 3; kind++) {
        start(seed);
        w.config.pending_max = 64;
        open();
        u32 bad = up(1, false), good = up(2, false);
        w.verdict = kind == 2 ? -1 : KL_GOSSIP_ACCEPT;
        for (u32 i = 0; i < 300; i++)
            say_message(bad, kind == 1 ? BLOCK : TX, kind == 2 ? i : 0, 10000);
        CHECK(kl_gossip_held_bytes(w.g) <= w.config.held_max);
        if (kind == 2)
            CHECK_U64(w.delivered, w.config.pending_max / 4);
        else
            CHECK(kl_gossip_score(w.g, bad) < w.config.score.gray);
        u32 before = w.delivered;
        say_message(good, TX, 1000, 100); /* another peer is heard as before */
        CHECK_U64(w.delivered, before + 1);
        stop();
    }
}

/* What is said for nothing is told, of peers without a score too. */
KL_TEST(gossip_counts_what_is_for_nothing)
{
    start(seed);
    open();
    u32 peer = up(1, false);
    u8 id[KL_GOSSIP_ID_LEN];
    kl_gossip_set_direct(w.g, w.now, peer, true);
    subscribe(peer, TX);
    say_message(peer, TX, 1, 100);
    CHECK_U64(w.nuisance, 0);
    for (u32 i = 0; i < 10; i++)
        kl_gossip_put_subscription(&w.rpc, true, KL_SPAN_TEXT("elsewhere"));
    say(peer);
    CHECK_U64(w.nuisance, 10);
    kl_gossip_put_iwant(&w.rpc, 20);
    for (u32 i = 0; i < 20; i++) {
        id_of(id, 1000 + i, 100);
        kl_gossip_put_want_id(&w.rpc, id);
    }
    say(peer);
    CHECK_U64(w.nuisance, 30);
    say_message(peer, TX, 1, 100); /* again */
    CHECK_U64(w.nuisance, 46);
    for (u32 i = 0; i < 50; i++) {
        kl_gossip_put_ihave(&w.rpc, KL_SPAN_TEXT("elsewhere"), 1);
        kl_gossip_put_have_id(&w.rpc, id);
        say(peer);
    }
    CHECK(w.nuisance >= 46 + 30 * 16 + 50 * (KL_GOSSIP_ID_LEN / 16));
    stop();
}

/* Everything accepted, far more than is kept: the oldest go first. */
KL_TEST(gossip_memory_is_bounded)
{
    start(seed);
    w.config.held_max = 200000;
    w.config.seen_max = 100;
    open();
    u32 peer = up(1, false);
    for (u32 i = 0; i < 1000; i++) {
        say_message(peer, TX, i, 1 + kl_rand_below(seed, 60000));
        CHECK(kl_gossip_held_bytes(w.g) <= w.config.held_max);
    }
    CHECK_U64(w.delivered, 1000);
    stop();
}

KL_TEST(gossip_peer_exchange)
{
    start(seed);
    open();
    u32 pruned = GOSSIP_TEST_NONE;
    u8 room[KL_RECORD_MAX];
    for (u32 i = 0; i < 16; i++) {
        kl_secret32 secret = {{(u8)(i + 1)}};
        kl_peer_record record = {.peer = kl_peer_id_of(&secret), .seq = i, .count = 1};
        kl_gossip_peer_info info = {.id = record.peer, .version = KL_GOSSIP_V11};
        kl_out out = kl_out_of(room, sizeof room);
        u32 peer;
        CHECK_RULE(kl_multiaddr_parse(&record.addrs[0], kl_span_str("/ip4/1.2.3.4/tcp/5")),
                   KL_RULE_NONE);
        kl_peer_record_seal(&out, &record, &secret);
        CHECK_OK(kl_gossip_up(w.g, w.now, &info, &peer));
        kl_gossip_set_record(w.g, peer, kl_out_done(&out));
        subscribe(peer, TX);
        kl_gossip_put_graft(&w.rpc, w.topics[TX].name);
        say(peer);
        struct heard h = heard(peer);
        if (h.prunes) {
            pruned = peer;
            CHECK_U64(h.backoff_s, KL_GOSSIP_BACKOFF_S);
            CHECK_U64(h.px, KL_MIN(i, (u32)KL_GOSSIP_PX_MAX));
        }
    }
    CHECK(pruned != GOSSIP_TEST_NONE);
    /* The other way round: of three only the one whose record is right is told of. */
    kl_secret32 secret = {{99}};
    kl_peer_record record = {.peer = kl_peer_id_of(&secret)};
    kl_peer_id other = {{1}};
    struct kl_buf px;
    kl_out out = kl_out_of(room, sizeof room);
    kl_buf_init(&px, 1 << 16);
    kl_peer_record_seal(&out, &record, &secret);
    kl_gossip_put_px(&px, &record.peer, kl_out_done(&out));
    kl_gossip_put_px(&px, &other, kl_out_done(&out));
    kl_gossip_put_px(&px, &record.peer, KL_SPAN_NONE);
    room[out.len - 1] ^= 1;
    kl_gossip_put_px(&px, &record.peer, kl_out_done(&out));
    u32 meshed = 0;
    while (!kl_gossip_in_mesh(w.g, TX, meshed))
        meshed++;
    kl_gossip_put_prune(&w.rpc, w.topics[TX].name, true, 60, kl_buf_view(&px));
    say(meshed);
    CHECK_U64(w.connects, 1);
    say(meshed); /* who is not in the mesh has nobody to tell of */
    CHECK_U64(w.connects, 1);
    kl_buf_done(&px);
    stop();
}

/* Published without being joined: to a fanout that lasts a minute. */
KL_TEST(gossip_fanout_and_leave)
{
    start(seed);
    w.config.flood_publish = false;
    open();
    u32 peers[20], sent = 0, again = 0;
    for (u32 i = 0; i < 20; i++) {
        peers[i] = up((u8)(i + 1), true);
        subscribe(peers[i], BLOCK);
    }
    CHECK_OK(kl_gossip_publish(w.g, w.now, BLOCK, kl_span_str("one")));
    CHECK_OK(kl_gossip_publish(w.g, w.now, BLOCK, kl_span_str("one")));
    for (u32 i = 0; i < 20; i++)
        sent += heard(peers[i]).messages;
    CHECK_U64(sent, KL_GOSSIP_D);
    beat();
    for (u32 i = 0; i < 20; i++) { /* the others hear of it */
        struct heard h = heard(peers[i]);
        again += h.have;
        CHECK_U64(h.messages, 0);
    }
    CHECK_U64(again, KL_GOSSIP_D_LAZY);
    kl_gossip_join(w.g, w.now, BLOCK);
    CHECK_U64(kl_gossip_mesh_count(w.g, BLOCK), KL_GOSSIP_D);
    u32 grafts = 0, prunes = 0;
    for (u32 i = 0; i < 20; i++)
        grafts += heard(peers[i]).grafts;
    CHECK_U64(grafts, KL_GOSSIP_D);
    kl_gossip_leave(w.g, w.now, BLOCK);
    for (u32 i = 0; i < 20; i++) {
        struct heard h = heard(peers[i]);
        prunes += h.prunes;
        CHECK(h.prunes == 0 || h.backoff_s == KL_GOSSIP_LEAVE_S);
    }
    CHECK_U64(prunes, KL_GOSSIP_D);
    CHECK_U64(kl_gossip_mesh_count(w.g, BLOCK), 0);
    CHECK(kl_gossip_publish(w.g, w.now, TX, kl_span_of(&w, w.config.message_max + 1)) == KL_LIMIT);
    stop();
}

/* Among direct peers that are connected with one another, what one says goes to the others by it
 * alone; what anybody else says goes to all of them. */
KL_TEST(gossip_direct_peers_hear_once)
{
    start(seed);
    w.config.direct_clique = true;
    open();
    u32 direct[2], other = up(9, true);
    for (u8 i = 0; i < 2; i++) {
        kl_gossip_peer_info info = {.id = {{i}}, .direct = true, .version = KL_GOSSIP_V11};
        CHECK_OK(kl_gossip_up(w.g, w.now, &info, &direct[i]));
        subscribe(direct[i], TX);
    }
    subscribe(other, TX);
    beat();
    CHECK(kl_gossip_in_mesh(w.g, TX, other));
    (void)heard(direct[1]);
    (void)heard(other);
    say_message(direct[0], TX, 1, 10);
    CHECK_U64(heard(direct[1]).messages, 0);
    CHECK_U64(heard(other).messages, 1);
    beat();
    CHECK_U64(heard(direct[1]).have, 1);
    say_message(other, TX, 2, 10);
    CHECK_U64(heard(direct[0]).messages, 1);
    CHECK_U64(heard(direct[1]).messages, 1);
    kl_gossip_set_direct(w.g, w.now, direct[0], false);
    say_message(direct[0], TX, 3, 10);
    CHECK_U64(heard(direct[1]).messages, 1);
    kl_gossip_set_direct(w.g, w.now, other, true);
    CHECK(!kl_gossip_in_mesh(w.g, TX, other));
    CHECK_U64(heard(other).prunes, 1);
    stop();
}

/* A direct peer is sent everything and listened to, whatever it did, and belongs to no mesh. */
KL_TEST(gossip_direct_peers)
{
    start(seed);
    open();
    u32 direct, other = up(2, true);
    kl_gossip_peer_info info = {.id = {{1}}, .direct = true, .version = KL_GOSSIP_V11};
    CHECK_OK(kl_gossip_up(w.g, w.now, &info, &direct));
    subscribe(direct, TX);
    subscribe(other, TX);
    beat();
    CHECK(!kl_gossip_in_mesh(w.g, TX, direct));
    kl_gossip_put_graft(&w.rpc, w.topics[TX].name);
    say(direct);
    CHECK_U64(heard(direct).prunes, 1);
    w.verdict = KL_GOSSIP_REJECT;
    for (u32 i = 0; i < 10; i++) {
        say_message(direct, TX, 100 + i, 10);
        say_message(other, TX, 200 + i, 10);
    }
    w.verdict = KL_GOSSIP_ACCEPT;
    u32 before = w.delivered;
    say_message(direct, TX, 1, 10);
    CHECK_U64(w.delivered, before + 1);
    say_message(other, TX, 2, 10);
    CHECK_U64(w.delivered, before + 1);
    CHECK_OK(kl_gossip_publish(w.g, w.now, TX, kl_span_str("ours")));
    CHECK_U64(heard(direct).messages, 1);
    beat();
    CHECK(!kl_gossip_in_mesh(w.g, TX, other));
    stop();
}

/* P3 and P6: a mesh peer that delivers nothing, and too many peers at one place. */
KL_TEST(gossip_score_of_silence_and_crowds)
{
    start(seed);
    w.topics[TX].score.mesh_weight = -1;
    w.topics[TX].score.failure_weight = -1;
    open();
    u32 busy = up(1, true), idle = up(2, true);
    subscribe(busy, TX);
    subscribe(idle, TX);
    for (u32 i = 0; i < 28; i++) {
        beat();
        say_message(busy, TX, i, 10);
    }
    CHECK(kl_gossip_in_mesh(w.g, TX, idle));
    for (u32 i = 0; i < 6; i++) {
        beat();
        say_message(busy, TX, 100 + i, 10);
    }
    CHECK(kl_gossip_in_mesh(w.g, TX, busy) && !kl_gossip_in_mesh(w.g, TX, idle));
    CHECK(kl_gossip_score(w.g, busy) > 0 && kl_gossip_score(w.g, idle) < 0);
    u32 peer = 0;
    for (u32 i = 0; i < w.config.score.ip_threshold + 3; i++) {
        kl_gossip_peer_info info = {.id = {{(u8)(100 + i)}}, .ip = {9}};
        CHECK_OK(kl_gossip_up(w.g, w.now, &info, &peer));
        CHECK(kl_gossip_score(w.g, peer) == 0 || i >= w.config.score.ip_threshold);
    }
    CHECK(kl_gossip_score(w.g, peer) == 9 * w.config.score.ip_weight);
    kl_gossip_down(w.g, w.now, peer);
    CHECK(kl_gossip_score(w.g, peer - 1) == 4 * w.config.score.ip_weight);
    stop();
}

KL_TEST(gossip_peers_are_bounded)
{
    start(seed);
    open();
    u32 peer, first;
    kl_gossip_peer_info info = {.version = KL_GOSSIP_V11};
    for (u32 i = 0; i < KL_GOSSIP_PEERS_MAX; i++) {
        kl_store_be32(info.id.key, i);
        CHECK_OK(kl_gossip_up(w.g, w.now, &info, &peer));
        if (i == 0)
            first = peer;
    }
    kl_store_be32(info.id.key, KL_GOSSIP_PEERS_MAX);
    CHECK(kl_gossip_up(w.g, w.now, &info, &peer) == KL_LIMIT);
    kl_gossip_down(w.g, w.now, first);
    CHECK_OK(kl_gossip_up(w.g, w.now, &info, &peer));
    CHECK_U64(peer, first);
    stop();
}

#include "p2p/book.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/test.h"

#define SECOND UINT64_C(1000000000)

/* A peer by its number. */
static kl_peer_id peer_of(u32 n)
{
    kl_peer_id id = {{0}};
    kl_store_be32(id.key, n + 1);
    return id;
}

static u32 number_of(const kl_peer_id *id)
{
    return kl_load_be32(id->key) - 1;
}

/* Peer n at an address of a network of its own, or of net's. */
static kl_multiaddr addr_of(u32 n, u16 port)
{
    kl_multiaddr addr = {.host = KL_HOST_IP4, .has_port = true, .port = port};
    kl_store_be32(addr.ip, 0x20000000 + (n << 8) + 7);
    return addr;
}

static kl_peer_record record_of(u32 n, u64 seq, u16 port)
{
    return (kl_peer_record){
        .peer = peer_of(n), .seq = seq, .count = 1, .addrs = {addr_of(n, port)}};
}

static struct kl_book *book_new(const kl_book_config *config)
{
    void *room = calloc(1, kl_book_footprint());
    CHECK(room);
    return kl_book_init(room, config);
}

static kl_book_config config_of(u64 *seed)
{
    return (kl_book_config){.self = peer_of(100000),
                            .seed = kl_rand(seed),
                            .outbound = KL_BOOK_OUTBOUND,
                            .reach = KL_REACH_WORLD};
}

static bool tell(struct kl_book *book, u32 source, u32 peer, u64 seq, u16 port, u64 now_ns)
{
    kl_peer_id by = peer_of(source);
    kl_peer_record record = record_of(peer, seq, port);
    return kl_book_tell(book, &by, &record, now_ns);
}

static void reach_peer(struct kl_book *book, u32 n, u64 now_ns)
{
    kl_peer_id peer = peer_of(n);
    kl_multiaddr addr = addr_of(n, 7);
    kl_book_tried(book, &peer, &addr, true, now_ns, 1000 + n);
    kl_book_met(book, &peer, true, now_ns);
    kl_book_lost(book, &peer, now_ns + KL_BOOK_STAYED_NS);
}

/* How a dial of a stranger or door ends. */
static void ends(struct kl_book *book, const kl_multiaddr *dial, const kl_peer_id *met, u64 now_ns)
{
    const kl_peer_id *peer = met ? met : dial->has_peer ? &dial->peer : NULL;
    kl_book_tried(book, peer, dial, met != NULL, now_ns, 1);
    if (met)
        kl_book_met(book, met, true, now_ns);
}

static bool knows(const struct kl_book *book, u32 n)
{
    kl_book_peer peer;
    kl_peer_id id = peer_of(n);
    return kl_book_find(book, &id, &peer);
}

KL_TEST(book_dials_again)
{
    kl_book_config config = config_of(seed);
    struct kl_book *book = book_new(&config);
    kl_peer_record record = record_of(1, 1, 7);
    kl_multiaddr dial;
    u64 now = 5 * SECOND;
    record.addrs[record.count++] = addr_of(1, 8);
    CHECK(kl_book_due_ns(book) == UINT64_MAX);
    CHECK(kl_book_tell(book, &record.peer, &record, now));
    for (u32 i = 0; i < 12; i++) {
        CHECK(kl_book_due_ns(book) >= now);
        u64 paused = kl_book_due_ns(book) - now;
        u64 whole = KL_MIN(KL_BOOK_PAUSE_NS << (i ? i - 1 : 0), KL_BOOK_PAUSE_MAX_NS);
        CHECK(i == 0 ? paused == 0 : paused <= whole && paused >= whole - whole / 4);
        if (paused)
            CHECK(!kl_book_next(book, &dial, now + paused - 1));
        now += paused;
        CHECK(kl_book_next(book, &dial, now));
        CHECK(dial.has_peer && kl_peer_id_eq(&dial.peer, &record.peer));
        CHECK(dial.port == 7 + i % 2);
        CHECK(!kl_book_next(book, &dial, now + SECOND));
        ends(book, &dial, NULL, now);
    }
    CHECK(kl_book_next(book, &dial, now + KL_BOOK_PAUSE_MAX_NS));
    /* A connection that stays makes the pause small, one that does not makes it longer. */
    now += KL_BOOK_PAUSE_MAX_NS;
    ends(book, &dial, &record.peer, now);
    CHECK(kl_book_due_ns(book) == UINT64_MAX);
    now += KL_BOOK_STAYED_NS;
    kl_book_lost(book, &record.peer, now);
    CHECK(kl_book_due_ns(book) - now <= KL_BOOK_PAUSE_NS);
    now = kl_book_due_ns(book);
    CHECK(kl_book_next(book, &dial, now));
    ends(book, &dial, &record.peer, now);
    kl_book_lost(book, &record.peer, now + 1);
    CHECK(kl_book_due_ns(book) - now > KL_BOOK_PAUSE_NS);
    /* A dial that nobody speaks of any more has failed. */
    now = kl_book_due_ns(book);
    CHECK(kl_book_next(book, &dial, now));
    CHECK(kl_book_due_ns(book) == now + KL_BOOK_DIAL_NS);
    CHECK(!kl_book_next(book, &dial, now + KL_BOOK_DIAL_NS));
    CHECK(kl_book_next(book, &dial, now + 2 * KL_BOOK_DIAL_NS));
    free(book);
}

KL_TEST(book_follows_a_friend_that_moves)
{
    kl_book_config config = config_of(seed);
    struct kl_book *book = book_new(&config);
    kl_peer_id id = peer_of(1);
    kl_multiaddr fixed = addr_of(1, 7), where[KL_BOOK_ADDRS_MAX], dial;
    CHECK(kl_book_where(book, &id, where) == 0);
    CHECK_OK(kl_book_befriend(book, &id, &fixed, 1, 1));
    CHECK(!kl_book_next(book, &dial, SECOND)); /* the swarm's business */
    CHECK(kl_book_where(book, &id, where) == 1 && where[0].port == 7);
    /* Where it is said to be comes first; the config's address is not forgotten. */
    CHECK(tell(book, 2, 1, 10, 8, 2));
    CHECK(kl_book_where(book, &id, where) == 2 && where[0].port == 8 && where[1].port == 7);
    kl_book_tried(book, &id, &where[0], false, 3, 1);
    CHECK(kl_book_where(book, &id, where) == 2 && where[0].port == 7);
    CHECK(!tell(book, 2, 1, 10, 9, 4) && !tell(book, 2, 1, 9, 9, 4));
    CHECK(tell(book, 2, 1, 11, 9, 4));
    CHECK(kl_book_where(book, &id, where) == 2 && where[0].port == 9 && where[1].port == 7);
    /* Private addresses are believed of friends; all kinds of them that are dialled. */
    kl_peer_record record = record_of(1, 12, 10);
    kl_store_be32(record.addrs[0].ip, 0x7f000001);
    record.addrs[record.count++] = (kl_multiaddr){.host = KL_HOST_IP4, .has_port = true, .port = 1};
    record.addrs[record.count++] = addr_of(1, 0);
    CHECK(kl_book_tell(book, &id, &record, 5));
    CHECK(kl_book_where(book, &id, where) == 2 && where[0].port == 10);
    kl_book_unfriend(book, &id);
    CHECK(!kl_book_is_friend(book, &id) && knows(book, 1));
    CHECK(kl_book_next(book, &dial, SECOND));
    free(book);
}

KL_TEST(book_doors)
{
    kl_book_config config = config_of(seed);
    struct kl_book *book = book_new(&config);
    kl_multiaddr where = addr_of(3, 9), dial;
    CHECK_OK(kl_book_door(book, &where, 1));
    CHECK_OK(kl_book_door(book, &where, 1));
    CHECK(kl_book_next(book, &dial, 1) && kl_multiaddr_eq(&dial, &where));
    CHECK(!kl_book_next(book, &dial, SECOND));
    ends(book, &where, NULL, 1);
    u64 now = kl_book_due_ns(book);
    CHECK(now > 1 && kl_book_next(book, &dial, now));
    kl_peer_id id = peer_of(4);
    ends(book, &where, &id, now);
    CHECK(kl_book_due_ns(book) == UINT64_MAX && knows(book, 4));
    kl_book_lost(book, &id, now + 20 * SECOND);
    CHECK(!knows(book, 4)); /* it never said where it is */
    CHECK(kl_book_next(book, &dial, now + 21 * SECOND));
    /* Behind it is whoever is there; also ourselves. */
    ends(book, &where, &config.self, now);
    CHECK(kl_book_due_ns(book) == UINT64_MAX && kl_book_count(book) == 0);
    for (u32 i = 1; i < KL_BOOK_DOORS_MAX; i++) {
        where = addr_of(i + 10, 9);
        CHECK_OK(kl_book_door(book, &where, 1));
    }
    where = addr_of(1000, 9);
    CHECK(kl_book_door(book, &where, 1) == KL_LIMIT);
    free(book);
}

KL_TEST(book_wants_so_many_strangers)
{
    kl_book_config config = config_of(seed);
    struct kl_book *book = book_new(&config);
    kl_multiaddr dial, dials[KL_BOOK_OUTBOUND];
    for (u32 i = 0; i < 100; i++)
        CHECK(tell(book, 200 + i, i, 1, 7, 1));
    for (u32 i = 0; i < KL_BOOK_OUTBOUND; i++)
        CHECK(kl_book_next(book, &dials[i], 1));
    CHECK(!kl_book_next(book, &dial, SECOND));
    kl_peer_id friend = peer_of(500), caller = peer_of(501);
    CHECK_OK(kl_book_befriend(book, &friend, NULL, 0, 1));
    kl_book_met(book, &friend, true, 1);
    kl_book_met(book, &caller, false, 1);
    for (u32 i = 0; i < KL_BOOK_OUTBOUND; i++)
        ends(book, &dials[i], &dials[i].peer, SECOND);
    CHECK(!kl_book_next(book, &dial, SECOND) && kl_book_due_ns(book) == UINT64_MAX);
    kl_book_lost(book, &dials[3].peer, SECOND);
    CHECK(kl_book_next(book, &dial, 2 * SECOND));
    CHECK(!kl_book_next(book, &dial, 2 * SECOND));
    free(book);
}

KL_TEST(book_shuns)
{
    kl_book_config config = config_of(seed);
    struct kl_book *book = book_new(&config);
    kl_multiaddr dial;
    CHECK(tell(book, 2, 1, 1, 7, 1) && kl_book_next(book, &dial, 1));
    ends(book, &dial, &dial.peer, 1);
    kl_book_shun(book, &dial.peer, 900 * SECOND);
    kl_book_lost(book, &dial.peer, SECOND);
    CHECK(kl_book_due_ns(book) == 900 * SECOND && !kl_book_next(book, &dial, 899 * SECOND));
    CHECK(kl_book_next(book, &dial, 900 * SECOND));
    free(book);
}

/* One that tells of thousands: it gets its share, and those who were reached stay. */
KL_TEST(book_is_not_filled_by_one)
{
    kl_book_config config = config_of(seed);
    struct kl_book *book = book_new(&config);
    for (u32 i = 0; i < 300; i++) {
        CHECK(tell(book, 1000 + i % 10, i, 1, 7, 0));
        reach_peer(book, i, SECOND);
    }
    for (u32 i = 300; i < 330; i++)
        CHECK(tell(book, i, i, 1, 7, 0));
    for (u32 i = 0; i < 5000; i++)
        CHECK(tell(book, 9, 2000 + i, 1, 7, i));
    CHECK_U64(kl_book_count(book), 330 + KL_BOOK_SOURCE_MAX);
    CHECK(knows(book, 2000 + 4999));
    for (u32 i = 0; i < 330; i++)
        CHECK(knows(book, i));
    free(book);
}

/* Many that tell of thousands: what was reached stays whatever they do, and the newest word of
 * somebody honest still gets in. */
KL_TEST(book_keeps_whom_it_reached)
{
    kl_book_config config = config_of(seed);
    struct kl_book *book = book_new(&config);
    kl_peer_id friend = peer_of(5000);
    CHECK_OK(kl_book_befriend(book, &friend, NULL, 0, 1));
    for (u32 i = 0; i < 300; i++) {
        CHECK(tell(book, 1000 + i % 10, i, 1, 7, 0));
        reach_peer(book, i, SECOND);
    }
    for (u32 i = 0; i < 8000; i++)
        (void)tell(book, 10000 + i % 200, 20000 + i, 1, 7, i);
    CHECK_U64(kl_book_count(book), KL_BOOK_PEERS_MAX);
    for (u32 i = 0; i < 300; i++)
        CHECK(knows(book, i));
    CHECK(kl_book_is_friend(book, &friend));
    CHECK(tell(book, 77, 600, 1, 7, 9000) && knows(book, 600));
    /* Callers that say nothing of themselves push nobody out for longer than they are there. */
    for (u32 i = 0; i < 2000; i++) {
        kl_peer_id caller = peer_of(50000 + i);
        kl_book_met(book, &caller, false, 10000);
        kl_book_lost(book, &caller, 10001);
        CHECK(!knows(book, 50000 + i));
    }
    for (u32 i = 0; i < 300; i++)
        CHECK(knows(book, i));
    free(book);
}

KL_TEST(book_takes_few_of_one_network)
{
    kl_book_config config = config_of(seed);
    struct kl_book *book = book_new(&config);
    u32 taken = 0;
    for (u32 i = 0; i < 500; i++) {
        kl_peer_id by = peer_of(1000 + i);
        kl_peer_record record = record_of(i, 1, 7);
        kl_store_be32(record.addrs[0].ip, 0x08080800 + i % 256);
        taken += kl_book_tell(book, &by, &record, 0);
    }
    CHECK_U64(taken, KL_BOOK_NETWORK_MAX);
    free(book);
}

KL_TEST(book_believes_no_stranger_about_our_network)
{
    static const u32 inner[] = {0x7f000001, 0x0a000001, 0xc0a80001, 0xa9fea9fe};
    kl_book_config config = config_of(seed);
    struct kl_book *book = book_new(&config);
    for (u32 i = 0; i < KL_COUNT_OF(inner); i++) {
        kl_peer_id by = peer_of(9);
        kl_peer_record record = record_of(i, 1, 7);
        kl_store_be32(record.addrs[0].ip, inner[i]);
        CHECK(!kl_book_tell(book, &by, &record, 0) && !knows(book, i));
        record.addrs[record.count++] = addr_of(i, 8);
        CHECK(kl_book_tell(book, &by, &record, 0));
        kl_book_peer peer;
        CHECK(kl_book_find(book, &record.peer, &peer) && peer.count == 1);
        CHECK(peer.addrs[0].port == 8);
    }
    free(book);
    config.reach = KL_REACH_SITE;
    book = book_new(&config);
    for (u32 i = 0; i < KL_COUNT_OF(inner); i++) {
        kl_peer_id by = peer_of(9);
        kl_peer_record record = record_of(i, 1, 7);
        kl_store_be32(record.addrs[0].ip, inner[i]);
        CHECK(kl_book_tell(book, &by, &record, 0) == (i != 0));
    }
    free(book);
    config.closed = true;
    book = book_new(&config);
    CHECK(!tell(book, 1, 2, 1, 7, 0) && kl_book_count(book) == 0);
    kl_peer_id friend = peer_of(2);
    CHECK_OK(kl_book_befriend(book, &friend, NULL, 0, 1));
    CHECK(tell(book, 1, 2, 1, 7, 0));
    free(book);
}

static void check_sound(struct kl_book *book)
{
    u32 count = 0;
    for (u32 i = 0; i < 400; i++) {
        kl_peer_id id = peer_of(i);
        kl_book_peer peer;
        if (!kl_book_find(book, &id, &peer))
            continue;
        count++;
        CHECK(peer.count <= KL_BOOK_ADDRS_MAX);
        CHECK(peer.count || peer.is_friend || peer.is_met);
    }
    CHECK_U64(count, kl_book_count(book));
    CHECK(kl_book_due_ns(book) > 0);
}

/* Anything in any order: a dial is for nobody who is connected, or dialled already, or resting; and
 * from time to time the book is written, read into another, and has the same peers. */
KL_TEST(book_random_lives)
{
    static kl_multiaddr dials[400];
    static bool up[400];
    static u64 dialling[400];
    kl_book_config config = config_of(seed);
    struct kl_book *book = book_new(&config);
    u64 now = 1;
    u32 under_way = 0;
    memset(up, 0, sizeof up);
    memset(dialling, 0, sizeof dialling);
    for (u32 step = 0; step < 4000; step++) {
        u32 n = (u32)kl_rand_below(seed, 400);
        kl_peer_id id = peer_of(n);
        kl_multiaddr dial;
        now += kl_rand_below(seed, SECOND / 2);
        switch (kl_rand_below(seed, 8)) {
        case 0:
        case 1:
            (void)tell(book, (u32)kl_rand_below(seed, 400), n, 1 + kl_rand_below(seed, 9),
                       (u16)(1 + kl_rand_below(seed, 3)), now);
            break;
        case 2:
            if (n < 20) {
                kl_multiaddr where = addr_of(n, 5);
                CHECK_OK(kl_book_befriend(book, &id, &where, kl_rand(seed) & 1, now));
            } else if (n < 40) {
                id = peer_of(n - 20);
                kl_book_unfriend(book, &id);
            }
            break;
        case 3:
            if (!up[n]) {
                kl_book_met(book, &id, false, now);
                up[n] = knows(book, n);
            }
            break;
        case 4:
            kl_book_lost(book, &id, now);
            up[n] = false;
            break;
        case 5:
            kl_book_shun(book, &id, now + kl_rand_below(seed, 5 * SECOND));
            break;
        case 6:
            if (!under_way)
                break;
            dial = dials[--under_way];
            n = number_of(&dial.peer);
            dialling[n] = 0;
            if (up[n] || (kl_rand(seed) & 1)) {
                ends(book, &dial, NULL, now);
            } else {
                ends(book, &dial, &dial.peer, now);
                up[n] = true;
            }
            break;
        case 7:
            while (kl_book_next(book, &dial, now)) {
                n = number_of(&dial.peer);
                CHECK(n < 400 && !up[n] && dial.has_peer && dial.port);
                CHECK(!dialling[n] || now >= dialling[n] + KL_BOOK_DIAL_NS);
                CHECK(!kl_book_is_friend(book, &dial.peer));
                dialling[n] = now;
                if (under_way < KL_COUNT_OF(dials))
                    dials[under_way++] = dial;
            }
            CHECK(kl_book_due_ns(book) > now);
            break;
        }
        if (step % 100 == 0)
            check_sound(book);
    }
    free(book);
}

KL_TEST(book_text_round_trip)
{
    kl_book_config config = config_of(seed);
    struct kl_book *book = book_new(&config), *back = book_new(&config);
    struct kl_buf text, again;
    kl_rule broken;
    u64 own = 0;
    kl_buf_init(&text, KL_BOOK_TEXT_MAX);
    kl_buf_init(&again, KL_BOOK_TEXT_MAX);
    for (u32 i = 0; i < 3000; i++) {
        kl_peer_id by = peer_of(5000 + i % 64);
        kl_peer_record record = record_of(i, 1 + i, (u16)(1 + i % 60000));
        while (record.count < KL_BOOK_ADDRS_MAX) {
            kl_multiaddr *addr = &record.addrs[record.count++];
            *addr = (kl_multiaddr){.host = KL_HOST_DNS4, .has_port = true, .port = 65535};
            addr->name_len = KL_MULTIADDR_NAME_MAX;
            memset(addr->name, 'a', KL_MULTIADDR_NAME_MAX);
            snprintf(addr->name, 16, "%07u.%06zu", i, record.count);
            addr->name[15] = 'a';
        }
        (void)kl_book_tell(book, &by, &record, i);
        if (i % 7 == 0 && knows(book, i))
            reach_peer(book, i, 1);
    }
    CHECK_U64(kl_book_count(book), KL_BOOK_PEERS_MAX);
    kl_book_put(book, UINT64_MAX, &text);
    CHECK(!text.failed);
    CHECK_OK(kl_book_get(back, &own, kl_buf_view(&text), 5, &broken));
    CHECK_RULE(broken, KL_RULE_NONE);
    CHECK(own == UINT64_MAX);
    CHECK_U64(kl_book_count(back), KL_BOOK_PEERS_MAX);
    kl_book_put(back, UINT64_MAX, &again);
    CHECK_SPAN(kl_buf_view(&again), kl_buf_view(&text));
    /* A record of before does not come back. */
    CHECK(!tell(back, 1, 7, 8, 9, 10));
    kl_buf_done(&text);
    kl_buf_done(&again);
    free(book);
    free(back);
}

KL_TEST(book_text_refused)
{
    static const char *const bad[] = {
        "",
        "{}",
        "[]",
        "{\"version\":2,\"seq\":1,\"peers\":[]}",
        "{\"version\":1,\"seq\":-1,\"peers\":[]}",
        "{\"version\":1,\"seq\":1,\"peers\":{}}",
        "{\"version\":1,\"seq\":1,\"peers\":[{}]}",
        ("{\"version\":1,\"seq\":1,\"peers\":[{\"peer\":\"x\",\"by\":\"x\",\"seq\":1,\"reached\":1,"
         "\"addresses\":[]}]}")};
    kl_book_config config = config_of(seed);
    struct kl_book *book = book_new(&config);
    for (usize i = 0; i < KL_COUNT_OF(bad); i++) {
        u64 own = 7;
        kl_rule broken;
        CHECK_OK(kl_book_get(book, &own, kl_span_str(bad[i]), 0, &broken));
        CHECK(broken != KL_RULE_NONE && own == 7 && kl_book_count(book) == 0);
    }
    free(book);
}

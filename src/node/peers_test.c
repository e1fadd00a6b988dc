/* Nodes in memory: who wants whom is connected when an address is right and the door open, and what
 * is said arrives. */
#include "node/peers.h"

#include <stdlib.h>

#include "base/test.h"
#include "sim/disk.h"

enum { NODES = 8, PORT = 1000, QUEUE = 4096 };
#define NS_PER_S UINT64_C(1000000000)

struct node {
    struct kl_peers_wire wire; /* first */
    struct kl_peers *peers;
    kl_roster roster;
    kl_secret32 identity, vote;
    kl_peer_id id;
    bool wants[NODES], met[NODES], is_open;
    usize told; /* addresses that it gives to peers */
    kl_multiaddr addrs[KL_NET_ADDRS_MAX];
};

struct letter {
    u32 from, to;
    bool by_gossip;
    usize len;
    u8 bytes[KL_HERALD_MAX];
};

static struct node nodes[NODES];
static u32 count;
static struct letter *queue;
static usize queued, heads;
static u64 now_ns;
static kl_vote_domain domain;
static const kl_vote_scheme *scheme;
static kl_validator validators[NODES];

static u64 mono(KL_UNUSED struct kl_clock *clock)
{
    return now_ns;
}

static u64 wall(KL_UNUSED struct kl_clock *clock)
{
    return now_ns + 1700000000 * NS_PER_S;
}

static struct kl_clock test_clock = {mono, wall};

static u32 node_of(const kl_peer_id *id)
{
    for (u32 i = 0; i < count; i++)
        if (kl_peer_id_eq(&nodes[i].id, id))
            return i;
    return count;
}

static u32 index_of(struct kl_peers_wire *wire)
{
    return (u32)((struct node *)wire - nodes);
}

static void want(struct kl_peers_wire *wire, const kl_peer_id *id, kl_swarm_standing standing)
{
    u32 other = node_of(id);
    CHECK(standing != KL_SWARM_STRANGER && other != index_of(wire));
    if (other < count)
        ((struct node *)wire)->wants[other] = true;
}

static void unwant(struct kl_peers_wire *wire, const kl_peer_id *id)
{
    u32 other = node_of(id);
    CHECK(other < count);
    ((struct node *)wire)->wants[other] = false;
}

static void post(u32 from, u32 to, bool by_gossip, kl_span bytes)
{
    CHECK(queued < QUEUE && bytes.len <= KL_HERALD_MAX);
    struct letter *l = &queue[queued++];
    *l = (struct letter){.from = from, .to = to, .by_gossip = by_gossip, .len = bytes.len};
    memcpy(l->bytes, bytes.p, bytes.len);
}

static void publish(struct kl_peers_wire *wire, kl_span announcement)
{
    const struct node *n = (struct node *)wire;
    for (u32 i = 0; i < count; i++)
        if (n->met[i])
            post(index_of(wire), i, true, announcement);
}

static void send_to(struct kl_peers_wire *wire, u32 peer, kl_span announcement)
{
    post(index_of(wire), peer, false, announcement);
}

static void meet(u32 i, u32 j)
{
    nodes[i].met[j] = nodes[j].met[i] = true;
    kl_peers_met(nodes[i].peers, &nodes[j].id, true);
    kl_peers_met(nodes[j].peers, &nodes[i].id, false);
    kl_peers_up(nodes[i].peers, j);
    kl_peers_up(nodes[j].peers, i);
}

static void part(u32 i, u32 j)
{
    nodes[i].met[j] = nodes[j].met[i] = false;
    kl_peers_lost(nodes[i].peers, &nodes[j].id);
    kl_peers_lost(nodes[j].peers, &nodes[i].id);
}

static bool reaches(u32 i, u32 j)
{
    return kl_peers_reaches(nodes[i].peers, validators[j].key);
}

/* Whoever listens there; count: nobody. */
static u32 behind(const kl_multiaddr *addr)
{
    u32 at = (u32)addr->port - PORT;
    return addr->host == KL_HOST_IP4 && addr->ip[0] == 127 && at < count ? at : count;
}

static bool lets_in(u32 j, u32 i)
{
    struct kl_buf pass;
    if (nodes[j].is_open || nodes[j].wants[i])
        return true;
    kl_buf_init(&pass, KL_HERALD_MAX);
    kl_peers_put_pass(nodes[i].peers, &pass);
    CHECK(!pass.failed);
    bool in =
        kl_peers_introduced(nodes[j].peers, &nodes[i].id, kl_buf_view(&pass)) != KL_SWARM_STRANGER;
    CHECK(in == nodes[j].wants[i]);
    kl_buf_done(&pass);
    return in;
}

static void dial(struct kl_peers_wire *wire, const kl_multiaddr *addr)
{
    u32 i = index_of(wire), j = behind(addr);
    if (j < count)
        nodes[i].wants[j] = nodes[i].wants[j] || lets_in(j, i); /* met by the next turn */
}

static void set_addrs(struct kl_peers_wire *wire, const kl_multiaddr *addrs, usize n)
{
    struct node *node = (struct node *)wire;
    node->told = n;
    if (n)
        memcpy(node->addrs, addrs, n * sizeof *addrs);
}

static void begin(u64 *seed, u32 n)
{
    scheme = kl_vote_scheme_of(KL_SCHEME_SECP256K1, false);
    count = n;
    now_ns = 1;
    queued = heads = 0;
    queue = calloc(QUEUE, sizeof *queue);
    CHECK(queue);
    kl_rand_fill(seed, domain.genesis_hash.b, 32);
    for (u32 i = 0; i < n; i++) {
        nodes[i] = (struct node){.wire = {want, unwant, dial, set_addrs, publish, send_to}};
        kl_rand_fill(seed, nodes[i].identity.b, 32);
        kl_rand_fill(seed, nodes[i].vote.b, 32);
        nodes[i].vote.b[0] &= 0x3f;
        nodes[i].id = kl_peer_id_of(&nodes[i].identity);
        nodes[i].roster.listen = (kl_multiaddr){
            .host = KL_HOST_IP4, .ip = {127, 0, 0, 1}, .has_port = true, .port = (u16)(PORT + i)};
        nodes[i].roster.open = nodes[i].roster.says_where = true;
        validators[i] = (kl_validator){.weight = 1};
        validators[i].operator.b[19] =(u8)(i + 1);
        CHECK(scheme->public_key(validators[i].key, &nodes[i].vote));
    }
}

static kl_multiaddr address(u32 i)
{
    kl_multiaddr addr = nodes[i].roster.listen;
    addr.has_peer = true;
    addr.peer = nodes[i].id;
    return addr;
}

static void names(u32 i, u32 other)
{
    kl_roster *r = &nodes[i].roster;
    r->peers[r->peer_count++] = address(other);
}

static void start(u64 *seed, u32 i, bool votes, kl_valset *set)
{
    const kl_peers_config config = {
        .roster = &nodes[i].roster,
        .identity = &nodes[i].identity,
        .domain = &domain,
        .scheme = scheme,
        .vote_secret = votes ? &nodes[i].vote : NULL,
        .clock = &test_clock,
        .wire = &nodes[i].wire,
        .seed = kl_rand(seed),
    };
    nodes[i].is_open = nodes[i].roster.open;
    CHECK_OK(kl_peers_new(&nodes[i].peers, &config));
    kl_peers_set_validators(nodes[i].peers, set);
    kl_peers_begin(nodes[i].peers, (u16)(PORT + i));
}

static void finish(void)
{
    for (u32 i = 0; i < count; i++)
        kl_peers_free(nodes[i].peers);
    free(queue);
}

static void deliver_all(void)
{
    for (; heads < queued; heads++) {
        const struct letter *l = &queue[heads];
        kl_rule broken;
        kl_span bytes = kl_span_of(l->bytes, l->len);
        kl_herald_news news =
            kl_peers_hear(nodes[l->to].peers, &nodes[l->from].id, bytes, l->by_gossip, &broken);
        CHECK(news != KL_HERALD_FALSE);
        if (news == KL_HERALD_NEW && l->by_gossip)
            publish(&nodes[l->to].wire, bytes);
    }
    heads = queued = 0;
}

/* One dials all whom it wants, where it believes them. */
static void dial_all(u32 i)
{
    struct kl_net_addresses *a = kl_peers_addresses(nodes[i].peers);
    for (u32 j = 0; j < count; j++) {
        kl_multiaddr at[KL_NET_ADDRS_MAX];
        if (!nodes[i].wants[j] || nodes[i].met[j])
            continue;
        usize found = a->of(a, &nodes[j].id, at);
        for (usize k = 0; k < found && !nodes[i].met[j]; k++) {
            bool good = behind(&at[k]) == j && lets_in(j, i);
            a->tried(a, &nodes[j].id, &at[k], good);
            if (good)
                meet(i, j);
        }
    }
}

static void run(void)
{
    for (int turn = 0; turn < 40; turn++) {
        now_ns += NS_PER_S;
        for (u32 i = 0; i < count; i++) {
            if (kl_peers_due_ns(nodes[i].peers) <= now_ns)
                kl_peers_tick(nodes[i].peers);
            dial_all(i);
        }
        deliver_all();
    }
}

static kl_valset set_of(u32 from, u32 n)
{
    kl_valset set;
    CHECK_RULE(kl_valset_init(&set, scheme, &validators[from], n), KL_RULE_NONE);
    return set;
}

KL_TEST(peers_validators_find_one_another_from_one_address)
{
    begin(seed, 6);
    kl_valset set = set_of(0, 6);
    for (u32 i = 1; i < 6; i++)
        names(i, 0);
    for (u32 i = 0; i < 6; i++)
        start(seed, i, true, &set);
    run();
    for (u32 i = 0; i < 6; i++)
        for (u32 j = 0; j < 6; j++)
            CHECK(i == j || (nodes[i].met[j] && nodes[i].wants[j] &&
                             kl_peers_wants(nodes[i].peers, &nodes[j].id)));
    for (u32 i = 0; i < 6; i++)
        CHECK(reaches(2, i));
    part(2, 4);
    for (u32 i = 0; i < 6; i++)
        CHECK(reaches(2, i) == (i != 4) && reaches(4, i) == (i != 2) && reaches(0, i));
    meet(4, 2);
    CHECK(reaches(2, 4));
    finish();
}

KL_TEST(peers_who_is_voted_out_is_not_wanted_any_more)
{
    begin(seed, 5);
    kl_valset four = set_of(0, 4), later = set_of(1, 4);
    for (u32 i = 1; i < 5; i++)
        names(i, 0);
    for (u32 i = 0; i < 5; i++)
        start(seed, i, true, &four);
    run();
    CHECK(nodes[1].wants[2] && !nodes[1].wants[4] && !kl_peers_wants(nodes[3].peers, &nodes[4].id));
    for (u32 i = 0; i < 5; i++)
        kl_peers_set_validators(nodes[i].peers, &later);
    run();
    for (u32 i = 1; i < 5; i++)
        for (u32 j = 1; j < 5; j++)
            CHECK(i == j || nodes[i].wants[j]);
    CHECK(nodes[1].wants[0]); /* the file names it */
    CHECK(!kl_peers_wants(nodes[0].peers, &nodes[2].id));
    finish();
}

KL_TEST(peers_behind_sentries_speak_with_these_alone)
{
    begin(seed, 6); /* 0 to 3 vote; 0 is behind 4 and 5 */
    kl_valset set = set_of(0, 4);
    kl_roster *hidden = &nodes[0].roster;
    hidden->open = hidden->says_where = false;
    hidden->sentries[hidden->sentry_count++] = address(4);
    hidden->sentries[hidden->sentry_count++] = address(5);
    for (u32 i = 4; i < 6; i++) {
        nodes[i].roster.guards[nodes[i].roster.guard_count++] = nodes[0].id;
        names(i, 1);
    }
    names(2, 1);
    names(3, 1);
    for (u32 i = 0; i < 6; i++)
        start(seed, i, i < 4, &set);
    run();
    CHECK(nodes[0].met[4] && nodes[0].met[5] && !nodes[0].told);
    for (u32 i = 1; i < 4; i++) {
        CHECK(!nodes[i].met[0] && !nodes[i].wants[0]);
        for (u32 j = 1; j < 6; j++) /* a sentry wants every validator that is known */
            CHECK(i == j || nodes[i].met[j]);
    }
    CHECK(kl_peers_guards(nodes[4].peers, &nodes[0].id));
    CHECK(!kl_peers_guards(nodes[4].peers, &nodes[1].id));
    for (u32 i = 0; i < 6; i++)
        for (u32 j = 0; j < 4; j++)
            CHECK(reaches(i, j));
    part(1, 4);
    CHECK(reaches(1, 0)); /* at the other sentry */
    part(1, 5);
    CHECK(!reaches(1, 0) && reaches(2, 0));
    part(0, 4);
    CHECK(reaches(0, 1));
    part(0, 5);
    for (u32 j = 0; j < 4; j++)
        CHECK(reaches(0, j) == (j == 0));
    finish();
}

/* Nobody names the sentries but their ward. */
KL_TEST(peers_find_sentries_by_what_their_ward_says)
{
    begin(seed, 8); /* 0 and 1 vote; 0 is behind the others */
    kl_valset set = set_of(0, 2);
    kl_roster *hidden = &nodes[0].roster;
    hidden->open = hidden->says_where = false;
    for (u32 i = 2; i < 8; i++) {
        hidden->sentries[hidden->sentry_count++] = address(i);
        nodes[i].roster.guards[nodes[i].roster.guard_count++] = nodes[0].id;
    }
    names(2, 1);
    for (u32 i = 0; i < 8; i++)
        start(seed, i, i < 2, &set);
    run();
    u32 wanted = 0;
    struct kl_net_addresses *a = kl_peers_addresses(nodes[1].peers);
    for (u32 i = 2; i < 8; i++) {
        kl_multiaddr at[KL_NET_ADDRS_MAX];
        wanted += nodes[1].wants[i];
        if (nodes[1].wants[i])
            CHECK(a->of(a, &nodes[i].id, at) == 1 && at[0].port == PORT + i);
    }
    CHECK_U64(wanted, KL_PEERS_SENTRIES_MAX);
    CHECK(!nodes[1].wants[0] && !nodes[1].met[0]);
    /* From behind them, once its file says so. */
    kl_peers_free(nodes[0].peers);
    hidden->sentry_count = 0;
    hidden->open = hidden->says_where = true;
    names(0, 1);
    start(seed, 0, true, &set);
    run();
    CHECK(nodes[1].wants[0] && nodes[1].met[0]);
    for (u32 i = 2; i < 8; i++)
        CHECK(!nodes[1].wants[i]);
    finish();
}

/* Nobody lets strangers in; who is voted in knows one address, and nobody knows it. */
KL_TEST(peers_let_who_is_voted_in_in_where_nobody_else_is)
{
    begin(seed, 6);
    kl_valset four = set_of(0, 4), five = set_of(0, 5);
    for (u32 i = 0; i < 5; i++) {
        nodes[i].roster.open = false;
        names(i, 0);
        for (u32 j = 1; i < 4 && j < 4; j++)
            names(i, j);
    }
    names(5, 0);
    for (u32 i = 0; i < 6; i++)
        start(seed, i, true, &four);
    run();
    for (u32 i = 0; i < 4; i++)
        for (u32 j = 0; j < 6; j++)
            CHECK(nodes[i].met[j] == (i != j && j < 4));
    for (u32 i = 0; i < 4; i++) /* it has not heard of that yet */
        kl_peers_set_validators(nodes[i].peers, &five);
    run();
    CHECK(nodes[4].met[0]); /* of whom it hears so */
    kl_peers_set_validators(nodes[4].peers, &five);
    run();
    for (u32 i = 0; i < 5; i++)
        for (u32 j = 0; j < 5; j++)
            CHECK(i == j || nodes[i].met[j]);
    for (u32 i = 0; i < 5; i++)
        CHECK(!nodes[i].met[5] && !nodes[i].wants[5]);
    /* With somebody else's announcement nobody gets in. */
    struct kl_buf pass;
    kl_buf_init(&pass, KL_HERALD_MAX);
    kl_peers_put_pass(nodes[4].peers, &pass);
    CHECK(pass.len && kl_peers_introduced(nodes[0].peers, &nodes[5].id, kl_buf_view(&pass)) ==
                          KL_SWARM_STRANGER);
    kl_buf_done(&pass);
    finish();
}

/* The same, of a sentry: it brings what its ward says. */
KL_TEST(peers_let_sentries_of_validators_in)
{
    begin(seed, 6); /* 0 to 3 vote; 0 is behind 4; 5 is like 4, but not announced */
    kl_valset set = set_of(0, 4);
    kl_roster *hidden = &nodes[0].roster;
    hidden->says_where = false;
    hidden->sentries[hidden->sentry_count++] = address(4);
    for (u32 i = 0; i < 4; i++) {
        nodes[i].roster.open = false;
        for (u32 j = 1; i && j < 4; j++)
            names(i, j);
    }
    for (u32 i = 4; i < 6; i++) {
        nodes[i].roster.guards[nodes[i].roster.guard_count++] = nodes[0].id;
        names(i, 1);
        names(i, 2);
    }
    for (u32 i = 0; i < 6; i++)
        start(seed, i, i < 4, &set);
    run();
    for (u32 i = 1; i < 4; i++)
        CHECK(nodes[i].met[4] && nodes[i].wants[4] && !nodes[i].met[0] && !nodes[i].met[5]);
    CHECK(nodes[0].met[4]);
    finish();
}

KL_TEST(peers_who_does_not_vote_wants_whom_its_file_names)
{
    begin(seed, 5);
    kl_valset set = set_of(0, 4);
    for (u32 i = 1; i < 5; i++)
        names(i, 0);
    for (u32 i = 0; i < 5; i++)
        start(seed, i, i < 4, &set);
    run();
    CHECK(kl_peers_wants(nodes[4].peers, &nodes[0].id));
    for (u32 i = 1; i < 4; i++)
        CHECK(!kl_peers_wants(nodes[4].peers, &nodes[i].id));
    /* It knows where they are all the same. */
    struct kl_net_addresses *a = kl_peers_addresses(nodes[4].peers);
    kl_multiaddr at[KL_NET_ADDRS_MAX];
    for (u32 i = 1; i < 4; i++)
        CHECK(a->of(a, &nodes[i].id, at) == 1 && at[0].port == PORT + i);
    finish();
}

KL_TEST(peers_text_is_kept)
{
    struct kl_sim_disk *disk;
    struct kl_buf text;
    kl_rule broken;
    kl_multiaddr at[KL_NET_ADDRS_MAX];
    CHECK_OK(kl_sim_disk_new(&disk));
    struct kl_fs *fs = kl_sim_disk_fs(disk);
    begin(seed, 3);
    kl_valset set = set_of(0, 3);
    names(1, 0);
    names(2, 0);
    for (u32 i = 0; i < 3; i++)
        start(seed, i, i < 2, &set);
    run();
    CHECK(kl_peers_load(nodes[2].peers, fs, &broken) == KL_NOTFOUND);
    kl_buf_init(&text, KL_BOOK_TEXT_MAX);
    kl_peers_text(nodes[2].peers, &text);
    CHECK_OK(kl_peers_save(fs, kl_buf_view(&text)));
    CHECK_OK(kl_peers_save(fs, kl_buf_view(&text)));
    kl_peers_free(nodes[2].peers);
    nodes[2].roster.peer_count = 0;
    start(seed, 2, false, &set);
    struct kl_net_addresses *a = kl_peers_addresses(nodes[2].peers);
    CHECK(a->of(a, &nodes[1].id, at) == 0);
    CHECK_OK(kl_peers_load(nodes[2].peers, fs, &broken));
    CHECK_RULE(broken, KL_RULE_NONE);
    CHECK(a->of(a, &nodes[1].id, at) == 1 && at[0].port == PORT + 1);
    CHECK_OK(kl_peers_save(fs, KL_SPAN_TEXT("{}")));
    CHECK_OK(kl_peers_load(nodes[2].peers, fs, &broken));
    CHECK(broken != KL_RULE_NONE);
    kl_buf_done(&text);
    finish();
    kl_sim_disk_free(disk);
}

/* A node that listens everywhere learns where it is from those whom it was told to trust. */
KL_TEST(peers_learn_where_they_are_from_friends)
{
    begin(seed, 2);
    kl_valset set = set_of(0, 2);
    memset(nodes[1].roster.listen.ip, 0, 16);
    nodes[0].roster.listen.ip[3] = 2;
    names(1, 0);
    start(seed, 0, true, &set);
    start(seed, 1, true, &set);
    CHECK(nodes[0].told == 1 && nodes[1].told == 0);
    kl_identify said = {.has_observed = true, .observed = address(0)};
    said.observed.ip[3] = 77;
    said.observed.port = 50123;
    kl_peer_id stranger = nodes[0].id;
    stranger.key[0] ^= 1;
    kl_peers_identified(nodes[1].peers, &stranger, &said, NULL);
    CHECK(nodes[1].told == 0);
    kl_peers_identified(nodes[1].peers, &nodes[0].id, &said, NULL);
    CHECK(nodes[1].told == 1 && nodes[1].addrs[0].ip[3] == 77);
    CHECK(nodes[1].addrs[0].port == PORT + 1);
    finish();
}

KL_TEST(peers_admit_names_of_the_file_anywhere)
{
    begin(seed, 1);
    kl_valset set = set_of(0, 1);
    kl_multiaddr own, other, private_one;
    CHECK_RULE(kl_multiaddr_parse(&own, KL_SPAN_TEXT("/dns/a.example/tcp/1")), KL_RULE_NONE);
    CHECK_RULE(kl_multiaddr_parse(&other, KL_SPAN_TEXT("/dns/b.example/tcp/1")), KL_RULE_NONE);
    CHECK_RULE(kl_multiaddr_parse(&private_one, KL_SPAN_TEXT("/ip4/10.0.0.1/tcp/1")), KL_RULE_NONE);
    memset(nodes[0].roster.listen.ip, 0, 16);
    nodes[0].roster.peers[nodes[0].roster.peer_count++] = own;
    start(seed, 0, true, &set);
    struct kl_net_addresses *a = kl_peers_addresses(nodes[0].peers);
    CHECK(a->admits(a, &own, &private_one));
    CHECK(!a->admits(a, &other, &private_one));
    CHECK(a->admits(a, &other, &(kl_multiaddr){.host = KL_HOST_IP4, .ip = {8, 8, 8, 8}}));
    finish();
}

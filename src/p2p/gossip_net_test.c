/* A network of routers in virtual time: lines with delay that lose what may be lost, nodes that
 * come and go, and some that misbehave.  Whatever they do, every honest node that is there hears
 * every message, no honest node is thought ill of, and each of the others is. */
#include <stdlib.h>

#include "base/test.h"
#include "codec/protobuf.h"
#include "p2p/gossip.h"
#include "p2p/nuisance.h"
#include "p2p/peer_record.h"

enum {
    NODES = 40,
    LINKS = 2000,
    MESSAGES = 400,
    EVENTS = 1 << 17,
    HELD_MAX = 2 << 20,
    SECONDS = 60,
    EXCHANGE_S = 4, /* who came to a large mesh knows others by then */
    SETTLE_S = 6,   /* a node that has come is to be reached by then, and a message everybody */
};

#define MS UINT64_C(1000000)

typedef enum kind {
    HONEST,
    FALSE_MESSAGES,
    GRAFTS,
    PROMISES,
    REPEATS,
    SILENCE, /* takes its place in meshes and passes nothing on */
    KINDS,
} kind;

struct node {
    struct kl_gossip_user user;
    struct kl_gossip *g; /* of an honest node that is up */
    kind kind;
    kl_peer_id id;
    usize record_len;
    u8 record[KL_GOSSIP_RECORD_MAX];
    u64 up_ns; /* since when; UINT64_MAX: down */
    u32 grays; /* times that somebody stopped listening to it */
    bool heard[MESSAGES];
};

struct link {
    bool open;
    u32 node[2], peer[2]; /* peer: the other end's number at this node; of honest ones */
    u64 delay_ns;
    kl_nuisance nuisance[2]; /* of the node at that end */
};

struct event { /* bytes for a node; or without a link, a verdict */
    u64 at_ns, order;
    u32 link, end, node;
    u8 id[KL_GOSSIP_ID_LEN];
    kl_gossip_verdict_kind verdict;
    usize len;
    u8 *bytes;
};

static struct net {
    struct node nodes[NODES];
    struct link links[LINKS];
    u32 link_count;
    struct event *heap;
    usize events, order;
    u64 now, seed;
    u32 loss; /* of 1000 */
    u64 sent_ns[MESSAGES];
    u8 first[3000]; /* message */
    usize first_len;
    u32 published, lost, sent;
    usize held_most;
} net;

static const kl_span topic = {(const u8 *)"tx", 2};

static bool before(const struct event *a, const struct event *b)
{
    return a->at_ns != b->at_ns ? a->at_ns < b->at_ns : a->order < b->order;
}

static void push(struct event event)
{
    CHECK(net.events < EVENTS);
    event.order = net.order++;
    usize i = net.events++;
    for (; i > 0 && before(&event, &net.heap[(i - 1) / 2]); i = (i - 1) / 2)
        net.heap[i] = net.heap[(i - 1) / 2];
    net.heap[i] = event;
}

static struct event pop(void)
{
    struct event first = net.heap[0], last = net.heap[--net.events];
    usize i = 0, child;
    for (; (child = 2 * i + 1) < net.events; i = child) {
        if (child + 1 < net.events && before(&net.heap[child + 1], &net.heap[child]))
            child++;
        if (!before(&net.heap[child], &last))
            break;
        net.heap[i] = net.heap[child];
    }
    net.heap[i] = last;
    return first;
}

static u32 index_of(const struct node *node)
{
    return (u32)(node - net.nodes);
}

static bool is_up(const struct node *node)
{
    return node->up_ns != UINT64_MAX;
}

/* From one end of a link to the other. */
static void carry(u32 link, u32 end, kl_span bytes)
{
    u8 *copy = malloc(bytes.len + 1);
    CHECK(copy != NULL);
    memcpy(copy, bytes.p, bytes.len);
    net.sent++;
    push((struct event){.at_ns = net.now + net.links[link].delay_ns,
                        .link = link,
                        .end = !end,
                        .len = bytes.len,
                        .bytes = copy});
}

static u32 end_of(u32 link, const struct node *node)
{
    return net.links[link].node[1] == index_of(node);
}

static void cut(u32 at)
{
    struct link *link = &net.links[at];
    if (!link->open)
        return;
    link->open = false;
    for (int end = 0; end < 2; end++)
        if (net.nodes[link->node[end]].g)
            kl_gossip_down(net.nodes[link->node[end]].g, net.now, link->peer[end]);
}

static void say_hello(u32 at, u32 end)
{
    struct kl_gossip_rpc rpc;
    struct kl_buf out;
    kl_gossip_rpc_init(&rpc, 1 << 10);
    kl_buf_init(&out, 1 << 10);
    kl_gossip_put_subscription(&rpc, true, topic);
    kl_gossip_put_graft(&rpc, topic);
    kl_gossip_rpc_finish(&rpc, &out);
    carry(at, end, kl_buf_view(&out));
    kl_gossip_rpc_done(&rpc);
    kl_buf_done(&out);
}

static bool are_linked(u32 a, u32 b)
{
    for (u32 i = 0; i < net.link_count; i++) {
        const struct link *link = &net.links[i];
        if (link->open && ((link->node[0] == a && link->node[1] == b) ||
                           (link->node[0] == b && link->node[1] == a)))
            return true;
    }
    return false;
}

static void dial(u32 a, u32 b)
{
    if (a == b || !is_up(&net.nodes[a]) || !is_up(&net.nodes[b]) || are_linked(a, b))
        return;
    CHECK(net.link_count < LINKS);
    u32 at = net.link_count++;
    struct link *link = &net.links[at];
    *link = (struct link){
        .open = true, .node = {a, b}, .delay_ns = (5 + kl_rand_below(&net.seed, 80)) * MS};
    for (u32 end = 0; end < 2; end++) {
        struct node *node = &net.nodes[link->node[end]], *other = &net.nodes[link->node[!end]];
        kl_gossip_peer_info info = {.id = other->id,
                                    .tag = at,
                                    .outbound = end == 0,
                                    .version = (kl_gossip_version)kl_rand_below(&net.seed, 3)};
        if (!node->g) {
            say_hello(at, end);
            continue;
        }
        CHECK_OK(kl_gossip_up(node->g, net.now, &info, &link->peer[end]));
        kl_gossip_set_record(node->g, link->peer[end],
                             kl_span_of(other->record, other->record_len));
    }
}

static usize links_of(u32 node)
{
    usize count = 0;
    for (u32 i = 0; i < net.link_count; i++)
        count +=
            net.links[i].open && (net.links[i].node[0] == node || net.links[i].node[1] == node);
    return count;
}

/* Valid messages are 'V' and their number. */
static void deliver(struct node *node, const kl_gossip_event *event)
{
    bool valid = event->bytes.len >= 5 && event->bytes.p[0] == 'V';
    if (valid) {
        u32 number = kl_load_be32(event->bytes.p + 1);
        CHECK(number < net.published && !node->heard[number]);
        node->heard[number] = true;
    }
    struct event verdict = {.at_ns = net.now + kl_rand_below(&net.seed, 30) * MS,
                            .link = UINT32_MAX,
                            .node = index_of(node),
                            .verdict = valid ? KL_GOSSIP_ACCEPT : KL_GOSSIP_REJECT};
    memcpy(verdict.id, event->id, sizeof verdict.id);
    push(verdict);
}

/* What an honest node does for nothing, because messages cross one another, is far below what is
 * too much. */
static void hear_nuisance(struct link *link, usize end, u64 units)
{
    if (net.nodes[link->node[end]].kind != HONEST)
        return;
    CHECK(kl_nuisance_add(&link->nuisance[end], units, net.now));
    CHECK(link->nuisance[end].units < KL_NUISANCE_MAX / 20);
}

static void on_event(struct kl_gossip_user *user, const kl_gossip_event *event)
{
    struct node *node = (struct node *)user;
    u32 link = (u32)event->tag;
    switch (event->kind) {
    case KL_GOSSIP_SEND:
        if (!event->keep && kl_rand_below(&net.seed, 1000) < net.loss)
            net.lost++;
        else
            carry(link, end_of(link, node), event->bytes);
        break;
    case KL_GOSSIP_DELIVER:
        deliver(node, event);
        break;
    case KL_GOSSIP_CONNECT:
        for (u32 i = 0; i < NODES; i++)
            if (memcmp(net.nodes[i].id.key, event->id, sizeof net.nodes[i].id.key) == 0)
                push((struct event){.at_ns = net.now + MS,
                                    .link = UINT32_MAX - 1,
                                    .node = index_of(node),
                                    .end = i});
        break;
    case KL_GOSSIP_GRAY:
        net.nodes[net.links[link].node[!end_of(link, node)]].grays++;
        push((struct event){.at_ns = net.now, .link = UINT32_MAX - 2, .end = link});
        break;
    case KL_GOSSIP_NUISANCE:
        hear_nuisance(&net.links[link], !end_of(link, node), event->units);
        break;
    }
}

static void raise(struct node *node)
{
    node->up_ns = net.now;
    if (node->kind != HONEST)
        return;
    kl_gossip_topic topics = {.name = topic, .score = kl_gossip_topic_score_usual()};
    kl_gossip_config config = kl_gossip_config_usual();
    config.topics = &topics;
    config.topic_count = 1;
    config.seen_max = 4096;
    config.held_max = HELD_MAX;
    config.seed = kl_rand(&net.seed);
    node->user.event = on_event;
    CHECK_OK(kl_gossip_new(&node->g, &config, &node->user));
    kl_gossip_join(node->g, net.now, 0);
}

static void fell(struct node *node)
{
    for (u32 i = 0; i < net.link_count; i++)
        if (net.links[i].open &&
            (net.links[i].node[0] == index_of(node) || net.links[i].node[1] == index_of(node)))
            cut(i);
    kl_gossip_free(node->g);
    node->g = NULL;
    node->up_ns = UINT64_MAX;
}

static void make_net(u64 seed, u32 bad, u32 loss)
{
    memset(&net, 0, sizeof net);
    net.heap = calloc(EVENTS, sizeof *net.heap);
    CHECK(net.heap != NULL);
    net.seed = seed;
    net.now = 1000 * KL_GOSSIP_BEAT_NS;
    net.loss = loss;
    for (u32 i = 0; i < NODES; i++) {
        struct node *node = &net.nodes[i];
        kl_secret32 secret;
        kl_rand_fill(&net.seed, secret.b, sizeof secret.b);
        node->id = kl_peer_id_of(&secret);
        node->kind = i >= NODES - bad ? FALSE_MESSAGES + (NODES - 1 - i) % (KINDS - 1) : HONEST;
        kl_peer_record record = {.peer = node->id, .seq = 1, .count = 1};
        CHECK_RULE(kl_multiaddr_parse(&record.addrs[0], kl_span_str("/ip4/10.0.0.1/tcp/1")),
                   KL_RULE_NONE);
        kl_out out = kl_out_of(node->record, sizeof node->record);
        kl_peer_record_seal(&out, &record, &secret);
        node->record_len = out.len;
        raise(node);
    }
}

static void free_net(void)
{
    while (net.events)
        free(pop().bytes);
    free(net.heap);
    for (u32 i = 0; i < NODES; i++)
        kl_gossip_free(net.nodes[i].g);
}

static u32 any_up(u32 below)
{
    u32 i = (u32)kl_rand_below(&net.seed, below);
    while (!is_up(&net.nodes[i]) || net.nodes[i].kind != HONEST)
        i = (i + 1) % below;
    return i;
}

static void arrive(const struct event *event)
{
    struct node *node = &net.nodes[event->node];
    if (event->link == UINT32_MAX) {
        if (node->g)
            kl_gossip_verdict(node->g, net.now, event->id, event->verdict);
    } else if (event->link == UINT32_MAX - 1) {
        dial(event->node, event->end);
    } else if (event->link == UINT32_MAX - 2) {
        cut(event->end);
    } else if (net.links[event->link].open) {
        struct link *link = &net.links[event->link];
        kl_span rpc = kl_span_of(event->bytes, event->len);
        u64 len;
        node = &net.nodes[link->node[event->end]];
        CHECK_RULE(kl_varint(&rpc, &len), KL_RULE_NONE);
        CHECK_U64(len, rpc.len);
        if (node->g)
            CHECK_RULE(kl_gossip_hear(node->g, net.now, link->peer[event->end], rpc), KL_RULE_NONE);
    }
}

static void run_until(u64 until)
{
    while (net.events && net.heap[0].at_ns <= until) {
        struct event event = pop();
        net.now = event.at_ns;
        arrive(&event);
        free(event.bytes);
    }
    net.now = until;
}

static void publish(u32 node)
{
    u8 data[sizeof net.first] = {'V'};
    usize len = 5 + kl_rand_below(&net.seed, sizeof data - 5);
    CHECK(net.published < MESSAGES);
    u32 number = net.published++;
    kl_store_be32(data + 1, number);
    if (number == 0) {
        memcpy(net.first, data, len);
        net.first_len = len;
    }
    net.sent_ns[number] = net.now;
    net.nodes[node].heard[number] = true;
    CHECK_OK(kl_gossip_publish(net.nodes[node].g, net.now, 0, kl_span_of(data, len)));
}

/* What a node that is not honest says over each of its links, ten times a second. */
static void misbehave(const struct node *node)
{
    struct kl_gossip_rpc rpc;
    struct kl_buf out;
    kl_gossip_rpc_init(&rpc, 1 << 16);
    kl_buf_init(&out, 1 << 16);
    for (u32 i = 0; i < net.link_count && node->kind != SILENCE; i++) {
        u8 bytes[64];
        if (!net.links[i].open ||
            (net.links[i].node[0] != index_of(node) && net.links[i].node[1] != index_of(node)))
            continue;
        kl_rand_fill(&net.seed, bytes, sizeof bytes);
        bytes[0] = 'F';
        if (node->kind == FALSE_MESSAGES) {
            kl_gossip_put_message(&rpc, topic, KL_SPAN_OF(bytes));
        } else if (node->kind == GRAFTS) {
            kl_gossip_put_prune(&rpc, topic, true, 60, KL_SPAN_NONE);
            kl_gossip_put_graft(&rpc, topic);
        } else if (node->kind == PROMISES) {
            kl_gossip_put_ihave(&rpc, topic, 1);
            kl_gossip_put_have_id(&rpc, bytes);
        } else {
            for (int k = 0; k < 10 && net.first_len; k++)
                kl_gossip_put_message(&rpc, topic, kl_span_of(net.first, net.first_len));
        }
        kl_buf_clear(&out);
        kl_gossip_rpc_finish(&rpc, &out);
        carry(i, end_of(i, node), kl_buf_view(&out));
    }
    kl_gossip_rpc_done(&rpc);
    kl_buf_done(&out);
}

/* A tenth of a second: each node's beat has its own. */
static void tick(u32 step)
{
    run_until(net.now + 100 * MS);
    for (u32 i = 0; i < NODES; i++) {
        struct node *node = &net.nodes[i];
        if (node->kind != HONEST)
            misbehave(node);
        else if (node->g && i % 10 == step % 10) {
            kl_gossip_beat(node->g, net.now);
            usize held = kl_gossip_held_bytes(node->g);
            net.held_most = KL_MAX(net.held_most, held);
        }
    }
}

/* Which messages that node should have heard it has. */
static void check_heard(const struct node *node, u64 since, u64 until)
{
    for (u32 m = 0; m < net.published; m++)
        if (net.sent_ns[m] >= since && net.sent_ns[m] <= until && !node->heard[m])
            kl_test_fail(__FILE__, __LINE__, "node %u misses message %u of %llu ms, of %zu links",
                         index_of(node), m, (unsigned long long)(net.sent_ns[m] / MS),
                         links_of(index_of(node)));
}

static void check_honest(void)
{
    for (u32 i = 0; i < NODES; i++)
        if (net.nodes[i].kind == HONEST) {
            CHECK_U64(net.nodes[i].grays, 0);
            if (is_up(&net.nodes[i]))
                check_heard(&net.nodes[i], net.nodes[i].up_ns + SETTLE_S * KL_GOSSIP_BEAT_NS,
                            net.now - SETTLE_S * KL_GOSSIP_BEAT_NS);
        }
    CHECK(net.held_most <= HELD_MAX);
}

/* What a node's address book is for: whoever has few links makes more. */
static void make_links(usize least, u32 among)
{
    for (u32 i = 0; i < among; i++)
        if (is_up(&net.nodes[i]) && links_of(i) < least)
            dial(i, any_up(among));
}

static bool are_without_mesh(void)
{
    for (u32 i = 0; i < NODES; i++)
        if (is_up(&net.nodes[i]) && kl_gossip_mesh_count(net.nodes[i].g, 0) == 0)
            return true;
    return false;
}

/* All know one node at first, and one another by peer exchange; who still has few links makes more,
 * and then that node goes. */
KL_TEST(gossip_net_grows_from_one_node)
{
    make_net(kl_rand(seed), 0, 0);
    for (u32 i = 1; i < NODES; i++)
        dial(i, 0);
    for (u32 step = 0; step < 10 * SECONDS; step++) {
        tick(step);
        if (step == 10 * EXCHANGE_S) {
            usize known = 0;
            for (u32 i = 0; i < NODES; i++)
                known += links_of(i) >= KL_GOSSIP_D_LOW;
            CHECK(known >= NODES * 3 / 4);
        }
        if (step >= 10 * EXCHANGE_S)
            make_links(3, NODES);
        if (step == 400)
            fell(&net.nodes[0]);
        if (step % 4 == 0)
            publish(any_up(NODES));
    }
    check_honest();
    /* A mesh that is too large may have pruned one that was in no other: that has a new one soon.
     */
    for (u32 step = 0; are_without_mesh(); step++) {
        CHECK(step < 30);
        tick(step);
    }
    free_net();
}

KL_TEST(gossip_net_loses_and_churns)
{
    make_net(kl_rand(seed), 0, 100);
    for (u32 i = 0; i < NODES; i++)
        for (int k = 0; k < 4; k++)
            dial(i, (u32)kl_rand_below(&net.seed, NODES));
    for (u32 step = 0; step < 10 * SECONDS; step++) {
        tick(step);
        make_links(4, NODES);
        if (step % 20 == 19) { /* one goes, another that was gone comes back */
            u32 gone = any_up(NODES), back = (u32)kl_rand_below(&net.seed, NODES);
            check_heard(&net.nodes[gone], net.nodes[gone].up_ns + SETTLE_S * KL_GOSSIP_BEAT_NS,
                        net.now - SETTLE_S * KL_GOSSIP_BEAT_NS);
            fell(&net.nodes[gone]);
            for (u32 k = 0; k < NODES && is_up(&net.nodes[back]); k++)
                back = (back + 1) % NODES;
            if (back != gone && !is_up(&net.nodes[back])) {
                raise(&net.nodes[back]);
                memset(net.nodes[back].heard, 0, sizeof net.nodes[back].heard);
                for (int k = 0; k < 5; k++)
                    dial(back, any_up(NODES));
            }
        }
        if (step % 3 == 0)
            publish(any_up(NODES));
    }
    check_honest();
    CHECK(net.lost > 100);
    free_net();
}

/* A quarter of the nodes misbehaves, each in its way, and each has many links. */
KL_TEST(gossip_net_bears_misbehaviour)
{
    make_net(kl_rand(seed), NODES / 4, 20);
    for (u32 i = 0; i < NODES; i++)
        for (int k = 0; k < 5; k++)
            dial(i, (u32)kl_rand_below(&net.seed, i < NODES * 3 / 4 ? NODES : NODES * 3 / 4));
    for (u32 i = NODES * 3 / 4; i < NODES; i++)
        for (int k = 0; k < 8; k++)
            dial(i, (u32)kl_rand_below(&net.seed, NODES * 3 / 4));
    for (u32 step = 0; step < 10 * SECONDS; step++) {
        tick(step);
        make_links(4, NODES * 3 / 4);
        if (step % 4 == 0)
            publish(any_up(NODES * 3 / 4));
    }
    check_honest();
    for (u32 i = 0; i < net.link_count; i++) { /* nobody listens to them any more */
        const struct node *a = &net.nodes[net.links[i].node[0]];
        const struct node *b = &net.nodes[net.links[i].node[1]];
        if (net.links[i].open && (a->kind == HONEST || b->kind == HONEST))
            CHECK((a->kind == HONEST || a->kind == SILENCE) &&
                  (b->kind == HONEST || b->kind == SILENCE));
    }
    for (u32 i = 0; i < NODES; i++)
        CHECK(net.nodes[i].kind == HONEST || net.nodes[i].kind == SILENCE ||
              net.nodes[i].grays >= 5);
    free_net();
}

/* A member among others: frames between replica and net, whom the peers want, gossip. */
#include "codec/hex.h"
#include "node/lanes.h"
#include "node/member_priv.h"
#include "p2p/nuisance.h"
#include "sys/env.h"

#define SAVE_NS UINT64_C(300000000000) /* between two writings of peers.json */

/* Of nuisance: who comes says all that are known, one of each validator. */
enum { ANNOUNCEMENT_UNITS = 64 };
_Static_assert(ANNOUNCEMENT_UNITS *KL_VALIDATORS_MAX <= KL_NUISANCE_MAX / 2, "");

/* Of gossip. */
enum { TOPIC_TX, TOPIC_PEERS, TOPICS };

/* --- frames --- */

static struct kl_member *of_net(struct kl_replica_net *net)
{
    return (struct kl_member *)((char *)net - offsetof(struct kl_member, net));
}

static struct kl_member *of_wire(struct kl_net_user *user)
{
    return (struct kl_member *)((char *)user - offsetof(struct kl_member, wire_user));
}

static void send_frame(struct kl_replica_net *net, u32 peer, kl_message_kind kind, kl_span frame)
{
    static const kl_swarm_class classes[KL_STREAM_COUNT] = {
        [KL_STREAM_BFT] = KL_SWARM_BFT,
        [KL_STREAM_PROPOSAL] = KL_SWARM_PROPOSAL,
        [KL_STREAM_TX] = KL_SWARM_TX,
        [KL_STREAM_SYNC] = KL_SWARM_SYNC,
    };
    struct kl_member *m = of_net(net);
    kl_message_stream stream = kl_message_stream_of(kind);
    bool votes = stream == KL_STREAM_BFT || stream == KL_STREAM_PROPOSAL;
    u32 all = votes ? KL_NET_KNOWN : KL_NET_ALL; /* strangers ask for what is final */
    if (m->wire)
        kl_net_send(m->wire, peer == KL_REPLICA_ALL ? all : peer, classes[stream], frame);
}

static void penalize(struct kl_replica_net *net, u32 peer, kl_rule rule)
{
    struct kl_member *m = of_net(net);
    if (m->wire)
        kl_net_drop(m->wire, peer, rule);
}

static void blame(struct kl_replica_net *net, u32 peer, u64 units)
{
    struct kl_member *m = of_net(net);
    if (m->wire)
        kl_net_nuisance(m->wire, peer, units);
}

/* What a frame costs its peer as a nuisance, by kind: that many of them, and no more, would be
 * beyond what any correct peer says (docs/bounds.md).  Proposals, and answers that were asked for,
 * cost nothing; answers that were not are the replica's to blame. */
static u64 nuisance_of(kl_span frame)
{
    static const u16 units[] = {
        [KL_MESSAGE_VOTE] = 1,         [KL_MESSAGE_CERTIFICATE] = 1,
        [KL_MESSAGE_EVIDENCE] = 16,    [KL_MESSAGE_ASK_CERTIFICATES] = 16,
        [KL_MESSAGE_ASK_BODY] = 16,    [KL_MESSAGE_ASK_BLOCKS] = 16,
        [KL_MESSAGE_STATUS] = 64,      [KL_MESSAGE_TRANSACTIONS] = 16,
        [KL_MESSAGE_ASK_RECORDS] = 16, [KL_MESSAGE_ASK_STATE] = 16,
        [KL_MESSAGE_ASK_CODE] = 2,     [KL_MESSAGE_ASK_TRANSACTIONS] = 16,
    };
    if (frame.len && frame.p[0] == KL_HERALD_KIND)
        return ANNOUNCEMENT_UNITS;
    return frame.len && frame.p[0] < KL_COUNT_OF(units) ? units[frame.p[0]] : 0;
}

/* --- gossip of transactions --- */

static void publish_frame(struct kl_replica_net *net, kl_span frame)
{
    struct kl_member *m = of_net(net);
    if (m->wire)
        kl_net_publish(m->wire, TOPIC_TX, frame);
}

static void tell_verdict(struct kl_replica_net *net, const u8 id[KL_REPLICA_GOSSIP_ID_LEN],
                         kl_replica_verdict verdict)
{
    static const kl_gossip_verdict_kind verdicts[] = {
        [KL_REPLICA_ACCEPT] = KL_GOSSIP_ACCEPT,
        [KL_REPLICA_REJECT] = KL_GOSSIP_REJECT,
        [KL_REPLICA_IGNORE] = KL_GOSSIP_IGNORE,
    };
    struct kl_member *m = of_net(net);
    if (m->wire)
        kl_net_verdict(m->wire, id, verdicts[verdict]);
}

/* --- who is reached --- */

static bool reaches(struct kl_replica_net *net, const u8 *key)
{
    struct kl_member *m = of_net(net);
    return !m->peers || kl_peers_reaches(m->peers, key);
}

/* While the chain is filled nothing can be said of transactions. */
static void deliver_transactions(struct kl_member *m, u32 peer, const u8 id[KL_GOSSIP_ID_LEN],
                                 kl_span data)
{
    kl_lock(&m->lock);
    if (m->filler)
        kl_net_verdict(m->wire, id, KL_GOSSIP_IGNORE);
    else
        kl_replica_gossiped(m->replica, id, peer, data);
    member_leave(m);
}

/* --- who is there --- */

static kl_replica_rank rank_of(struct kl_member *m, u32 peer)
{
    if (kl_peers_guards(m->peers, &m->ids[peer]))
        return KL_REPLICA_WARD;
    return kl_peers_wants(m->peers, &m->ids[peer]) ? KL_REPLICA_PEER : KL_REPLICA_STRANGER;
}

static void rank_all(struct kl_member *m)
{
    for (u32 i = 0; i < KL_SWARM_PEERS_MAX; i++)
        if (m->up[i] && !m->filler)
            kl_replica_set_rank(m->replica, i, rank_of(m, i));
}

static void on_met(struct kl_net_user *user, u32 peer, const kl_peer_id *id,
                   KL_UNUSED const kl_multiaddr *remote, bool outbound)
{
    struct kl_member *m = of_wire(user);
    kl_lock(&m->lock);
    m->ids[peer] = *id;
    kl_unlock(&m->lock);
    kl_peers_met(m->peers, id, outbound);
    member_wake(m);
}

static void on_lost(struct kl_net_user *user, KL_UNUSED u32 peer, const kl_peer_id *id)
{
    struct kl_member *m = of_wire(user);
    kl_peers_lost(m->peers, id);
    member_wake(m);
}

static void on_up(struct kl_net_user *user, u32 peer)
{
    struct kl_member *m = of_wire(user);
    kl_lock(&m->lock);
    m->up[peer] = true;
    if (m->filler) {
        kl_filler_connected(m->filler, peer);
    } else {
        kl_replica_set_rank(m->replica, peer, rank_of(m, peer));
        kl_replica_connected(m->replica, peer);
    }
    member_leave(m);
    kl_peers_up(m->peers, peer);
}

static void on_down(struct kl_net_user *user, u32 peer)
{
    struct kl_member *m = of_wire(user);
    kl_lock(&m->lock);
    m->up[peer] = false;
    if (m->filler)
        kl_filler_disconnected(m->filler, peer);
    else
        kl_replica_disconnected(m->replica, peer);
    member_leave(m);
}

static void hear_announcement(struct kl_member *m, u32 peer, kl_span frame)
{
    kl_rule broken;
    kl_lock(&m->lock);
    kl_peer_id from = m->ids[peer];
    kl_unlock(&m->lock);
    if (kl_peers_hear(m->peers, &from, frame, false, &broken) == KL_HERALD_FALSE)
        kl_net_drop(m->wire, peer, broken);
    member_wake(m);
}

static void on_frame(struct kl_net_user *user, u32 peer, kl_span frame)
{
    struct kl_member *m = of_wire(user);
    kl_net_nuisance(m->wire, peer, nuisance_of(frame));
    if (frame.len && frame.p[0] == KL_HERALD_KIND) {
        hear_announcement(m, peer, frame);
        return;
    }
    kl_lock(&m->lock);
    if (m->filler)
        kl_filler_receive(m->filler, peer, frame);
    else
        kl_replica_receive(m->replica, peer, frame);
    member_leave(m);
}

/* Where our chain stands: its newest block that readers are shown. */
static kl_fork_place place_of(struct kl_member *m)
{
    struct kl_chain *chain = kl_replica_chain(m->replica);
    struct kl_tip *tip = kl_chain_published(chain);
    kl_fork_place place = {.spec = kl_chain_spec(chain),
                           .genesis_hash = kl_chain_genesis_hash(chain),
                           .genesis_time = m->genesis_time,
                           .number = tip->header.number,
                           .timestamp = tip->header.timestamp};
    kl_tip_unref(tip);
    return place;
}

static void on_greet(struct kl_net_user *user, KL_UNUSED u32 peer, struct kl_buf *out)
{
    struct kl_member *m = of_wire(user);
    const kl_fork_place place = place_of(m);
    struct kl_buf pass;
    kl_buf_init(&pass, KL_HERALD_MAX);
    kl_peers_put_pass(m->peers, &pass);
    kl_hello_put(out, &place, kl_buf_view(&pass));
    kl_buf_done(&pass);
}

static kl_rule on_hello(struct kl_net_user *user, KL_UNUSED u32 peer, const kl_peer_id *id,
                        kl_span hello)
{
    struct kl_member *m = of_wire(user);
    const kl_fork_place place = place_of(m);
    KL_JUDGE(kl_hello_judge(&place, hello));
    kl_span pass = kl_hello_pass(hello);
    kl_rule broken;
    if (pass.len && kl_peers_hear(m->peers, id, pass, false, &broken) == KL_HERALD_FALSE)
        return broken;
    member_wake(m);
    return KL_RULE_NONE;
}

static kl_swarm_standing on_introduced(struct kl_net_user *user, const kl_peer_id *id,
                                       kl_span hello)
{
    struct kl_member *m = of_wire(user);
    const kl_fork_place place = place_of(m);
    if (kl_hello_judge(&place, hello) != KL_RULE_NONE)
        return KL_SWARM_STRANGER;
    kl_swarm_standing standing = kl_peers_introduced(m->peers, id, kl_hello_pass(hello));
    member_wake(m);
    return standing;
}

static void on_identified(struct kl_net_user *user, KL_UNUSED u32 peer, const kl_peer_id *id,
                          const kl_identify *said, const kl_peer_record *record)
{
    struct kl_member *m = of_wire(user);
    kl_peers_identified(m->peers, id, said, record);
    member_wake(m);
}

static void on_heard_of(struct kl_net_user *user, const kl_peer_id *from,
                        const kl_peer_record *record)
{
    struct kl_member *m = of_wire(user);
    kl_peers_heard_of(m->peers, from, record);
    member_wake(m);
}

static void deliver_announcement(struct kl_member *m, u32 peer, const u8 id[KL_GOSSIP_ID_LEN],
                                 kl_span data)
{
    static const kl_gossip_verdict_kind verdicts[] = {
        [KL_HERALD_NEW] = KL_GOSSIP_ACCEPT,
        [KL_HERALD_OLD] = KL_GOSSIP_IGNORE,
        [KL_HERALD_ALIEN] = KL_GOSSIP_IGNORE,
        [KL_HERALD_FALSE] = KL_GOSSIP_REJECT,
    };
    kl_rule broken;
    kl_lock(&m->lock);
    kl_peer_id from = m->ids[peer];
    kl_unlock(&m->lock);
    kl_net_verdict(m->wire, id, verdicts[kl_peers_hear(m->peers, &from, data, true, &broken)]);
    member_wake(m);
}

static void on_deliver(struct kl_net_user *user, u32 peer, u32 topic, const u8 id[KL_GOSSIP_ID_LEN],
                       kl_span data)
{
    struct kl_member *m = of_wire(user);
    if (topic == TOPIC_PEERS)
        deliver_announcement(m, peer, id, data);
    else
        deliver_transactions(m, peer, id, data);
}

static void on_dropped(struct kl_net_user *user, const kl_net_dropped *dropped)
{
    struct kl_member *m = of_wire(user);
    if (dropped->has_id)
        kl_peers_dropped(m->peers, &dropped->id);
    m->listener->dropped(m->listener, dropped);
}

/* --- what the peers want of the net; their lock is held --- */

static struct kl_member *of_peers(struct kl_peers_wire *wire)
{
    return (struct kl_member *)((char *)wire - offsetof(struct kl_member, peers_wire));
}

static void want_peer(struct kl_peers_wire *wire, const kl_peer_id *id, kl_swarm_standing standing)
{
    struct kl_member *m = of_peers(wire);
    kl_net_want(m->wire, id, standing);
    atomic_store(&m->reranked, true);
}

static void unwant_peer(struct kl_peers_wire *wire, const kl_peer_id *id)
{
    struct kl_member *m = of_peers(wire);
    kl_net_unwant(m->wire, id);
    atomic_store(&m->reranked, true);
}

static void dial_peer(struct kl_peers_wire *wire, const kl_multiaddr *addr)
{
    kl_net_dial(of_peers(wire)->wire, addr);
}

static void set_addrs(struct kl_peers_wire *wire, const kl_multiaddr *addrs, usize count)
{
    kl_net_set_addrs(of_peers(wire)->wire, addrs, count);
}

static void publish_announcement(struct kl_peers_wire *wire, kl_span announcement)
{
    kl_net_publish(of_peers(wire)->wire, TOPIC_PEERS, announcement);
}

static void send_announcement(struct kl_peers_wire *wire, u32 peer, kl_span announcement)
{
    kl_net_send(of_peers(wire)->wire, peer, KL_SWARM_SYNC, announcement);
}

/* --- peers.json --- */

static struct kl_member *of_saving(struct kl_job *job)
{
    return (struct kl_member *)((char *)job - offsetof(struct kl_member, saving));
}

/* What is not kept is learned again. */
static void save_run(struct kl_job *job)
{
    struct kl_member *m = of_saving(job);
    (void)!kl_peers_save(m->fs, kl_buf_view(&m->saved));
}

static void save_done(struct kl_job *job)
{
    of_saving(job)->saves = false;
}

/* Beside everything else, on the state's lane. */
static void save_peers(struct kl_member *m)
{
    m->save_ns = kl_mono_ns(m->config.clock) + SAVE_NS;
    if (m->saves)
        return;
    m->saves = true;
    m->saving = (struct kl_job){.run = save_run, .done = save_done};
    kl_buf_clear(&m->saved);
    kl_peers_text(m->peers, &m->saved);
    kl_jobs_give(kl_lanes_jobs(m->lanes), KL_LANE_STATE, &m->saving);
}

/* The peers' turn; returns when the next is.  The lock is held. */
u64 member_net_turn(struct kl_member *m)
{
    if (!m->peers)
        return UINT64_MAX;
    u64 now_ns = kl_mono_ns(m->config.clock);
    if (kl_peers_due_ns(m->peers) <= now_ns)
        kl_peers_tick(m->peers);
    if (m->save_ns <= now_ns)
        save_peers(m);
    if (atomic_exchange(&m->reranked, false))
        rank_all(m);
    return KL_MIN(kl_peers_due_ns(m->peers), m->save_ns);
}

/* --- life --- */

void member_net_set_validators(struct kl_member *m, const struct kl_tip *tip)
{
    if (!m->peers || m->epoch == tip->epoch->number)
        return;
    m->epoch = tip->epoch->number;
    kl_peers_set_validators(m->peers, &tip->epoch->set);
}

static kl_status read_genesis_time(struct kl_chain *chain, u64 *out)
{
    struct kl_reader *reader;
    struct kl_arena arena;
    kl_header header;
    kl_hash hash;
    KL_TRY(kl_reader_open(chain, &reader));
    kl_arena_init(&arena, 1 << 16);
    kl_status status = kl_reader_header(reader, 0, &arena, &header, &hash);
    kl_reader_close(reader);
    kl_arena_done(&arena);
    if (status == KL_OK)
        *out = header.timestamp;
    return status;
}

/* An address book that cannot be read is begun anew: it is only what others say. */
static kl_status open_peers(struct kl_member *m, const kl_replica_config *config,
                            const kl_member_network *network)
{
    struct kl_chain *chain = kl_replica_chain(m->replica);
    const kl_vote_domain domain = kl_chain_vote_domain(chain);
    const kl_peers_config peers = {
        .roster = network->roster,
        .identity = network->identity,
        .domain = &domain,
        .scheme = kl_vote_scheme_of(kl_chain_spec(chain)->bft.scheme, config->chain.tests),
        .vote_secret = config->key_fs ? &config->vote_secret : NULL,
        .clock = m->config.clock,
        .wire = &m->peers_wire,
        .seed = config->seed,
    };
    kl_rule broken;
    m->peers_wire = (struct kl_peers_wire){want_peer, unwant_peer,          dial_peer,
                                           set_addrs, publish_announcement, send_announcement};
    m->fs = network->fs;
    KL_TRY(read_genesis_time(chain, &m->genesis_time));
    KL_TRY(kl_peers_new(&m->peers, &peers));
    (void)!kl_peers_load(m->peers, m->fs, &broken);
    return KL_OK;
}

/* The network's digest is the beginning of the genesis' hash. */
static kl_status open_wire(struct kl_member *m, const kl_member_network *network)
{
    char host[KL_NET_HOST_MAX];
    kl_roster_listen_host(host, network->roster);
    kl_net_config config = {
        .identity = network->identity,
        .host = host,
        .port = network->roster->listen.port,
        .addresses = kl_peers_addresses(m->peers),
        .open = network->roster->open,
        .frame_max = KL_MESSAGE_MAX,
        .votes_max = KL_MESSAGE_BFT_MAX,
        .topics = {[TOPIC_TX] = "tx", [TOPIC_PEERS] = "peers"},
        .topic_count = TOPICS,
        .memory_max = network->memory_max,
        .clock = m->config.clock,
        .entropy = kl_sys_entropy(),
    };
    const kl_hash *genesis = kl_chain_genesis_hash(kl_replica_chain(m->replica));
    kl_hex_digits(config.digest, kl_span_of(genesis->b, 4));
    KL_TRY(kl_net_open(&m->wire, &config, &m->wire_user));
    struct kl_tip *tip = kl_chain_published(kl_replica_chain(m->replica));
    member_net_set_validators(m, tip);
    kl_tip_unref(tip);
    m->address = network->roster->listen;
    m->address.port = kl_net_port(m->wire);
    m->address.has_peer = true;
    m->address.peer = kl_peer_id_of(network->identity);
    kl_peers_begin(m->peers, m->address.port);
    m->save_ns = kl_mono_ns(m->config.clock) + SAVE_NS;
    return KL_OK;
}

kl_status member_net_open(struct kl_member *m, const kl_replica_config *config,
                          const kl_member_network *network, bool *listens)
{
    m->epoch = UINT64_MAX;
    KL_TRY(open_peers(m, config, network));
    kl_status status = open_wire(m, network);
    *listens = status == KL_OK;
    return status;
}

void member_net_init(struct kl_member *m)
{
    kl_buf_init(&m->saved, KL_BOOK_TEXT_MAX);
    m->net = (struct kl_replica_net){.send = send_frame,
                                     .penalize = penalize,
                                     .blame = blame,
                                     .publish = publish_frame,
                                     .verdict = tell_verdict,
                                     .reaches = reaches};
    m->wire_user = (struct kl_net_user){.up = on_up,
                                        .down = on_down,
                                        .frame = on_frame,
                                        .dropped = on_dropped,
                                        .met = on_met,
                                        .lost = on_lost,
                                        .greet = on_greet,
                                        .hello = on_hello,
                                        .introduced = on_introduced,
                                        .identified = on_identified,
                                        .deliver = on_deliver,
                                        .heard_of = on_heard_of};
}

void member_net_close(struct kl_member *m)
{
    if (m->wire) {
        kl_buf_clear(&m->saved);
        kl_peers_text(m->peers, &m->saved);
        save_run(&m->saving);
    }
    kl_net_close(m->wire);
    kl_peers_free(m->peers);
    kl_buf_done(&m->saved);
}

bool kl_member_address(struct kl_member *m, kl_multiaddr *out)
{
    if (m->wire)
        *out = m->address;
    return m->wire != NULL;
}

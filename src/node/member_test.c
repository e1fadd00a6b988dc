/* A member without a network: what its listener hears, and until when. */
#include "node/member_priv.h"

#include <semaphore.h>
#include <stdlib.h>

#include "base/test.h"
#include "chain/authority.h"
#include "codec/hex.h"
#include "node/herald.h"
#include "node/lanes.h"
#include "node/network_genesis.h"
#include "node/validator_key.h"
#include "sim/disk.h"
#include "state/state.h"
#include "store/memkv.h"
#include "sys/env.h"

#define NS_PER_S UINT64_C(1000000000)

static struct rig {
    struct kl_clock clock; /* that the test turns */
    struct kl_member_listener listener;
    atomic_ullong now_ns;
    atomic_uint heard;   /* words about filling */
    atomic_uint dropped; /* peers, for what they say for nothing */
    kl_validator_key key;
    struct kl_sim_disk *disk, *shade;
    struct kl_kv *kv, *shade_kv;
    struct kl_arena arena;
    struct kl_buf genesis;
    struct kl_member *member;
} rig;

static u64 mono(KL_UNUSED struct kl_clock *clock)
{
    return atomic_load(&rig.now_ns);
}

static u64 wall(struct kl_clock *clock)
{
    return mono(clock) + 1700000000 * NS_PER_S;
}

static void on_filling(KL_UNUSED struct kl_member_listener *listener,
                       KL_UNUSED const kl_filler_status *status)
{
    atomic_fetch_add(&rig.heard, 1);
}

static void on_tip(KL_UNUSED struct kl_member_listener *listener, KL_UNUSED struct kl_tip *tip)
{
}

static void on_text(KL_UNUSED struct kl_member_listener *listener, KL_UNUSED const char *text)
{
}

static void on_broken(KL_UNUSED struct kl_member_listener *listener, KL_UNUSED kl_status status)
{
}

static void on_dropped(KL_UNUSED struct kl_member_listener *listener, const kl_net_dropped *dropped)
{
    if (dropped->why == KL_RULE_SWARM_NUISANCE)
        atomic_fetch_add(&rig.dropped, 1);
}

static void make_genesis(void)
{
    const kl_vote_scheme *scheme = kl_vote_scheme_of(KL_SCHEME_SECP256K1, false);
    kl_policy_entry entry;
    kl_validator_proofs proofs;
    kl_rule broken;
    kl_validator_key_new(&rig.key, scheme);
    kl_validator_key_entry(&entry, &proofs, &rig.key, 1);
    const kl_network_genesis genesis = {
        .chain_id = 77,
        .timestamp = 1000,
        .gas_limit = 30000000,
        .base_fee = 7,
        .bft = {.scheme = scheme->id,
                .epoch_blocks = 9,
                .block_period_ms = 300,
                .delta_ms = 50,
                .policy = kl_authority_address},
        .entries = &entry,
        .count = 1,
    };
    kl_arena_init(&rig.arena, 64 << 20);
    kl_buf_init(&rig.genesis, 4 << 20);
    CHECK_OK(kl_network_genesis_write(&rig.genesis, &genesis, &rig.arena, &broken));
    CHECK_RULE(broken, KL_RULE_NONE);
}

static kl_chain_config chain_on(struct kl_sim_disk *disk, struct kl_kv *kv)
{
    return (kl_chain_config){.fs = kl_sim_disk_fs(disk),
                             .kv = kv,
                             .genesis = kl_buf_view(&rig.genesis),
                             .segment_bytes = 1 << 20};
}

static void begin(void)
{
    rig.clock = (struct kl_clock){mono, wall};
    rig.listener = (struct kl_member_listener){.tip = on_tip,
                                               .alarm = on_text,
                                               .stalls = on_text,
                                               .broken = on_broken,
                                               .filling = on_filling,
                                               .dropped = on_dropped};
    atomic_store(&rig.now_ns, NS_PER_S);
    make_genesis();
    CHECK_OK(kl_sim_disk_new(&rig.disk));
    CHECK_OK(kl_sim_disk_new(&rig.shade));
    CHECK_OK(kl_memkv_open(&rig.kv, KL_TABLE_COUNT));
    CHECK_OK(kl_memkv_open(&rig.shade_kv, KL_TABLE_COUNT));
}

static void open_member(const kl_member_network *network, const kl_chain_config *fill,
                        struct kl_clock *clock)
{
    kl_replica_report report;
    bool listens;
    const kl_replica_config config = {
        .chain = chain_on(rig.shade, rig.shade_kv),
        .pool = {.tx_max = 100,
                 .bytes_max = 1 << 20,
                 .tx_bytes_max = 1 << 17,
                 .per_sender_max = 100,
                 .queued_sender_max = 100,
                 .replace_percent = 10,
                 .nonce_gap_max = 100},
        .log_fs = kl_sim_disk_fs(rig.shade),
        .clock = clock,
        .seed = 1,
    };
    CHECK_OK(kl_member_open(&rig.member, &config, network, fill, &rig.listener, NULL, &report,
                            &listens));
}

/* A member whose chain the others are to fill; nobody is there. */
static void open_to_be_filled(void)
{
    struct kl_chain *chain;
    kl_chain_report made;
    const kl_chain_config fill = chain_on(rig.disk, rig.kv);
    CHECK_OK(kl_chain_open(&chain, &fill, NULL, &made));
    kl_chain_close(chain);
    open_member(NULL, &fill, &rig.clock);
}

static void done(void)
{
    kl_validator_key_wipe(&rig.key);
    kl_kv_close(rig.kv);
    kl_kv_close(rig.shade_kv);
    kl_sim_disk_free(rig.disk);
    kl_sim_disk_free(rig.shade);
    kl_buf_done(&rig.genesis);
    kl_arena_done(&rig.arena);
}

struct slow {
    struct kl_job job;
    sem_t begun, go_on;
};

static void run_slow(struct kl_job *job)
{
    struct slow *slow = (struct slow *)job;
    CHECK(sem_post(&slow->begun) == 0 && sem_wait(&slow->go_on) == 0);
}

static void done_slow(KL_UNUSED struct kl_job *job)
{
    kl_test_fail(__FILE__, __LINE__, "of no interest any more");
}

/* Whoever has stopped a member may take its listener away, though a lane is still at work. */
KL_TEST(member_that_is_stopped_says_nothing_more)
{
    struct slow slow = {.job = {.run = run_slow, .done = done_slow}};
    CHECK(sem_init(&slow.begun, 0, 0) == 0 && sem_init(&slow.go_on, 0, 0) == 0);
    begin();
    open_to_be_filled();
    CHECK_OK(kl_member_start(rig.member));
    kl_jobs_give(kl_lanes_jobs(rig.member->lanes), KL_LANE_STATE, &slow.job);
    CHECK(sem_wait(&slow.begun) == 0);
    kl_member_stop(rig.member);
    u32 heard = atomic_load(&rig.heard);
    atomic_fetch_add(&rig.now_ns, 60 * NS_PER_S);
    CHECK(sem_post(&slow.go_on) == 0);
    kl_member_close(rig.member); /* waits for the lane */
    CHECK_U64(atomic_load(&rig.heard), heard);
    done();
    CHECK(sem_destroy(&slow.begun) == 0 && sem_destroy(&slow.go_on) == 0);
}

/* --- a peer --- */

struct peer {
    struct kl_net_user user;
    struct kl_net *net;
    kl_secret32 identity;
};

static void nothing(KL_UNUSED struct kl_net_user *user, KL_UNUSED u32 peer)
{
}

static void hear_nothing(KL_UNUSED struct kl_net_user *user, KL_UNUSED u32 peer,
                         KL_UNUSED kl_span frame)
{
}

static void be_dropped(KL_UNUSED struct kl_net_user *user, KL_UNUSED const kl_net_dropped *dropped)
{
}

static void greet(KL_UNUSED struct kl_net_user *user, KL_UNUSED u32 peer, struct kl_buf *out)
{
    struct kl_chain *chain = kl_member_chain(rig.member);
    const kl_fork_place place = {.spec = kl_chain_spec(chain),
                                 .genesis_hash = kl_chain_genesis_hash(chain),
                                 .genesis_time = 1000,
                                 .timestamp = 1000};
    kl_hello_put(out, &place, KL_SPAN_NONE);
}

static kl_rule agree(KL_UNUSED struct kl_net_user *user, KL_UNUSED u32 peer,
                     KL_UNUSED const kl_peer_id *id, KL_UNUSED kl_span hello)
{
    return KL_RULE_NONE;
}

static usize nowhere(KL_UNUSED struct kl_net_addresses *addresses, KL_UNUSED const kl_peer_id *id,
                     KL_UNUSED kl_multiaddr out[KL_NET_ADDRS_MAX])
{
    return 0;
}

static void open_peer(struct peer *peer, u64 *seed)
{
    static struct kl_net_addresses addresses = {.of = nowhere};
    kl_rand_fill(seed, peer->identity.b, sizeof peer->identity.b);
    peer->user = (struct kl_net_user){.up = nothing,
                                      .down = nothing,
                                      .frame = hear_nothing,
                                      .dropped = be_dropped,
                                      .greet = greet,
                                      .hello = agree};
    kl_net_config config = {.identity = &peer->identity,
                            .host = "127.0.0.1",
                            .addresses = &addresses,
                            .open = true,
                            .frame_max = KL_MESSAGE_MAX,
                            .clock = kl_sys_clock(),
                            .entropy = kl_sys_entropy()};
    const kl_hash *genesis = kl_chain_genesis_hash(kl_member_chain(rig.member));
    kl_hex_digits(config.digest, kl_span_of(genesis->b, 4));
    CHECK_OK(kl_net_open(&peer->net, &config, &peer->user));
    CHECK_OK(kl_net_start(peer->net));
}

/* Where the validator is, said for the seq-th time, by the key of an identity of its own. */
static void announce(struct kl_buf *out, const kl_secret32 *identity, u64 seq)
{
    const kl_vote_domain domain = kl_chain_vote_domain(kl_member_chain(rig.member));
    const kl_peer_record record = {.peer = kl_peer_id_of(identity), .seq = seq};
    kl_buf_init(out, KL_HERALD_MAX);
    CHECK(kl_herald_put(out, &record, identity, rig.key.scheme, &rig.key.vote_secret, &domain));
}

/* What was true once may be said again by anybody; who does nothing else is dropped. */
KL_TEST(member_drops_who_repeats_announcements)
{
    static struct peer peer;
    kl_roster *roster = calloc(1, sizeof *roster);
    kl_secret32 identity;
    kl_multiaddr at;
    struct kl_buf newer, older;
    CHECK(roster);
    kl_rand_fill(seed, identity.b, sizeof identity.b);
    roster->listen = (kl_multiaddr){.host = KL_HOST_IP4, .ip = {127, 0, 0, 1}, .has_port = true};
    roster->open = true;
    begin();
    const kl_member_network network = {
        .roster = roster, .identity = &identity, .fs = kl_sim_disk_fs(rig.disk)};
    open_member(&network, NULL, kl_sys_clock());
    CHECK_OK(kl_member_start(rig.member));
    CHECK(kl_member_address(rig.member, &at));
    open_peer(&peer, seed);
    kl_rand_fill(seed, identity.b, sizeof identity.b); /* the validator's */
    announce(&newer, &identity, 2);
    announce(&older, &identity, 1);
    kl_net_dial(peer.net, &at);
    for (int i = 0; atomic_load(&rig.dropped) == 0; i++) {
        CHECK(i < 60000);
        kl_net_send(peer.net, KL_NET_ALL, KL_SWARM_SYNC, kl_buf_view(&newer));
        for (int k = 0; k < 20; k++)
            kl_net_send(peer.net, KL_NET_ALL, KL_SWARM_SYNC, kl_buf_view(&older));
        kl_sys_nap(NS_PER_S / 1000);
    }
    kl_net_stop(peer.net);
    kl_net_close(peer.net);
    kl_member_stop(rig.member);
    kl_member_close(rig.member);
    kl_buf_done(&newer);
    kl_buf_done(&older);
    kl_secret32_wipe(&identity);
    free(roster);
    done();
}

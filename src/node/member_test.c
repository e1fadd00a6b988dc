/* A member without a network: what its listener hears, and until when. */
#include "node/member_priv.h"

#include <semaphore.h>

#include "base/test.h"
#include "chain/authority.h"
#include "node/lanes.h"
#include "node/network_genesis.h"
#include "node/validator_key.h"
#include "sim/disk.h"
#include "state/state.h"
#include "store/memkv.h"

#define NS_PER_S UINT64_C(1000000000)

static struct rig {
    struct kl_clock clock;
    struct kl_member_listener listener;
    atomic_ullong now_ns;
    atomic_uint heard; /* words about filling */
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

static void make_genesis(void)
{
    const kl_vote_scheme *scheme = kl_vote_scheme_of(KL_SCHEME_SECP256K1, false);
    kl_validator_key key;
    kl_policy_entry entry;
    kl_validator_proofs proofs;
    kl_rule broken;
    kl_validator_key_new(&key, scheme);
    kl_validator_key_entry(&entry, &proofs, &key, 1);
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
    kl_validator_key_wipe(&key);
}

static kl_chain_config chain_on(struct kl_sim_disk *disk, struct kl_kv *kv)
{
    return (kl_chain_config){.fs = kl_sim_disk_fs(disk),
                             .kv = kv,
                             .genesis = kl_buf_view(&rig.genesis),
                             .segment_bytes = 1 << 20};
}

/* A member whose chain the others are to fill; nobody is there. */
static void open_to_be_filled(void)
{
    struct kl_chain *chain;
    kl_chain_report made;
    kl_replica_report report;
    bool listens;
    rig.clock = (struct kl_clock){mono, wall};
    rig.listener = (struct kl_member_listener){.filling = on_filling};
    atomic_store(&rig.now_ns, NS_PER_S);
    make_genesis();
    CHECK_OK(kl_sim_disk_new(&rig.disk));
    CHECK_OK(kl_sim_disk_new(&rig.shade));
    CHECK_OK(kl_memkv_open(&rig.kv, KL_TABLE_COUNT));
    CHECK_OK(kl_memkv_open(&rig.shade_kv, KL_TABLE_COUNT));
    const kl_chain_config fill = chain_on(rig.disk, rig.kv);
    CHECK_OK(kl_chain_open(&chain, &fill, NULL, &made));
    kl_chain_close(chain);
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
        .clock = &rig.clock,
        .seed = 1,
    };
    CHECK_OK(
        kl_member_open(&rig.member, &config, NULL, &fill, &rig.listener, NULL, &report, &listens));
}

static void done(void)
{
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

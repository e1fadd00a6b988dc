#include "host/replica_rig_test.h"

#include <stdio.h>
#include <stdlib.h>

#include "chain/authority.h"
#include "codec/hex.h"
#include "crypto/bls_sign.h"
#include "crypto/crypto.h"
#include "sim/disk.h"
#include "store/memkv.h"

#define NEVER UINT64_MAX

struct rig_item {
    u64 at_ns, order;
    u32 node, from, life;
    struct kl_job *job; /* or a frame */
    usize len;
    u8 *frame;
    struct rig_item *next;
};

static void post(struct rig *rig, struct rig_item item)
{
    struct rig_item *copy = malloc(sizeof *copy), **at = &rig->items;
    CHECK(copy);
    *copy = item;
    copy->order = rig->order++;
    while (*at && (*at)->at_ns <= copy->at_ns)
        at = &(*at)->next;
    copy->next = *at;
    *at = copy;
}

static void item_free(struct rig_item *item)
{
    free(item->frame);
    free(item);
}

/* --- what a replica is given --- */

static u64 mono_ns(struct kl_clock *clock)
{
    const struct rig_node *node =
        (struct rig_node *)((char *)clock - offsetof(struct rig_node, clock));
    return node->rig->now_ns;
}

static u64 wall_ns(struct kl_clock *clock)
{
    const struct rig_node *node =
        (struct rig_node *)((char *)clock - offsetof(struct rig_node, clock));
    return (u64)((i64)(1000 * RIG_S + node->rig->now_ns) + node->skew_ns);
}

static void give(struct kl_jobs *jobs, kl_lane lane, struct kl_job *job)
{
    struct rig_node *node = (struct rig_node *)((char *)jobs - offsetof(struct rig_node, jobs));
    struct rig *rig = node->rig;
    u64 *free_ns = &node->lane_free_ns[lane];
    *free_ns = KL_MAX(*free_ns, rig->now_ns) + RIG_MS / 2 + node->lane_slow_ns[lane] +
               kl_rand_below(&rig->rng, 2 * RIG_MS);
    post(rig,
         (struct rig_item){.at_ns = *free_ns, .node = node->index, .life = node->life, .job = job});
}

static void send_one(struct rig *rig, u32 from, u32 to, kl_message_kind kind, kl_span frame)
{
    if (to == from || !rig->nodes[to].up || rig->cut[from] || rig->cut[to] ||
        (rig->passes && !rig->passes(rig, from, to, kind)) ||
        kl_rand_below(&rig->rng, 100) < rig->loss_percent)
        return;
    rig->frames[kind]++;
    struct rig_item item = {.at_ns = rig->now_ns + 5 * RIG_MS +
                                     kl_rand_below(&rig->rng, rig->delay_ns + 1),
                            .node = to,
                            .from = from,
                            .life = rig->nodes[to].life,
                            .len = frame.len,
                            .frame = malloc(frame.len)};
    CHECK(item.frame);
    memcpy(item.frame, frame.p, frame.len);
    post(rig, item);
}

static void send_to(struct rig *rig, u32 from, u32 peer, kl_message_kind kind, kl_span frame)
{
    for (u32 i = 0; i < rig->count; i++)
        if (peer == KL_REPLICA_ALL || peer == i)
            send_one(rig, from, i, kind, frame);
}

static void send_twisted(struct rig *rig, u32 from, u32 peer, kl_span frame)
{
    struct kl_arena arena;
    struct kl_buf out;
    kl_message message;
    kl_rule broken;
    kl_arena_init(&arena, SIZE_MAX);
    kl_buf_init(&out, KL_MESSAGE_MAX);
    CHECK_OK(kl_message_decode(&message, frame, rig->scheme, &arena, &broken));
    CHECK_RULE(broken, KL_RULE_NONE);
    rig->twist(rig, from, &message);
    kl_message_encode(&out, &message, rig->scheme);
    CHECK(!out.failed);
    send_to(rig, from, peer, message.kind, kl_buf_view(&out));
    kl_buf_done(&out);
    kl_arena_done(&arena);
}

static void net_send(struct kl_replica_net *net, u32 peer, kl_message_kind kind, kl_span frame)
{
    const struct rig_node *node = (struct rig_node *)((char *)net - offsetof(struct rig_node, net));
    if (node->rig->twist)
        send_twisted(node->rig, node->index, peer, frame);
    else
        send_to(node->rig, node->index, peer, kind, frame);
}

static void net_verdict(struct kl_replica_net *net, KL_UNUSED const u8 id[KL_REPLICA_GOSSIP_ID_LEN],
                        kl_replica_verdict verdict)
{
    ((struct rig_node *)((char *)net - offsetof(struct rig_node, net)))->verdicts[verdict]++;
}

/* Who is up, and cut off no more than we are. */
static bool net_reaches(struct kl_replica_net *net, const u8 *key)
{
    const struct rig_node *node = (struct rig_node *)((char *)net - offsetof(struct rig_node, net));
    const struct rig *rig = node->rig;
    for (u32 i = 0; i < rig->count; i++) {
        u8 own[KL_VOTE_KEY_MAX];
        CHECK(rig->scheme->public_key(own, &rig->nodes[i].vote_secret));
        if (memcmp(own, key, rig->scheme->key_len) == 0)
            return rig->nodes[i].up && !rig->cut[i] && !rig->cut[node->index];
    }
    return false;
}

static void net_penalize(struct kl_replica_net *net, u32 peer, kl_rule rule)
{
    struct rig_node *node = (struct rig_node *)((char *)net - offsetof(struct rig_node, net));
    node->penalties++;
    node->penalty = rule;
    if (getenv("RIG_TELL"))
        printf("%u penalizes %u: %s\n", node->index, peer, kl_rule_text(rule));
}

static void net_blame(struct kl_replica_net *net, KL_UNUSED u32 peer, u64 units)
{
    ((struct rig_node *)((char *)net - offsetof(struct rig_node, net)))->blamed += units;
}

static struct rig_node *of_watch(struct kl_replica_watch *watch)
{
    return (struct rig_node *)((char *)watch - offsetof(struct rig_node, watch));
}

static void watch_final(struct kl_replica_watch *watch, struct kl_tip *tip)
{
    struct rig_node *node = of_watch(watch);
    struct rig *rig = node->rig;
    u64 height = tip->header.number;
    CHECK(height < RIG_HEIGHTS_MAX);
    CHECK_U64(height, node->height + 1);
    node->height = height;
    if (height > rig->height) {
        CHECK_U64(height, rig->height + 1);
        rig->final[height] = tip->hash;
        rig->height = height;
        rig->transactions += tip->tx_count;
    }
    CHECK(kl_hash_eq(&rig->final[height], &tip->hash));
}

static void watch_signs(struct kl_replica_watch *watch, const kl_vote *vote)
{
    struct rig_node *node = of_watch(watch);
    node->signs++;
    for (usize i = 0; i < node->vote_count; i++)
        if (kl_evidence_of(&node->votes[i], &vote->subject) != KL_EVIDENCE_NONE)
            kl_test_fail(__FILE__, __LINE__, "node %u signs both ways in view %llu of epoch %llu",
                         node->index, (unsigned long long)vote->subject.proposal.view,
                         (unsigned long long)vote->subject.proposal.epoch);
    CHECK(node->vote_count < RIG_VOTES_MAX);
    node->votes[node->vote_count++] = vote->subject;
}

static void watch_found(struct kl_replica_watch *watch, KL_UNUSED const kl_evidence *evidence)
{
    of_watch(watch)->found++;
}

static void watch_far(struct kl_replica_watch *watch, KL_UNUSED u64 height)
{
    of_watch(watch)->far++;
}

static void watch_alarm(struct kl_replica_watch *watch, const char *what)
{
    struct rig_node *node = of_watch(watch);
    snprintf(node->alarm, sizeof node->alarm, "%s", what);
    if (getenv("RIG_TELL"))
        printf("%u alarm: %s\n", node->index, what);
}

static void watch_refused(struct kl_replica_watch *watch, const kl_replica_refusal *refusal)
{
    struct rig_node *node = of_watch(watch);
    CHECK(refusal->why != KL_RULE_NONE && refusal->number > 0);
    node->refused++;
    node->refusal = refusal->why;
}

static void watch_barred(struct kl_replica_watch *watch, const kl_vote_subject *subject)
{
    struct rig_node *node = of_watch(watch);
    if (!node->rig->used[node->index])
        kl_test_fail(__FILE__, __LINE__, "node %u thinks that its key is used, in view %llu",
                     node->index, (unsigned long long)subject->proposal.view);
}

static void watch_stalls(struct kl_replica_watch *watch, const char *line)
{
    struct rig_node *node = of_watch(watch);
    snprintf(node->stall, sizeof node->stall, "%s", line);
    node->stalls++;
    if (getenv("RIG_TELL"))
        printf("%u: %s\n", node->index, line);
}

/* --- the chain --- */

static kl_secret32 account_key(u32 account)
{
    return (kl_secret32){.b = {[31] = (u8)(account + 1)}};
}

static kl_address account_address(u32 account)
{
    kl_secret32 key = account_key(account);
    kl_pubkey pubkey;
    CHECK(kl_secp256k1_pubkey(&pubkey, &key));
    return kl_address_of_pubkey(&pubkey);
}

static void put_hex(struct kl_buf *out, kl_span bytes)
{
    char *digits = (char *)kl_buf_extend(out, 2 * bytes.len);
    CHECK(digits);
    kl_hex_digits(digits, bytes);
}

static kl_address operator_of(const struct rig *rig, u32 i)
{
    return rig->policy ? account_address(i) : (kl_address){.b = {[19] = (u8)(i + 1)}};
}

/* proof has room for that of the randao key. */
static kl_policy_entry entry_of(const struct rig *rig, u32 i, u8 proof[KL_RANDAO_PROOF_LEN])
{
    kl_policy_entry e = {.validator = {.operator= operator_of(rig, i), .weight = 1}};
    CHECK(rig->scheme->public_key(e.validator.key, &rig->nodes[i].vote_secret));
    CHECK(kl_randao_key(e.validator.randao_key, rig->scheme, &rig->nodes[i].randao_secret));
    if (rig->policy)
        CHECK(kl_bls_prove(proof, &rig->nodes[i].randao_secret));
    e.randao_proof = kl_span_of(proof, rig->policy ? KL_RANDAO_PROOF_LEN : 0);
    return e;
}

static void put_validator(struct kl_buf *out, const struct rig *rig, u32 i)
{
    char operator[43];
    u8 proof[KL_RANDAO_PROOF_LEN];
    kl_policy_entry e = entry_of(rig, i, proof);
    kl_address_text(operator, & e.validator.operator);
    kl_buf_print(out, "{\"operator\":\"%s\",\"weight\":1,\"key\":\"0x", operator);
    put_hex(out, kl_span_of(e.validator.key, rig->scheme->key_len));
    kl_buf_str(out, "\",\"randaoKey\":\"0x");
    put_hex(out, KL_SPAN_OF(e.validator.randao_key));
    if (rig->policy) {
        kl_buf_str(out, "\",\"randaoProof\":\"0x");
        put_hex(out, e.randao_proof);
    }
    kl_buf_str(out, "\"}");
}

static void put_contract(struct kl_buf *out, const struct rig *rig)
{
    kl_policy_entry entries[RIG_NODES_MAX];
    u8 proofs[RIG_NODES_MAX][KL_RANDAO_PROOF_LEN];
    const kl_authority_genesis genesis = {
        .scheme = rig->scheme, .mode = KL_AUTHORITY_EJECT, .entries = entries, .count = rig->count};
    struct kl_arena arena;
    kl_alloc account;
    kl_rule broken;
    for (u32 i = 0; i < rig->count; i++)
        entries[i] = entry_of(rig, i, proofs[i]);
    kl_arena_init(&arena, 1 << 26);
    CHECK_OK(kl_authority_account(&account, &genesis, &arena, &broken));
    CHECK_RULE(broken, KL_RULE_NONE);
    kl_buf_str(out, ",");
    kl_authority_put_alloc(out, &account);
    kl_arena_done(&arena);
}

static void make_genesis(struct rig *rig)
{
    struct kl_buf *out = &rig->genesis;
    kl_buf_print(
        out,
        "{\"config\":{\"chainId\":4711,\"homesteadBlock\":0,\"eip150Block\":0,\"eip155Block\":0,"
        "\"eip158Block\":0,\"byzantiumBlock\":0,\"constantinopleBlock\":0,\"petersburgBlock\":0,"
        "\"istanbulBlock\":0,\"berlinBlock\":0,\"londonBlock\":0,\"terminalTotalDifficulty\":0,"
        "\"shanghaiTime\":0,\"cancunTime\":0,\"keel\":{\"engine\":\"simplex\",\"bft\":{"
        "\"scheme\":\"%s\",\"policy\":\"0x%040x\",\"epochBlocks\":%llu,"
        "\"blockPeriodMs\":%u,\"emptyPeriodMs\":%u,\"deltaMs\":100,\"validators\":[",
        rig->policy ? "secp256k1" : "keyed-hash", rig->policy ? 0x4b01 : 0,
        (unsigned long long)rig->epoch_blocks, rig->period_ms, rig->empty_ms);
    bool first = true;
    for (u32 i = 0; i < rig->count; i++) {
        if (rig->no_key[i])
            continue;
        kl_buf_str(out, first ? "" : ",");
        put_validator(out, rig, i);
        first = false;
    }
    kl_buf_str(out, "]}}},\"timestamp\":\"0x3e8\",\"gasLimit\":\"0x1c9c380\","
                    "\"difficulty\":\"0x0\",\"alloc\":{");
    for (u32 i = 0; i < RIG_ACCOUNTS; i++) {
        char text[43];
        kl_address address = account_address(i);
        kl_address_text(text, &address);
        kl_buf_print(out, "%s\"%s\":{\"balance\":\"0xde0b6b3a7640000\"}", i ? "," : "", text);
    }
    if (rig->policy)
        put_contract(out, rig);
    kl_buf_str(out, "}}");
    CHECK(!out->failed);
}

/* --- life --- */

void rig_init(struct rig *rig, u32 count, u64 epoch_blocks, u64 seed)
{
    *rig = (struct rig){.count = count,
                        .epoch_blocks = epoch_blocks,
                        .period_ms = 100,
                        .rng = seed,
                        .now_ns = RIG_S};
    CHECK(count <= RIG_NODES_MAX);
    rig->scheme = kl_vote_scheme_of(KL_SCHEME_KEYED_HASH, true);
    kl_arena_init(&rig->arena, SIZE_MAX);
    kl_buf_init(&rig->genesis, 1 << 20);
    for (u32 i = 0; i < count; i++) {
        struct rig_node *node = &rig->nodes[i];
        *node = (struct rig_node){
            .rig = rig,
            .index = i,
            .clock = {.mono_ns = mono_ns, .wall_ns = wall_ns},
            .jobs = {.give = give},
            .net = {.send = net_send,
                    .penalize = net_penalize,
                    .blame = net_blame,
                    .verdict = net_verdict,
                    .reaches = net_reaches},
            .watch = {.final = watch_final,
                      .signs = watch_signs,
                      .found = watch_found,
                      .alarm = watch_alarm,
                      .barred = watch_barred,
                      .far = watch_far,
                      .stalls = watch_stalls,
                      .refused = watch_refused},
            .vote_secret = {.b = {[30] = 1, [31] = (u8)(i + 1)}},
            .randao_secret = {.b = {[30] = 2, [31] = (u8)(i + 1)}},
        };
        node->votes = malloc(RIG_VOTES_MAX * sizeof *node->votes);
        CHECK(node->votes);
        CHECK_OK(kl_sim_disk_new(&node->disk));
        CHECK_OK(kl_sim_disk_new(&node->key_disk));
        CHECK_OK(kl_memkv_open(&node->kv, KL_TABLE_COUNT));
    }
}

/* What the ledger holds is what was final; blocks that nobody had shown before a crash are, too. */
static void compare_opened(struct rig *rig, struct rig_node *node)
{
    struct kl_reader *reader;
    CHECK_OK(kl_reader_open(kl_replica_chain(node->replica), &reader));
    node->height = kl_reader_tip(reader)->header.number;
    for (u64 height = 1; height <= node->height; height++) {
        kl_hash hash;
        CHECK_OK(kl_reader_hash_of(reader, height, &hash));
        if (height > rig->height) {
            struct kl_arena arena;
            kl_stored_block block;
            kl_arena_init(&arena, SIZE_MAX);
            CHECK_OK(kl_reader_block(reader, height, &arena, &block));
            rig->transactions += block.block.tx_count;
            rig->final[height] = hash;
            rig->height = height;
            kl_arena_done(&arena);
        }
        CHECK(kl_hash_eq(&rig->final[height], &hash));
    }
    kl_reader_close(reader);
}

static void tell_connected(struct rig *rig, u32 index, u32 peer)
{
    struct rig_node *node = &rig->nodes[index];
    if (node->filler) {
        kl_filler_connected(node->filler, peer);
        return;
    }
    if (rig->wards[index] >> peer & 1)
        kl_replica_set_rank(node->replica, peer, KL_REPLICA_WARD);
    kl_replica_connected(node->replica, peer);
}

static void connect(struct rig *rig, u32 index)
{
    for (u32 i = 0; i < rig->count; i++) {
        if (i == index || !rig->nodes[i].up)
            continue;
        tell_connected(rig, index, i);
        tell_connected(rig, i, index);
    }
}

static void forget(struct rig *rig, u32 index)
{
    for (struct rig_item **at = &rig->items; *at;) {
        struct rig_item *item = *at;
        if (item->node == index) {
            *at = item->next;
            item_free(item);
        } else {
            at = &item->next;
        }
    }
}

static void stop(struct rig *rig, u32 index)
{
    struct rig_node *node = &rig->nodes[index];
    forget(rig, index);
    node->up = false;
    kl_replica_close(node->replica);
    kl_filler_close(node->filler);
    node->replica = NULL;
    node->filler = NULL;
}

static void tell_gone(struct rig *rig, u32 index)
{
    for (u32 i = 0; i < rig->count; i++) {
        if (rig->nodes[i].replica)
            kl_replica_disconnected(rig->nodes[i].replica, index);
        if (rig->nodes[i].filler)
            kl_filler_disconnected(rig->nodes[i].filler, index);
    }
}

kl_chain_config rig_chain_config(struct rig *rig, u32 index)
{
    return (kl_chain_config){
        .fs = kl_sim_disk_fs(rig->nodes[index].disk),
        .kv = rig->nodes[index].kv,
        .genesis = kl_buf_view(&rig->genesis),
        .segment_bytes = 1 << 20,
        .tests = true,
        .pin = rig->pin[index],
    };
}

void rig_open(struct rig *rig, u32 index)
{
    struct rig_node *node = &rig->nodes[index];
    const kl_replica_config config = {
        .chain = rig_chain_config(rig, index),
        .pool = {.tx_max = 1000,
                 .bytes_max = 1 << 24,
                 .tx_bytes_max = 1 << 17,
                 .per_sender_max = 1000,
                 .queued_sender_max = 100,
                 .replace_percent = 10,
                 .nonce_gap_max = 1000,
                 .queued_ns = rig->queued_ns},
        .log_fs = kl_sim_disk_fs(node->disk),
        .key_fs = rig->no_key[index] ? NULL : kl_sim_disk_fs(node->key_disk),
        .vote_secret = node->vote_secret,
        .randao_secret = node->randao_secret,
        .restored = rig->restored[index],
        .has_operator = rig->policy,
        .operator_secret = account_key(index),
        .coinbase = {{[19] = (u8)(index + 1)}},
        .drift_ns = 500 * RIG_MS,
        .window = 32,
        .compact_bytes = rig->compact_bytes,
        .clock = &node->clock,
        .jobs = &node->jobs,
        .net = &node->net,
        .watch = &node->watch,
        .seed = index + 1,
    };
    node->up = true;
    node->life++;
    node->alarm[0] = '\0';
    memset(node->lane_free_ns, 0, sizeof node->lane_free_ns);
    kl_status status = kl_replica_open(&node->replica, &config, NULL, &node->report);
    if (status != KL_OK)
        kl_test_fail(__FILE__, __LINE__, "open %u: %s, genesis %s, rule %s", index,
                     kl_status_text(status), node->report.chain.genesis.where,
                     kl_rule_name(node->report.chain.bad_rule));
    compare_opened(rig, node);
    kl_replica_start(node->replica);
    connect(rig, index);
}

void rig_wipe(struct rig *rig, u32 index)
{
    struct rig_node *node = &rig->nodes[index];
    CHECK(!node->up);
    kl_sim_disk_free(node->disk);
    kl_kv_close(node->kv);
    CHECK_OK(kl_sim_disk_new(&node->disk));
    CHECK_OK(kl_memkv_open(&node->kv, KL_TABLE_COUNT));
    node->height = 0;
}

/* The ledger's first record is whoever's that opens the chain. */
static void make_ledger(struct rig *rig, u32 index)
{
    struct kl_chain *chain;
    kl_chain_report report;
    bool due;
    const kl_chain_config config = rig_chain_config(rig, index);
    CHECK_OK(kl_filler_is_due(&config, &due));
    if (due)
        return;
    CHECK_OK(kl_chain_open(&chain, &config, NULL, &report));
    kl_chain_close(chain);
}

void rig_fill(struct rig *rig, u32 index)
{
    struct rig_node *node = &rig->nodes[index];
    kl_chain_report report;
    CHECK(!node->up);
    make_ledger(rig, index);
    const kl_filler_config config = {.chain = rig_chain_config(rig, index),
                                     .clock = &node->clock,
                                     .jobs = &node->jobs,
                                     .net = &node->net};
    node->up = true;
    node->life++;
    memset(node->lane_free_ns, 0, sizeof node->lane_free_ns);
    CHECK_OK(kl_filler_open(&node->filler, &config, &report));
    kl_filler_start(node->filler);
    connect(rig, index);
}

void rig_filled(struct rig *rig, u32 index)
{
    stop(rig, index);
    tell_gone(rig, index);
    rig_open(rig, index);
}

void rig_start(struct rig *rig)
{
    if (rig->policy)
        rig->scheme = kl_vote_scheme_of(KL_SCHEME_SECP256K1, false);
    make_genesis(rig);
    for (u32 i = 0; i < rig->count; i++) {
        struct rig_node *node = &rig->nodes[i];
        if (rig->no_key[i]) {
            rig_open(rig, i);
            continue;
        }
        /* A guard is for a chain that is there. */
        struct kl_chain *chain;
        kl_chain_report report;
        const kl_chain_config config = {
            .fs = kl_sim_disk_fs(node->disk),
            .kv = node->kv,
            .genesis = kl_buf_view(&rig->genesis),
            .segment_bytes = 1 << 20,
            .tests = true,
        };
        kl_status status = kl_chain_open(&chain, &config, NULL, &report);
        if (status != KL_OK)
            kl_test_fail(__FILE__, __LINE__, "%s: %s %s", kl_status_text(status),
                         kl_rule_text(report.genesis.rule), report.genesis.where);
        kl_guard_owner owner = {.domain = kl_chain_vote_domain(chain), .scheme = rig->scheme};
        CHECK(rig->scheme->public_key(owner.key, &node->vote_secret));
        kl_chain_close(chain);
        struct kl_guard *guard;
        CHECK_OK(kl_guard_create(&guard, kl_sim_disk_fs(node->key_disk), &owner, (kl_guard_view){0},
                                 64));
        kl_guard_close(guard);
        rig_open(rig, i);
    }
}

static void cut_disk(struct rig *rig, struct kl_sim_disk **disk, unsigned how)
{
    struct kl_sim_disk *after;
    CHECK_OK(kl_sim_disk_cut(*disk, UINT64_MAX, (kl_power_cut)how, kl_rand(&rig->rng), &after));
    kl_sim_disk_free(*disk);
    *disk = after;
}

void rig_crash(struct rig *rig, u32 index)
{
    rig_crash_how(rig, index, KL_CUT_DROP);
}

void rig_crash_how(struct rig *rig, u32 index, unsigned how)
{
    struct rig_node *node = &rig->nodes[index];
    stop(rig, index);
    cut_disk(rig, &node->disk, how);
    cut_disk(rig, &node->key_disk, how);
    tell_gone(rig, index);
}

void rig_done(struct rig *rig)
{
    for (u32 i = 0; i < rig->count; i++) {
        if (rig->nodes[i].up)
            stop(rig, i);
        free(rig->nodes[i].votes);
        kl_kv_close(rig->nodes[i].kv);
        kl_sim_disk_free(rig->nodes[i].disk);
        kl_sim_disk_free(rig->nodes[i].key_disk);
    }
    kl_arena_done(&rig->arena);
    kl_buf_done(&rig->genesis);
}

static void receive(struct rig_node *node, u32 from, kl_span frame)
{
    if (node->filler)
        kl_filler_receive(node->filler, from, frame);
    else
        kl_replica_receive(node->replica, from, frame);
}

static void do_item(struct rig *rig)
{
    struct rig_item *item = rig->items;
    struct rig_node *node = &rig->nodes[item->node];
    rig->items = item->next;
    rig->now_ns = KL_MAX(rig->now_ns, item->at_ns);
    if (node->up && item->life == node->life) {
        if (item->job) {
            item->job->run(item->job);
            item->job->done(item->job);
        } else {
            receive(node, item->from, kl_span_of(item->frame, item->len));
        }
    }
    item_free(item);
}

static u64 due_of(const struct rig_node *node)
{
    return node->filler    ? kl_filler_due_ns(node->filler)
           : node->replica ? kl_replica_due_ns(node->replica)
                           : NEVER;
}

/* The next thing that happens; false when that is behind end_ns. */
static bool go_on(struct rig *rig, u64 end_ns)
{
    u64 due_ns = NEVER;
    struct rig_node *due = NULL;
    for (u32 i = 0; i < rig->count; i++) {
        struct rig_node *node = &rig->nodes[i];
        u64 at_ns = due_of(node);
        if (at_ns < due_ns) {
            due_ns = at_ns;
            due = node;
        }
    }
    u64 item_ns = rig->items ? rig->items->at_ns : NEVER;
    if (KL_MIN(item_ns, due_ns) > end_ns) {
        rig->now_ns = KL_MAX(rig->now_ns, end_ns);
        return false;
    }
    if (item_ns <= due_ns) {
        do_item(rig);
    } else {
        rig->now_ns = KL_MAX(rig->now_ns, due_ns);
        if (due->filler)
            kl_filler_tick(due->filler);
        else
            kl_replica_tick(due->replica);
    }
    return true;
}

void rig_until(struct rig *rig, u64 end_ns)
{
    while (go_on(rig, end_ns))
        ;
}

static bool all_at(const struct rig *rig, u64 height)
{
    for (u32 i = 0; i < rig->count; i++)
        if (rig->nodes[i].replica && rig->nodes[i].height < height)
            return false;
    return true;
}

bool rig_reaches(struct rig *rig, u64 height, u64 timeout_ns)
{
    u64 end_ns = rig->now_ns + timeout_ns;
    while (!all_at(rig, height) && go_on(rig, end_ns))
        ;
    if (all_at(rig, height))
        return true;
    for (u32 i = 0; i < rig->count; i++) {
        if (!rig->nodes[i].replica)
            continue;
        kl_simplex_status s = kl_replica_consensus(rig->nodes[i].replica);
        printf("%u: height %llu, epoch %llu view %llu, final %llu, why %u, signing %u, %s %s\n", i,
               (unsigned long long)rig->nodes[i].height, (unsigned long long)s.epoch,
               (unsigned long long)s.view, (unsigned long long)s.final.height, s.why, s.signing,
               kl_status_text(kl_replica_health(rig->nodes[i].replica)), rig->nodes[i].alarm);
    }
    return false;
}

kl_tx rig_tx(struct rig *rig, u32 account, u64 chain_id)
{
    kl_secret32 key = account_key(account);
    u64 percent = rig->fee_percent ? rig->fee_percent : 100;
    kl_tx tx = {.type = KL_TX_DYNAMIC_FEE,
                .replay_safe = true,
                .chain_id = chain_id,
                .nonce = rig->nonce[account],
                .gas_limit = 21000,
                .max_fee = kl_u256_of(50000000 * percent),
                .max_priority_fee = kl_u256_of(10000000 * percent),
                .value = kl_u256_of(1),
                .has_to = true,
                .to = {{0xbb}}};
    CHECK_OK(kl_tx_sign(&tx, &key, &rig->arena));
    return tx;
}

kl_rule rig_submit(struct rig *rig, u32 node, u32 account)
{
    kl_tx tx = rig_tx(rig, account, 4711);
    kl_rule broken;
    CHECK_OK(kl_replica_submit(rig->nodes[node].replica, &tx, false, &broken));
    if (broken == KL_RULE_NONE)
        rig->nonce[account]++;
    return broken;
}

kl_replica_verdict rig_gossip(struct rig *rig, u32 to, u32 from, kl_span envelope)
{
    static const u8 id[KL_REPLICA_GOSSIP_ID_LEN];
    struct rig_node *node = &rig->nodes[to];
    struct kl_buf frame;
    kl_buf_init(&frame, KL_MESSAGE_MAX);
    kl_message_encode(&frame,
                      &(kl_message){.kind = KL_MESSAGE_TRANSACTIONS,
                                    .transactions = &envelope,
                                    .transaction_count = 1},
                      rig->scheme);
    CHECK(!frame.failed);
    memset(node->verdicts, 0, sizeof node->verdicts);
    kl_replica_gossiped(node->replica, id, from, kl_buf_view(&frame));
    kl_buf_done(&frame);
    for (u32 i = 0; i < 100; i++) {
        u64 sum = 0;
        for (u32 k = 0; k < KL_COUNT_OF(node->verdicts); k++)
            sum += node->verdicts[k];
        CHECK(sum <= 1);
        if (sum)
            break;
        rig_until(rig, rig->now_ns + RIG_MS);
    }
    for (u32 k = 0; k < KL_COUNT_OF(node->verdicts); k++)
        if (node->verdicts[k])
            return (kl_replica_verdict)k;
    kl_test_fail(__FILE__, __LINE__, "no verdict on gossip");
}

void rig_deliver(struct rig *rig, u32 to, u32 from, const kl_message *message)
{
    struct kl_buf frame;
    kl_buf_init(&frame, KL_MESSAGE_MAX);
    kl_message_encode(&frame, message, rig->scheme);
    CHECK(!frame.failed);
    receive(&rig->nodes[to], from, kl_buf_view(&frame));
    kl_buf_done(&frame);
}

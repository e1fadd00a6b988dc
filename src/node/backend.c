/* What the RPC methods ask, answered by host and wallet. */
#include "node/node_priv.h"

#define NS_PER_S  1000000000u
#define NS_PER_MS 1000000u

#define SUBMIT_WAIT_NS UINT64_C(10000000000)

static struct kl_node *node_of(struct kl_rpc_backend *backend)
{
    return (struct kl_node *)backend;
}

static struct kl_chain *chain(struct kl_rpc_backend *backend)
{
    return kl_node_chain(node_of(backend));
}

static void with_pool(struct kl_rpc_backend *backend, void (*use)(void *ctx, struct kl_pool *pool),
                      void *ctx)
{
    struct kl_node *node = node_of(backend);
    if (node->member)
        kl_member_with_pool(node->member, use, ctx);
    else
        kl_host_with_pool(node->host, use, ctx);
}

/* Where a block is made for each transaction, the block is there when the client is answered. */
static kl_status submit(struct kl_rpc_backend *backend, const kl_tx *tx,
                        const kl_rpc_submission *how, kl_rule *broken)
{
    struct kl_node *node = node_of(backend);
    if (node->member)
        return kl_member_submit(node->member, tx, how->only_new, how->wait_ns, broken);
    kl_host_submission submission = {
        .wait = how->wait_ns ? KL_HOST_WAIT_ALWAYS : KL_HOST_WAIT_AUTOMINE,
        .timeout_ns = how->wait_ns ? how->wait_ns : SUBMIT_WAIT_NS,
        .only_new = how->only_new,
    };
    return kl_host_submit(node->host, tx, &submission, broken);
}

static u64 next_nonce(struct kl_rpc_backend *backend, const kl_address *sender, u64 account_nonce)
{
    struct kl_node *node = node_of(backend);
    u64 nonce;
    kl_status status = node->member ? kl_member_next_nonce(node->member, sender, &nonce)
                                    : kl_host_next_nonce(node->host, sender, &nonce);
    return status == KL_OK ? nonce : account_nonce;
}

/* Transactions by reference, so that they are copied without the pool's lock. */
struct found {
    const kl_pool_tx *tx;
    bool pending;
};

static kl_status copy_tx(const struct found *found, struct kl_arena *arena, kl_rpc_pooled *out)
{
    const kl_tx *tx = &found->tx->tx;
    kl_rpc_pooled copy = {.pending = found->pending};
    kl_rule broken;
    kl_span raw = kl_arena_copy(arena, tx->raw);
    if (!raw.p)
        return KL_NOMEM;
    KL_TRY(kl_tx_decode(&copy.tx, raw, KL_FORK_NEWEST, arena, &broken));
    KL_ASSERT(broken == KL_RULE_NONE); /* the pool holds what could be decoded */
    copy.tx.sender = tx->sender;
    copy.tx.has_sender = true;
    *out = copy;
    return KL_OK;
}

struct ask_tx {
    const kl_hash *hash;
    struct found found;
};

static void use_tx(void *ctx, struct kl_pool *pool)
{
    struct ask_tx *ask = ctx;
    const kl_pool_tx *tx = kl_pool_get(pool, ask->hash);
    if (!tx)
        return;
    ask->found.tx = kl_pool_tx_ref(tx);
    ask->found.pending = kl_pool_next_nonce(pool, &tx->tx.sender, 0) > tx->tx.nonce;
}

static kl_status pooled(struct kl_rpc_backend *backend, const kl_hash *hash, struct kl_arena *arena,
                        kl_rpc_pooled *out)
{
    struct ask_tx ask = {.hash = hash};
    with_pool(backend, use_tx, &ask);
    if (!ask.found.tx)
        return KL_NOTFOUND;
    kl_status status = copy_tx(&ask.found, arena, out);
    kl_pool_tx_unref(ask.found.tx);
    return status;
}

struct ask_content {
    struct kl_arena *arena;
    struct found *list;
    usize count, cap;
    kl_status status;
};

static void each_content(void *ctx, const kl_pool_tx *tx, bool pending)
{
    struct ask_content *ask = ctx;
    KL_ASSERT(ask->count < ask->cap);
    ask->list[ask->count++] = (struct found){kl_pool_tx_ref(tx), pending};
}

static void use_content(void *ctx, struct kl_pool *pool)
{
    struct ask_content *ask = ctx;
    kl_pool_counts counts = kl_pool_count(pool);
    ask->cap = counts.pending + counts.queued;
    ask->list = KL_TAKE(ask->arena, struct found, ask->cap);
    ask->status = ask->list ? kl_pool_each(pool, each_content, ask) : KL_NOMEM;
}

static kl_status pool_content(struct kl_rpc_backend *backend, struct kl_arena *arena,
                              kl_rpc_pooled **out, usize *count)
{
    struct ask_content ask = {.arena = arena};
    with_pool(backend, use_content, &ask);
    kl_status status = ask.status;
    kl_rpc_pooled *list = NULL;
    if (status == KL_OK) {
        list = KL_TAKE(arena, kl_rpc_pooled, ask.count);
        status = list ? KL_OK : KL_NOMEM;
    }
    for (usize i = 0; i < ask.count; i++) {
        if (status == KL_OK)
            status = copy_tx(&ask.list[i], arena, &list[i]);
        kl_pool_tx_unref(ask.list[i].tx);
    }
    if (status != KL_OK)
        return status;
    *out = list;
    *count = ask.count;
    return KL_OK;
}

static void use_counts(void *ctx, struct kl_pool *pool)
{
    *(kl_pool_counts *)ctx = kl_pool_count(pool);
}

static void pool_counts(struct kl_rpc_backend *backend, usize *pending, usize *queued)
{
    kl_pool_counts counts;
    with_pool(backend, use_counts, &counts);
    *pending = counts.pending;
    *queued = counts.queued;
}

struct ask_drop {
    const kl_hash *hash;
    bool gone;
};

static void use_drop(void *ctx, struct kl_pool *pool)
{
    struct ask_drop *ask = ctx;
    ask->gone = kl_pool_remove(pool, ask->hash);
}

static bool pool_drop(struct kl_rpc_backend *backend, const kl_hash *hash)
{
    struct ask_drop ask = {.hash = hash};
    with_pool(backend, use_drop, &ask);
    return ask.gone;
}

static void use_clear(KL_UNUSED void *ctx, struct kl_pool *pool)
{
    kl_pool_clear(pool);
}

static void pool_clear(struct kl_rpc_backend *backend)
{
    with_pool(backend, use_clear, NULL);
}

static usize account_count(struct kl_rpc_backend *backend)
{
    const struct kl_wallet *wallet = node_of(backend)->config.wallet;
    return wallet ? kl_wallet_count(wallet) : 0;
}

static kl_address account(struct kl_rpc_backend *backend, usize index)
{
    return *kl_wallet_address(node_of(backend)->config.wallet, index);
}

static bool sign(struct kl_rpc_backend *backend, const kl_address *address, const kl_hash *digest,
                 kl_signature *out)
{
    const struct kl_wallet *wallet = node_of(backend)->config.wallet;
    usize index = wallet ? kl_wallet_find(wallet, address) : SIZE_MAX;
    if (index == SIZE_MAX)
        return false;
    kl_wallet_sign(wallet, index, digest, out);
    return true;
}

static void next_block(struct kl_rpc_backend *backend, const struct kl_tip *head,
                       kl_build_plan *out)
{
    struct kl_node *node = node_of(backend);
    if (node->member)
        kl_member_next_block(node->member, head, out);
    else
        kl_host_next_block(node->host, head, out);
}

/* What dev chains can do, and others refuse before it comes here. */
static kl_status dev(struct kl_rpc_backend *backend, kl_devop *op, kl_rule *broken)
{
    struct kl_host *host = node_of(backend)->host;
    return host ? kl_host_dev(host, op, broken) : KL_UNSUPPORTED;
}

static kl_status mine(struct kl_rpc_backend *backend, u64 count, u64 spacing)
{
    struct kl_host *host = node_of(backend)->host;
    return host ? kl_host_mine(host, count, spacing) : KL_UNSUPPORTED;
}

static bool automine(struct kl_rpc_backend *backend)
{
    struct kl_host *host = node_of(backend)->host;
    return host && kl_host_automine(host);
}

static void set_automine(struct kl_rpc_backend *backend, bool on)
{
    struct kl_host *host = node_of(backend)->host;
    if (host)
        kl_host_set_automine(host, on);
}

static u64 interval_ns(struct kl_rpc_backend *backend)
{
    struct kl_host *host = node_of(backend)->host;
    return host ? kl_host_interval(host) : 0;
}

static void set_interval(struct kl_rpc_backend *backend, u64 ns)
{
    struct kl_host *host = node_of(backend)->host;
    if (host)
        kl_host_set_interval(host, ns);
}

static bool closed(struct kl_rpc_backend *backend)
{
    return node_of(backend)->closed;
}

static kl_status health(struct kl_rpc_backend *backend)
{
    return node_of(backend)->closed ? KL_FULL : kl_node_health(node_of(backend));
}

static void health_reason(struct kl_rpc_backend *backend, char out[KL_RPC_REASON_MAX])
{
    _Static_assert((int)KL_RPC_REASON_MAX == (int)KL_ROOM_TEXT_MAX, "all of it");
    kl_node_room_reason(node_of(backend), out);
}

static usize peer_count(struct kl_rpc_backend *backend)
{
    struct kl_node *node = node_of(backend);
    return node->member ? kl_member_peer_count(node->member) : 0;
}

static kl_rpc_network network(struct kl_rpc_backend *backend)
{
    struct kl_node *node = node_of(backend);
    if (!node->member)
        return (kl_rpc_network){0};
    kl_swarm_counts counts = kl_member_counts(node->member);
    return (kl_rpc_network){
        .inbound = counts.inbound,
        .outbound = counts.outbound,
        .gossiping = counts.gossiping,
        .refused = counts.refused,
        .sent_bytes = kl_member_sent_bytes(node->member),
        .received_bytes = counts.bytes_in,
    };
}

static u64 dropped(struct kl_rpc_backend *backend, kl_rule why)
{
    return atomic_load(&node_of(backend)->dropped[why]);
}

static u64 refused(struct kl_rpc_backend *backend, kl_rule why)
{
    return atomic_load(&node_of(backend)->refused[why]);
}

static kl_rpc_memory memory(struct kl_rpc_backend *backend)
{
    struct kl_node *node = node_of(backend);
    return (kl_rpc_memory){
        .taken = kl_memory_taken(kl_sys_memory()),
        .max = node->config.memory_max,
        .sated = node->member && kl_member_counts(node->member).sated,
    };
}

static bool votes(struct kl_rpc_backend *backend, kl_rpc_votes *out)
{
    struct kl_node *node = node_of(backend);
    kl_replica_why why;
    if (!node->member || node->fills)
        return false;
    kl_member_why(node->member, &why);
    const kl_simplex_status *s = &why.consensus;
    *out = (kl_rpc_votes){
        .signing = s->signing,
        .epoch = s->epoch,
        .view = s->view,
        .leader = s->leader,
        .notarized = s->notarized.height,
        .have = s->have,
        .need = s->need,
        .stalled_s = why.stalled_ns / NS_PER_S,
    };
    _Static_assert(sizeof out->missing == sizeof s->missing, "one bit a place");
    _Static_assert(sizeof out->why == sizeof why.text, "all of it");
    memcpy(out->missing, s->missing, sizeof s->missing);
    memcpy(out->why, why.text, sizeof why.text);
    for (usize i = 0; i < KL_COUNT_OF(out->silent_s); i++)
        out->silent_s[i] = (u32)KL_MIN(why.silent_ns[i] / NS_PER_S, (u64)UINT32_MAX);
    return true;
}

static void syncing(struct kl_rpc_backend *backend, kl_rpc_syncing *out)
{
    struct kl_node *node = node_of(backend);
    kl_member_progress p;
    *out = (kl_rpc_syncing){.eta_s = UINT64_MAX};
    if (!node->member)
        return;
    kl_member_progress_of(node->member, &p);
    out->checkpoint = node->checkpoint;
    out->off_checkpoint = p.filling ? p.fill.off_pin : p.blocks.off_pin;
    out->found = p.filling ? p.fill.found : p.blocks.found;
    out->by_state = p.filling;
    out->first = p.filling ? p.fill.first : p.blocks.first;
    out->height = p.filling ? p.fill.height : p.blocks.height;
    out->target = p.filling ? p.fill.target : p.blocks.target;
    _Static_assert((int)KL_RPC_LACK_MAX == (int)KL_FETCH_LACK_MAX, "all of it");
    kl_fetch_lack_text(out->lack, p.filling ? &p.fill.lack : &p.blocks.lack);
    out->state_ppm = p.fill.state_ppm;
    out->leaves = p.fill.leaves;
    out->eta_s = p.filling ? p.fill.eta_s : p.blocks.eta_s;
    if (p.filling)
        return;
    const kl_filler_status *filled = &node->filled;
    out->filled = (kl_rpc_filled){
        .number = filled->height,
        .blocks = filled->height - filled->first,
        .blocks_ms = filled->records_ns / NS_PER_MS,
        .leaves = filled->leaves,
        .leaves_ms = filled->state_ns / NS_PER_MS,
    };
}

static void history(struct kl_rpc_backend *backend, kl_rpc_history *out)
{
    kl_historian_status at;
    kl_node_historian_status(node_of(backend), &at);
    *out = (kl_rpc_history){
        .in_work = at.phase != KL_HISTORIAN_IDLE,
        .waits_for_room = at.phase == KL_HISTORIAN_WAITS,
        .height = at.height,
        .target = at.target,
        .eta_s = at.eta_s,
    };
}

const struct kl_rpc_backend_ops kl_node_backend_ops = {
    .closed = closed,
    .chain = chain,
    .submit = submit,
    .next_nonce = next_nonce,
    .pooled = pooled,
    .pool_content = pool_content,
    .pool_counts = pool_counts,
    .pool_drop = pool_drop,
    .pool_clear = pool_clear,
    .account_count = account_count,
    .account = account,
    .sign = sign,
    .next_block = next_block,
    .dev = dev,
    .mine = mine,
    .automine = automine,
    .set_automine = set_automine,
    .interval_ns = interval_ns,
    .set_interval = set_interval,
    .health = health,
    .health_reason = health_reason,
    .peer_count = peer_count,
    .network = network,
    .dropped = dropped,
    .refused = refused,
    .memory = memory,
    .votes = votes,
    .syncing = syncing,
    .history = history,
};

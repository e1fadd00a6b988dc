/* The pool follows the head: its facts are always of one and the same tip.
 *
 * The engine hears that something is pending as long as our builder would put a transaction on the
 * notarized head: one that none of the blocks between it and the head holds. */
#include "crypto/keccak.h"
#include "exec/fees.h"
#include "host/replica_priv.h"

#define TIME_NS UINT64_C(60000000000) /* between two times that the pool is told */

/* The gas limit moves towards the wanted one by less than a 1024th of the parent's a block. */
u64 replica_gas_limit(const struct kl_replica *r, const kl_header *parent)
{
    u64 limit = parent->gas_limit, wanted = r->config.gas_limit ? r->config.gas_limit : limit;
    u64 step = limit / 1024 - (limit / 1024 != 0);
    return wanted > limit ? KL_MIN(wanted, kl_add_sat_u64(limit, step))
                          : KL_MAX(wanted, limit - step);
}

kl_status replica_pool_follow(struct kl_replica *r)
{
    const kl_spec *spec = kl_chain_spec(r->chain);
    const kl_header *head = &r->head->header;
    struct kl_view *view;
    KL_TRY(kl_chain_view(r->chain, r->head, &view));
    kl_view_close(r->pool_view);
    r->pool_view = view;
    kl_pool_set_head(
        r->pool, &(kl_pool_head){
                     .base_fee = kl_base_fee_after(spec, head, head->number + 1, head->timestamp),
                     .gas_limit = replica_gas_limit(r, head),
                     .fork = kl_spec_fork(spec, head->number + 1, head->timestamp),
                     .chain_id = spec->chain_id,
                 });
    return KL_OK;
}

void replica_pool_facts(struct kl_replica *r, const replica_fact *facts, usize count)
{
    for (usize i = 0; i < count; i++)
        kl_pool_update(r->pool, &facts[i].sender, &facts[i].facts);
}

kl_status replica_facts_of(struct kl_replica *r, const kl_address *sender, kl_pool_facts *out)
{
    kl_hash hash = kl_keccak256(kl_address_span(sender));
    kl_account account;
    bool exists;
    kl_status status = kl_view_account(r->pool_view, &hash, &account, &exists);
    if (status == KL_TIMEOUT) { /* the store ends snapshots that are old */
        KL_TRY(replica_pool_follow(r));
        status = kl_view_account(r->pool_view, &hash, &account, &exists);
    }
    KL_TRY(status);
    *out = (kl_pool_facts){account.nonce, account.balance};
    return KL_OK;
}

void replica_pool_pass_time(struct kl_replica *r)
{
    u64 now_ns = replica_now(r);
    kl_pool_pass_time(r->pool, now_ns);
    r->pool_time_ns = kl_add_sat_u64(now_ns, TIME_NS);
}

kl_status kl_replica_submit(struct kl_replica *r, const kl_tx *tx, bool only_new, kl_rule *broken)
{
    kl_pool_arrival how = {.local = true, .only_new = only_new};
    kl_pool_added added;
    *broken = KL_RULE_NONE;
    KL_TRY(r->broken);
    KL_TRY(replica_facts_of(r, &tx->sender, &how.facts));
    KL_TRY(kl_pool_add(r->pool, tx, &how, &added, broken));
    if (*broken != KL_RULE_NONE)
        return KL_OK;
    if (added.replaced)
        replica_local_replaced(r, &added.replaced_hash);
    replica_local_add(r, tx);
    if (r->broken != KL_OK) { /* nobody can rely on it: it is not said to be taken */
        replica_local_replaced(r, &tx->hash);
        (void)kl_pool_remove(r->pool, &tx->hash);
        return r->broken;
    }
    kl_senders_remember(r->config.chain.senders, tx);
    replica_gossip_own(r, tx->raw);
    r->pool_grown = true;
    replica_settle(r);
    return KL_OK;
}

kl_status kl_replica_next_nonce(struct kl_replica *r, const kl_address *sender, u64 *out)
{
    kl_pool_facts facts;
    KL_TRY(replica_facts_of(r, sender, &facts));
    *out = kl_pool_next_nonce(r->pool, sender, facts.nonce);
    return KL_OK;
}

/* --- pending --- */

usize replica_branch(const struct kl_replica *r, const kl_hash *from,
                     const struct replica_txs **out, usize most)
{
    usize count = 0;
    const struct replica_candidate *c = replica_candidate_of(r, from);
    while (c && c->read && count < most) {
        if (c->txs && c->txs->count)
            out[count++] = c->txs;
        c = replica_candidate_of(r, &c->parent_hash);
    }
    return count;
}

static bool would_include(struct kl_replica *r)
{
    const struct replica_txs *branch[REPLICA_BRANCH_MAX];
    struct kl_pool_pick *pick;
    bool found = false;
    if (!kl_pool_count(r->pool).pending)
        return false;
    kl_simplex_status status = kl_simplex_status_of(r->engine, replica_now(r));
    usize depth = replica_branch(r, &status.notarized.block_hash, branch, KL_COUNT_OF(branch));
    if (kl_pool_pick_begin(r->pool, false, &pick) != KL_OK)
        return r->pending;
    for (const kl_pool_tx *tx; !found && (tx = kl_pool_pick_next(pick, false)) != NULL;) {
        found = true;
        for (usize i = 0; i < depth && found; i++)
            found = !replica_txs_have(branch[i], &tx->tx.hash);
    }
    kl_pool_pick_end(pick);
    return found;
}

void replica_pending(struct kl_replica *r)
{
    bool look = r->branch_moved || (r->pool_grown && !r->pending);
    r->branch_moved = r->pool_grown = false;
    if (!look)
        return;
    bool on = would_include(r);
    if (on == r->pending)
        return;
    r->pending = on;
    replica_tell(r, &(kl_bft_event){.kind = KL_BFT_PENDING, .peer = KL_BFT_NO_PEER, .on = on});
}

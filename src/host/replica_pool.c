/* Transactions.  The pool's facts are of the head.  Our own users' are admitted at once and sent to
 * everybody; those of peers are decoded, their senders recovered and looked up on the execution
 * lane first.
 *
 * The engine hears that something is pending as long as our builder would put a transaction on the
 * notarized head: one that none of the blocks between it and the head holds. */
#include <stdlib.h>

#include "crypto/keccak.h"
#include "exec/fees.h"
#include "host/replica_priv.h"

#define TX_MEMORY ((usize)64 << 20) /* what one message's transactions take, decoded */

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
    replica_send(r, KL_REPLICA_ALL,
                 &(kl_message){.kind = KL_MESSAGE_TRANSACTIONS,
                               .transactions = &tx->raw,
                               .transaction_count = 1});
    r->pool_grown = true;
    replica_settle(r);
    return KL_OK;
}

/* --- a peer's --- */

struct taken {
    kl_tx tx;
    kl_pool_facts facts;
    bool good;
};

struct take_work {
    struct replica_work work;
    struct kl_arena arena;
    u32 peer;
    kl_span *envelopes;
    struct taken *txs;
    usize count;
    u64 version; /* of the head whose facts these are */
    kl_rule broken;
    kl_status status;
};

static kl_status look_up(struct take_work *w, struct kl_view *view, kl_fork fork)
{
    struct kl_senders *senders = w->work.replica->config.chain.senders;
    for (usize i = 0; i < w->count && w->broken == KL_RULE_NONE; i++) {
        struct taken *t = &w->txs[i];
        kl_account account;
        bool exists;
        KL_TRY(kl_tx_decode(&t->tx, w->envelopes[i], fork, &w->arena, &w->broken));
        if (w->broken == KL_RULE_NONE)
            w->broken = kl_senders_recover(senders, &t->tx, fork);
        if (w->broken != KL_RULE_NONE)
            return KL_OK;
        t->tx.has_sender = true;
        kl_hash hash = kl_keccak256(kl_address_span(&t->tx.sender));
        KL_TRY(kl_view_account(view, &hash, &account, &exists));
        t->facts = (kl_pool_facts){account.nonce, account.balance};
        t->good = true;
    }
    return KL_OK;
}

static void take_run(struct kl_job *job)
{
    struct take_work *w = (struct take_work *)job;
    struct kl_replica *r = w->work.replica;
    struct kl_tip *head = kl_chain_head(r->chain);
    struct kl_view *view = NULL;
    kl_fork fork =
        kl_spec_fork(kl_chain_spec(r->chain), head->header.number + 1, head->header.timestamp);
    w->version = head->version;
    w->status = kl_chain_view(r->chain, head, &view);
    if (w->status == KL_OK)
        w->status = look_up(w, view, fork);
    kl_view_close(view);
    kl_tip_unref(head);
}

static void take_finish(struct replica_work *work)
{
    struct take_work *w = (struct take_work *)work;
    struct kl_replica *r = work->replica;
    r->peers[w->peer].tx_frames--;
    for (usize i = 0; i < w->count && w->txs[i].good; i++) {
        kl_pool_arrival how = {.facts = w->txs[i].facts};
        kl_pool_added added;
        kl_rule broken;
        /* The pool moves on while these were looked up: the newer facts are read here, where they
         * are in memory most likely. */
        if (w->version != r->head->version &&
            replica_facts_of(r, &w->txs[i].tx.sender, &how.facts) != KL_OK)
            continue;
        if (kl_pool_add(r->pool, &w->txs[i].tx, &how, &added, &broken) == KL_OK &&
            broken == KL_RULE_NONE)
            r->pool_grown = true;
    }
    if (w->status == KL_OK && w->broken != KL_RULE_NONE)
        r->config.net->penalize(r->config.net, w->peer, w->broken);
}

static void take_drop(struct replica_work *work)
{
    struct take_work *w = (struct take_work *)work;
    kl_arena_done(&w->arena);
    free(w);
}

static bool copy_envelopes(struct take_work *w, const kl_message *message)
{
    w->count = message->transaction_count;
    w->envelopes = KL_TAKE(&w->arena, kl_span, w->count);
    w->txs = KL_ZERO(&w->arena, struct taken, w->count);
    bool good = w->envelopes && w->txs;
    for (usize i = 0; i < w->count && good; i++) {
        w->envelopes[i] = kl_arena_copy(&w->arena, message->transactions[i]);
        good = w->envelopes[i].p != NULL;
    }
    return good;
}

void replica_pool_take(struct kl_replica *r, u32 peer, const kl_message *message)
{
    struct replica_peer *from = &r->peers[peer];
    if (from->tx_frames == REPLICA_TX_FRAMES_MAX || r->broken != KL_OK ||
        !message->transaction_count)
        return; /* it will be heard of again, or is in the next block without us */
    struct take_work *w = calloc(1, sizeof *w);
    if (!w)
        return;
    kl_arena_init(&w->arena, TX_MEMORY);
    w->peer = peer;
    if (!copy_envelopes(w, message)) {
        take_drop(&w->work);
        return;
    }
    from->tx_frames++;
    replica_give(r, KL_LANE_EXECUTION, &w->work, take_run, take_finish, take_drop);
}

/* --- what we have, for a peer that has just come --- */

struct sending {
    kl_span envelopes[KL_MESSAGE_TRANSACTIONS_MAX];
    usize count, bytes;
};

static void add_own(void *ctx, const kl_pool_tx *tx, bool pending)
{
    struct sending *sending = ctx;
    if (!pending || !tx->local || sending->count == KL_MESSAGE_TRANSACTIONS_MAX ||
        sending->bytes + tx->tx.raw.len > KL_MESSAGE_BODY_MAX / 2)
        return;
    sending->envelopes[sending->count++] = tx->tx.raw;
    sending->bytes += tx->tx.raw.len;
}

void replica_pool_send(struct kl_replica *r, u32 peer)
{
    struct sending *sending = calloc(1, sizeof *sending);
    if (sending && kl_pool_each(r->pool, add_own, sending) == KL_OK && sending->count)
        replica_send(r, peer,
                     &(kl_message){.kind = KL_MESSAGE_TRANSACTIONS,
                                   .transactions = sending->envelopes,
                                   .transaction_count = sending->count});
    free(sending);
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

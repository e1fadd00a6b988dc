/* Transactions between peers.  Our own users' go to everybody: the first at once, those that follow
 * it gathered for a moment; nobody passes on what others sent, since all validators are connected
 * with one another.  Those of peers gather while a job is out that decodes, recovers senders on all
 * workers, and looks accounts up; each peer has a share of the room, and what is beyond it is lost:
 * it will be heard of again, or is in the next block without us. */
#include <stdlib.h>

#include "crypto/keccak.h"
#include "host/replica_priv.h"
#include "types/senders.h"

enum {
    GATHER_NS = 2000000,
    GATHER_MAX = 512,    /* own ones in a message */
    HELD_MAX = 16384,    /* of all peers, while a job is out */
    HELD_PEER_MAX = 2048 /* of one */
};
#define GATHER_BYTES ((usize)1 << 20)
#define HELD_BYTES   ((usize)32 << 20)
#define TX_MEMORY    ((usize)256 << 20) /* what a job's transactions take, decoded */

/* --- our own --- */

static void send_own(struct kl_replica *r)
{
    struct replica_gossip *g = &r->gossip;
    r->gossip_due_ns = NEVER;
    g->sent_ns = replica_now(r);
    if (g->own_count)
        replica_send(r, KL_REPLICA_ALL,
                     &(kl_message){.kind = KL_MESSAGE_TRANSACTIONS,
                                   .transactions = g->own,
                                   .transaction_count = g->own_count});
    g->own_count = 0;
    kl_arena_reset(&g->own_arena, GATHER_BYTES);
}

void replica_gossip_own(struct kl_replica *r, kl_span envelope)
{
    struct replica_gossip *g = &r->gossip;
    if (g->own_count == GATHER_MAX || g->own_arena.used + envelope.len > GATHER_BYTES)
        send_own(r);
    void *list = g->own;
    bool room = replica_grow(&list, g->own_count, &g->own_cap, sizeof *g->own);
    g->own = list;
    kl_span copy = room ? kl_arena_copy(&g->own_arena, envelope) : KL_SPAN_NONE;
    if (!copy.p)
        return; /* no memory: it is in a block when we lead */
    g->own[g->own_count++] = copy;
    r->gossip_due_ns = g->sent_ns ? kl_add_sat_u64(g->sent_ns, GATHER_NS) : 0;
    if (r->gossip_due_ns <= replica_now(r))
        send_own(r);
}

void replica_gossip_due(struct kl_replica *r)
{
    send_own(r);
}

/* --- a peer's --- */

struct taken {
    u32 peer;
    kl_pool_facts facts;
};

struct take_work {
    struct replica_work work;
    struct kl_arena arena; /* envelopes and everything else */
    struct replica_heard *heard;
    usize count;
    kl_tx *txs;
    struct taken *taken;
    kl_rule *broken;
    u64 version; /* of the head whose facts these are */
    kl_status status;
};

static kl_status look_up(struct take_work *w, struct kl_view *view, kl_fork fork)
{
    struct kl_replica *r = w->work.replica;
    w->txs = KL_ZERO(&w->arena, kl_tx, w->count);
    w->taken = KL_ZERO(&w->arena, struct taken, w->count);
    w->broken = KL_ZERO(&w->arena, kl_rule, w->count);
    if (!w->txs || !w->taken || !w->broken)
        return KL_NOMEM;
    usize good = 0;
    for (usize i = 0; i < w->count; i++) {
        kl_rule broken;
        w->taken[good].peer = w->heard[i].peer;
        KL_TRY(kl_tx_decode(&w->txs[good], w->heard[i].envelope, fork, &w->arena, &broken));
        if (broken == KL_RULE_NONE)
            good++;
        else
            w->heard[i].broken = broken;
    }
    w->count = good;
    kl_senders_recover_all(r->config.chain.senders, w->txs, w->broken, good, fork,
                           r->config.workers);
    for (usize i = 0; i < good; i++) {
        kl_account account;
        bool exists;
        if (w->broken[i] != KL_RULE_NONE)
            continue;
        kl_hash hash = kl_keccak256(kl_address_span(&w->txs[i].sender));
        KL_TRY(kl_view_account(view, &hash, &account, &exists));
        w->taken[i].facts = (kl_pool_facts){account.nonce, account.balance};
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

static void admit(struct kl_replica *r, struct take_work *w, usize i)
{
    kl_pool_arrival how = {.facts = w->taken[i].facts};
    kl_pool_added added;
    kl_rule broken;
    /* The pool has moved on since these were looked up: the newer facts are read here, where they
     * are in memory most likely. */
    if (w->version != r->head->version &&
        replica_facts_of(r, &w->txs[i].sender, &how.facts) != KL_OK)
        return;
    if (kl_pool_add(r->pool, &w->txs[i], &how, &added, &broken) != KL_OK || broken != KL_RULE_NONE)
        return;
    r->pool_grown = true;
    if (added.replaced)
        replica_local_replaced(r, &added.replaced_hash);
}

static void begin(struct kl_replica *r);

static void take_finish(struct replica_work *work)
{
    struct take_work *w = (struct take_work *)work;
    struct kl_replica *r = work->replica;
    r->gossip.busy = false;
    for (usize i = 0; i < w->count && w->status == KL_OK; i++) {
        if (w->broken[i] == KL_RULE_NONE)
            admit(r, w, i);
        else
            r->config.net->penalize(r->config.net, w->taken[i].peer, w->broken[i]);
    }
    for (usize i = 0; i < r->gossip.out_count && w->status == KL_OK; i++)
        if (w->heard[i].broken != KL_RULE_NONE)
            r->config.net->penalize(r->config.net, w->heard[i].peer, w->heard[i].broken);
    begin(r);
}

static void take_drop(struct replica_work *work)
{
    struct take_work *w = (struct take_work *)work;
    kl_arena_done(&w->arena);
    free(w->heard);
    free(w);
}

/* Gives what was heard to a job, unless one is out. */
static void begin(struct kl_replica *r)
{
    struct replica_gossip *g = &r->gossip;
    struct take_work *w = !g->busy && g->heard_count ? calloc(1, sizeof *w) : NULL;
    if (!w)
        return;
    w->arena = g->heard_arena;
    w->arena.limit = TX_MEMORY;
    w->heard = g->heard;
    w->count = g->out_count = g->heard_count;
    kl_arena_init(&g->heard_arena, HELD_BYTES);
    g->heard = NULL;
    g->heard_count = g->heard_cap = 0;
    for (u32 i = 0; i < KL_REPLICA_PEERS_MAX; i++)
        r->peers[i].heard = 0;
    g->busy = true;
    replica_give(r, KL_LANE_EXECUTION, &w->work, take_run, take_finish, take_drop);
}

static bool hear(struct kl_replica *r, u32 peer, kl_span envelope)
{
    struct replica_gossip *g = &r->gossip;
    if (g->heard_count == HELD_MAX || r->peers[peer].heard == HELD_PEER_MAX)
        return false;
    void *list = g->heard;
    bool room = replica_grow(&list, g->heard_count, &g->heard_cap, sizeof *g->heard);
    g->heard = list;
    kl_span copy = room ? kl_arena_copy(&g->heard_arena, envelope) : KL_SPAN_NONE;
    if (!copy.p)
        return false;
    g->heard[g->heard_count++] = (struct replica_heard){.peer = peer, .envelope = copy};
    r->peers[peer].heard++;
    return true;
}

void replica_gossip_hear(struct kl_replica *r, u32 peer, const kl_message *message)
{
    if (r->broken != KL_OK)
        return;
    for (usize i = 0; i < message->transaction_count; i++)
        if (!hear(r, peer, message->transactions[i]))
            break;
    begin(r);
}

void replica_gossip_init(struct kl_replica *r)
{
    kl_arena_init(&r->gossip.own_arena, 2 * GATHER_BYTES);
    kl_arena_init(&r->gossip.heard_arena, HELD_BYTES);
    r->gossip_due_ns = NEVER;
}

void replica_gossip_done(struct kl_replica *r)
{
    kl_arena_done(&r->gossip.own_arena);
    kl_arena_done(&r->gossip.heard_arena);
    free(r->gossip.own);
    free(r->gossip.heard);
}

/* Transactions between peers.  Our own users' are said to everybody: the first at once, those that
 * follow it gathered for a moment; and so are those that were news and came to us alone.  The
 * network passes on what we find good.  Those of others gather while a job is out that decodes,
 * recovers senders on all workers, and looks accounts up; each peer has a share of the room, and
 * what is beyond it is lost: it will be heard of again, or is in the next block without us.
 *
 * A message is worth what its transactions are: one that no correct node says makes the whole of it
 * bad; it is passed on when the pool has taken any of it. */
#include <stdlib.h>

#include "crypto/keccak.h"
#include "host/replica_priv.h"
#include "types/senders.h"

enum {
    GATHER_NS = 2000000,
    GATHER_MAX = 512,     /* own ones in a message */
    HELD_MAX = 16384,     /* of all peers, while a job is out */
    HELD_PEER_MAX = 2048, /* of one */
    /* Of nuisance: its sender cannot pay for it, which whoever passes it on would have seen, unless
     * the sender has just spent what it had. */
    UNFUNDED_UNITS = 64
};
#define GATHER_BYTES ((usize)64 << 10) /* of one message */
#define HELD_BYTES   ((usize)32 << 20)
#define TX_MEMORY    ((usize)256 << 20) /* what a job's transactions take, decoded */

/* A transaction that a peer has sent; in the arena of its batch. */
struct replica_heard {
    kl_hash hash;
    usize said; /* which message */
    kl_span envelope;
    struct replica_heard *next;
};

/* A message that it came in. */
struct replica_said {
    struct replica_who who;
    bool gossiped; /* a verdict is awaited */
    u8 id[KL_REPLICA_GOSSIP_ID_LEN];
    kl_rule broken;
    bool taken; /* something of it is in the pool */
};

/* --- our own --- */

static void send_own(struct kl_replica *r)
{
    struct kl_replica_net *net = r->config.net;
    struct replica_gossip *g = &r->gossip;
    const kl_message message = {
        .kind = KL_MESSAGE_TRANSACTIONS, .transactions = g->own, .transaction_count = g->own_count};
    r->gossip_due_ns = NEVER;
    g->sent_ns = replica_now(r);
    if (g->own_count && net->publish) {
        kl_buf_clear(&r->frame);
        kl_message_encode(&r->frame, &message, r->scheme);
        if (!r->frame.failed)
            net->publish(net, kl_buf_view(&r->frame));
    } else if (g->own_count) {
        replica_send(r, KL_REPLICA_ALL, &message);
    }
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

/* --- a batch of others' --- */

struct take_work {
    struct replica_work work;
    struct replica_batch batch;
    /* Those that decode, each with what is known of it. */
    usize count;
    kl_tx *txs;
    struct replica_heard **heard;
    kl_rule *broken;
    kl_pool_facts *facts;
    u64 version; /* of the head whose facts these are */
    kl_status status;
};

static void batch_init(struct replica_batch *b)
{
    *b = (struct replica_batch){.first = NULL};
    kl_arena_init(&b->arena, HELD_BYTES);
}

static void batch_done(struct replica_batch *b)
{
    kl_arena_done(&b->arena);
    free(b->said);
}

/* Fork rules are the pool's: whoever is a block behind us, or ahead, breaks nothing. */
static kl_status decode_all(struct take_work *w)
{
    struct kl_arena *arena = &w->batch.arena;
    w->txs = KL_ZERO(arena, kl_tx, w->batch.count);
    w->heard = KL_ZERO(arena, struct replica_heard *, w->batch.count);
    w->broken = KL_ZERO(arena, kl_rule, w->batch.count);
    w->facts = KL_ZERO(arena, kl_pool_facts, w->batch.count);
    if (!w->txs || !w->heard || !w->broken || !w->facts)
        return KL_NOMEM;
    for (struct replica_heard *h = w->batch.first; h; h = h->next) {
        kl_rule broken;
        KL_TRY(kl_tx_decode(&w->txs[w->count], h->envelope, KL_FORK_NEWEST, arena, &broken));
        if (broken == KL_RULE_NONE)
            w->heard[w->count++] = h;
        else
            w->batch.said[h->said].broken = broken;
    }
    return KL_OK;
}

static kl_status look_up(struct take_work *w, struct kl_view *view)
{
    struct kl_replica *r = w->work.replica;
    KL_TRY(decode_all(w));
    kl_senders_recover_all(r->config.chain.senders, w->txs, w->broken, w->count, KL_FORK_NEWEST,
                           r->config.workers);
    for (usize i = 0; i < w->count; i++) {
        kl_account account;
        bool exists;
        if (w->broken[i] != KL_RULE_NONE)
            continue;
        kl_hash hash = kl_keccak256(kl_address_span(&w->txs[i].sender));
        KL_TRY(kl_view_account(view, &hash, &account, &exists));
        w->facts[i] = (kl_pool_facts){account.nonce, account.balance};
    }
    return KL_OK;
}

static void take_run(struct kl_job *job)
{
    struct take_work *w = (struct take_work *)job;
    struct kl_replica *r = w->work.replica;
    struct kl_tip *head = kl_chain_head(r->chain);
    struct kl_view *view = NULL;
    w->version = head->version;
    w->status = kl_chain_view(r->chain, head, &view);
    if (w->status == KL_OK)
        w->status = look_up(w, view);
    kl_view_close(view);
    kl_tip_unref(head);
}

/* What no correct node says, whatever its head is. */
static bool is_broken(kl_rule rule)
{
    return rule == KL_RULE_TX_CHAIN_ID;
}

static void admit(struct kl_replica *r, struct take_work *w, usize i)
{
    struct replica_said *said = &w->batch.said[w->heard[i]->said];
    kl_pool_arrival how = {.facts = w->facts[i]};
    kl_pool_added added;
    kl_rule broken;
    /* The pool has moved on since these were looked up: the newer facts are read here, where they
     * are in memory most likely. */
    if (w->version != r->head->version &&
        replica_facts_of(r, &w->txs[i].sender, &how.facts) != KL_OK)
        return;
    if (kl_pool_add(r->pool, &w->txs[i], &how, &added, &broken) != KL_OK)
        return;
    if (is_broken(broken))
        said->broken = broken;
    if (broken == KL_RULE_TX_FUNDS && !said->gossiped && replica_is_there(r, said->who))
        replica_blame(r, said->who.peer, UNFUNDED_UNITS);
    if (broken != KL_RULE_NONE)
        return;
    said->taken = r->pool_grown = true;
    if (!said->gossiped && r->config.net->publish)
        replica_gossip_own(r, w->txs[i].raw);
    if (added.replaced)
        replica_local_replaced(r, &added.replaced_hash);
}

static void verdict(struct kl_replica *r, const u8 id[KL_REPLICA_GOSSIP_ID_LEN],
                    kl_replica_verdict verdict)
{
    struct kl_replica_net *net = r->config.net;
    if (net->verdict)
        net->verdict(net, id, verdict);
}

static void judge_said(struct kl_replica *r, const struct replica_said *said)
{
    if (said->gossiped)
        verdict(r, said->id,
                said->broken != KL_RULE_NONE ? KL_REPLICA_REJECT
                : said->taken                ? KL_REPLICA_ACCEPT
                                             : KL_REPLICA_IGNORE);
    else if (said->broken != KL_RULE_NONE && replica_is_there(r, said->who))
        r->config.net->penalize(r->config.net, said->who.peer, said->broken);
}

static void begin(struct kl_replica *r);

static void take_finish(struct replica_work *work)
{
    struct take_work *w = (struct take_work *)work;
    struct kl_replica *r = work->replica;
    struct replica_gossip *g = &r->gossip;
    g->busy = false;
    for (struct replica_heard *h = w->batch.first; h; h = h->next)
        (void)kl_map_take(&g->in_flight, &h->hash);
    for (usize i = 0; i < w->count && w->status == KL_OK; i++) {
        if (w->broken[i] == KL_RULE_NONE)
            admit(r, w, i);
        else
            w->batch.said[w->heard[i]->said].broken = w->broken[i];
    }
    for (usize i = 0; i < w->batch.said_count; i++)
        judge_said(r, &w->batch.said[i]);
    begin(r);
}

static void take_drop(struct replica_work *work)
{
    struct take_work *w = (struct take_work *)work;
    batch_done(&w->batch);
    free(w);
}

/* Gives what was heard to a job, unless one is out. */
static void begin(struct kl_replica *r)
{
    struct replica_gossip *g = &r->gossip;
    struct take_work *w = !g->busy && g->batch.said_count ? calloc(1, sizeof *w) : NULL;
    if (!w)
        return;
    w->batch = g->batch;
    w->batch.arena.limit = TX_MEMORY;
    batch_init(&g->batch);
    for (u32 i = 0; i < KL_REPLICA_PEERS_MAX; i++)
        r->peers[i].heard = 0;
    g->busy = true;
    replica_give(r, KL_LANE_EXECUTION, &w->work, take_run, take_finish, take_drop);
}

/* --- hearing --- */

/* NULL: no memory. */
static struct replica_heard *heard_new(struct replica_gossip *g, const kl_hash *hash,
                                       kl_span envelope)
{
    struct replica_heard *heard = KL_ZERO(&g->batch.arena, struct replica_heard, 1);
    if (!heard)
        return NULL;
    heard->hash = *hash;
    heard->envelope = kl_arena_copy(&g->batch.arena, envelope);
    return heard->envelope.p && kl_map_put(&g->in_flight, heard) == KL_OK ? heard : NULL;
}

/* False: there is no room for it, nor for more. */
static bool hear(struct kl_replica *r, u32 peer, usize said, kl_span envelope)
{
    struct replica_gossip *g = &r->gossip;
    struct replica_batch *b = &g->batch;
    kl_hash hash = kl_keccak256(envelope);
    if (kl_pool_get(r->pool, &hash) || kl_map_get(&g->in_flight, &hash))
        return true;
    if (b->count == HELD_MAX || r->peers[peer].heard == HELD_PEER_MAX)
        return false;
    struct replica_heard *heard = heard_new(g, &hash, envelope);
    if (!heard)
        return false;
    heard->said = said;
    if (b->first)
        b->last->next = heard;
    else
        b->first = heard;
    b->last = heard;
    b->count++;
    r->peers[peer].heard++;
    return true;
}

/* False: nothing of it is looked at. */
static bool hear_all(struct kl_replica *r, const struct replica_said *how,
                     const kl_message *message)
{
    struct replica_batch *b = &r->gossip.batch;
    void *list = b->said;
    usize before = b->count;
    bool room =
        r->broken == KL_OK && replica_grow(&list, b->said_count, &b->said_cap, sizeof *b->said);
    b->said = list;
    if (!room)
        return false;
    for (usize i = 0; i < message->transaction_count; i++)
        if (!hear(r, how->who.peer, b->said_count, message->transactions[i]))
            break;
    if (b->count == before)
        return false;
    b->said[b->said_count++] = *how;
    begin(r);
    return true;
}

void replica_gossip_hear(struct kl_replica *r, u32 peer, const kl_message *message)
{
    (void)hear_all(r, &(struct replica_said){.who = replica_who_is(r, peer)}, message);
}

void kl_replica_gossiped(struct kl_replica *r, const u8 id[KL_REPLICA_GOSSIP_ID_LEN], u32 peer,
                         kl_span frame)
{
    kl_message message;
    kl_rule broken = KL_RULE_NONE;
    KL_ASSERT(peer < KL_REPLICA_PEERS_MAX && !r->stepping);
    struct replica_said said = {.who = replica_who_is(r, peer), .gossiped = true};
    memcpy(said.id, id, sizeof said.id);
    kl_arena_reset(&r->peer_arena, GATHER_BYTES);
    kl_status status = kl_message_decode(&message, frame, r->scheme, &r->peer_arena, &broken);
    if (status == KL_OK && (broken != KL_RULE_NONE || message.kind != KL_MESSAGE_TRANSACTIONS))
        verdict(r, id, KL_REPLICA_REJECT);
    else if (status != KL_OK || !r->started || !hear_all(r, &said, &message))
        verdict(r, id, KL_REPLICA_IGNORE);
    replica_settle(r);
}

kl_span replica_gossip_find(const struct kl_replica *r, const kl_hash *hash)
{
    const struct replica_heard *heard = kl_map_get(&r->gossip.in_flight, hash);
    return heard ? heard->envelope : KL_SPAN_NONE;
}

void replica_gossip_init(struct kl_replica *r)
{
    kl_arena_init(&r->gossip.own_arena, GATHER_BYTES + KL_MESSAGE_TRANSACTION_MAX);
    kl_map_init(&r->gossip.in_flight, offsetof(struct replica_heard, hash), sizeof(kl_hash),
                r->config.seed);
    batch_init(&r->gossip.batch);
    r->gossip_due_ns = NEVER;
}

void replica_gossip_done(struct kl_replica *r)
{
    kl_arena_done(&r->gossip.own_arena);
    batch_done(&r->gossip.batch);
    kl_map_done(&r->gossip.in_flight);
    free(r->gossip.own);
}

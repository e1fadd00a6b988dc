/* Blocks by the hashes of their transactions.  The leader sends headers and hashes, and of the
 * transactions those that the others most likely have not heard of: its own users' of the last
 * moment.  Who gets that rebuilds the body from its pool and from what it has just heard, and asks
 * the sender for the rest; where no answer comes in time, or the wrong one, it asks for the body as
 * it would have without all this.  Small blocks travel whole, and so do those that would hardly get
 * smaller.
 *
 * Room is given only where a body would get it: for a block that the leader of a view near the
 * engine's has signed for.  Hashes are whole, so what is rebuilt from the right ones is right; that
 * the list is the header's, execution finds out, and blames the sender. */
#include <stdlib.h>

#include "crypto/keccak.h"
#include "host/replica_priv.h"

#define SMALL_BYTES ((usize)4096)
enum { REBUILDS_MAX = 8 };

struct slot {
    const kl_pool_tx *tx; /* referenced; NULL: see envelope */
    kl_span envelope;     /* empty: it is missing */
};

static bool is_missing(const struct slot *slot)
{
    return !slot->tx && !slot->envelope.len;
}

/* A block some of whose transactions are awaited. */
struct replica_rebuild {
    kl_proposal proposal;
    u32 peer; /* that sent it and is asked */
    u64 due_ns;
    struct kl_arena arena;
    kl_compact compact; /* and what follows: in the arena */
    struct slot *slots;
    usize count, missing;
    struct replica_rebuild *next;
};

static void rebuild_free(struct replica_rebuild *b)
{
    for (usize i = 0; i < b->count; i++)
        kl_pool_tx_unref(b->slots[i].tx);
    kl_arena_done(&b->arena);
    free(b);
}

static void count_due(struct kl_replica *r)
{
    r->rebuilds.due_ns = NEVER;
    for (const struct replica_rebuild *b = r->rebuilds.first; b; b = b->next)
        r->rebuilds.due_ns = KL_MIN(r->rebuilds.due_ns, b->due_ns);
}

/* From the list, and no longer expected. */
static void take_out(struct kl_replica *r, struct replica_rebuild *b)
{
    struct replica_rebuild **at = &r->rebuilds.first;
    struct replica_candidate *c = replica_candidate_of(r, &b->proposal.block_hash);
    while (*at != b)
        at = &(*at)->next;
    *at = b->next;
    r->rebuilds.count--;
    if (c)
        c->rebuilding = false;
    count_due(r);
}

/* Unless nobody wants it any more. */
static void ask_whole(struct kl_replica *r, const struct replica_rebuild *b)
{
    const struct replica_candidate *c = replica_candidate_of(r, &b->proposal.block_hash);
    if (c && !c->body)
        replica_want_body(r, &b->proposal, KL_REPLICA_ALL);
}

static void give_up(struct kl_replica *r, struct replica_rebuild *b)
{
    take_out(r, b);
    r->rebuilds.done.given_up++;
    ask_whole(r, b);
    rebuild_free(b);
}

void replica_compact_due(struct kl_replica *r)
{
    u64 now_ns = replica_now(r);
    for (struct replica_rebuild *b = r->rebuilds.first, *next; b; b = next) {
        next = b->next;
        if (b->due_ns <= now_ns)
            give_up(r, b);
    }
}

void replica_compact_done(struct kl_replica *r)
{
    while (r->rebuilds.first) {
        struct replica_rebuild *b = r->rebuilds.first;
        r->rebuilds.first = b->next;
        rebuild_free(b);
    }
}

/* --- sending --- */

/* The body with the transactions that go along; NULL: no memory. */
static kl_message_tx *choose(struct kl_replica *r, const struct replica_candidate *c, kl_rlp txs,
                             usize *count, usize *bytes)
{
    kl_message_tx *given = malloc((c->order_count + 1) * sizeof *given);
    kl_span envelope;
    *count = *bytes = 0;
    for (usize i = 0; given && i < c->order_count; i++) {
        if (kl_envelope_next(&txs, &envelope) != KL_RULE_NONE)
            break;
        if (!replica_local_is_fresh(r, &c->order[i]))
            continue;
        given[(*count)++] = (kl_message_tx){(u32)i, envelope};
        *bytes += envelope.len;
    }
    return given;
}

bool replica_compact_send(struct kl_replica *r, u32 peer, const kl_vote *vote,
                          const struct replica_candidate *c)
{
    usize small = r->config.compact_bytes ? r->config.compact_bytes : SMALL_BYTES;
    kl_message m = {.kind = KL_MESSAGE_COMPACT, .vote = *vote};
    kl_rlp txs;
    usize bytes;
    if (!c->order || !c->order_count || c->order_count > KL_COMPACT_MAX || c->body->len < small ||
        kl_compact_split(&m.compact, &txs, kl_span_of(c->body->bytes, c->body->len)) !=
            KL_RULE_NONE)
        return false;
    m.compact.hashes = kl_span_of(c->order->b, c->order_count * sizeof *c->order);
    kl_message_tx *given = choose(r, c, txs, &m.given_count, &bytes);
    m.given = given;
    bool is_worth_it = given && (m.compact.hashes.len + bytes) * 4 < c->body->len * 3;
    if (is_worth_it)
        replica_send(r, peer, &m);
    free(given);
    return is_worth_it;
}

void replica_compact_serve(struct kl_replica *r, u32 peer, const kl_message *m)
{
    const struct replica_candidate *c = replica_candidate_of(r, &m->hash);
    kl_compact compact;
    kl_rlp txs;
    kl_message_tx *given = KL_TAKE(&r->peer_arena, kl_message_tx, m->place_count + 1);
    if (!given || !c || !c->body ||
        kl_compact_split(&compact, &txs, kl_span_of(c->body->bytes, c->body->len)) != KL_RULE_NONE)
        return; /* whoever asked will ask for the body */
    usize count = 0;
    kl_span envelope;
    for (u32 place = 0; count < m->place_count; place++) {
        if (kl_envelope_next(&txs, &envelope) != KL_RULE_NONE)
            return;
        if (place == m->places[count])
            given[count++] = (kl_message_tx){place, envelope};
    }
    replica_send(r, peer,
                 &(kl_message){.kind = KL_MESSAGE_TRANSACTIONS_OF,
                               .hash = m->hash,
                               .given = given,
                               .given_count = count});
}

/* --- rebuilding --- */

static kl_span envelope_of(const struct slot *slot)
{
    return slot->tx ? slot->tx->tx.raw : slot->envelope;
}

/* NULL: no memory, or more than a body may have. */
static struct replica_body *join(struct replica_rebuild *b, const kl_hash *hash)
{
    kl_span *envelopes = KL_TAKE(&b->arena, kl_span, b->count + 1);
    if (!envelopes)
        return NULL;
    for (usize i = 0; i < b->count; i++)
        envelopes[i] = envelope_of(&b->slots[i]);
    kl_out counter = kl_out_counter();
    kl_compact_join(&counter, &b->compact, envelopes, b->count);
    if (counter.len > KL_MESSAGE_BODY_MAX)
        return NULL;
    struct replica_body *body = replica_body_room(hash, counter.len);
    if (!body)
        return NULL;
    kl_out out = kl_out_of(body->bytes, body->len);
    kl_compact_join(&out, &b->compact, envelopes, b->count);
    KL_ASSERT(!out.full && out.len == body->len);
    return body;
}

/* Nothing is missing any more; false: what came of it is no body. */
static bool finish(struct kl_replica *r, struct replica_rebuild *b)
{
    kl_body parts;
    struct replica_body *body = join(b, &b->proposal.block_hash);
    bool good = body &&
                kl_body_decode(&parts, kl_span_of(body->bytes, body->len)) == KL_RULE_NONE &&
                kl_hash_eq(&parts.hash, &b->proposal.block_hash) &&
                replica_candidate_room(r, body->len, b->proposal.view);
    if (!good) {
        replica_body_unref(body);
        return false;
    }
    (void)replica_keep(r, &b->proposal, b->peer, body, &parts);
    return true;
}

/* Parts of a body without its lists, as far as they stand on their own. */
static bool read_parts(const kl_compact *compact, kl_body *out)
{
    *out = (kl_body){.consensus = compact->consensus};
    if (kl_header_decode(&out->header, compact->header) != KL_RULE_NONE ||
        kl_consensus_header_decode(&out->consensus_header, compact->consensus) != KL_RULE_NONE)
        return false;
    out->hash = kl_header_hash(&out->header);
    return true;
}

static bool copy(struct kl_arena *arena, kl_span *span)
{
    *span = kl_arena_copy(arena, *span);
    return span->p || !span->len;
}

/* What is here of the transactions goes to its place. */
static bool fill(struct kl_replica *r, struct replica_rebuild *b, const kl_message *m)
{
    for (usize i = 0; i < m->given_count; i++) {
        struct slot *slot = &b->slots[m->given[i].place];
        slot->envelope = m->given[i].envelope;
        if (!copy(&b->arena, &slot->envelope))
            return false;
    }
    for (usize i = 0; i < b->count; i++) {
        struct slot *slot = &b->slots[i];
        if (!is_missing(slot))
            continue;
        kl_hash hash = kl_compact_hash(&b->compact, i);
        const kl_pool_tx *tx = kl_pool_get(r->pool, &hash);
        if (tx)
            slot->tx = kl_pool_tx_ref(tx);
        else
            slot->envelope = replica_gossip_find(r, &hash);
        if (!copy(&b->arena, &slot->envelope))
            return false;
        b->missing += is_missing(slot);
    }
    return true;
}

bool replica_compact_is_given(const kl_compact *compact, const kl_message *m)
{
    for (usize i = 0; i < m->given_count; i++) {
        kl_hash hash = kl_keccak256(m->given[i].envelope);
        kl_hash said = kl_compact_hash(compact, m->given[i].place);
        if (!kl_hash_eq(&hash, &said))
            return false;
    }
    return true;
}

static struct replica_rebuild *rebuild_new(struct kl_replica *r, u32 peer, const kl_message *m)
{
    struct replica_rebuild *b = calloc(1, sizeof *b);
    if (!b)
        return NULL;
    kl_arena_init(&b->arena, 2 * (usize)KL_MESSAGE_MAX);
    b->proposal = m->vote.subject.proposal;
    b->peer = peer;
    b->compact = m->compact;
    b->slots = KL_ZERO(&b->arena, struct slot, kl_compact_count(&m->compact) + 1);
    if (!b->slots || !copy(&b->arena, &b->compact.header) || !copy(&b->arena, &b->compact.rest) ||
        !copy(&b->arena, &b->compact.consensus) || !copy(&b->arena, &b->compact.hashes)) {
        rebuild_free(b);
        return NULL;
    }
    b->count = kl_compact_count(&m->compact);
    if (!fill(r, b, m)) {
        rebuild_free(b);
        return NULL;
    }
    return b;
}

static void ask(struct kl_replica *r, const struct replica_rebuild *b)
{
    u32 *places = KL_TAKE(&r->peer_arena, u32, b->missing + 1);
    usize count = 0;
    for (usize i = 0; places && i < b->count; i++)
        if (is_missing(&b->slots[i]))
            places[count++] = (u32)i;
    if (places)
        replica_send(r, b->peer,
                     &(kl_message){.kind = KL_MESSAGE_ASK_TRANSACTIONS,
                                   .hash = b->proposal.block_hash,
                                   .places = places,
                                   .place_count = count});
}

/* The body is rebuilt, awaited, or left to the engine, which will ask for it. */
static void rebuild(struct kl_replica *r, u32 peer, const kl_message *m)
{
    struct replica_rebuild *b = rebuild_new(r, peer, m);
    if (!b)
        return;
    if (!b->missing && finish(r, b))
        r->rebuilds.done.rebuilt++;
    struct replica_candidate *c = b->missing ? replica_candidate_for(r, &b->proposal) : NULL;
    if (!c || r->rebuilds.count == REBUILDS_MAX) {
        r->rebuilds.done.given_up += b->missing != 0;
        rebuild_free(b);
        return;
    }
    u64 delta_ns = kl_mul_sat_u64(kl_chain_spec(r->chain)->bft.delta_ms, 1000000u);
    c->wanted = c->rebuilding = true;
    b->due_ns = kl_add_sat_u64(replica_now(r), delta_ns);
    b->next = r->rebuilds.first;
    r->rebuilds.first = b;
    r->rebuilds.count++;
    count_due(r);
    ask(r, b);
}

void replica_compact_hear(struct kl_replica *r, u32 peer, const kl_message *m)
{
    const struct replica_candidate *c =
        replica_candidate_of(r, &m->vote.subject.proposal.block_hash);
    kl_body parts;
    if (!(c && (c->body || c->rebuilding)) && read_parts(&m->compact, &parts) &&
        replica_may_keep(r, &m->vote, &parts, m->compact.hashes.len)) {
        if (replica_compact_is_given(&m->compact, m))
            rebuild(r, peer, m);
        else
            r->config.net->penalize(r->config.net, peer, KL_RULE_MESSAGE_TRANSACTION);
    }
    replica_tell(r, &(kl_bft_event){.kind = KL_BFT_VOTE, .peer = peer, .vote = &m->vote});
}

static struct replica_rebuild *rebuild_of(struct kl_replica *r, u32 peer, const kl_hash *hash)
{
    for (struct replica_rebuild *b = r->rebuilds.first; b; b = b->next)
        if (b->peer == peer && kl_hash_eq(&b->proposal.block_hash, hash))
            return b;
    return NULL;
}

/* Takes the answer's transactions to their places; what was not asked for is passed over.  The rule
 * is the answer's. */
static kl_rule take_given(struct replica_rebuild *b, const kl_message *m)
{
    for (usize i = 0; i < m->given_count; i++) {
        const kl_message_tx *given = &m->given[i];
        if (given->place >= b->count)
            return KL_RULE_MESSAGE_RANGE;
        struct slot *slot = &b->slots[given->place];
        if (!is_missing(slot))
            continue;
        kl_hash hash = kl_keccak256(given->envelope);
        kl_hash said = kl_compact_hash(&b->compact, given->place);
        if (!kl_hash_eq(&hash, &said))
            return KL_RULE_MESSAGE_TRANSACTION;
        slot->envelope = given->envelope;
        if (!copy(&b->arena, &slot->envelope)) {
            slot->envelope = KL_SPAN_NONE;
            return KL_RULE_NONE;
        }
        b->missing--;
    }
    return KL_RULE_NONE;
}

void replica_compact_complete(struct kl_replica *r, u32 peer, const kl_message *m)
{
    struct replica_rebuild *b = rebuild_of(r, peer, &m->hash);
    if (!b)
        return; /* too late, or never asked for */
    kl_rule broken = take_given(b, m);
    if (broken != KL_RULE_NONE)
        r->config.net->penalize(r->config.net, peer, broken);
    if (broken != KL_RULE_NONE || b->missing) {
        give_up(r, b);
        return;
    }
    take_out(r, b);
    if (finish(r, b))
        r->rebuilds.done.completed++;
    else
        ask_whole(r, b);
    rebuild_free(b);
}

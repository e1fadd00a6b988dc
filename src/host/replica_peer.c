/* What peers say, a row a kind.  Everything is judged before it is used: form by the decoder,
 * signatures by the engine and the machine that fetches; a body is kept only where somebody who may
 * propose says so, or where we asked for it. */
#include "host/replica_priv.h"

enum {
    STATUS_PAUSE_NS = 100000000, /* between two words about our height */
    /* Of nuisance, for an answer that nobody asked for, and for so many bytes of it. */
    UNASKED_UNITS = 64,
    UNASKED_BYTES = 1024,
};
#define KEEP_BYTES ((usize)1 << 20)

void replica_send(struct kl_replica *r, u32 peer, const kl_message *message)
{
    kl_buf_clear(&r->frame);
    kl_message_encode(&r->frame, message, r->scheme);
    if (!r->frame.failed)
        r->config.net->send(r->config.net, peer, message->kind, kl_buf_view(&r->frame));
}

void replica_blame(struct kl_replica *r, u32 peer, u64 units)
{
    if (r->config.net->blame)
        r->config.net->blame(r->config.net, peer, units);
}

struct replica_who replica_who_is(const struct kl_replica *r, u32 peer)
{
    u32 life = peer < KL_REPLICA_PEERS_MAX ? r->peers[peer].life : 0;
    return (struct replica_who){peer, life};
}

bool replica_is_there(const struct kl_replica *r, struct replica_who who)
{
    return who.peer < KL_REPLICA_PEERS_MAX && r->peers[who.peer].life == who.life;
}

u32 replica_somebody(struct kl_replica *r, u32 peer)
{
    u32 count = 0;
    if (peer < KL_REPLICA_PEERS_MAX && r->peers[peer].connected)
        return peer;
    for (u32 i = 0; i < KL_REPLICA_PEERS_MAX; i++)
        count += r->peers[i].connected;
    u64 nth = count ? replica_random(r, count) : 0;
    for (u32 i = 0; i < KL_REPLICA_PEERS_MAX && count; i++)
        if (r->peers[i].connected && nth-- == 0)
            return i;
    return KL_REPLICA_ALL;
}

void replica_status(struct kl_replica *r)
{
    u64 now_ns = replica_now(r);
    if (r->status_sent_height == r->status_height) {
        r->status_due_ns = NEVER;
        return;
    }
    u64 due_ns = kl_add_sat_u64(r->status_sent_ns, STATUS_PAUSE_NS);
    if (r->status_sent_ns && now_ns < due_ns) {
        r->status_due_ns = due_ns;
        return;
    }
    r->status_due_ns = NEVER;
    r->status_sent_ns = KL_MAX(now_ns, 1);
    r->status_sent_height = r->status_height;
    replica_send(r, KL_REPLICA_ALL,
                 &(kl_message){.kind = KL_MESSAGE_STATUS, .from = r->status_height});
}

void kl_replica_connected(struct kl_replica *r, u32 peer)
{
    KL_ASSERT(peer < KL_REPLICA_PEERS_MAX);
    r->peers[peer].connected = true;
    replica_send(r, peer, &(kl_message){.kind = KL_MESSAGE_STATUS, .from = r->status_height});
    replica_local_greet(r, peer);
}

void kl_replica_disconnected(struct kl_replica *r, u32 peer)
{
    KL_ASSERT(peer < KL_REPLICA_PEERS_MAX);
    r->peers[peer].connected = false;
    r->peers[peer].life++;
    kl_replica_set_rank(r, peer, KL_REPLICA_PEER);
    replica_fetch(r, &(kl_fetch_event){.kind = KL_FETCH_GONE, .peer = peer});
    replica_settle(r);
}

/* --- bodies --- */

bool replica_keep(struct kl_replica *r, const kl_proposal *proposal, u32 peer,
                  struct replica_body *body, const kl_body *parts)
{
    struct replica_candidate *c = replica_candidate_for(r, proposal);
    if (!c || c->body || c->state != REPLICA_WAITS) {
        replica_body_unref(body);
        return false;
    }
    replica_candidate_read(r, c, body, parts);
    c->source = replica_who_is(r, peer);
    replica_tell(r,
                 &(kl_bft_event){.kind = KL_BFT_BODY, .peer = KL_BFT_NO_PEER, .hash = parts->hash});
    return true;
}

static void keep(struct kl_replica *r, const kl_proposal *proposal, u32 peer, kl_span bytes,
                 const kl_body *parts)
{
    struct replica_body *body = replica_body_new(&parts->hash, bytes);
    if (body)
        (void)replica_keep(r, proposal, peer, body, parts);
}

/* Whether the vote is that of a view's leader in the engine's window, and the signature holds: only
 * then does its body take room. */
static bool is_proposal(struct kl_replica *r, const kl_vote *vote)
{
    const kl_proposal *p = &vote->subject.proposal;
    const kl_valset *set = &r->epoch->set;
    kl_simplex_status status = kl_simplex_status_of(r->engine, replica_now(r));
    return p->epoch == r->epoch->number && p->height > r->head->header.number &&
           p->view + r->config.window / 2 > status.view &&
           p->view < status.view + r->config.window / 2 &&
           vote->signer == kl_valset_leader(set, p->epoch, p->view) &&
           replica_candidates_in(r, p->epoch, p->view) < REPLICA_PROPOSED_MAX &&
           kl_vote_check(vote, set, &r->domain) == KL_RULE_NONE;
}

/* Whether the body is what the vote names: a view's leader gets room for a block of that view. */
static bool is_of_proposal(const struct kl_replica *r, const kl_proposal *p, const kl_body *parts)
{
    const kl_consensus_header *header = &parts->consensus_header;
    if (!kl_hash_eq(&parts->hash, &p->block_hash) || parts->header.number != p->height ||
        header->epoch != p->epoch)
        return false;
    if (kl_hash_eq(&p->block_hash, &p->parent_hash))
        return p->height == r->epoch->last_height && header->view < p->view;
    return header->view == p->view && kl_hash_eq(&parts->header.parent_hash, &p->parent_hash);
}

bool replica_may_keep(struct kl_replica *r, const kl_vote *vote, const kl_body *parts, usize len)
{
    const kl_proposal *p = &vote->subject.proposal;
    const struct replica_candidate *c = replica_candidate_of(r, &p->block_hash);
    return !(c && c->body) && is_of_proposal(r, p, parts) && is_proposal(r, vote) &&
           replica_candidate_room(r, len, p->view);
}

static void hear_proposal(struct kl_replica *r, u32 peer, const kl_message *m)
{
    const struct replica_candidate *c =
        replica_candidate_of(r, &m->vote.subject.proposal.block_hash);
    kl_body parts;
    if (!(c && c->body) && kl_body_decode(&parts, m->body) == KL_RULE_NONE &&
        replica_may_keep(r, &m->vote, &parts, m->body.len))
        keep(r, &m->vote.subject.proposal, peer, m->body, &parts);
    replica_tell(r, &(kl_bft_event){.kind = KL_BFT_VOTE, .peer = peer, .vote = &m->vote});
}

static void hear_body(struct kl_replica *r, u32 peer, const kl_message *m)
{
    kl_body parts;
    kl_rule broken = kl_body_decode(&parts, m->body);
    if (broken != KL_RULE_NONE) {
        r->config.net->penalize(r->config.net, peer, broken);
        return;
    }
    const struct replica_candidate *c = replica_candidate_of(r, &parts.hash);
    if (!c || !c->wanted)
        return; /* too late, or never asked for */
    kl_proposal proposal = {.block_hash = parts.hash, .view = c->view};
    if (replica_candidate_room(r, m->body.len, c->view))
        keep(r, &proposal, peer, m->body, &parts);
}

/* --- the rest --- */

static void hear_vote(struct kl_replica *r, u32 peer, const kl_message *m)
{
    replica_tell(r, &(kl_bft_event){.kind = KL_BFT_VOTE, .peer = peer, .vote = &m->vote});
}

static void hear_certificate(struct kl_replica *r, u32 peer, const kl_message *m)
{
    replica_tell(r, &(kl_bft_event){
                        .kind = KL_BFT_CERTIFICATE, .peer = peer, .certificate = &m->certificate});
}

static void hear_evidence(struct kl_replica *r, u32 peer, const kl_message *m)
{
    replica_tell(r,
                 &(kl_bft_event){.kind = KL_BFT_EVIDENCE, .peer = peer, .evidence = &m->evidence});
}

/* Whoever is epochs behind is helped by blocks, for which it must know that we have them. */
static void hear_ask_certificates(struct kl_replica *r, u32 peer, const kl_message *m)
{
    if (m->epoch < r->epoch->number)
        replica_send(r, peer, &(kl_message){.kind = KL_MESSAGE_STATUS, .from = r->status_height});
    replica_tell(r, &(kl_bft_event){.kind = KL_BFT_CERTIFICATE_REQUEST,
                                    .peer = peer,
                                    .epoch = m->epoch,
                                    .from = m->from,
                                    .to = m->to});
}

static void hear_ask_body(struct kl_replica *r, u32 peer, const kl_message *m)
{
    const struct replica_candidate *c = replica_candidate_of(r, &m->hash);
    if (c && c->body)
        replica_send(r, peer,
                     &(kl_message){.kind = KL_MESSAGE_BODY,
                                   .body = kl_span_of(c->body->bytes, c->body->len)});
    else
        replica_serve_body(r, peer, &m->hash);
}

static void hear_ask_blocks(struct kl_replica *r, u32 peer, const kl_message *m)
{
    replica_serve_blocks(r, peer, m->from, m->to);
}

/* Too late, which happens, or never asked for. */
static void blame_unasked(struct kl_replica *r, u32 peer, usize len)
{
    replica_blame(r, peer, UNASKED_UNITS + len / UNASKED_BYTES);
}

static void hear_blocks(struct kl_replica *r, u32 peer, const kl_message *m)
{
    if (!kl_fetch_expects(r->fetch, peer, m))
        blame_unasked(r, peer, r->heard_len);
    replica_fetch(r, &(kl_fetch_event){.kind = KL_FETCH_BLOCKS, .peer = peer, .message = m});
}

static void hear_status(struct kl_replica *r, u32 peer, const kl_message *m)
{
    replica_fetch_height(r, peer, m->from);
}

static void hear_ask_records(struct kl_replica *r, u32 peer, const kl_message *m)
{
    replica_serve_records(r, peer, m->from, m->to);
}

static void hear_ask_state(struct kl_replica *r, u32 peer, const kl_message *m)
{
    replica_serve_state(r, peer, m);
}

static void hear_ask_code(struct kl_replica *r, u32 peer, const kl_message *m)
{
    replica_serve_code(r, peer, &m->hash);
}

/* Answers that only who fills a database asks for (fill.h). */
static void hear_nothing(struct kl_replica *r, u32 peer, KL_UNUSED const kl_message *m)
{
    blame_unasked(r, peer, r->heard_len);
}

void kl_replica_receive(struct kl_replica *r, u32 peer, kl_span frame)
{
    static void (*const hear[])(struct kl_replica *, u32, const kl_message *) = {
        [KL_MESSAGE_VOTE] = hear_vote,
        [KL_MESSAGE_PROPOSAL] = hear_proposal,
        [KL_MESSAGE_CERTIFICATE] = hear_certificate,
        [KL_MESSAGE_EVIDENCE] = hear_evidence,
        [KL_MESSAGE_ASK_CERTIFICATES] = hear_ask_certificates,
        [KL_MESSAGE_ASK_BODY] = hear_ask_body,
        [KL_MESSAGE_BODY] = hear_body,
        [KL_MESSAGE_ASK_BLOCKS] = hear_ask_blocks,
        [KL_MESSAGE_BLOCKS] = hear_blocks,
        [KL_MESSAGE_STATUS] = hear_status,
        [KL_MESSAGE_TRANSACTIONS] = replica_gossip_hear,
        [KL_MESSAGE_ASK_RECORDS] = hear_ask_records,
        [KL_MESSAGE_RECORDS] = hear_nothing,
        [KL_MESSAGE_ASK_STATE] = hear_ask_state,
        [KL_MESSAGE_STATE] = hear_nothing,
        [KL_MESSAGE_ASK_CODE] = hear_ask_code,
        [KL_MESSAGE_CODE] = hear_nothing,
        [KL_MESSAGE_COMPACT] = replica_compact_hear,
        [KL_MESSAGE_ASK_TRANSACTIONS] = replica_compact_serve,
        [KL_MESSAGE_TRANSACTIONS_OF] = replica_compact_complete,
    };
    kl_message message;
    kl_rule broken;
    KL_ASSERT(peer < KL_REPLICA_PEERS_MAX && !r->stepping);
    if (!r->started)
        return;
    r->heard_len = frame.len;
    kl_arena_reset(&r->peer_arena, KEEP_BYTES);
    if (kl_message_decode(&message, frame, r->scheme, &r->peer_arena, &broken) != KL_OK)
        return;
    if (broken != KL_RULE_NONE) {
        r->config.net->penalize(r->config.net, peer, broken);
    } else {
        replica_relay(r, peer, &message, frame);
        hear[message.kind](r, peer, &message);
    }
    replica_settle(r);
}

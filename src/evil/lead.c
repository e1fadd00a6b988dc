/* Attacks of a validator whose turn it is.  It follows the chain like everybody else, and when a
 * certificate says that the next view is its own, it proposes on what is notarized: a block that is
 * good but for what the attack is about, or a good one that is as heavy as may be. */
#include "crypto/address.h"
#include "crypto/secp256k1.h"
#include "evil/attack_priv.h"
#include "sys/env.h"

#define HOUR_MS  UINT64_C(3600000)
#define EDGE_MS  900 /* below what nodes bear with, one second */
#define AGAIN_NS UINT64_C(100000000)
#define TX_GAS   16777216u

enum { ENVELOPES_MAX = 64, HUGE = 8 << 20 };

static const u8 zeros[HUGE];

/* --- what it has heard --- */

static void ask_blocks(struct evil_wire *w)
{
    struct evil *e = w->evil;
    if (e->lead.asked_ns + AGAIN_NS > e->now_ns)
        return;
    e->lead.asked_ns = e->now_ns;
    evil_message(w, EVIL_SYNC,
                 &(kl_message){.kind = KL_MESSAGE_ASK_BLOCKS,
                               .from = evil_follow_height(e->follow) + 1,
                               .to = UINT64_MAX});
}

static void take(struct evil_wire *w, kl_span body)
{
    if (!evil_follow_take(w->evil->follow, body))
        ask_blocks(w);
}

static void take_blocks(struct evil_wire *w, const kl_message *m)
{
    struct evil *e = w->evil;
    u64 before = evil_follow_height(e->follow);
    for (usize i = 0; i < m->block_count; i++)
        (void)evil_follow_take(e->follow, m->blocks[i].body);
    if (evil_follow_height(e->follow) > before) {
        e->lead.asked_ns = 0;
        ask_blocks(w);
    }
}

static bool is_later(const kl_proposal *a, const kl_proposal *b)
{
    return a->epoch > b->epoch || (a->epoch == b->epoch && a->view > b->view);
}

static void take_certificate(struct evil *e, const kl_vote_subject *s)
{
    struct evil_lead *lead = &e->lead;
    bool names = s->kind != KL_VOTE_NULLIFY;
    if (names && is_later(&s->proposal, &lead->top))
        lead->top = s->proposal;
    if (is_later(&s->proposal, &lead->past))
        lead->past = s->proposal;
    if (names && kl_hash_eq(&s->proposal.block_hash, &lead->own)) {
        e->report->certified++;
        lead->own = (kl_hash){{0}};
    }
}

/* --- what it proposes --- */

/* Transactions that a block is filled with, all of the funded account. */
struct filling {
    struct kl_tx_source source;
    struct evil *evil;
    u64 nonce, gas;
    kl_span code, data;
    kl_tx tx; /* the newest; whoever builds copies it */
    usize count, most;
};

/* As much gas as the block has for it, or as the data costs. */
static const kl_tx *next_tx(struct kl_tx_source *source, u64 gas_left)
{
    struct filling *f = (struct filling *)source;
    u64 gas = f->data.len ? f->gas : KL_MIN(gas_left, (u64)TX_GAS);
    if (gas_left < KL_MAX(gas, (u64)100000) || f->count == f->most)
        return NULL;
    kl_tx *tx = &f->tx;
    *tx = (kl_tx){
        .type = KL_TX_DYNAMIC_FEE,
        .has_to = !f->code.len,
        .replay_safe = true,
        .chain_id = f->evil->config->chain_id,
        .nonce = f->nonce + f->count++,
        .gas_limit = gas,
        .max_fee = kl_u256_of(UINT64_C(1000000000000)),
        .max_priority_fee = kl_u256_of(0),
        .to = {{0x22}},
        .data = f->code.len ? f->code : f->data,
    };
    KL_ASSERT(kl_tx_sign(tx, &f->evil->config->key, &f->evil->arena) == KL_OK);
    return tx;
}

static void done_tx(KL_UNUSED struct kl_tx_source *source, KL_UNUSED const kl_tx *tx,
                    KL_UNUSED const kl_tx_result *result, KL_UNUSED kl_rule broken)
{
}

/* A block on parent, for our view; NULL: it was not to be. */
static struct kl_tip *build(struct evil *e, struct kl_tip *parent, const kl_proposal *p,
                            const struct evil_block *what)
{
    struct filling f = {.source = {next_tx, done_tx}, .evil = e, .code = what->code};
    u8 proof[KL_RANDAO_PROOF_LEN];
    u64 now_ms = kl_wall_ns(kl_sys_clock()) / 1000000;
    if (!kl_randao_sign(proof, e->config->scheme, &e->config->randao_key, &e->domain, p->epoch,
                        p->view))
        return NULL;
    f.data = kl_span_of(zeros, what->bytes);
    f.gas = 21000 + 10 * (u64)what->bytes + 1000; /* the floor of bytes that are zero [EIP-7623] */
    f.nonce = evil_follow_nonce(e->follow, parent, &e->account);
    if (what->code.len || what->bytes)
        f.most = what->txs ? what->txs : ENVELOPES_MAX;
    const kl_bft_plan plan = {.view = p->view,
                              .time_ms = what->never ? UINT64_MAX : now_ms + what->ahead_ms,
                              .randao_proof = proof};
    return evil_follow_build(e->follow, parent, &plan, &f.source);
}

/* The body with another time, in both headers, and with transactions that are not its header's. */
static bool change(struct kl_buf *body, const struct evil_block *what, u64 parent_ms)
{
    static u8 header[1024], consensus[KL_CONSENSUS_HEADER_RLP_MAX], whole[KL_MESSAGE_BODY_MAX];
    kl_span junk[] = {kl_span_of(zeros, what->junk)};
    kl_compact c;
    kl_rlp txs;
    kl_body parts;
    kl_out out;
    if (kl_body_decode(&parts, kl_buf_view(body)) != KL_RULE_NONE ||
        kl_compact_split(&c, &txs, kl_buf_view(body)) != KL_RULE_NONE)
        return false;
    if (what->behind) {
        parts.consensus_header.time_ms = parent_ms - (what->behind - 1);
        parts.header.timestamp = parts.consensus_header.time_ms / 1000;
    }
    parts.header.timestamp += what->off_s;
    out = kl_out_of(consensus, sizeof consensus);
    kl_consensus_header_encode(&out, &parts.consensus_header);
    c.consensus = kl_out_done(&out);
    kl_hash hash = kl_consensus_header_hash(&parts.consensus_header);
    memcpy(parts.header.extra_data, hash.b, sizeof hash.b);
    out = kl_out_of(header, sizeof header);
    kl_header_encode(&out, &parts.header);
    c.header = kl_out_done(&out);
    out = kl_out_of(whole, sizeof whole);
    kl_compact_join(&out, &c, junk, what->junk != 0);
    kl_buf_clear(body);
    kl_buf_span(body, kl_out_done(&out));
    return true;
}

/* To all validators that are connected. */
static void say_to_all(struct evil *e, evil_class class, const kl_message *message)
{
    for (usize i = 0; i < e->wire_count; i++)
        if (e->wires[i].fd >= 0 && e->wires[i].at == EVIL_READY) {
            evil_message(&e->wires[i], class, message);
            evil_wire_settle(&e->wires[i]);
        }
}

static void say_block(struct evil *e, kl_proposal *p, kl_span body)
{
    kl_message m = {.kind = KL_MESSAGE_PROPOSAL, .body = body};
    kl_vote_subject subject = {.kind = KL_VOTE_NOTARIZE};
    kl_body parts;
    if (kl_body_decode(&parts, body) != KL_RULE_NONE)
        return;
    p->block_hash = e->lead.own = parts.hash;
    subject.proposal = *p;
    evil_sign(e, &m.vote, &subject);
    e->report->steps++;
    say_to_all(e, EVIL_PROPOSAL, &m);
}

static void propose(struct evil *e, struct kl_tip *parent, kl_proposal *p,
                    const struct evil_block *what)
{
    bool changes = what->behind || what->off_s || what->junk;
    struct kl_tip *tip = build(e, parent, p, what);
    struct kl_buf body;
    if (!tip)
        return;
    kl_buf_init(&body, KL_MESSAGE_BODY_MAX);
    kl_body_of_tip(&body, tip);
    if (!body.failed && (!changes || change(&body, what, parent->consensus.time_ms)))
        say_block(e, p, kl_buf_view(&body));
    kl_buf_done(&body);
}

/* Whether the view behind the newest certificate is ours, and what it is built on is here. */
static void try_lead(struct evil *e, const struct evil_block *what)
{
    struct evil_lead *lead = &e->lead;
    struct kl_tip *parent = evil_follow_tip(e->follow, &lead->top.block_hash);
    if (!parent)
        return;
    kl_proposal floor = kl_tip_floor(parent);
    kl_proposal p = {.epoch = floor.epoch,
                     .view = lead->past.epoch == floor.epoch ? lead->past.view + 1 : 1,
                     .parent_view = floor.view,
                     .parent_hash = parent->hash,
                     .height = parent->header.number + 1};
    if (lead->past.epoch > floor.epoch || !is_later(&p, &lead->led) ||
        kl_valset_leader(&parent->epoch->set, p.epoch, p.view) != e->config->signer)
        return;
    lead->led = p;
    propose(e, parent, &p, what);
}

/* Votes as an honest one, once a view: who was not heard since its last turn is passed over. */
static void vote_along(struct evil *e, const kl_vote *proposed)
{
    const kl_vote_subject *s = &proposed->subject;
    kl_message m = {.kind = KL_MESSAGE_VOTE};
    if (!is_later(&s->proposal, &e->lead.along) || proposed->signer == e->config->signer)
        return;
    e->lead.along = s->proposal;
    evil_sign(e, &m.vote, s);
    say_to_all(e, EVIL_BFT, &m);
}

static void follow(struct evil_wire *w, kl_span frame, const struct evil_block *what)
{
    struct evil *e = w->evil;
    kl_message m;
    if (!frame.len || !evil_decode(w, &m, frame))
        return;
    if (m.kind == KL_MESSAGE_PROPOSAL || m.kind == KL_MESSAGE_COMPACT)
        vote_along(e, &m.vote);
    if (m.kind == KL_MESSAGE_PROPOSAL || m.kind == KL_MESSAGE_BODY)
        take(w, m.body);
    else if (m.kind == KL_MESSAGE_BLOCKS)
        take_blocks(w, &m);
    else if (m.kind == KL_MESSAGE_STATUS && m.from > evil_follow_height(e->follow))
        ask_blocks(w);
    else if (m.kind == KL_MESSAGE_COMPACT)
        evil_message(
            w, EVIL_BFT,
            &(kl_message){.kind = KL_MESSAGE_ASK_BODY, .hash = m.vote.subject.proposal.block_hash});
    else if (m.kind == KL_MESSAGE_CERTIFICATE)
        take_certificate(e, &m.certificate.subject);
    else
        return;
    try_lead(e, what);
}

/* --- the attacks --- */

/* Gas without end: JUMPDEST PUSH0 JUMP. */
static const u8 spins[] = {0x5b, 0x5f, 0x56};

/* The slowest thing that gas buys: ecrecover without end, of a key behind the code. */
#define ZEROS "\0\0\0\0\0\0\0\0"
#define HIGH  "\x79\xbe\x66\x7e\xf9\xdc\xbb\xac\x55\xa0\x62\x95\xce\x87\x0b\x07"
#define LOW   "\x02\x9b\xfc\xdb\x2d\xce\x28\xd9\x59\xf2\x81\x5b\x16\xf8\x17\x98"
static const char recovers[] = "\x60\x80\x60\x14\x5f\x39"                 /* CODECOPY(0, 20, 128) */
                               "\x5b\x5f\x5f\x60\x80\x5f\x60\x01\x5a\xfa" /* STATICCALL(gas, 1, … */
                               "\x50\x60\x06\x56"                         /* POP, and again */
    LOW HIGH ZEROS ZEROS ZEROS "\0\0\0\0\0\0\0\x1b" HIGH LOW HIGH LOW;

#define LEADS(name, ...)                                                                  \
    void evil_lead_##name(struct evil_wire *w, KL_UNUSED evil_class class, kl_span frame) \
    {                                                                                     \
        static const struct evil_block what = {__VA_ARGS__};                              \
        follow(w, frame, &what);                                                          \
    }

LEADS(gas, .code = {spins, sizeof spins})
LEADS(slow, .txs = 1, .code = {(const u8 *)recovers, sizeof recovers - 1})
LEADS(bytes, .bytes = 126 << 10)
LEADS(huge, .junk = HUGE - 4096)
LEADS(edge, .ahead_ms = EDGE_MS)
LEADS(ahead, .ahead_ms = HOUR_MS)
LEADS(never, .never = true)
LEADS(same, .behind = 1)
LEADS(behind, .behind = 2)
LEADS(apart, .off_s = 1)

/* A heap of what is to come, and for each engine a host that says yes to everything after a
 * millisecond.  What is broadcast is kept once, and counted for each who gets it. */
#include <stdlib.h>

#include "base/rand.h"
#include "cli/bench_figure.h"
#include "cli/bench_quorum.h"

#define MS            1000000ull
#define BLOCK_BODY_NS MS /* to execute, to make durable, to sign */

/* One way, in milliseconds, about half the round trips between regions of public clouds: Virginia,
 * Oregon, Ireland, Frankfurt, Tokyo, Singapore, Mumbai, São Paulo, Sydney, Montreal. */
static const u8 one_way_ms[KL_QUORUM_REGIONS_MAX][KL_QUORUM_REGIONS_MAX] = {
    {0, 32, 38, 45, 75, 108, 95, 58, 100, 8},    {32, 0, 66, 72, 52, 85, 110, 88, 70, 33},
    {38, 66, 0, 12, 105, 88, 61, 92, 130, 35},   {45, 72, 12, 0, 112, 80, 55, 102, 127, 45},
    {75, 52, 105, 112, 0, 35, 62, 130, 52, 72},  {108, 85, 88, 80, 35, 0, 30, 162, 46, 105},
    {95, 110, 61, 55, 62, 30, 0, 152, 75, 98},   {58, 88, 92, 102, 130, 162, 152, 0, 157, 62},
    {100, 70, 130, 127, 52, 46, 75, 157, 0, 98}, {8, 33, 35, 45, 72, 105, 98, 62, 98, 0},
};

typedef struct payload {
    u32 refs;
    kl_vote vote;
    kl_certificate certificate;
    u8 signatures[]; /* of the certificate */
} payload;

typedef struct item {
    u64 at_ns, order;
    u32 node, from;
    bool has_body;
    kl_bft_event event; /* without pointers */
    kl_proposal proposal;
    payload *payload; /* of votes and certificates; NULL */
} item;

typedef struct node {
    struct kl_simplex *engine;
    u64 timer_ns;
    bool has_body[KL_QUORUM_BLOCKS_MAX];
    u64 height;
} node;

struct net {
    kl_quorum_config config;
    kl_quorum_figures *out;
    kl_valset set;
    kl_validator validators[KL_VALIDATORS_MAX];
    kl_secret32 secrets[KL_VALIDATORS_MAX];
    kl_vote_domain domain;
    const kl_vote_scheme *secp, *bls;
    node *nodes;
    item *heap;
    usize count, cap;
    u64 rng, now_ns, order, done;
    u32 blocks;
    u64 proposed_ns[KL_QUORUM_BLOCKS_MAX], first_ns, last_ns;
    bool *notarized; /* by block and node */
    kl_bft_effect *effects;
    usize effects_cap;
    kl_status status;
};

static bool before(const item *a, const item *b)
{
    return a->at_ns != b->at_ns ? a->at_ns < b->at_ns : a->order < b->order;
}

static void release(payload *p)
{
    if (p && --p->refs == 0)
        free(p);
}

static void post(struct net *net, item what, u64 at_ns)
{
    if (net->count == net->cap) {
        usize cap = net->cap ? 2 * net->cap : 4096;
        item *heap = realloc(net->heap, cap * sizeof *heap);
        if (!heap) {
            net->status = KL_NOMEM;
            release(what.payload);
            return;
        }
        net->heap = heap;
        net->cap = cap;
    }
    what.at_ns = at_ns;
    what.order = net->order++;
    usize i = net->count++;
    for (; i && before(&what, &net->heap[(i - 1) / 2]); i = (i - 1) / 2)
        net->heap[i] = net->heap[(i - 1) / 2];
    net->heap[i] = what;
}

static item pop(struct net *net)
{
    item first = net->heap[0], last = net->heap[--net->count];
    usize i = 0, child;
    while ((child = 2 * i + 1) < net->count) {
        if (child + 1 < net->count && before(&net->heap[child + 1], &net->heap[child]))
            child++;
        if (!before(&net->heap[child], &last))
            break;
        net->heap[i] = net->heap[child];
        i = child;
    }
    if (net->count)
        net->heap[i] = last;
    return first;
}

/* Half a millisecond within a region; a tenth more or less. */
static u64 delay_ns(struct net *net, u32 from, u32 to)
{
    u32 a = from % net->config.regions, b = to % net->config.regions;
    u64 ns = a == b ? MS / 2 : one_way_ms[a][b] * MS;
    return ns - ns / 10 + kl_rand_below(&net->rng, ns / 5 + 1);
}

/* To one, or to all others; the payload's first reference is taken. */
static void send(struct net *net, u32 from, u32 to, item what)
{
    for (u32 i = 0; i < net->config.validators; i++) {
        if (i == from || (to != KL_BFT_ALL && to != i))
            continue;
        what.node = i;
        what.from = from;
        if (what.payload)
            what.payload->refs++;
        u64 ns = delay_ns(net, from, i);
        if (what.has_body) /* 1 Gbit/s, one receiver after the other */
            ns += net->config.body_bytes * 8 * (i + 1);
        post(net, what, net->now_ns + ns);
        net->out->messages++;
    }
    release(what.payload);
}

static void tally(struct net *net, u32 to, usize secp, usize bls)
{
    u64 receivers = to == KL_BFT_ALL ? net->config.validators - 1 : 1;
    net->out->bytes_secp += receivers * secp;
    net->out->bytes_bls += receivers * bls;
}

static usize vote_len(const kl_vote *vote, const kl_vote_scheme *scheme)
{
    kl_out counter = kl_out_counter();
    kl_vote_encode(&counter, vote, scheme);
    return counter.len;
}

static usize certificate_len(const kl_certificate *certificate, const kl_vote_scheme *scheme)
{
    static const u8 zeros[KL_CERTIFICATE_MAX];
    usize signers = 0;
    for (usize i = 0; i < sizeof certificate->signers; i++)
        signers += (usize)__builtin_popcount(certificate->signers[i]);
    kl_certificate as = *certificate;
    as.signatures = kl_span_of(zeros, KL_CERTIFICATE_ROOM(scheme, signers));
    kl_out counter = kl_out_counter();
    kl_certificate_encode(&counter, &as);
    return counter.len;
}

static payload *payload_new(struct net *net, usize signatures)
{
    payload *p = calloc(1, sizeof *p + signatures);
    if (!p)
        net->status = KL_NOMEM;
    else
        p->refs = 1;
    return p;
}

static u32 block_of(const kl_hash *hash)
{
    return kl_load_be32(hash->b);
}

static void send_vote(struct net *net, u32 from, const kl_bft_effect *effect)
{
    bool proposes = effect->kind == KL_BFT_SEND_PROPOSAL;
    payload *p = payload_new(net, 0);
    if (!p)
        return;
    p->vote = *effect->vote;
    if (proposes && net->proposed_ns[block_of(&p->vote.subject.proposal.block_hash)] == 0)
        net->proposed_ns[block_of(&p->vote.subject.proposal.block_hash)] = net->now_ns;
    tally(net, effect->peer, vote_len(&p->vote, net->secp), vote_len(&p->vote, net->bls));
    send(net, from, effect->peer,
         (item){.event.kind = KL_BFT_VOTE, .has_body = proposes, .payload = p});
}

static void send_certificate(struct net *net, u32 from, const kl_bft_effect *effect)
{
    const kl_certificate *c = effect->certificate;
    payload *p = payload_new(net, c->signatures.len);
    if (!p)
        return;
    p->certificate = *c;
    memcpy(p->signatures, c->signatures.p, c->signatures.len);
    p->certificate.signatures.p = p->signatures;
    tally(net, effect->peer, certificate_len(c, net->secp), certificate_len(c, net->bls));
    send(net, from, effect->peer, (item){.event.kind = KL_BFT_CERTIFICATE, .payload = p});
}

static void keep_latency(u32 *list, usize *count, u64 ns)
{
    list[(*count)++] = (u32)(ns / 1000);
}

/* A node learns that a block is notarized, or final. */
static void learns(struct net *net, u32 at, const kl_certificate *c)
{
    const kl_proposal *p = &c->subject.proposal;
    if (c->subject.kind == KL_VOTE_NULLIFY) {
        net->out->nullified += at == 0;
        return;
    }
    u32 id = block_of(&p->block_hash);
    bool *seen = &net->notarized[(usize)id * net->config.validators + at];
    if (c->subject.kind != KL_VOTE_NOTARIZE || *seen || p->height > net->config.blocks)
        return;
    *seen = true;
    net->out->notarized_us[(p->height - 1) * net->config.validators + at] =
        (u32)((net->now_ns - net->proposed_ns[id]) / 1000);
}

static void commits(struct net *net, u32 at, const kl_proposal *p)
{
    u32 id = block_of(&p->block_hash);
    if (p->height > net->config.blocks || p->height <= net->nodes[at].height)
        return;
    net->nodes[at].height = p->height;
    keep_latency(net->out->final_us, &net->out->latencies, net->now_ns - net->proposed_ns[id]);
    if (p->height == 1 && !net->first_ns)
        net->first_ns = net->now_ns;
    if (p->height == net->config.blocks) {
        net->done++;
        net->last_ns = net->last_ns ? net->last_ns : net->now_ns;
    }
}

static void carry_out(struct net *net, u32 at, const kl_bft_effect *e)
{
    item answer = {.node = at, .from = at, .proposal = e->proposal};
    answer.event.peer = KL_BFT_NO_PEER;
    u64 at_ns = net->now_ns + BLOCK_BODY_NS;
    switch (e->kind) {
    case KL_BFT_SEND_VOTE:
    case KL_BFT_SEND_PROPOSAL:
        send_vote(net, at, e);
        return;
    case KL_BFT_SEND_CERTIFICATE:
        send_certificate(net, at, e);
        return;
    case KL_BFT_PERSIST:
        learns(net, at, e->certificate);
        return;
    case KL_BFT_COMMIT:
        commits(net, at, &e->proposal);
        return;
    case KL_BFT_BARRIER:
        answer.event.kind = KL_BFT_PERSISTED;
        answer.event.token = e->token;
        break;
    case KL_BFT_SIGN: {
        answer.event.kind = KL_BFT_SIGNED;
        answer.payload = payload_new(net, 0);
        if (!answer.payload || !kl_vote_sign(&answer.payload->vote, &e->subject, at,
                                             net->set.scheme, &net->secrets[at], &net->domain))
            return;
        break;
    }
    case KL_BFT_BUILD:
        if (net->blocks == KL_QUORUM_BLOCKS_MAX)
            return;
        answer.event.kind = KL_BFT_BUILT;
        answer.event.view = e->proposal.view;
        kl_store_be32(answer.event.hash.b, net->blocks);
        net->nodes[at].has_body[net->blocks++] = true;
        break;
    case KL_BFT_EXECUTE:
        answer.event.kind = KL_BFT_EXECUTED;
        answer.event.view = e->proposal.view;
        answer.event.hash = e->proposal.block_hash;
        break;
    case KL_BFT_SET_TIMER:
        net->nodes[at].timer_ns = e->at_ns;
        if (e->at_ns == UINT64_MAX)
            return;
        answer.event.kind = KL_BFT_TIMER;
        at_ns = KL_MAX(e->at_ns, net->now_ns);
        break;
    case KL_BFT_FETCH_CERTIFICATES:
        answer.event.kind = KL_BFT_CERTIFICATE_REQUEST;
        answer.event.epoch = e->epoch;
        answer.event.from = e->from;
        answer.event.to = e->to;
        send(net, at, e->peer == KL_BFT_ALL ? (at + 1) % net->config.validators : e->peer, answer);
        return;
    case KL_BFT_SERVE_LOG:  /* what is asked for here is never older than the engine's ring */
    case KL_BFT_FETCH_BODY: /* it comes with its proposal */
    case KL_BFT_SYNC:
    case KL_BFT_EPOCH_DONE:
    case KL_BFT_FOUND:
    case KL_BFT_PENALIZE:
    case KL_BFT_KEY_IS_USED:
    case KL_BFT_FORKED:
    case KL_BFT_RESERVE: /* a disk takes no time here */
        return;
    }
    post(net, answer, at_ns);
}

static void step(struct net *net, u32 at, const kl_bft_event *event)
{
    kl_bft_effects out = {net->effects, 0, net->effects_cap};
    kl_simplex_step(net->nodes[at].engine, event, net->now_ns, &out);
    for (usize i = 0; i < out.count && net->status == KL_OK; i++)
        carry_out(net, at, &out.list[i]);
}

static void arrive(struct net *net, item *what)
{
    node *to = &net->nodes[what->node];
    kl_bft_event *event = &what->event;
    event->peer = what->from == what->node ? KL_BFT_NO_PEER : what->from;
    event->proposal = &what->proposal;
    if (what->payload) {
        event->vote = &what->payload->vote;
        event->certificate = &what->payload->certificate;
    }
    if (event->kind == KL_BFT_TIMER) {
        if (to->timer_ns != what->at_ns)
            return;
        to->timer_ns = UINT64_MAX;
    }
    if (event->kind == KL_BFT_EXECUTED)
        event->verdict = to->has_body[block_of(&event->hash)] ? KL_BFT_VALID : KL_BFT_UNAVAILABLE;
    if (what->has_body) {
        kl_hash hash = event->vote->subject.proposal.block_hash;
        to->has_body[block_of(&hash)] = true;
        kl_bft_event body = {.kind = KL_BFT_BODY, .peer = what->from, .hash = hash};
        step(net, what->node, &body);
    }
    step(net, what->node, event);
}

void kl_quorum_set(kl_valset *set, kl_validator *validators, kl_secret32 *secrets, u32 n,
                   const kl_vote_scheme *scheme)
{
    u64 state = 1;
    for (u32 i = 0; i < n; i++) {
        validators[i] = (kl_validator){.weight = 1};
        kl_store_be32(validators[i].operator.b, i + 1);
        kl_rand_fill(&state, secrets[i].b, sizeof secrets[i].b);
        secrets[i].b[0] &= 0x3f; /* below the order of every scheme's group */
        KL_ASSERT(scheme->public_key(validators[i].key, &secrets[i]));
    }
    KL_ASSERT(kl_valset_init(set, scheme, validators, n) == KL_RULE_NONE);
}

KL_MUST_USE static kl_status start(struct net *net)
{
    u32 n = net->config.validators;
    kl_quorum_set(&net->set, net->validators, net->secrets, n,
                  kl_vote_scheme_of(KL_SCHEME_KEYED_HASH, true));
    kl_simplex_config config = {.domain = net->domain,
                                .validators_max = n,
                                .window = KL_SIMPLEX_WINDOW_MIN,
                                .block_period_ns = net->config.block_period_ns,
                                .delta_ns = 1000 * MS,
                                .retry_ns = 2000 * MS,
                                .signing = true,
                                .epoch = {.set = &net->set, .last_height = UINT64_MAX}};
    net->blocks = 1; /* the anchor, whose hash is zeros */
    usize bytes = (kl_simplex_footprint(&config) + 63) / 64 * 64;
    usize cells = (usize)net->config.blocks * n;
    net->effects_cap = kl_simplex_effects_max(&config);
    net->effects = calloc(net->effects_cap, sizeof *net->effects);
    net->nodes = calloc(n, sizeof *net->nodes);
    net->notarized = calloc((usize)KL_QUORUM_BLOCKS_MAX * n, 1);
    net->out->notarized_us = calloc(cells, sizeof(u32));
    net->out->final_us = calloc(cells, sizeof(u32));
    if (!net->effects || !net->nodes || !net->notarized || !net->out->notarized_us ||
        !net->out->final_us)
        return KL_NOMEM;
    for (u32 i = 0; i < n; i++) {
        node *at = &net->nodes[i];
        void *room = aligned_alloc(64, bytes);
        if (!room)
            return KL_NOMEM;
        config.epoch.self = i;
        at->engine = kl_simplex_init(room, &config);
        at->has_body[0] = true;
        kl_bft_event event = {.kind = KL_BFT_START, .peer = KL_BFT_NO_PEER};
        step(net, i, &event);
    }
    return net->status;
}

kl_status kl_quorum_run(kl_quorum_figures *out, const kl_quorum_config *config)
{
    KL_ASSERT(config->validators && config->validators <= KL_VALIDATORS_MAX);
    KL_ASSERT(config->regions && config->regions <= KL_QUORUM_REGIONS_MAX);
    KL_ASSERT(config->blocks && config->blocks < KL_QUORUM_BLOCKS_MAX / 2);
    struct net *net = calloc(1, sizeof *net);
    if (!net)
        return KL_NOMEM;
    *out = (kl_quorum_figures){0};
    net->config = *config;
    net->out = out;
    net->rng = config->seed;
    net->domain.chain_id = 1;
    net->secp = kl_vote_scheme_of(KL_SCHEME_SECP256K1, false);
    net->bls = kl_vote_scheme_of(KL_SCHEME_BLS12_381, false);
    kl_status status = start(net);
    while (status == KL_OK && net->done < config->validators && net->count) {
        item what = pop(net);
        net->now_ns = what.at_ns;
        arrive(net, &what);
        release(what.payload);
        status = net->status;
    }
    if (status == KL_OK && net->done < config->validators)
        status = KL_UNSUPPORTED;
    out->blocks = config->blocks;
    out->span_ns = net->last_ns - net->first_ns;
    kl_sort_u32(out->notarized_us, (usize)config->blocks * config->validators);
    kl_sort_u32(out->final_us, out->latencies);
    for (usize i = 0; i < net->count; i++)
        release(net->heap[i].payload);
    for (u32 i = 0; net->nodes && i < config->validators; i++)
        free(net->nodes[i].engine);
    free(net->heap);
    free(net->nodes);
    free(net->notarized);
    free(net->effects);
    free(net);
    if (status != KL_OK)
        kl_quorum_done(out);
    return status;
}

void kl_quorum_done(kl_quorum_figures *figures)
{
    free(figures->notarized_us);
    free(figures->final_us);
    *figures = (kl_quorum_figures){0};
}

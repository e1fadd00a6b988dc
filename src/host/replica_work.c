/* Jobs of the execution lane that make tips: a block is executed because somebody proposed it, or
 * built because it is our turn.  A verdict is only what kl_chain_judge says of a body that is the
 * header's: a body whose lists its header does not bind says nothing about the block, only about
 * who sent it. */
#include <stdlib.h>

#include "host/replica_priv.h"

#define KEEP_BYTES ((usize)8 << 20)

/* What making a tip found out. */
struct found {
    kl_status status;
    kl_rule broken;
    bool no_body, no_parent, false_body;
    kl_body parts;             /* of body */
    struct replica_body *body; /* as read from the log, or as built; NULL: the candidate's own */
    struct replica_txs *txs;
};

struct judge_work {
    struct replica_work work;
    kl_hash hash;
    struct replica_who source;
    struct replica_body *body; /* NULL: it is in the log */
    struct found found;
};

static void found_done(struct found *found)
{
    replica_body_unref(found->body);
    replica_txs_unref(found->txs);
}

/* Statuses that say nothing about the disk: the same work may go well another time. */
static bool is_passing(kl_status status)
{
    return status == KL_CANCELED || status == KL_NOMEM || status == KL_LIMIT ||
           status == KL_TIMEOUT || status == KL_AGAIN || status == KL_NOTFOUND;
}

/* --- executing --- */

static kl_status load(struct judge_work *w, struct found *f)
{
    struct kl_replica *r = w->work.replica;
    kl_span bytes;
    kl_status status = kl_bft_log_find_body(r->log, &w->hash, &r->run_arena, &bytes);
    f->no_body = status == KL_NOTFOUND;
    if (status != KL_OK)
        return f->no_body ? KL_OK : status;
    f->body = replica_body_new(&w->hash, bytes);
    return f->body ? KL_OK : KL_NOMEM;
}

static kl_status judge_on(struct kl_replica *r, struct kl_tip *parent, kl_span bytes,
                          struct found *f)
{
    struct kl_tip *tip = NULL;
    KL_TRY(kl_chain_judge(r->chain, r->run, parent, bytes, &tip, &f->broken));
    if (f->broken != KL_RULE_NONE) {
        bool is;
        KL_TRY(replica_is_of_header(r, &f->parts, &is));
        f->false_body = !is;
        return KL_OK;
    }
    kl_status status = replica_txs_of(r, tip, &f->txs);
    if (status == KL_OK)
        status = replica_tip_add(r, tip);
    kl_tip_unref(tip);
    return status;
}

static kl_status judge(struct judge_work *w)
{
    struct kl_replica *r = w->work.replica;
    struct found *f = &w->found;
    if (!w->body)
        KL_TRY(load(w, f));
    if (f->no_body)
        return KL_OK;
    const struct replica_body *body = w->body ? w->body : f->body;
    kl_span bytes = kl_span_of(body->bytes, body->len);
    if (kl_body_decode(&f->parts, bytes) != KL_RULE_NONE || !kl_hash_eq(&f->parts.hash, &w->hash)) {
        f->no_body = true; /* nothing that the log should hold */
        return KL_OK;
    }
    struct kl_tip *tip = replica_tip(r, &w->hash);
    if (tip)
        return tip->record.len ? replica_txs_of(r, tip, &f->txs) : KL_OK;
    struct kl_tip *parent = replica_tip(r, &f->parts.header.parent_hash);
    f->no_parent = !parent;
    return parent ? judge_on(r, parent, bytes, f) : KL_OK;
}

static void judge_run(struct kl_job *job)
{
    struct judge_work *w = (struct judge_work *)job;
    kl_arena_reset(&w->work.replica->run_arena, KEEP_BYTES);
    w->found.status = judge(w);
}

static void judge_finish(struct replica_work *work)
{
    struct judge_work *w = (struct judge_work *)work;
    struct kl_replica *r = work->replica;
    struct found *f = &w->found;
    struct replica_candidate *c = replica_candidate_of(r, &w->hash);
    if (f->status != KL_OK && !is_passing(f->status))
        replica_fail(r, f->status, "a block could not be executed");
    if (!c)
        return; /* a block at its height is final */
    c->state = REPLICA_WAITS;
    if (f->body && !f->no_body) {
        replica_candidate_read(r, c, f->body, &f->parts);
        f->body = NULL;
    }
    if (f->status == KL_OK && f->false_body) {
        replica_candidate_unread(r, c);
        if (replica_is_there(r, w->source))
            r->config.net->penalize(r->config.net, w->source.peer, f->broken);
    } else if (f->status == KL_OK && f->broken != KL_RULE_NONE) {
        c->state = REPLICA_INVALID;
        replica_refused(r, c, f->broken);
    } else if (f->status == KL_OK && !f->no_body && !f->no_parent) {
        c->state = REPLICA_VALID;
        c->txs = f->txs;
        f->txs = NULL;
        r->branch_moved = true;
    }
    replica_candidate_answer(r, c);
}

static void judge_drop(struct replica_work *work)
{
    struct judge_work *w = (struct judge_work *)work;
    replica_body_unref(w->body);
    found_done(&w->found);
    free(w);
}

void replica_judge(struct kl_replica *r, struct replica_candidate *c)
{
    struct judge_work *w = calloc(1, sizeof *w);
    if (!w)
        return; /* it waits, and is asked for again */
    w->hash = c->hash;
    w->source = c->source;
    w->body = replica_body_ref(c->body);
    c->state = REPLICA_RUNNING;
    replica_give(r, KL_LANE_EXECUTION, &w->work, judge_run, judge_finish, judge_drop);
}

/* --- building --- */

struct build_work {
    struct replica_work work;
    struct kl_tx_source source;
    kl_proposal proposal;
    u64 time_ms;
    const kl_pool_tx **txs; /* referenced */
    kl_rule *fates;
    kl_hash *order; /* of those that are in the block; NULL: there was no memory */
    usize order_count;
    usize count, cap, at;
    struct found found;
};

#define CANDIDATES_MAX 100000u
#define GAS_OVERCOMMIT 4u /* transactions rarely use all the gas they ask for */

static struct build_work *of_source(struct kl_tx_source *source)
{
    return (struct build_work *)((char *)source - offsetof(struct build_work, source));
}

static const kl_tx *next(struct kl_tx_source *source, u64 gas_left)
{
    struct build_work *w = of_source(source);
    (void)gas_left;
    return w->at < w->count ? &w->txs[w->at]->tx : NULL;
}

static void settle(struct kl_tx_source *source, const kl_tx *tx, const kl_tx_result *result,
                   kl_rule broken)
{
    struct build_work *w = of_source(source);
    (void)tx;
    (void)result;
    w->fates[w->at++] = broken;
}

static void note_order(struct build_work *w, const struct kl_tip *tip)
{
    w->order = malloc((w->at + 1) * sizeof *w->order);
    for (usize i = 0; w->order && i < w->at; i++)
        if (w->fates[i] == KL_RULE_NONE)
            w->order[w->order_count++] = w->txs[i]->tx.hash;
    KL_ASSERT(!w->order || w->order_count == tip->tx_count);
}

static kl_status build_on(struct kl_replica *r, struct build_work *w, struct kl_tip *parent)
{
    struct found *f = &w->found;
    u8 proof[KL_RANDAO_PROOF_LEN];
    if (!kl_randao_sign(proof, r->scheme, &r->config.randao_secret, &r->domain, w->proposal.epoch,
                        w->proposal.view))
        return KL_DENIED;
    const kl_bft_plan bft = {
        .view = w->proposal.view, .time_ms = w->time_ms, .randao_proof = proof};
    const kl_build_plan plan = {
        .gas_limit = replica_gas_limit(r, &parent->header),
        .coinbase = r->config.coinbase,
        .tx_max = UINT64_MAX,
        .bft = &bft,
    };
    struct kl_tip *tip = NULL;
    struct kl_buf buf;
    KL_TRY(kl_chain_build(r->chain, r->run, parent, &plan, &w->source, &tip));
    kl_buf_init(&buf, KL_BODY_MAX);
    kl_body_of_tip(&buf, tip);
    kl_status status = buf.failed ? KL_NOMEM : replica_txs_of(r, tip, &f->txs);
    if (status == KL_OK)
        f->body = replica_body_new(&tip->hash, kl_buf_view(&buf));
    kl_buf_done(&buf);
    if (status == KL_OK && !f->body)
        status = KL_NOMEM;
    if (status == KL_OK) {
        kl_rule broken = kl_body_decode(&f->parts, kl_span_of(f->body->bytes, f->body->len));
        KL_ASSERT(broken == KL_RULE_NONE);
        note_order(w, tip);
        status = replica_tip_add(r, tip);
    }
    kl_tip_unref(tip);
    return status;
}

static void build_run(struct kl_job *job)
{
    struct build_work *w = (struct build_work *)job;
    struct kl_replica *r = w->work.replica;
    kl_chain_lag lag;
    kl_arena_reset(&r->run_arena, KEEP_BYTES);
    kl_chain_lag_of(r->chain, &lag);
    struct kl_tip *parent = replica_tip(r, &w->proposal.parent_hash);
    w->found.no_parent = !parent;
    if (!parent || lag.delta_bytes > REPLICA_LAG_BYTES)
        w->found.status = KL_AGAIN;
    else
        w->found.status = build_on(r, w, parent);
}

/* Refusals that may be different in a later block. */
static bool may_come_again(kl_rule rule)
{
    return rule == KL_RULE_BLOCK_GAS || rule == KL_RULE_BODY_SIZE ||
           rule == KL_RULE_TX_NONCE_HIGH || rule == KL_RULE_TX_NONCE_LOW ||
           rule == KL_RULE_TX_FEE_LOW || rule == KL_RULE_BLOCK_BLOB_GAS;
}

static void drop_refused(struct kl_replica *r, const struct build_work *w)
{
    for (usize i = 0; i < w->at; i++)
        if (w->fates[i] != KL_RULE_NONE && !may_come_again(w->fates[i]))
            (void)kl_pool_remove(r->pool, &w->txs[i]->tx.hash);
}

static bool take_built(struct kl_replica *r, struct build_work *w)
{
    struct found *f = &w->found;
    kl_proposal p = w->proposal;
    if (f->status != KL_OK)
        return false;
    drop_refused(r, w);
    p.block_hash = f->parts.hash;
    struct replica_candidate *c =
        r->head->header.number < p.height ? replica_candidate_for(r, &p) : NULL;
    if (!c)
        return false;
    replica_candidate_read(r, c, f->body, &f->parts);
    f->body = NULL;
    c->state = REPLICA_VALID;
    c->txs = f->txs;
    f->txs = NULL;
    free(c->order);
    c->order = w->order;
    c->order_count = w->order_count;
    w->order = NULL;
    r->branch_moved = true;
    return true;
}

static void build_finish(struct replica_work *work)
{
    struct build_work *w = (struct build_work *)work;
    struct kl_replica *r = work->replica;
    struct found *f = &w->found;
    if (f->status != KL_OK && !is_passing(f->status))
        replica_fail(r, f->status, "a block could not be built");
    bool built = take_built(r, w);
    if (w->proposal.epoch != r->epoch->number)
        return; /* nobody waits for it: views of epochs have the same numbers */
    if (f->no_parent && r->head->header.number < w->proposal.height)
        r->baseless_builds++;
    replica_tell(r, &(kl_bft_event){.kind = built ? KL_BFT_BUILT : KL_BFT_BUILD_FAILED,
                                    .peer = KL_BFT_NO_PEER,
                                    .view = w->proposal.view,
                                    .hash = f->parts.hash});
}

static void build_drop(struct replica_work *work)
{
    struct build_work *w = (struct build_work *)work;
    for (usize i = 0; i < w->count; i++)
        kl_pool_tx_unref(w->txs[i]);
    free(w->txs);
    free(w->fates);
    free(w->order);
    found_done(&w->found);
    free(w);
}

static bool is_in(const struct replica_txs *const *branch, usize count, const kl_hash *hash)
{
    for (usize i = 0; i < count; i++)
        if (replica_txs_have(branch[i], hash))
            return true;
    return false;
}

/* The pool's best that the parent and what lies below it down to the head do not hold. */
static kl_status offer(struct kl_replica *r, struct build_work *w)
{
    const struct replica_txs *branch[REPLICA_BRANCH_MAX];
    struct kl_pool_pick *pick;
    usize depth = replica_branch(r, &w->proposal.parent_hash, branch, KL_COUNT_OF(branch));
    u64 gas = 0, most = kl_mul_sat_u64(replica_gas_limit(r, &r->head->header), GAS_OVERCOMMIT);
    bool room = true;
    KL_TRY(kl_pool_pick_begin(r->pool, false, &pick));
    for (const kl_pool_tx *tx; room && w->count < CANDIDATES_MAX && gas < most &&
                               (tx = kl_pool_pick_next(pick, false)) != NULL;) {
        if (is_in(branch, depth, &tx->tx.hash))
            continue;
        void *list = (void *)w->txs;
        room = replica_grow(&list, w->count, &w->cap, sizeof *w->txs);
        w->txs = list;
        gas = kl_add_sat_u64(gas, tx->tx.gas_limit);
        if (room)
            w->txs[w->count++] = kl_pool_tx_ref(tx);
    }
    kl_pool_pick_end(pick);
    w->fates = malloc((w->count + 1) * sizeof *w->fates);
    return room && w->fates ? KL_OK : KL_NOMEM;
}

void replica_build(struct kl_replica *r, const kl_proposal *proposal)
{
    struct build_work *w = calloc(1, sizeof *w);
    kl_status status = w && r->broken == KL_OK ? KL_OK : KL_NOMEM;
    if (status == KL_OK) {
        w->source = (struct kl_tx_source){.next = next, .done = settle};
        w->proposal = *proposal;
        w->time_ms = kl_wall_ns(r->config.clock) / 1000000u;
        status = offer(r, w);
    }
    if (status == KL_OK) {
        replica_give(r, KL_LANE_EXECUTION, &w->work, build_run, build_finish, build_drop);
        return;
    }
    if (w)
        build_drop(&w->work);
    replica_tell(r, &(kl_bft_event){.kind = KL_BFT_BUILD_FAILED,
                                    .peer = KL_BFT_NO_PEER,
                                    .view = proposal->view});
}

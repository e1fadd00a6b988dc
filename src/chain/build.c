/* Building a block is running transactions until nothing more fits, and writing down what came of
 * it; the same run judges blocks from outside, so that what is built is what is judged. */
#include "chain/bft_priv.h"
#include "chain/difficulty.h"
#include "chain/rules.h"
#include "crypto/keccak.h"
#include "exec/fees.h"

#define HEADER_BYTES 1024u  /* more than any header takes of a block's bytes */
#define TX_GAS       21000u /* the least a transaction takes */
#define LOG_BYTE_GAS 8u     /* the least that a byte of a stored log costs [YP appendix H] */
#define TX_RECORD    256u   /* more than a transaction's sender, receipt and headers take */
/* More than a record has beside its block: consensus header, next validators, finalization. */
#define VOTES_BYTES (96u << 10)

struct build {
    struct kl_chain *chain;
    struct kl_run *run;
    const struct kl_tip *parent;
    const kl_build_plan *plan;
    struct kl_tx_source *source;
    kl_block block;
    usize tx_cap, tx_bytes;
    u64 record_bytes; /* of the ledger's record so far */
    kl_run_result result;
    bool voted; /* validators vote; what follows is filled */
    kl_build_plan plan_of_votes;
    kl_step_votes votes;
    kl_run_votes run_votes;
};

/* What follows from the parent where validators vote. */
static void plan_votes(struct build *b)
{
    const struct kl_tip *parent = b->parent;
    const kl_bft_parent above = {&parent->header, &parent->consensus, &parent->epoch->set};
    const kl_bft_plan *bft = b->plan->bft;
    kl_consensus_header *h = &b->votes.consensus;
    KL_ASSERT(bft && b->plan->withdrawal_count == 0);
    *h = kl_bft_header(&b->chain->spec, &above, bft);
    b->run_votes = kl_bft_run_votes(b->chain, parent, h);
    b->plan_of_votes = *b->plan;
    b->plan = &b->plan_of_votes;
    b->plan_of_votes.timestamp = h->time_ms / 1000;
    b->plan_of_votes.mix_hash = kl_randao_mix(&parent->header.mix_hash, h->randao_proof);
    memcpy(b->plan_of_votes.parent_beacon_root.b, parent->header.extra_data, sizeof(kl_hash));
    b->plan_of_votes.extra_data = KL_SPAN_NONE; /* known at the end */
}

/* The next set is known behind the last transaction, and extraData with it. */
static kl_status end_votes(struct build *b)
{
    kl_header *h = &b->block.header;
    kl_step_votes *votes = &b->votes;
    if (b->run_votes.asks) {
        votes->policy_failed = kl_authority_failed(&b->result.alarm);
        KL_TRY(kl_epoch_new(&votes->next, &b->chain->spec, b->parent->epoch->number + 1,
                            &b->result.next_set));
        votes->consensus.next_set_hash = votes->next->set.hash;
    }
    kl_hash hash = kl_consensus_header_hash(&votes->consensus);
    memcpy(h->extra_data, hash.b, sizeof hash.b);
    h->extra_len = sizeof hash.b;
    return KL_OK;
}

/* What is known of the header before anything runs. */
static void begin_header(struct build *b)
{
    const kl_spec *spec = &b->chain->spec;
    const kl_header *parent = &b->parent->header;
    const kl_build_plan *plan = b->plan;
    kl_header *h = &b->block.header;
    u64 number = parent->number + 1;
    kl_fork fork = kl_spec_fork(spec, number, plan->timestamp);
    *h = (kl_header){
        .parent_hash = b->parent->hash,
        .coinbase = plan->coinbase,
        .number = number,
        .gas_limit = plan->gas_limit,
        .timestamp = plan->timestamp,
        .extra_len = (u8)plan->extra_data.len,
        .tail = kl_header_tail(fork),
        .base_fee = plan->has_base_fee ? plan->base_fee
                                       : kl_base_fee_after(spec, parent, number, plan->timestamp),
        .excess_blob_gas = kl_excess_blob_gas_after(spec, parent, number, plan->timestamp),
        .parent_beacon_root = plan->parent_beacon_root,
    };
    KL_ASSERT(plan->extra_data.len <= KL_EXTRA_DATA_MAX);
    if (plan->extra_data.len)
        memcpy(h->extra_data, plan->extra_data.p, plan->extra_data.len);
    if (fork >= KL_PARIS)
        h->mix_hash = plan->mix_hash;
    else
        h->difficulty = kl_difficulty_after(parent, plan->timestamp, fork);
}

/* Keeps a copy of the fields of a transaction that is in; its bytes stay the source's. */
static kl_status keep(struct build *b, const kl_tx *tx)
{
    if (b->block.tx_count == b->tx_cap) {
        usize cap = b->tx_cap ? b->tx_cap * 2 : 64;
        kl_tx *txs = KL_TAKE(&b->chain->arena, kl_tx, cap);
        if (!txs)
            return KL_NOMEM;
        if (b->block.tx_count)
            memcpy(txs, b->block.txs, b->block.tx_count * sizeof *txs);
        b->block.txs = txs;
        b->tx_cap = cap;
    }
    b->block.txs[b->block.tx_count++] = *tx;
    b->tx_bytes += tx->raw.len;
    return KL_OK;
}

/* Does the block have room for tx, and the ledger's record for it and all it may log?  A block's
 * first always has: what it would need a block of its own for cannot be refused for ever. */
static bool has_room(const struct build *b, const kl_tx *tx, u64 gas_left)
{
    u64 logs = KL_MIN(tx->gas_limit, gas_left) / LOG_BYTE_GAS;
    return b->tx_bytes + tx->raw.len + HEADER_BYTES <= b->chain->spec.max_block_bytes &&
           (b->block.tx_count == 0 ||
            b->record_bytes + tx->raw.len + TX_RECORD + logs <=
                KL_SEGLOG_RECORD_MAX - HEADER_BYTES - (b->voted ? VOTES_BYTES : 0));
}

static u64 stored_bytes(const kl_receipt *receipt)
{
    kl_out counter = kl_out_counter();
    kl_receipt_store(&counter, receipt);
    return counter.len;
}

static kl_status run_txs(struct build *b)
{
    while (b->block.tx_count < b->plan->tx_max) {
        u64 gas_left = b->block.header.gas_limit - kl_exec_gas_used(kl_run_exec(b->run));
        const kl_tx *tx = gas_left < TX_GAS ? NULL : b->source->next(b->source, gas_left);
        if (!tx)
            return KL_OK;
        kl_tx_result result = {0};
        kl_rule broken = KL_RULE_BODY_SIZE;
        if (has_room(b, tx, gas_left))
            KL_TRY(kl_run_tx(b->run, tx, NULL, &result, &broken));
        if (broken == KL_RULE_NONE) {
            KL_TRY(keep(b, tx));
            b->record_bytes += tx->raw.len + TX_RECORD + stored_bytes(&result.receipt);
        }
        b->source->done(b->source, tx, &result, broken);
    }
    return KL_OK;
}

static kl_status end_header(struct build *b)
{
    kl_header *h = &b->block.header;
    struct kl_arena *arena = &b->chain->arena;
    h->ommers_hash = kl_keccak_empty_list;
    h->state_root = b->result.state_root;
    h->receipts_root = b->result.receipts_root;
    h->logs_bloom = b->result.bloom;
    h->gas_used = b->result.gas_used;
    h->blob_gas_used = b->result.blob_gas_used;
    h->requests_hash = b->result.requests_hash;
    KL_TRY(kl_transactions_root(&h->transactions_root, b->block.txs, b->block.tx_count, arena));
    KL_TRY(kl_withdrawals_root(&h->withdrawals_root, b->plan->withdrawals,
                               b->plan->withdrawal_count, arena));
    b->block.withdrawals = b->plan->withdrawals;
    b->block.withdrawal_count = b->plan->withdrawal_count;
    b->block.has_withdrawals = h->tail >= 2;
    if (b->voted)
        KL_TRY(end_votes(b));
    b->block.hash = kl_header_hash(h);
    return KL_OK;
}

static kl_status run_block(struct build *b, struct kl_view *view, struct kl_delta_builder *builder)
{
    struct kl_view_hashes hashes;
    kl_view_hashes_init(&hashes, view);
    const kl_run_base base = {
        .spec = &b->chain->spec,
        .header = &b->block.header,
        .view = view,
        .hashes = &hashes.hashes,
        .workers = b->chain->workers,
        .votes = b->voted ? &b->run_votes : NULL,
    };
    const kl_run_tail tail = {
        .withdrawals = b->plan->withdrawals,
        .withdrawal_count = b->plan->withdrawal_count,
        .builder = builder,
        .keep_preimages = b->chain->keep_preimages,
    };
    kl_rule broken;
    KL_TRY(kl_run_begin(b->run, &base));
    KL_TRY(run_txs(b));
    KL_TRY(kl_run_end(b->run, &tail, &b->result, &broken));
    /* Only a genesis without the system contracts its fork needs breaks a rule here. */
    return broken == KL_RULE_NONE ? end_header(b) : KL_UNSUPPORTED;
}

kl_status kl_chain_build(struct kl_chain *chain, struct kl_run *run, struct kl_tip *parent,
                         const kl_build_plan *plan, struct kl_tx_source *source,
                         struct kl_tip **out)
{
    struct build b = {.chain = chain,
                      .run = run,
                      .parent = parent,
                      .plan = plan,
                      .source = source,
                      .voted = kl_chain_votes(chain)};
    struct kl_view *view;
    struct kl_delta_builder *builder;
    kl_arena_reset(&chain->arena, KL_STEP_KEEP);
    if (b.voted)
        plan_votes(&b);
    begin_header(&b);
    KL_TRY(kl_chain_view(chain, parent, &view));
    kl_status status = kl_delta_begin(&builder, parent->delta, parent->version + 1);
    if (status == KL_OK) {
        status = run_block(&b, view, builder);
        if (status == KL_OK)
            status = kl_step_seal_block(parent, builder, &b.block, b.result.receipts,
                                        b.voted ? &b.votes : NULL, out);
        else
            kl_delta_drop(builder);
    }
    kl_epoch_unref(b.votes.next);
    kl_view_close(view);
    return status;
}

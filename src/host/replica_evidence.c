/* Two votes of a validator that exclude each other go on chain, once [Simplex R13]: a transaction
 * of our operator's to the validator contract, which judges both votes itself.
 *
 * Every node hears of the evidence.  They take turns by their distance from who has signed it, two
 * blocks each, and whoever's turn it is first asks the contract on the newest state: when the call
 * would fail, somebody has reported it already, or it is out of date. */
#include <stdlib.h>

#include "chain/authority.h"
#include "crypto/address.h"
#include "exec/fees.h"
#include "host/replica_priv.h"

#define TURN_BLOCKS   2u
#define TRIES_MAX     5u
#define CALL_GAS      8000000u
#define PRIORITY_FEE  1000000000u
#define REPORT_MEMORY ((usize)1 << 20)

struct report_work {
    struct replica_work work;
    struct kl_arena arena;
    kl_evidence evidence;
    kl_tx tx; /* without gas limit and signature until the contract has been asked */
    kl_status status;
    bool wanted; /* the contract would take it: tx is signed */
};

static bool is_same(const kl_evidence *a, const kl_evidence *b)
{
    return a->first.signer == b->first.signer &&
           a->first.subject.proposal.epoch == b->first.subject.proposal.epoch;
}

static struct replica_report *find(struct kl_replica *r, const kl_evidence *evidence)
{
    for (usize i = 0; i < r->report_count; i++)
        if (is_same(&r->reports[i].evidence, evidence))
            return &r->reports[i];
    return NULL;
}

static void forget(struct kl_replica *r, struct replica_report *report)
{
    *report = r->reports[--r->report_count];
}

void replica_report_add(struct kl_replica *r, const kl_evidence *evidence)
{
    static const kl_address none;
    bool has_contract = !kl_address_eq(&kl_chain_spec(r->chain)->bft.policy, &none);
    if (!r->config.has_operator || !has_contract || r->self == KL_BFT_NOBODY || find(r, evidence) ||
        r->report_count == REPLICA_REPORTS_MAX)
        return;
    u32 count = r->epoch->set.count;
    u32 turn = (r->self + count - evidence->first.signer % count) % count;
    r->reports[r->report_count++] = (struct replica_report){
        .evidence = *evidence,
        .due_height = r->head->header.number + (u64)TURN_BLOCKS * turn,
    };
    replica_reports_due(r);
}

/* --- on the execution lane --- */

/* The set that the evidence's signer has a place in. */
static kl_status set_of(struct kl_replica *r, struct report_work *w, const struct kl_tip *head,
                        kl_valset *out)
{
    u64 epoch = w->evidence.first.subject.proposal.epoch;
    struct kl_reader *reader;
    kl_span bytes;
    kl_rule broken = KL_RULE_NONE;
    if (epoch == head->epoch->number) {
        *out = head->epoch->set;
        return KL_OK;
    }
    KL_TRY(kl_reader_open(r->chain, &reader));
    kl_status status = kl_reader_validators(reader, epoch, &w->arena, &bytes);
    kl_reader_close(reader);
    KL_TRY(status);
    KL_TRY(kl_valset_decode(out, bytes, true, &w->arena, &broken));
    return broken == KL_RULE_NONE ? KL_OK : KL_CORRUPT;
}

static kl_status write_calldata(struct report_work *w, const kl_valset *set)
{
    kl_out counter = kl_out_counter();
    kl_authority_put_report(&counter, &w->evidence, set);
    u8 *room = kl_arena_take(&w->arena, counter.len, 1);
    if (!room)
        return KL_NOMEM;
    kl_out to = kl_out_of(room, counter.len);
    kl_authority_put_report(&to, &w->evidence, set);
    w->tx.data = kl_out_done(&to);
    return KL_OK;
}

/* What the contract would make of the transaction in the next block. */
static kl_status ask(struct kl_replica *r, struct report_work *w, struct kl_view *view,
                     const kl_header *next, bool *good)
{
    struct kl_view_reader reader;
    struct kl_view_hashes hashes;
    kl_tx_result result;
    kl_rule broken;
    kl_view_reader_init(&reader, view);
    kl_view_hashes_init(&hashes, view);
    const kl_exec_block block = {
        .spec = kl_chain_spec(r->chain),
        .header = next,
        .reader = &reader.reader,
        .hashes = &hashes.hashes,
    };
    const kl_call call = {.tx = &w->tx, .free = true};
    KL_TRY(kl_exec_enter(r->exec, &block));
    KL_TRY(kl_exec_call(r->exec, &call, NULL, &result, &broken));
    *good = broken == KL_RULE_NONE && result.halt == KL_HALT_NONE;
    w->tx.gas_limit = result.gas_used + result.gas_used / 4 + 100000;
    return KL_OK;
}

static kl_status prepare(struct kl_replica *r, struct report_work *w, const struct kl_tip *head)
{
    kl_valset set;
    struct kl_view *view;
    kl_header next = head->header;
    bool good;
    next.number++;
    next.base_fee =
        kl_base_fee_after(kl_chain_spec(r->chain), &head->header, next.number, next.timestamp);
    KL_TRY(set_of(r, w, head, &set));
    KL_TRY(write_calldata(w, &set));
    KL_TRY(kl_chain_view(r->chain, head, &view));
    kl_status status = ask(r, w, view, &next, &good);
    kl_view_close(view);
    if (status != KL_OK || !good)
        return status;
    w->tx.max_priority_fee = kl_u256_of(PRIORITY_FEE);
    w->tx.max_fee = kl_u256_add(kl_u256_add(next.base_fee, next.base_fee), w->tx.max_priority_fee);
    KL_TRY(kl_tx_sign(&w->tx, &r->config.operator_secret, &w->arena));
    w->wanted = true;
    return KL_OK;
}

static void report_run(struct kl_job *job)
{
    struct report_work *w = (struct report_work *)job;
    struct kl_replica *r = w->work.replica;
    struct kl_tip *head = kl_chain_head(r->chain);
    w->status = prepare(r, w, head);
    kl_tip_unref(head);
}

/* --- on the replica's thread --- */

/* Sends it; it is looked at again when everybody has had a turn, for it may be lost. */
static void report_finish(struct replica_work *work)
{
    struct report_work *w = (struct report_work *)work;
    struct kl_replica *r = work->replica;
    struct replica_report *report = find(r, &w->evidence);
    kl_rule broken = KL_RULE_NONE;
    r->reporting = false;
    if (!report)
        return;
    if (w->status == KL_OK && !w->wanted) {
        forget(r, report);
    } else {
        report->due_height = r->head->header.number + (u64)TURN_BLOCKS * (r->epoch->set.count + 1);
        if (++report->tries == TRIES_MAX)
            forget(r, report);
    }
    /* What keeps it out of the pool now, funds perhaps, may be another in a while. */
    if (w->wanted && r->broken == KL_OK)
        (void)!kl_replica_submit(r, &w->tx, true, &broken);
}

static void report_drop(struct replica_work *work)
{
    struct report_work *w = (struct report_work *)work;
    kl_arena_done(&w->arena);
    free(w);
}

static void give(struct kl_replica *r, const struct replica_report *report)
{
    kl_pool_facts facts;
    kl_pubkey pubkey;
    struct report_work *w = calloc(1, sizeof *w);
    if (!w)
        return;
    kl_arena_init(&w->arena, REPORT_MEMORY);
    w->evidence = report->evidence;
    bool good = kl_secp256k1_pubkey(&pubkey, &r->config.operator_secret);
    w->tx = (kl_tx){
        .type = KL_TX_DYNAMIC_FEE,
        .has_to = true,
        .replay_safe = true,
        .has_sender = true,
        .chain_id = kl_chain_spec(r->chain)->chain_id,
        .gas_limit = CALL_GAS,
        .to = kl_chain_spec(r->chain)->bft.policy,
    };
    if (good)
        w->tx.sender = kl_address_of_pubkey(&pubkey);
    if (!good || replica_facts_of(r, &w->tx.sender, &facts) != KL_OK) {
        report_drop(&w->work);
        return;
    }
    w->tx.nonce = kl_pool_next_nonce(r->pool, &w->tx.sender, facts.nonce);
    r->reporting = true;
    replica_give(r, KL_LANE_EXECUTION, &w->work, report_run, report_finish, report_drop);
}

void replica_reports_due(struct kl_replica *r)
{
    if (r->broken != KL_OK || r->reporting)
        return;
    for (usize i = 0; i < r->report_count; i++)
        if (r->reports[i].due_height <= r->head->header.number) {
            give(r, &r->reports[i]);
            return;
        }
}

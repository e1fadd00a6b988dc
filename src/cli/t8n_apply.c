/* t8n_apply: the block on a state in memory.  Rewards are what the caller says, not what the fork
 * pays, so they are paid here; all else is what a node does. */
#include <errno.h>
#include <stdlib.h>

#include "chain/rules.h"
#include "chain/run.h"
#include "cli/t8n.h"
#include "cli/world.h"
#include "codec/hex.h"
#include "exec/fees.h"
#include "rpc/rule_text.h"
#include "state/commit.h"

#define MEMORY_MAX ((usize)4 << 30)

/* The hashes that env gives, and the first block it was asked for in vain. */
struct hashes {
    struct kl_block_hashes base;
    const kl_t8n_env *env;
    bool missing;
    u64 wanted;
};

struct kl_t8n_machine {
    struct kl_world *world;
    struct kl_exec *exec;
    struct kl_run *run;
    struct kl_arena arena;
    struct kl_delta *before, *after;
    struct kl_view *from, *to; /* views of them */
    struct hashes hashes;
};

/* The block under way. */
struct job {
    struct kl_t8n_machine *m;
    const kl_t8n_input *in;
    const kl_t8n_trace *trace;
    struct kl_t8n_fault *fault;
    usize tried; /* transactions that reached the machine */
    u64 blob_gas;
    kl_t8n_receipt *receipts;
    usize receipt_count;
    kl_t8n_rejected *rejected;
    usize rejected_count;
};

static kl_status hash_of(struct kl_block_hashes *base, u64 number, kl_hash *out)
{
    struct hashes *hashes = (struct hashes *)base;
    *out = (kl_hash){0};
    for (usize i = 0; i < hashes->env->hash_count; i++)
        if (hashes->env->hashes[i].number == number) {
            *out = hashes->env->hashes[i].hash;
            return KL_OK;
        }
    hashes->missing = true;
    hashes->wanted = number;
    return KL_OK;
}

kl_status kl_t8n_machine_new(struct kl_t8n_machine **out)
{
    struct kl_t8n_machine *m = calloc(1, sizeof *m);
    if (!m)
        return KL_NOMEM;
    kl_arena_init(&m->arena, MEMORY_MAX);
    kl_exec_config config = {
        .evm_memory_limit = (usize)2 << 30, .journal_memory_limit = (usize)2 << 30, .seed = 1};
    kl_status status = kl_world_new(&m->world);
    if (status == KL_OK)
        status = kl_exec_new(&m->exec, &config);
    if (status == KL_OK)
        status = kl_run_new(&m->run, m->exec);
    if (status != KL_OK) {
        kl_t8n_machine_free(m);
        return status;
    }
    *out = m;
    return KL_OK;
}

void kl_t8n_machine_free(struct kl_t8n_machine *m)
{
    if (!m)
        return;
    kl_view_close(m->to);
    kl_view_close(m->from);
    kl_delta_unref(m->after);
    kl_delta_unref(m->before);
    kl_run_free(m->run);
    kl_exec_free(m->exec);
    kl_world_free(m->world);
    kl_arena_done(&m->arena);
    free(m);
}

/* Takes the text, or says that there is no room for it. */
static bool reject(struct job *job, usize index, const char *why)
{
    usize len = strlen(why) + 1;
    char *text = KL_TAKE(&job->m->arena, char, len);
    if (!text)
        return kl_t8n_done(job->fault, KL_NOMEM, "txs");
    memcpy(text, why, len);
    job->rejected[job->rejected_count++] = (kl_t8n_rejected){.index = index, .why = text};
    return true;
}

/* geth's words for what it sees before it looks at the state; "" when there is nothing. */
static void judge_early(const struct job *job, const kl_t8n_tx *entry, char out[KL_RULE_TEXT_MAX])
{
    const kl_t8n_env *env = &job->in->env;
    out[0] = '\0';
    if (entry->broken != KL_RULE_NONE) {
        (void)snprintf(out, KL_RULE_TEXT_MAX, "%s", kl_rule_text(entry->broken));
    } else if (entry->tx.type == KL_TX_BLOB) {
        u64 max = (u64)kl_spec_blobs(&job->in->spec, env->fork).max * KL_T8N_BLOB_GAS;
        u64 used = job->blob_gas + entry->tx.blob_count * KL_T8N_BLOB_GAS;
        if (!env->has_excess)
            (void)snprintf(out, KL_RULE_TEXT_MAX,
                           "blob tx used but field env.ExcessBlobGas missing");
        else if (used > max)
            (void)snprintf(out, KL_RULE_TEXT_MAX,
                           "blob gas (%llu) would exceed maximum allowance %llu",
                           (unsigned long long)used, (unsigned long long)max);
    }
}

/* Why the machine refused it. */
static bool reject_by_rule(struct job *job, usize index, const kl_tx *tx, kl_rule broken)
{
    char why[KL_RULE_TEXT_MAX];
    kl_jaccount *sender;
    kl_status status = kl_journal_account(kl_exec_journal(job->m->exec), &tx->sender, &sender);
    kl_span code = KL_SPAN_NONE;
    if (status == KL_OK)
        status = kl_journal_code(kl_exec_journal(job->m->exec), sender, &code);
    if (!kl_t8n_done(job->fault, status, "state"))
        return false;
    const kl_t8n_env *env = &job->in->env;
    u64 fraction = kl_spec_blobs(&job->in->spec, env->fork).update_fraction;
    const kl_tx_facts facts = {
        .tx = tx,
        .fork = env->fork,
        .chain_id = job->in->spec.chain_id,
        .nonce = sender->now.nonce,
        .balance = sender->now.balance,
        .base_fee = env->header.base_fee,
        .blob_fee = kl_blob_base_fee(env->header.excess_blob_gas, fraction),
        .code_len = code.len,
    };
    kl_rule_text_run(why, &facts, broken);
    return reject(job, index, why);
}

static FILE *open_trace(const struct job *job, const kl_tx *tx)
{
    char digits[65], path[4096];
    kl_hex_digits(digits, kl_hash_span(&tx->hash));
    digits[64] = '\0';
    int len = snprintf(path, sizeof path, "%s%strace-%zu-0x%s.jsonl", job->trace->dir,
                       *job->trace->dir ? "/" : "", job->tried, digits);
    FILE *file = len > 0 && (usize)len < sizeof path ? fopen(path, "wb") : NULL;
    if (!file)
        (void)kl_t8n_blame(job->fault, KL_T8N_IO, "failed creating trace-file: %s: %s", path,
                           strerror(errno));
    return file;
}

/* Runs it, with a trace when one is wanted. */
static bool run_tx(struct job *job, const kl_tx *tx, kl_tx_result *result, kl_rule *broken)
{
    struct kl_run *run = job->m->run;
    if (!job->trace->on)
        return kl_t8n_done(job->fault, kl_run_tx(run, tx, NULL, result, broken), "transaction");
    struct kl_trace_json trace;
    FILE *file = open_trace(job, tx);
    if (!file)
        return false;
    kl_trace_json_init(&trace, file, job->trace->options);
    kl_status status = kl_run_tx(run, tx, &trace.tracer, result, broken);
    kl_trace_json_done(&trace);
    if (fclose(file) != 0)
        return kl_t8n_blame(job->fault, KL_T8N_IO, "failed writing trace-file: %s",
                            strerror(errno));
    return kl_t8n_done(job->fault, status, "transaction");
}

static bool try_tx(struct job *job, usize index, const kl_t8n_tx *entry)
{
    char why[KL_RULE_TEXT_MAX];
    kl_tx_result result;
    kl_rule broken;
    const kl_tx *tx = &entry->tx;
    judge_early(job, entry, why);
    if (why[0])
        return reject(job, index, why);
    if (!run_tx(job, tx, &result, &broken))
        return false;
    job->tried++;
    if (broken == KL_RULE_BLOCK_DEPOSIT) /* the block is bad, as a whole */
        return kl_t8n_blame(job->fault, KL_T8N_EVM, "could not process requests: %s",
                            kl_rule_text(broken));
    if (broken != KL_RULE_NONE)
        return reject_by_rule(job, index, tx, broken);
    const struct hashes *hashes = &job->m->hashes;
    if (hashes->missing)
        return kl_t8n_blame(job->fault, KL_T8N_BLOCK_HASH, "getHash(%llu) invoked, %s",
                            (unsigned long long)hashes->wanted,
                            job->in->env.has_hashes ? "blockhash for that block not provided"
                                                    : "no blockhashes provided");
    job->blob_gas += tx->blob_count * KL_T8N_BLOB_GAS;
    job->receipts[job->receipt_count++] =
        (kl_t8n_receipt){.tx = tx,
                         .receipt = result.receipt,
                         .contract = tx->has_to ? (kl_address){{0}} : result.contract};
    return true;
}

static kl_status credit(struct kl_journal *journal, const kl_address *address, kl_u256 amount)
{
    kl_jaccount *account;
    KL_TRY(kl_journal_account(journal, address, &account));
    kl_journal_set_balance(journal, account, kl_u256_add(account->now.balance, amount));
    return KL_OK;
}

/* The reward as said, an eighth less for an ommer's maker for each block of age, and a 32nd more
 * for the block's for each ommer [YP section 11.3]; withdrawals [EIP-4895]. */
static kl_status pay(struct job *job)
{
    const kl_t8n_input *in = job->in;
    const kl_t8n_env *env = &in->env;
    struct kl_journal *journal = kl_exec_journal(job->m->exec);
    kl_journal_begin_tx(journal);
    if (in->reward >= 0) {
        kl_u256 reward = kl_u256_of((u64)in->reward), sum = reward;
        for (usize i = 0; i < env->ommer_count; i++) {
            kl_u256 eighths = kl_u256_of(8 - env->ommers[i].delta);
            sum = kl_u256_add(sum, kl_u256_shr(reward, 5));
            KL_TRY(credit(journal, &env->ommers[i].address,
                          kl_u256_shr(kl_u256_mul(reward, eighths), 3)));
        }
        KL_TRY(credit(journal, &env->header.coinbase, sum));
    }
    for (usize i = 0; i < env->withdrawal_count; i++) {
        kl_u256 gwei = kl_u256_of(env->withdrawals[i].amount);
        KL_TRY(credit(journal, &env->withdrawals[i].address,
                      kl_u256_mul(gwei, kl_u256_of(1000000000))));
    }
    return kl_journal_end_tx(journal, env->fork >= KL_SPURIOUS);
}

/* Everything of a block behind its transactions. */
static bool finish(struct job *job, kl_t8n_result *out)
{
    kl_exec_outcome outcome = {0};
    kl_rule broken = KL_RULE_NONE;
    if (!kl_t8n_done(job->fault, pay(job), "rewards"))
        return false;
    if (job->in->env.fork >= KL_PARIS) {
        kl_status status = kl_exec_end(job->m->exec, NULL, 0, NULL, 0, &outcome, &broken);
        if (!kl_t8n_done(job->fault, status, "requests"))
            return false;
    }
    if (broken != KL_RULE_NONE)
        return kl_t8n_blame(job->fault, KL_T8N_EVM, "could not process requests: %s",
                            kl_rule_text(broken));
    out->requests = outcome.requests;
    out->request_count = outcome.request_count;
    out->requests_hash = outcome.requests_hash;
    return true;
}

static kl_status commit(struct kl_t8n_machine *m, kl_t8n_result *out)
{
    struct kl_delta_builder *builder;
    KL_TRY(kl_delta_begin(&builder, m->before, kl_delta_version(m->before) + 1));
    kl_status status = kl_state_commit(kl_exec_journal(m->exec), m->from, builder, true,
                                       &out->state_root, &m->arena, NULL);
    if (status != KL_OK) {
        kl_delta_drop(builder);
        return status;
    }
    KL_TRY(kl_delta_seal(builder, &m->after));
    KL_TRY(kl_world_view(m->world, m->after, &m->to));
    out->after = m->to;
    return KL_OK;
}

/* All logs of the block, one behind the other. */
static kl_status hash_logs(const struct job *job, kl_hash *out)
{
    usize count = 0, at = 0;
    for (usize i = 0; i < job->receipt_count; i++)
        count += job->receipts[i].receipt.log_count;
    kl_log_entry *all = KL_TAKE(&job->m->arena, kl_log_entry, count + 1);
    if (!all)
        return KL_NOMEM;
    for (usize i = 0; i < job->receipt_count; i++)
        for (usize k = 0; k < job->receipts[i].receipt.log_count; k++)
            all[at++] = job->receipts[i].receipt.logs[k];
    *out = kl_logs_hash(all, count);
    return KL_OK;
}

/* Roots, sums and hashes over what was included. */
static kl_status sum_up(const struct job *job, kl_t8n_result *out)
{
    struct kl_arena *arena = &job->m->arena;
    usize count = job->receipt_count;
    kl_tx *txs = KL_TAKE(arena, kl_tx, count + 1);
    kl_receipt *receipts = KL_TAKE(arena, kl_receipt, count + 1);
    if (!txs || !receipts)
        return KL_NOMEM;
    for (usize i = 0; i < count; i++) {
        txs[i] = *job->receipts[i].tx;
        receipts[i] = job->receipts[i].receipt;
        kl_bloom_merge(&out->bloom, &receipts[i].bloom);
    }
    KL_TRY(kl_transactions_root(&out->transactions_root, txs, count, arena));
    KL_TRY(kl_receipts_root(&out->receipts_root, receipts, count, arena));
    KL_TRY(hash_logs(job, &out->logs_hash));
    const kl_t8n_env *env = &job->in->env;
    if (env->has_withdrawals)
        KL_TRY(kl_withdrawals_root(&out->withdrawals_root, env->withdrawals, env->withdrawal_count,
                                   arena));
    out->gas_used = kl_exec_gas_used(job->m->exec);
    out->blob_gas_used = job->blob_gas;
    out->receipts = job->receipts;
    out->receipt_count = count;
    out->rejected = job->rejected;
    out->rejected_count = job->rejected_count;
    return KL_OK;
}

/* The state before, and room for what comes of the transactions. */
static kl_status prepare(struct job *job)
{
    struct kl_t8n_machine *m = job->m;
    const kl_t8n_input *in = job->in;
    kl_hash root;
    job->receipts = KL_TAKE(&m->arena, kl_t8n_receipt, in->txs.count + 1);
    job->rejected = KL_TAKE(&m->arena, kl_t8n_rejected, in->txs.count + 1);
    if (!job->receipts || !job->rejected)
        return KL_NOMEM;
    KL_TRY(
        kl_world_genesis(m->world, in->alloc, in->alloc_count, true, &m->arena, &m->before, &root));
    KL_TRY(kl_world_view(m->world, m->before, &m->from));
    m->hashes = (struct hashes){.base.get = hash_of, .env = &in->env};
    kl_run_base base = {
        .spec = &in->spec, .header = &in->env.header, .view = m->from, .hashes = &m->hashes.base};
    return kl_run_begin(m->run, &base);
}

bool kl_t8n_apply(struct kl_t8n_machine *machine, const kl_t8n_input *input,
                  const kl_t8n_trace *trace, kl_t8n_result *out, struct kl_t8n_fault *fault)
{
    struct job job = {.m = machine, .in = input, .trace = trace, .fault = fault};
    kl_t8n_result got = {0};
    if (!kl_t8n_done(fault, prepare(&job), "pre-state"))
        return false;
    for (usize i = 0; i < input->txs.count; i++)
        if (!try_tx(&job, i, &input->txs.tx[i]))
            return false;
    if (!finish(&job, &got) || !kl_t8n_done(fault, commit(machine, &got), "state") ||
        !kl_t8n_done(fault, sum_up(&job, &got), "result"))
        return false;
    *out = got;
    return true;
}

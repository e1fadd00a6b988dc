/* tx: applies one transaction [YP section 6.2].
 *
 *     judge -> buy gas, bump the nonce -> warm what is named -> authorizations -> run ->
 *     refund, floor -> give back, pay the coinbase -> receipt
 *
 * Everything before the run survives a failing run.  After a status the journal is in the middle of
 * a transaction and the block is lost: only a new begin is allowed. */
#include "crypto/address.h"
#include "crypto/keccak.h"
#include "evm/gas.h"
#include "exec/exec_priv.h"

/* One transaction on its way. */
struct apply {
    const kl_tx *tx;
    struct apply_mode mode;
    kl_jaccount *sender;
    u64 intrinsic, floor;
    kl_u256 price; /* per gas, what the sender pays */
    u64 refund;    /* for authorizations */
    kl_address to;
    kl_evm_result run;
};

static void buy_gas(struct kl_exec *exec, struct apply *a)
{
    kl_u256 cost = kl_u256_mul(kl_u256_of(a->tx->gas_limit), a->price);
    kl_u256 blobs =
        kl_u256_mul(kl_u256_of(a->tx->blob_count * KL_BLOB_GAS), exec->block.blob_base_fee);
    kl_u256 left = kl_u256_sub(kl_u256_sub(a->sender->now.balance, cost), blobs);
    kl_journal_set_balance(exec->journal, a->sender, left);
}

static kl_status warm_address(struct kl_exec *exec, const kl_address *address,
                              kl_jaccount **account)
{
    KL_TRY(kl_journal_account(exec->journal, address, account));
    kl_journal_warm(exec->journal, *account);
    return KL_OK;
}

/* [EIP-2929, EIP-2930, EIP-3651]; precompiles are warm by themselves, see host.c. */
static kl_status warm_named(struct kl_exec *exec, struct apply *a)
{
    kl_jaccount *account;
    if (exec->block.fork < KL_BERLIN)
        return KL_OK;
    kl_journal_warm(exec->journal, a->sender);
    KL_TRY(warm_address(exec, &a->to, &account));
    if (exec->block.fork >= KL_SHANGHAI)
        KL_TRY(warm_address(exec, &exec->block.coinbase, &account));
    for (usize i = 0; i < a->tx->access_count; i++) {
        const kl_access *access = &a->tx->access_list[i];
        KL_TRY(warm_address(exec, &access->address, &account));
        for (usize k = 0; k < access->slot_count; k++) {
            kl_u256 key = kl_u256_from_hash(&access->slots[k]);
            kl_jslot *slot;
            bool cold;
            KL_TRY(kl_journal_slot(exec->journal, account, &key, &slot, &cold));
        }
    }
    return KL_OK;
}

/* Whom the called account delegates to is warm as well [EIP-7702]. */
static kl_status warm_delegate(struct kl_exec *exec, const struct apply *a)
{
    kl_jaccount *account;
    kl_span code;
    kl_address target;
    if (exec->block.fork < KL_PRAGUE || !a->tx->has_to)
        return KL_OK;
    KL_TRY(kl_journal_account(exec->journal, &a->to, &account));
    KL_TRY(kl_journal_code(exec->journal, account, &code));
    if (kl_delegation(&target, code))
        KL_TRY(warm_address(exec, &target, &account));
    return KL_OK;
}

static kl_status run(struct kl_exec *exec, struct apply *a, struct kl_tracer *tracer)
{
    const kl_tx *tx = a->tx;
    kl_evm_tx evm_tx = {.origin = tx->sender,
                        .gas_price = a->price,
                        .blob_hashes = tx->blob_hashes,
                        .blob_count = tx->blob_count,
                        .refund = a->refund};
    kl_evm_message message = {.create = !tx->has_to,
                              .caller = tx->sender,
                              .to = a->to,
                              .value = tx->value,
                              .input = tx->data,
                              .gas = tx->gas_limit - a->intrinsic};
    return kl_evm_run(exec->evm, &exec->host.host, &exec->block, &evm_tx, &message, tracer,
                      &a->run);
}

/* What is paid for: the gas used, less refunds [EIP-3529], but not less than the floor [EIP-7623].
 */
static u64 settle(const struct kl_exec *exec, const struct apply *a, u64 *refund)
{
    u64 used = a->tx->gas_limit - a->run.gas_left;
    *refund = KL_MIN(a->run.refund + a->refund, kl_refund_cap(exec->block.fork, used));
    used -= *refund;
    return KL_MAX(used, a->floor);
}

static kl_status pay(struct kl_exec *exec, struct apply *a, u64 gas_used)
{
    u64 left = a->tx->gas_limit - gas_used;
    kl_jaccount *coinbase;
    kl_u256 back = kl_u256_mul(kl_u256_of(left), a->price);
    kl_journal_set_balance(exec->journal, a->sender, kl_u256_add(a->sender->now.balance, back));
    KL_TRY(kl_journal_account(exec->journal, &exec->block.coinbase, &coinbase));
    kl_u256 tip = kl_u256_sub(a->price, exec->block.base_fee);
    kl_exec_credit(exec, coinbase, kl_u256_mul(kl_u256_of(gas_used), tip));
    return KL_OK;
}

/* Log entries move to memory that lives as long as the block. */
static kl_status take_logs(struct kl_exec *exec, kl_receipt *receipt)
{
    const kl_log_entry *logs;
    kl_journal_logs(exec->journal, &logs, &receipt->log_count);
    kl_log_entry *copy = KL_TAKE(&exec->arena, kl_log_entry, receipt->log_count);
    if (!copy && receipt->log_count)
        return KL_NOMEM;
    for (usize i = 0; i < receipt->log_count; i++) {
        copy[i] = logs[i];
        copy[i].data = kl_arena_copy(&exec->arena, logs[i].data);
        if (!copy[i].data.p && copy[i].data.len)
            return KL_NOMEM;
    }
    receipt->logs = copy;
    return KL_OK;
}

static kl_status apply(struct kl_exec *exec, struct apply *a, struct kl_tracer *tracer,
                       kl_tx_result *out)
{
    const kl_tx *tx = a->tx;
    u64 nonce = a->sender->now.nonce;
    a->to = tx->has_to ? tx->to : kl_address_of_create(&tx->sender, nonce);
    if (!a->mode.free)
        buy_gas(exec, a);
    if (nonce != UINT64_MAX) /* a call may come from a spent account */
        kl_journal_set_nonce(exec->journal, a->sender, nonce + 1);
    KL_TRY(warm_named(exec, a));
    KL_TRY(kl_exec_authorize(exec, tx, &a->refund));
    KL_TRY(warm_delegate(exec, a));
    KL_TRY(run(exec, a, tracer));
    u64 refund, gas_used = settle(exec, a, &refund);
    if (!a->mode.free)
        KL_TRY(pay(exec, a, gas_used));
    *out = (kl_tx_result){.halt = a->run.halt,
                          .gas_used = gas_used,
                          .refund = refund,
                          .output = a->run.output,
                          .created = !tx->has_to && a->run.halt == KL_HALT_NONE,
                          .gas_price = a->price};
    if (!tx->has_to)
        out->contract = a->to;
    out->receipt = (kl_receipt){
        .type = tx->type, .success = a->run.halt == KL_HALT_NONE, .gas_used = gas_used};
    KL_TRY(take_logs(exec, &out->receipt));
    kl_bloom_add_logs(&out->receipt.bloom, out->receipt.logs, out->receipt.log_count);
    return KL_OK;
}

/* Judges tx and, when nothing is broken, applies it.  A malformed deposit shows only when it has
 * run: no block can hold such a transaction [EIP-6110], so all of it is undone. */
static kl_status judge_and_apply(struct kl_exec *exec, struct apply *a, struct kl_tracer *tracer,
                                 kl_tx_result *out, kl_rule *broken)
{
    KL_ASSERT(a->tx->has_sender);
    KL_TRY(kl_journal_account(exec->journal, &a->tx->sender, &a->sender));
    kl_rule rule;
    KL_TRY(kl_exec_judge(exec, a->tx, &a->mode, a->sender, &a->intrinsic, &a->floor, &rule));
    if (rule == KL_RULE_NONE) {
        a->price = a->mode.free ? a->tx->max_fee : kl_tx_gas_price(a->tx, exec->block.base_fee);
        kl_journal_begin_tx(exec->journal);
        u32 before = kl_journal_snapshot(exec->journal);
        kl_tx_result result;
        KL_TRY(apply(exec, a, tracer, &result));
        if (!a->mode.is_call)
            KL_TRY(kl_exec_collect_deposits(exec, result.receipt.logs, result.receipt.log_count,
                                            &rule));
        if (rule != KL_RULE_NONE)
            kl_journal_revert(exec->journal, before);
        else
            *out = result;
        KL_TRY(kl_journal_end_tx(exec->journal, kl_exec_clears_empty(exec)));
    }
    *broken = rule;
    return KL_OK;
}

kl_status kl_exec_tx(struct kl_exec *exec, const kl_tx *tx, struct kl_tracer *tracer,
                     kl_tx_result *out, kl_rule *broken)
{
    struct apply a = {.tx = tx};
    KL_TRY(judge_and_apply(exec, &a, tracer, out, broken));
    if (*broken != KL_RULE_NONE)
        return KL_OK;
    exec->gas_used += out->gas_used;
    exec->blob_gas_used += tx->blob_count * KL_BLOB_GAS;
    out->receipt.cumulative_gas_used = exec->gas_used;
    return KL_OK;
}

kl_status kl_exec_call(struct kl_exec *exec, const kl_call *call, struct kl_tracer *tracer,
                       kl_tx_result *out, kl_rule *broken)
{
    struct apply a = {.tx = call->tx,
                      .mode = {.is_call = true, .free = call->free, .no_floor = call->no_floor}};
    KL_TRY(judge_and_apply(exec, &a, tracer, out, broken));
    if (*broken == KL_RULE_NONE)
        out->receipt.cumulative_gas_used = out->gas_used;
    return KL_OK;
}

/* block: the machine's life, and what happens before the first transaction of a block and after the
 * last. */
#include "exec/exec_priv.h"
#include "exec/fees.h"
#include "exec/reward.h"

#include <stdlib.h>

#define ARENA_KEPT (4u << 20)

static const kl_address beacon_roots = {{0x00, 0x0f, 0x3d, 0xf6, 0xd7, 0x32, 0x80,
                                         0x7e, 0xf1, 0x31, 0x9f, 0xb7, 0xb8, 0xbb,
                                         0x85, 0x22, 0xd0, 0xbe, 0xac, 0x02}};
static const kl_address block_hashes = {{0x00, 0x00, 0xf9, 0x08, 0x27, 0xf1, 0xc5,
                                         0x3a, 0x10, 0xcb, 0x7a, 0x02, 0x33, 0x5b,
                                         0x17, 0x53, 0x20, 0x00, 0x29, 0x35}};

static void drop_code(KL_UNUSED void *ctx, void *code)
{
    kl_code_unref(code);
}

kl_status kl_exec_new(struct kl_exec **out, const kl_exec_config *config)
{
    struct kl_exec *exec = calloc(1, sizeof *exec);
    if (!exec)
        return KL_NOMEM;
    exec->codes = config->codes;
    kl_exec_host_init(&exec->host, exec);
    kl_arena_init(&exec->arena, config->journal_memory_limit);
    kl_buf_init(&exec->deposits, config->journal_memory_limit);
    kl_evm_config evm = {.memory_limit = config->evm_memory_limit};
    kl_journal_config journal = {
        .memory_limit = config->journal_memory_limit, .drop_user = drop_code, .seed = config->seed};
    kl_status status = kl_evm_new(&exec->evm, &evm);
    if (status == KL_OK)
        status = kl_journal_new(&exec->journal, &journal);
    if (status != KL_OK) {
        kl_exec_free(exec);
        return status;
    }
    *out = exec;
    return KL_OK;
}

void kl_exec_free(struct kl_exec *exec)
{
    if (!exec)
        return;
    kl_journal_free(exec->journal);
    kl_evm_free(exec->evm);
    kl_buf_done(&exec->deposits);
    kl_arena_done(&exec->arena);
    free(exec);
}

kl_fork kl_exec_fork(const kl_spec *spec, const kl_header *header)
{
    kl_fork fork = kl_spec_fork(spec, header->number, header->timestamp);
    bool by_difficulty = !kl_u256_eq(spec->terminal_total_difficulty, KL_U256_MAX);
    if (fork < KL_PARIS && by_difficulty && kl_u256_is_zero(header->difficulty))
        return KL_PARIS;
    return fork;
}

kl_status kl_exec_enter(struct kl_exec *exec, const kl_exec_block *block)
{
    const kl_header *header = block->header;
    kl_arena_reset(&exec->arena, ARENA_KEPT);
    kl_buf_clear(&exec->deposits);
    exec->gas_used = exec->blob_gas_used = 0;
    exec->spec = block->spec;
    exec->header = header;
    exec->hashes = block->hashes;
    kl_fork fork = kl_exec_fork(block->spec, header);
    exec->block = (kl_evm_block){.fork = fork,
                                 .chain_id = block->spec->chain_id,
                                 .number = header->number,
                                 .timestamp = header->timestamp,
                                 .gas_limit = header->gas_limit,
                                 .coinbase = header->coinbase,
                                 .difficulty = header->difficulty};
    if (fork >= KL_PARIS) /* [EIP-4399] */
        exec->block.difficulty = kl_u256_from_hash(&header->mix_hash);
    if (fork >= KL_LONDON)
        exec->block.base_fee = header->base_fee;
    kl_blob_schedule blobs = kl_spec_blobs(block->spec, fork);
    exec->blob_gas_limit = (u64)blobs.max * KL_BLOB_GAS;
    if (fork >= KL_CANCUN)
        exec->block.blob_base_fee =
            block->blob_base_fee ? *block->blob_base_fee
                                 : kl_blob_base_fee(header->excess_blob_gas, blobs.update_fraction);
    kl_journal_begin_block(exec->journal, block->reader);
    return KL_OK;
}

/* A missing or failing contract is no fault of the block [EIP-4788, EIP-2935]. */
static kl_status tell(struct kl_exec *exec, const kl_address *contract, const kl_hash *what)
{
    kl_evm_result result;
    bool called;
    kl_system_call call = {.to = *contract, .input = kl_hash_span(what), .gas = KL_SYSTEM_GAS};
    return kl_exec_system_call(exec, &call, &result, &called);
}

kl_status kl_exec_begin(struct kl_exec *exec, const kl_exec_block *block)
{
    KL_TRY(kl_exec_enter(exec, block));
    if (block->spec->dao_fork && block->header->number == block->spec->dao_fork_block)
        KL_TRY(kl_exec_dao(exec));
    if (exec->block.fork >= KL_CANCUN)
        KL_TRY(tell(exec, &beacon_roots, &block->header->parent_beacon_root));
    if (exec->block.fork >= KL_PRAGUE)
        KL_TRY(tell(exec, &block_hashes, &block->header->parent_hash));
    return KL_OK;
}

static kl_status credit(struct kl_exec *exec, const kl_address *address, kl_u256 amount)
{
    kl_jaccount *account;
    KL_TRY(kl_journal_account(exec->journal, address, &account));
    kl_exec_credit(exec, account, amount);
    return KL_OK;
}

static kl_status pay_miners(struct kl_exec *exec, const kl_header *ommers, usize count)
{
    kl_fork fork = exec->block.fork;
    kl_u256 reward = kl_block_reward(fork);
    for (usize i = 0; i < count; i++) {
        u64 age = exec->header->number - ommers[i].number;
        KL_TRY(credit(exec, &ommers[i].coinbase, kl_ommer_reward(fork, age)));
        reward = kl_u256_add(reward, kl_nephew_reward(fork));
    }
    return credit(exec, &exec->header->coinbase, reward);
}

static kl_status pay_withdrawals(struct kl_exec *exec, const kl_withdrawal *withdrawals,
                                 usize count)
{
    for (usize i = 0; i < count; i++) {
        kl_u256 wei = kl_u256_mul(kl_u256_of(withdrawals[i].amount), kl_u256_of(1000000000));
        KL_TRY(credit(exec, &withdrawals[i].address, wei));
    }
    return KL_OK;
}

kl_status kl_exec_end(struct kl_exec *exec, const kl_header *ommers, usize ommer_count,
                      const kl_withdrawal *withdrawals, usize withdrawal_count,
                      kl_exec_outcome *out, kl_rule *broken)
{
    kl_exec_outcome outcome = {0};
    *broken = KL_RULE_NONE;
    kl_journal_begin_tx(exec->journal);
    if (exec->block.fork < KL_PARIS)
        KL_TRY(pay_miners(exec, ommers, ommer_count));
    KL_TRY(pay_withdrawals(exec, withdrawals, withdrawal_count));
    KL_TRY(kl_journal_end_tx(exec->journal, kl_exec_clears_empty(exec)));
    if (exec->block.fork >= KL_PRAGUE)
        KL_TRY(kl_exec_requests(exec, &outcome, broken));
    if (*broken == KL_RULE_NONE)
        *out = outcome;
    return KL_OK;
}

u64 kl_exec_gas_used(const struct kl_exec *exec)
{
    return exec->gas_used;
}

u64 kl_exec_blob_gas_used(const struct kl_exec *exec)
{
    return exec->blob_gas_used;
}

struct kl_journal *kl_exec_journal(struct kl_exec *exec)
{
    return exec->journal;
}

void kl_exec_cancel(struct kl_exec *exec)
{
    kl_evm_cancel(exec->evm);
}

/* system: contracts that the protocol itself calls [EIP-4788, EIP-2935, EIP-7002, EIP-7251]: from
 * an address nobody has the key of, with gas of their own that no block counts. */
#include "crypto/keccak.h"
#include "exec/exec_priv.h"

static const kl_address system_caller = {{0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
                                          0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
                                          0xff, 0xff, 0xff, 0xff, 0xff, 0xfe}};

kl_status kl_exec_system_call(struct kl_exec *exec, const kl_system_call *call, kl_evm_result *out,
                              bool *called)
{
    kl_jaccount *account;
    KL_TRY(kl_journal_account(exec->journal, &call->to, &account));
    *called = !kl_hash_eq(&account->now.code_hash, &kl_keccak_empty);
    if (!*called)
        return KL_OK;
    kl_evm_tx tx = {.origin = system_caller};
    kl_evm_message message = {.caller = system_caller,
                              .to = call->to,
                              .input = call->input,
                              .gas = call->gas,
                              .is_static = call->is_static};
    kl_journal_begin_tx(exec->journal);
    kl_journal_warm(exec->journal, account);
    KL_TRY(kl_evm_run(exec->evm, &exec->host.host, &exec->block, &tx, &message, NULL, out));
    return kl_journal_end_tx(exec->journal, true);
}

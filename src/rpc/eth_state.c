/* eth_, state: what stands under an address at a block [execution-apis eth/state]. */
#include "crypto/keccak.h"
#include "rpc/at.h"
#include "rpc/method.h"

/* Opens the state that parameter `block` names and reads the account of parameter 0. */
static bool account_at(struct kl_rpc_call *call, unsigned block, struct kl_rpc_state *state,
                       kl_hash *hash, kl_account *account)
{
    kl_address address;
    bool exists;
    if (!kl_arg_address(call, kl_arg_at(call, 0), &address) ||
        !kl_rpc_state_at(call, kl_arg_at(call, block), state))
        return false;
    *hash = kl_keccak256(kl_address_span(&address));
    return kl_rpc_ok(call, kl_view_account(state->view, hash, account, &exists));
}

bool kl_rpc_eth_get_balance(struct kl_rpc_call *call)
{
    KL_CLEANUP(kl_rpc_state_done) struct kl_rpc_state state = {0};
    kl_hash hash;
    kl_account account;
    if (!account_at(call, 1, &state, &hash, &account))
        return false;
    kl_json_put_quantity_u256(call->out, account.balance);
    return true;
}

/* The pending count knows the pool. */
bool kl_rpc_eth_get_transaction_count(struct kl_rpc_call *call)
{
    KL_CLEANUP(kl_rpc_state_done) struct kl_rpc_state state = {0};
    kl_hash hash;
    kl_account account;
    kl_address address;
    kl_block_ref ref;
    if (!kl_arg_address(call, kl_arg_at(call, 0), &address) ||
        !kl_arg_block(call, kl_arg_at(call, 1), &ref) ||
        !account_at(call, 1, &state, &hash, &account))
        return false;
    u64 nonce = account.nonce;
    if (ref.kind == KL_BLOCK_PENDING)
        nonce = call->backend->ops->next_nonce(call->backend, &address, nonce);
    kl_json_put_quantity(call->out, nonce);
    return true;
}

bool kl_rpc_eth_get_code(struct kl_rpc_call *call)
{
    KL_CLEANUP(kl_rpc_state_done) struct kl_rpc_state state = {0};
    kl_hash hash;
    kl_account account;
    kl_span code = KL_SPAN_NONE;
    if (!account_at(call, 1, &state, &hash, &account))
        return false;
    if (!kl_hash_eq(&account.code_hash, &kl_keccak_empty) &&
        !kl_rpc_ok(call, kl_view_code(state.view, &account.code_hash, &code)))
        return false;
    kl_json_put_data(call->out, code);
    return true;
}

bool kl_rpc_eth_get_storage_at(struct kl_rpc_call *call)
{
    KL_CLEANUP(kl_rpc_state_done) struct kl_rpc_state state = {0};
    kl_hash hash, slot;
    kl_account account;
    kl_u256 word;
    if (!kl_arg_slot(call, kl_arg_at(call, 1), &slot) ||
        !account_at(call, 2, &state, &hash, &account))
        return false;
    kl_hash slot_hash = kl_keccak256(kl_hash_span(&slot));
    if (!kl_rpc_ok(call, kl_view_slot(state.view, &hash, &slot_hash, &word)))
        return false;
    u8 bytes[32];
    kl_u256_to_be(bytes, word);
    kl_json_put_data(call->out, KL_SPAN_OF(bytes));
    return true;
}

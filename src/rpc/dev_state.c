/* Accounts as the user wants them: balance, nonce, code, storage, and who may send without a key.
 */
#include "crypto/keccak.h"
#include "rpc/dev_priv.h"
#include "rpc/method.h"

bool kl_rpc_dev_set_balance(struct kl_rpc_call *call)
{
    kl_devop op = {.kind = KL_DEVOP_SET_BALANCE};
    return kl_arg_address(call, kl_arg_at(call, 0), &op.address) &&
           kl_arg_number_u256(call, kl_arg_at(call, 1), &op.value) && kl_rpc_dev_done(call, &op);
}

bool kl_rpc_dev_add_balance(struct kl_rpc_call *call)
{
    kl_devop op = {.kind = KL_DEVOP_SET_BALANCE};
    kl_u256 more;
    kl_account account;
    bool exists;
    struct kl_reader *reader;
    if (!kl_arg_address(call, kl_arg_at(call, 0), &op.address) ||
        !kl_arg_number_u256(call, kl_arg_at(call, 1), &more) || !(reader = kl_rpc_reader(call)))
        return false;
    kl_hash hash = kl_keccak256(kl_address_span(&op.address));
    if (!kl_rpc_ok(call, kl_view_account(kl_reader_view(reader), &hash, &account, &exists)))
        return false;
    if (kl_u256_add_over(&op.value, account.balance, more))
        op.value = KL_U256_MAX;
    return kl_rpc_dev_done(call, &op);
}

bool kl_rpc_dev_set_nonce(struct kl_rpc_call *call)
{
    kl_devop op = {.kind = KL_DEVOP_SET_NONCE};
    return kl_arg_address(call, kl_arg_at(call, 0), &op.address) &&
           kl_arg_number(call, kl_arg_at(call, 1), &op.number) && kl_rpc_dev_done(call, &op);
}

bool kl_rpc_dev_set_code(struct kl_rpc_call *call)
{
    kl_devop op = {.kind = KL_DEVOP_SET_CODE};
    return kl_arg_address(call, kl_arg_at(call, 0), &op.address) &&
           kl_arg_data(call, kl_arg_at(call, 1), &op.code) && kl_rpc_dev_done(call, &op);
}

bool kl_rpc_dev_set_storage(struct kl_rpc_call *call)
{
    kl_devop op = {.kind = KL_DEVOP_SET_STORAGE};
    if (!kl_arg_address(call, kl_arg_at(call, 0), &op.address) ||
        !kl_arg_number_u256(call, kl_arg_at(call, 1), &op.key) ||
        !kl_arg_number_u256(call, kl_arg_at(call, 2), &op.value) || !kl_rpc_dev_apply(call, &op))
        return false;
    kl_json_put_bool(call->out, true);
    return true;
}

static bool impersonate(struct kl_rpc_call *call, bool begin)
{
    kl_devop op = {.kind = KL_DEVOP_IMPERSONATE, .flag = begin};
    return kl_arg_address(call, kl_arg_at(call, 0), &op.address) && kl_rpc_dev_done(call, &op);
}

bool kl_rpc_dev_impersonate(struct kl_rpc_call *call)
{
    return impersonate(call, true);
}

bool kl_rpc_dev_stop_impersonating(struct kl_rpc_call *call)
{
    return impersonate(call, false);
}

bool kl_rpc_dev_impersonate_all(struct kl_rpc_call *call)
{
    kl_devop op = {.kind = KL_DEVOP_IMPERSONATE_ALL};
    return kl_arg_bool(call, kl_arg_at(call, 0), &op.flag) && kl_rpc_dev_done(call, &op);
}

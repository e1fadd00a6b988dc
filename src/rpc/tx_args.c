#include "rpc/tx_args.h"

enum { LIST_MAX = 1 << 16 }; /* entries of a list; a request of 5 MiB has no room for more */

typedef bool (*reader)(struct kl_rpc_call *call, kl_arg arg, void *out);

static bool read_address(struct kl_rpc_call *call, kl_arg arg, void *out)
{
    return kl_arg_address(call, arg, out);
}

static bool read_u64(struct kl_rpc_call *call, kl_arg arg, void *out)
{
    return kl_arg_u64(call, arg, out);
}

static bool read_u256(struct kl_rpc_call *call, kl_arg arg, void *out)
{
    return kl_arg_u256(call, arg, out);
}

/* The members that are one value. */
static const struct {
    const char *name;
    reader read;
    usize has, value;
} members[] = {
#define MEMBER(name, read, field)                                                  \
    {                                                                              \
        name, read, offsetof(kl_tx_args, has_##field), offsetof(kl_tx_args, field) \
    }
    MEMBER("from", read_address, from),
    MEMBER("to", read_address, to),
    MEMBER("gas", read_u64, gas),
    MEMBER("nonce", read_u64, nonce),
    MEMBER("chainId", read_u64, chain_id),
    MEMBER("value", read_u256, value),
    MEMBER("gasPrice", read_u256, gas_price),
    MEMBER("maxFeePerGas", read_u256, max_fee),
    MEMBER("maxPriorityFeePerGas", read_u256, max_priority_fee),
    MEMBER("maxFeePerBlobGas", read_u256, max_blob_fee),
#undef MEMBER
};

static bool plain_members(struct kl_rpc_call *call, kl_arg object, kl_tx_args *tx)
{
    for (usize i = 0; i < KL_COUNT_OF(members); i++) {
        kl_arg member = kl_arg_member(call, object, members[i].name);
        if (!kl_arg_there(member))
            continue;
        static const bool yes = true;
        memcpy((u8 *)tx + members[i].has, &yes, sizeof yes);
        if (!members[i].read(call, member, (u8 *)tx + members[i].value))
            return false;
    }
    return true;
}

static bool data_member(struct kl_rpc_call *call, kl_arg object, kl_tx_args *tx)
{
    kl_arg data = kl_arg_member(call, object, "data");
    kl_arg input = kl_arg_member(call, object, "input");
    kl_span other = KL_SPAN_NONE;
    tx->has_data = kl_arg_there(data) || kl_arg_there(input);
    if (kl_arg_there(data) && !kl_arg_data(call, data, &other))
        return false;
    tx->data = other;
    if (!kl_arg_there(input))
        return true;
    if (!kl_arg_data(call, input, &tx->data))
        return false;
    return !kl_arg_there(data) || kl_span_eq(other, tx->data) ||
           kl_rpc_fail(call, KL_RPC_PARAMS,
                       "both \"data\" and \"input\" are set and not equal. Please use \"input\" to "
                       "pass transaction call data");
}

/* An array of hashes; the room is in the call's arena. */
static bool hashes(struct kl_rpc_call *call, kl_arg list, const kl_hash **out, usize *count)
{
    if (!kl_arg_count(call, list, LIST_MAX, count))
        return false;
    kl_hash *room = KL_TAKE(call->arena, kl_hash, *count);
    if (*count && !room)
        return kl_rpc_ok(call, KL_NOMEM);
    usize i = 0;
    for (kl_arg e = kl_arg_first(call, list); kl_arg_there(e); e = kl_arg_after(call, list, e))
        if (!kl_arg_hash(call, e, &room[i++]))
            return false;
    *out = room;
    return true;
}

bool kl_arg_access_list(struct kl_rpc_call *call, kl_arg arg, const kl_access **out, usize *count)
{
    usize n;
    if (!kl_arg_count(call, arg, LIST_MAX, &n))
        return false;
    kl_access *room = KL_ZERO(call->arena, kl_access, n);
    if (n && !room)
        return kl_rpc_ok(call, KL_NOMEM);
    usize i = 0;
    for (kl_arg e = kl_arg_first(call, arg); kl_arg_there(e); e = kl_arg_after(call, arg, e), i++) {
        kl_arg slots = kl_arg_member(call, e, "storageKeys");
        if (!kl_arg_object(call, e) ||
            !kl_arg_address(call, kl_arg_member(call, e, "address"), &room[i].address))
            return false;
        if (kl_arg_there(slots) && !hashes(call, slots, &room[i].slots, &room[i].slot_count))
            return false;
    }
    *out = room;
    *count = n;
    return true;
}

/* [{chainId, address, nonce, yParity, r, s}] [EIP-7702]. */
static bool authorizations(struct kl_rpc_call *call, kl_arg arg, kl_tx_args *tx)
{
    usize n;
    if (!kl_arg_count(call, arg, LIST_MAX, &n))
        return false;
    kl_authorization *room = KL_ZERO(call->arena, kl_authorization, n);
    if (n && !room)
        return kl_rpc_ok(call, KL_NOMEM);
    usize i = 0;
    for (kl_arg e = kl_arg_first(call, arg); kl_arg_there(e); e = kl_arg_after(call, arg, e), i++) {
        kl_authorization *a = &room[i];
        u64 parity;
        kl_arg y_parity = kl_arg_member(call, e, "yParity");
        if (!kl_arg_object(call, e) ||
            !kl_arg_u256(call, kl_arg_member(call, e, "chainId"), &a->chain_id) ||
            !kl_arg_address(call, kl_arg_member(call, e, "address"), &a->address) ||
            !kl_arg_u64(call, kl_arg_member(call, e, "nonce"), &a->nonce) ||
            !kl_arg_u64(call, y_parity, &parity) ||
            !kl_arg_u256(call, kl_arg_member(call, e, "r"), &a->signature.r) ||
            !kl_arg_u256(call, kl_arg_member(call, e, "s"), &a->signature.s))
            return false;
        if (parity > UINT8_MAX)
            return kl_arg_fail(call, y_parity, "hex number > 8 bits");
        a->signature.y_parity = (u8)parity;
    }
    tx->authorizations = room;
    tx->authorization_count = n;
    return true;
}

static bool list_members(struct kl_rpc_call *call, kl_arg object, kl_tx_args *tx)
{
    kl_arg access = kl_arg_member(call, object, "accessList");
    kl_arg blobs = kl_arg_member(call, object, "blobVersionedHashes");
    kl_arg list = kl_arg_member(call, object, "authorizationList");
    tx->has_access_list = kl_arg_there(access);
    tx->has_blob_hashes = kl_arg_there(blobs);
    tx->has_authorizations = kl_arg_there(list);
    if (tx->has_access_list &&
        !kl_arg_access_list(call, access, &tx->access_list, &tx->access_count))
        return false;
    if (tx->has_blob_hashes && !hashes(call, blobs, &tx->blob_hashes, &tx->blob_count))
        return false;
    return !tx->has_authorizations || authorizations(call, list, tx);
}

bool kl_arg_tx(struct kl_rpc_call *call, kl_arg arg, kl_tx_args *out)
{
    kl_tx_args tx = {0};
    if (!kl_arg_object(call, arg) || !plain_members(call, arg, &tx) ||
        !data_member(call, arg, &tx) || !list_members(call, arg, &tx))
        return false;
    if (tx.has_gas_price && (tx.has_max_fee || tx.has_max_priority_fee))
        return kl_rpc_fail(call, KL_RPC_PARAMS,
                           "both gasPrice and (maxFeePerGas or maxPriorityFeePerGas) specified");
    *out = tx;
    return true;
}

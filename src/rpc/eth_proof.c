/* eth_getProof: an account and some of its slots, with the way to them from the root [EIP-1186]. */
#include "crypto/keccak.h"
#include "rpc/at.h"
#include "rpc/method.h"
#include "rpc/put_proof.h"

static bool put_nodes(struct kl_rpc_call *call, struct kl_view *view, const kl_hash *owner,
                      const kl_hash *key)
{
    const kl_span *nodes;
    usize count;
    kl_arena_mark mark = kl_arena_here(call->arena);
    if (!kl_rpc_ok(call,
                   kl_trie_prove(&nodes, &count, owner, key, kl_view_tries(view), call->arena)))
        return false;
    kl_json_put_array(call->out);
    for (usize i = 0; i < count; i++)
        kl_json_put_data(call->out, nodes[i]);
    kl_json_put_array_end(call->out);
    kl_arena_rewind(call->arena, mark);
    return true;
}

/* The key as it was given: a number as a number, 32 bytes as bytes [geth]. */
static void put_key(struct kl_rpc_call *call, kl_arg arg, const kl_hash *slot)
{
    enum { WORD_DIGITS = 63 }; /* and one more, which may be missing */
    kl_span text = kl_json_raw(call->json, arg.ref);
    usize prefix = text.len >= 2 && (text.p[1] | 0x20) == 'x' ? 2 : 0;
    if (text.len - prefix >= WORD_DIGITS)
        kl_json_put_hash(call->out, slot);
    else
        kl_json_put_quantity_u256(call->out, kl_u256_from_hash(slot));
}

static bool put_slot(struct kl_rpc_call *call, struct kl_view *view, const kl_hash *owner,
                     kl_arg key)
{
    kl_hash slot;
    kl_u256 value;
    if (!kl_arg_slot(call, key, &slot))
        return false;
    kl_hash hash = kl_keccak256(kl_hash_span(&slot));
    if (!kl_rpc_ok(call, kl_view_slot(view, owner, &hash, &value)))
        return false;
    kl_json_put_object(call->out);
    kl_json_put_key(call->out, "key");
    put_key(call, key, &slot);
    kl_json_add_quantity_u256(call->out, "value", value);
    kl_json_put_key(call->out, "proof");
    if (!put_nodes(call, view, owner, &hash))
        return false;
    kl_json_put_object_end(call->out);
    return true;
}

static bool put_slots(struct kl_rpc_call *call, struct kl_view *view, const kl_hash *owner,
                      kl_arg keys)
{
    kl_json_put_key(call->out, "storageProof");
    kl_json_put_array(call->out);
    for (kl_arg key = kl_arg_first(call, keys); kl_arg_there(key);
         key = kl_arg_after(call, keys, key))
        if (kl_rpc_expired(call) ? !kl_rpc_ok(call, KL_CANCELED)
                                 : !put_slot(call, view, owner, key))
            return false;
    kl_json_put_array_end(call->out);
    return true;
}

bool kl_rpc_put_proof(struct kl_rpc_call *call, struct kl_view *view, const kl_address *address,
                      kl_arg keys)
{
    kl_hash hash = kl_keccak256(kl_address_span(address));
    kl_account account;
    bool exists;
    if (!kl_rpc_ok(call, kl_view_account(view, &hash, &account, &exists)))
        return false;
    kl_json_put_object(call->out);
    kl_json_add_address(call->out, "address", address);
    kl_json_put_key(call->out, "accountProof");
    if (!put_nodes(call, view, NULL, &hash))
        return false;
    kl_json_add_quantity_u256(call->out, "balance", account.balance);
    kl_json_add_hash(call->out, "codeHash", &account.code_hash);
    kl_json_add_quantity(call->out, "nonce", account.nonce);
    kl_json_add_hash(call->out, "storageHash", &account.storage_root);
    if (!put_slots(call, view, &hash, keys))
        return false;
    kl_json_put_object_end(call->out);
    return true;
}

bool kl_rpc_eth_get_proof(struct kl_rpc_call *call)
{
    KL_CLEANUP(kl_rpc_state_done) struct kl_rpc_state state = {0};
    kl_address address;
    kl_arg keys = kl_arg_at(call, 1);
    usize count;
    return kl_arg_address(call, kl_arg_at(call, 0), &address) &&
           kl_arg_count(call, keys, KL_PROOF_SLOTS_MAX, &count) &&
           kl_rpc_state_at(call, kl_arg_at(call, 2), &state) &&
           kl_rpc_put_proof(call, state.view, &address, keys);
}

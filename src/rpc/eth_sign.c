/* eth_sign, personal_, eth_signTypedData: signing without sending, with the node's own keys.  What
 * is signed cannot be a transaction: a prefix stands before it [EIP-191]. */
#include <stdio.h>

#include "crypto/keccak.h"
#include "rpc/method.h"
#include "rpc/param.h"
#include "rpc/typed_data.h"

enum { NODES_MAX = 1 << 19 }; /* JSON values and names of typed data in a string */

/* "\x19Ethereum Signed Message:\n" ‖ length ‖ message [EIP-191 version 0x45]. */
static kl_hash message_digest(kl_span message)
{
    char length[24];
    int len = snprintf(length, sizeof length, "%zu", message.len);
    kl_keccak keccak;
    kl_keccak_init(&keccak);
    kl_keccak_add(&keccak, KL_SPAN_TEXT("\x19"
                                        "Ethereum Signed Message:\n"));
    kl_keccak_add(&keccak, kl_span_of(length, (usize)len));
    kl_keccak_add(&keccak, message);
    return kl_keccak_done(&keccak);
}

/* r ‖ s ‖ v with v 27 or 28. */
static bool put_signature(struct kl_rpc_call *call, const kl_address *address,
                          const kl_hash *digest)
{
    kl_signature signature;
    u8 bytes[65];
    if (!call->backend->ops->sign(call->backend, address, digest, &signature))
        return kl_rpc_fail(call, KL_RPC_INPUT, "unknown account");
    kl_u256_to_be(bytes, signature.r);
    kl_u256_to_be(bytes + 32, signature.s);
    bytes[64] = (u8)(27 + signature.y_parity);
    kl_json_put_data(call->out, KL_SPAN_OF(bytes));
    return true;
}

static bool sign_message(struct kl_rpc_call *call, kl_arg signer, kl_arg message)
{
    kl_address address;
    kl_span bytes;
    if (!kl_arg_address(call, signer, &address) || !kl_arg_data(call, message, &bytes))
        return false;
    kl_hash digest = message_digest(bytes);
    return put_signature(call, &address, &digest);
}

bool kl_rpc_eth_sign(struct kl_rpc_call *call)
{
    return sign_message(call, kl_arg_at(call, 0), kl_arg_at(call, 1));
}

bool kl_rpc_personal_sign(struct kl_rpc_call *call)
{
    return sign_message(call, kl_arg_at(call, 1), kl_arg_at(call, 0));
}

/* The document is the parameter itself, or JSON in a string, as wallets are sent it. */
static bool find_document(struct kl_rpc_call *call, kl_arg arg, struct kl_json *json,
                          kl_json_ref *root)
{
    kl_span text;
    kl_rule broken;
    usize at;
    *json = *call->json;
    *root = arg.ref;
    if (!kl_json_is(call->json, arg.ref, KL_JSON_STRING))
        return kl_arg_object(call, arg);
    if (!kl_arg_text(call, arg, &text) ||
        !kl_rpc_ok(call, kl_json_parse(json, text, NODES_MAX, call->arena, &broken, &at)))
        return false;
    *root = 0;
    return broken == KL_RULE_NONE || kl_arg_fail(call, arg, "%s", kl_rule_text(broken));
}

bool kl_rpc_eth_sign_typed_data(struct kl_rpc_call *call)
{
    kl_arg data = kl_arg_at(call, 1);
    char why[KL_TYPED_DATA_WHY];
    struct kl_json json;
    kl_json_ref root;
    kl_address address;
    kl_hash digest;
    if (!kl_arg_address(call, kl_arg_at(call, 0), &address) ||
        !find_document(call, data, &json, &root) ||
        !kl_rpc_ok(call, kl_typed_data_hash(&digest, &json, root, call->arena, why)))
        return false;
    if (why[0])
        return kl_arg_fail(call, data, "%s", why);
    return put_signature(call, &address, &digest);
}

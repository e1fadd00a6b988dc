/* param: the parameters of a call, read and judged.
 *
 * A reader returns true with *out set, or says what is wrong ("invalid argument 0: hex string
 * without 0x prefix") and returns false with *out untouched.  It asks for a value: of one that may
 * be missing, ask kl_arg_there first.
 *
 *     kl_address address;
 *     if (!kl_arg_address(call, kl_arg_at(call, 0), &address))
 *         return false;
 */
#ifndef KL_RPC_PARAM_H
#define KL_RPC_PARAM_H

#include "rpc/call.h"

/* A parameter, or a value inside one, and what errors call it. */
typedef struct kl_arg {
    kl_json_ref ref;   /* KL_JSON_NONE: missing, or null */
    unsigned index;    /* of the parameter */
    const char *field; /* name of the member; NULL: the parameter itself */
} kl_arg;

kl_arg kl_arg_at(const struct kl_rpc_call *call, unsigned index);
/* A member of an object, missing also when there is no object. */
kl_arg kl_arg_member(const struct kl_rpc_call *call, kl_arg object, const char *name);

static inline bool kl_arg_there(kl_arg arg)
{
    return arg.ref != KL_JSON_NONE;
}

/* "invalid argument 0: from: …", as PARAMS; always false. */
bool kl_arg_fail(struct kl_rpc_call *call, kl_arg arg, const char *format, ...) KL_PRINTF(3, 4);

bool kl_arg_address(struct kl_rpc_call *call, kl_arg arg, kl_address *out);
bool kl_arg_hash(struct kl_rpc_call *call, kl_arg arg, kl_hash *out);
/* "0x…" of any even length, in the call's arena. */
bool kl_arg_data(struct kl_rpc_call *call, kl_arg arg, kl_span *out);
/* Quantities, "0x2a"; leading zeros are fine. */
bool kl_arg_u64(struct kl_rpc_call *call, kl_arg arg, u64 *out);
bool kl_arg_u256(struct kl_rpc_call *call, kl_arg arg, kl_u256 *out);
/* The same, and JSON numbers and decimal strings, which tools send to dev methods. */
bool kl_arg_number(struct kl_rpc_call *call, kl_arg arg, u64 *out);
bool kl_arg_number_u256(struct kl_rpc_call *call, kl_arg arg, kl_u256 *out);
/* A storage slot: up to 64 digits, an odd number of them too, with "0x" or without. */
bool kl_arg_slot(struct kl_rpc_call *call, kl_arg arg, kl_hash *out);
bool kl_arg_bool(struct kl_rpc_call *call, kl_arg arg, bool *out);
bool kl_arg_text(struct kl_rpc_call *call, kl_arg arg, kl_span *out);

/* How many elements an array has; at most max. */
bool kl_arg_count(struct kl_rpc_call *call, kl_arg array, usize max, usize *out);
/* Walks over an array's elements, with the array's name in errors. */
kl_arg kl_arg_first(const struct kl_rpc_call *call, kl_arg array);
kl_arg kl_arg_after(const struct kl_rpc_call *call, kl_arg array, kl_arg element);

/* The arg must be an object. */
bool kl_arg_object(struct kl_rpc_call *call, kl_arg arg);

/* Which block [execution-apis BlockNumberOrTag, EIP-1898]. */
typedef enum kl_block_kind {
    KL_BLOCK_LATEST,
    KL_BLOCK_PENDING,
    KL_BLOCK_EARLIEST,
    KL_BLOCK_SAFE,
    KL_BLOCK_FINALIZED,
    KL_BLOCK_NUMBER,
    KL_BLOCK_HASH,
} kl_block_kind;

typedef struct kl_block_ref {
    kl_block_kind kind;
    u64 number;
    kl_hash hash;
    bool canonical; /* a hash must be on the canonical chain */
} kl_block_ref;

/* A tag, a number, a hash of 32 bytes, or an object with blockNumber or blockHash; a missing one is
 * LATEST. */
bool kl_arg_block(struct kl_rpc_call *call, kl_arg arg, kl_block_ref *out);

#endif

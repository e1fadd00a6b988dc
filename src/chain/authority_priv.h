/* authority_priv: how a call of the validator contract begins. */
#ifndef KL_CHAIN_AUTHORITY_PRIV_H
#define KL_CHAIN_AUTHORITY_PRIV_H

#include "chain/authority.h"
#include "codec/abi.h"
#include "crypto/keccak.h"

/* The first 4 bytes of calldata, of a function's signature "name(types)". */
static inline void kl_authority_put_function(kl_out *out, const char *signature)
{
    kl_hash hash = kl_keccak256(kl_span_str(signature));
    kl_out_bytes(out, hash.b, 4);
}

#endif

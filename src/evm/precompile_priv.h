/* precompile_priv: what a built-in contract is made of. */
#ifndef KL_EVM_PRECOMPILE_PRIV_H
#define KL_EVM_PRECOMPILE_PRIV_H

#include "evm/precompile.h"

/* One run: in is the input as given, out and ok the result. */
typedef struct kl_pre_job {
    kl_span in;
    kl_fork fork;
    struct kl_arena *arena;
    kl_span out;
    bool ok;
} kl_pre_job;

typedef u64 kl_pre_gas(kl_span in, kl_fork fork);
typedef kl_status kl_pre_run(kl_pre_job *job);

#define KL_PRECOMPILE_X(address, name, fork, function) \
    kl_pre_gas kl_pre_gas_##function;                  \
    kl_pre_run kl_pre_run_##function;
#include "evm/precompiles.def"
#undef KL_PRECOMPILE_X

/* MODEXP's three lengths [EIP-198]; UINT64_MAX for what does not fit.  base and what follows lie at
 * KL_MODEXP_HEAD. */
#define KL_MODEXP_HEAD 96
typedef struct kl_modexp_len {
    u64 base, exponent, modulus;
} kl_modexp_len;
kl_modexp_len kl_modexp_lengths(kl_span in);

/* Copies of in from offset on into out, zeros where in has ended. */
void kl_pre_copy(u8 *out, usize len, kl_span in, u64 offset);

#endif

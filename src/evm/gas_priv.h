/* gas_priv: prices that depend on arguments or on the state.  Sums are made so that they cannot
 * overflow: every price is at most KL_GAS_NEVER, more than any frame can have. */
#ifndef KL_EVM_GAS_PRIV_H
#define KL_EVM_GAS_PRIV_H

#include "base/u256.h"
#include "evm/gas.h"

/* Gas counters are signed: a charge that goes below zero is seen by its sign. */
#define KL_GAS_NEVER ((u64)INT64_MAX)

enum {
    KL_GAS_KECCAK_WORD = 6,
    KL_GAS_COPY_WORD = 3,
    KL_GAS_INIT_CODE_WORD = 2, /* [EIP-3860] */
    KL_GAS_LOG_BYTE = 8,
    KL_GAS_CODE_BYTE = 200,
    KL_GAS_CALL_VALUE = 9000,
    KL_GAS_CALL_STIPEND = 2300,
    KL_GAS_NEW_ACCOUNT = 25000,
    KL_GAS_COLD_ACCOUNT = 2600, /* [EIP-2929] */
    KL_GAS_COLD_SLOT = 2100,    /* [EIP-2929] */
    KL_GAS_WARM = 100,          /* [EIP-2929] */
    KL_GAS_SSTORE_SENTRY = 2300 /* [EIP-2200] */
};

static inline u64 kl_gas_add(u64 a, u64 b)
{
    return KL_MIN(kl_add_sat_u64(a, b), KL_GAS_NEVER);
}

/* per_word for every word of len bytes. */
static inline u64 kl_gas_words(u64 len, u64 per_word)
{
    return KL_MIN(kl_mul_sat_u64(kl_words(len), per_word), KL_GAS_NEVER);
}

/* What memory of len bytes costs altogether [YP appendix H, equation 326]. */
static inline u64 kl_gas_memory(u64 len)
{
    if (KL_LIKELY(len <= (u64)1 << 36)) {
        u64 words = kl_words(len);
        return 3 * words + words * words / 512;
    }
    u128 words = kl_words(len), price = 3 * words + words * words / 512;
    return price > KL_GAS_NEVER ? KL_GAS_NEVER : (u64)price;
}

/* EXP's price for each byte of the exponent. */
static inline u64 kl_gas_exp_byte(kl_fork fork)
{
    return fork >= KL_SPURIOUS ? 50 : 10; /* [EIP-160] */
}

/* What SSTORE pays for the change, warmth apart, and what it does to the refund counter. */
typedef struct kl_sstore_price {
    u32 gas;
    i32 refund;
} kl_sstore_price;
kl_sstore_price kl_gas_sstore(kl_fork fork, const kl_u256 *original, const kl_u256 *current,
                              const kl_u256 *value);

/* What SELFDESTRUCT gives back the first time. */
static inline i32 kl_refund_selfdestruct(kl_fork fork)
{
    return fork >= KL_LONDON ? 0 : 24000; /* [EIP-3529] */
}

#endif

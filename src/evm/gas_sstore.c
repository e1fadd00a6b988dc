/* The price of a storage write, in all its versions. */
#include "evm/gas_priv.h"

/* Net metering: only the first change of a slot in a transaction pays for touching the trie, and
 * undoing it pays back [EIP-1283, EIP-2200]. */
struct net {
    i32 noop;        /* value is already there, or the slot was changed before */
    i32 set, reset;  /* first change, from zero or from another value */
    i32 clear_bonus; /* refund for zeroing a slot */
};

/* Before net metering, and again in Petersburg [YP appendix G]. */
static kl_sstore_price plain(const kl_u256 *current, const kl_u256 *value)
{
    bool was = !kl_u256_is_zero(*current), will = !kl_u256_is_zero(*value);
    return (kl_sstore_price){!was && will ? 20000 : 5000, was && !will ? 15000 : 0};
}

static kl_sstore_price metered(const struct net *p, const kl_u256 *original, const kl_u256 *current,
                               const kl_u256 *value)
{
    if (kl_u256_eq(*current, *value))
        return (kl_sstore_price){(u32)p->noop, 0};
    bool was = !kl_u256_is_zero(*original);
    if (kl_u256_eq(*original, *current)) {
        if (!was)
            return (kl_sstore_price){(u32)p->set, 0};
        return (kl_sstore_price){(u32)p->reset, kl_u256_is_zero(*value) ? p->clear_bonus : 0};
    }
    i32 refund = 0;
    if (was && kl_u256_is_zero(*current))
        refund -= p->clear_bonus;
    if (was && kl_u256_is_zero(*value))
        refund += p->clear_bonus;
    if (kl_u256_eq(*original, *value))
        refund += (was ? p->reset : p->set) - p->noop;
    return (kl_sstore_price){(u32)p->noop, refund};
}

kl_sstore_price kl_gas_sstore(kl_fork fork, const kl_u256 *original, const kl_u256 *current,
                              const kl_u256 *value)
{
    static const struct net eip1283 = {200, 20000, 5000, 15000};
    static const struct net eip2200 = {800, 20000, 5000, 15000};
    static const struct net eip2929 = {100, 20000, 5000 - KL_GAS_COLD_SLOT, 15000};
    static const struct net eip3529 = {100, 20000, 5000 - KL_GAS_COLD_SLOT, 4800};
    if (fork >= KL_LONDON)
        return metered(&eip3529, original, current, value);
    if (fork >= KL_BERLIN)
        return metered(&eip2929, original, current, value);
    if (fork >= KL_ISTANBUL)
        return metered(&eip2200, original, current, value);
    if (fork == KL_CONSTANTINOPLE)
        return metered(&eip1283, original, current, value);
    return plain(current, value);
}

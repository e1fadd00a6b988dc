/* fees: the two prices a header carries over from its parent.  Everything is integer arithmetic
 * over numbers that a hostile genesis could choose, so nothing may wrap or divide by zero: what
 * does not fit stays at the largest value, which no sender can pay. */
#include "exec/fees.h"

#define BLOB_GAS       131072u /* of one blob [EIP-4844] */
#define BLOB_BASE_COST 8192u   /* execution gas a blob costs at least [EIP-7918] */
#define FIRST_BASE_FEE 1000000000u

static bool has_base_fee(const kl_header *header)
{
    return header->tail >= 1;
}

static bool has_blob_gas(const kl_header *header)
{
    return header->tail >= 4;
}

/* fee * part / whole / denominator, each division rounding down. */
static kl_u256 step_of(kl_u256 fee, u64 part, u64 whole, u64 denominator)
{
    kl_u256 step;
    if (kl_u256_muldiv_over(&step, fee, kl_u256_of(part), kl_u256_of(whole)))
        step = KL_U256_MAX;
    return kl_u256_div(step, kl_u256_of(denominator));
}

kl_u256 kl_base_fee_after(const kl_spec *spec, const kl_header *parent, u64 number, u64 timestamp)
{
    if (kl_spec_fork(spec, number, timestamp) < KL_LONDON)
        return KL_U256_ZERO;
    if (!has_base_fee(parent))
        return kl_u256_of(FIRST_BASE_FEE);
    kl_u256 fee = parent->base_fee;
    u64 target = parent->gas_limit / KL_MAX(spec->elasticity, 1);
    u64 denominator = KL_MAX(spec->base_fee_denominator, 1);
    if (target == 0 || parent->gas_used == target)
        return fee;
    if (parent->gas_used < target)
        return kl_u256_sub(fee, step_of(fee, target - parent->gas_used, target, denominator));
    kl_u256 step = step_of(fee, parent->gas_used - target, target, denominator);
    if (kl_u256_is_zero(step))
        step = KL_U256_ONE;
    return kl_u256_add_over(&fee, fee, step) ? KL_U256_MAX : fee;
}

/* Does a blob of the parent cost less than the execution gas it stands for [EIP-7918]? */
static bool below_reserve(const kl_header *parent, u64 update_fraction)
{
    kl_u256 reserve, price;
    kl_u256 blob_fee = kl_blob_base_fee(parent->excess_blob_gas, update_fraction);
    if (kl_u256_mul_over(&price, blob_fee, kl_u256_of(BLOB_GAS)))
        return false;
    return kl_u256_mul_over(&reserve, parent->base_fee, kl_u256_of(BLOB_BASE_COST)) ||
           kl_u256_lt(price, reserve);
}

u64 kl_excess_blob_gas_after(const kl_spec *spec, const kl_header *parent, u64 number,
                             u64 timestamp)
{
    kl_fork fork = kl_spec_fork(spec, number, timestamp);
    if (fork < KL_CANCUN || !has_blob_gas(parent))
        return 0;
    kl_blob_schedule blobs = kl_spec_blobs(spec, fork);
    u64 target = (u64)blobs.target * BLOB_GAS;
    u64 excess = parent->excess_blob_gas;
    u64 sum = kl_add_sat_u64(excess, parent->blob_gas_used);
    if (sum < target)
        return 0;
    if (fork >= KL_OSAKA && blobs.max > 0 && below_reserve(parent, blobs.update_fraction)) {
        u32 room = blobs.max - KL_MIN(blobs.target, blobs.max);
        return kl_add_sat_u64(excess, (u64)((u128)parent->blob_gas_used * room / blobs.max));
    }
    return sum - target;
}

/* The sum of excess^i / (fraction^i * i!), in units of 1/fraction [EIP-4844 fake_exponential].  The
 * terms grow until i passes excess / fraction; where they outgrow 256 bits the loop ends, and so it
 * takes a few hundred rounds at most. */
kl_u256 kl_blob_base_fee(u64 excess_blob_gas, u64 update_fraction)
{
    if (update_fraction == 0)
        return KL_U256_ONE;
    kl_u256 sum = KL_U256_ZERO, term = kl_u256_of(update_fraction);
    for (u64 i = 1; !kl_u256_is_zero(term); i++) {
        kl_u256 divisor;
        if (kl_u256_add_over(&sum, sum, term) ||
            kl_u256_mul_over(&divisor, kl_u256_of(update_fraction), kl_u256_of(i)) ||
            kl_u256_muldiv_over(&term, term, kl_u256_of(excess_blob_gas), divisor))
            return KL_U256_MAX;
    }
    return kl_u256_div(sum, kl_u256_of(update_fraction));
}

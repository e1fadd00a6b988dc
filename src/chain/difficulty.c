/* difficulty: parent's difficulty, moved by how long the block took, plus the bomb.  All sums are
 * over numbers a header may choose freely, so the adjustment is clamped before it is multiplied and
 * the bomb's exponent is bounded. */
#include "chain/difficulty.h"

#include "crypto/keccak.h"

#define MINIMUM      131072u
#define BOMB_PERIOD  100000u
#define FRONTIER_SEC 13u

/* By how many blocks each fork puts the bomb off [EIP-649, 1234, 2384, 3554, 4345, 5133]. */
static const u64 bomb_delay[KL_FORK_COUNT] = {
    [KL_BYZANTIUM] = 3000000, [KL_CONSTANTINOPLE] = 5000000, [KL_PETERSBURG] = 5000000,
    [KL_ISTANBUL] = 5000000,  [KL_MUIR_GLACIER] = 9000000,   [KL_BERLIN] = 9000000,
    [KL_LONDON] = 9700000,    [KL_ARROW_GLACIER] = 10700000, [KL_GRAY_GLACIER] = 11400000,
};

/* How many 2048ths of its own the difficulty moves by: +1 down to -99. */
static i64 adjustment(const kl_header *parent, u64 seconds, kl_fork fork)
{
    if (fork < KL_HOMESTEAD)
        return seconds < FRONTIER_SEC ? 1 : -1;
    bool with_ommers =
        fork >= KL_BYZANTIUM && !kl_hash_eq(&parent->ommers_hash, &kl_keccak_empty_list);
    u64 periods = seconds / (fork >= KL_BYZANTIUM ? 9 : 10); /* [EIP-100, EIP-2] */
    i64 best = with_ommers ? 2 : 1;
    return periods > 101 ? -99 : KL_MAX(best - (i64)periods, -99);
}

static kl_u256 at_least_minimum(kl_u256 difficulty)
{
    kl_u256 minimum = kl_u256_of(MINIMUM);
    return kl_u256_lt(difficulty, minimum) ? minimum : difficulty;
}

/* 2^(periods - 2), from the second period on. */
static kl_u256 bomb(u64 number, kl_fork fork)
{
    u64 delay = bomb_delay[fork];
    u64 periods = (number > delay ? number - delay : 0) / BOMB_PERIOD;
    return periods < 2 ? KL_U256_ZERO : kl_u256_shl(KL_U256_ONE, periods - 2);
}

kl_u256 kl_difficulty_after(const kl_header *parent, u64 timestamp, kl_fork fork)
{
    KL_ASSERT(timestamp >= parent->timestamp);
    kl_u256 unit = kl_u256_shr(parent->difficulty, 11);
    i64 units = adjustment(parent, timestamp - parent->timestamp, fork);
    kl_u256 move = kl_u256_mul(unit, kl_u256_of((u64)(units < 0 ? -units : units)));
    kl_u256 difficulty =
        units < 0 ? kl_u256_sub(parent->difficulty, move) : kl_u256_add(parent->difficulty, move);
    difficulty = at_least_minimum(difficulty);
    return kl_u256_add(difficulty, bomb(kl_add_sat_u64(parent->number, 1), fork));
}

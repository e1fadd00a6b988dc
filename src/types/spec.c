/* spec: forks are looked up by walking their activations upwards and stopping at the first that is
 * set but not reached, so that a fork never holds before one that was to come earlier. */
#include "types/spec.h"

/* Mainnet's blob parameters [EIP-4844, EIP-7691, EIP-7892]. */
static const kl_blob_schedule mainnet_blobs[KL_FORK_COUNT] = {
    [KL_CANCUN] = {3, 6, 3338477},
    [KL_PRAGUE] = {6, 9, 5007716},
    [KL_BPO1] = {10, 15, 8346193},
    [KL_BPO2] = {14, 21, 11684671},
};

/* Mainnet's deposit contract [EIP-6110]. */
static const kl_address mainnet_deposits = {{0x00, 0x00, 0x00, 0x00, 0x21, 0x9a, 0xb5,
                                             0x40, 0x35, 0x6c, 0xbb, 0x83, 0x9c, 0xbe,
                                             0x05, 0x30, 0x3d, 0x77, 0x05, 0xfa}};

static bool reached(kl_activation when, u64 number, u64 timestamp)
{
    return when.by == KL_AT_BLOCK ? number >= when.at : timestamp >= when.at;
}

kl_fork kl_spec_fork(const kl_spec *spec, u64 number, u64 timestamp)
{
    kl_fork fork = KL_FRONTIER;
    for (usize next = KL_FRONTIER + 1; next < KL_FORK_COUNT; next++) {
        if (spec->fork[next].by == KL_AT_NEVER)
            continue;
        if (!reached(spec->fork[next], number, timestamp))
            break;
        fork = (kl_fork)next;
    }
    return fork;
}

void kl_spec_init(kl_spec *spec, kl_fork fork)
{
    *spec = (kl_spec){
        .chain_id = 1,
        .terminal_total_difficulty = fork >= KL_PARIS ? KL_U256_ZERO : KL_U256_MAX,
        .deposit_contract = mainnet_deposits,
        .base_fee_denominator = 8,
        .elasticity = 2,
        .max_block_bytes = KL_BLOCK_BYTES_MAX,
    };
    for (usize i = 0; i <= fork; i++)
        spec->fork[i].by = i >= KL_SHANGHAI ? KL_AT_TIME : KL_AT_BLOCK;
    memcpy(spec->blobs, mainnet_blobs, sizeof spec->blobs);
}

kl_blob_schedule kl_spec_blobs(const kl_spec *spec, kl_fork fork)
{
    for (usize i = fork; i >= KL_CANCUN; i--)
        if (spec->blobs[i].update_fraction)
            return spec->blobs[i];
    return (kl_blob_schedule){0};
}

/* Any text as a genesis file: a good one gives a spec whose forks rise and a header that can be
 * hashed; a bad one a fault that names its place. */
#include "base/fuzz.h"
#include "types/genesis.h"

static void check_validators(const kl_genesis *genesis)
{
    const kl_bft_spec *bft = &genesis->spec.bft;
    KL_ASSERT(genesis->validator_count > 0 && genesis->validator_count <= 256);
    KL_ASSERT(bft->epoch_blocks && bft->block_period_ms && bft->delta_ms && !genesis->spec.dev);
    KL_ASSERT(genesis->header.timestamp <= UINT64_MAX / 1000 && genesis->header.tail >= 3);
    for (usize i = 0; i < genesis->validator_count; i++) {
        const kl_genesis_validator *v = &genesis->validators[i];
        KL_ASSERT(v->weight && v->line && v->key.len && v->randao_key.len == 48);
    }
}

static void check_good(const kl_genesis *genesis)
{
    const kl_spec *spec = &genesis->spec;
    KL_ASSERT(spec->chain_id && spec->elasticity && spec->base_fee_denominator);
    KL_ASSERT(spec->max_block_bytes <= KL_BLOCK_BYTES_MAX);
    if (spec->engine == KL_ENGINE_SIMPLEX)
        check_validators(genesis);
    else
        KL_ASSERT(genesis->validator_count == 0);
    for (usize i = 0; i < KL_FORK_COUNT; i++) {
        kl_blob_schedule blobs = kl_spec_blobs(spec, (kl_fork)i);
        KL_ASSERT(i < KL_CANCUN || (blobs.target <= blobs.max && blobs.update_fraction) ||
                  spec->fork[i].by == KL_AT_NEVER);
    }
    kl_fork fork = kl_spec_fork(spec, 0, genesis->header.timestamp);
    KL_ASSERT(genesis->header.tail == kl_header_tail(fork));
    (void)kl_header_hash(&genesis->header);
    for (usize i = 0; i < genesis->alloc_count; i++) {
        const kl_alloc *alloc = &genesis->alloc[i];
        KL_ASSERT(i == 0 || memcmp(&alloc[-1].address, &alloc->address, sizeof(kl_address)) < 0);
        for (usize k = 0; k < alloc->slot_count; k++) {
            KL_ASSERT(!kl_u256_is_zero(alloc->values[k]));
            KL_ASSERT(k == 0 || memcmp(&alloc->keys[k - 1], &alloc->keys[k], sizeof(kl_hash)) < 0);
        }
    }
}

int LLVMFuzzerTestOneInput(const u8 *bytes, usize len)
{
    kl_span text = kl_span_of(bytes, len);
    struct kl_arena arena, small;
    kl_genesis genesis;
    kl_file_fault fault, twin;
    kl_arena_init(&arena, 1 << 28);
    kl_arena_init(&small, len * 2654435761u % 8192); /* a limit that varies with the input */
    KL_ASSERT(kl_genesis_parse(&genesis, text, &arena, &fault) == KL_OK);
    if (fault.rule == KL_RULE_NONE)
        check_good(&genesis);
    else
        KL_ASSERT(fault.line > 0 && memchr(fault.where, 0, sizeof fault.where));
    kl_status status = kl_genesis_parse(&genesis, text, &small, &twin);
    KL_ASSERT(status == KL_NOMEM || twin.rule == fault.rule);
    kl_arena_done(&small);
    kl_arena_done(&arena);
    return 0;
}

/* Any bytes as a block, under old and new rules: what decodes writes back to the same bytes. */
#include <stdlib.h>

#include "base/fuzz.h"
#include "types/block.h"

static void check_good(const kl_block *block, kl_span in)
{
    u8 *room = malloc(in.len);
    KL_ASSERT(room);
    kl_out out = kl_out_of(room, in.len);
    kl_block_encode(&out, block);
    KL_ASSERT(!out.full && kl_span_eq(kl_out_done(&out), in));
    KL_ASSERT(block->rlp_len == in.len);
    kl_hash hash = kl_header_hash(&block->header);
    KL_ASSERT(kl_hash_eq(&hash, &block->hash));
    (void)kl_ommers_hash(block->ommers, block->ommer_count);
    free(room);
}

int LLVMFuzzerTestOneInput(const u8 *bytes, usize len)
{
    static const kl_fork forks[] = {KL_FRONTIER, KL_FORK_NEWEST};
    kl_span in = kl_span_of(bytes, len);
    struct kl_arena arena, small;
    kl_block block;
    kl_rule broken, twin;
    kl_spec spec;
    kl_arena_init(&arena, 1 << 28);
    kl_arena_init(&small, len * 2654435761u % 8192); /* a limit that varies with the input */
    for (usize i = 0; i < KL_COUNT_OF(forks); i++) {
        kl_arena_reset(&arena, 1 << 20);
        kl_spec_init(&spec, forks[i]);
        KL_ASSERT(kl_block_decode(&block, in, &spec, &arena, &broken) == KL_OK);
        if (broken == KL_RULE_NONE)
            check_good(&block, in);
    }
    kl_status status = kl_block_decode(&block, in, &spec, &small, &twin);
    KL_ASSERT(status == KL_NOMEM || twin == broken);
    kl_arena_done(&small);
    kl_arena_done(&arena);
    return 0;
}

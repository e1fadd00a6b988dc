/* Any bytes as an envelope, under old and new rules: what decodes writes back to the same bytes,
 * and everything that is asked of a decoded transaction has an answer. */
#include <stdlib.h>

#include "base/fuzz.h"
#include "types/intrinsic.h"

static void check_good(kl_tx *tx, kl_fork fork, struct kl_arena *arena)
{
    kl_hash from_fields;
    u8 *room = malloc(tx->raw.len);
    KL_ASSERT(room);
    kl_out out = kl_out_of(room, tx->raw.len);
    kl_tx_encode(&out, tx);
    KL_ASSERT(!out.full && kl_span_eq(kl_out_done(&out), tx->raw));
    free(room);
    KL_ASSERT(kl_tx_signing_hash(&from_fields, tx, arena) == KL_OK);
    (void)kl_tx_judge_alone(tx, fork);
    KL_ASSERT((kl_tx_recover(tx, fork) == KL_RULE_NONE) == tx->has_sender);
}

int LLVMFuzzerTestOneInput(const u8 *bytes, usize len)
{
    static const kl_fork forks[] = {KL_FRONTIER, KL_SPURIOUS, KL_CANCUN, KL_FORK_NEWEST};
    kl_span raw = kl_span_of(bytes, len);
    struct kl_arena arena, small;
    kl_tx tx;
    kl_rule broken, twin;
    kl_arena_init(&arena, 1 << 26);
    kl_arena_init(&small, 256);
    for (usize i = 0; i < KL_COUNT_OF(forks); i++) {
        kl_arena_reset(&arena, 1 << 20);
        KL_ASSERT(kl_tx_decode(&tx, raw, forks[i], &arena, &broken) == KL_OK);
        if (broken == KL_RULE_NONE)
            check_good(&tx, forks[i], &arena);
    }
    kl_status status = kl_tx_decode(&tx, raw, KL_FORK_NEWEST, &small, &twin);
    KL_ASSERT(status == KL_NOMEM || twin == broken);
    kl_arena_done(&small);
    kl_arena_done(&arena);
    return 0;
}

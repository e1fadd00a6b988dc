/* Any bytes as a stored receipt: what loads is stored again as the same bytes, and its consensus
 * form is written and hashed. */
#include <stdlib.h>

#include "base/fuzz.h"
#include "types/receipt.h"

int LLVMFuzzerTestOneInput(const u8 *bytes, usize len)
{
    kl_span in = kl_span_of(bytes, len);
    struct kl_arena arena, small;
    kl_receipt receipt;
    kl_rule broken, twin;
    kl_arena_init(&arena, 1 << 26);
    kl_arena_init(&small, 256);
    KL_ASSERT(kl_receipt_load(&receipt, in, &arena, &broken) == KL_OK);
    kl_status status = kl_receipt_load(&receipt, in, &small, &twin);
    KL_ASSERT(status == KL_NOMEM || twin == broken);
    if (broken == KL_RULE_NONE) {
        u8 *room = malloc(len);
        KL_ASSERT(room);
        KL_ASSERT(kl_receipt_load(&receipt, in, &arena, &broken) == KL_OK);
        kl_out out = kl_out_of(room, len), count = kl_out_counter();
        kl_receipt_store(&out, &receipt);
        KL_ASSERT(!out.full && kl_span_eq(kl_out_done(&out), in));
        kl_receipt_encode(&count, &receipt);
        (void)kl_logs_hash(receipt.logs, receipt.log_count);
        free(room);
    }
    kl_arena_done(&small);
    kl_arena_done(&arena);
    return 0;
}

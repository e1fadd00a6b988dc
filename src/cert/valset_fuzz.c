/* Any bytes as a validator set: what decodes writes back to the same bytes, hashes to its hash, and
 * has a leader in every view. */
#include "base/fuzz.h"
#include "cert/valset.h"
#include "crypto/keccak.h"

int LLVMFuzzerTestOneInput(const u8 *bytes, usize len)
{
    static u8 room[1 << 16];
    struct kl_arena arena;
    kl_arena_init(&arena, 1 << 20);
    kl_span in = kl_span_of(bytes, len);
    kl_valset set;
    kl_rule broken;
    if (kl_valset_decode(&set, in, true, &arena, &broken) == KL_OK && broken == KL_RULE_NONE) {
        kl_out out = kl_out_of(room, sizeof room);
        kl_valset_encode(&out, &set);
        KL_ASSERT(!out.full && kl_span_eq(kl_out_done(&out), in));
        kl_hash want = kl_keccak256(in);
        KL_ASSERT(kl_hash_eq(&set.hash, &want));
        for (u64 view = 0; view < 8; view++) {
            KL_ASSERT(kl_valset_leader(&set, view, view) < set.count);
            KL_ASSERT(kl_valset_leader(&set, view, UINT64_MAX - view) < set.count);
        }
    }
    kl_arena_done(&arena);
    return 0;
}

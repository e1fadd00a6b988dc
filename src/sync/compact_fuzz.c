/* Any bytes as a body: what can be taken apart is put together again as itself, from the hashes'
 * places and the transactions. */
#include "base/fuzz.h"
#include "sync/compact.h"
#include "types/block.h"

enum { TXS_MAX = 1024, BODY_MAX = 1 << 17 };

int LLVMFuzzerTestOneInput(const u8 *bytes, usize len)
{
    static u8 room[BODY_MAX];
    static kl_span envelopes[TXS_MAX];
    kl_compact compact;
    kl_rlp txs;
    usize count = 0;
    kl_span body = kl_span_of(bytes, KL_MIN(len, (usize)BODY_MAX));
    if (kl_compact_split(&compact, &txs, body) != KL_RULE_NONE)
        return 0;
    while (txs.rest.len) {
        if (count == TXS_MAX || kl_envelope_next(&txs, &envelopes[count]) != KL_RULE_NONE)
            return 0;
        count++;
    }
    kl_out out = kl_out_of(room, sizeof room);
    kl_compact_join(&out, &compact, envelopes, count);
    KL_ASSERT(!out.full && kl_span_eq(kl_span_of(room, out.len), body));
    return 0;
}

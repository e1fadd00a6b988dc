/* Any bytes as a body: what can be taken apart is put together again as itself, from the hashes'
 * places and the transactions. */
#include "sync/compact.h"

enum { TXS_MAX = 1024, BODY_MAX = 1 << 17 };

int LLVMFuzzerTestOneInput(const u8 *bytes, usize len);

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
        bool is_list = txs.rest.p[0] >= 0xc0;
        kl_span *e = &envelopes[count];
        if (count == TXS_MAX || kl_compact_next(&txs, e) != KL_RULE_NONE)
            return 0;
        if (!is_list && e->len && e->p[0] >= 0xc0)
            return 0; /* of no type that there is: it never has a hash */
        count++;
    }
    kl_out out = kl_out_of(room, sizeof room);
    kl_compact_join(&out, &compact, envelopes, count);
    KL_ASSERT(!out.full && kl_span_eq(kl_span_of(room, out.len), body));
    return 0;
}

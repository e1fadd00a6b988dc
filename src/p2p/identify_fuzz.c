/* Any bytes as what an identify stream carried, and as an envelope: what is taken is written and
 * read again as itself. */
#include "base/fuzz.h"
#include "p2p/identify.h"
#include "p2p/peer_record.h"

int LLVMFuzzerTestOneInput(const u8 *bytes, usize len)
{
    static kl_identify id, back;
    static u8 room[2 * KL_IDENTIFY_MAX];
    kl_peer_record record;
    kl_span in = kl_span_of(bytes, len);
    if (kl_identify_get(&id, in) == KL_RULE_NONE) {
        kl_out out = kl_out_of(room, sizeof room);
        kl_identify_put(&out, &id);
        KL_ASSERT(!out.full);
        if (out.len <= KL_IDENTIFY_MAX) {
            KL_ASSERT(kl_identify_get(&back, kl_out_done(&out)) == KL_RULE_NONE);
            KL_ASSERT(back.addr_count == id.addr_count);
            KL_ASSERT(back.protocol_count == id.protocol_count);
        }
        in = id.record;
    }
    if (kl_peer_record_open(&record, in) == KL_RULE_NONE)
        KL_ASSERT(record.count <= KL_RECORD_ADDRS_MAX);
    return 0;
}

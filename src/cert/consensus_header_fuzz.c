/* Any bytes as a consensus header: what decodes writes back to the same bytes. */
#include "base/fuzz.h"
#include "cert/consensus_header.h"
#include "crypto/keccak.h"

int LLVMFuzzerTestOneInput(const u8 *bytes, usize len)
{
    u8 room[KL_CONSENSUS_HEADER_RLP_MAX];
    kl_span in = kl_span_of(bytes, len);
    kl_consensus_header header;
    if (kl_consensus_header_decode(&header, in) != KL_RULE_NONE)
        return 0;
    kl_out out = kl_out_of(room, sizeof room);
    kl_consensus_header_encode(&out, &header);
    KL_ASSERT(!out.full && kl_span_eq(kl_out_done(&out), in));
    kl_hash hash = kl_consensus_header_hash(&header), want = kl_keccak256(in);
    KL_ASSERT(kl_hash_eq(&hash, &want));
    return 0;
}

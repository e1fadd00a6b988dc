/* Any bytes as a body: what is taken is two encodings in a row that hang together. */
#include "base/fuzz.h"
#include "chain/bft.h"
#include "crypto/keccak.h"

int LLVMFuzzerTestOneInput(const u8 *bytes, usize len)
{
    kl_body body;
    u8 room[KL_CONSENSUS_HEADER_RLP_MAX];
    kl_span all = kl_span_of(bytes, len);
    if (kl_body_decode(&body, all) != KL_RULE_NONE)
        return 0;
    KL_ASSERT(body.block.p == bytes && body.consensus.p == bytes + body.block.len);
    KL_ASSERT(body.block.len + body.consensus.len == len);
    kl_out out = kl_out_of(room, sizeof room);
    kl_consensus_header_encode(&out, &body.consensus_header);
    KL_ASSERT(!out.full && kl_span_eq(kl_out_done(&out), body.consensus));
    kl_hash hash = kl_keccak256(body.consensus), header = kl_header_hash(&body.header);
    KL_ASSERT(body.header.extra_len == 32 && memcmp(body.header.extra_data, hash.b, 32) == 0);
    KL_ASSERT(kl_hash_eq(&body.hash, &header));
    return 0;
}

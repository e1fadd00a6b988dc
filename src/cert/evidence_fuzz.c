/* Any bytes as evidence: what decodes writes back to the same bytes. */
#include "base/fuzz.h"
#include "cert/evidence.h"

int LLVMFuzzerTestOneInput(const u8 *bytes, usize len)
{
    static const u8 schemes[] = {KL_SCHEME_SECP256K1, KL_SCHEME_BLS12_381, KL_SCHEME_KEYED_HASH};
    kl_span in = kl_span_of(bytes, len);
    for (usize i = 0; i < sizeof schemes; i++) {
        const kl_vote_scheme *scheme = kl_vote_scheme_of(schemes[i], true);
        u8 room[KL_EVIDENCE_RLP_MAX];
        kl_evidence evidence;
        if (kl_evidence_decode(&evidence, in, scheme) != KL_RULE_NONE)
            continue;
        kl_out out = kl_out_of(room, sizeof room);
        kl_evidence_encode(&out, &evidence, scheme);
        KL_ASSERT(!out.full && kl_span_eq(kl_out_done(&out), in));
        KL_ASSERT(kl_evidence_of(&evidence.first.subject, &evidence.second.subject) ==
                  kl_evidence_of(&evidence.second.subject, &evidence.first.subject));
    }
    return 0;
}

/* Any bytes as a vote under each scheme: what decodes writes back to the same bytes. */
#include "base/fuzz.h"
#include "cert/vote.h"

int LLVMFuzzerTestOneInput(const u8 *bytes, usize len)
{
    static const u8 schemes[] = {KL_SCHEME_SECP256K1, KL_SCHEME_BLS12_381, KL_SCHEME_KEYED_HASH};
    kl_span in = kl_span_of(bytes, len);
    for (usize i = 0; i < sizeof schemes; i++) {
        const kl_vote_scheme *scheme = kl_vote_scheme_of(schemes[i], true);
        u8 room[KL_VOTE_RLP_MAX], preimage[KL_VOTE_PREIMAGE_LEN];
        kl_vote vote;
        if (kl_vote_decode(&vote, in, scheme) != KL_RULE_NONE)
            continue;
        kl_out out = kl_out_of(room, sizeof room);
        kl_vote_encode(&out, &vote, scheme);
        KL_ASSERT(!out.full && kl_span_eq(kl_out_done(&out), in));
        kl_vote_preimage(preimage, &(kl_vote_domain){0}, scheme->id, &vote.subject);
        KL_ASSERT(kl_vote_subject_eq(&vote.subject, &vote.subject));
    }
    return 0;
}

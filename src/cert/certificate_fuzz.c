/* Any bytes as a certificate: what decodes writes back to the same bytes, and is judged against a
 * set without harm. */
#include "base/fuzz.h"
#include "cert/certificate.h"

int LLVMFuzzerTestOneInput(const u8 *bytes, usize len)
{
    static u8 room[KL_CERTIFICATE_RLP_MAX];
    kl_span in = kl_span_of(bytes, len);
    kl_certificate certificate;
    if (kl_certificate_decode(&certificate, in) != KL_RULE_NONE)
        return 0;
    kl_out out = kl_out_of(room, sizeof room);
    kl_certificate_encode(&out, &certificate);
    KL_ASSERT(!out.full && kl_span_eq(kl_out_done(&out), in));

    kl_validator validators[3] = {{.weight = 1}, {.weight = 2}, {.weight = 3}};
    for (u8 i = 0; i < 3; i++)
        validators[i].operator.b[0] = validators[i].key[0] = i;
    kl_valset set;
    u64 weight;
    const kl_vote_scheme *scheme = kl_vote_scheme_of(KL_SCHEME_KEYED_HASH, true);
    KL_ASSERT(kl_valset_init(&set, scheme, validators, 3) == KL_RULE_NONE);
    kl_rule rule = kl_certificate_check(&certificate, &set, &(kl_vote_domain){0});
    if (kl_certificate_weight(&weight, &certificate, &set) == KL_RULE_NONE)
        KL_ASSERT((rule == KL_RULE_CERTIFICATE_WEIGHT) == (weight < kl_valset_quorum(&set)));
    return 0;
}

/* Any bytes as a header and as an account: what decodes writes back to the same bytes. */
#include "base/fuzz.h"
#include "crypto/keccak.h"
#include "types/account.h"
#include "types/header.h"

int LLVMFuzzerTestOneInput(const u8 *bytes, usize len)
{
    u8 room[KL_HEADER_RLP_MAX];
    kl_span in = kl_span_of(bytes, len);
    kl_header header;
    kl_account account;
    if (kl_header_decode(&header, in) == KL_RULE_NONE) {
        kl_out out = kl_out_of(room, sizeof room);
        kl_header_encode(&out, &header);
        KL_ASSERT(!out.full && kl_span_eq(kl_out_done(&out), in));
        kl_hash hash = kl_header_hash(&header), want = kl_keccak256(in);
        KL_ASSERT(kl_hash_eq(&hash, &want));
    }
    if (kl_account_decode(&account, in) == KL_RULE_NONE) {
        kl_out out = kl_out_of(room, KL_ACCOUNT_RLP_MAX);
        kl_account_encode(&out, &account);
        KL_ASSERT(!out.full && kl_span_eq(kl_out_done(&out), in));
        (void)kl_account_is_empty(&account);
    }
    return 0;
}

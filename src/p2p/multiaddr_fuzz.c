/* Any bytes, and any text: an address that is taken is written and read again as itself. */
#include "base/fuzz.h"
#include "p2p/multiaddr.h"

int LLVMFuzzerTestOneInput(const u8 *bytes, usize len)
{
    kl_multiaddr addr, back;
    u8 room[KL_MULTIADDR_MAX];
    char text[KL_MULTIADDR_TEXT_MAX];
    for (int as_text = 0; as_text < 2; as_text++) {
        kl_span in = kl_span_of(bytes, len);
        if ((as_text ? kl_multiaddr_parse(&addr, in) : kl_multiaddr_get(&addr, in)) != KL_RULE_NONE)
            continue;
        kl_out out = kl_out_of(room, sizeof room);
        kl_multiaddr_put(&out, &addr);
        KL_ASSERT(!out.full);
        KL_ASSERT(kl_multiaddr_get(&back, kl_out_done(&out)) == KL_RULE_NONE);
        KL_ASSERT(kl_multiaddr_eq(&addr, &back));
        usize text_len = kl_multiaddr_text(text, &addr);
        KL_ASSERT(kl_multiaddr_parse(&back, kl_span_of(text, text_len)) == KL_RULE_NONE);
        KL_ASSERT(kl_multiaddr_eq(&addr, &back));
    }
    return 0;
}

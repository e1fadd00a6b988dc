/* Any bytes to a dialer and to a listener: they end in one of the names, in none, or in a rule. */
#include "base/fuzz.h"
#include "p2p/multistream.h"

int LLVMFuzzerTestOneInput(const u8 *bytes, usize len)
{
    static const kl_span names[] = {{(const u8 *)"/noise", 6}, {(const u8 *)"/a", 2}};
    for (int dials = 0; dials < 2; dials++) {
        kl_multistream m;
        struct kl_buf send;
        kl_buf_init(&send, 1 << 16);
        if (dials)
            kl_multistream_dial(&m, names, 2, &send);
        else
            kl_multistream_listen(&m, names, 2, &send);
        kl_span in = kl_span_of(bytes, len);
        kl_rule broken = kl_multistream_feed(&m, &in, &send);
        KL_ASSERT(!send.failed);
        KL_ASSERT(broken != KL_RULE_NONE || m.done || in.len == 0);
        KL_ASSERT(!m.done || m.chosen < 2 || (dials && m.chosen == KL_MULTISTREAM_NONE));
        kl_buf_done(&send);
    }
    return 0;
}

/* Any bytes as a hello, and ours with a byte changed: what is taken names our genesis, and what it
 * brings lies in it. */
#include "base/fuzz.h"
#include "node/hello.h"

int LLVMFuzzerTestOneInput(const u8 *bytes, usize len)
{
    static const kl_hash genesis = {{0x5a, 0xa5, 0x11}};
    kl_spec spec;
    struct kl_buf hello;
    kl_spec_init(&spec, KL_PRAGUE);
    spec.fork[KL_PRAGUE] = (kl_activation){KL_AT_TIME, 1000};
    const kl_fork_place place = {&spec, &genesis, 10, 7, 999};
    if (kl_hello_judge(&place, kl_span_of(bytes, len)) == KL_RULE_NONE)
        KL_ASSERT(memmem(bytes, len, genesis.b, sizeof genesis.b) != NULL);
    kl_span pass = kl_hello_pass(kl_span_of(bytes, len));
    KL_ASSERT(pass.len <= len);
    kl_buf_init(&hello, 1 << 10);
    kl_hello_put(&hello, &place, kl_span_sub(kl_span_of(bytes, len), 0, 100));
    KL_ASSERT(!hello.failed && kl_hello_judge(&place, kl_buf_view(&hello)) == KL_RULE_NONE);
    if (len >= 2) {
        hello.p[bytes[0] % hello.len] ^= bytes[1];
        kl_rule broken = kl_hello_judge(&place, kl_buf_view(&hello));
        KL_ASSERT(bytes[1] != 0 || broken == KL_RULE_NONE);
    }
    kl_buf_done(&hello);
    return 0;
}

/* Any frame under each scheme: what decodes is written back to the same bytes. */
#include "base/fuzz.h"
#include "sync/message.h"

int LLVMFuzzerTestOneInput(const u8 *bytes, usize len)
{
    static const u8 schemes[] = {KL_SCHEME_SECP256K1, KL_SCHEME_BLS12_381, KL_SCHEME_KEYED_HASH};
    kl_span in = kl_span_of(bytes, len);
    for (usize i = 0; i < sizeof schemes; i++) {
        const kl_vote_scheme *scheme = kl_vote_scheme_of(schemes[i], true);
        struct kl_arena arena;
        struct kl_buf out;
        kl_message message;
        kl_rule broken;
        kl_arena_init(&arena, (usize)1 << 24);
        kl_buf_init(&out, KL_MESSAGE_MAX);
        if (kl_message_decode(&message, in, scheme, &arena, &broken) == KL_OK &&
            broken == KL_RULE_NONE) {
            kl_message_encode(&out, &message, scheme);
            KL_ASSERT(!out.failed && kl_span_eq(kl_buf_view(&out), in));
        }
        kl_buf_done(&out);
        kl_arena_done(&arena);
    }
    return 0;
}

/* Any text: what one spelling accepts, the others treat alike, and numbers write back to the same
 * value. */
#include "base/fuzz.h"
#include "codec/hex.h"

int LLVMFuzzerTestOneInput(const u8 *bytes, usize len)
{
    kl_span text = kl_span_of(bytes, len), data;
    struct kl_arena arena;
    kl_arena_init(&arena, 1 << 26);
    bool no_memory;
    kl_rule rule = kl_hex_data(&data, text, &arena, &no_memory);
    kl_hash hash;
    kl_rule fixed = kl_hex_fixed(hash.b, sizeof hash.b, text);
    KL_ASSERT(!no_memory);
    if (rule == KL_RULE_NONE)
        KL_ASSERT((fixed == KL_RULE_NONE) == (data.len == 32));
    if (fixed == KL_RULE_NONE)
        KL_ASSERT(kl_span_eq(data, kl_hash_span(&hash)));

    u64 v;
    kl_u256 wide, again;
    char out[KL_HEX_U256_MAX];
    kl_rule small = kl_hex_u64(&v, text), number = kl_hex_u256(&wide, text);
    if (number == KL_RULE_NONE) {
        KL_ASSERT((small == KL_RULE_NONE) == (kl_u256_bits(wide) <= 64));
        KL_ASSERT(small == KL_RULE_NONE || small == KL_RULE_HEX_WIDE);
        usize n = kl_hex_of_u256(out, wide);
        KL_ASSERT(kl_hex_u256(&again, kl_span_of(out, n)) == KL_RULE_NONE);
        KL_ASSERT(kl_u256_eq(wide, again));
    }
    kl_arena_done(&arena);
    return 0;
}

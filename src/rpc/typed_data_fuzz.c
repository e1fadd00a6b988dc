/* Typed data: whatever the document, there is a digest or a text that says why not, and the same
 * document gives the same one twice.
 *
 * Input: JSON. */
#include "rpc/typed_data.h"

int LLVMFuzzerTestOneInput(const u8 *bytes, usize len);

int LLVMFuzzerTestOneInput(const u8 *bytes, usize len)
{
    struct kl_arena arena;
    struct kl_json json;
    kl_rule broken;
    usize at;
    kl_arena_init(&arena, 64 << 20);
    KL_ASSERT(kl_json_parse(&json, kl_span_of(bytes, len), 1 << 16, &arena, &broken, &at) == KL_OK);
    if (broken == KL_RULE_NONE) {
        char why[2][KL_TYPED_DATA_WHY];
        kl_hash hash[2] = {0};
        for (int i = 0; i < 2; i++)
            KL_ASSERT(kl_typed_data_hash(&hash[i], &json, 0, &arena, why[i]) == KL_OK);
        KL_ASSERT(kl_hash_eq(&hash[0], &hash[1]) && strcmp(why[0], why[1]) == 0);
        const kl_hash none = {0};
        KL_ASSERT((why[0][0] != 0) == kl_hash_eq(&hash[0], &none));
    }
    kl_arena_done(&arena);
    return 0;
}

/* Typed data: whatever the document, there is a digest or a text that says why not, the same
 * document gives the same one twice, and with little memory that is all that is missing.
 *
 * Input: JSON. */
#include "base/fuzz.h"
#include "rpc/typed_data.h"

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
        for (usize limit = 4096; limit <= 1 << 17; limit += limit / 8) {
            struct kl_arena small;
            kl_arena_init(&small, limit);
            kl_status status = kl_typed_data_hash(&hash[1], &json, 0, &small, why[1]);
            KL_ASSERT(status == KL_OK ? kl_hash_eq(&hash[0], &hash[1]) : status == KL_NOMEM);
            kl_arena_done(&small);
        }
    }
    kl_arena_done(&arena);
    return 0;
}

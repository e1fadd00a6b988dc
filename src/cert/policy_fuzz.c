/* Any bytes as a contract's answer under the keyed hash, with and without a current set: what
 * decodes is a set, leaves nobody twice, encodes and decodes to itself, and a step from the current
 * set towards it is one. */
#include "base/fuzz.h"
#include "cert/policy.h"

static void check_again(const kl_valset *set)
{
    static u8 room[KL_POLICY_ANSWER_MAX];
    static kl_policy_entry entries[KL_VALIDATORS_MAX];
    struct kl_arena arena;
    kl_out out = kl_out_of(room, sizeof room);
    kl_valset back;
    kl_rule broken;
    u32 left_out;
    for (u32 i = 0; i < set->count; i++)
        entries[i] = (kl_policy_entry){.validator = set->validators[i]};
    kl_policy_put_answer(&out, entries, set->count, set->scheme);
    KL_ASSERT(!out.full);
    kl_arena_init(&arena, 1 << 20);
    KL_ASSERT(kl_policy_decode(&back, &left_out, kl_out_done(&out), set, 9, true, &arena,
                               &broken) == KL_OK);
    KL_ASSERT(broken == KL_RULE_NONE && left_out == 0 && kl_hash_eq(&back.hash, &set->hash));
    kl_arena_done(&arena);
}

int LLVMFuzzerTestOneInput(const u8 *bytes, usize len)
{
    kl_validator mine[2] = {{.operator= {{1}}, .key = {1}, .weight = 1},
                            {.operator= {{2}}, .key = {2}, .weight = 3}};
    kl_span in = kl_span_of(bytes, len);
    kl_valset current, wanted, next;
    kl_rule broken;
    u32 left_out;
    struct kl_arena arena;
    kl_arena_init(&arena, 1 << 20);
    KL_ASSERT(kl_valset_init(&current, kl_vote_scheme_of(KL_SCHEME_KEYED_HASH, true), mine, 2) ==
              KL_RULE_NONE);
    if (kl_policy_decode(&wanted, &left_out, in, NULL, 0, true, &arena, &broken) == KL_OK &&
        broken == KL_RULE_NONE && wanted.scheme == current.scheme) {
        check_again(&wanted);
        KL_ASSERT(kl_policy_decode(&wanted, &left_out, in, &current, 1, true, &arena, &broken) ==
                  KL_OK);
        if (broken == KL_RULE_NONE) {
            KL_ASSERT(kl_policy_step(&next, &current, &wanted, &arena) == KL_OK);
            KL_ASSERT(next.count > 0);
        }
    }
    kl_arena_done(&arena);
    return 0;
}

/* Any text as a bundle, or as {"checkpoint", "bundle"}: it is judged, from the genesis that it
 * names or the checkpoint that it brings.  What breaks a rule is named with its place, and the same
 * text gets the same verdict again.  What is trusted afterwards writes to a checkpoint that reads
 * back to the same. */
#include "base/fuzz.h"
#include "light/bundle.h"

static struct kl_light light, again;

static kl_light_fault judge(struct kl_light *to, const struct kl_json *json, struct kl_arena *arena)
{
    kl_light_bundle bundle;
    kl_light_checkpoint checkpoint;
    kl_light_result result;
    kl_light_fault fault;
    kl_json_ref brought = kl_json_member(json, 0, "checkpoint");
    kl_json_ref ref = brought == KL_JSON_NONE ? 0 : kl_json_member(json, 0, "bundle");
    if (ref == KL_JSON_NONE)
        ref = 0;
    KL_ASSERT(kl_light_bundle_read(&bundle, json, ref, arena, &fault) == KL_OK);
    if (fault.rule != KL_RULE_NONE)
        return fault;
    if (brought == KL_JSON_NONE) {
        KL_ASSERT(kl_light_bundle_start(to, &bundle, NULL, &bundle.genesis_hash, arena, &fault) ==
                  KL_OK);
    } else {
        KL_ASSERT(kl_light_checkpoint_read(&checkpoint, json, brought, arena, &fault) == KL_OK);
        if (fault.rule == KL_RULE_NONE) {
            KL_ASSERT(kl_light_resume(to, &checkpoint, arena, &fault.rule) == KL_OK);
            fault.where[0] = '-';
        }
    }
    if (fault.rule == KL_RULE_NONE)
        KL_ASSERT(kl_light_bundle_judge(to, &result, &bundle, arena, &fault) == KL_OK);
    return fault;
}

static bool same(const struct kl_light *a, const struct kl_light *b)
{
    return a->epoch == b->epoch && a->number == b->number && kl_hash_eq(&a->hash, &b->hash) &&
           kl_hash_eq(&a->set.hash, &b->set.hash) && a->domain.chain_id == b->domain.chain_id &&
           kl_hash_eq(&a->domain.genesis_hash, &b->domain.genesis_hash);
}

static void check_checkpoint(struct kl_arena *arena)
{
    struct kl_buf text;
    struct kl_json json;
    kl_light_checkpoint checkpoint;
    kl_light_fault fault;
    usize at;
    kl_buf_init(&text, SIZE_MAX / 2);
    struct kl_json_out out = kl_json_out_to(&text);
    KL_ASSERT(kl_light_checkpoint_put(&out, &light, arena) == KL_OK);
    KL_ASSERT(kl_json_parse(&json, kl_buf_view(&text), 100, arena, &fault.rule, &at) == KL_OK);
    KL_ASSERT(kl_light_checkpoint_read(&checkpoint, &json, 0, arena, &fault) == KL_OK);
    KL_ASSERT(fault.rule == KL_RULE_NONE);
    KL_ASSERT(kl_light_resume(&again, &checkpoint, arena, &fault.rule) == KL_OK);
    KL_ASSERT(fault.rule == KL_RULE_NONE && same(&light, &again));
    kl_buf_done(&text);
}

int LLVMFuzzerTestOneInput(const u8 *bytes, usize len)
{
    struct kl_arena arena;
    struct kl_json json;
    kl_rule broken;
    usize at;
    kl_arena_init(&arena, (usize)1 << 28);
    KL_ASSERT(kl_json_parse(&json, kl_span_of(bytes, len), 1 << 16, &arena, &broken, &at) == KL_OK);
    if (broken == KL_RULE_NONE) {
        kl_light_fault fault = judge(&light, &json, &arena), second = judge(&again, &json, &arena);
        KL_ASSERT(fault.rule == second.rule && strcmp(fault.where, second.where) == 0);
        KL_ASSERT((fault.rule == KL_RULE_NONE) == (fault.where[0] == '\0'));
        if (fault.rule == KL_RULE_NONE) {
            KL_ASSERT(same(&light, &again));
            check_checkpoint(&arena);
        }
    }
    kl_arena_done(&arena);
    return 0;
}

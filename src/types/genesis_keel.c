/* genesis_keel: config.keel, which is ours: every unknown member is a fault. */
#include "types/genesis_priv.h"

enum { MAX_BLOCK_BYTES_LEAST = 4096 };

static kl_rule read_engine(struct kl_genesis_reader *r, kl_json_ref ref, void *out)
{
    static const char *const names[] = {[KL_ENGINE_SOLO] = "solo",
                                        [KL_ENGINE_EXTERNAL] = "external",
                                        [KL_ENGINE_SIMPLEX] = "simplex"};
    if (!kl_json_is(r->json, ref, KL_JSON_STRING))
        return kl_genesis_blame(r, KL_RULE_GENESIS_KIND, ref);
    for (usize i = 0; i < KL_COUNT_OF(names); i++)
        if (kl_json_equals(r->json, ref, names[i])) {
            *(kl_engine *)out = (kl_engine)i;
            return KL_RULE_NONE;
        }
    return kl_genesis_blame(r, KL_RULE_GENESIS_UNSUPPORTED, ref);
}

static kl_rule read_block_bytes(struct kl_genesis_reader *r, kl_json_ref ref, void *out)
{
    return kl_genesis_range(r, ref, MAX_BLOCK_BYTES_LEAST, KL_BLOCK_BYTES_MAX, out);
}

static kl_rule read_bft(struct kl_genesis_reader *r, kl_json_ref ref, void *out)
{
    return kl_genesis_bft(r, ref, out);
}

static kl_rule blame_member(struct kl_genesis_reader *r, kl_rule rule, kl_json_ref keel,
                            const char *name)
{
    kl_json_ref ref = kl_json_member(r->json, keel, name);
    kl_genesis_enter(r, kl_span_str(name));
    return kl_genesis_blame(r, rule, ref == KL_JSON_NONE ? keel : ref);
}

/* Members that depend on one another. */
static kl_rule settle(struct kl_genesis_reader *r, kl_json_ref keel, kl_spec *spec)
{
    bool votes = spec->engine == KL_ENGINE_SIMPLEX;
    bool has_bft = kl_json_member(r->json, keel, "bft") != KL_JSON_NONE;
    if (votes && !has_bft)
        return blame_member(r, KL_RULE_GENESIS_MISSING, keel, "bft");
    if (!votes && has_bft)
        return blame_member(r, KL_RULE_GENESIS_EXCLUDES, keel, "bft");
    if (votes && spec->dev)
        return blame_member(r, KL_RULE_GENESIS_EXCLUDES, keel, "dev");
    if (votes)
        spec->repeat_timestamp = true; /* time counts in milliseconds there */
    return KL_RULE_NONE;
}

kl_rule kl_genesis_keel(struct kl_genesis_reader *r, kl_json_ref keel, kl_genesis *out)
{
    kl_spec *spec = &out->spec;
    const kl_genesis_field fields[] = {
        {"engine", read_engine, &spec->engine, false},
        {"dev", kl_genesis_bool, &spec->dev, false},
        {"baseFeeDenominator", kl_genesis_at_least_one, &spec->base_fee_denominator, false},
        {"elasticity", kl_genesis_at_least_one, &spec->elasticity, false},
        {"maxBlockBytes", read_block_bytes, &spec->max_block_bytes, false},
        {"repeatTimestamp", kl_genesis_bool, &spec->repeat_timestamp, false},
        {"bft", read_bft, out, false},
    };
    KL_JUDGE(kl_genesis_ours(r, keel, fields, KL_COUNT_OF(fields)));
    return settle(r, keel, spec);
}

/* genesis_bft: config.keel.bft, what the validators of a chain agreed on, and who they are at its
 * beginning.  Keys are only measured here: the layer that knows them stands above this one. */
#include <stdio.h>

#include "types/genesis_priv.h"

enum {
    VALIDATORS_MAX = 256,
    RANDAO_KEY_LEN = 48,
    RANDAO_PROOF_LEN = 96,
    DAY_MS = 86400000,
    HOUR_MS = 3600000,
    DELTA_MS_MAX = 10000, /* patience is never longer */
};
#define EPOCH_BLOCKS_MAX ((u64)1 << 32)
#define WEIGHT_MAX       ((u64)1 << 32)

/* docs/formats/consensus.md "Schemes". */
typedef struct scheme_row {
    const char *name;
    u8 id;
    usize key_len, proof_len, randao_proof_len;
} scheme_row;

static const scheme_row schemes[] = {
    {"secp256k1", 1, 20, 0, RANDAO_PROOF_LEN},
    {"bls12-381", 2, 48, 96, RANDAO_PROOF_LEN},
    {"keyed-hash", 255, 32, 0, 0},
};

static kl_rule read_scheme(struct kl_genesis_reader *r, kl_json_ref ref, void *out)
{
    if (!kl_json_is(r->json, ref, KL_JSON_STRING))
        return kl_genesis_blame(r, KL_RULE_GENESIS_KIND, ref);
    for (usize i = 0; i < KL_COUNT_OF(schemes); i++)
        if (kl_json_equals(r->json, ref, schemes[i].name)) {
            *(u8 *)out = schemes[i].id;
            return KL_RULE_NONE;
        }
    return kl_genesis_blame(r, KL_RULE_GENESIS_UNSUPPORTED, ref);
}

static const scheme_row *scheme_of(u8 id)
{
    usize i = 0;
    while (schemes[i].id != id)
        i++;
    return &schemes[i];
}

static kl_rule read_epoch_blocks(struct kl_genesis_reader *r, kl_json_ref ref, void *out)
{
    return kl_genesis_range(r, ref, 1, EPOCH_BLOCKS_MAX, out);
}

static kl_rule read_period(struct kl_genesis_reader *r, kl_json_ref ref, void *out)
{
    return kl_genesis_range(r, ref, 1, HOUR_MS, out);
}

static kl_rule read_empty_period(struct kl_genesis_reader *r, kl_json_ref ref, void *out)
{
    return kl_genesis_range(r, ref, 0, DAY_MS, out);
}

static kl_rule read_delta(struct kl_genesis_reader *r, kl_json_ref ref, void *out)
{
    return kl_genesis_range(r, ref, 1, DELTA_MS_MAX, out);
}

static kl_rule read_weight(struct kl_genesis_reader *r, kl_json_ref ref, void *out)
{
    return kl_genesis_range(r, ref, 1, WEIGHT_MAX, out);
}

/* The list is read when the scheme is known. */
static kl_rule read_ref(KL_UNUSED struct kl_genesis_reader *r, kl_json_ref ref, void *out)
{
    *(kl_json_ref *)out = ref;
    return KL_RULE_NONE;
}

static kl_rule judge_len(struct kl_genesis_reader *r, kl_json_ref object, const char *name,
                         kl_span bytes, usize len)
{
    if (bytes.len == len)
        return KL_RULE_NONE;
    kl_json_ref ref = kl_json_member(r->json, object, name);
    kl_genesis_enter(r, kl_span_str(name));
    return ref == KL_JSON_NONE ? kl_genesis_blame(r, KL_RULE_GENESIS_MISSING, object)
                               : kl_genesis_blame(r, KL_RULE_HEX_LENGTH, ref);
}

static kl_rule read_validator(struct kl_genesis_reader *r, kl_json_ref ref,
                              const scheme_row *scheme, kl_genesis_validator *out)
{
    kl_genesis_validator v = {.weight = 1};
    const kl_genesis_field fields[] = {{
        "operator",
        kl_genesis_address,
        &v.operator,
        true },
        {"key", kl_genesis_data, &v.key, true},
        {"proof", kl_genesis_data, &v.proof, false},
        {"randaoKey", kl_genesis_data, &v.randao_key, true},
        {"randaoProof", kl_genesis_data, &v.randao_proof, false},
        {"weight", read_weight, &v.weight, false},
    };
    KL_JUDGE(kl_genesis_ours(r, ref, fields, KL_COUNT_OF(fields)));
    KL_JUDGE(judge_len(r, ref, "key", v.key, scheme->key_len));
    KL_JUDGE(judge_len(r, ref, "proof", v.proof, scheme->proof_len));
    KL_JUDGE(judge_len(r, ref, "randaoKey", v.randao_key, RANDAO_KEY_LEN));
    KL_JUDGE(judge_len(r, ref, "randaoProof", v.randao_proof, scheme->randao_proof_len));
    v.line = kl_json_line(r->json->text, r->json->nodes[ref].start);
    *out = v;
    return KL_RULE_NONE;
}

/* Steps into an element of a list; KL_NO_VERDICT without memory for its name. */
static kl_rule enter_element(struct kl_genesis_reader *r, usize index)
{
    char text[24];
    int len = snprintf(text, sizeof text, "%zu", index);
    kl_span name = kl_arena_copy(r->arena, kl_span_of(text, (usize)len));
    if (!name.p)
        return KL_NO_VERDICT;
    kl_genesis_enter(r, name);
    return KL_RULE_NONE;
}

static kl_rule read_validators(struct kl_genesis_reader *r, kl_json_ref list, kl_genesis *out)
{
    if (!kl_json_is(r->json, list, KL_JSON_ARRAY))
        return kl_genesis_blame(r, KL_RULE_GENESIS_KIND, list);
    usize count = r->json->nodes[list].count, i = 0;
    if (count == 0 || count > VALIDATORS_MAX)
        return kl_genesis_blame(r, KL_RULE_GENESIS_RANGE, list);
    kl_genesis_validator *validators = KL_TAKE(r->arena, kl_genesis_validator, count);
    if (!validators)
        return KL_NO_VERDICT;
    const scheme_row *scheme = scheme_of(out->spec.bft.scheme);
    for (kl_json_ref at = kl_json_first(r->json, list); at != KL_JSON_NONE;
         at = kl_json_after(r->json, list, at), i++) {
        KL_JUDGE(enter_element(r, i));
        KL_JUDGE(read_validator(r, at, scheme, &validators[i]));
        kl_genesis_leave(r);
    }
    out->validators = validators;
    out->validator_count = count;
    return KL_RULE_NONE;
}

kl_rule kl_genesis_bft(struct kl_genesis_reader *r, kl_json_ref bft, kl_genesis *out)
{
    kl_json_ref list = KL_JSON_NONE;
    kl_bft_spec *spec = &out->spec.bft;
    *spec = (kl_bft_spec){.scheme = schemes[0].id,
                          .epoch_blocks = 32,
                          .block_period_ms = 200,
                          .empty_period_ms = 10000,
                          .delta_ms = 500};
    const kl_genesis_field fields[] = {
        {"scheme", read_scheme, &spec->scheme, false},
        {"epochBlocks", read_epoch_blocks, &spec->epoch_blocks, false},
        {"blockPeriodMs", read_period, &spec->block_period_ms, false},
        {"emptyPeriodMs", read_empty_period, &spec->empty_period_ms, false},
        {"deltaMs", read_delta, &spec->delta_ms, false},
        {"policy", kl_genesis_address, &spec->policy, false},
        {"validators", read_ref, &list, true},
    };
    KL_JUDGE(kl_genesis_ours(r, bft, fields, KL_COUNT_OF(fields)));
    kl_genesis_enter(r, KL_SPAN_TEXT("validators"));
    KL_JUDGE(read_validators(r, list, out));
    kl_genesis_leave(r);
    return KL_RULE_NONE;
}

kl_rule kl_genesis_bft_fits(struct kl_genesis_reader *r, const kl_genesis *genesis)
{
    const kl_header *h = &genesis->header;
    const char *name = NULL;
    kl_rule rule = KL_RULE_GENESIS_EXCLUDES;
    kl_json_ref in = 0;
    if (h->timestamp > UINT64_MAX / 1000) {
        name = "timestamp";
        rule = KL_RULE_GENESIS_RANGE;
    } else if (h->extra_len != 0 && h->extra_len != KL_EXTRA_DATA_MAX) {
        name = "extraData";
        rule = KL_RULE_CONSENSUS_HASH;
    } else if (genesis->spec.dao_fork ||
               kl_spec_fork(&genesis->spec, 0, h->timestamp) < KL_CANCUN) {
        /* its extra data is another, and the parent's is reached through EIP-4788 */
        name = genesis->spec.dao_fork ? "daoForkBlock" : "cancunTime";
        in = kl_genesis_member(r, 0, "config");
        kl_genesis_enter(r, KL_SPAN_TEXT("config"));
    }
    if (!name)
        return KL_RULE_NONE;
    kl_json_ref ref = kl_genesis_member(r, in, name);
    kl_genesis_enter(r, kl_span_str(name));
    return kl_genesis_blame(r, rule, ref == KL_JSON_NONE ? in : ref);
}

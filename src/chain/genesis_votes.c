/* Consensus header 0 binds what a chain's members agreed on: config.keel and the validators of
 * epoch 0; the genesis block's extraData is its hash. */
#include <stdio.h>

#include "cert/policy.h"
#include "chain/bft_priv.h"
#include "codec/rlp.h"
#include "crypto/bls_sign.h"
#include "crypto/keccak.h"

/* keccak of config.keel with its defaults filled in; docs/formats/consensus.md has the list. */
static kl_hash config_hash(const kl_spec *spec)
{
    u8 room[256];
    kl_out out = kl_out_of(room, sizeof room);
    kl_rlp_mark config = kl_rlp_put_begin(&out);
    kl_rlp_put_bytes(&out, KL_SPAN_TEXT("simplex"));
    kl_rlp_put_u64(&out, spec->dev);
    kl_rlp_put_u64(&out, spec->base_fee_denominator);
    kl_rlp_put_u64(&out, spec->elasticity);
    kl_rlp_put_u64(&out, spec->max_block_bytes);
    kl_rlp_put_u64(&out, spec->repeat_timestamp);
    kl_rlp_mark bft = kl_rlp_put_begin(&out);
    kl_rlp_put_u64(&out, spec->bft.scheme);
    kl_rlp_put_u64(&out, spec->bft.epoch_blocks);
    kl_rlp_put_u64(&out, spec->bft.block_period_ms);
    kl_rlp_put_u64(&out, spec->bft.empty_period_ms);
    kl_rlp_put_u64(&out, spec->bft.delta_ms);
    kl_rlp_put_address(&out, &spec->bft.policy);
    kl_rlp_put_end(&out, bft);
    kl_rlp_put_end(&out, config);
    KL_ASSERT(!out.full);
    return kl_keccak256(kl_out_done(&out));
}

static bool randao_key_holds(const kl_vote_scheme *scheme, const kl_genesis_validator *given)
{
    static const u8 zeros[KL_RANDAO_KEY_LEN];
    if (scheme->id != KL_SCHEME_KEYED_HASH)
        return kl_bls_check_proof(given->randao_key.p, given->randao_proof.p);
    usize len = scheme->key_len;
    return memcmp(given->randao_key.p + len, zeros, sizeof zeros - len) == 0;
}

/* The file's reader has measured the keys. */
static kl_rule take_validator(kl_validator *out, const kl_vote_scheme *scheme,
                              const kl_genesis_validator *given)
{
    KL_ASSERT(given->key.len == scheme->key_len && given->randao_key.len == KL_RANDAO_KEY_LEN);
    if (!scheme->check_key(given->key.p, given->proof))
        return KL_RULE_VALSET_KEY;
    if (!randao_key_holds(scheme, given))
        return KL_RULE_VALSET_RANDAO_KEY;
    *out = (kl_validator){.weight = given->weight};
    memcpy(out->operator.b, given->operator.b, sizeof(kl_address));
    memcpy(out->key, given->key.p, given->key.len);
    memcpy(out->randao_key, given->randao_key.p, given->randao_key.len);
    return KL_RULE_NONE;
}

static kl_rule make_set(kl_valset *out, kl_validator *validators, const struct kl_chain *chain,
                        const kl_genesis *genesis, kl_file_fault *fault)
{
    const kl_vote_scheme *scheme = kl_vote_scheme_of(chain->spec.bft.scheme, chain->tests);
    kl_rule rule = scheme ? KL_RULE_NONE : KL_RULE_VALSET_SCHEME;
    usize line = 0, count = genesis->validator_count;
    char where[64] = "config.keel.bft.scheme";
    for (usize i = 0; i < count && rule == KL_RULE_NONE; i++) {
        rule = take_validator(&validators[i], scheme, &genesis->validators[i]);
        line = genesis->validators[i].line;
        snprintf(where, sizeof where, "config.keel.bft.validators.%zu", i);
    }
    if (rule == KL_RULE_NONE) {
        line = 0;
        snprintf(where, sizeof where, "config.keel.bft.validators");
        rule = kl_valset_init(out, scheme, validators, (u32)count);
    }
    if (rule != KL_RULE_NONE) {
        *fault = (kl_file_fault){.rule = rule, .line = line};
        memcpy(fault->where, where, sizeof where);
    }
    return rule;
}

static kl_consensus_header header_of(const kl_genesis *genesis, const kl_valset *set)
{
    return (kl_consensus_header){
        .version = KL_CONSENSUS_VERSION,
        .time_ms = genesis->header.timestamp * 1000,
        .next_set_hash = set->hash,
        .is_genesis = true,
        .config_hash = config_hash(&genesis->spec),
    };
}

/* What the file has for extraData: nothing, or the right thing. */
static bool extra_fits(const kl_header *header, const kl_consensus_header *consensus)
{
    kl_hash hash = kl_consensus_header_hash(consensus);
    kl_span extra = kl_span_of(header->extra_data, header->extra_len);
    return extra.len == 0 || kl_span_eq(extra, kl_hash_span(&hash));
}

kl_status kl_chain_learn_votes(struct kl_chain *chain, const kl_genesis *genesis,
                               kl_file_fault *fault)
{
    kl_valset set;
    struct kl_epoch *epoch;
    *fault = (kl_file_fault){.rule = KL_RULE_NONE};
    if (!kl_chain_votes(chain))
        return KL_OK;
    kl_validator *validators = KL_ZERO(&chain->arena, kl_validator, genesis->validator_count);
    if (!validators)
        return KL_NOMEM;
    if (make_set(&set, validators, chain, genesis, fault) != KL_RULE_NONE)
        return KL_OK;
    kl_consensus_header header = header_of(genesis, &set);
    if (!extra_fits(&genesis->header, &header)) {
        *fault = (kl_file_fault){.rule = KL_RULE_CONSENSUS_HASH, .where = "extraData"};
        return KL_OK;
    }
    KL_TRY(kl_epoch_new(&epoch, &chain->spec, 0, &set));
    kl_epoch_unref(chain->first_epoch);
    chain->first_epoch = epoch;
    chain->first_consensus = header;
    return KL_OK;
}

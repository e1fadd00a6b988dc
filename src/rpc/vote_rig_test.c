/* Three validators under secp256k1 who agree on everything. */
#include <stdlib.h>

#include "base/test.h"
#include "codec/hex.h"
#include "crypto/bls_sign.h"
#include "rpc/chain_rig_priv.h"

enum { VOTERS = 3 };

struct vote_rig {
    const kl_vote_scheme *scheme;
    u64 epoch_blocks;
    kl_secret32 vote_secret[VOTERS], randao_secret[VOTERS];
    kl_validator validator[VOTERS];
    kl_bft_plan plan;
    u8 proof[KL_RANDAO_PROOF_LEN];
    u8 room[KL_CERTIFICATE_MAX];
    kl_vote vote[VOTERS];
};

struct vote_rig *vote_rig_new(u64 epoch_blocks)
{
    struct vote_rig *votes = calloc(1, sizeof *votes);
    CHECK(votes);
    votes->scheme = kl_vote_scheme_of(KL_SCHEME_SECP256K1, false);
    votes->epoch_blocks = epoch_blocks;
    for (u8 i = 0; i < VOTERS; i++) {
        kl_validator *v = &votes->validator[i];
        votes->vote_secret[i].b[31] = (u8)(i + 1);
        votes->randao_secret[i].b[31] = (u8)(i + 101);
        v->weight = 1;
        v->operator.b[0] =(u8)(i + 1);
        CHECK(votes->scheme->public_key(v->key, &votes->vote_secret[i]));
        CHECK(kl_randao_key(v->randao_key, votes->scheme, &votes->randao_secret[i]));
    }
    return votes;
}

void vote_rig_free(struct vote_rig *votes)
{
    free(votes);
}

static void put_hex(struct kl_buf *out, const char *name, kl_span bytes)
{
    kl_buf_print(out, "\"%s\":\"0x", name);
    char *digits = (char *)kl_buf_extend(out, 2 * bytes.len);
    CHECK(digits);
    kl_hex_digits(digits, bytes);
    kl_buf_str(out, "\",");
}

void vote_rig_put_config(const struct vote_rig *votes, struct kl_buf *out)
{
    kl_buf_print(out,
                 "\"engine\":\"simplex\",\"bft\":{\"scheme\":\"secp256k1\",\"epochBlocks\":%llu,"
                 "\"validators\":[",
                 (unsigned long long)votes->epoch_blocks);
    for (usize i = 0; i < VOTERS; i++) {
        const kl_validator *v = &votes->validator[i];
        u8 proof[KL_BLS_SIGNATURE_LEN];
        CHECK(kl_bls_prove(proof, &votes->randao_secret[i]));
        kl_buf_str(out, i ? ",{" : "{");
        put_hex(out, "operator", kl_address_span(&v->operator));
        put_hex(out, "key", kl_span_of(v->key, votes->scheme->key_len));
        put_hex(out, "randaoKey", KL_SPAN_OF(v->randao_key));
        put_hex(out, "randaoProof", KL_SPAN_OF(proof));
        kl_buf_str(out, "\"weight\":1}");
    }
    kl_buf_str(out, "]}");
}

static usize who(const struct vote_rig *votes, const kl_validator *v)
{
    for (usize i = 0; i < VOTERS; i++)
        if (kl_address_eq(&votes->validator[i].operator, & v->operator))
            return i;
    KL_UNREACHABLE();
}

void vote_rig_plan(struct vote_rig *votes, struct kl_chain *chain, const struct kl_tip *head,
                   kl_build_plan *plan)
{
    const struct kl_epoch *epoch = head->epoch;
    const kl_vote_domain domain = kl_chain_vote_domain(chain);
    u64 view = kl_tip_floor(head).view + 1;
    const kl_validator *leader =
        &epoch->validators[kl_valset_leader(&epoch->set, epoch->number, view)];
    CHECK(kl_randao_sign(votes->proof, votes->scheme, &votes->randao_secret[who(votes, leader)],
                         &domain, epoch->number, view));
    votes->plan = (kl_bft_plan){
        .view = view, .time_ms = plan->timestamp * 1000, .randao_proof = votes->proof};
    plan->coinbase = leader->operator;
    plan->bft = &votes->plan;
}

static kl_certificate finalize(struct vote_rig *votes, struct kl_chain *chain,
                               const struct kl_tip *tip, const kl_valset *set)
{
    const kl_vote_domain domain = kl_chain_vote_domain(chain);
    const kl_vote_subject subject = {KL_VOTE_FINALIZE,
                                     {.epoch = tip->consensus.epoch,
                                      .view = tip->consensus.view,
                                      .parent_view = tip->consensus.parent_view,
                                      .height = tip->header.number,
                                      .parent_hash = tip->header.parent_hash,
                                      .block_hash = tip->hash}};
    const kl_vote *list[VOTERS];
    kl_certificate made;
    for (u32 i = 0; i < set->count; i++) {
        const kl_secret32 *secret = &votes->vote_secret[who(votes, &set->validators[i])];
        CHECK(kl_vote_sign(&votes->vote[i], &subject, i, votes->scheme, secret, &domain));
        list[i] = &votes->vote[i];
    }
    kl_certificate_make(&made, votes->room, list, set->count, set);
    return made;
}

void vote_rig_append(struct vote_rig *votes, struct kl_chain *chain, struct kl_tip *tip)
{
    struct kl_tip *head = kl_chain_head(chain);
    u64 number = tip->header.number;
    kl_certificate finalization = finalize(votes, chain, tip, &head->epoch->set);
    bool own = number % 3 || number == head->epoch->last_height;
    CHECK_OK(kl_chain_append_final(chain, tip, own ? &finalization : NULL));
    kl_tip_unref(head);
}

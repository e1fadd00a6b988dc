#include "chain/bft_world_priv.h"

#include <stdio.h>

#include "base/test.h"
#include "codec/hex.h"
#include "crypto/bls_sign.h"
#include "crypto/crypto.h"
#include "sim/disk.h"

const u8 bft_world_schemes[3] = {KL_SCHEME_KEYED_HASH, KL_SCHEME_SECP256K1, KL_SCHEME_BLS12_381};
const kl_address bft_world_policy = {{[18] = 0x4b, [19] = 1}};

static const char config[] =
    "{\"config\":{\"chainId\":4711,\"homesteadBlock\":0,\"eip150Block\":0,\"eip155Block\":0,"
    "\"eip158Block\":0,\"byzantiumBlock\":0,\"constantinopleBlock\":0,\"petersburgBlock\":0,"
    "\"istanbulBlock\":0,\"berlinBlock\":0,\"londonBlock\":0,\"terminalTotalDifficulty\":0,"
    "\"shanghaiTime\":0,\"cancunTime\":0%s,\"keel\":{\"engine\":\"simplex\",\"bft\":{";

static const kl_secret32 rich = {.b = {[31] = 9}};

static kl_address owner_of(void)
{
    kl_pubkey pubkey;
    CHECK(kl_secp256k1_pubkey(&pubkey, &rich));
    return kl_address_of_pubkey(&pubkey);
}

static void put_hex(struct kl_buf *out, const char *name, kl_span bytes)
{
    kl_buf_print(out, "\"%s\":\"0x", name);
    char *digits = (char *)kl_buf_extend(out, 2 * bytes.len);
    CHECK(digits);
    kl_hex_digits(digits, bytes);
    kl_buf_str(out, "\"");
}

void bft_world_proofs(const struct bft_world *w, u32 i, u8 key[KL_VOTE_PROOF_MAX],
                      u8 randao[KL_RANDAO_PROOF_LEN])
{
    if (w->scheme->proof_len)
        CHECK(w->scheme->prove(key, &w->vote_secret[i]));
    if (w->scheme->id != KL_SCHEME_KEYED_HASH)
        CHECK(kl_bls_prove(randao, &w->randao_secret[i]));
}

static void put_validator(struct kl_buf *out, const struct bft_world *w, u32 i)
{
    const kl_validator *v = &w->validator[i];
    bool last = i + 1 == w->count;
    u8 key[KL_VOTE_PROOF_MAX], randao[KL_RANDAO_PROOF_LEN];
    bft_world_proofs(w, i, key, randao);
    if (last && w->damaged_proof)
        (w->damaged_proof == 1 ? key : randao)[40] ^= 1;
    put_hex(out, "operator", kl_address_span(&v->operator));
    kl_buf_str(out, ",");
    put_hex(out, "key", kl_span_of(v->key, w->scheme->key_len));
    kl_buf_str(out, ",");
    put_hex(out, "randaoKey", KL_SPAN_OF(v->randao_key));
    if (w->scheme->proof_len) {
        kl_buf_str(out, ",");
        put_hex(out, "proof", kl_span_of(key, w->scheme->proof_len));
    }
    if (w->scheme->id != KL_SCHEME_KEYED_HASH) {
        kl_buf_str(out, ",");
        put_hex(out, "randaoProof", KL_SPAN_OF(randao));
    }
    kl_buf_print(out, ",\"weight\":%llu", (unsigned long long)v->weight);
}

static void put_genesis(struct kl_buf *out, const struct bft_world *w)
{
    static const char *const names[] = {[1] = "secp256k1", [2] = "bls12-381", [255] = "keyed-hash"};
    kl_address owner = owner_of();
    kl_buf_print(out, config, w->forks);
    kl_buf_print(out, "\"scheme\":\"%s\",\"epochBlocks\":%llu,", names[w->scheme->id],
                 (unsigned long long)w->epoch_blocks);
    if (w->policy_code.len || w->policy_alloc.len) {
        put_hex(out, "policy", kl_address_span(&bft_world_policy));
        kl_buf_str(out, ",");
    }
    kl_buf_str(out, "\"validators\":[");
    for (u32 i = 0; i < w->count; i++) {
        kl_buf_str(out, i ? ",{" : "{");
        put_validator(out, w, i);
        kl_buf_str(out, "}");
    }
    kl_buf_print(out,
                 "]}}},\"timestamp\":\"0x3e8\",\"gasLimit\":\"0x1c9c380\",\"difficulty\":\"0x0\"%s,"
                 "\"alloc\":{",
                 w->more);
    char text[43];
    kl_address_text(text, &owner);
    kl_buf_print(out, "\"%s\":{\"balance\":\"0xde0b6b3a7640000\"}", text);
    if (w->policy_code.len) {
        kl_address_text(text, &bft_world_policy);
        kl_buf_print(out, ",\"%s\":{\"balance\":\"0x0\",", text);
        put_hex(out, "code", w->policy_code);
        kl_buf_str(out, "}");
    }
    if (w->policy_alloc.len) {
        kl_buf_str(out, ",");
        kl_buf_span(out, w->policy_alloc);
    }
    kl_buf_str(out, "}}");
    CHECK(!out->failed);
}

kl_status bft_world_try_open(struct bft_world *w, bool tests)
{
    struct kl_buf text;
    kl_buf_init(&text, 1 << 20);
    put_genesis(&text, w);
    const kl_chain_config c = {
        .fs = kl_sim_disk_fs(w->disk),
        .kv = w->kv,
        .genesis = kl_buf_view(&text),
        .segment_bytes = w->segment_bytes,
        .tests = tests,
        .keep_blocks = w->keep_blocks,
        .keep_history = w->keep_history,
        .pin = w->pin,
    };
    kl_status status = kl_chain_open(&w->chain, &c, NULL, &w->report);
    kl_buf_done(&text);
    return status;
}

static void make_validator(struct bft_world *w, u32 i)
{
    kl_validator *v = &w->validator[i];
    w->vote_secret[i] = (kl_secret32){.b = {[30] = 1, [31] = (u8)(i + 1)}};
    w->randao_secret[i] = (kl_secret32){.b = {[30] = 2, [31] = (u8)(i + 1)}};
    *v = (kl_validator){.weight = 1};
    v->operator.b[0] = 0xee;
    v->operator.b[19] =(u8)(i + 1);
    CHECK(w->scheme->public_key(v->key, &w->vote_secret[i]));
    CHECK(kl_randao_key(v->randao_key, w->scheme, &w->randao_secret[i]));
}

void bft_world_init(struct bft_world *w, u8 scheme, u32 count, u64 epoch_blocks)
{
    *w = (struct bft_world){.scheme = kl_vote_scheme_of(scheme, true),
                            .count = count,
                            .epoch_blocks = epoch_blocks,
                            .forks = "",
                            .more = "",
                            .segment_bytes = 1 << 20};
    kl_arena_init(&w->arena, SIZE_MAX);
    for (u32 i = 0; i < BFT_WORLD_MAX; i++)
        make_validator(w, i);
    CHECK_OK(kl_exec_new(&w->exec, &(kl_exec_config){
                                       .evm_memory_limit = 1 << 28,
                                       .journal_memory_limit = 1 << 28,
                                   }));
    CHECK_OK(kl_run_new(&w->run, w->exec));
    CHECK_OK(kl_sim_disk_new(&w->disk));
    CHECK_OK(kl_memkv_open(&w->kv, KL_TABLE_COUNT));
}

void bft_world_begin(struct bft_world *w)
{
    CHECK_OK(bft_world_try_open(w, true));
}

void bft_world_done(struct bft_world *w)
{
    kl_chain_close(w->chain);
    kl_run_free(w->run);
    kl_exec_free(w->exec);
    kl_kv_close(w->kv);
    kl_sim_disk_free(w->disk);
    kl_arena_done(&w->arena);
}

void bft_world_reopen(struct bft_world *w, bool forget_state)
{
    kl_chain_close(w->chain);
    w->chain = NULL;
    if (forget_state) {
        kl_kv_close(w->kv);
        CHECK_OK(kl_memkv_open(&w->kv, KL_TABLE_COUNT));
    }
    CHECK_OK(bft_world_try_open(w, true));
}

void bft_world_refresh(struct bft_world *w)
{
    struct kl_tip *head = kl_chain_head(w->chain);
    struct kl_view *view;
    kl_account account;
    bool exists;
    kl_address owner = owner_of();
    kl_hash hash = kl_keccak256(kl_address_span(&owner));
    CHECK_OK(kl_chain_view(w->chain, head, &view));
    CHECK_OK(kl_view_account(view, &hash, &account, &exists));
    w->nonce = account.nonce;
    kl_view_close(view);
    kl_tip_unref(head);
}

const kl_tx *bft_world_sign(struct bft_world *w, const kl_tx *fields)
{
    kl_tx *tx = KL_ZERO(&w->arena, kl_tx, 1), made = *fields;
    kl_rule broken;
    CHECK(tx);
    CHECK_OK(kl_tx_sign(&made, &rich, &w->arena));
    CHECK_OK(kl_tx_decode(tx, made.raw, KL_FORK_NEWEST, &w->arena, &broken));
    CHECK_RULE(broken, KL_RULE_NONE);
    CHECK_RULE(kl_tx_recover(tx, KL_FORK_NEWEST), KL_RULE_NONE);
    return tx;
}

const kl_tx *bft_world_tx(struct bft_world *w)
{
    const kl_tx tx = {
        .type = KL_TX_DYNAMIC_FEE,
        .replay_safe = true,
        .chain_id = 4711,
        .nonce = w->nonce++,
        .gas_limit = 21000,
        .max_fee = kl_u256_of(5000000000),
        .max_priority_fee = kl_u256_of(1000000000),
        .value = kl_u256_of(1),
        .has_to = true,
        .to = {{0xbb}},
    };
    return bft_world_sign(w, &tx);
}

/* Transfers from nonce on, as many as are wanted. */
struct transfers {
    struct kl_tx_source source;
    struct bft_world *w;
    usize left;
};

static const kl_tx *next_transfer(struct kl_tx_source *source, KL_UNUSED u64 gas_left)
{
    struct transfers *t = (struct transfers *)source;
    return t->left ? bft_world_tx(t->w) : NULL;
}

static void transfer_done(struct kl_tx_source *source, KL_UNUSED const kl_tx *tx,
                          KL_UNUSED const kl_tx_result *result, kl_rule broken)
{
    CHECK_RULE(broken, KL_RULE_NONE);
    ((struct transfers *)source)->left--;
}

static u32 place_of(const struct bft_world *w, const kl_validator *v)
{
    for (u32 i = 0; i < BFT_WORLD_MAX; i++)
        if (memcmp(w->validator[i].operator.b, v->operator.b, sizeof(kl_address)) == 0)
            return i;
    KL_UNREACHABLE();
}

struct kl_tip *bft_world_build(struct bft_world *w, struct kl_tip *parent, usize count, u64 step_ms)
{
    struct transfers t = {
        .source = {.next = next_transfer, .done = transfer_done}, .w = w, .left = count};
    const struct kl_epoch *epoch = parent->epoch;
    const kl_vote_domain domain = kl_chain_vote_domain(w->chain);
    u8 proof[KL_RANDAO_PROOF_LEN];
    u64 view = kl_tip_floor(parent).view + 1 + w->gap;
    u32 leader = kl_valset_leader(&epoch->set, epoch->number, view);
    u32 who = place_of(w, &epoch->validators[leader]);
    CHECK(kl_randao_sign(proof, w->scheme, &w->randao_secret[who], &domain, epoch->number, view));
    const kl_bft_plan bft = {.view = view,
                             .time_ms = parent->consensus.time_ms + step_ms,
                             .randao_proof = proof,
                             .fork_signal = 5};
    const kl_build_plan plan = {.gas_limit = parent->header.gas_limit,
                                .coinbase = epoch->validators[leader].operator,
                                .tx_max = UINT64_MAX,
                                .bft = &bft};
    struct kl_tip *tip;
    u64 nonce = w->nonce;
    struct kl_tx_source *source = w->source ? w->source : &t.source;
    CHECK_OK(kl_chain_build(w->chain, w->run, parent, &plan, source, &tip));
    CHECK_U64(w->nonce, nonce + (w->source ? 0 : count));
    return tip;
}

kl_span bft_world_body(struct bft_world *w, const struct kl_tip *tip)
{
    struct kl_buf out;
    kl_buf_init(&out, KL_BODY_MAX);
    kl_body_of_tip(&out, tip);
    kl_span copy = kl_arena_copy(&w->arena, kl_buf_view(&out));
    CHECK(copy.p);
    kl_buf_done(&out);
    return copy;
}

kl_rule bft_world_judge(struct bft_world *w, struct kl_tip *parent, kl_span body,
                        struct kl_tip **out)
{
    kl_rule broken;
    CHECK_OK(kl_chain_judge(w->chain, w->run, parent, body, out, &broken));
    return broken;
}

kl_proposal bft_world_proposal(const struct kl_tip *tip)
{
    return (kl_proposal){.epoch = tip->consensus.epoch,
                         .view = tip->consensus.view,
                         .parent_view = tip->consensus.parent_view,
                         .height = tip->header.number,
                         .parent_hash = tip->header.parent_hash,
                         .block_hash = tip->hash};
}

kl_certificate bft_world_certificate(struct bft_world *w, const kl_vote_subject *subject,
                                     const kl_valset *set)
{
    static kl_vote votes[BFT_WORLD_MAX];
    const kl_vote *list[BFT_WORLD_MAX];
    const kl_vote_domain domain = kl_chain_vote_domain(w->chain);
    u64 weight = 0;
    u32 n = 0;
    for (; weight < kl_valset_quorum(set); n++) {
        u32 who = place_of(w, &set->validators[n]);
        CHECK(kl_vote_sign(&votes[n], subject, n, w->scheme, &w->vote_secret[who], &domain));
        list[n] = &votes[n];
        weight += set->validators[n].weight;
    }
    u8 *room = KL_TAKE(&w->arena, u8, KL_CERTIFICATE_ROOM(w->scheme, n));
    kl_certificate made;
    CHECK(room);
    kl_certificate_make(&made, room, list, n, set);
    return made;
}

void bft_world_take(struct bft_world *w, struct kl_tip *tip, bool final)
{
    struct kl_tip *head = kl_chain_head(w->chain);
    const kl_vote_subject subject = {KL_VOTE_FINALIZE, bft_world_proposal(tip)};
    kl_certificate certificate;
    if (final)
        certificate = bft_world_certificate(w, &subject, &head->epoch->set);
    CHECK_OK(kl_chain_append_final(w->chain, tip, final ? &certificate : NULL));
    CHECK_OK(kl_chain_write(w->chain));
    CHECK_OK(kl_chain_sync(w->chain));
    kl_chain_publish(w->chain, true, NULL, NULL);
    kl_tip_unref(head);
    kl_tip_unref(tip);
}

void bft_world_grow(struct bft_world *w, usize blocks)
{
    for (usize i = 0; i < blocks; i++) {
        struct kl_tip *head = kl_chain_head(w->chain);
        w->gap = head->header.number % 5 == 3 ? 2 : 0;
        struct kl_tip *tip = bft_world_build(w, head, i % 3, 300);
        bool last = tip->header.number == head->epoch->last_height;
        bft_world_take(w, tip, last || tip->header.number % 3);
        kl_tip_unref(head);
    }
    w->gap = 0;
}

void bft_world_flush(struct bft_world *w)
{
    for (bool more = true; more;)
        CHECK_OK(kl_chain_flush(w->chain, true, &more));
}

void bft_world_verify(struct bft_world *w, kl_verify_result *result)
{
    struct kl_kv *scratch;
    struct kl_sim_disk *scratch_disk;
    CHECK_OK(kl_memkv_open(&scratch, KL_TABLE_COUNT));
    CHECK_OK(kl_sim_disk_new(&scratch_disk));
    const kl_verify_config c = {
        .fs = kl_sim_disk_fs(w->disk),
        .scratch = scratch,
        .scratch_fs = kl_sim_disk_fs(scratch_disk),
        .tests = true,
    };
    CHECK_OK(kl_chain_verify(&c, NULL, result));
    kl_kv_close(scratch);
    kl_sim_disk_free(scratch_disk);
}

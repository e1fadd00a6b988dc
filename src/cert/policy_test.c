#include "cert/cert_rig_priv.h"
#include "cert/policy.h"
#include "crypto/bls_sign.h"

enum { COUNT = 4 };

/* What the contract would answer about the validators of a rig. */
struct answer {
    kl_policy_entry entries[KL_VALIDATORS_MAX + 1];
    u8 proofs[2][COUNT][KL_BLS_SIGNATURE_LEN];
    u8 room[KL_POLICY_ANSWER_MAX + 4096];
    kl_span bytes;
};

static cert_rig rig;
static struct answer answer;
static struct kl_arena arena;

static void write_answer(usize count)
{
    kl_out out = kl_out_of(answer.room, sizeof answer.room);
    kl_policy_put_answer(&out, answer.entries, count, rig.scheme);
    CHECK(!out.full);
    answer.bytes = kl_out_done(&out);
}

static void prepare(u8 scheme, u64 *seed)
{
    cert_rig_init(&rig, scheme, COUNT, 5, seed);
    for (u32 i = 0; i < COUNT; i++) {
        kl_secret32 secret = rig.secrets[i];
        kl_validator *v = &rig.validators[i];
        secret.b[31] ^= 1;
        if (scheme != KL_SCHEME_KEYED_HASH) {
            CHECK(kl_bls_public_key(v->randao_key, &secret));
            CHECK(kl_bls_prove(answer.proofs[1][i], &secret));
        }
        if (rig.scheme->prove)
            CHECK(rig.scheme->prove(answer.proofs[0][i], &rig.secrets[i]));
        answer.entries[i] = (kl_policy_entry){
            .validator = *v,
            .key_proof = kl_span_of(answer.proofs[0][i], rig.scheme->proof_len),
            .randao_proof = kl_span_of(answer.proofs[1][i], kl_randao_proof_len(rig.scheme))};
    }
    CHECK_RULE(kl_valset_init(&rig.set, rig.scheme, rig.validators, COUNT), KL_RULE_NONE);
    write_answer(COUNT);
}

static kl_rule decode(kl_valset *out, u32 *left_out, const kl_valset *current, u64 epoch)
{
    kl_rule broken;
    CHECK_OK(kl_policy_decode(out, left_out, answer.bytes, current, epoch, true, &arena, &broken));
    return broken;
}

/* Decodes, which must go well, to a set of validators that are the rig's but for the changed. */
static kl_valset decoded(const kl_valset *current, u64 epoch, u32 want_count, u32 want_left_out)
{
    kl_valset set;
    u32 left_out;
    CHECK_RULE(decode(&set, &left_out, current, epoch), KL_RULE_NONE);
    CHECK_U64(set.count, want_count);
    CHECK_U64(left_out, want_left_out);
    return set;
}

KL_TEST(policy_reads_the_list_in_its_order)
{
    kl_arena_init(&arena, 1 << 20);
    for (usize i = 0; i < KL_COUNT_OF(cert_schemes); i++) {
        prepare(cert_schemes[i], seed);
        kl_valset set = decoded(NULL, 0, COUNT, 0);
        CHECK(kl_hash_eq(&set.hash, &rig.set.hash));
        CHECK(set.scheme == rig.scheme);
        set = decoded(&rig.set, 1000, COUNT, 0);
        CHECK(kl_hash_eq(&set.hash, &rig.set.hash));
    }
    kl_arena_done(&arena);
}

/* Who has no proof is left out, unless the current set vouches for the key. */
KL_TEST(policy_leaves_out_who_proves_nothing)
{
    kl_arena_init(&arena, 1 << 20);
    for (usize i = 0; i < 2; i++) {
        prepare(cert_schemes[i], seed);
        answer.proofs[1][2][50] ^= 1;
        write_answer(COUNT);
        kl_valset set = decoded(NULL, 0, COUNT - 1, 1);
        CHECK(kl_address_eq(&set.validators[2].operator, & rig.validators[3].operator));
        (void)decoded(&rig.set, 0, COUNT, 0);
        if (rig.scheme->proof_len) {
            answer.proofs[0][0][50] ^= 1;
            write_answer(COUNT);
            (void)decoded(NULL, 0, COUNT - 2, 2);
        }
        memset(answer.entries[1].validator.key, 0, KL_VOTE_KEY_MAX); /* no key at all */
        answer.entries[1].seen = 8;
        write_answer(COUNT);
        (void)decoded(&rig.set, 9, COUNT - 1, 1);
    }
    kl_arena_done(&arena);
}

KL_TEST(policy_leaves_out_who_stands_twice_or_weighs_wrong)
{
    kl_arena_init(&arena, 1 << 20);
    prepare(KL_SCHEME_KEYED_HASH, seed);
    answer.entries[1].validator.operator= answer.entries[0].validator.operator;
    memcpy(answer.entries[3].validator.key, answer.entries[2].validator.key, KL_VOTE_KEY_MAX);
    write_answer(COUNT);
    (void)decoded(NULL, 0, 2, 2);
    prepare(KL_SCHEME_KEYED_HASH, seed);
    answer.entries[0].validator.weight = 0;
    answer.entries[1].validator.weight = KL_WEIGHT_MAX - 1;
    answer.entries[2].validator.weight = 2;
    answer.entries[3].validator.weight = 1;
    write_answer(COUNT);
    kl_valset set = decoded(NULL, 0, 2, 2);
    CHECK_U64(set.weight, KL_WEIGHT_MAX);
    kl_arena_done(&arena);
}

/* Who comes, or comes with other keys, must have been seen in this epoch or the one before. */
KL_TEST(policy_waits_for_who_was_not_seen)
{
    kl_arena_init(&arena, 1 << 20);
    prepare(KL_SCHEME_KEYED_HASH, seed);
    kl_valset three, set;
    CHECK_RULE(kl_valset_init(&three, rig.scheme, rig.validators, 3), KL_RULE_NONE);
    static const struct {
        u64 seen, epoch;
        bool counts;
    } rows[] = {{0, 1, true},
                {7, 8, true},
                {8, 8, true},
                {6, 8, false},
                {9, 8, false} /* not yet */,
                {0, UINT64_MAX, false},
                {UINT64_MAX, 0, false}};
    for (usize i = 0; i < KL_COUNT_OF(rows); i++) {
        prepare(KL_SCHEME_KEYED_HASH, seed);
        CHECK_RULE(kl_valset_init(&three, rig.scheme, rig.validators, 3), KL_RULE_NONE);
        answer.entries[3].seen = rows[i].seen;
        answer.entries[0].seen = rows[i].seen;
        answer.entries[0].validator.key[0] ^= 1;
        answer.entries[0].validator.weight = 77;
        answer.entries[1].seen = rows[i].seen;
        answer.entries[1].validator.randao_key[0] ^= 1;
        write_answer(COUNT);
        set = decoded(&three, rows[i].epoch, rows[i].counts ? 4 : 3, 0);
        bool same = memcmp(set.validators[0].key, rig.validators[0].key, KL_VOTE_KEY_MAX) == 0;
        CHECK(same == !rows[i].counts);
        CHECK(set.validators[1].randao_key[0] == (rows[i].counts ? 1 : 0));
        CHECK_U64(set.validators[0].weight, 77);
    }
    kl_arena_done(&arena);
}

/* No prefix of an answer is one, and what is refused leaves the outputs alone. */
KL_TEST(policy_refuses_what_is_malformed)
{
    kl_valset set = {.count = 77};
    u32 left_out = 99;
    kl_arena_init(&arena, 8 << 20);
    prepare(KL_SCHEME_SECP256K1, seed);
    kl_span whole = answer.bytes;
    for (usize cut = 0; cut < whole.len; cut++) {
        answer.bytes = kl_span_sub(whole, 0, cut);
        CHECK_RULE(decode(&set, &left_out, NULL, 0), KL_RULE_ABI_SHORT);
        kl_arena_reset(&arena, SIZE_MAX);
    }
    answer.bytes = whole;
    static cert_rig other;
    cert_rig_init(&other, KL_SCHEME_BLS12_381, 1, 1, seed);
    CHECK_RULE(decode(&set, &left_out, &other.set, 0), KL_RULE_VALSET_SCHEME);
    answer.room[31] = 77;
    CHECK_RULE(decode(&set, &left_out, NULL, 0), KL_RULE_VALSET_SCHEME);
    write_answer(0);
    CHECK_RULE(decode(&set, &left_out, NULL, 0), KL_RULE_VALSET_EMPTY);
    for (usize i = COUNT; i <= KL_VALIDATORS_MAX; i++)
        answer.entries[i] = answer.entries[0];
    write_answer(KL_VALIDATORS_MAX + 1);
    CHECK_RULE(decode(&set, &left_out, NULL, 0), KL_RULE_VALSET_SIZE);
    write_answer(KL_VALIDATORS_MAX);
    CHECK(answer.bytes.len <= KL_POLICY_ANSWER_MAX);
    for (usize i = 0; i < COUNT; i++)
        answer.entries[i].validator.weight = 0;
    write_answer(COUNT);
    CHECK_RULE(decode(&set, &left_out, NULL, 0), KL_RULE_VALSET_EMPTY);
    prepare(KL_SCHEME_BLS12_381, seed);
    answer.entries[3].key_proof.len--;
    write_answer(COUNT);
    CHECK_RULE(decode(&set, &left_out, NULL, 0), KL_RULE_POLICY_KEY);
    answer.entries[3].key_proof.len++;
    answer.entries[3].randao_proof.len = 0;
    write_answer(COUNT);
    CHECK_RULE(decode(&set, &left_out, NULL, 0), KL_RULE_POLICY_KEY);
    CHECK_U64(set.count, 77);
    CHECK_U64(left_out, 99);
    kl_arena_done(&arena);
}

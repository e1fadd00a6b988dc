#include "node/validator_key.h"

#include "codec/hex.h"
#include "codec/json.h"
#include "crypto/address.h"
#include "crypto/bls_sign.h"
#include "crypto/secp256k1.h"
#include "sys/env.h"
#include "sys/fs.h"

#define FILE_NAME "key.json"
#define FILE_TMP  "key.tmp"

enum {
    VERSION = 1,
    TEXT_MAX = 1024,
    NODES_MAX = 32,
};

/* The secrets by their names in the file. */
static const struct {
    const char *name;
    usize offset;
} secrets[] = {
    {"operator", offsetof(kl_validator_key, operator_secret)},
    {"vote", offsetof(kl_validator_key, vote_secret)},
    {"randao", offsetof(kl_validator_key, randao_secret)},
};

static kl_secret32 *secret_at(kl_validator_key *key, usize i)
{
    return (kl_secret32 *)((char *)key + secrets[i].offset);
}

static const kl_secret32 *secret_of(const kl_validator_key *key, usize i)
{
    return (const kl_secret32 *)((const char *)key + secrets[i].offset);
}

static bool operator_of(kl_address *out, const kl_secret32 *secret)
{
    kl_pubkey pubkey;
    if (!kl_secp256k1_pubkey(&pubkey, secret))
        return false;
    *out = kl_address_of_pubkey(&pubkey);
    return true;
}

/* Every secret is one: in the range of its group. */
static bool is_good(const kl_validator_key *key)
{
    kl_address operator;
    u8 vote[KL_VOTE_KEY_MAX], randao[KL_RANDAO_KEY_LEN];
    return operator_of(&operator, & key->operator_secret) &&
           key->scheme->public_key(vote, &key->vote_secret) &&
           kl_randao_key(randao, key->scheme, &key->randao_secret);
}

void kl_validator_key_new(kl_validator_key *out, const kl_vote_scheme *scheme)
{
    out->scheme = scheme;
    do /* the odds of a second round are nil for one curve, and one in two for the other */
        for (usize i = 0; i < KL_COUNT_OF(secrets); i++)
            kl_entropy_fill(kl_sys_entropy(), secret_at(out, i)->b, sizeof(kl_secret32));
    while (!is_good(out));
}

void kl_validator_key_wipe(kl_validator_key *key)
{
    kl_wipe(key, sizeof *key);
}

void kl_validator_key_entry(kl_policy_entry *out, kl_validator_proofs *room,
                            const kl_validator_key *key, u64 weight)
{
    const kl_vote_scheme *scheme = key->scheme;
    *out = (kl_policy_entry){
        .validator = {.weight = weight},
        .key_proof = kl_span_of(room->key, scheme->proof_len),
        .randao_proof = kl_span_of(room->randao, kl_randao_proof_len(scheme)),
    };
    KL_ASSERT(operator_of(&out->validator.operator, & key->operator_secret));
    KL_ASSERT(scheme->public_key(out->validator.key, &key->vote_secret));
    KL_ASSERT(kl_randao_key(out->validator.randao_key, scheme, &key->randao_secret));
    if (scheme->proof_len)
        KL_ASSERT(scheme->prove(room->key, &key->vote_secret));
    if (out->randao_proof.len)
        KL_ASSERT(kl_bls_prove(room->randao, &key->randao_secret));
}

/* --- the file --- */

static usize write_text(char out[TEXT_MAX], const kl_validator_key *key)
{
    kl_out to = kl_out_of(out, TEXT_MAX);
    kl_out_span(&to, kl_span_str("{\n  \"version\": 1,\n  \"scheme\": \""));
    kl_out_span(&to, kl_span_str(key->scheme->name));
    kl_out_span(&to, kl_span_str("\""));
    for (usize i = 0; i < KL_COUNT_OF(secrets); i++) {
        char digits[64];
        kl_hex_digits(digits, KL_SPAN_OF(secret_of(key, i)->b));
        kl_out_span(&to, kl_span_str(",\n  \""));
        kl_out_span(&to, kl_span_str(secrets[i].name));
        kl_out_span(&to, kl_span_str("\": \"0x"));
        kl_out_bytes(&to, digits, sizeof digits);
        kl_out_span(&to, kl_span_str("\""));
        kl_wipe(digits, sizeof digits);
    }
    kl_out_span(&to, kl_span_str("\n}\n"));
    KL_ASSERT(!to.full);
    return to.len;
}

kl_status kl_validator_key_save(struct kl_fs *fs, const kl_validator_key *key)
{
    char text[TEXT_MAX];
    bool is_there;
    KL_TRY(kl_fs_has(fs, FILE_NAME, &is_there));
    if (is_there)
        return KL_BUSY;
    kl_status status =
        kl_fs_replace(fs, FILE_NAME, FILE_TMP, kl_span_of(text, write_text(text, key)));
    kl_wipe(text, sizeof text);
    return status;
}

static bool read_text(kl_validator_key *out, kl_span text, struct kl_arena *arena)
{
    struct kl_json json;
    kl_rule broken;
    usize at;
    kl_validator_key key = {0};
    if (kl_json_parse(&json, text, NODES_MAX, arena, &broken, &at) != KL_OK ||
        broken != KL_RULE_NONE)
        return false;
    kl_json_ref version = kl_json_member(&json, 0, "version");
    kl_json_ref scheme = kl_json_member(&json, 0, "scheme");
    bool good = kl_json_is(&json, version, KL_JSON_NUMBER) &&
                kl_span_eq(kl_json_raw(&json, version), KL_SPAN_TEXT("1"));
    for (u8 id = 0; id < UINT8_MAX; id++) {
        const kl_vote_scheme *s = kl_vote_scheme_of(id, false);
        if (s && kl_json_is(&json, scheme, KL_JSON_STRING) &&
            kl_json_equals(&json, scheme, s->name))
            key.scheme = s;
    }
    for (usize i = 0; i < KL_COUNT_OF(secrets) && good; i++) {
        kl_json_ref ref = kl_json_member(&json, 0, secrets[i].name);
        good = kl_json_is(&json, ref, KL_JSON_STRING) &&
               kl_hex_fixed(secret_at(&key, i)->b, sizeof(kl_secret32), kl_json_raw(&json, ref)) ==
                   KL_RULE_NONE;
    }
    good = good && key.scheme && is_good(&key);
    if (good)
        *out = key;
    kl_validator_key_wipe(&key);
    return good;
}

kl_status kl_validator_key_load(struct kl_fs *fs, kl_validator_key *out)
{
    KL_CLEANUP(kl_file_closep) struct kl_file *file = NULL;
    struct kl_arena arena;
    u8 text[TEXT_MAX];
    bool is_private;
    u64 size;
    KL_TRY(kl_sys_fs_is_private(fs, FILE_NAME, &is_private));
    if (!is_private)
        return KL_DENIED;
    KL_TRY(kl_fs_open(fs, &file, FILE_NAME, KL_OPEN_READ));
    KL_TRY(kl_file_size(file, &size));
    if (size > sizeof text)
        return KL_CORRUPT;
    KL_TRY(kl_file_read(file, text, (usize)size, 0));
    kl_arena_init(&arena, 1 << 16);
    bool good = read_text(out, kl_span_of(text, (usize)size), &arena);
    kl_arena_done(&arena);
    kl_wipe(text, sizeof text);
    return good ? KL_OK : KL_CORRUPT;
}

/* The contract's answer, entry by entry.  Proofs of possession are the dear part: two pairings a
 * proof.  They are asked for only where the current set does not vouch for a key, so that an epoch
 * in which nothing changes checks none. */
#include "cert/policy_priv.h"

#include "codec/abi.h"
#include "crypto/bls_sign.h"

enum { MEMBERS = 7, SEEN_WITHIN = 1 /* epochs before the one that ends */ };

static void put_entry(kl_out *out, const kl_policy_entry *e, const kl_vote_scheme *scheme)
{
    const kl_validator *v = &e->validator;
    const kl_span strings[] = {kl_span_of(v->key, scheme->key_len), e->key_proof,
                               KL_SPAN_OF(v->randao_key), e->randao_proof};
    kl_abi_put_address(out, &v->operator);
    kl_abi_put_u64(out, v->weight);
    kl_abi_put_u64(out, e->seen);
    usize offset = MEMBERS * KL_ABI_WORD;
    for (usize i = 0; i < KL_COUNT_OF(strings); i++) {
        kl_abi_put_u64(out, offset);
        offset += kl_abi_bytes_len(strings[i].len);
    }
    for (usize i = 0; i < KL_COUNT_OF(strings); i++)
        kl_abi_put_bytes(out, strings[i]);
}

void kl_policy_put_entries(kl_out *out, const kl_policy_entry *entries, usize count,
                           const kl_vote_scheme *scheme)
{
    usize offset = count * KL_ABI_WORD;
    kl_abi_put_u64(out, count);
    for (usize i = 0; i < count; i++) {
        kl_out counter = kl_out_counter();
        kl_abi_put_u64(out, offset);
        put_entry(&counter, &entries[i], scheme);
        offset += counter.len;
    }
    for (usize i = 0; i < count; i++)
        put_entry(out, &entries[i], scheme);
}

void kl_policy_put_answer(kl_out *out, const kl_policy_entry *entries, usize count,
                          const kl_vote_scheme *scheme)
{
    kl_abi_put_u64(out, scheme->id);
    kl_abi_put_u64(out, 2 * KL_ABI_WORD);
    kl_policy_put_entries(out, entries, count, scheme);
}

static kl_rule get_key(kl_span tuple, usize place, u8 *out, usize len)
{
    kl_span bytes = KL_SPAN_NONE;
    KL_JUDGE(kl_abi_bytes(tuple, place, &bytes));
    if (bytes.len != len)
        return KL_RULE_POLICY_KEY;
    memcpy(out, bytes.p, len);
    return KL_RULE_NONE;
}

static kl_rule get_proof(kl_span tuple, usize place, kl_span *out, usize len)
{
    KL_JUDGE(kl_abi_bytes(tuple, place, out));
    return out->len == len ? KL_RULE_NONE : KL_RULE_POLICY_KEY;
}

static kl_rule get_entry(kl_policy_entry *out, kl_span elements, usize place,
                         const kl_vote_scheme *scheme)
{
    kl_span tuple = KL_SPAN_NONE;
    kl_validator *v = &out->validator;
    memset(out, 0, sizeof *out);
    KL_JUDGE(kl_abi_tail(elements, place, &tuple));
    KL_JUDGE(kl_abi_address(tuple, 0, &v->operator));
    KL_JUDGE(kl_abi_u64(tuple, 1, &v->weight));
    KL_JUDGE(kl_abi_u64(tuple, 2, &out->seen));
    KL_JUDGE(get_key(tuple, 3, v->key, scheme->key_len));
    KL_JUDGE(get_proof(tuple, 4, &out->key_proof, scheme->proof_len));
    KL_JUDGE(get_key(tuple, 5, v->randao_key, sizeof v->randao_key));
    return get_proof(tuple, 6, &out->randao_proof, kl_randao_proof_len(scheme));
}

static bool has_key(const kl_validator *list, u32 count, const kl_vote_scheme *scheme,
                    const u8 *key)
{
    for (u32 i = 0; i < count; i++)
        if (memcmp(list[i].key, key, scheme->key_len) == 0)
            return true;
    return false;
}

static bool has_randao_key(const kl_valset *set, const u8 *key)
{
    for (u32 i = 0; i < set->count; i++)
        if (memcmp(set->validators[i].randao_key, key, KL_RANDAO_KEY_LEN) == 0)
            return true;
    return false;
}

static bool keys_hold(const kl_policy_entry *e, const kl_vote_scheme *scheme,
                      const kl_valset *current)
{
    const kl_validator *v = &e->validator;
    bool known = current && has_key(current->validators, current->count, scheme, v->key);
    if (!known && !scheme->check_key(v->key, e->key_proof))
        return false;
    return scheme->id == KL_SCHEME_KEYED_HASH ||
           (current && has_randao_key(current, v->randao_key)) ||
           kl_bls_check_proof(v->randao_key, e->randao_proof.p);
}

/* Who comes, or comes with other keys, must have said lately that it is there; else *v becomes what
 * it is in current.  False: it is not in there. */
static bool settle_seen(kl_policy_entry *e, const kl_valset *current, u64 epoch)
{
    if (!current)
        return true;
    const kl_validator *old =
        kl_validator_find(current->validators, current->count, &e->validator.operator);
    if ((old && kl_validator_same_keys(old, &e->validator, current->scheme)) ||
        (e->seen <= epoch && epoch - e->seen <= SEEN_WITHIN))
        return true;
    if (!old)
        return false;
    memcpy(e->validator.key, old->key, sizeof old->key);
    memcpy(e->validator.randao_key, old->randao_key, sizeof old->randao_key);
    return true;
}

struct list {
    kl_validator *validators;
    u32 count;
    u64 weight;
    u32 left_out;
};

static void add(struct list *list, kl_policy_entry *e, const kl_vote_scheme *scheme,
                const kl_valset *current, u64 epoch)
{
    const kl_validator *v = &e->validator;
    if (!settle_seen(e, current, epoch))
        return;
    if (v->weight == 0 || v->weight > KL_WEIGHT_MAX - list->weight ||
        kl_validator_find(list->validators, list->count, &v->operator) ||
        has_key(list->validators, list->count, scheme, v->key) || !keys_hold(e, scheme, current)) {
        list->left_out++;
        return;
    }
    list->validators[list->count++] = *v;
    list->weight += v->weight;
}

static kl_rule open_answer(kl_span answer, const kl_valset *current, bool tests,
                           const kl_vote_scheme **scheme, usize *count, kl_span *elements)
{
    u64 id = 0;
    KL_JUDGE(kl_abi_u64(answer, 0, &id));
    *scheme = id <= UINT8_MAX ? kl_vote_scheme_of((u8)id, tests) : NULL;
    if (!*scheme || (current && current->scheme != *scheme))
        return KL_RULE_VALSET_SCHEME;
    KL_JUDGE(kl_abi_array(answer, 1, count, elements));
    if (*count == 0)
        return KL_RULE_VALSET_EMPTY;
    return *count > KL_VALIDATORS_MAX ? KL_RULE_VALSET_SIZE : KL_RULE_NONE;
}

kl_status kl_policy_decode(kl_valset *out, u32 *left_out, kl_span answer, const kl_valset *current,
                           u64 epoch, bool tests, struct kl_arena *arena, kl_rule *broken)
{
    const kl_vote_scheme *scheme = NULL;
    kl_span elements = KL_SPAN_NONE;
    usize count = 0;
    kl_rule rule = open_answer(answer, current, tests, &scheme, &count, &elements);
    if (rule != KL_RULE_NONE) {
        *broken = rule;
        return KL_OK;
    }
    kl_policy_entry *entries = KL_TAKE(arena, kl_policy_entry, count);
    struct list list = {.validators = KL_ZERO(arena, kl_validator, count)};
    if (!entries || !list.validators)
        return KL_NOMEM;
    for (usize i = 0; i < count && rule == KL_RULE_NONE; i++) /* the form of all before any key */
        rule = get_entry(&entries[i], elements, i, scheme);
    for (usize i = 0; i < count && rule == KL_RULE_NONE; i++)
        add(&list, &entries[i], scheme, current, epoch);
    if (rule == KL_RULE_NONE)
        rule = kl_valset_init(out, scheme, list.validators, list.count);
    if (rule == KL_RULE_NONE)
        *left_out = list.left_out;
    *broken = rule;
    return KL_OK;
}

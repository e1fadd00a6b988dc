/* Operators vote validators in and out, one after the other: a proposal, votes of more than half,
 * and whoever is added says that it is there.  The next change waits until the chain has followed,
 * so that each set has enough honest weight. */
#include "chain/authority.h"
#include "crypto/bls_sign.h"
#include "crypto/keccak.h"
#include "lab/oracle_priv.h"
#include "lab/work_priv.h"

enum { ADD, REMOVE };

void kl_lab_keys_of(const struct kl_lab *lab, u32 i, struct kl_lab_keys *out)
{
    const kl_vote_scheme *scheme = lab->scheme;
    const kl_secret32 *secret = &lab->secrets[i];
    *out = (struct kl_lab_keys){.entry.validator.weight = lab->plan.weights[i]};
    kl_validator *v = &out->entry.validator;
    v->operator= kl_lab_work_operator(lab, i);
    KL_ASSERT(scheme->public_key(v->key, secret) && kl_randao_key(v->randao_key, scheme, secret));
    if (scheme->proof_len)
        KL_ASSERT(scheme->prove(out->key_proof, secret));
    if (kl_randao_proof_len(scheme))
        KL_ASSERT(kl_bls_prove(out->randao_proof, secret));
    out->entry.key_proof = kl_span_of(out->key_proof, scheme->proof_len);
    out->entry.randao_proof = kl_span_of(out->randao_proof, kl_randao_proof_len(scheme));
}

static void put_word(struct kl_buf *out, const u8 *bytes, usize len)
{
    kl_buf_print(out, "\"0x");
    for (usize i = 0; i < len; i++)
        kl_buf_print(out, "%02x", bytes[i]);
    kl_buf_print(out, "\"");
}

void kl_lab_govern_alloc(struct kl_lab *lab, struct kl_buf *out)
{
    static struct kl_lab_keys keys[KL_LAB_VALIDATORS_MAX];
    kl_policy_entry entries[KL_LAB_VALIDATORS_MAX];
    struct kl_arena arena;
    kl_alloc account;
    kl_rule broken;
    for (u32 i = 0; i < lab->plan.validators; i++) {
        kl_lab_keys_of(lab, i, &keys[i]);
        entries[i] = keys[i].entry;
        lab->govern.members |= 1u << i;
    }
    const kl_authority_genesis genesis = {.scheme = lab->scheme,
                                          .mode = KL_AUTHORITY_REPORT,
                                          .entries = entries,
                                          .count = lab->plan.validators};
    kl_arena_init(&arena, SIZE_MAX);
    KL_ASSERT(kl_authority_account(&account, &genesis, &arena, &broken) == KL_OK);
    KL_ASSERT(broken == KL_RULE_NONE);
    kl_buf_print(out, ",");
    put_word(out, account.address.b, sizeof account.address.b);
    kl_buf_print(out, ":{\"balance\":\"0x0\",\"code\":");
    put_word(out, account.code.p, account.code.len);
    kl_buf_print(out, ",\"storage\":{");
    for (usize i = 0; i < account.slot_count; i++) {
        u8 value[32];
        kl_u256_to_be(value, account.values[i]);
        kl_buf_print(out, i ? "," : "");
        put_word(out, account.keys[i].b, sizeof account.keys[i].b);
        kl_buf_print(out, ":");
        put_word(out, value, sizeof value);
    }
    kl_buf_print(out, "}}");
    kl_arena_done(&arena);
}

/* --- what operators do --- */

static void call(struct kl_lab *lab, u32 operator, const char * function, const u64 *words,
                 usize count, const kl_address *address)
{
    u8 data[4 + 3 * 32] = {0};
    kl_hash hash = kl_keccak256(kl_span_str(function));
    memcpy(data, hash.b, 4);
    for (usize i = 0; i < count; i++)
        kl_store_be64(data + 4 + 32 * i + 24, words[i]);
    if (address)
        memcpy(data + 4 + 32 + 12, address->b, sizeof address->b);
    kl_lab_work_call(lab, operator, & kl_authority_address, kl_span_of(data, 4 + 32 * count));
}

static bool is_member(const struct kl_lab_govern *g, u32 validator)
{
    return g->members >> validator & 1;
}

/* The newest epoch's set is what the contract lists. */
static bool has_followed(const struct kl_lab *lab)
{
    u64 epoch = 0;
    while (kl_lab_oracle_set(lab, epoch + 1))
        epoch++;
    const kl_valset *set = kl_lab_oracle_set(lab, epoch);
    u32 members = 0;
    for (u32 i = 0; i < lab->plan.keys; i++) {
        kl_address operator= kl_lab_work_operator(lab, i);
        for (u32 place = 0; place < set->count; place++)
            if (kl_address_eq(&set->validators[place].operator, & operator))
                members |= 1u << i;
    }
    return members == lab->govern.members;
}

/* These have enough honest weight, and are enough. */
static bool may_be(const struct kl_lab *lab, u32 members)
{
    const kl_lab_plan *p = &lab->plan;
    u64 total = 0, bad = 0, count = 0;
    for (u32 i = 0; i < p->keys; i++) {
        if (!(members >> i & 1))
            continue;
        total += p->weights[i];
        count++;
        if (p->attacks[i] != KL_LAB_IS_NONE || p->victim[i])
            bad += p->weights[i];
    }
    return count >= KL_MIN(4u, p->validators) && total > 0 && bad <= (total - 1) / 3;
}

void kl_lab_govern_change(struct kl_lab *lab, u32 target)
{
    struct kl_lab_govern *g = &lab->govern;
    u32 proposer = 0;
    bool adds = !is_member(g, target);
    while (!is_member(g, proposer) || proposer == target)
        if (++proposer == lab->plan.keys)
            return;
    const u64 words[] = {adds ? ADD : REMOVE, 0, adds ? lab->plan.weights[target] : 0};
    kl_address operator= kl_lab_work_operator(lab, target);
    call(lab, proposer, "propose(uint8,address,uint64)", words, 3, &operator);
    g->target = target;
    g->proposer = proposer;
    g->adds = adds;
    g->phase = KL_LAB_PROPOSED;
}

static void propose(struct kl_lab *lab)
{
    u32 target = (u32)kl_lab_below(lab, lab->plan.keys);
    if (!lab->calm && kl_lab_percent(lab, 30) && has_followed(lab) &&
        may_be(lab, lab->govern.members ^ 1u << target))
        kl_lab_govern_change(lab, target);
}

/* More than half, the proposer included. */
static void vote(struct kl_lab *lab)
{
    struct kl_lab_govern *g = &lab->govern;
    const u64 words[] = {g->proposals++, 1};
    u32 count = (u32)__builtin_popcount(g->members), yes = 1;
    for (u32 i = 0; i < lab->plan.keys && yes * 2 <= count; i++) {
        if (!is_member(g, i) || i == g->proposer)
            continue;
        call(lab, i, "vote(uint256,bool)", words, 2, NULL);
        yes++;
    }
    g->phase = KL_LAB_VOTED;
}

static void say_ready(struct kl_lab *lab)
{
    struct kl_lab_govern *g = &lab->govern;
    struct kl_lab_keys keys;
    u8 data[2048];
    kl_out out = kl_out_of(data, sizeof data);
    kl_lab_keys_of(lab, g->target, &keys);
    kl_authority_put_ready(&out, &keys.entry, lab->scheme);
    KL_ASSERT(!out.full);
    kl_lab_work_call(lab, g->target, &kl_authority_address, kl_out_done(&out));
    g->phase = KL_LAB_READY;
}

static bool all_called(const struct kl_lab *lab)
{
    bool well;
    for (u32 i = 0; i < lab->plan.keys; i++)
        if (!kl_lab_work_called(lab, i, &well))
            return false;
    return true;
}

void kl_lab_govern(struct kl_lab *lab)
{
    struct kl_lab_govern *g = &lab->govern;
    bool well;
    if (!kl_lab_has(lab, KL_LAB_SET_CHANGE) || !all_called(lab))
        return;
    switch (g->phase) {
    case KL_LAB_IDLE:
        if (!lab->script)
            propose(lab);
        break;
    case KL_LAB_PROPOSED:
        (void)kl_lab_work_called(lab, g->proposer, &well);
        if (well)
            vote(lab);
        else
            kl_lab_break(lab, 0, "a proposal of validator %u's operator failed", g->proposer);
        break;
    case KL_LAB_VOTED:
        if (g->adds) {
            say_ready(lab);
            break;
        }
        g->members &= ~(1u << g->target);
        g->phase = KL_LAB_IDLE;
        break;
    case KL_LAB_READY:
        (void)kl_lab_work_called(lab, g->target, &well);
        if (well)
            g->members |= 1u << g->target;
        g->phase = KL_LAB_IDLE;
        break;
    }
}

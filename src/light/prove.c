/* A claim is right when it is the one that the nodes prove; a claim of nothing, when they prove
 * that there is nothing. */
#include "codec/rlp.h"
#include "crypto/keccak.h"
#include "light/light.h"
#include "trie/trie.h"

static bool same_account(const kl_account *a, const kl_account *b)
{
    return a->nonce == b->nonce && kl_u256_eq(a->balance, b->balance) &&
           kl_hash_eq(&a->storage_root, &b->storage_root) &&
           kl_hash_eq(&a->code_hash, &b->code_hash);
}

static kl_rule prove_account(bool *exists, const kl_light_account *a, const kl_hash *state_root)
{
    kl_hash key = kl_keccak256(kl_address_span(&a->address));
    kl_account found = kl_account_none();
    kl_span value;
    KL_JUDGE(kl_trie_check(&value, state_root, kl_hash_span(&key), a->nodes, a->node_count));
    if (value.len)
        KL_JUDGE(kl_account_decode(&found, value));
    if (!same_account(&found, &a->claim))
        return KL_RULE_LIGHT_ACCOUNT;
    *exists = value.len != 0;
    return KL_RULE_NONE;
}

/* A slot that holds 0 is not in the trie; a leaf that says 0 is none. */
static kl_rule prove_slot(const kl_light_slot *slot, const kl_hash *storage_root)
{
    u8 bytes[32];
    kl_u256_to_be(bytes, slot->key);
    kl_hash key = kl_keccak256(KL_SPAN_OF(bytes));
    kl_u256 found = KL_U256_ZERO;
    kl_span value;
    KL_JUDGE(
        kl_trie_check(&value, storage_root, kl_hash_span(&key), slot->nodes, slot->node_count));
    if (value.len) {
        kl_rlp item = {value};
        KL_JUDGE(kl_rlp_u256(&item, &found));
        if (!kl_rlp_end(&item) || kl_u256_is_zero(found))
            return KL_RULE_LIGHT_SLOT;
    }
    return kl_u256_eq(found, slot->value) ? KL_RULE_NONE : KL_RULE_LIGHT_SLOT;
}

kl_rule kl_light_prove(bool *exists, const kl_light_account *account, const kl_hash *state_root,
                       usize *at)
{
    bool there;
    *at = account->slot_count;
    KL_JUDGE(prove_account(&there, account, state_root));
    for (usize i = 0; i < account->slot_count; i++) {
        *at = i;
        KL_JUDGE(prove_slot(&account->slots[i], &account->claim.storage_root));
    }
    *exists = there;
    return KL_RULE_NONE;
}

#include "types/account.h"

#include "codec/rlp.h"
#include "crypto/keccak.h"

kl_account kl_account_none(void)
{
    return (kl_account){.storage_root = kl_keccak_empty_rlp, .code_hash = kl_keccak_empty};
}

bool kl_account_is_empty(const kl_account *account)
{
    return account->nonce == 0 && kl_u256_is_zero(account->balance) &&
           kl_hash_eq(&account->code_hash, &kl_keccak_empty);
}

void kl_account_encode(kl_out *out, const kl_account *account)
{
    kl_rlp_mark list = kl_rlp_put_begin(out);
    kl_rlp_put_u64(out, account->nonce);
    kl_rlp_put_u256(out, account->balance);
    kl_rlp_put_hash(out, &account->storage_root);
    kl_rlp_put_hash(out, &account->code_hash);
    kl_rlp_put_end(out, list);
}

kl_rule kl_account_decode(kl_account *out, kl_span bytes)
{
    kl_rlp items;
    kl_account account;
    KL_JUDGE(kl_rlp_open(&items, bytes));
    KL_JUDGE(kl_rlp_u64(&items, &account.nonce));
    KL_JUDGE(kl_rlp_u256(&items, &account.balance));
    KL_JUDGE(kl_rlp_hash(&items, &account.storage_root));
    KL_JUDGE(kl_rlp_hash(&items, &account.code_hash));
    KL_JUDGE(kl_rlp_close(&items));
    *out = account;
    return KL_RULE_NONE;
}

/* account: what the state trie holds under an address [YP section 4.1]. */
#ifndef KL_TYPES_ACCOUNT_H
#define KL_TYPES_ACCOUNT_H

#include "base/rule.h"
#include "base/u256.h"

typedef struct kl_account {
    u64 nonce;
    kl_u256 balance;
    kl_hash storage_root; /* kl_keccak_empty_rlp for no storage */
    kl_hash code_hash;    /* kl_keccak_empty for no code */
} kl_account;

/* nonce 0, balance 0, no storage, no code. */
kl_account kl_account_none(void);

/* [EIP-161]: nonce 0, balance 0 and no code. */
bool kl_account_is_empty(const kl_account *account);

/* rlp([nonce, balance, storageRoot, codeHash]), at most KL_ACCOUNT_RLP_MAX bytes. */
#define KL_ACCOUNT_RLP_MAX 110
void kl_account_encode(kl_out *out, const kl_account *account);
kl_rule kl_account_decode(kl_account *out, kl_span bytes);

#endif

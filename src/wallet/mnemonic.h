/* mnemonic: words to a seed [BIP-39], a seed to keys [BIP-32, BIP-44]. */
#ifndef KL_WALLET_MNEMONIC_H
#define KL_WALLET_MNEMONIC_H

#include "base/span.h"
#include "base/wipe.h"

#define KL_SEED_LEN 64

/* True when words are 12, 15, 18, 21 or 24 words of the English list, one blank between them, whose
 * checksum is right. */
bool kl_mnemonic_valid(kl_span words);

/* PBKDF2-HMAC-SHA512 over the words as they stand, 2,048 rounds.  Passphrase at most 256 bytes, in
 * NFKD (asserted length only: it comes from our own command line). */
#define KL_PASSPHRASE_MAX 256
void kl_mnemonic_seed(u8 seed[KL_SEED_LEN], kl_span words, kl_span passphrase);

/* A private key and what its children are derived with. */
typedef struct kl_hd_key {
    kl_secret32 key;
    u8 chain_code[32];
} kl_hd_key;

/* False for a seed (or, below, an index) that gives no key: about one in 2^127. */
KL_MUST_USE bool kl_hd_master(kl_hd_key *out, const u8 seed[KL_SEED_LEN]);

/* Child index of parent; hardened ones have KL_HD_HARDENED added.  out may be parent. */
#define KL_HD_HARDENED 0x80000000u
KL_MUST_USE bool kl_hd_child(kl_hd_key *out, const kl_hd_key *parent, u32 index);

static inline void kl_hd_key_wipe(kl_hd_key *key)
{
    kl_wipe(key, sizeof *key);
}

#endif

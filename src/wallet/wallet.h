/* wallet: keys from a mnemonic, and signing with them.
 *
 * Secrets stay inside a struct kl_wallet, locked in memory where the system allows and wiped when
 * it is freed; nothing logs them. */
#ifndef KL_WALLET_WALLET_H
#define KL_WALLET_WALLET_H

#include "base/status.h"
#include "base/wipe.h"
#include "crypto/crypto.h"

struct kl_wallet;

#define KL_WALLET_MAX 1000

/* count keys at m/44'/60'/0'/0/i of a BIP-39 mnemonic [BIP-32, BIP-39, BIP-44].  *bad is set, and
 * nothing made, when the words or their checksum are wrong.  KL_NOMEM. */
KL_MUST_USE kl_status kl_wallet_from_mnemonic(struct kl_wallet **out, kl_span mnemonic,
                                              kl_span passphrase, usize count, bool *bad);
void kl_wallet_free(struct kl_wallet *wallet); /* NULL is fine */

usize kl_wallet_count(const struct kl_wallet *wallet);
const kl_address *kl_wallet_address(const struct kl_wallet *wallet, usize index);
/* The index of address, or SIZE_MAX. */
usize kl_wallet_find(const struct kl_wallet *wallet, const kl_address *address);

void kl_wallet_sign(const struct kl_wallet *wallet, usize index, const kl_hash *digest,
                    kl_signature *out);

/* The private key itself, for the banner of keel dev and nothing else. */
void kl_wallet_reveal(const struct kl_wallet *wallet, usize index, kl_secret32 *out);

#endif

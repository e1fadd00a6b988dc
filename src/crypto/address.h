/* address: accounts' names. */
#ifndef KL_CRYPTO_ADDRESS_H
#define KL_CRYPTO_ADDRESS_H

#include "crypto/secp256k1.h"

/* The last 20 bytes of keccak(x ‖ y) [YP appendix F]. */
kl_address kl_address_of_pubkey(const kl_pubkey *key);

/* Where CREATE puts a contract: keccak(rlp([sender, nonce])) [YP section 7]. */
kl_address kl_address_of_create(const kl_address *sender, u64 nonce);

/* Where CREATE2 puts it: keccak(0xff ‖ sender ‖ salt ‖ code_hash) [EIP-1014]. */
kl_address kl_address_of_create2(const kl_address *sender, const kl_hash *salt,
                                 const kl_hash *init_code_hash);

/* Mixed-case spelling with checksum [EIP-55], "0x" included, NUL-terminated. */
void kl_address_text(char out[43], const kl_address *address);

#endif

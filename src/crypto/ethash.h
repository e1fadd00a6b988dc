/* ethash: Ethereum's proof of work, checked the light way: with the small cache of an epoch instead
 * of its gigabytes of dataset [YP appendix J].  For histories and fixtures that have it; no Keel
 * chain mines. */
#ifndef KL_CRYPTO_ETHASH_H
#define KL_CRYPTO_ETHASH_H

#include "base/hash.h"
#include "base/status.h"

#define KL_ETHASH_EPOCH 30000u /* blocks */
/* Epochs whose sizes stay within what was ever used. */
#define KL_ETHASH_EPOCH_MAX 2048u

/* The cache of one epoch: immutable, 16 MiB and 128 KiB more an epoch. */
struct kl_ethash;

/* Makes the cache, about a third of a second.  KL_LIMIT from KL_ETHASH_EPOCH_MAX on, KL_NOMEM. */
KL_MUST_USE kl_status kl_ethash_new(struct kl_ethash **out, u64 epoch);
void kl_ethash_free(struct kl_ethash *ethash); /* NULL is fine */
u64 kl_ethash_epoch(const struct kl_ethash *ethash);

/* What a nonce makes of a header's seal hash: the mix, and the number that must not be above the
 * target.  About a millisecond. */
void kl_ethash_light(const struct kl_ethash *ethash, const kl_hash *seal_hash, const u8 nonce[8],
                     kl_hash *mix, kl_hash *result);

/* Bytes of an epoch's cache and dataset. */
u64 kl_ethash_cache_bytes(u64 epoch);
u64 kl_ethash_dataset_bytes(u64 epoch);

#endif

/* code: contract code, padded and analysed once: where JUMP may land, and whom a delegation
 * designator names [EIP-7702].
 *
 * Thread: immutable; references on any thread.  The cache may be shared by threads. */
#ifndef KL_EVM_CODE_H
#define KL_EVM_CODE_H

#include "base/hash.h"
#include "base/status.h"

struct kl_code {
    const u8 *bytes; /* len of them, and padding behind, so that reading is never checked */
    usize len;
    const u64 *jumpdests; /* bit i: byte i is a JUMPDEST that is not push data */
    bool delegates;       /* the code is 0xef0100 ‖ delegate */
    kl_address delegate;
};

KL_MUST_USE kl_status kl_code_new(struct kl_code **out, kl_span bytes);
struct kl_code *kl_code_ref(struct kl_code *code);
void kl_code_unref(struct kl_code *code); /* NULL is fine */

struct kl_code_cache;

/* Keeps at most bytes of analysed code, the least recently used go first. */
KL_MUST_USE kl_status kl_code_cache_new(struct kl_code_cache **out, usize bytes, u64 seed);
void kl_code_cache_free(struct kl_code_cache *cache);

/* A reference to the code under its hash, or NULL. */
struct kl_code *kl_code_cache_get(struct kl_code_cache *cache, const kl_hash *code_hash);
/* Remembers code under its hash; failing to is no error. */
void kl_code_cache_put(struct kl_code_cache *cache, const kl_hash *code_hash, struct kl_code *code);

#endif

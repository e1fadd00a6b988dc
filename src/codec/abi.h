/* abi: Ethereum's contract ABI [Solidity ABI specification, strict mode], as far as calls of our
 * own contracts need it: words, addresses, byte strings, and offsets to what has no fixed size.
 *
 * Reading: a tuple is a view from where its offsets count.  Offsets may lie anywhere inside it, in
 * any order, overlapping; each is checked before it is used.  A value that does not fit its type
 * (dirty high bytes, padding that is not zero) is no value.
 * Thread: any.  Owner: the bytes stay the caller's, every span handed out is a view of them. */
#ifndef KL_CODEC_ABI_H
#define KL_CODEC_ABI_H

#include "base/rule.h"
#include "base/u256.h"

enum { KL_ABI_WORD = 32 };

/* Member `place` (from 0, a word each) of a tuple.  ABI_SHORT when it lies beyond the end,
 * ABI_VALUE when it does not fit; *out is untouched then. */
kl_rule kl_abi_u64(kl_span tuple, usize place, u64 *out);
kl_rule kl_abi_address(kl_span tuple, usize place, kl_address *out);
/* What the member's offset leads to: the rest of the tuple from there. */
kl_rule kl_abi_tail(kl_span tuple, usize place, kl_span *out);
/* A byte string, behind its offset. */
kl_rule kl_abi_bytes(kl_span tuple, usize place, kl_span *out);
/* An array of elements without a fixed size, behind its offset: how many, and the tuple of their
 * offsets, which has a word for each. */
kl_rule kl_abi_array(kl_span tuple, usize place, usize *count, kl_span *elements);

/* Writing, one word each. */
void kl_abi_put_u64(kl_out *out, u64 v);
void kl_abi_put_address(kl_out *out, const kl_address *address);
static inline void kl_abi_put_hash(kl_out *out, const kl_hash *hash)
{
    kl_out_bytes(out, hash->b, sizeof hash->b);
}

/* The tail of a byte string: its length, and the bytes filled up to whole words with zeros. */
void kl_abi_put_bytes(kl_out *out, kl_span bytes);
static inline usize kl_abi_bytes_len(usize len)
{
    return KL_ABI_WORD + (len + KL_ABI_WORD - 1) / KL_ABI_WORD * KL_ABI_WORD;
}

#endif

/* rlp: Ethereum's recursive length prefix encoding [YP appendix B].
 *
 * Decoding walks a cursor over the caller's bytes; nothing is copied and nothing is allocated. Only
 * the canonical form is accepted, because two encodings of one value would give it two hashes.
 * Encoding writes into a kl_out; with a counting kl_out it measures.
 * Thread: any.  Owner: the bytes stay the caller's, every span handed out is a view of them. */
#ifndef KL_CODEC_RLP_H
#define KL_CODEC_RLP_H

#include "base/rule.h"
#include "base/u256.h"

/* The items of a list that are still to be read. */
typedef struct kl_rlp {
    kl_span rest;
} kl_rlp;

/* Bytes must be exactly one list: *items walks over what is in it. */
kl_rule kl_rlp_open(kl_rlp *items, kl_span bytes);

static inline bool kl_rlp_end(const kl_rlp *items)
{
    return items->rest.len == 0;
}

/* RLP_COUNT unless all items have been read. */
kl_rule kl_rlp_close(const kl_rlp *items);

/* Reads the next item.  RLP_COUNT when there is none left; the cursor and *out are untouched
 * whenever a rule is broken. */
kl_rule kl_rlp_list(kl_rlp *from, kl_rlp *items);
kl_rule kl_rlp_bytes(kl_rlp *from, kl_span *out);
kl_rule kl_rlp_u64(kl_rlp *from, u64 *out);               /* RLP_INTEGER when wider than 64 bits */
kl_rule kl_rlp_u256(kl_rlp *from, kl_u256 *out);          /* RLP_INTEGER when wider than 256 bits */
kl_rule kl_rlp_fixed(kl_rlp *from, void *out, usize len); /* RLP_LENGTH for any other length */
/* An address, or nothing (contract creation): *has says which. */
kl_rule kl_rlp_maybe_address(kl_rlp *from, kl_address *out, bool *has);
/* The whole next item, header included, of either kind. */
kl_rule kl_rlp_item(kl_rlp *from, kl_span *out, bool *is_list);

static inline kl_rule kl_rlp_hash(kl_rlp *from, kl_hash *out)
{
    return kl_rlp_fixed(from, out->b, sizeof out->b);
}

static inline kl_rule kl_rlp_address(kl_rlp *from, kl_address *out)
{
    return kl_rlp_fixed(from, out->b, sizeof out->b);
}

/* How many items are left; walks over their headers. */
kl_rule kl_rlp_count(const kl_rlp *items, usize *out);

/* Bytes must be exactly one canonical item, of either kind, and so must everything inside it, at
 * most max_depth lists deep (RLP_DEPTH).  max_depth <= KL_RLP_DEPTH_MAX. */
#define KL_RLP_DEPTH_MAX 1024
kl_rule kl_rlp_check(kl_span bytes, usize max_depth);

/* Writing. */
void kl_rlp_put_bytes(kl_out *out, kl_span bytes);
/* Only the header of bytes: nothing for a byte that is its own encoding. */
void kl_rlp_put_bytes_header(kl_out *out, kl_span bytes);
void kl_rlp_put_u64(kl_out *out, u64 v);
void kl_rlp_put_u256(kl_out *out, kl_u256 v);

static inline void kl_rlp_put_hash(kl_out *out, const kl_hash *h)
{
    kl_rlp_put_bytes(out, kl_hash_span(h));
}

static inline void kl_rlp_put_address(kl_out *out, const kl_address *a)
{
    kl_rlp_put_bytes(out, kl_address_span(a));
}

/* A list: everything written between begin and end lies in it.  Lists nest. */
typedef struct kl_rlp_mark {
    usize start;
} kl_rlp_mark;
kl_rlp_mark kl_rlp_put_begin(kl_out *out);
void kl_rlp_put_end(kl_out *out, kl_rlp_mark mark);

/* Only the header of a list whose payload is payload_len bytes, and the length of that header. */
void kl_rlp_put_list_header(kl_out *out, usize payload_len);
usize kl_rlp_list_header_len(usize payload_len);

#endif

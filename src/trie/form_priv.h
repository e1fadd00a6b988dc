/* form: the three forms of a node in RLP [YP appendix D]: leaf and extension are lists of two, a
 * hex-prefix path and a value or a reference; a branch is a list of seventeen, sixteen references
 * and a value.
 *
 * Writing gives a node in two parts, because a value may be long: the head, at most
 * KL_TRIE_HEAD_MAX bytes, and the tail, the bytes of the value, which always stand last. */
#ifndef KL_TRIE_FORM_PRIV_H
#define KL_TRIE_FORM_PRIV_H

#include "base/hash.h"
#include "base/rule.h"

/* Keys are at most this many nibbles long. */
#define KL_TRIE_NIBBLES_MAX 128
#define KL_TRIE_HEAD_MAX    (9 + 16 * 33 + 9)
/* A node of fewer bytes stands inside its parent, any other by its hash. */
#define KL_TRIE_HASHED_MIN 32

static inline unsigned kl_trie_nibble(const u8 *key, usize i)
{
    return i % 2 ? key[i / 2] & 15u : key[i / 2] >> 4;
}

/* How a node stands in its parent: an RLP item, the string of its hash or the node itself. */
typedef struct kl_trie_ref {
    u8 len; /* 0: not known yet */
    u8 rlp[33];
} kl_trie_ref;

/* The tag of a 32-byte string; the tags of lists shorter than 32 bytes with their headers. */
enum { KL_TRIE_TAG_HASH = 0xa0, KL_TRIE_TAG_LIST = 0xc0, KL_TRIE_TAG_LIST_LAST = 0xde };

/* The length of the reference that starts with tag, 0 for no reference. */
static inline usize kl_trie_ref_len(u8 tag)
{
    if (tag == KL_TRIE_TAG_HASH)
        return 33;
    return tag > KL_TRIE_TAG_LIST && tag <= KL_TRIE_TAG_LIST_LAST ? 1u + tag - KL_TRIE_TAG_LIST : 0;
}

static inline void kl_trie_ref_hash(kl_trie_ref *ref, const kl_hash *hash)
{
    ref->len = 33;
    ref->rlp[0] = KL_TRIE_TAG_HASH;
    memcpy(ref->rlp + 1, hash->b, sizeof hash->b);
}

/* Sets what a whole node's reference is. */
void kl_trie_ref_node(kl_trie_ref *ref, kl_span node);

/* What a trie is called whose topmost node has this reference: the hash, also of a short node. */
kl_hash kl_trie_ref_root(const u8 *ref);

/* A path: nibbles [from, to) of key. */
typedef struct kl_trie_path {
    const u8 *key;
    usize from, to;
} kl_trie_path;

/* The heads; *head points into room, which has KL_TRIE_HEAD_MAX bytes.  A leaf's tail is value. */
kl_span kl_trie_leaf_head(u8 *room, kl_trie_path path, kl_span value);
/* An extension is all head. */
kl_span kl_trie_extension(u8 *room, kl_trie_path path, const u8 *ref);
/* children[n] is NULL or a reference; the tail is value, which may be empty. */
kl_span kl_trie_branch_head(u8 *room, const u8 *const children[16], kl_span value);

typedef enum kl_trie_kind { KL_TRIE_LEAF, KL_TRIE_EXTENSION, KL_TRIE_BRANCH } kl_trie_kind;

/* A node that has been read; spans view its bytes. */
typedef struct kl_trie_form {
    kl_trie_kind kind;
    kl_span prefix;    /* leaf, extension: the hex-prefix path */
    kl_span value;     /* leaf: not empty; branch: may be empty */
    kl_span child[16]; /* branch: references or empty; extension: child[0] */
} kl_trie_form;

/* Reads one node from outside.  PROOF_NODE unless it is in canonical form: a path flagged and
 * padded as it must be, an extension that extends, a leaf with a value, a branch with at least two
 * of its seventeen.  What is embedded in the node is judged by its length alone. */
kl_rule kl_trie_form_read(kl_trie_form *out, kl_span node);

/* How many nibbles a leaf's or an extension's path has, and whether path continues with them. */
usize kl_trie_form_nibbles(const kl_trie_form *form);
bool kl_trie_form_fits(const kl_trie_form *form, kl_trie_path path);

#endif

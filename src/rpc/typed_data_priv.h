/* typed_data_priv: the types of a document, shared by what reads them and what encodes values. */
#ifndef KL_RPC_TYPED_DATA_PRIV_H
#define KL_RPC_TYPED_DATA_PRIV_H

#include "rpc/typed_data.h"

enum {
    TYPED_STRUCTS_MAX = 64,
    TYPED_MEMBERS_MAX = 256,
};

/* What a type is, its array suffixes aside. */
typedef enum typed_kind {
    TYPED_STRUCT,
    TYPED_BOOL,
    TYPED_ADDRESS,
    TYPED_STRING,
    TYPED_BYTES,
    TYPED_FIXED, /* bytes1 to bytes32 */
    TYPED_UINT,
    TYPED_INT,
} typed_kind;

struct typed_member {
    const char *name;
    kl_span type; /* "Person[2][]" */
    usize base;   /* length of "Person" */
    typed_kind kind;
    unsigned size; /* bytes of FIXED, bits of integers */
    struct typed_struct *is;
};

struct typed_struct {
    kl_span name;
    struct typed_member *members;
    usize count;
    kl_hash hash; /* of its encoding, when has_hash */
    bool has_hash, reached;
};

struct typed_document {
    const struct kl_json *json;
    struct kl_arena *arena;
    char *why;
    bool no_memory;
    struct typed_struct structs[TYPED_STRUCTS_MAX];
    usize count;
};

/* Says what is wrong; always false. */
bool kl_typed_fail(struct typed_document *doc, const char *format, ...) KL_PRINTF(2, 3);
bool kl_typed_no_memory(struct typed_document *doc);

/* Reads the member `types`; domain is for the type EIP712Domain where it is missing. */
bool kl_typed_types(struct typed_document *doc, kl_json_ref types, kl_json_ref domain);
struct typed_struct *kl_typed_find(struct typed_document *doc, kl_span name);

/* keccak(encodeType) [EIP-712 "Definition of encodeType"]. */
const kl_hash *kl_typed_type_hash(struct typed_document *doc, struct typed_struct *of);

#endif

/* fixture: reading the members of an official test's JSON.  The dialects of twelve years spell
 * numbers in several ways; here they all become values.  What cannot be read gives zero and leaves
 * the first offender's name in `bad`: check once, at the end. */
#ifndef KL_CLI_FIXTURE_H
#define KL_CLI_FIXTURE_H

#include "base/arena.h"
#include "codec/json.h"
#include "types/types.h"

struct kl_fixture {
    struct kl_json json;
    struct kl_arena *arena; /* what is decoded lives here */
    const char *bad;        /* static name of the first member that made no sense, or NULL */
};

/* Parses a file's text; KL_CORRUPT when it is not JSON, KL_NOMEM. */
KL_MUST_USE kl_status kl_fixture_parse(struct kl_fixture *fixture, kl_span text,
                                       struct kl_arena *arena);

/* The text of a name or a string node, NUL-terminated, in the arena. */
const char *kl_fixture_text(struct kl_fixture *fixture, kl_json_ref ref);

/* A member of object; KL_JSON_NONE, and `bad` set, when it is missing. */
kl_json_ref kl_fixture_need(struct kl_fixture *fixture, kl_json_ref object, const char *name);

/* The value at ref; `name` is for `bad`. */
kl_u256 kl_fixture_u256(struct kl_fixture *fixture, kl_json_ref ref, const char *name);
u64 kl_fixture_u64(struct kl_fixture *fixture, kl_json_ref ref, const char *name);
kl_span kl_fixture_bytes(struct kl_fixture *fixture, kl_json_ref ref, const char *name);
kl_hash kl_fixture_hash(struct kl_fixture *fixture, kl_json_ref ref, const char *name);
/* With or without "0x". */
kl_address kl_fixture_address(struct kl_fixture *fixture, kl_json_ref ref, const char *name);

/* A member, or zero when the object has none of that name. */
kl_u256 kl_fixture_get_u256(struct kl_fixture *fixture, kl_json_ref object, const char *name);
u64 kl_fixture_get_u64(struct kl_fixture *fixture, kl_json_ref object, const char *name);

/* {address: {balance, nonce, code, storage}}; slots that hold 0 are left out. */
const kl_alloc *kl_fixture_alloc(struct kl_fixture *fixture, kl_json_ref object, usize *count);

/* fixture_tx.c: members of transactions: an array's elements (none for what is no array), and
 * access lists and authorizations into tx. */
usize kl_fixture_count(const struct kl_fixture *fixture, kl_json_ref array);
const kl_hash *kl_fixture_hashes(struct kl_fixture *fixture, kl_json_ref array, usize *count);
void kl_fixture_access_list(struct kl_fixture *fixture, kl_json_ref array, kl_tx *tx);
void kl_fixture_authorizations(struct kl_fixture *fixture, kl_json_ref array, kl_tx *tx);

/* config.blobSchedule and config.chainid of a test, into spec. */
void kl_fixture_config(struct kl_fixture *fixture, kl_json_ref test, kl_spec *spec);

/* Is one of the names in `expected` ("A|B") among the fixture names of the rule? */
bool kl_fixture_expects(const char *expected, kl_rule rule);

#endif

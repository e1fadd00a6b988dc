/* t8n: one block's transition outside any chain: alloc, environment and transactions in, result and
 * post-state out, with the members, files and exit codes of geth's `evm t8n`, which tools that fill
 * fixtures and fuzz clients speak.
 *
 *     t8n_env     the block           t8n_apply   runs it
 *     t8n_tx      its transactions    t8n_output  says what came of it
 *
 * A function that returns false has said in the fault why. */
#ifndef KL_CLI_T8N_H
#define KL_CLI_T8N_H

#include <stdio.h>

#include "cli/fixture.h"
#include "cli/trace_json.h"
#include "exec/exec.h"

/* geth's exit codes. */
enum {
    KL_T8N_EVM = 2,        /* a system contract is missing or fails */
    KL_T8N_CONFIG = 3,     /* the fork, or what the fork needs of the environment */
    KL_T8N_BLOCK_HASH = 4, /* BLOCKHASH asked for a block that blockHashes lacks */
    KL_T8N_JSON = 10,
    KL_T8N_IO = 11,
    KL_T8N_RLP = 12,
};

#define KL_T8N_BLOB_GAS 131072u /* of one blob [EIP-4844] */

struct kl_t8n_fault {
    int code;
    char text[400];
};

/* Sets the fault, unless there is one; always false. */
bool kl_t8n_blame(struct kl_t8n_fault *fault, int code, const char *format, ...) KL_PRINTF(3, 4);
/* The same for what the machine could not do; true for KL_OK. */
KL_MUST_USE bool kl_t8n_done(struct kl_t8n_fault *fault, kl_status status, const char *what);
/* The same for what a fixture could not read; true where it could. */
KL_MUST_USE bool kl_t8n_read(struct kl_t8n_fault *fault, const struct kl_fixture *fixture,
                             const char *what);

typedef struct kl_t8n_ommer {
    u64 delta; /* how many blocks older than the block, at most 8 */
    kl_address address;
} kl_t8n_ommer;

typedef struct kl_t8n_hash {
    u64 number;
    kl_hash hash;
} kl_t8n_hash;

/* The member env. */
typedef struct kl_t8n_env {
    kl_header header; /* what kl_exec_block looks at */
    kl_header parent; /* what is known of it: for fees and difficulty */
    kl_fork fork;     /* in force in the block */
    bool has_difficulty, has_random, has_base_fee, has_excess, has_beacon_root;
    bool has_parent_difficulty, has_parent_base_fee, has_parent_excess;
    bool has_withdrawals, has_hashes;
    const kl_t8n_ommer *ommers;
    usize ommer_count;
    const kl_withdrawal *withdrawals;
    usize withdrawal_count;
    const kl_t8n_hash *hashes;
    usize hash_count;
} kl_t8n_env;

/* Reads the members; everything lives in the fixture's arena. */
KL_MUST_USE bool kl_t8n_env_read(kl_t8n_env *out, struct kl_fixture *fixture, kl_json_ref env,
                                 struct kl_t8n_fault *fault);
/* Finds the fork, and fills in what follows from the parent; KL_T8N_CONFIG where something is
 * missing. */
KL_MUST_USE bool kl_t8n_env_complete(kl_t8n_env *env, const kl_spec *spec,
                                     struct kl_t8n_fault *fault);

/* A transaction, or why it is none that the block could hold. */
typedef struct kl_t8n_tx {
    kl_tx tx;
    kl_rule broken; /* of its form or signature */
} kl_t8n_tx;

typedef struct kl_t8n_txs {
    kl_t8n_tx *tx;
    usize count;
} kl_t8n_txs;

/* Reads an array of JSON transactions; signs those that come with a secretKey and no signature.
 * Everything lives in the fixture's arena. */
KL_MUST_USE bool kl_t8n_txs_read(kl_t8n_txs *out, struct kl_fixture *fixture, kl_json_ref array,
                                 const kl_spec *spec, kl_fork fork, struct kl_t8n_fault *fault);
/* Reads an RLP list of signed transactions, as they lie in a block's body. */
KL_MUST_USE bool kl_t8n_txs_decode(kl_t8n_txs *out, kl_span rlp, kl_fork fork,
                                   struct kl_arena *arena, struct kl_t8n_fault *fault);

typedef struct kl_t8n_input {
    kl_spec spec;
    kl_t8n_env env;
    kl_t8n_txs txs;
    const kl_alloc *alloc;
    usize alloc_count;
    i64 reward; /* of the block, in wei; below 0: nothing is paid and nobody touched */
} kl_t8n_input;

/* Where traces go: a file "trace-INDEX-HASH.jsonl" for each transaction that is tried. */
typedef struct kl_t8n_trace {
    bool on;
    kl_trace_json_options options;
    const char *dir; /* "" for the working directory */
} kl_t8n_trace;

typedef struct kl_t8n_receipt {
    const kl_tx *tx;
    kl_receipt receipt;
    kl_address contract; /* zero when it is no creation */
} kl_t8n_receipt;

typedef struct kl_t8n_rejected {
    usize index;
    const char *why;
} kl_t8n_rejected;

typedef struct kl_t8n_result {
    kl_hash state_root, transactions_root, receipts_root, logs_hash, withdrawals_root,
        requests_hash;
    kl_bloom bloom;
    u64 gas_used, blob_gas_used;
    const kl_t8n_receipt *receipts;
    usize receipt_count;
    const kl_t8n_rejected *rejected;
    usize rejected_count;
    const kl_span *requests; /* type ‖ data */
    usize request_count;
    struct kl_view *after; /* the state behind it */
} kl_t8n_result;

/* What runs it; holds everything the result views. */
struct kl_t8n_machine;
KL_MUST_USE kl_status kl_t8n_machine_new(struct kl_t8n_machine **out);
void kl_t8n_machine_free(struct kl_t8n_machine *machine);

/* Once a machine. */
KL_MUST_USE bool kl_t8n_apply(struct kl_t8n_machine *machine, const kl_t8n_input *input,
                              const kl_t8n_trace *trace, kl_t8n_result *out,
                              struct kl_t8n_fault *fault);

/* Where outputs go: "stdout", "stderr", a file below dir, or "" for nowhere. */
typedef struct kl_t8n_outputs {
    const char *dir, *alloc, *result, *body;
} kl_t8n_outputs;
KL_MUST_USE bool kl_t8n_write(const kl_t8n_outputs *outputs, const kl_t8n_input *input,
                              const kl_t8n_result *result, struct kl_t8n_fault *fault);

#endif

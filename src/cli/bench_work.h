/* bench_work: the transactions a load is made of: transfers of Ether, transfers of an ERC-20 token,
 * swaps on one constant-product pair; EIP-1559, signed before the clock starts, from the accounts
 * of the mnemonic every development node has, to 10,000 recipients.
 *
 * Thread: one; signing runs on all processors. */
#ifndef KL_CLI_BENCH_WORK_H
#define KL_CLI_BENCH_WORK_H

#include "cli/bench_node.h"
#include "types/tx.h"

typedef enum kl_bench_kind {
    KL_BENCH_ETH,
    KL_BENCH_ERC20,
    KL_BENCH_SWAP,
} kl_bench_kind;

/* "eth", "erc20", "swap"; false for others. */
KL_MUST_USE bool kl_bench_kind_parse(kl_bench_kind *out, const char *name);
const char *kl_bench_kind_name(kl_bench_kind kind);

extern const char kl_bench_mnemonic[];

enum {
    KL_BENCH_ACCOUNTS_MAX = 1000,
    KL_BENCH_RECIPIENTS = 10000,
};

/* One transaction of the load. */
typedef struct kl_bench_tx {
    kl_hash hash; /* the key of maps: stays first */
    kl_span raw;
    u64 due_ns, sent_ns, seen_ns; /* when it should leave, left, and was seen in a block */
} kl_bench_tx;

struct kl_bench_work {
    kl_bench_kind kind;
    usize accounts;
    u64 chain_id;
    u64 nonces[KL_BENCH_ACCOUNTS_MAX]; /* the next of each account */

    /* its own */
    struct kl_wallet *wallet;
    struct kl_workers *workers;
    struct kl_arena arena;
    kl_address token, other, pair;
    kl_address *recipients;
};

/* Derives the accounts, and on the node, which must have given each of them Ether, deploys what the
 * kind needs.  What the node refuses is told on stderr. */
KL_MUST_USE kl_status kl_bench_work_open(struct kl_bench_work *work, struct kl_bench_node *node,
                                         kl_bench_kind kind, usize accounts);
void kl_bench_work_close(struct kl_bench_work *work);

/* Signs count transactions: the i-th is account i % accounts's next one.  They live as long as
 * work. */
KL_MUST_USE kl_status kl_bench_work_sign(struct kl_bench_work *work, kl_bench_tx *out, usize count);

kl_address kl_bench_work_account(const struct kl_bench_work *work, usize index);
/* The token of the kind, or NULL. */
const kl_address *kl_bench_work_token(const struct kl_bench_work *work);

#endif

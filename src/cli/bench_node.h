/* bench_node: the node under test, Keel or any other: started for the benchmark or found running,
 * asked one thing at a time, and weighed from outside.
 *
 * Thread: one.  Any failure to talk to the node is told on stderr where it happens. */
#ifndef KL_CLI_BENCH_NODE_H
#define KL_CLI_BENCH_NODE_H

#include <sys/types.h>

#include "cli/bench_http.h"
#include "codec/json.h"

struct kl_bench_node {
    kl_bench_url url;
    pid_t pid; /* 0: not known */
    bool started;
    const char *who;     /* of keel's commands speaks: "bench" */
    u64 first_answer_ns; /* from its start to its first answer */
    struct kl_loop *loop;

    /* its own */
    struct kl_bench_conn conn;
    struct kl_buf request;
    struct kl_arena arena;
    kl_span body;
};

typedef struct kl_bench_target {
    kl_bench_url url;
    const char *who; /* the command that messages name; NULL: bench */
    u64 pid;         /* of a node that runs, when it is to be weighed */
    char **command;  /* to start one: its words, NULL behind the last; NULL: it runs */
    bool loud;       /* its output goes to ours */
} kl_bench_target;

/* Starts it if need be, and waits for its first answer.  A node found already listening where one
 * is to be started is refused: KL_BUSY. */
KL_MUST_USE kl_status kl_bench_node_open(struct kl_bench_node *node, const kl_bench_target *target);
/* Ends what was started here, with SIGTERM, and waits for it. */
void kl_bench_node_close(struct kl_bench_node *node);

/* Connects again with a node that has closed the connection, as one does that opens its chain
 * anew, and waits for its first answer. */
KL_MUST_USE kl_status kl_bench_node_again(struct kl_bench_node *node);

/* A call: params is a JSON array.  The answer's result, in json, lives until the next call; an
 * error object is KL_UNSUPPORTED, told on stderr. */
KL_MUST_USE kl_status kl_bench_call(struct kl_bench_node *node, const char *method,
                                    const char *params, struct kl_json *json, kl_json_ref *result);
/* The same for a result that is a quantity; null gives KL_NOTFOUND. */
KL_MUST_USE kl_status kl_bench_call_u64(struct kl_bench_node *node, const char *method,
                                        const char *params, u64 *out);
/* What eth_getTransactionReceipt says of a transaction: null while it is in no block. */
KL_MUST_USE kl_status kl_bench_receipt(struct kl_bench_node *node, const kl_hash *hash,
                                       struct kl_json *json, kl_json_ref *receipt);
/* Two nodes answer the same, byte for byte; KL_CORRUPT, told on stderr: they do not, or with an
 * error. */
KL_MUST_USE kl_status kl_bench_same(struct kl_bench_node *a, struct kl_bench_node *b,
                                    const char *method, const char *params);
/* A body of its own making, a batch for one: the answer as it stands. */
KL_MUST_USE kl_status kl_bench_post(struct kl_bench_node *node, kl_span body, struct kl_json *json);

/* What the node's process has used up so far. */
typedef struct kl_bench_weight {
    u64 cpu_ns; /* of all its threads, user and system */
    u64 rss_bytes, rss_peak_bytes;
} kl_bench_weight;
/* False when its pid is not known. */
KL_MUST_USE bool kl_bench_weigh(const struct kl_bench_node *node, kl_bench_weight *out);

u64 kl_bench_now_ns(void);

#endif

/* node_options: what keel dev and keel node have in common: their options, and running a node for
 * the person who typed the command. */
#ifndef KL_CLI_NODE_OPTIONS_H
#define KL_CLI_NODE_OPTIONS_H

#include "cli/option.h"
#include "codec/json.h"
#include "node/node.h"

struct kl_node_options {
    const char *host, *origin, *order, *coinbase, *dir;
    u64 port, call_rate, block_time_ns, keep_blocks, keep_history;
    bool silent, json, has_block_time;
};

/* What is in force when nothing is given. */
void kl_node_options_init(struct kl_node_options *options);

/* Rows of an option table, written to rows; how many. */
enum { KL_NODE_OPTIONS_MAX = 16 };
usize kl_server_options(kl_option *rows, struct kl_node_options *into);
usize kl_block_options(kl_option *rows, struct kl_node_options *into);
usize kl_keep_options(kl_option *rows, struct kl_node_options *into);
usize kl_output_options(kl_option *rows, struct kl_node_options *into);

/* Puts the options into a node's configuration; says what is wrong and returns an exit code, or
 * -1. */
int kl_node_options_apply(kl_node_config *config, const struct kl_node_options *options,
                          const char *command);

/* Reads --checkpoint, which may be NULL; false: it is none, which has been said. */
bool kl_checkpoint_option(kl_pin *out, const char *text, const char *command);

/* What opening found that is worth telling, on standard error. */
void kl_node_tell(const kl_node_report *report, const char *command);

/* Opens, starts, lets greet write what the person sees first (into text that is then written to
 * standard output; NULL: nothing), runs until a signal, closes.  The exit code. */
struct kl_greeting {
    void (*write)(struct kl_greeting *greeting, struct kl_node *node, struct kl_buf *text);
};
int kl_node_serve(const kl_node_config *config, const char *command, bool silent,
                  struct kl_greeting *greeting);

/* The object that a node greets with under --json, open for more members; and its end. */
struct kl_json_out kl_greeting_begin(const struct kl_node_options *options, struct kl_node *node,
                                     struct kl_buf *text);
void kl_greeting_end(struct kl_json_out *out);

/* "Keel/v0.1.0/linux-x86_64" */
extern const char kl_client_version[];

#endif

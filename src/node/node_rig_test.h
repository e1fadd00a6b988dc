/* node_rig: a node on a folder of its own, for tests, and what is asked of it. */
#ifndef KL_NODE_NODE_RIG_TEST_H
#define KL_NODE_NODE_RIG_TEST_H

#include "node/node.h"

/* A node on a folder of its own, with three accounts. */
struct node_rig {
    char dir[64]; /* "" for none */
    struct kl_wallet *wallet;
    struct kl_buf genesis;
    kl_node_config config;
    kl_node_report report;
    kl_node_fault fault;
    struct kl_node *node;
    struct kl_arena arena;
    u64 nonce;
};

void node_rig_init(struct node_rig *rig, bool kept);
void node_rig_make_genesis(struct node_rig *rig, u64 chain_id);
void node_rig_open(struct node_rig *rig);
void node_rig_close(struct node_rig *rig);
void node_rig_done(struct node_rig *rig);
/* It does not open, with this status and both texts in its fault. */
void node_rig_check_refused(struct node_rig *rig, kl_status status, const char *a, const char *b);
kl_hash node_rig_send_value(struct node_rig *rig, u64 value);
u64 node_rig_block_number(struct node_rig *rig);
bool node_rig_has_tx(struct node_rig *rig, const kl_hash *hash);

/* Requests over HTTP. */
extern const char node_rig_ask_number[], node_rig_ask_status[];
/* What is answered, at least up to the text `end`. */
void node_rig_talk(struct node_rig *rig, const char *text, const char *end, char *answer,
                   usize size);
/* The same, where nobody may be there: up to the end of the connection or of an answer's headers;
 * "": nothing. */
void node_rig_ask_port(u16 port, const char *text, char *answer, usize size);

#endif

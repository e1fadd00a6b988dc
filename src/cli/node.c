/* node: runs the chain of a data folder that keel init has made. */
#include <stdio.h>

#include "cli/command.h"
#include "cli/node_options.h"
#include "sys/env.h"

#define SECOND_NS UINT64_C(1000000000)
#define YEAR_NS   (UINT64_C(31536000) * SECOND_NS)

struct node {
    struct kl_node_options node;
    bool on_demand, by_blocks;
    u64 memory_max, min_free, sync_delay_ns, ahead_ns, behind_ns;
    const char *checkpoint;
    struct kl_greeting greeting;
};

static const kl_example examples[] = {
    {"keel node --dir ./chain", "A block every second, on 127.0.0.1:8545"},
    {"keel node --dir ./chain --block-time 5 --on-demand",
     "A block at most every five seconds, and only when there are transactions"},
    {"keel node --dir ./chain --host 0.0.0.0 --allow-origin https://example.org",
     "Open to other machines, and to web pages of one origin"},
};

static usize own_options(kl_option *rows, struct node *n)
{
    const kl_option table[] = {
        {KL_OPTION_FLAG, "--on-demand", .help = "make a block only when transactions wait",
         .into = &n->on_demand},
        {KL_OPTION_GROUP, .help = "memory"},
        {KL_OPTION_NUMBER, "--max-memory", .value = "BYTES",
         .help = "let no strangers in above 80 % of it; 0: any (half the machine's)",
         .into = &n->memory_max, .max = UINT64_MAX},
        {KL_OPTION_GROUP, .help = "data"},
        {KL_OPTION_TEXT, "--dir", .other = "--datadir", .value = "FOLDER",
         .help = "the data folder that keel init made", .into = &n->node.dir},
        {KL_OPTION_FLAG, "--by-blocks",
         .help = "catch up by executing every block: old states are here at once",
         .into = &n->by_blocks},
        {KL_OPTION_NUMBER, "--min-free-disk", .value = "BYTES",
         .help = "stand still while less is free; 0: until a disk is full (2 %, to 1 GiB)",
         .into = &n->min_free, .max = UINT64_MAX - 1},
        {KL_OPTION_TEXT, "--checkpoint", .value = "NUMBER:HASH",
         .help = "a block that the chain must contain, in the place of network.json's",
         .into = &n->checkpoint},
        {KL_OPTION_SECONDS, "--fsync-delay", .value = "SECONDS", .into = &n->sync_delay_ns,
         .max = SECOND_NS},
        {KL_OPTION_SECONDS, "--clock-ahead", .value = "SECONDS", .into = &n->ahead_ns,
         .max = YEAR_NS},
        {KL_OPTION_SECONDS, "--clock-behind", .value = "SECONDS", .into = &n->behind_ns,
         .max = YEAR_NS},
    };
    memcpy(rows, table, sizeof table);
    return KL_COUNT_OF(table);
}

static int parse(struct node *n, int argc, char **argv)
{
    kl_option rows[5 * KL_NODE_OPTIONS_MAX];
    usize count = kl_server_options(rows, &n->node);
    rows[count++] = (kl_option){KL_OPTION_GROUP, .help = "blocks"};
    count += kl_block_options(rows + count, &n->node);
    count += own_options(rows + count, n);
    count += kl_keep_options(rows + count, &n->node);
    count += kl_output_options(rows + count, &n->node);
    const kl_usage usage = {
        .command = "node",
        .arguments = "",
        .help = "Runs the chain of a data folder that keel init has made.  A block is\n"
                "acknowledged when it is safe from a power cut.",
        .options = rows,
        .option_count = count,
        .examples = examples,
        .example_count = KL_COUNT_OF(examples),
    };
    int arguments, code = kl_options_parse(&usage, argc, argv, &arguments);
    if (code < 0 && !n->node.dir) {
        fprintf(stderr, "keel node: --dir FOLDER is missing; 'keel init' makes one\n"
                        "Try 'keel node --help'.\n");
        return KL_EXIT_USAGE;
    }
    return code;
}

static void greet(struct kl_greeting *greeting, struct kl_node *node, struct kl_buf *text)
{
    const struct node *n = (struct node *)((char *)greeting - offsetof(struct node, greeting));
    struct kl_chain *chain = kl_node_chain(node);
    struct kl_tip *tip = kl_chain_published(chain);
    char peer[KL_MULTIADDR_TEXT_MAX];
    kl_buf_print(text, "keel %s\n\nChain id:  %llu\nBlock:     %llu\n", KL_VERSION,
                 (unsigned long long)kl_chain_spec(chain)->chain_id,
                 (unsigned long long)tip->header.number);
    kl_buf_print(text, "Folder:    %s\n", n->node.dir);
    if (kl_node_peer_address(node, peer))
        kl_buf_print(text, "Peers:     %s\n", peer);
    kl_buf_print(text, "\nListening on %s:%u\n\n", n->node.host, kl_node_port(node));
    kl_tip_unref(tip);
}

static void greet_json(struct kl_greeting *greeting, struct kl_node *node, struct kl_buf *text)
{
    const struct node *n = (struct node *)((char *)greeting - offsetof(struct node, greeting));
    struct kl_json_out out = kl_greeting_begin(&n->node, node, text);
    char peer[KL_MULTIADDR_TEXT_MAX];
    if (kl_node_peer_address(node, peer))
        kl_json_add_text(&out, "peer", peer);
    kl_greeting_end(&out);
}

int kl_cmd_node(int argc, char **argv)
{
    struct node n = {.memory_max = kl_sys_memory_total() / 2, .min_free = KL_ROOM_AUTO};
    kl_node_options_init(&n.node);
    n.node.block_time_ns = SECOND_NS;
    int code = parse(&n, argc, argv);
    if (code >= 0)
        return code;
    kl_node_config config = {.durable = true,
                             .on_demand = n.on_demand,
                             .by_blocks = n.by_blocks,
                             .memory_max = n.memory_max,
                             .min_free = n.min_free,
                             .sync_delay_ns = n.sync_delay_ns};
    if (!kl_checkpoint_option(&config.checkpoint, n.checkpoint, "node"))
        return KL_EXIT_USAGE;
    code = kl_node_options_apply(&config, &n.node, "node");
    if (code >= 0)
        return code;
    kl_sys_clock_shift((i64)n.ahead_ns - (i64)n.behind_ns);
    n.greeting.write = n.node.json ? greet_json : greet;
    return kl_node_serve(&config, "node", n.node.silent, &n.greeting);
}

/* init: a data folder with a new chain, from a genesis file in geth's format. */
#include <stdio.h>

#include "cli/command.h"
#include "cli/files.h"
#include "cli/node_options.h"

struct init {
    const char *genesis, *dir;
    bool reset;
};

static const kl_example examples[] = {
    {"keel init --genesis genesis.json --dir ./chain", "A new chain in the folder ./chain"},
};

static int parse(struct init *init, int argc, char **argv)
{
    const kl_option options[] = {
        {KL_OPTION_TEXT, "--genesis", .value = "FILE", .help = "the genesis file, in geth's format",
         .into = &init->genesis},
        {KL_OPTION_TEXT, "--dir", .other = "--datadir", .value = "FOLDER",
         .help = "the data folder to make", .into = &init->dir},
        {KL_OPTION_FLAG, "--reset", .help = "forget the chain that is there", .into = &init->reset},
    };
    const kl_usage usage = {
        .command = "init",
        .arguments = "",
        .help = "Makes a data folder with a new chain from a genesis file, for keel node.  A\n"
                "folder that has this very chain is left as it is.",
        .options = options,
        .option_count = KL_COUNT_OF(options),
        .examples = examples,
        .example_count = KL_COUNT_OF(examples),
    };
    int count, code = kl_options_parse(&usage, argc, argv, &count);
    if (code < 0 && (!init->genesis || !init->dir)) {
        fprintf(stderr, "keel init: %s is missing\nTry 'keel init --help'.\n",
                init->genesis ? "--dir FOLDER" : "--genesis FILE");
        return KL_EXIT_USAGE;
    }
    return code;
}

static void tell(struct kl_node *node, const struct init *init, bool created)
{
    struct kl_chain *chain = kl_host_chain(kl_node_host(node));
    const kl_hash *hash = kl_chain_genesis_hash(chain);
    printf("%s %s: chain id %llu, genesis 0x", created ? "Made a chain in" : "The chain is in",
           init->dir, (unsigned long long)kl_chain_spec(chain)->chain_id);
    for (usize i = 0; i < sizeof hash->b; i++)
        printf("%02x", hash->b[i]);
    printf("\nRun it with: keel node --dir %s\n", init->dir);
}

static int run(const struct init *init, kl_span genesis)
{
    struct kl_node *node;
    kl_node_report report;
    kl_node_fault fault;
    const kl_node_config config = {
        .client_version = kl_client_version,
        .dir = init->dir,
        .genesis = genesis,
        .genesis_file = init->genesis,
        .reset = init->reset,
        .durable = true,
        .log_fd = -1,
    };
    if (kl_node_open(&node, &config, &report, &fault) != KL_OK) {
        fprintf(stderr, "keel init: %s\n", fault.text);
        return KL_EXIT_FAILED;
    }
    kl_node_tell(&report, "init");
    tell(node, init, report.created);
    kl_node_close(node);
    return KL_EXIT_OK;
}

int kl_cmd_init(int argc, char **argv)
{
    struct init init = {0};
    kl_span genesis;
    int code = parse(&init, argc, argv);
    if (code >= 0)
        return code;
    kl_status status = kl_file_load(&genesis, init.genesis);
    if (status != KL_OK) {
        fprintf(stderr, "keel init: %s: %s\n", init.genesis, kl_status_text(status));
        return KL_EXIT_FAILED;
    }
    if (genesis.len == 0) {
        fprintf(stderr, "keel init: %s:1: the file is empty\n", init.genesis);
        code = KL_EXIT_FAILED;
    } else {
        code = run(&init, genesis);
    }
    kl_file_free(genesis);
    return code;
}

/* init: a data folder with a new chain, from a genesis file in geth's format; or the folders of a
 * new network whose validators vote. */
#include <stdio.h>

#include "cli/command.h"
#include "cli/files.h"
#include "cli/node_options.h"
#include "node/network.h"
#include "sys/env.h"

#define NS_PER_S 1000000000u

struct init {
    const char *genesis, *dir, *scheme, *hosts;
    u64 validators, chain_id, epoch_blocks, period_ms, delta_ms, base_port;
    bool reset;
};

static const kl_example examples[] = {
    {"keel init --genesis genesis.json --dir ./chain", "A new chain in the folder ./chain"},
    {"keel init --validators 4 --hosts 192.0.2.11,192.0.2.12,one.example,two.example --out net/",
     "Four folders, to be carried to four machines"},
    {"keel init --validators 1 --out net/",
     "A network of one validator, to be run by keel node --dir net/node-0"},
};

/* What is missing, or asked for twice over. */
static const char *judge(const struct init *init)
{
    if (!init->dir)
        return init->validators ? "--out FOLDER is missing" : "--dir FOLDER is missing";
    if (!init->genesis && !init->validators)
        return "--genesis FILE is missing, or --validators N";
    if (init->genesis && init->validators)
        return "--genesis and --validators exclude one another";
    if (init->hosts && !init->validators)
        return "--hosts goes with --validators N";
    return init->validators && init->reset ? "a network is made in a folder of its own: no --reset"
                                           : NULL;
}

static int parse(struct init *init, int argc, char **argv)
{
    const kl_option options[] = {
        {KL_OPTION_TEXT, "--dir", .other = "--datadir", .value = "FOLDER",
         .help = "the data folder to make", .into = &init->dir},
        {KL_OPTION_GROUP, .help = "a chain"},
        {KL_OPTION_TEXT, "--genesis", .value = "FILE", .help = "the genesis file, in geth's format",
         .into = &init->genesis},
        {KL_OPTION_FLAG, "--reset", .help = "forget the chain that is there", .into = &init->reset},
        {KL_OPTION_GROUP, .help = "a network whose validators vote"},
        {KL_OPTION_NUMBER, "--validators", .value = "N",
         .help = "how many: makes genesis.json and a folder with a key for each", .min = 1,
         .max = KL_VALIDATORS_MAX, .into = &init->validators},
        {KL_OPTION_TEXT, "--out", .value = "FOLDER",
         .help = "where to make them; --dir says the same", .into = &init->dir},
        {KL_OPTION_NUMBER, "--chain-id", .value = "ID", .help = "of the new chain (31337)",
         .min = 1, .max = UINT64_MAX, .into = &init->chain_id},
        {KL_OPTION_TEXT, "--scheme", .value = "NAME",
         .help = "of votes: secp256k1 or bls12-381 (secp256k1)", .into = &init->scheme},
        {KL_OPTION_NUMBER, "--epoch", .value = "BLOCKS",
         .help = "after which validators may change (32)", .min = 1, .max = UINT32_MAX,
         .into = &init->epoch_blocks},
        {KL_OPTION_NUMBER, "--base-port", .value = "PORT",
         .help = "node i listens for the others at PORT + i, or with --hosts at PORT (30300)",
         .min = 1, .max = 65000, .into = &init->base_port},
        {KL_OPTION_TEXT, "--hosts", .value = "A,B,C,D",
         .help = "addresses or names of the machines, one for each node (loopback)",
         .into = &init->hosts},
        {KL_OPTION_NUMBER, "--period", .value = "MS", .help = "between blocks under load (200)",
         .min = 1, .max = 3600000, .into = &init->period_ms},
        {KL_OPTION_NUMBER, "--delta", .value = "MS",
         .help = "what a message takes, as a rule (500)", .min = 1, .max = 10000,
         .into = &init->delta_ms},
    };
    const kl_usage usage = {
        .command = "init",
        .arguments = "",
        .help = "Makes a data folder with a new chain from a genesis file, for keel node.  A\n"
                "folder that has this very chain is left as it is.  Or makes the folders of a\n"
                "new network, each with a validator's key.",
        .options = options,
        .option_count = KL_COUNT_OF(options),
        .examples = examples,
        .example_count = KL_COUNT_OF(examples),
    };
    int count, code = kl_options_parse(&usage, argc, argv, &count);
    const char *missing = code < 0 ? judge(init) : NULL;
    if (missing) {
        fprintf(stderr, "keel init: %s\nTry 'keel init --help'.\n", missing);
        return KL_EXIT_USAGE;
    }
    return code;
}

static void print_hash(const kl_hash *hash)
{
    for (usize i = 0; i < sizeof hash->b; i++)
        printf("%02x", hash->b[i]);
}

/* An address or a name, with a port. */
static bool place(kl_multiaddr *out, const char *host, unsigned port)
{
    static const char *const kinds[] = {"ip4", "ip6", "dns"};
    char text[KL_MULTIADDR_TEXT_MAX];
    for (usize i = 0; i < KL_COUNT_OF(kinds); i++) {
        snprintf(text, sizeof text, "/%s/%s/tcp/%u", kinds[i], host, port);
        if (kl_multiaddr_parse(out, kl_span_str(text)) == KL_RULE_NONE)
            return true;
    }
    fprintf(stderr, "keel init: --hosts: '%s' is neither an address nor a name\n", host);
    return false;
}

/* One of --hosts for each node. */
static bool read_places(kl_multiaddr *out, const struct init *init)
{
    static char copy[KL_VALIDATORS_MAX * 64];
    char *rest = copy, *host;
    u64 count = 0;
    if (snprintf(copy, sizeof copy, "%s", init->hosts) >= (int)sizeof copy) {
        fprintf(stderr, "keel init: --hosts is too long\n");
        return false;
    }
    while ((host = strsep(&rest, ",")) != NULL) {
        if (count < init->validators && !place(&out[count], host, (unsigned)init->base_port))
            return false;
        count++;
    }
    if (count != init->validators)
        fprintf(stderr, "keel init: --hosts names %llu machines for %llu validators\n",
                (unsigned long long)count, (unsigned long long)init->validators);
    return count == init->validators;
}

static int make_network(const struct init *init)
{
    static kl_multiaddr places[KL_VALIDATORS_MAX];
    kl_hash genesis;
    kl_node_fault fault;
    kl_network_config config = {
        .client_version = kl_client_version,
        .dir = init->dir,
        .count = (u32)init->validators,
        .chain_id = init->chain_id,
        .timestamp = kl_wall_ns(kl_sys_clock()) / NS_PER_S,
        .base_port = init->validators > 1 || init->hosts ? (u16)init->base_port : 0,
        .epoch_blocks = init->epoch_blocks,
        .block_period_ms = init->period_ms,
        .empty_period_ms = 10000,
        .delta_ms = init->delta_ms,
    };
    for (u8 id = 1; id < UINT8_MAX; id++) {
        const kl_vote_scheme *scheme = kl_vote_scheme_of(id, false);
        if (scheme && strcmp(scheme->name, init->scheme) == 0)
            config.scheme = scheme;
    }
    if (!config.scheme) {
        fprintf(stderr, "keel init: --scheme %s: secp256k1 or bls12-381\n", init->scheme);
        return KL_EXIT_USAGE;
    }
    if (init->hosts) {
        if (!read_places(places, init))
            return KL_EXIT_USAGE;
        config.places = places;
    }
    if (kl_network_make(&config, &genesis, &fault) != KL_OK) {
        fprintf(stderr, "keel init: %s\n", fault.text);
        return KL_EXIT_FAILED;
    }
    printf("Made a network in %s: chain id %llu, genesis 0x", init->dir,
           (unsigned long long)config.chain_id);
    print_hash(&genesis);
    const char *slash = init->dir[strlen(init->dir) - 1] == '/' ? "" : "/";
    printf("\n%u folder%s, node-0 and so on, each with a validator's secret key\n"
           "Run one with: keel node --dir %s%snode-0\n",
           config.count, config.count == 1 ? "" : "s", init->dir, slash);
    return KL_EXIT_OK;
}

static void tell(struct kl_node *node, const struct init *init, bool created)
{
    struct kl_chain *chain = kl_node_chain(node);
    printf("%s %s: chain id %llu, genesis 0x", created ? "Made a chain in" : "The chain is in",
           init->dir, (unsigned long long)kl_chain_spec(chain)->chain_id);
    print_hash(kl_chain_genesis_hash(chain));
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
    struct init init = {.chain_id = 31337,
                        .scheme = "secp256k1",
                        .epoch_blocks = 32,
                        .period_ms = 200,
                        .delta_ms = 500,
                        .base_port = 30300};
    kl_span genesis;
    int code = parse(&init, argc, argv);
    if (code >= 0)
        return code;
    if (init.validators)
        return make_network(&init);
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

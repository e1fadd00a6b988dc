/* join: a node that follows a network, from its genesis file and one address. */
#include <stdio.h>

#include "cli/command.h"
#include "cli/files.h"
#include "cli/node_options.h"
#include "codec/hex.h"
#include "node/join.h"

struct join {
    const char *dir, *listen, *checkpoint;
};

static const kl_example examples[] = {
    {"keel join genesis.json /ip4/192.0.2.7/tcp/30300/p2p/12D3KooW… --dir ./follower",
     "A node that follows the network of genesis.json"},
    {"keel join genesis.json /dns/one.example/tcp/30300/p2p/12D3KooW… --dir ./follower\n"
     "      --listen /ip4/127.0.0.1/tcp/30310",
     "The same, reached by a name, listening at another port"},
    {"keel join genesis.json /ip4/192.0.2.7/tcp/30300/p2p/12D3KooW… --dir ./follower\n"
     "      --checkpoint 120000:0x5c0f…",
     "Refuse a history without this block, whoever has signed it"},
};

static int parse(struct join *join, int argc, char **argv)
{
    const kl_option options[] = {
        {KL_OPTION_TEXT, "--dir", .other = "--datadir", .value = "FOLDER",
         .help = "the data folder to make", .into = &join->dir},
        {KL_OPTION_TEXT, "--listen", .value = "ADDRESS",
         .help = "where it listens for others (/ip4/0.0.0.0/tcp/30300)", .into = &join->listen},
        {KL_OPTION_TEXT, "--checkpoint", .value = "NUMBER:HASH",
         .help = "a block that the chain must contain", .into = &join->checkpoint},
    };
    const kl_usage usage = {
        .command = "join",
        .arguments = "GENESIS ADDRESS",
        .help = "Makes the data folder of a node that does not vote: it follows the network of a\n"
                "genesis file, beginning with the node at ADDRESS, answers clients, and passes\n"
                "their transactions on.  Run it with keel node.  ADDRESS is what keel node prints\n"
                "as its peer address.",
        .options = options,
        .option_count = KL_COUNT_OF(options),
        .examples = examples,
        .example_count = KL_COUNT_OF(examples),
        .arguments_min = 2,
        .arguments_max = 2,
    };
    int count, code = kl_options_parse(&usage, argc, argv, &count);
    if (code < 0 && !join->dir) {
        fprintf(stderr, "keel join: --dir FOLDER is missing\nTry 'keel join --help'.\n");
        return KL_EXIT_USAGE;
    }
    return code;
}

static bool complain(const char *text, const char *why)
{
    fprintf(stderr, "keel join: %s: %s\n", text, why);
    return false;
}

static bool read_peer(kl_multiaddr *out, const char *text)
{
    kl_rule broken = kl_multiaddr_parse(out, kl_span_str(text));
    if (broken != KL_RULE_NONE)
        return complain(text, kl_rule_text(broken));
    if (out->host == KL_HOST_NONE || !out->has_port || !out->port)
        return complain(text,
                        "a host and a port are needed: /ip4/192.0.2.7/tcp/30300/p2p/12D3KooW…");
    if (!out->has_peer)
        return complain(text, "who is there must be said too: /p2p/ and the peer's id at its end");
    return true;
}

static bool read_listen(kl_multiaddr *out, const char *text)
{
    kl_rule broken = kl_multiaddr_parse(out, kl_span_str(text));
    if (broken != KL_RULE_NONE)
        return complain(text, kl_rule_text(broken));
    bool is_numeric = out->host == KL_HOST_IP4 || out->host == KL_HOST_IP6;
    return (is_numeric && out->has_port && !out->has_peer) ||
           complain(text, "--listen takes /ip4 or /ip6 with an address, and /tcp with a port");
}

static int run(const struct join *join, const char *genesis_file, kl_span genesis,
               const kl_multiaddr *peer, const kl_multiaddr *listen, kl_pin checkpoint)
{
    const kl_join_config config = {
        .client_version = kl_client_version,
        .dir = join->dir,
        .genesis = genesis,
        .genesis_file = genesis_file,
        .peer = peer,
        .listen = listen,
        .checkpoint = checkpoint,
    };
    kl_node_fault fault;
    kl_peer_id id;
    kl_hash hash;
    char text[KL_BASE58_TEXT_MAX], digits[2 * sizeof hash.b + 1] = "";
    if (kl_join(&config, &id, &hash, &fault) != KL_OK) {
        fprintf(stderr, "keel join: %s\n", fault.text);
        return KL_EXIT_FAILED;
    }
    (void)kl_peer_id_text(text, &id);
    kl_hex_digits(digits, KL_SPAN_OF(hash.b));
    printf("Made a node in %s that follows the chain of genesis 0x%s\nIt is %s to its peers\n"
           "Run it with: keel node --dir %s\n",
           join->dir, digits, text, join->dir);
    return KL_EXIT_OK;
}

int kl_cmd_join(int argc, char **argv)
{
    struct join join = {.listen = "/ip4/0.0.0.0/tcp/30300"};
    kl_multiaddr peer, listen;
    kl_pin checkpoint = {0};
    kl_span genesis;
    int code = parse(&join, argc, argv);
    if (code >= 0)
        return code;
    if (!read_peer(&peer, argv[2]) || !read_listen(&listen, join.listen) ||
        !kl_checkpoint_option(&checkpoint, join.checkpoint, "join"))
        return KL_EXIT_USAGE;
    kl_status status = kl_file_load(&genesis, argv[1]);
    if (status == KL_OK && genesis.len == 0) {
        kl_file_free(genesis);
        complain(argv[1], "the file is empty");
        return KL_EXIT_FAILED;
    }
    if (status != KL_OK) {
        complain(argv[1], kl_status_text(status));
        return KL_EXIT_FAILED;
    }
    code = run(&join, argv[1], genesis, &peer, &listen, checkpoint);
    kl_file_free(genesis);
    return code;
}

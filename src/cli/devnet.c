/* devnet: a network of validators as processes on loopback, from one terminal. */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli/command.h"
#include "cli/devnet.h"
#include "cli/node_options.h"
#include "cli/option.h"
#include "node/network.h"
#include "sys/env.h"
#include "sys/fs.h"
#include "sys/tcp.h"

#define NS_PER_S   1000000000u
#define TICK_NS    UINT64_C(100000000)
#define GOODBYE_NS UINT64_C(20000000000) /* for nodes to end in good order */
#define ONE_ACT_NS UINT64_C(1000000000)  /* signals within it are one: timeout(1) sends two */

static volatile sig_atomic_t stops;

static void on_signal(int number)
{
    (void)number;
    stops++;
}

/* --- the folder --- */

static u32 nodes_in(const char *dir)
{
    char path[KL_DEVNET_PATH_MAX];
    struct stat stat_;
    u32 count = 0;
    while (count < KL_DEVNET_NODES_MAX &&
           snprintf(path, sizeof path, "%s/node-%u", dir, count) < (int)sizeof path &&
           stat(path, &stat_) == 0)
        count++;
    return count;
}

static bool make(const struct kl_devnet *d)
{
    const struct kl_devnet_options *o = &d->options;
    kl_hash genesis;
    kl_node_fault fault;
    const kl_network_config config = {
        .client_version = kl_client_version,
        .dir = o->dir,
        .count = (u32)o->count,
        .scheme = kl_vote_scheme_of(KL_SCHEME_SECP256K1, false),
        .chain_id = o->chain_id,
        .timestamp = kl_wall_ns(kl_sys_clock()) / NS_PER_S,
        .base_port = kl_devnet_peer_port(d, 0),
        .epoch_blocks = 32,
        .block_period_ms = KL_MAX(o->block_time_ns / 1000000, (u64)1),
        .empty_period_ms = 10000,
        .delta_ms = o->delta_ms,
    };
    if (kl_network_make(&config, &genesis, &fault) == KL_OK)
        return true;
    fprintf(stderr, "keel devnet: %s\n", fault.text);
    return false;
}

/* --- running --- */

static void greet(const struct kl_devnet *d)
{
    const struct kl_devnet_options *o = &d->options;
    printf("keel %s: %u validators in %s, RPC at http://127.0.0.1:%llu to %llu\n", KL_VERSION,
           d->count, o->dir, (unsigned long long)o->base_port,
           (unsigned long long)(o->base_port + d->count - 1));
    printf("Accounts with ether: \"operator\" in %s/node-0/validator/key.json and so on\n", o->dir);
    printf("In another terminal: keel devnet status --dir %s   (--help: kill, partition, ...)\n"
           "Ctrl-C ends all of them.\n\n",
           o->dir);
    fflush(stdout);
}

static void turn(struct kl_devnet *d)
{
    KL_ASSERT(kl_loop_turn(d->loop, TICK_NS));
    kl_devnet_children_reap(d);
    kl_devnet_screen_show(d);
}

/* Ends all: in good order, and by force when that takes too long or is asked for again. */
static void end_all(struct kl_devnet *d)
{
    u64 start_ns = kl_loop_now(d->loop);
    sig_atomic_t before = stops;
    d->stopping = true;
    for (u32 i = 0; i < d->count; i++) {
        kl_devnet_child_signal(d, i, SIGCONT);
        kl_devnet_child_signal(d, i, SIGTERM);
    }
    while (kl_devnet_children_alive(d)) {
        turn(d);
        u64 passed_ns = kl_loop_now(d->loop) - start_ns;
        if (passed_ns < ONE_ACT_NS)
            before = stops;
        if (stops != before || passed_ns > GOODBYE_NS) {
            before = stops;
            for (u32 i = 0; i < d->count; i++)
                kl_devnet_child_signal(d, i, SIGKILL);
        }
    }
}

static kl_status open_proxy(struct kl_devnet *d)
{
    u16 ports[KL_DEVNET_NODES_MAX];
    if (d->options.no_proxy || d->count < 2)
        return KL_OK;
    for (u32 i = 0; i < d->count; i++)
        ports[i] = kl_devnet_peer_port(d, i);
    return kl_devnet_proxy_open(&d->proxy, d->loop, d->count, ports, kl_mono_ns(kl_sys_clock()));
}

static int serve(struct kl_devnet *d)
{
    kl_status status = kl_devnet_desk_open(d);
    if (status != KL_OK) {
        fprintf(stderr, "keel devnet: %s: %s\n", d->options.dir,
                status == KL_BUSY ? "its network is running already" : kl_status_text(status));
        return KL_EXIT_FAILED;
    }
    status = open_proxy(d);
    if (status != KL_OK) {
        fprintf(stderr, "keel devnet: the network between the nodes: %s\n", kl_status_text(status));
        kl_devnet_desk_close(d);
        return KL_EXIT_FAILED;
    }
    greet(d);
    kl_devnet_screen_open(d);
    for (u32 i = 0; i < d->count; i++)
        if (!kl_devnet_child_start(d, i))
            kl_devnet_say(d, i, "(cannot be started)");
    kl_devnet_table_open(d);
    while (!stops)
        turn(d);
    end_all(d);
    kl_devnet_table_close(d);
    kl_devnet_screen_close(d);
    kl_devnet_proxy_close(d->proxy);
    kl_devnet_desk_close(d);
    return KL_EXIT_OK;
}

static int run(struct kl_devnet *d)
{
    const struct sigaction action = {.sa_handler = on_signal};
    ssize_t len = readlink("/proc/self/exe", d->self, sizeof d->self - 1);
    d->count = nodes_in(d->options.dir);
    if (!d->count && !make(d))
        return KL_EXIT_FAILED;
    if (!d->count)
        d->count = (u32)d->options.count;
    kl_status status = len < 0 ? kl_sys_status(errno) : kl_loop_open(&d->loop, kl_sys_clock());
    if (status != KL_OK) {
        fprintf(stderr, "keel devnet: %s\n", kl_status_text(status));
        return KL_EXIT_FAILED;
    }
    for (u32 i = 0; i < d->count; i++)
        d->children[i] = (struct kl_devnet_child){.devnet = d, .index = i, .out = {.fd = -1}};
    (void)kl_tcp_room();
    (void)sigaction(SIGINT, &action, NULL);
    (void)sigaction(SIGTERM, &action, NULL);
    (void)signal(SIGPIPE, SIG_IGN);
    int code = serve(d);
    kl_loop_close(d->loop);
    return code;
}

/* --- the command --- */

struct command {
    struct kl_devnet *devnet;
    bool one_way;
};

static const kl_example examples[] = {
    {"keel devnet -n 4 --dir ./net", "Four validators; RPC of node i on port 8545 + i"},
    {"keel devnet status --dir ./net", "What they are at, from another terminal"},
    {"keel devnet kill 2 --dir ./net", "kill -9 for one of them; then 'restart 2'"},
    {"keel devnet partition 0,1 --dir ./net", "Two on each side; then 'heal'"},
    {"keel devnet latency 100 --dir ./net", "100 ms each way, until 'latency 0'"},
    {"keel devnet loss 5 --dir ./net", "Every 20th packet is lost, and sent again"},
};

/* The words of an order, as they go to the desk. */
static bool compose(char *out, usize cap, const struct command *c, int count, char **argv)
{
    usize len = 0;
    for (int i = 1; i <= count && len < cap; i++)
        len += (usize)snprintf(out + len, cap - len, "%s%s", i > 1 ? " " : "", argv[i]);
    if (c->one_way && len < cap)
        len += (usize)snprintf(out + len, cap - len, " one-way");
    return len < cap;
}

static int parse(struct command *c, int argc, char **argv, int *count)
{
    struct kl_devnet_options *o = &c->devnet->options;
    const kl_option options[] = {
        {KL_OPTION_TEXT, "--dir", .other = "--datadir", .value = "FOLDER",
         .help = "where the network is, or is made (./devnet)", .into = &o->dir},
        {KL_OPTION_GROUP, .help = "running one"},
        {KL_OPTION_NUMBER, "--validators", .letter = 'n', .value = "N",
         .help = "how many, of a network that is made (4)", .min = 1, .max = KL_DEVNET_NODES_MAX,
         .into = &o->count},
        {KL_OPTION_NUMBER, "--base-port", .value = "PORT",
         .help = "RPC of node i is at PORT + i (8545)", .min = 1, .max = 60000,
         .into = &o->base_port},
        {KL_OPTION_SECONDS, "--block-time", .value = "SECONDS",
         .help = "between blocks under load, of a network that is made (0.2)", .min = 1000000,
         .max = 3600ull * NS_PER_S, .into = &o->block_time_ns},
        {KL_OPTION_NUMBER, "--delta", .value = "MS",
         .help = "what a message takes, as a rule, of a network that is made (100)", .min = 1,
         .max = 10000, .into = &o->delta_ms},
        {KL_OPTION_NUMBER, "--chain-id", .value = "ID", .help = "of a network that is made (31337)",
         .min = 1, .max = UINT64_MAX, .into = &o->chain_id},
        {KL_OPTION_FLAG, "--no-proxy",
         .help = "let nodes reach one another directly: faster, without partition and latency",
         .into = &o->no_proxy},
        {KL_OPTION_GROUP, .help = "in another terminal"},
        {KL_OPTION_FLAG, "--one-way",
         .help = "partition: what the nodes say is not heard; they hear the others",
         .into = &c->one_way},
    };
    const kl_usage usage = {
        .command = "devnet",
        .arguments = "[status | kill NODES | stop NODES | cont NODES | restart NODES |\n"
                     "                    partition NODES | heal | latency MS | loss PERCENT]",
        .help = "Runs validators as processes on loopback, from one terminal; makes them with\n"
                "their keys when the folder is empty.  In a second terminal, with the same\n"
                "--dir, asks what they are at, or does something to them, or to the network\n"
                "between them.  NODES are numbers: 2, or 0,1.",
        .options = options,
        .option_count = KL_COUNT_OF(options),
        .examples = examples,
        .example_count = KL_COUNT_OF(examples),
        .arguments_max = 2,
    };
    return kl_options_parse(&usage, argc, argv, count);
}

int kl_cmd_devnet(int argc, char **argv)
{
    struct command c = {.devnet = calloc(1, sizeof *c.devnet)};
    if (!c.devnet)
        return KL_EXIT_FAILED;
    c.devnet->options = (struct kl_devnet_options){.dir = "./devnet",
                                                   .count = 4,
                                                   .base_port = 8545,
                                                   .block_time_ns = NS_PER_S / 5,
                                                   .delta_ms = 100,
                                                   .chain_id = 31337};
    char words[200];
    int count, code = parse(&c, argc, argv, &count);
    if (code < 0 && count == 0)
        code = run(c.devnet);
    else if (code < 0)
        code = compose(words, sizeof words, &c, count, argv)
                   ? kl_devnet_order(c.devnet->options.dir, words)
                   : KL_EXIT_USAGE;
    free(c.devnet);
    return code;
}

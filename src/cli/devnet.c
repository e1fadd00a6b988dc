/* devnet: a network of validators as processes on loopback, from one terminal.
 *
 * The processes are children of this one and end with it.  What a second terminal wants done to one
 * of them it writes into a pipe with a name in the network's folder: only the parent knows its
 * children, so that no signal ever goes to a process of somebody else's. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cli/command.h"
#include "cli/devnet.h"
#include "cli/node_options.h"
#include "cli/option.h"
#include "node/network.h"
#include "sys/env.h"

#define NS_PER_S  1000000000u
#define PIPE_NAME "devnet.control"
#define TICK_MS   100

enum {
    NODES_MAX = 32,
    LINE_MAX_ = 4096,
    PATH = 4096,
    P2P_OFFSET = 1000, /* node i's peers find it at base port + 1000 + i */
};

struct child {
    pid_t pid; /* 0: it does not run */
    int out;   /* its words; -1: none */
    char line[LINE_MAX_];
    usize len;
    bool wanted; /* it is to be started again */
};

struct devnet {
    struct kl_devnet_options options;
    struct child children[NODES_MAX];
    char self[PATH]; /* this program */
    int control;
};

static volatile sig_atomic_t stopping;

static void on_signal(int number)
{
    (void)number;
    stopping = 1;
}

/* --- children --- */

static void run_child(const struct devnet *d, u32 i, int out)
{
    char dir[PATH], port[16];
    snprintf(dir, sizeof dir, "%s/node-%u", d->options.dir, i);
    snprintf(port, sizeof port, "%llu", (unsigned long long)(d->options.base_port + i));
    char *const words[] = {
        (char[]){"keel"}, (char[]){"node"}, (char[]){"--dir"}, dir, (char[]){"--port"}, port, NULL};
    if (dup2(out, 1) < 0 || dup2(out, 2) < 0)
        _exit(127);
    execv(d->self, words);
    _exit(127);
}

static bool start(struct devnet *d, u32 i)
{
    struct child *child = &d->children[i];
    int ends[2];
    pid_t parent = getpid();
    if (pipe2(ends, O_CLOEXEC) != 0)
        return false;
    pid_t pid = fork();
    if (pid == 0) {
        /* Ctrl-C is for the parent, which ends its children in good order. */
        (void)setpgid(0, 0);
        (void)prctl(PR_SET_PDEATHSIG, SIGTERM);
        if (getppid() != parent)
            _exit(127);
        run_child(d, i, ends[1]);
    }
    close(ends[1]);
    if (pid < 0) {
        close(ends[0]);
        return false;
    }
    *child = (struct child){.pid = pid, .out = ends[0]};
    return true;
}

static void say(u32 i, const char *line)
{
    printf("node-%u | %s\n", i, line);
    fflush(stdout);
}

/* Whole lines, each behind its node's name. */
static void read_words(struct devnet *d, u32 i)
{
    struct child *child = &d->children[i];
    char bytes[1024];
    ssize_t got = read(child->out, bytes, sizeof bytes);
    if (got <= 0) {
        close(child->out);
        child->out = -1;
        return;
    }
    for (ssize_t k = 0; k < got; k++) {
        if (bytes[k] != '\n' && child->len + 1 < sizeof child->line) {
            child->line[child->len++] = bytes[k];
            continue;
        }
        child->line[child->len] = '\0';
        if (child->len)
            say(i, child->line);
        child->len = 0;
    }
}

static void reap(struct devnet *d)
{
    for (u32 i = 0; i < d->options.count; i++) {
        struct child *child = &d->children[i];
        int status;
        if (!child->pid || waitpid(child->pid, &status, WNOHANG) != child->pid)
            continue;
        child->pid = 0;
        if (WIFSIGNALED(status))
            say(i, WTERMSIG(status) == SIGKILL ? "(killed)" : "(ended by a signal)");
        else
            say(i, WEXITSTATUS(status) == 0 ? "(ended)" : "(ended with a fault)");
    }
    for (u32 i = 0; i < d->options.count; i++) {
        struct child *child = &d->children[i];
        if (child->pid || !child->wanted || stopping)
            continue;
        if (child->out >= 0)
            close(child->out);
        if (!start(d, i))
            say(i, "(cannot be started)");
    }
}

static void signal_child(const struct child *child, int number)
{
    if (child->pid)
        (void)kill(child->pid, number);
}

/* --- what a second terminal asks for: a letter and a node's number, 4 bytes each --- */

static void obey(struct devnet *d, const kl_devnet_order *order)
{
    if (order->node >= d->options.count)
        return;
    struct child *child = &d->children[order->node];
    switch (order->action) {
    case KL_DEVNET_KILL:
        signal_child(child, SIGKILL);
        break;
    case KL_DEVNET_STOP:
        signal_child(child, SIGSTOP);
        say(order->node, "(stands still)");
        break;
    case KL_DEVNET_CONT:
        signal_child(child, SIGCONT);
        say(order->node, "(goes on)");
        break;
    case KL_DEVNET_RESTART:
        child->wanted = true;
        signal_child(child, SIGCONT);
        signal_child(child, SIGTERM);
        break;
    case KL_DEVNET_STATUS:
        break; /* the nodes are asked themselves */
    }
}

static void read_orders(struct devnet *d)
{
    kl_devnet_order order;
    while (read(d->control, &order, sizeof order) == (ssize_t)sizeof order)
        obey(d, &order);
}

static bool pipe_path(char out[PATH], const char *dir)
{
    return snprintf(out, PATH, "%s/" PIPE_NAME, dir) < PATH;
}

static bool open_control(struct devnet *d)
{
    char path[PATH];
    if (!pipe_path(path, d->options.dir))
        return false;
    (void)unlink(path);
    d->control = mkfifo(path, 0600) == 0 ? open(path, O_RDWR | O_NONBLOCK | O_CLOEXEC) : -1;
    return d->control >= 0;
}

static int send_order(const struct kl_devnet_options *o)
{
    char path[PATH];
    const kl_devnet_order order = {.action = o->action, .node = (u32)o->node};
    int fd = pipe_path(path, o->dir) ? open(path, O_WRONLY | O_NONBLOCK | O_CLOEXEC) : -1;
    bool sent = fd >= 0 && write(fd, &order, sizeof order) == (ssize_t)sizeof order;
    if (fd >= 0)
        close(fd);
    if (sent)
        return KL_EXIT_OK;
    fprintf(stderr, "keel devnet: no network is running in %s\n", o->dir);
    return KL_EXIT_FAILED;
}

/* --- the network --- */

static bool has_network(const char *dir)
{
    char path[PATH];
    struct stat stat_;
    return snprintf(path, sizeof path, "%s/genesis.json", dir) < PATH && stat(path, &stat_) == 0;
}

static int make(const struct kl_devnet_options *o)
{
    kl_hash genesis;
    kl_node_fault fault;
    const kl_network_config config = {
        .client_version = kl_client_version,
        .dir = o->dir,
        .count = (u32)o->count,
        .scheme = kl_vote_scheme_of(KL_SCHEME_SECP256K1, false),
        .chain_id = o->chain_id,
        .timestamp = kl_wall_ns(kl_sys_clock()) / NS_PER_S,
        .base_port = (u16)(o->base_port + P2P_OFFSET),
        .epoch_blocks = 32,
        .block_period_ms = KL_MAX(o->block_time_ns / 1000000, (u64)1),
        .empty_period_ms = 10000,
        .delta_ms = 100,
    };
    if (kl_network_make(&config, &genesis, &fault) == KL_OK)
        return KL_EXIT_OK;
    fprintf(stderr, "keel devnet: %s\n", fault.text);
    return KL_EXIT_FAILED;
}

static void serve(struct devnet *d)
{
    struct pollfd watched[NODES_MAX + 1];
    while (!stopping) {
        nfds_t count = 0;
        u32 whose[NODES_MAX + 1];
        watched[count] = (struct pollfd){.fd = d->control, .events = POLLIN};
        whose[count++] = UINT32_MAX;
        for (u32 i = 0; i < d->options.count; i++)
            if (d->children[i].out >= 0) {
                watched[count] = (struct pollfd){.fd = d->children[i].out, .events = POLLIN};
                whose[count++] = i;
            }
        if (poll(watched, count, TICK_MS) > 0)
            for (nfds_t k = 0; k < count; k++) {
                if (!watched[k].revents)
                    continue;
                if (whose[k] == UINT32_MAX)
                    read_orders(d);
                else
                    read_words(d, whose[k]);
            }
        reap(d);
    }
}

static void end_all(struct devnet *d)
{
    for (u32 i = 0; i < d->options.count; i++) {
        signal_child(&d->children[i], SIGCONT);
        signal_child(&d->children[i], SIGTERM);
    }
    for (u32 i = 0; i < d->options.count; i++) {
        struct child *child = &d->children[i];
        while (child->out >= 0)
            read_words(d, i);
        if (child->pid)
            (void)waitpid(child->pid, NULL, 0);
    }
}

static void greet(const struct kl_devnet_options *o)
{
    printf("keel %s: %llu validators in %s\n\n", KL_VERSION, (unsigned long long)o->count, o->dir);
    for (u64 i = 0; i < o->count; i++)
        printf("  node-%llu  http://127.0.0.1:%llu\n", (unsigned long long)i,
               (unsigned long long)(o->base_port + i));
    printf("\nIn another terminal: keel devnet status --dir %s\nCtrl-C ends all of them.\n\n",
           o->dir);
    fflush(stdout);
}

static int run(struct devnet *d)
{
    ssize_t len = readlink("/proc/self/exe", d->self, sizeof d->self - 1);
    const struct sigaction action = {.sa_handler = on_signal};
    if (len < 0 || (!has_network(d->options.dir) && make(&d->options) != KL_EXIT_OK))
        return KL_EXIT_FAILED;
    d->self[len] = '\0';
    if (!open_control(d)) {
        fprintf(stderr, "keel devnet: cannot make %s/" PIPE_NAME ": %s\n", d->options.dir,
                strerror(errno));
        return KL_EXIT_FAILED;
    }
    (void)sigaction(SIGINT, &action, NULL);
    (void)sigaction(SIGTERM, &action, NULL);
    greet(&d->options);
    for (u32 i = 0; i < d->options.count; i++) {
        d->children[i].out = -1;
        if (!start(d, i))
            say(i, "(cannot be started)");
    }
    serve(d);
    end_all(d);
    close(d->control);
    char path[PATH];
    if (pipe_path(path, d->options.dir))
        (void)unlink(path);
    return KL_EXIT_OK;
}

/* --- the command --- */

static const kl_example examples[] = {
    {"keel devnet -n 4 --dir ./net", "Four validators; RPC of node i on port 8545 + i"},
    {"keel devnet status --dir ./net", "What they are at, from another terminal"},
    {"keel devnet kill 2 --dir ./net", "kill -9 for one of them; then 'restart 2'"},
};

/* "kill 2": which action, on which node; false where there is none such. */
static bool read_action(struct kl_devnet_options *o, int count, char **argv)
{
    static const struct {
        const char *name;
        kl_devnet_action action;
        int arguments;
    } rows[] = {
        {"status", KL_DEVNET_STATUS, 1},   {"kill", KL_DEVNET_KILL, 2},
        {"stop", KL_DEVNET_STOP, 2},       {"cont", KL_DEVNET_CONT, 2},
        {"restart", KL_DEVNET_RESTART, 2},
    };
    for (usize i = 0; i < KL_COUNT_OF(rows); i++) {
        const kl_option number = {KL_OPTION_NUMBER, "NODE", .min = 0, .max = NODES_MAX - 1,
                                  .into = &o->node};
        if (strcmp(argv[1], rows[i].name) != 0)
            continue;
        o->action = rows[i].action;
        return count == rows[i].arguments && (count < 2 || kl_option_set(&number, argv[2]));
    }
    return false;
}

int kl_cmd_devnet(int argc, char **argv)
{
    struct devnet *d = calloc(1, sizeof *d);
    if (!d)
        return KL_EXIT_FAILED;
    struct kl_devnet_options *o = &d->options;
    *o = (struct kl_devnet_options){.dir = "./devnet",
                                    .count = 4,
                                    .base_port = 8545,
                                    .block_time_ns = NS_PER_S / 5,
                                    .chain_id = 31337};
    const kl_option options[] = {
        {KL_OPTION_NUMBER, "--validators", .letter = 'n', .value = "N", .help = "how many",
         .min = 1, .max = NODES_MAX, .into = &o->count},
        {KL_OPTION_TEXT, "--dir", .other = "--datadir", .value = "FOLDER",
         .help = "where the network is, or is made", .into = &o->dir},
        {KL_OPTION_NUMBER, "--base-port", .value = "PORT", .help = "RPC of node i is at PORT + i",
         .min = 1, .max = 60000, .into = &o->base_port},
        {KL_OPTION_SECONDS, "--block-time", .value = "SECONDS",
         .help = "between blocks under load, of a network that is made", .min = 1000000,
         .max = 3600ull * NS_PER_S, .into = &o->block_time_ns},
        {KL_OPTION_NUMBER, "--chain-id", .value = "ID", .help = "of a network that is made",
         .min = 1, .max = UINT64_MAX, .into = &o->chain_id},
    };
    const kl_usage usage = {
        .command = "devnet",
        .arguments = "[status | kill NODE | stop NODE | cont NODE | restart NODE]",
        .help = "Runs validators as processes on loopback, from one terminal; made with their\n"
                "keys if the folder is empty.  In a second terminal, with the same --dir (and\n"
                "options), asks what they are at, or does something to one of them.",
        .options = options,
        .option_count = KL_COUNT_OF(options),
        .examples = examples,
        .example_count = KL_COUNT_OF(examples),
        .arguments_max = 2,
    };
    int count, code = kl_options_parse(&usage, argc, argv, &count);
    if (code < 0 && count > 0 && !read_action(o, count, argv)) {
        fprintf(stderr, "keel devnet: %s: not understood\nTry 'keel devnet --help'.\n", argv[1]);
        code = KL_EXIT_USAGE;
    }
    if (code < 0 && count == 0)
        code = run(d);
    else if (code < 0)
        code = o->action == KL_DEVNET_STATUS ? kl_devnet_status(o) : send_order(o);
    free(d);
    return code;
}

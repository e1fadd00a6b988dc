/* keel dev, keel init and keel node as somebody types them. */
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/test.h"
#include "cli/command.h"
#include "cli/place_test.h"
#include "cli/said_test.h"
#include "sys/tcp.h"

/* A command that serves: started, and what it says read until it listens. */
struct served {
    pid_t pid;
    int pipe;
    u16 port;
};

static struct served serve(const char *line, const char *mark)
{
    int ends[2];
    usize len = 0;
    CHECK(pipe(ends) == 0);
    struct served s = {.pid = start(line, ends[1]), .pipe = ends[0]};
    close(ends[1]);
    said[0] = '\0';
    for (const char *at; !(at = strstr(said, mark)) || !strchr(at, '\n');) {
        ssize_t got = read(s.pipe, said + len, sizeof said - 1 - len);
        if (got <= 0)
            kl_test_fail(__FILE__, __LINE__, "keel %s: %s", line, said);
        len += (usize)got;
        said[len] = '\0';
    }
    s.port = (u16)strtoul(strstr(said, mark) + strlen(mark), NULL, 10);
    return s;
}

/* One call; the answer is in `said`. */
static void call(const struct served *s, const char *method)
{
    char body[256], request[512];
    int fd, flags = 0;
    usize len = 0;
    snprintf(body, sizeof body, "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"%s\",\"params\":[]}",
             method);
    snprintf(request, sizeof request,
             "POST / HTTP/1.0\r\nContent-Type: application/json\r\nContent-Length: %zu\r\n\r\n%s",
             strlen(body), body);
    CHECK_OK(kl_tcp_connect(&fd, "127.0.0.1", s->port));
    CHECK(fcntl(fd, F_SETFL, flags) == 0); /* reads wait */
    CHECK(send(fd, request, strlen(request), MSG_NOSIGNAL) == (ssize_t)strlen(request));
    for (ssize_t got; (got = recv(fd, said + len, sizeof said - 1 - len, 0)) > 0;)
        len += (usize)got;
    said[len] = '\0';
    kl_tcp_close(fd);
}

static void check_answer(const struct served *s, const char *method, const char *result)
{
    call(s, method);
    if (!strstr(said, result))
        kl_test_fail(__FILE__, __LINE__, "%s: %s", method, said);
}

static void stop(struct served *s, int signal_number)
{
    CHECK(kill(s->pid, signal_number) == 0);
    CHECK_U64((u64)end_of(s->pid), KL_EXIT_OK);
    close(s->pipe);
}

#define JOIN_PEER    "12D3KooWDpJ7As7BWAwRMfu1VU2WCqNjvq387JEYKDBj4kx6nXTN"
#define JOIN_ADDRESS "/ip4/127.0.0.1/tcp/30300/p2p/" JOIN_PEER

KL_TEST(dev_options_that_make_no_sense_are_refused)
{
    static const struct {
        const char *line, *words;
    } rows[] = {
        {"dev --prot 1", "did you mean --port?"},
        {"dev --port 65536", "--port takes a number from 0 to 65535, not '65536'"},
        {"dev --accounts many", "--accounts takes a number from 0 to 1000"},
        {"dev --balance 1.2.3", "--balance takes an amount of ether"},
        {"dev --block-time 0", "--block-time takes seconds from 0.001 to 86400"},
        {"dev --chain-id 0", "--chain-id takes a number from 1"},
        {"dev --hardfork osaca", "did you mean osaka?"},
        {"dev --hardfork bpo5", "The forks are: frontier homestead"},
        {"dev --order random", "--order takes fees or fifo"},
        {"dev --coinbase 0x12", "--coinbase takes an address"},
        {"dev --ephemeral --dir x", "--ephemeral keeps nothing"},
        {"dev --ephemeral --reset", "--ephemeral keeps nothing"},
        {"dev --no-mining --block-time 1", "exclude each other"},
        {"dev --mnemonic nonsense --ephemeral", "--mnemonic takes 12 to 24 words"},
        {"dev something", "one argument too many: something"},
        {"init --dir x", "--genesis FILE is missing"},
        {"init --genesis x", "--dir FOLDER is missing"},
        {"join", "GENESIS ADDRESS"},
        {"join genesis.json " JOIN_ADDRESS, "--dir FOLDER is missing"},
        {"join genesis.json 127.0.0.1:30300 --dir x", "127.0.0.1:30300: multiaddr: malformed"},
        {"join genesis.json /ip4/127.0.0.1/udp/1 --dir x", "of a kind that is not dialled here"},
        {"join genesis.json /p2p/" JOIN_PEER " --dir x", "a host and a port are needed"},
        {"join genesis.json /ip4/127.0.0.1/tcp/1 --dir x", "who is there must be said too"},
        {"join genesis.json " JOIN_ADDRESS " --dir x --listen /dns/a/tcp/1",
         "--listen takes /ip4 or /ip6"},
        {"join genesis.json " JOIN_ADDRESS " --dir x --checkpoint 7",
         "--checkpoint takes NUMBER:HASH"},
        {"node", "--dir FOLDER is missing"},
        {"node --dir x --checkpoint 0x7", "--checkpoint takes NUMBER:HASH"},
        {"node --dir x --order random", "--order takes fees or fifo"},
        {"node --dir x --mnemonic y", "unknown option --mnemonic"},
    };
    struct place place;
    place_enter(&place);
    for (usize i = 0; i < KL_COUNT_OF(rows); i++)
        check_said(rows[i].line, KL_EXIT_USAGE, rows[i].words);
    CHECK(access(".keel", F_OK) != 0 && access("x", F_OK) != 0);
    place_leave(&place);
}

KL_TEST(node_commands_have_help_with_examples)
{
    check_said("dev --help", KL_EXIT_OK, "-b, --block-time SECONDS");
    CHECK(strstr(said, "examples:\n  keel dev\n") && strstr(said, "--keep-history"));
    check_said("init --help", KL_EXIT_OK, "keel init --genesis genesis.json --dir ./chain");
    check_said("node --help", KL_EXIT_OK, "--on-demand");
    CHECK(!strstr(said, "--mnemonic"));
}

KL_TEST(dev_runs_without_configuration_and_stops_on_a_signal)
{
    static const int signals[] = {SIGTERM, SIGINT};
    struct place place;
    place_enter(&place);
    for (usize i = 0; i < KL_COUNT_OF(signals); i++) {
        struct served s = serve("dev -p 0", "Listening on 127.0.0.1:");
        CHECK(strstr(said, "(0) 0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266 (10000 ETH)\n"));
        CHECK(
            strstr(said, "(0) 0xac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80"));
        CHECK(strstr(said, "Mnemonic:          test test") && strstr(said, "\n31337\n"));
        check_answer(&s, "eth_chainId", "\"result\":\"0x7a69\"");
        check_answer(&s, "evm_mine", "\"result\"");
        check_answer(&s, "eth_blockNumber", i ? "\"result\":\"0x2\"" : "\"result\":\"0x1\"");
        check_said("dev -p 0", KL_EXIT_FAILED, "another keel is running on ./.keel");
        stop(&s, signals[i]);
    }
    check_said("dev -p 0 --chain-id 5", KL_EXIT_FAILED, "--reset");
    place_leave(&place);
}

KL_TEST(dev_options_shape_the_chain)
{
    struct place place;
    place_enter(&place);
    struct served s =
        serve("dev --ephemeral --port 0 --accounts 2 --balance 0.25 --chain-id 0x10 "
              "--hardfork london --base-fee 7 --gas-limit 5000000 --timestamp 1000 --json",
              "\"port\":");
    CHECK(strstr(said, "{\"event\":\"listening\",\"host\":\"127.0.0.1\""));
    CHECK(strstr(said, "\"chainId\":16") && strstr(said, "\"privateKeys\":[\"0xac0974"));
    check_answer(&s, "eth_chainId", "\"result\":\"0x10\"");
    stop(&s, SIGTERM);
    CHECK(access(".keel", F_OK) != 0);
    place_leave(&place);
}

static void write_genesis(const char *path, const char *more)
{
    FILE *file = fopen(path, "w");
    CHECK(file != NULL);
    fprintf(file,
            "{\"config\": {\"chainId\": 7, \"homesteadBlock\": 0, \"eip150Block\": 0,\n"
            "\"eip155Block\": 0, \"eip158Block\": 0, \"byzantiumBlock\": 0,\n"
            "\"constantinopleBlock\": 0, \"petersburgBlock\": 0, \"istanbulBlock\": 0,\n"
            "\"berlinBlock\": 0, \"londonBlock\": 0, \"terminalTotalDifficulty\": 0,\n"
            "\"shanghaiTime\": 0, \"cancunTime\": 0%s},\n"
            "\"gasLimit\": \"0x1c9c380\", \"difficulty\": \"0x0\", \"alloc\": {}}\n",
            more);
    CHECK(fclose(file) == 0);
}

KL_TEST(init_and_node_run_a_geth_genesis)
{
    struct place place;
    place_enter(&place);
    write_genesis("g.json", "");
    check_said("init --genesis g.json --dir chain", KL_EXIT_OK,
               "Made a chain in chain: chain id 7");
    check_said("init --genesis g.json --dir chain", KL_EXIT_OK, "The chain is in chain");
    check_said("node --dir chain --block-time 0.5 -p 0", KL_EXIT_FAILED, "repeatTimestamp");
    struct served s = serve("node --dir chain --on-demand -p 0", "Listening on 127.0.0.1:");
    check_answer(&s, "eth_chainId", "\"result\":\"0x7\"");
    check_answer(&s, "eth_blockNumber", "\"result\":\"0x0\"");
    check_answer(&s, "evm_mine", "the method evm_mine does not exist");
    stop(&s, SIGTERM);
    place_leave(&place);
}

KL_TEST(init_refuses_a_bad_genesis_and_leaves_nothing)
{
    static const struct {
        const char *more, *words;
    } rows[] = {
        {", \"cancunTime\": \"soon\"", "g.json:5: config.cancunTime: "},
        {", \"keel\": {\"engin\": 1}", "g.json:5: config.keel.engin: "},
        {", \"keel\": {\"engine\": \"external\"}", "come from outside"},
        {", \"pragueTime\": 0", "every block calls it from Prague on"},
        {"}", "g.json:"},
    };
    struct place place;
    place_enter(&place);
    check_said("init --genesis none.json --dir chain", KL_EXIT_FAILED, "none.json: not found");
    check_said("init --genesis /dev/null --dir chain", KL_EXIT_FAILED,
               "/dev/null:1: the file is empty");
    write_genesis("g.json", "");
    check_said("init --genesis g.json --dir /proc/none", KL_EXIT_FAILED,
               "the folder /proc/none cannot be made");
    for (usize i = 0; i < KL_COUNT_OF(rows); i++) {
        write_genesis("g.json", rows[i].more);
        check_said("init --genesis g.json --dir chain", KL_EXIT_FAILED, rows[i].words);
        CHECK(access("chain", F_OK) != 0);
    }
    check_said("node --dir chain", KL_EXIT_FAILED, "there is no chain in chain");
    place_leave(&place);
}

#define PINNED "0x5c000000000000000000000000000000000000000000000000000000000000ab"

static void check_has(const char *path, const char *words)
{
    char text[4096];
    FILE *file = fopen(path, "r");
    CHECK(file != NULL);
    text[fread(text, 1, sizeof text - 1, file)] = '\0';
    CHECK(fclose(file) == 0);
    if (!strstr(text, words))
        kl_test_fail(__FILE__, __LINE__, "%s: %s", path, text);
}

KL_TEST(init_makes_the_folders_of_a_network_where_out_says)
{
    struct place place;
    place_enter(&place);
    check_said("init --validators 4", KL_EXIT_USAGE, "--out FOLDER is missing");
    check_said("init --help", KL_EXIT_OK, "--out FOLDER");
    check_said("init --validators 4 --out net/", KL_EXIT_OK, "Made a network in net/: chain id");
    CHECK(strstr(said, "Run one with: keel node --dir net/node-0\n"));
    CHECK(access("net/genesis.json", F_OK) == 0 && access("net/node-4", F_OK) != 0);
    for (u32 i = 0; i < 4; i++) {
        static const char *const files[] = {"node.key", "network.json", "validator/key.json"};
        char path[64];
        for (usize k = 0; k < KL_COUNT_OF(files); k++) {
            snprintf(path, sizeof path, "net/node-%u/%s", i, files[k]);
            if (access(path, F_OK) != 0)
                kl_test_fail(__FILE__, __LINE__, "%s is not there", path);
        }
    }
    check_said("init --validators 4 --dir other", KL_EXIT_OK, "Made a network in other");
    CHECK(strstr(said, "keel node --dir other/node-0\n"));
    CHECK(access("other/node-3/node.key", F_OK) == 0);
    check_said("init --validators 4 --out net", KL_EXIT_FAILED, "net");
    place_leave(&place);
}

KL_TEST(join_makes_a_folder_for_a_network_and_for_nothing_else)
{
    struct place place;
    place_enter(&place);
    check_said("init --validators 2 --delta 123 --dir net", KL_EXIT_OK, "Made a network in net");
    check_has("net/genesis.json", "\"deltaMs\": 123,");
    check_said("join net/genesis.json " JOIN_ADDRESS " --dir five --listen /ip4/127.0.0.1/tcp/0",
               KL_EXIT_OK, "Run it with: keel node --dir five");
    CHECK(strstr(said, "It is 12D3KooW"));
    CHECK(access("five/network.json", F_OK) == 0 && access("five/node.key", F_OK) == 0);
    CHECK(access("five/validator", F_OK) != 0);
    check_said("join net/genesis.json " JOIN_ADDRESS " --dir five", KL_EXIT_FAILED,
               "five is the folder of a node already");
    check_said("join net/genesis.json " JOIN_ADDRESS " --dir net/node-0", KL_EXIT_FAILED,
               "is the folder of a node already");
    check_said("join none.json " JOIN_ADDRESS " --dir six", KL_EXIT_FAILED, "none.json: ");
    check_said("join net/genesis.json " JOIN_ADDRESS " --dir pinned --checkpoint 9:" PINNED,
               KL_EXIT_OK, "Run it with: keel node --dir pinned");
    check_has("pinned/network.json", "\"checkpoint\": \"9:" PINNED "\"");
    write_genesis("solo.json", "");
    check_said("join solo.json " JOIN_ADDRESS " --dir seven", KL_EXIT_FAILED,
               "no validators vote on this chain");
    CHECK(access("seven/network.json", F_OK) != 0);
    struct served s = serve("node --dir five --port 0", "Listening on 127.0.0.1:");
    CHECK(strstr(said, "Peers:     /ip4/127.0.0.1/tcp/") && strstr(said, "/p2p/12D3KooW"));
    check_answer(&s, "eth_blockNumber", "\"0x0\"");
    check_answer(&s, "net_peerCount", "\"0x0\"");
    stop(&s, SIGTERM);
    s = serve("node --dir pinned --port 0", "Listening on 127.0.0.1:");
    check_answer(&s, "eth_syncing", "\"highestBlock\":\"0x9\"");
    check_answer(&s, "keel_status", "\"reached\":false");
    stop(&s, SIGTERM);
    CHECK(access("five/peers.json", F_OK) == 0);
    place_leave(&place);
}

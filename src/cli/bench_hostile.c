/* hostile: what a hostile peer costs a network of validators at half of what it can do.
 *
 * A saturated phase says how much goes in.  Then transfers come at half that rate, once in peace
 * and once under each attack of `keel-evil`, which is let in as a peer of all, attacks node 0 and
 * takes a bounded share of one processor.  What is shown is the part of the peaceful rate of final
 * transfers that is lost. */
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cli/bench.h"
#include "cli/bench_fleet.h"
#include "cli/command.h"
#include "node/roster.h"
#include "sys/env.h"
#include "sys/fs.h"

#define NS_PER_S  UINT64_C(1000000000)
#define NS_PER_MS UINT64_C(1000000)

enum { ACCOUNTS = 100, ATTACKS_MAX = 16, REPORT_MAX = 1024 };

struct hostile {
    u64 nodes, block_time_ns, span_ns, transfers, rate, percent;
    const char *dir, *program, *evil, *attacks;
    bool json, loud;
    struct kl_fleet fleet;
    struct kl_bench_work work;
    struct kl_figures figures;
    char target[KL_MULTIADDR_TEXT_MAX], digest[9], names[ATTACKS_MAX][40], labels[ATTACKS_MAX][40];
    double peace;
};

/* One of each kind that costs the most. */
static const char usual[] = "noise-stranger,yamux-ping,yamux-empty,bft-signature,bft-replay,"
                            "bft-ask,sync-blocks,sync-bodies,tx-signature,tx-poor";

static void put(struct hostile *h, const char *name, const char *unit, unsigned decimals,
                double value)
{
    kl_figures_add(&h->figures, name, unit, decimals, value);
}

/* --- the attacker --- */

static kl_status invite_to(struct hostile *h, u32 i, const kl_multiaddr *peer)
{
    char path[2 * KL_FLEET_PATH];
    kl_roster *roster = calloc(1, sizeof *roster);
    kl_rule broken = KL_RULE_NONE;
    struct kl_fs *fs = NULL;
    snprintf(path, sizeof path, "%s/node-%u", h->fleet.dir, i);
    kl_status status = roster ? kl_sys_fs_open(&fs, path) : KL_NOMEM;
    if (status == KL_OK)
        status = kl_roster_load(fs, roster, &broken);
    if (status == KL_OK && broken == KL_RULE_NONE) {
        if (i == 1) /* who has node 0 first among its peers */
            (void)kl_multiaddr_text(h->target, &roster->peers[0]);
        roster->peers[roster->peer_count++] = *peer;
        status = kl_fs_unlink(fs, "network.json");
    }
    if (status == KL_OK)
        status = kl_roster_save(fs, roster);
    kl_sys_fs_close(fs);
    free(roster);
    return status;
}

/* A peer in everybody's list, who holds no validator's key. */
static kl_status invite(struct hostile *h)
{
    struct kl_fs *fs;
    kl_secret32 identity;
    kl_multiaddr peer = {
        .host = KL_HOST_IP4, .ip = {127, 0, 0, 1}, .has_port = true, .has_peer = true, .port = 9};
    kl_entropy_fill(kl_sys_entropy(), identity.b, sizeof identity.b);
    peer.peer = kl_peer_id_of(&identity);
    for (u32 i = 0; i < h->nodes; i++)
        KL_TRY(invite_to(h, i, &peer));
    KL_TRY(kl_sys_fs_open(&fs, h->fleet.dir));
    kl_status status = kl_node_key_save(fs, &identity);
    kl_sys_fs_close(fs);
    return status;
}

/* What the attack's report says of name; 0 when nothing. */
static unsigned long long said(const char *report, const char *name)
{
    const char *at = strstr(report, name);
    return at ? strtoull(at + strlen(name), NULL, 10) : 0;
}

static kl_status start_attack(struct hostile *h, const char *name, pid_t *pid, int *out)
{
    char key[2 * KL_FLEET_PATH], seconds[24], percent[24], program[KL_FLEET_PATH], attack[40];
    int ends[2];
    snprintf(key, sizeof key, "%s/node.key", h->fleet.dir);
    snprintf(seconds, sizeof seconds, "%llu", (unsigned long long)(h->span_ns / NS_PER_S));
    snprintf(percent, sizeof percent, "%llu", (unsigned long long)h->percent);
    snprintf(program, sizeof program, "%s", h->evil);
    snprintf(attack, sizeof attack, "%s", name);
    char *words[] = {program,
                     attack,
                     (char[]){"--target"},
                     h->target,
                     (char[]){"--digest"},
                     h->digest,
                     (char[]){"--chain-id"},
                     (char[]){"31337"},
                     (char[]){"--identity"},
                     key,
                     (char[]){"--seconds"},
                     seconds,
                     (char[]){"--cpu"},
                     percent,
                     NULL};
    posix_spawn_file_actions_t files;
    if (pipe(ends) != 0)
        return KL_IO;
    KL_ASSERT(posix_spawn_file_actions_init(&files) == 0);
    KL_ASSERT(posix_spawn_file_actions_adddup2(&files, ends[1], STDOUT_FILENO) == 0);
    KL_ASSERT(posix_spawn_file_actions_addclose(&files, ends[0]) == 0);
    int error = posix_spawn(pid, program, &files, NULL, words, environ);
    (void)posix_spawn_file_actions_destroy(&files);
    (void)close(ends[1]);
    *out = ends[0];
    if (!error)
        return KL_OK;
    fprintf(stderr, "keel bench hostile: %s: %s\n", program, strerror(error));
    (void)close(ends[0]);
    return KL_IO;
}

/* Waits for its end; it must have got through to the node. */
static kl_status end_attack(const char *name, pid_t pid, int out)
{
    char report[REPORT_MAX] = "";
    usize len = 0;
    int how = 1;
    for (ssize_t got; len + 1 < sizeof report; len += (usize)got)
        if ((got = read(out, report + len, sizeof report - 1 - len)) <= 0)
            break;
    bool ended = waitpid(pid, &how, 0) == pid && WIFEXITED(how) && WEXITSTATUS(how) == 0;
    if (ended && said(report, "\"reached\":") > 0)
        return KL_OK;
    fprintf(stderr, "keel bench hostile: %s did not reach the node: %s\n", name, report);
    return KL_UNSUPPORTED;
}

/* --- the load --- */

/* Of final transfers a second, while they come at half of what can be done. */
static kl_status half_rate(struct hostile *h, double *out)
{
    kl_fleet_driven driven;
    usize count = (usize)(h->rate * h->span_ns / NS_PER_S);
    KL_TRY(kl_fleet_drive(&h->fleet, &driven, &h->work, KL_BENCH_RATE, (double)h->rate, count));
    *out = driven.rate;
    return KL_OK;
}

static kl_status under_attack(struct hostile *h, const char *name, const char *label)
{
    pid_t pid;
    int out;
    double rate = 0;
    KL_TRY(start_attack(h, name, &pid, &out));
    kl_status status = half_rate(h, &rate);
    kl_status ended = end_attack(name, pid, out);
    status = status == KL_OK ? ended : status;
    (void)close(out);
    if (status == KL_OK)
        put(h, label, "% lost", 1, 100.0 * (1.0 - rate / h->peace));
    return status;
}

/* --- the whole --- */

static kl_status split(struct hostile *h, usize *count)
{
    const char *at = h->attacks ? h->attacks : usual;
    *count = 0;
    while (*at) {
        usize len = strcspn(at, ",");
        if (*count == ATTACKS_MAX || len == 0 || len >= sizeof h->names[0])
            return KL_UNSUPPORTED;
        for (usize i = 0; i < len; i++)
            h->labels[*count][i] = at[i] == '-' ? ' ' : at[i];
        memcpy(h->names[*count], at, len);
        h->names[*count][len] = h->labels[*count][len] = '\0';
        ++*count;
        at += len + (at[len] == ',');
    }
    return KL_OK;
}

static kl_status find_digest(struct hostile *h)
{
    struct kl_json json;
    kl_json_ref block;
    KL_TRY(kl_bench_call(&h->fleet.nodes[0], "eth_getBlockByNumber", "[\"0x0\",false]", &json,
                         &block));
    kl_json_ref hash = kl_json_member(&json, block, "hash");
    if (hash == KL_JSON_NONE || kl_json_raw(&json, hash).len < 10)
        return KL_UNSUPPORTED;
    memcpy(h->digest, kl_json_raw(&json, hash).p + 2, 8);
    return KL_OK;
}

static kl_status run_phases(struct hostile *h)
{
    usize count;
    kl_fleet_driven driven;
    KL_TRY(split(h, &count));
    KL_TRY(invite(h));
    for (u32 i = 0; i < h->nodes; i++)
        KL_TRY(kl_fleet_start(&h->fleet, i));
    KL_TRY(kl_fleet_meet(&h->fleet));
    KL_TRY(find_digest(h));
    KL_TRY(kl_bench_work_open(&h->work, &h->fleet.nodes[0], KL_BENCH_ETH, ACCOUNTS));
    if (!h->rate) {
        KL_TRY(kl_fleet_drive(&h->fleet, &driven, &h->work, KL_BENCH_SATURATE, 0, h->transfers));
        put(h, "saturated", "tx/s", 0, driven.rate);
        h->rate = KL_MAX((u64)(driven.rate / 2), 1u);
    }
    KL_TRY(half_rate(h, &h->peace));
    put(h, "in peace", "tx/s", 0, h->peace);
    for (usize i = 0; i < count; i++)
        KL_TRY(under_attack(h, h->names[i], h->labels[i]));
    return KL_OK;
}

static void beside(char out[KL_FLEET_PATH], const char *program, const char *name)
{
    const char *slash = strrchr(program, '/');
    snprintf(out, KL_FLEET_PATH, "%.*s%s", slash ? (int)(slash - program + 1) : 0, program, name);
}

static int run(struct hostile *h)
{
    char evil[KL_FLEET_PATH];
    const kl_fleet_config config = {.program = h->program,
                                    .parent = h->dir,
                                    .count = (u32)h->nodes,
                                    .accounts = ACCOUNTS,
                                    .block_time_ns = h->block_time_ns,
                                    .loud = h->loud};
    kl_status status = kl_fleet_open(&h->fleet, &config);
    if (status == KL_OK) {
        beside(evil, h->fleet.program, "keel-evil");
        h->evil = h->evil ? h->evil : evil;
        status = run_phases(h);
        kl_bench_work_close(&h->work);
    }
    kl_fleet_close(&h->fleet);
    if (status != KL_OK) {
        fprintf(stderr, "keel bench hostile: %s\n", kl_status_text(status));
        return KL_EXIT_FAILED;
    }
    kl_figures_print(&h->figures, "hostile", h->json);
    return KL_EXIT_OK;
}

static int parse(struct hostile *h, int argc, char **argv)
{
    const kl_option rows[] = {
        {KL_OPTION_GROUP, .help = "the network"},
        {KL_OPTION_NUMBER, "--nodes", .letter = 'n', .value = "N", .help = "validators (4)",
         .min = 4, .max = KL_FLEET_MAX, .into = &h->nodes},
        {KL_OPTION_SECONDS, "--block-time", .value = "SECONDS",
         .help = "between blocks under load (0.1)", .min = NS_PER_MS, .max = 10 * NS_PER_S,
         .into = &h->block_time_ns},
        {KL_OPTION_TEXT, "--dir", .value = "FOLDER",
         .help = "make the network's folder in this one (TMPDIR, /tmp)", .into = &h->dir},
        {KL_OPTION_GROUP, .help = "the load"},
        {KL_OPTION_NUMBER, "--transfers", .value = "N",
         .help = "that find out how much goes in (20000)", .min = 1, .max = 1000000,
         .into = &h->transfers},
        {KL_OPTION_NUMBER, "--rate", .value = "N",
         .help = "transfers a second, instead of half of that", .min = 1, .max = 100000,
         .into = &h->rate},
        {KL_OPTION_SECONDS, "--seconds", .value = "SECONDS", .help = "of each attack (10)",
         .min = NS_PER_S, .max = 600 * NS_PER_S, .into = &h->span_ns},
        {KL_OPTION_GROUP, .help = "the attacker"},
        {KL_OPTION_TEXT, "--attacks", .value = "NAME,NAME",
         .help = "those of `keel-evil list` (ten of them)", .into = &h->attacks},
        {KL_OPTION_NUMBER, "--cpu", .value = "PERCENT",
         .help = "of one processor that the attacker takes (20)", .min = 1, .max = 100,
         .into = &h->percent},
        {KL_OPTION_TEXT, "--evil", .value = "FILE", .help = "keel-evil (beside keel)",
         .into = &h->evil},
        {KL_OPTION_GROUP, .help = "figures"},
        {KL_OPTION_FLAG, "--json", .help = "print a line of JSON", .into = &h->json},
        {KL_OPTION_FLAG, "--loud", .help = "show what the nodes print", .into = &h->loud},
        {KL_OPTION_TEXT, "--program", .value = "FILE", .into = &h->program},
    };
    static const kl_example examples[] = {
        {"keel bench hostile", "What ten attacks cost: two minutes and a half"},
        {"keel bench hostile --attacks bft-signature --seconds 60", "One of them, for a minute"},
    };
    const kl_usage usage = {
        .command = "bench hostile",
        .arguments = "",
        .help = "Runs validators as processes on loopback at half of what they can do, and a peer\n"
                "that means harm beside them: how many of the final transfers a second that costs.",
        .options = rows,
        .option_count = KL_COUNT_OF(rows),
        .examples = examples,
        .example_count = KL_COUNT_OF(examples),
    };
    int count;
    return kl_options_parse(&usage, argc, argv, &count);
}

int kl_bench_hostile(int argc, char **argv)
{
    struct hostile *h = calloc(1, sizeof *h);
    if (!h)
        return KL_EXIT_FAILED;
    h->nodes = 4;
    h->block_time_ns = NS_PER_S / 10;
    h->span_ns = 10 * NS_PER_S;
    h->transfers = 20000;
    h->percent = 20;
    int code = parse(h, argc, argv);
    if (code < 0)
        code = run(h);
    free(h);
    return code;
}

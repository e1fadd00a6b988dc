/* hostile: what a hostile peer costs a network of validators at half of what it can do.
 *
 * A saturated phase says how much goes in.  Then transfers come at half that rate, round after
 * round: each attack of `keel-evil` for a while, and just before it as long in peace, so that what
 * else the machine does falls on both.  The attacker is let in as a peer of all, attacks node 0 and
 * takes a bounded share of one processor; with attacks of a validator it is the last one, which
 * does not run then, in peace neither.  What is shown is the part of the peaceful rate of final
 * transfers that is lost: of each attack the median of the rounds, and of many attacks the worst.
 */
#include <spawn.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cli/bench.h"
#include "cli/bench_fleet.h"
#include "cli/command.h"
#include "codec/hex.h"
#include "node/roster.h"
#include "node/validator_key.h"
#include "sys/env.h"
#include "sys/fs.h"

#define NS_PER_S  UINT64_C(1000000000)
#define NS_PER_MS UINT64_C(1000000)

enum {
    ACCOUNTS = 100,
    ATTACKS_MAX = 160,
    SHOWN_MAX = 20,
    ROUNDS_MAX = 9,
    REPORT_MAX = 1024,
    IDENTITIES = 16, /* what one is charged with lasts some seconds */
    HASH_TEXT = 67,
    WORDS_MAX = 48,
    EVIL_TARGETS = 8, /* that it takes */
};

struct attack {
    char name[40], label[40];
    bool validates; /* it needs the last validator's keys */
    double lost[ROUNDS_MAX], median;
};

struct hostile {
    u64 nodes, block_time_ns, span_ns, transfers, rate, percent, rounds;
    const char *dir, *program, *evil, *attacks;
    bool json, loud;
    struct kl_fleet fleet;
    struct kl_bench_work work;
    struct kl_figures figures;
    char targets[KL_FLEET_MAX][KL_MULTIADDR_TEXT_MAX]; /* of node 0, and those behind it */
    char genesis[HASH_TEXT], digest[9];
    struct attack list[ATTACKS_MAX];
    usize count, turn;
};

/* One of each kind, or those of it that cost the most. */
static const char usual[] = "noise-stranger,yamux-ping,yamux-empty,identify-ask,gossip-ihave,"
                            "gossip-invalid,bft-signature,bft-replay,bft-ask,sync-blocks,"
                            "sync-bodies,sync-unasked,tx-signature,tx-poor,vote-twice,lead-gas,"
                            "lead-bytes";

static void put(struct hostile *h, const char *name, const char *unit, unsigned decimals,
                double value)
{
    kl_figures_add(&h->figures, name, unit, decimals, value);
}

/* --- the attacker --- */

static kl_status invite_to(struct hostile *h, u32 i, const kl_multiaddr *peers)
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
        for (u32 k = 0; i == h->nodes - 1 && k < i; k++) /* its peers are all the others */
            (void)kl_multiaddr_text(h->targets[k], &roster->peers[k]);
        for (u32 k = 0; k < IDENTITIES; k++)
            roster->peers[roster->peer_count++] = peers[k];
        status = kl_fs_unlink(fs, "network.json");
    }
    if (status == KL_OK)
        status = kl_roster_save(fs, roster);
    kl_sys_fs_close(fs);
    free(roster);
    return status;
}

static void digits_of(char out[65], const kl_secret32 *secret)
{
    kl_hex_digits(out, KL_SPAN_OF(secret->b));
    out[64] = '\0';
}

static kl_status save_identity(const struct hostile *h, u32 i, const kl_secret32 *identity)
{
    char path[2 * KL_FLEET_PATH], digits[65];
    snprintf(path, sizeof path, "%s/evil-%u.key", h->fleet.dir, i);
    digits_of(digits, identity);
    FILE *file = fopen(path, "we");
    bool good = file && fputs(digits, file) >= 0;
    return (!file || fclose(file) == 0) && good ? KL_OK : KL_IO;
}

/* Peers in everybody's list, who hold no validator's key. */
static kl_status invite(struct hostile *h)
{
    kl_multiaddr peers[IDENTITIES];
    for (u32 i = 0; i < IDENTITIES; i++) {
        kl_secret32 identity;
        kl_entropy_fill(kl_sys_entropy(), identity.b, sizeof identity.b);
        peers[i] = (kl_multiaddr){.host = KL_HOST_IP4,
                                  .ip = {127, 0, 0, 1},
                                  .has_port = true,
                                  .has_peer = true,
                                  .port = 9,
                                  .peer = kl_peer_id_of(&identity)};
        KL_TRY(save_identity(h, i, &identity));
    }
    for (u32 i = 0; i < h->nodes; i++)
        KL_TRY(invite_to(h, i, peers));
    return KL_OK;
}

/* What the attack's report says of name; 0 when nothing. */
static unsigned long long said(const char *report, const char *name)
{
    const char *at = strstr(report, name);
    return at ? strtoull(at + strlen(name), NULL, 10) : 0;
}

/* The words of a command; each is copied. */
struct words {
    char room[8192], *list[WORDS_MAX + 1];
    usize used, count;
};

KL_PRINTF(2, 3) static void word(struct words *w, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    char *at = w->room + w->used;
    int len = vsnprintf(at, sizeof w->room - w->used, format, args);
    va_end(args);
    KL_ASSERT(w->count < WORDS_MAX && len >= 0 && (usize)len < sizeof w->room - w->used);
    w->list[w->count++] = at;
    w->used += (usize)len + 1;
}

static kl_status load_key(const struct hostile *h, u32 i, kl_validator_key *key)
{
    char path[2 * KL_FLEET_PATH];
    struct kl_fs *fs;
    snprintf(path, sizeof path, "%s/node-%u/%s", h->fleet.dir, i, KL_VALIDATOR_FOLDER);
    KL_TRY(kl_sys_fs_open(&fs, path));
    kl_status status = kl_validator_key_load(fs, key);
    kl_sys_fs_close(fs);
    return status;
}

/* What makes the attacker the last validator. */
static kl_status add_validator(const struct hostile *h, struct words *w)
{
    kl_validator_key key;
    char digits[65];
    u32 last = (u32)h->nodes - 1;
    KL_TRY(load_key(h, last, &key));
    word(w, "--identity");
    word(w, "%s/node-%u/node.key", h->fleet.dir, last);
    digits_of(digits, &key.vote_secret);
    word(w, "--vote-key");
    word(w, "%s", digits);
    digits_of(digits, &key.randao_secret);
    word(w, "--randao-key");
    word(w, "%s", digits);
    kl_validator_key_wipe(&key);
    kl_wipe(digits, sizeof digits);
    word(w, "--signer");
    word(w, "%u", last);
    word(w, "--genesis");
    word(w, "%s", h->genesis);
    word(w, "--genesis-file");
    word(w, "%s/node-%u/genesis.json", h->fleet.dir, last);
    for (u32 i = 1; i < last && i < EVIL_TARGETS; i++) {
        word(w, "--target");
        word(w, "%s", h->targets[i]);
    }
    return KL_OK;
}

static kl_status command_of(struct hostile *h, const struct attack *attack, struct words *w)
{
    kl_validator_key key;
    char digits[65];
    h->turn++;
    KL_TRY(load_key(h, 1, &key)); /* its operator has funds */
    digits_of(digits, &key.operator_secret);
    kl_validator_key_wipe(&key);
    word(w, "%s", h->evil);
    word(w, "%s", attack->name);
    word(w, "--target");
    word(w, "%s", h->targets[0]);
    word(w, "--digest");
    word(w, "%s", h->digest);
    word(w, "--chain-id");
    word(w, "31337");
    word(w, "--key");
    word(w, "%s", digits);
    word(w, "--seconds");
    word(w, "%llu", (unsigned long long)(h->span_ns / NS_PER_S));
    word(w, "--cpu");
    word(w, "%llu", (unsigned long long)h->percent);
    word(w, "--from"); /* whoever came too often from one is refused there */
    word(w, "127.%u.%u.1", 1 + (unsigned)(h->turn >> 8), (unsigned)(h->turn & 255));
    if (attack->validates)
        return add_validator(h, w);
    word(w, "--identity");
    word(w, "%s/evil-%zu.key", h->fleet.dir, h->turn % IDENTITIES);
    return KL_OK;
}

static kl_status start_attack(struct hostile *h, const struct attack *attack, pid_t *pid, int *out)
{
    struct words w = {.used = 0};
    int ends[2];
    posix_spawn_file_actions_t files;
    KL_TRY(command_of(h, attack, &w));
    if (pipe(ends) != 0)
        return KL_IO;
    KL_ASSERT(posix_spawn_file_actions_init(&files) == 0);
    KL_ASSERT(posix_spawn_file_actions_adddup2(&files, ends[1], STDOUT_FILENO) == 0);
    KL_ASSERT(posix_spawn_file_actions_addclose(&files, ends[0]) == 0);
    int error = posix_spawn(pid, w.list[0], &files, NULL, w.list, environ);
    (void)posix_spawn_file_actions_destroy(&files);
    (void)close(ends[1]);
    *out = ends[0];
    if (!error)
        return KL_OK;
    fprintf(stderr, "keel bench hostile: %s: %s\n", w.list[0], strerror(error));
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

/* One pair: in peace, and under it. */
static kl_status under_attack(struct hostile *h, struct attack *attack, usize round)
{
    pid_t pid;
    int out;
    double peace, rate = 0;
    KL_TRY(half_rate(h, &peace));
    KL_TRY(start_attack(h, attack, &pid, &out));
    kl_status status = half_rate(h, &rate);
    kl_status ended = end_attack(attack->name, pid, out);
    status = status == KL_OK ? ended : status;
    (void)close(out);
    if (status == KL_OK)
        attack->lost[round] = 100.0 * (1.0 - rate / peace);
    if (status == KL_OK && h->turn % h->count == 0) /* once a round, or it fills the table */
        put(h, "in peace", "tx/s", 0, peace);
    return status;
}

/* --- which --- */

static bool begins(const char *name, const char *with)
{
    return strncmp(name, with, strlen(with)) == 0;
}

static bool add_attack(struct hostile *h, const char *name, usize len)
{
    struct attack *a = &h->list[h->count];
    if (h->count == ATTACKS_MAX || len == 0 || len >= sizeof a->name)
        return false;
    for (usize i = 0; i < len; i++)
        a->label[i] = name[i] == '-' ? ' ' : name[i];
    memcpy(a->name, name, len);
    a->validates = begins(a->name, "vote-") || begins(a->name, "lead-");
    h->count++;
    return true;
}

static kl_status split(struct hostile *h, const char *at)
{
    while (*at) {
        usize len = strcspn(at, ",");
        if (!add_attack(h, at, len))
            return KL_UNSUPPORTED;
        at += len + (at[len] == ',');
    }
    return KL_OK;
}

/* All that keel-evil lists; those of guests are for another kind of node. */
static kl_status list_all(struct hostile *h)
{
    static const char key[] = "\"attack\":\"";
    char command[KL_FLEET_PATH + 16], line[1024];
    snprintf(command, sizeof command, "'%s' list", h->evil);
    FILE *list = popen(command, "re");
    bool good = list != NULL;
    while (good && fgets(line, sizeof line, list)) {
        const char *name = strstr(line, key);
        name = name ? name + strlen(key) : line;
        if (!begins(name, "guest-"))
            good = add_attack(h, name, strcspn(name, "\""));
    }
    bool ended = list && pclose(list) == 0;
    return good && ended && h->count ? KL_OK : KL_UNSUPPORTED;
}

static int by_median(const void *a, const void *b)
{
    double x = ((const struct attack *)a)->median, y = ((const struct attack *)b)->median;
    return x < y ? 1 : x > y ? -1 : 0;
}

/* The worst first; those that need a row of figures each. */
static void show(struct hostile *h)
{
    for (usize i = 0; i < h->count; i++) {
        double sorted[ROUNDS_MAX];
        memcpy(sorted, h->list[i].lost, sizeof sorted);
        h->list[i].median = kl_median(sorted, h->rounds);
    }
    qsort(h->list, h->count, sizeof h->list[0], by_median);
    for (usize i = 0; i < KL_MIN(h->count, (usize)SHOWN_MAX); i++)
        for (usize round = 0; round < h->rounds; round++)
            put(h, h->list[i].label, "% lost", 1, h->list[i].lost[round]);
}

/* --- the whole --- */

static kl_status find_genesis(struct hostile *h)
{
    struct kl_json json;
    kl_json_ref block;
    KL_TRY(kl_bench_call(&h->fleet.nodes[0], "eth_getBlockByNumber", "[\"0x0\",false]", &json,
                         &block));
    kl_json_ref hash = kl_json_member(&json, block, "hash");
    if (hash == KL_JSON_NONE || kl_json_raw(&json, hash).len + 1 != sizeof h->genesis)
        return KL_UNSUPPORTED;
    memcpy(h->genesis, kl_json_raw(&json, hash).p, sizeof h->genesis - 1);
    memcpy(h->digest, h->genesis + 2, 8);
    return KL_OK;
}

static kl_status run_rounds(struct hostile *h, bool validates)
{
    for (usize round = 0; round < h->rounds; round++)
        for (usize i = 0; i < h->count; i++)
            if (h->list[i].validates == validates)
                KL_TRY(under_attack(h, &h->list[i], round));
    return KL_OK;
}

static bool any_validates(const struct hostile *h)
{
    for (usize i = 0; i < h->count; i++)
        if (h->list[i].validates)
            return true;
    return false;
}

static kl_status run_phases(struct hostile *h)
{
    kl_fleet_driven driven;
    bool all = h->attacks && strcmp(h->attacks, "all") == 0;
    KL_TRY(all ? list_all(h) : split(h, h->attacks ? h->attacks : usual));
    KL_TRY(invite(h));
    for (u32 i = 0; i < h->nodes; i++)
        KL_TRY(kl_fleet_start(&h->fleet, i));
    KL_TRY(kl_fleet_meet(&h->fleet));
    KL_TRY(find_genesis(h));
    KL_TRY(kl_bench_work_open(&h->work, &h->fleet.nodes[0], KL_BENCH_ETH, ACCOUNTS));
    if (!h->rate) {
        KL_TRY(kl_fleet_drive(&h->fleet, &driven, &h->work, KL_BENCH_SATURATE, 0, h->transfers));
        put(h, "saturated", "tx/s", 0, driven.rate);
        h->rate = KL_MAX((u64)(driven.rate / 2), 1u);
    }
    KL_TRY(run_rounds(h, false));
    if (any_validates(h)) {
        kl_fleet_end(&h->fleet, (u32)h->nodes - 1, SIGTERM);
        KL_TRY(run_rounds(h, true));
    }
    show(h);
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
        {KL_OPTION_SECONDS, "--seconds", .value = "SECONDS",
         .help = "of each attack, and of the peace before it (5)", .min = NS_PER_S,
         .max = 600 * NS_PER_S, .into = &h->span_ns},
        {KL_OPTION_NUMBER, "--rounds", .value = "N", .help = "of all of that (3)", .min = 1,
         .max = ROUNDS_MAX, .into = &h->rounds},
        {KL_OPTION_GROUP, .help = "the attacker"},
        {KL_OPTION_TEXT, "--attacks", .value = "NAME,NAME",
         .help = "those of `keel-evil list`, or all of them (one or two of each kind)",
         .into = &h->attacks},
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
        {"keel bench hostile", "What seventeen attacks cost: ten minutes"},
        {"keel bench hostile --attacks all --rounds 1", "Which of all of them cost the most"},
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
    h->span_ns = 5 * NS_PER_S;
    h->rounds = 3;
    h->transfers = 20000;
    h->percent = 20;
    int code = parse(h, argc, argv);
    if (code < 0)
        code = run(h);
    free(h);
    return code;
}

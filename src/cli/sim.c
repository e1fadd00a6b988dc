/* sim: networks of production nodes over virtual time, network and disks, from seeds; and an oracle
 * that says when one of them does what must never happen. */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "cert/cert.h"
#include "cli/command.h"
#include "cli/option.h"
#include "lab/lab.h"

enum { VIEWS_TOLD = 2047 };

struct sim {
    u64 seed, seeds, nodes, views;
    const char *faults, *scheme;
    bool all, tell, forks, wire;
    kl_lab_options options;
    /* of a campaign */
    u64 sometimes, node_views, transactions, blocks, failed, ran;
    u32 nodes_max;
    u32 runs_of[VIEWS_TOLD + 1]; /* runs of so many views; the last: or more */
    struct timespec start;
    double told; /* seconds behind start at the last line of progress */
};

/* "loss,crash": a bit for each; false for a name that is none, which is told. */
static bool read_faults(u32 *out, const char *list)
{
    u32 faults = 0;
    if (strcmp(list, "none") == 0) {
        *out = 0;
        return true;
    }
    for (const char *p = list; *p;) {
        usize len = strcspn(p, ",");
        u32 i = 0;
        const char *name;
        while ((name = kl_lab_fault_name((kl_lab_fault)i)) &&
               !(strlen(name) == len && strncmp(name, p, len) == 0))
            i++;
        if (!name) {
            fprintf(stderr, "keel sim: no fault has the name %.*s; there are:", (int)len, p);
            for (i = 0; (name = kl_lab_fault_name((kl_lab_fault)i)); i++)
                fprintf(stderr, " %s", name);
            fprintf(stderr, "\n");
            return false;
        }
        faults |= 1u << i;
        p += len + (p[len] == ',');
    }
    *out = faults;
    return true;
}

static bool read_scheme(u8 *out, const char *name)
{
    static const u8 schemes[] = {KL_SCHEME_SECP256K1, KL_SCHEME_BLS12_381, KL_SCHEME_KEYED_HASH};
    for (usize i = 0; i < KL_COUNT_OF(schemes); i++)
        if (strcmp(kl_vote_scheme_of(schemes[i], true)->name, name) == 0) {
            *out = schemes[i];
            return true;
        }
    fprintf(stderr, "keel sim: no scheme of votes has the name %s\n", name);
    return false;
}

static void tell_faults(FILE *to, u32 faults)
{
    const char *name, *before = "";
    for (u32 i = 0; (name = kl_lab_fault_name((kl_lab_fault)i)); i++)
        if (faults >> i & 1) {
            fprintf(to, "%s%s", before, name);
            before = ",";
        }
    fprintf(to, "%s", faults ? "" : "none");
}

static void tell_result(const kl_lab_result *r, u64 seed)
{
    printf("seed %llu: %u validators, faults ", (unsigned long long)seed, r->nodes);
    tell_faults(stdout, r->faults);
    printf(
        "\n  %llu blocks, %llu transactions, %llu honest node-views, %llu messages of %llu bytes, "
        "%.1f virtual seconds\n  trace %016llx\n",
        (unsigned long long)r->height, (unsigned long long)r->transactions,
        (unsigned long long)r->node_views, (unsigned long long)r->messages,
        (unsigned long long)r->bytes, (double)r->virtual_ns / 1e9, (unsigned long long)r->trace);
    if (r->connections)
        printf("  %llu connections, %llu given up in silence\n", (unsigned long long)r->connections,
               (unsigned long long)r->silences);
}

static void tell_failure(const struct sim *s, const kl_lab_result *r, u64 seed)
{
    fprintf(stderr, "seed %llu breaks ", (unsigned long long)seed);
    if (r->assertion)
        fprintf(stderr, "assertion %u: ", r->assertion);
    fprintf(stderr, "%s\nagain: keel sim --seed %llu", r->broken, (unsigned long long)seed);
    if (s->nodes)
        fprintf(stderr, " --nodes %llu", (unsigned long long)s->nodes);
    if (s->views)
        fprintf(stderr, " --views %llu", (unsigned long long)s->views);
    if (s->faults)
        fprintf(stderr, " --faults %s", s->faults);
    if (s->scheme)
        fprintf(stderr, " --scheme %s", s->scheme);
    fprintf(stderr, "%s%s%s\n", s->all ? " --all" : "", s->options.forks ? " --forks" : "",
            s->wire ? " --wire" : "");
}

static void add(struct sim *s, const kl_lab_result *r)
{
    s->sometimes |= r->sometimes;
    s->node_views += r->node_views;
    s->transactions += r->transactions;
    s->blocks += r->height;
    s->failed += r->failed;
    s->ran++;
    s->runs_of[KL_MIN(r->views, (u64)VIEWS_TOLD)]++;
    s->nodes_max = KL_MAX(s->nodes_max, r->nodes);
}

static u32 median_views(const struct sim *s)
{
    u64 below = 0;
    u32 views = 0;
    while (views < VIEWS_TOLD && (below += s->runs_of[views]) * 2 < s->ran)
        views++;
    return views;
}

/* The whole search on one line of standard output. */
static void tell_search(const struct sim *s)
{
    u32 least, can = 0, did = 0;
    for (u32 i = 0; kl_lab_sometimes_text(i, &least); i++) {
        can += s->nodes_max >= least;
        did += s->nodes_max >= least && (s->sometimes >> i & 1);
    }
    if (s->nodes)
        printf("n = %-2llu", (unsigned long long)s->nodes);
    else
        printf("all n ");
    printf("%s  %llu seeds, %llu failed, %llu honest node-views, median %u views a seed, "
           "%u of %u events\n",
           s->options.wire ? "  wire" : "", (unsigned long long)s->ran,
           (unsigned long long)s->failed, (unsigned long long)s->node_views, median_views(s), did,
           can);
}

/* On standard error, every ten seconds and at the end. */
static void tell_progress(struct sim *s, u64 done)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    double seconds =
        (double)(now.tv_sec - s->start.tv_sec) + (double)(now.tv_nsec - s->start.tv_nsec) / 1e9;
    if (done < s->seeds && seconds < s->told + 10)
        return;
    s->told = seconds;
    fprintf(stderr,
            "%llu of %llu seeds, %llu failed; %llu honest node-views (%.0f a second), %llu blocks, "
            "%llu transactions\n",
            (unsigned long long)done, (unsigned long long)s->seeds, (unsigned long long)s->failed,
            (unsigned long long)s->node_views, (double)s->node_views / KL_MAX(seconds, 1e-3),
            (unsigned long long)s->blocks, (unsigned long long)s->transactions);
}

/* False when something that should happen now and then never did. */
static bool judge_sometimes(const struct sim *s)
{
    const char *text;
    u32 least;
    bool good = true;
    for (u32 i = 0; (text = kl_lab_sometimes_text(i, &least)); i++) {
        if (s->sometimes >> i & 1 || s->nodes_max < least)
            continue;
        fprintf(stderr, "keel sim: it never happened that %s\n", text);
        good = false;
    }
    return good;
}

static int run(struct sim *s)
{
    enum { FAILURES_MAX = 20, ENOUGH = 1000, FORKS_EVERY = 50 };
    const u32 faults = s->options.faults, set_change = 1u << KL_LAB_SET_CHANGE;
    bool searches = s->seeds >= ENOUGH && faults == UINT32_MAX;
    clock_gettime(CLOCK_MONOTONIC, &s->start);
    for (u64 i = 0; i < s->seeds && s->failed < FAILURES_MAX; i++) {
        kl_lab_result r;
        s->options.seed = s->seed + i;
        s->options.forks =
            s->forks || (searches && s->nodes >= 4 && i % FORKS_EVERY == FORKS_EVERY - 1);
        s->options.faults = s->options.forks ? faults & ~set_change : faults;
        kl_lab_run(&s->options, &r);
        add(s, &r);
        if (r.failed)
            tell_failure(s, &r, s->options.seed);
        if (s->seeds == 1)
            tell_result(&r, s->options.seed);
        else
            tell_progress(s, i + 1);
    }
    if (s->seeds > 1)
        tell_search(s);
    return s->failed || (searches && !judge_sometimes(s)) ? KL_EXIT_FAILED : KL_EXIT_OK;
}

int kl_cmd_sim(int argc, char **argv)
{
    struct sim s = {.seed = 1, .seeds = 1};
    const kl_option options[] = {
        {KL_OPTION_NUMBER, "--seed", .value = "N", .help = "which run, or the first of several (1)",
         .into = &s.seed, .max = UINT64_MAX / 2},
        {KL_OPTION_NUMBER, "--seeds", .value = "N",
         .help = "how many runs, one after the other (1)", .into = &s.seeds, .min = 1,
         .max = UINT32_MAX},
        {KL_OPTION_NUMBER, "--nodes", .value = "N", .help = "validators (the seed decides)",
         .into = &s.nodes, .min = 1, .max = 24},
        {KL_OPTION_NUMBER, "--views", .value = "N",
         .help = "until the weather ends (the seed decides)", .into = &s.views, .min = 1,
         .max = 1000000},
        {KL_OPTION_TEXT, "--faults", .value = "LIST",
         .help = "that may happen, with commas between, or none (all)", .into = &s.faults},
        {KL_OPTION_FLAG, "--all", .help = "take all of these, not each with one half",
         .into = &s.all},
        {KL_OPTION_TEXT, "--scheme", .value = "NAME", .help = "of votes (the seed decides)",
         .into = &s.scheme},
        {KL_OPTION_FLAG, "--forks",
         .help = "more than F are twins: who forks the chain must be seen", .into = &s.forks},
        {KL_OPTION_FLAG, "--wire",
         .help = "nodes are joined by the p2p code, over connections that the seed troubles",
         .into = &s.wire},
        {KL_OPTION_FLAG, "--tell", .help = "every step", .into = &s.tell},
    };
    static const kl_example examples[] = {
        {"keel sim --seed 7", "One run"},
        {"keel sim --seed 1 --seeds 1000 --nodes 4", "A thousand of four validators"},
        {"keel sim --seed 7 --faults loss,crash --tell", "One run with these faults alone, told"},
    };
    const kl_usage usage = {
        .command = "sim",
        .arguments = "",
        .help = "Runs networks of nodes in a simulator: the production code over virtual time,\n"
                "network and disks, which lose, delay, tear and lie as the seed decides, and an\n"
                "oracle that knows what must never happen.  A seed is the same run on every\n"
                "machine; what it prints as its trace proves that.",
        .options = options,
        .option_count = KL_COUNT_OF(options),
        .examples = examples,
        .example_count = KL_COUNT_OF(examples),
    };
    int count, code = kl_options_parse(&usage, argc, argv, &count);
    if (code >= 0)
        return code;
    s.options = (kl_lab_options){.nodes = (u32)s.nodes,
                                 .views = s.views,
                                 .faults = UINT32_MAX,
                                 .all = s.all,
                                 .wire = s.wire,
                                 .tell = s.tell};
    if ((s.faults && !read_faults(&s.options.faults, s.faults)) ||
        (s.scheme && !read_scheme(&s.options.scheme, s.scheme)))
        return KL_EXIT_USAGE;
    return run(&s);
}

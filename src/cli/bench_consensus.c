/* consensus: what agreement costs.
 *
 *   engine    processor time of one step of the production engine: a vote from a peer (checked, put
 *             in its slot), the vote that makes a quorum (and with it the certificate), and a
 *             certificate from a peer; for both schemes
 *   traffic   messages and bytes for a final block among 4 to 200 validators, bodies apart
 *   regions   how long blocks take among validators in 1, 5 and 10 regions, in virtual time */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "cli/bench.h"
#include "cli/bench_quorum.h"
#include "cli/command.h"

#define MS 1000000ull

struct consensus_bench {
    u64 runs, blocks;
    bool json;
};

static u64 cpu_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (u64)t.tv_sec * 1000000000u + (u64)t.tv_nsec;
}

/* --- one engine --- */

/* An observer that hears of view after view; what it says is not listened to. */
struct listener {
    u32 validators, quorum;
    kl_valset set;
    kl_validator *list;
    kl_secret32 *secrets;
    kl_simplex_config config;
    struct kl_simplex *engine;
    kl_bft_effect *effects;
    usize effects_cap;
    kl_vote *votes;
    u8 *signatures;
    double vote_us, quorum_us, certificate_us;
};

static u64 tell(struct listener *l, const kl_bft_event *event, u64 now_ns)
{
    kl_bft_effects out = {l->effects, 0, l->effects_cap};
    u64 start = cpu_ns();
    kl_simplex_step(l->engine, event, now_ns, &out);
    return cpu_ns() - start;
}

/* Votes to nullify a view, one short of a quorum, then the one that makes it; and the next view's
 * certificate.  All kinds of votes cost the same. */
static void measure(struct listener *l, u64 views, u64 spent_ns[3])
{
    for (u64 view = 1; view <= 2 * views; view += 2) {
        for (u32 k = 0; k < 2; k++) {
            const kl_vote *pointers[KL_VALIDATORS_MAX];
            kl_vote_subject subject = {.kind = KL_VOTE_NULLIFY, .proposal.view = view + k};
            for (u32 i = 0; i < l->quorum; i++) {
                pointers[i] = &l->votes[i];
                KL_ASSERT(kl_vote_sign(&l->votes[i], &subject, i, l->set.scheme, &l->secrets[i],
                                       &l->config.domain));
            }
            for (u32 i = 0; i < l->quorum && !k; i++) {
                kl_bft_event event = {.kind = KL_BFT_VOTE, .peer = i, .vote = &l->votes[i]};
                spent_ns[i + 1 == l->quorum] += tell(l, &event, view * MS);
            }
            if (!k)
                continue;
            kl_certificate certificate;
            kl_certificate_make(&certificate, l->signatures, pointers, l->quorum, &l->set);
            kl_bft_event event = {
                .kind = KL_BFT_CERTIFICATE, .peer = 0, .certificate = &certificate};
            spent_ns[2] += tell(l, &event, view * MS);
        }
    }
}

KL_MUST_USE static kl_status listen(struct listener *l, u32 validators,
                                    const kl_vote_scheme *scheme, u64 views)
{
    *l = (struct listener){.validators = validators};
    l->list = calloc(validators, sizeof *l->list);
    l->secrets = calloc(validators, sizeof *l->secrets);
    l->votes = calloc(validators, sizeof *l->votes);
    l->signatures = calloc(validators, KL_VOTE_SIGNATURE_MAX);
    if (!l->list || !l->secrets || !l->votes || !l->signatures)
        return KL_NOMEM;
    kl_quorum_set(&l->set, l->list, l->secrets, validators, scheme);
    l->quorum = (u32)kl_valset_quorum(&l->set);
    l->config = (kl_simplex_config){
        .domain = {.chain_id = 1},
        .validators_max = validators,
        .window = KL_SIMPLEX_WINDOW_MIN,
        .delta_ns = 1000 * MS,
        .retry_ns = 1000000 * MS,
        .epoch = {.set = &l->set, .self = KL_BFT_NOBODY, .last_height = UINT64_MAX}};
    void *room = aligned_alloc(64, (kl_simplex_footprint(&l->config) + 63) / 64 * 64);
    l->effects_cap = kl_simplex_effects_max(&l->config);
    l->effects = calloc(l->effects_cap, sizeof *l->effects);
    if (!room || !l->effects) {
        free(room);
        return KL_NOMEM;
    }
    l->engine = kl_simplex_init(room, &l->config);
    u64 spent_ns[3] = {0};
    tell(l, &(kl_bft_event){.kind = KL_BFT_START, .peer = KL_BFT_NO_PEER}, 0);
    measure(l, views, spent_ns);
    if (l->quorum > 1)
        l->vote_us = (double)spent_ns[0] / 1e3 / (double)(views * (l->quorum - 1));
    l->quorum_us = (double)spent_ns[1] / 1e3 / (double)views;
    l->certificate_us = (double)spent_ns[2] / 1e3 / (double)views;
    return KL_OK;
}

static void listener_done(struct listener *l)
{
    free(l->list);
    free(l->secrets);
    free(l->votes);
    free(l->signatures);
    free(l->engine);
    free(l->effects);
}

KL_MUST_USE static kl_status run_engine(const struct consensus_bench *b)
{
    static const u32 sizes[] = {4, 21, 100, 200};
    static const u8 schemes[] = {KL_SCHEME_SECP256K1, KL_SCHEME_BLS12_381};
    if (!b->json)
        printf("%-12s %5s %14s %18s %16s\n", "scheme", "n", "vote, us", "vote and make, us",
               "certificate, us");
    for (usize k = 0; k < KL_COUNT_OF(schemes); k++)
        for (usize i = 0; i < KL_COUNT_OF(sizes); i++) {
            const kl_vote_scheme *scheme = kl_vote_scheme_of(schemes[k], false);
            double of_run[3][KL_BENCH_RUNS_MAX];
            for (u64 run = 0; run < b->runs; run++) {
                struct listener l;
                kl_status status = listen(&l, sizes[i], scheme, 4);
                of_run[0][run] = l.vote_us;
                of_run[1][run] = l.quorum_us;
                of_run[2][run] = l.certificate_us;
                listener_done(&l);
                KL_TRY(status);
            }
            double vote = kl_median(of_run[0], b->runs), made = kl_median(of_run[1], b->runs),
                   certificate = kl_median(of_run[2], b->runs);
            printf(b->json ? "{\"bench\":\"consensus\",\"part\":\"engine\",\"scheme\":\"%s\","
                             "\"validators\":%u,\"vote_us\":%.1f,\"vote_and_make_us\":%.1f,"
                             "\"certificate_us\":%.1f}\n"
                           : "%-12s %5u %14.1f %18.1f %16.1f\n",
                   scheme->name, sizes[i], vote, made, certificate);
            fflush(stdout);
        }
    return KL_OK;
}

/* --- networks --- */

KL_MUST_USE static kl_status run_traffic(const struct consensus_bench *b)
{
    static const u32 sizes[] = {4, 7, 10, 21, 50, 100, 200};
    if (!b->json)
        printf("\n%5s %16s %18s %16s\n", "n", "messages", "bytes, secp256k1", "bytes, bls12-381");
    for (usize i = 0; i < KL_COUNT_OF(sizes); i++) {
        kl_quorum_config config = {.validators = sizes[i],
                                   .regions = 1,
                                   .blocks = (u32)KL_MIN(b->blocks, 2000 / sizes[i]),
                                   .block_period_ns = 200 * MS,
                                   .seed = 1};
        kl_quorum_figures f;
        KL_TRY(kl_quorum_run(&f, &config));
        printf(b->json ? "{\"bench\":\"consensus\",\"part\":\"traffic\",\"validators\":%u,"
                         "\"messages\":%.1f,\"bytes_secp256k1\":%.0f,\"bytes_bls12_381\":%.0f}\n"
                       : "%5u %16.1f %18.0f %16.0f\n",
               sizes[i], (double)f.messages / (double)f.blocks,
               (double)f.bytes_secp / (double)f.blocks, (double)f.bytes_bls / (double)f.blocks);
        fflush(stdout);
        kl_quorum_done(&f);
    }
    return KL_OK;
}

KL_MUST_USE static kl_status run_regions(const struct consensus_bench *b)
{
    static const u32 regions[] = {1, 5, 10}, sizes[] = {10, 50, 200};
    if (!b->json)
        printf("\n%8s %5s %12s %12s %12s %12s %12s %10s\n", "regions", "n", "block every",
               "notarized", "final p50", "final p95", "final max", "nullified");
    for (usize i = 0; i < KL_COUNT_OF(sizes); i++)
        for (usize k = 0; k < KL_COUNT_OF(regions); k++) {
            kl_quorum_config config = {.validators = sizes[i],
                                       .regions = regions[k],
                                       .blocks = (u32)KL_MIN(b->blocks, 10000 / sizes[i]),
                                       .body_bytes = 100000 / sizes[i],
                                       .seed = 2};
            kl_quorum_figures f;
            KL_TRY(kl_quorum_run(&f, &config));
            usize cells = (usize)config.blocks * config.validators;
            double every = (double)f.span_ns / 1e6 / (double)(config.blocks - 1);
            double notarized = kl_percentile(f.notarized_us, cells, 500) / 1e3;
            double p50 = kl_percentile(f.final_us, f.latencies, 500) / 1e3,
                   p95 = kl_percentile(f.final_us, f.latencies, 950) / 1e3,
                   most = kl_percentile(f.final_us, f.latencies, 1000) / 1e3;
            printf(b->json ? "{\"bench\":\"consensus\",\"part\":\"regions\",\"regions\":%u,"
                             "\"validators\":%u,\"interval_ms\":%.1f,\"notarized_p50_ms\":%.1f,"
                             "\"final_p50_ms\":%.1f,\"final_p95_ms\":%.1f,\"final_max_ms\":%.1f,"
                             "\"nullified\":%llu}\n"
                           : "%8u %5u %12.1f %12.1f %12.1f %12.1f %12.1f %10llu\n",
                   regions[k], sizes[i], every, notarized, p50, p95, most,
                   (unsigned long long)f.nullified);
            fflush(stdout);
            kl_quorum_done(&f);
        }
    return KL_OK;
}

/* Beside the figures of regions. */
static void tell_published(bool json)
{
    static const struct {
        const char *who, *where, *what;
    } rows[] = {
#define KL_PUBLISHED(who, where, what) {who, where, what},
#include "cli/bench_published.def"
#undef KL_PUBLISHED
    };
    if (!json)
        printf("\npublished by others, of other networks\n");
    for (usize i = 0; i < KL_COUNT_OF(rows); i++)
        printf(json ? "{\"bench\":\"consensus\",\"part\":\"published\",\"who\":\"%s\","
                      "\"network\":\"%s\",\"figure\":\"%s\"}\n"
                    : "%-28s %-44s %s\n",
               rows[i].who, rows[i].where, rows[i].what);
}

int kl_bench_consensus(int argc, char **argv)
{
    struct consensus_bench b = {.runs = 3, .blocks = 100};
    const kl_option rows[] = {
        {.kind = KL_OPTION_NUMBER,
         .name = "--runs",
         .value = "N",
         .help = "the engine's figures are the median of so many runs (3)",
         .into = &b.runs,
         .min = 1,
         .max = KL_BENCH_RUNS_MAX},
        {.kind = KL_OPTION_NUMBER,
         .name = "--blocks",
         .value = "N",
         .help = "of a network, fewer where it is large (100)",
         .into = &b.blocks,
         .min = 2,
         .max = KL_QUORUM_BLOCKS_MAX / 2 - 1},
        {.name = "--json", .help = "print lines of JSON", .into = &b.json},
    };
    static const kl_example examples[] = {
        {"keel bench consensus", "Everything: half a minute"},
    };
    const kl_usage usage = {.command = "bench consensus",
                            .help = "Runs the consensus engine: processor time of a vote and of a "
                                    "certificate, messages\nand bytes for a block, and, in virtual "
                                    "time over networks of 1, 5 and 10 regions,\nmilliseconds from "
                                    "a proposal to its notarization and to finality.",
                            .options = rows,
                            .option_count = KL_COUNT_OF(rows),
                            .examples = examples,
                            .example_count = KL_COUNT_OF(examples)};
    int count, code = kl_options_parse(&usage, argc, argv, &count);
    if (code >= 0)
        return code;
    kl_status status = run_engine(&b);
    if (status == KL_OK)
        status = run_traffic(&b);
    if (status == KL_OK)
        status = run_regions(&b);
    if (status == KL_OK)
        tell_published(b.json);
    if (status != KL_OK)
        fprintf(stderr, "keel bench: %s\n", kl_status_text(status));
    return status == KL_OK ? KL_EXIT_OK : KL_EXIT_FAILED;
}

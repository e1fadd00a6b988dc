/* evm: the interpreter on the usual benchmark contracts, which come as state tests: the whole way
 * of a call that knows nothing yet, from reading the accounts and analysing the code to the last
 * opcode.
 *
 * A figure is the median of the rounds, each of at least 0.1 s of processor time; gas is what the
 * code itself used, intrinsic gas apart.  Beside it stands evmone's Baseline interpreter, the
 * fastest one that is not a compiler, with analysis and without the reading, as measured on a Xeon
 * (Cascade Lake) at 2.5 GHz. */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "cli/bench.h"
#include "cli/command.h"
#include "cli/files.h"
#include "cli/fixture.h"
#include "cli/statetest_tx.h"
#include "cli/world.h"
#include "exec/exec.h"
#include "types/intrinsic.h"

#define ROUND_NS   100000000u
#define BENCH_FORK KL_ISTANBUL /* evmone's own runs are at it */

/* Mgas/s of evmone 0.23.0 Baseline. */
static const struct {
    const char *name;
    double mgas_per_s;
} evmone[] = {
    {"blake2b_huff/empty", 588},
    {"blake2b_huff/8415nulls", 889},
    {"blake2b_shifts/8415nulls", 1301},
    {"sha1_divs/empty", 586},
    {"sha1_divs/5311", 612},
    {"sha1_shifts/empty", 999},
    {"sha1_shifts/5311", 1033},
    {"snailtracer/benchmark", 5135},
    {"structarray_alloc/nfts_rank", 2894},
    {"swap_math/spent", 678},
    {"swap_math/received", 662},
    {"swap_math/insufficient_liquidity", 614},
    {"weierstrudel/1", 216},
    {"weierstrudel/15", 285},
    {"JUMPDEST_n0/empty", 415},
    {"jump_around/empty", 1131},
    {"loop_with_many_jumpdests/empty", 432},
    {"memory_grow_mload/nogrow", 842},
    {"memory_grow_mload/by1", 753},
    {"memory_grow_mload/by16", 858},
    {"memory_grow_mload/by32", 991},
    {"memory_grow_mstore/nogrow", 449},
    {"memory_grow_mstore/by1", 813},
    {"memory_grow_mstore/by16", 932},
    {"memory_grow_mstore/by32", 1177},
    {"signextend/zero", 747},
    {"signextend/one", 734},
};

struct evm_bench {
    u64 rounds;
    bool json;
    struct kl_world *world;
    struct kl_exec *exec;
    struct kl_arena text, scratch; /* of the file, of the case */
    usize cases;
};

/* A call over a state that is the same each time. */
struct contract {
    struct kl_exec *exec;
    kl_spec spec;
    kl_header header;
    struct kl_view_reader reader;
    kl_tx tx;
};

static u64 cpu_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (u64)t.tv_sec * 1000000000u + (u64)t.tv_nsec;
}

/* One call, from nothing; *gas is what its code used. */
KL_MUST_USE static kl_status run_once(struct contract *c, u64 *gas, kl_halt *halt)
{
    kl_rule broken;
    kl_tx_result result;
    kl_exec_block block = {.spec = &c->spec, .header = &c->header, .reader = &c->reader.reader};
    kl_call call = {.tx = &c->tx, .free = true};
    KL_TRY(kl_exec_enter(c->exec, &block));
    KL_TRY(kl_exec_call(c->exec, &call, NULL, &result, &broken));
    *halt = broken == KL_RULE_NONE ? result.halt : KL_HALT_OUT_OF_GAS;
    *gas = result.gas_used + result.refund - kl_intrinsic_gas(&c->tx, BENCH_FORK);
    return KL_OK;
}

/* Nanoseconds a run: the median of the rounds. */
KL_MUST_USE static kl_status measure(struct contract *c, u64 rounds, double *ns)
{
    double of_round[KL_BENCH_RUNS_MAX];
    u64 gas;
    kl_halt halt;
    for (u64 round = 0; round < rounds; round++) {
        u64 start = cpu_ns(), end, runs = 0;
        for (u64 batch = 1;; batch *= 2) {
            for (u64 i = 0; i < batch; i++)
                KL_TRY(run_once(c, &gas, &halt));
            runs += batch;
            end = cpu_ns();
            if (end - start >= ROUND_NS)
                break;
        }
        of_round[round] = (double)(end - start) / (double)runs;
    }
    *ns = kl_median(of_round, rounds);
    return KL_OK;
}

static double evmone_of(const char *name)
{
    for (usize i = 0; i < KL_COUNT_OF(evmone); i++)
        if (strcmp(evmone[i].name, name) == 0)
            return evmone[i].mgas_per_s;
    return 0;
}

static void print_case(struct evm_bench *b, const char *name, u64 gas, double ns)
{
    double mgas = (double)gas * 1e3 / ns, other = evmone_of(name);
    if (b->json) {
        printf("{\"bench\":\"evm\",\"case\":\"%s\",\"gas\":%llu,\"us\":%.6g,"
               "\"mgas_per_s\":%.6g}\n",
               name, (unsigned long long)gas, ns / 1e3, mgas);
        return;
    }
    if (b->cases++ == 0)
        printf("%-36s %12s %12s %10s %10s\n", "case", "gas", "us", "Mgas/s", "evmone*");
    printf("%-36s %12llu %12.2f %10.1f ", name, (unsigned long long)gas, ns / 1e3, mgas);
    if (other > 0)
        printf("%10.0f\n", other);
    else
        printf("%10s\n", "-");
    fflush(stdout);
}

KL_MUST_USE static kl_status run_case(struct evm_bench *b, struct contract *c, const char *name)
{
    u64 gas;
    kl_halt halt;
    double ns;
    KL_TRY(run_once(c, &gas, &halt));
    if (halt != KL_HALT_NONE) {
        fprintf(stderr, "keel bench: %s: %s\n", name, kl_halt_text(halt));
        return KL_UNSUPPORTED;
    }
    KL_TRY(measure(c, b->rounds, &ns));
    print_case(b, name, gas, ns);
    return KL_OK;
}

/* "snailtracer/benchmark": the test and the label of the data, or its number. */
static void name_of(char *out, usize len, struct kl_fixture *f, kl_json_ref name, usize index)
{
    char number[24];
    kl_json_ref test = kl_json_value(name);
    snprintf(number, sizeof number, "%zu", index);
    kl_json_ref labels =
        kl_json_member(&f->json, kl_json_member(&f->json, test, "_info"), "labels");
    kl_json_ref label = kl_json_member(&f->json, labels, number);
    snprintf(out, len, "%s/%s", kl_fixture_text(f, name),
             label == KL_JSON_NONE ? number : kl_fixture_text(f, label));
}

KL_MUST_USE static kl_status run_view(struct evm_bench *b, struct kl_fixture *f, kl_json_ref name,
                                      struct kl_view *view)
{
    kl_json_ref test = kl_json_value(name), tx = kl_fixture_need(f, test, "transaction"),
                env = kl_fixture_need(f, test, "env"), data = kl_fixture_need(f, tx, "data");
    struct contract c = {.exec = b->exec,
                         .header = {.number = kl_fixture_get_u64(f, env, "currentNumber"),
                                    .gas_limit = INT64_MAX,
                                    .timestamp = kl_fixture_get_u64(f, env, "currentTimestamp"),
                                    .difficulty = KL_U256_ONE,
                                    .tail = kl_header_tail(BENCH_FORK)}};
    kl_spec_init(&c.spec, BENCH_FORK);
    c.spec.engine = KL_ENGINE_EXTERNAL;
    kl_view_reader_init(&c.reader, view);
    for (usize i = 0; !f->bad && i < f->json.nodes[data].count; i++) {
        char text[128];
        kl_rule broken;
        kl_case_indexes indexes = {.data = i};
        KL_TRY(kl_statetest_tx(f, tx, &indexes, KL_SPAN_NONE, BENCH_FORK, &c.tx, &broken));
        if (f->bad || broken != KL_RULE_NONE)
            return KL_CORRUPT;
        name_of(text, sizeof text, f, name, i);
        KL_TRY(run_case(b, &c, text));
    }
    return f->bad ? KL_CORRUPT : KL_OK;
}

KL_MUST_USE static kl_status run_test(struct evm_bench *b, struct kl_fixture *f, kl_json_ref name)
{
    usize count;
    kl_hash root;
    struct kl_delta *pre;
    struct kl_view *view;
    const kl_alloc *alloc =
        kl_fixture_alloc(f, kl_fixture_need(f, kl_json_value(name), "pre"), &count);
    if (f->bad)
        return KL_CORRUPT;
    kl_arena_reset(&b->scratch, SIZE_MAX);
    KL_TRY(kl_world_genesis(b->world, alloc, count, false, &b->scratch, &pre, &root));
    kl_status status = kl_world_view(b->world, pre, &view);
    if (status == KL_OK) {
        status = run_view(b, f, name, view);
        kl_view_close(view);
    }
    kl_delta_unref(pre);
    return status;
}

KL_MUST_USE static kl_status run_file(struct evm_bench *b, const char *path)
{
    kl_span text;
    struct kl_fixture f;
    KL_TRY(kl_file_load(&text, path));
    kl_arena_reset(&b->text, SIZE_MAX);
    kl_status status = kl_fixture_parse(&f, text, &b->text);
    if (status == KL_OK)
        for (kl_json_ref n = kl_json_first(&f.json, 0); n != KL_JSON_NONE && status == KL_OK;
             n = kl_json_after(&f.json, 0, kl_json_value(n)))
            status = run_test(b, &f, n);
    if (status != KL_OK)
        fprintf(stderr, "keel bench: %s: %s\n", path, kl_status_text(status));
    kl_file_free(text);
    return status;
}

KL_MUST_USE static kl_status run_paths(struct evm_bench *b, char **paths, int count)
{
    struct kl_paths files = {0};
    kl_exec_config config = {
        .evm_memory_limit = (usize)1 << 30, .journal_memory_limit = (usize)1 << 30, .seed = 1};
    kl_status status = kl_world_new(&b->world);
    if (status == KL_OK)
        status = kl_exec_new(&b->exec, &config);
    for (int i = 0; i < count && status == KL_OK; i++)
        if ((status = kl_paths_add(&files, paths[i], ".json")) != KL_OK)
            fprintf(stderr, "keel bench: %s: %s\n", paths[i], kl_status_text(status));
    for (usize i = 0; i < files.count && status == KL_OK; i++)
        status = run_file(b, files.path[i]);
    if (b->cases)
        printf("* evmone 0.23.0 Baseline on a Xeon (Cascade Lake) at 2.5 GHz, Mgas/s\n");
    kl_paths_done(&files);
    return status;
}

int kl_bench_evm(int argc, char **argv)
{
    struct evm_bench b = {.rounds = 7};
    const kl_option rows[] = {
        {.kind = KL_OPTION_NUMBER,
         .name = "--runs",
         .value = "N",
         .help = "the median of so many rounds of 0.1 s (7)",
         .into = &b.rounds,
         .min = 1,
         .max = KL_BENCH_RUNS_MAX},
        {.name = "--json", .help = "print lines of JSON", .into = &b.json},
    };
    static const kl_example examples[] = {
        {"keel bench evm evm-benchmarks/main", "All cases below a folder"},
    };
    const kl_usage usage = {.command = "bench evm",
                            .arguments = "PATH...",
                            .help = "Runs state tests as calls on a state nothing is known of: "
                                    "accounts read, code\nanalysed, run to the end.  Processor "
                                    "time, the median of the rounds.",
                            .options = rows,
                            .option_count = KL_COUNT_OF(rows),
                            .examples = examples,
                            .example_count = KL_COUNT_OF(examples),
                            .arguments_min = 1,
                            .arguments_max = -1};
    int count, code = kl_options_parse(&usage, argc, argv, &count);
    if (code >= 0)
        return code;
    kl_arena_init(&b.text, (usize)1 << 30);
    kl_arena_init(&b.scratch, (usize)1 << 30);
    kl_status status = run_paths(&b, argv + 1, count);
    kl_exec_free(b.exec);
    kl_world_free(b.world);
    kl_arena_done(&b.text);
    kl_arena_done(&b.scratch);
    return status == KL_OK ? KL_EXIT_OK : KL_EXIT_FAILED;
}

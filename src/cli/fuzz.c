/* fuzz: writes random state tests, with the post states that Keel computes, for other clients to
 * judge. */
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "cli/command.h"
#include "cli/family.h"
#include "cli/fuzz_command.h"
#include "cli/fuzz_gen.h"
#include "cli/option.h"
#include "evm/opcode.h"

#define FILE_MAX_BYTES ((usize)1 << 30)
#define ARENA_MAX      ((usize)1 << 30)
#define ARENA_KEPT     ((usize)16 << 20)

struct fuzz {
    const char *fork_name, *out;
    u64 seed, count, per_file;
    kl_fork fork;
    kl_statebench bench;
    struct kl_arena arena;
    struct kl_buf text;
    kl_fuzz_reach reach;
    u64 cases, refused, well, files;
};

static kl_status put_test(struct fuzz *z, struct kl_json_out *out, u64 seed)
{
    struct kl_fuzz f;
    kl_fuzz_case c;
    char name[64];
    kl_arena_reset(&z->arena, ARENA_KEPT);
    KL_TRY(kl_fuzz_generate(&f, seed, z->fork, &z->bench, &z->arena, &c));
    KL_TRY(kl_fuzz_gas(&f, &c, &z->reach));
    KL_TRY(kl_fuzz_case_fill(&z->bench, &c, &z->arena));
    z->cases += c.gas_count;
    for (usize i = 0; i < c.gas_count; i++)
        z->refused += c.end[i].broken != KL_RULE_NONE;
    z->well += c.end[0].broken == KL_RULE_NONE && c.end[0].halt == KL_HALT_NONE;
    snprintf(name, sizeof name, "fuzz_%s_%llu", kl_fork_name(z->fork), (unsigned long long)seed);
    kl_fuzz_case_put(out, name, &c);
    return KL_OK;
}

static kl_status save(const struct fuzz *z, u64 seed)
{
    char path[4096];
    if (snprintf(path, sizeof path, "%s/fuzz_%s_%llu.json", z->out, kl_fork_name(z->fork),
                 (unsigned long long)seed) >= (int)sizeof path)
        return KL_UNSUPPORTED;
    FILE *file = fopen(path, "w");
    if (!file)
        return KL_IO;
    bool good = fwrite(z->text.p, 1, z->text.len, file) == z->text.len;
    return fclose(file) == 0 && good ? KL_OK : KL_IO;
}

static kl_status put_file(struct fuzz *z, u64 first, u64 count)
{
    kl_buf_clear(&z->text);
    struct kl_json_out out = kl_json_out_to(&z->text);
    kl_json_put_object(&out);
    for (u64 i = 0; i < count; i++)
        KL_TRY(put_test(z, &out, first + i));
    kl_json_put_object_end(&out);
    z->files++;
    return z->text.failed ? KL_NOMEM : save(z, first);
}

static void tell_reach(const struct fuzz *z)
{
    usize reached = 0, known = 0;
    printf("not reached:");
    for (unsigned op = 0; op < 256; op++) {
        if (!kl_opcode_name((u8)op))
            continue;
        known++;
        reached += z->reach.op[op] > 0;
        if (z->reach.op[op] == 0)
            printf(" %s", kl_opcode_name((u8)op));
    }
    printf("\n%zu of %zu instructions reached; frames ended:", reached, known);
    for (unsigned i = 0; i < KL_COUNT_OF(z->reach.halt); i++)
        if (z->reach.halt[i])
            printf(" %s %llu,", i ? kl_halt_text((kl_halt)i) : "well",
                   (unsigned long long)z->reach.halt[i]);
    printf("\n%llu tests, %llu of them end well with ample gas; %llu cases, %llu of them refused; "
           "%llu files\n",
           (unsigned long long)z->count, (unsigned long long)z->well, (unsigned long long)z->cases,
           (unsigned long long)z->refused, (unsigned long long)z->files);
}

static kl_status run(struct fuzz *z)
{
    KL_TRY(kl_statebench_init(&z->bench));
    for (u64 done = 0; done < z->count; done += z->per_file)
        KL_TRY(put_file(z, z->seed + done, KL_MIN(z->per_file, z->count - done)));
    return KL_OK;
}

int kl_fuzz_state_command(int argc, char **argv)
{
    struct fuzz z = {.fork_name = "osaka", .seed = 1, .count = 100, .per_file = 100};
    const kl_option options[] = {
        {KL_OPTION_NUMBER, "--seed", .value = "N", .help = "of the first test (1)", .into = &z.seed,
         .max = UINT64_MAX / 2},
        {KL_OPTION_NUMBER, "--count", .value = "N", .help = "how many tests (100)",
         .into = &z.count, .min = 1, .max = UINT32_MAX},
        {KL_OPTION_NUMBER, "--per-file", .value = "N", .help = "how many in one file (100)",
         .into = &z.per_file, .min = 1, .max = 100000},
        {KL_OPTION_TEXT, "--fork", .value = "NAME", .help = "whose rules hold (osaka)",
         .into = &z.fork_name},
        {KL_OPTION_TEXT, "--out", .value = "FOLDER", .help = "where the files go", .into = &z.out},
    };
    static const kl_example examples[] = {
        {"keel fuzz state --seed 7 --count 1000 --out tests", "A thousand tests in ten files"},
    };
    const kl_usage usage = {
        .command = "fuzz state",
        .arguments = "",
        .help = "Writes random state tests in the GeneralStateTests format, with the post states\n"
                "that Keel computes, for other clients to judge.  Test N of a fork is always the\n"
                "same one.",
        .options = options,
        .option_count = KL_COUNT_OF(options),
        .examples = examples,
        .example_count = KL_COUNT_OF(examples),
    };
    int count, code = kl_options_parse(&usage, argc, argv, &count);
    if (code >= 0)
        return code;
    if (!z.out || !kl_fork_from_name(&z.fork, kl_span_str(z.fork_name))) {
        fprintf(stderr, "keel fuzz state: %s\n",
                z.out ? "no fork has this name" : "--out FOLDER is missing");
        return KL_EXIT_USAGE;
    }
    (void)mkdir(z.out, 0777);
    kl_arena_init(&z.arena, ARENA_MAX);
    kl_buf_init(&z.text, FILE_MAX_BYTES);
    kl_status status = run(&z);
    if (status == KL_OK)
        tell_reach(&z);
    else
        fprintf(stderr, "keel fuzz state: %s\n", kl_status_text(status));
    kl_statebench_done(&z.bench);
    kl_arena_done(&z.arena);
    kl_buf_done(&z.text);
    return status == KL_OK ? KL_EXIT_OK : KL_EXIT_FAILED;
}

int kl_cmd_fuzz(int argc, char **argv)
{
    static const kl_family_member kinds[] = {
        {"state", kl_fuzz_state_command, "State tests, with the post states that Keel computes"},
        {"shrink", kl_fuzz_shrink_command, "A test on which another client differs, made small"},
    };
    const kl_family family = {
        .command = "fuzz",
        .noun = "kind",
        .help = "Writes random inputs for other clients to judge.",
        .members = kinds,
        .count = KL_COUNT_OF(kinds),
    };
    return kl_family_run(&family, argc, argv);
}

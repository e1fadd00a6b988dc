#include "cli/option.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/test.h"
#include "cli/command.h"

#define SECOND UINT64_C(1000000000)

/* One option of each kind, and what a command line made of them. */
struct parsed {
    bool flag, number_given;
    const char *text;
    u64 number, ns;
    kl_u256 wei;
    int count, code;
    char *argv[10];
};

/* Runs the parser with its messages in a file, whose bytes go to said. */
static int parse_quietly(const kl_usage *usage, int argc, char **argv, int *count, char *said,
                         usize size)
{
    FILE *file = tmpfile();
    CHECK(file != NULL);
    fflush(stdout);
    fflush(stderr);
    int out = dup(STDOUT_FILENO), err = dup(STDERR_FILENO);
    CHECK(dup2(fileno(file), STDOUT_FILENO) >= 0 && dup2(fileno(file), STDERR_FILENO) >= 0);
    int code = kl_options_parse(usage, argc, argv, count);
    fflush(stdout);
    fflush(stderr);
    CHECK(dup2(out, STDOUT_FILENO) >= 0 && dup2(err, STDERR_FILENO) >= 0);
    close(out);
    close(err);
    rewind(file);
    usize len = fread(said, 1, size - 1, file);
    said[len] = '\0';
    fclose(file);
    return code;
}

static char said[4096];

static struct parsed parse(const char *const *words)
{
    static char room[10][100];
    struct parsed p = {.text = "unset", .number = 7, .ns = 7};
    const kl_option options[] = {
        {.kind = KL_OPTION_GROUP, .help = "things"},
        {.name = "--json", .help = "flag", .into = &p.flag},
        {.kind = KL_OPTION_TEXT, .name = "--run", .value = "REGEX", .help = "", .into = &p.text},
        {.kind = KL_OPTION_NUMBER,
         .name = "--port",
         .letter = 'p',
         .value = "NUM",
         .help = "number",
         .into = &p.number,
         .given = &p.number_given,
         .min = 1,
         .max = 65535},
        {.kind = KL_OPTION_SECONDS,
         .name = "--block-time",
         .other = "--blockTime",
         .letter = 'b',
         .value = "SECONDS",
         .help = "seconds",
         .into = &p.ns,
         .min = SECOND / 1000,
         .max = 100 * SECOND},
        {.kind = KL_OPTION_ETHER, .name = "--balance", .value = "ETH", .help = "", .into = &p.wei},
    };
    static const kl_example examples[] = {{"keel x --json a", "An example"}};
    const kl_usage usage = {.command = "x",
                            .arguments = "PATH...",
                            .help = "Does x.",
                            .options = options,
                            .option_count = KL_COUNT_OF(options),
                            .examples = examples,
                            .example_count = 1,
                            .arguments_min = 1,
                            .arguments_max = 2};
    int argc = 1;
    p.argv[0] = room[0];
    for (; words[argc - 1]; argc++) {
        snprintf(room[argc], sizeof room[argc], "%s", words[argc - 1]);
        p.argv[argc] = room[argc];
    }
    p.argv[argc] = NULL;
    p.code = parse_quietly(&usage, argc, p.argv, &p.count, said, sizeof said);
    return p;
}

#define PARSE(...) parse((const char *const[]){__VA_ARGS__, NULL})

/* The command line is refused, and that is why. */
static void check_refused(struct parsed p, const char *why)
{
    CHECK_U64(p.code, KL_EXIT_USAGE);
    if (!strstr(said, why))
        kl_test_fail(__FILE__, __LINE__, "said: %s", said);
}

KL_TEST(options_come_before_between_and_behind_arguments)
{
    struct parsed p = PARSE("--json", "a", "--run", "x.*", "b");
    CHECK(p.code == -1 && p.flag && p.count == 2 && strcmp(p.text, "x.*") == 0);
    CHECK(strcmp(p.argv[1], "a") == 0 && strcmp(p.argv[2], "b") == 0 && !p.argv[3]);
    p = PARSE("a", "--run=y=z");
    CHECK(p.code == -1 && !p.flag && p.count == 1 && strcmp(p.text, "y=z") == 0);
    p = PARSE("--", "--json");
    CHECK(p.code == -1 && !p.flag && p.count == 1 && strcmp(p.argv[1], "--json") == 0);
    p = PARSE("-");
    CHECK(p.code == -1 && p.count == 1);
    CHECK_U64(p.number, 7);
}

KL_TEST(options_have_letters_and_other_names)
{
    static const char *const rows[][3] = {
        {"--port", "80", NULL}, {"--port=80", NULL}, {"-p", "80", NULL},
        {"-p80", NULL},         {"-p=80", NULL},     {"--port", "0x50", NULL},
    };
    for (usize i = 0; i < KL_COUNT_OF(rows); i++) {
        struct parsed p = rows[i][1] ? PARSE("a", rows[i][0], rows[i][1]) : PARSE("a", rows[i][0]);
        CHECK(p.code == -1 && p.number_given);
        CHECK_U64(p.number, 80);
    }
    struct parsed p = PARSE("a", "--blockTime", "2");
    CHECK_U64(p.ns, 2 * SECOND);
    p = PARSE("a", "-p", "1", "-p", "2");
    CHECK_U64(p.number, 2);
}

KL_TEST(options_refuse_what_makes_no_sense)
{
    check_refused(PARSE("--jsno", "a"), "did you mean --json?");
    check_refused(PARSE("--prot=8545", "a"), "did you mean --port?");
    check_refused(PARSE("--hlep"), "did you mean --help?");
    check_refused(PARSE("--what-is-this", "a"), "Try 'keel x --help'");
    check_refused(PARSE("-q", "a"), "unknown option -q");
    check_refused(PARSE("a", "--run"), "--run needs a value: REGEX");
    check_refused(PARSE("a", "--run", "--json"), "--run needs a value: REGEX");
    check_refused(PARSE("a", "--json=1"), "--json takes no value");
    check_refused(PARSE("a", "--run="), "--run takes a text, not ''");
    check_refused(PARSE("--port", "80"), "missing argument: PATH...");
    check_refused(PARSE("a", "b", "c"), "one argument too many: c");
    check_refused(PARSE("a", "--port", "0"), "--port takes a number from 1 to 65535, not '0'");
    check_refused(PARSE("a", "-p", "65536"), "--port takes a number from 1 to 65535");
    check_refused(PARSE("a", "--block-time", "0"), "seconds from 0.001 to 100, at most 9 digits");
}

KL_TEST(options_read_values_exactly)
{
    static const struct {
        const char *text;
        u64 ns;
    } seconds[] = {
        {"1", SECOND},           {"0.5", SECOND / 2},
        {".25", SECOND / 4},     {"00012.000000001", 12 * SECOND + 1},
        {"100", 100 * SECOND},   {"1ms", SECOND / 1000},
        {"2.5ms", SECOND / 400},
    };
    for (usize i = 0; i < KL_COUNT_OF(seconds); i++) {
        struct parsed p = PARSE("a", "-b", seconds[i].text);
        CHECK_U64(p.code, -1);
        CHECK_U64(p.ns, seconds[i].ns);
    }
    static const char *const bad_seconds[] = {
        "",     ".",   "1.",    "-1", "1e3",  "1.0000000001", "1,5",        "1 2",
        "0x10", "inf", "1.2.3", "ms", "1.ms", "1 ms",         "1.0000001ms"};
    for (usize i = 0; i < KL_COUNT_OF(bad_seconds); i++)
        CHECK_U64(PARSE("a", "--block-time", bad_seconds[i]).code, KL_EXIT_USAGE);
    static const char *const bad_numbers[] = {"x", "-1", "1.5", "0x", "1 ", "18446744073709551616"};
    for (usize i = 0; i < KL_COUNT_OF(bad_numbers); i++)
        CHECK_U64(PARSE("a", "--port", bad_numbers[i]).code, KL_EXIT_USAGE);
    char text[KL_U256_DECIMAL_MAX];
    struct parsed p = PARSE("a", "--balance", "10000.000000000000000001");
    kl_u256_decimal(text, p.wei);
    CHECK(strcmp(text, "10000000000000000000001") == 0);
    CHECK_U64(PARSE("a", "--balance", "1.0000000000000000001").code, KL_EXIT_USAGE);
    CHECK_U64(
        PARSE("a", "--balance", "9999999999999999999999999999999999999999999999999999999999999")
            .code,
        KL_EXIT_USAGE);
}

KL_TEST(options_come_from_the_environment_too)
{
    CHECK(setenv("KEEL_PORT", "99", 1) == 0 && setenv("KEEL_JSON", "true", 1) == 0 &&
          setenv("KEEL_BLOCK_TIME", "3", 1) == 0);
    struct parsed p = PARSE("a", "-b", "4");
    CHECK(p.code == -1 && p.flag && p.number_given);
    CHECK_U64(p.number, 99);
    CHECK_U64(p.ns, 4 * SECOND);
    CHECK(setenv("KEEL_JSON", "maybe", 1) == 0);
    p = PARSE("a");
    CHECK_U64(p.code, KL_EXIT_USAGE);
    CHECK(strstr(said, "KEEL_JSON takes 1 or 0, not 'maybe'") != NULL);
    CHECK(setenv("KEEL_JSON", "", 1) == 0 && unsetenv("KEEL_PORT") == 0 &&
          unsetenv("KEEL_BLOCK_TIME") == 0);
    p = PARSE("a");
    CHECK(p.code == -1 && !p.flag && !p.number_given);
    CHECK(unsetenv("KEEL_JSON") == 0);
}

KL_TEST(options_explain_themselves)
{
    CHECK_U64(PARSE("--port", "nonsense", "--help").code, KL_EXIT_OK);
    static const char *const parts[] = {
        "usage: keel x [OPTION]... PATH...\n",
        "Does x.\n",
        "\nthings:\n",
        "-p, --port NUM ",
        "      --json ",
        "-h, --help ",
        "KEEL_SOME_NAME",
        "  keel x --json a",
        "      An example\n",
    };
    for (usize i = 0; i < KL_COUNT_OF(parts); i++)
        if (!strstr(said, parts[i]))
            kl_test_fail(__FILE__, __LINE__, "no %s in: %s", parts[i], said);
    CHECK_U64(PARSE("--", "--help").code, -1);
}

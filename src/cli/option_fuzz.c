/* A command line from outside: words, each ended by a NUL; one with "KEEL_" before is put into the
 * environment instead.  What is accepted lies within its limits, and writing the values out as a
 * command line and reading that gives the same values. */
#include <stdio.h>
#include <stdlib.h>

#include "base/fuzz.h"
#include "cli/command.h"
#include "cli/option.h"

enum { WORDS_MAX = 24, TEXT_MAX = 600, VARIABLES = 6 };

static const char *const variables[VARIABLES] = {"KEEL_PORT",    "KEEL_BLOCK_TIME", "KEEL_NAME",
                                                 "KEEL_BALANCE", "KEEL_SILENT",     "KEEL_X"};

typedef struct values {
    u64 port, block_time;
    const char *name;
    kl_u256 balance;
    bool silent, port_given;
} values;

#define PORT_MAX     65535
#define INTERVAL_MIN UINT64_C(1000000)
#define INTERVAL_MAX UINT64_C(3600000000000)

static int parse(values *v, int argc, char **argv, int *count)
{
    const kl_option options[] = {
        {.kind = KL_OPTION_GROUP, .help = "Some"},
        {KL_OPTION_NUMBER, "--port", "--rpc-port", 'p', "PORT", "Where", &v->port, &v->port_given,
         0, PORT_MAX},
        {KL_OPTION_SECONDS, "--block-time", NULL, 'b', "SECONDS", "When", &v->block_time, NULL,
         INTERVAL_MIN, INTERVAL_MAX},
        {.kind = KL_OPTION_GROUP, .help = "Others"},
        {KL_OPTION_TEXT, "--name", NULL, 0, "NAME", "Who", &v->name, NULL, 0, 0},
        {KL_OPTION_ETHER, "--balance", NULL, 0, "ETHER", "How much", &v->balance, NULL, 0, 0},
        {KL_OPTION_FLAG, "--silent", "--quiet", 'q', NULL, "Say nothing", &v->silent, NULL, 0, 0},
    };
    const kl_usage usage = {
        .command = "fuzz",
        .arguments = "PATH...",
        .help = "Reads what comes.",
        .options = options,
        .option_count = KL_COUNT_OF(options),
        .arguments_min = argc % 2,
        .arguments_max = argc % 3 ? 3 : -1,
    };
    *v = (values){.block_time = INTERVAL_MIN, .name = "nobody"};
    FILE *out = stdout, *err = stderr, *nowhere = fopen("/dev/null", "w");
    KL_ASSERT(nowhere);
    stdout = stderr = nowhere;
    int code = kl_options_parse(&usage, argc, argv, count);
    stdout = out;
    stderr = err;
    fclose(nowhere);
    if (code < 0) {
        KL_ASSERT(*count >= usage.arguments_min && *count < argc && argv[*count + 1] == NULL);
        KL_ASSERT(usage.arguments_max < 0 || *count <= usage.arguments_max);
    }
    return code;
}

/* Words as they stand in the text, without those for the environment. */
static int split(char **argv, char *text, usize len)
{
    int argc = 1;
    argv[0] = text + len; /* the NUL at its end */
    for (char *word = text; word < text + len && argc < WORDS_MAX; word += strlen(word) + 1) {
        char *equals = strchr(word, '=');
        bool set = false;
        for (usize i = 0; i < VARIABLES && equals; i++) {
            bool named = strlen(variables[i]) == (usize)(equals - word) &&
                         memcmp(variables[i], word, (usize)(equals - word)) == 0;
            set |= named;
            if (named)
                KL_ASSERT(setenv(variables[i], equals + 1, 1) == 0);
        }
        if (!set)
            argv[argc++] = word;
    }
    argv[argc] = NULL;
    return argc;
}

static void clear_environment(void)
{
    for (usize i = 0; i < VARIABLES; i++)
        KL_ASSERT(unsetenv(variables[i]) == 0);
}

static void ether_text(char out[100], kl_u256 wei)
{
    kl_u256 whole, rest, unit = kl_u256_of(1000000000000000000);
    kl_u256_divide(&whole, &rest, &wei, &unit);
    char digits[KL_U256_DECIMAL_MAX];
    usize len = kl_u256_decimal(digits, whole);
    snprintf(out, 100, "%.*s.%018llu", (int)len, digits, (unsigned long long)rest.w[0]);
}

/* The same values, written out. */
static void again(const values *v, int count)
{
    char port[40], time[60], name[TEXT_MAX + 10], balance[100 + 10], wei[100], dashes[] = "--";
    char silent[] = "-q", argument[] = "-";
    char *argv[WORDS_MAX + 8] = {argument, port, time, name, balance};
    int argc = 5, kept;
    values twin;
    snprintf(port, sizeof port, "-p0x%llx", (unsigned long long)v->port);
    snprintf(time, sizeof time, "--block-time=%llu.%09llu",
             (unsigned long long)v->block_time / 1000000000,
             (unsigned long long)v->block_time % 1000000000);
    snprintf(name, sizeof name, "--name=%s", v->name);
    ether_text(wei, v->balance);
    snprintf(balance, sizeof balance, "--balance=%s", wei);
    if (v->silent)
        argv[argc++] = silent;
    argv[argc++] = dashes;
    for (int i = 0; i < count; i++)
        argv[argc++] = argument;
    argv[argc] = NULL;
    if (parse(&twin, argc, argv, &kept) >= 0)
        return; /* other limits of the number of arguments */
    KL_ASSERT(kept == count && twin.port == v->port && twin.block_time == v->block_time);
    KL_ASSERT(strcmp(twin.name, v->name) == 0 && kl_u256_eq(twin.balance, v->balance));
    KL_ASSERT(twin.silent == v->silent && twin.port_given);
}

static void run(char *text, usize len)
{
    char *argv[WORDS_MAX + 1];
    values v;
    int count, argc = split(argv, text, len), code = parse(&v, argc, argv, &count);
    clear_environment();
    KL_ASSERT(code == -1 || code == KL_EXIT_OK || code == KL_EXIT_USAGE);
    KL_ASSERT(v.port <= PORT_MAX && v.block_time >= INTERVAL_MIN && v.block_time <= INTERVAL_MAX);
    KL_ASSERT(*v.name);
    if (code < 0)
        again(&v, count);
}

int LLVMFuzzerTestOneInput(const u8 *bytes, usize len)
{
    char text[TEXT_MAX + 1];
    len = KL_MIN(len, (usize)TEXT_MAX);
    if (len)
        memcpy(text, bytes, len);
    text[len] = '\0';
    run(text, len);
    return 0;
}

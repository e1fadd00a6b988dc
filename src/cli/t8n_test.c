/* keel t8n on the inputs of tests/t8n, whose outputs geth's evm t8n agrees with byte for byte; and
 * on inputs that make no sense. */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/test.h"
#include "cli/command.h"
#include "cli/json_indent.h"
#include "cli/place_test.h"
#include "cli/t8n.h"

enum { WORDS_MAX = 32 };

static char said[16000]; /* on standard output and standard error */

/* Runs "t8n <line>" with input, NULL for nothing, as standard input; its exit code. */
static int t8n(const char *line, const char *input)
{
    char copy[2000], *argv[WORDS_MAX + 1], *rest = copy;
    int argc = 0;
    snprintf(copy, sizeof copy, "t8n %s", line);
    for (char *word; (word = strsep(&rest, " ")) != NULL;) {
        CHECK(argc < WORDS_MAX);
        argv[argc++] = word;
    }
    argv[argc] = NULL;
    FILE *in = stdin, *out = stdout, *err = stderr, *both = tmpfile(), *from = tmpfile();
    CHECK(both && from);
    if (input)
        fputs(input, from);
    rewind(from);
    stdin = from;
    stdout = stderr = both;
    int code = kl_cmd_t8n(argc, argv);
    stdin = in;
    stdout = out;
    stderr = err;
    rewind(both);
    said[fread(said, 1, sizeof said - 1, both)] = '\0';
    fclose(both);
    fclose(from);
    return code;
}

static void write_file(const char *path, const char *text)
{
    FILE *file = fopen(path, "wb");
    CHECK(file && fputs(text, file) >= 0);
    fclose(file);
}

static const char *path_of(const char *name, const char *file)
{
    static char path[4][1200];
    static unsigned next;
    char *out = path[next++ % KL_COUNT_OF(path)];
    snprintf(out, sizeof path[0], "%s/tests/t8n/%s/%s", kl_test_source_root(), name, file);
    return out;
}

static void check_same(const char *got, const char *name, const char *file)
{
    kl_test_same_bytes(__FILE__, __LINE__, kl_test_file(got), kl_test_file(path_of(name, file)));
}

static const struct known {
    const char *name, *fork, *reward;
    usize traces; /* how many are expected; 0: none were made */
    const char *more;
} known[] = {
    {"frontier", "Frontier", "5000000000000000000", 0, ""},
    {"london", "London", "2000000000000000000", 0, ""},
    {"cancun", "Cancun", "-1", 0, ""},
    {"osaka", "Osaka", "0", 4, ""},
    {"bpo3", "BPO2ToBPO3AtTime15k", "0", 0, ""},
    {"bpo4", "BPO3ToBPO4AtTime15k", "0", 0, ""},
    {"faults", "Osaka", "0", 4, ""}, /* instructions that end their frames, in every way there is */
    {"frames", "Osaka", "0", 2, " --trace.callframes"}, /* every way to begin one */
};

static int run_known(const struct known *k, const char *txs, const char *more)
{
    char line[1800];
    snprintf(line, sizeof line,
             "--input.alloc %s --input.env %s --input.txs %s --state.fork %s --state.reward %s "
             "--output.basedir out/a --output.body body.rlp%s",
             path_of(k->name, "alloc.json"), path_of(k->name, "env.json"), txs, k->fork, k->reward,
             more);
    return t8n(line, NULL);
}

KL_TEST(t8n_gives_what_geth_gives)
{
    struct place place;
    place_enter(&place);
    for (usize i = 0; i < KL_COUNT_OF(known); i++) {
        CHECK_U64(run_known(&known[i], path_of(known[i].name, "txs.json"), ""), 0);
        check_same("out/a/alloc.json", known[i].name, "expected/alloc.json");
        check_same("out/a/result.json", known[i].name, "expected/result.json");
        check_same("out/a/body.rlp", known[i].name, "expected/body.rlp");
    }
    place_leave(&place);
}

KL_TEST(t8n_takes_a_body_for_transactions)
{
    struct place place;
    place_enter(&place);
    for (usize i = 0; i < KL_COUNT_OF(known); i++) {
        CHECK_U64(run_known(&known[i], path_of(known[i].name, "expected/body.rlp"), ""), 0);
        check_same("out/a/alloc.json", known[i].name, "expected/alloc.json");
        check_same("out/a/body.rlp", known[i].name, "expected/body.rlp");
    }
    place_leave(&place);
}

struct traces {
    const char *name;
    usize count;
};

/* A file of the output folder that is a trace has the bytes of the one that is expected. */
static void check_trace(void *ctx, const char *path, kl_span bytes)
{
    struct traces *traces = ctx;
    char file[200];
    snprintf(file, sizeof file, "expected/%s", strrchr(path, '/') + 1);
    kl_test_same_bytes(__FILE__, __LINE__, bytes, kl_test_file(path_of(traces->name, file)));
    traces->count++;
}

KL_TEST(t8n_traces_what_geth_traces)
{
    struct place place;
    place_enter(&place);
    for (usize i = 0; i < KL_COUNT_OF(known); i++) {
        struct traces traces = {.name = known[i].name};
        if (!known[i].traces)
            continue;
        char more[200];
        snprintf(more, sizeof more, " --trace --trace.memory --trace.returndata%s", known[i].more);
        CHECK_U64(run_known(&known[i], path_of(known[i].name, "txs.json"), more), 0);
        CHECK_U64(kl_test_files("out/a", ".jsonl", check_trace, &traces), known[i].traces);
        CHECK_U64(traces.count, known[i].traces);
        kl_test_remove("out");
    }
    place_leave(&place);
}

static const char good[] =
    "{\"alloc\":{\"0x00000000000000000000000000000000000000aa\":{\"balance\":\"0x1\"}},"
    "\"env\":{\"currentCoinbase\":\"0x00000000000000000000000000000000000000cc\","
    "\"currentGasLimit\":\"0x1000000\",\"currentNumber\":\"1\",\"currentTimestamp\":1000,"
    "\"currentRandom\":\"0x0\",\"currentBaseFee\":\"0x7\",\"withdrawals\":[]},\"txs\":[]}";

#define FROM_STDIN                                                                   \
    "--input.alloc stdin --input.env stdin --input.txs stdin --output.alloc stdout " \
    "--output.result stdout --state.fork "

KL_TEST(t8n_speaks_over_standard_streams)
{
    struct place place;
    place_enter(&place);
    CHECK_U64(t8n(FROM_STDIN "Shanghai", good), 0);
    CHECK(strncmp(said, "{\n  \"alloc\": {\n    \"0x", 20) == 0);
    CHECK(strstr(said, "\"balance\": \"0x1\"") && strstr(said, "\"receipts\": []"));
    CHECK(!strstr(said, "\"body\"") && access("alloc.json", F_OK) != 0);
    place_leave(&place);
}

/* The good input with one text in place of another. */
static const char *with(const char *old, const char *now)
{
    static char text[4000];
    const char *at = strstr(good, old);
    CHECK(at);
    snprintf(text, sizeof text, "%.*s%s%s", (int)(at - good), good, now, at + strlen(old));
    return text;
}

KL_TEST(t8n_exits_with_the_code_that_tells_why)
{
    static const struct {
        int code;
        const char *fork, *old, *now, *says;
    } rows[] = {
        {10, "Shanghai", "{\"alloc\"", "[\"alloc\"", "stdin:1"},
        {10, "Shanghai", "\"balance\":\"0x1\"", "\"balance\":\"lots\"", "'balance'"},
        {10, "Shanghai", "\"0x00000000000000000000000000000000000000aa\"", "\"0xaa\"", "'alloc'"},
        {10, "Shanghai", "\"currentCoinbase\"", "\"coinbase\"", "'currentCoinbase'"},
        {10, "Shanghai", "\"currentNumber\":\"1\"", "\"currentNumber\":[]", "'currentNumber'"},
        {10, "Shanghai", "\"txs\":[]", "\"txs\":{}", "txs"},
        {10, "Shanghai", "\"txs\":[]", "\"txs\":[{}]", "txs[0]"},
        {10, "Shanghai", "\"txs\":[]", "\"txsRlp\":\"0xz\"", "txs"},
        {12, "Shanghai", "\"txs\":[]", "\"txsRlp\":\"0x80\"", "list of transactions"},
        {3, "Atlantis", "{\"alloc\"", "{\"alloc\"", "unsupported fork \"Atlantis\""},
        {3, "Shanghai", "\"withdrawals\":[]", "\"x\":1", "missing 'withdrawals'"},
        {3, "Shanghai", "\"currentRandom\":\"0x0\"", "\"x\":1", "requires currentRandom"},
        {3, "Shanghai", "\"currentBaseFee\":\"0x7\"", "\"x\":1", "missing 'parentBaseFee'"},
        {3, "Shanghai", "\"currentRandom\"", "\"currentDifficulty\":1,\"currentRandom\"",
         "difficulty must be zero"},
        {3, "Shanghai", "\"0x1000000\"", "\"0x8000000000000000\"", "currentGasLimit"},
        {3, "Cancun", "{\"alloc\"", "{\"alloc\"", "parentBeaconBlockRoot"},
        {3, "Berlin", "\"currentRandom\":\"0x0\"", "\"x\":1", "missing parentDifficulty"},
        {3, "Berlin", "\"currentRandom\":\"0x0\"",
         "\"parentDifficulty\":\"0x20000\",\"parentTimestamp\":1000", "after parent time"},
        {2, "Prague", "\"withdrawals\":[]", "\"withdrawals\":[],\"parentBeaconBlockRoot\":\"0x0\"",
         "could not process requests"},
    };
    struct place place;
    place_enter(&place);
    for (usize i = 0; i < KL_COUNT_OF(rows); i++) {
        char line[300];
        snprintf(line, sizeof line, FROM_STDIN "%s", rows[i].fork);
        int code = t8n(line, with(rows[i].old, rows[i].now));
        if (code != rows[i].code || !strstr(said, rows[i].says))
            kl_test_fail(__FILE__, __LINE__, "row %zu: exit code %d, says %s", i, code, said);
    }
    CHECK_U64(t8n("--input.alloc nowhere.json", NULL), KL_T8N_IO);
    write_file("file", "");
    CHECK_U64(t8n("--output.basedir file/below", NULL), KL_T8N_IO);
    CHECK_U64(t8n(FROM_STDIN "Shanghai --output.result gone/result.json", good), KL_T8N_IO);
    CHECK_U64(t8n(FROM_STDIN "Shanghai --state.reward much", good), KL_T8N_CONFIG);
    CHECK_U64(t8n("--input.txt txs.json", NULL), KL_EXIT_USAGE);
    CHECK(strstr(said, "did you mean --input.txs?"));
    place_leave(&place);
}

KL_TEST(t8n_needs_the_hashes_that_are_asked_for)
{
    static const char tx[] =
        "\"txs\":[{\"nonce\":\"0x0\",\"gas\":\"0x100000\",\"gasPrice\":\"0x7\",\"value\":\"0x0\","
        "\"input\":\"0x5f40\",\"secretKey\":"
        "\"0x1111111111111111111111111111111111111111111111111111111111111111\"}]";
    static const char rich[] = "\"0x19e7e376e7c213b7e7e7e46cc70a5dd086daff2a\":{\"balance\":"
                               "\"0x1000000000000\"}},";
    struct place place;
    char input[4000], more[4000];
    place_enter(&place);
    snprintf(more, sizeof more, "%s", with("\"txs\":[]", tx));
    const char *at = strstr(more, "}},");
    CHECK(at);
    snprintf(input, sizeof input, "%.*s},%s%s", (int)(at - more), more, rich, at + 3);
    CHECK_U64(t8n(FROM_STDIN "Shanghai", input), KL_T8N_BLOCK_HASH);
    CHECK(strstr(said, "getHash(0) invoked, no blockhashes provided"));
    place_leave(&place);
}

KL_TEST(json_indent_lays_out_and_changes_nothing)
{
    struct kl_buf out;
    kl_buf_init(&out, 1000);
    kl_json_indent(&out, KL_SPAN_TEXT("{\"a\":[],\"b\":{\"c\":[1,\"}, \\\"[\"]},\"d\":{}}"), 1);
    kl_test_same_bytes(__FILE__, __LINE__, kl_buf_view(&out),
                       KL_SPAN_TEXT("{\n \"a\": [],\n \"b\": {\n  \"c\": [\n   1,\n   \"}, "
                                    "\\\"[\"\n  ]\n },\n \"d\": {}\n}"));
    kl_buf_done(&out);
}

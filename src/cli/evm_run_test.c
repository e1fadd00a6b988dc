/* keel evm run as somebody types it; what it prints is what geth's evm run prints. */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/test.h"
#include "cli/command.h"

enum { WORDS_MAX = 24 };

static char out_text[16000], err_text[16000];

static void read_back(FILE *file, char *text)
{
    rewind(file);
    text[fread(text, 1, sizeof out_text - 1, file)] = '\0';
    fclose(file);
}

/* Runs "keel <line>"; its exit code. */
static int keel(const char *line)
{
    char copy[1000], *argv[WORDS_MAX + 1], *rest = copy;
    int argc = 0;
    snprintf(copy, sizeof copy, "%s", line);
    for (char *word; (word = strsep(&rest, " ")) != NULL;) {
        CHECK(argc < WORDS_MAX);
        argv[argc++] = word;
    }
    argv[argc] = NULL;
    FILE *out = stdout, *err = stderr, *new_out = tmpfile(), *new_err = tmpfile();
    CHECK(new_out && new_err);
    stdout = new_out;
    stderr = new_err;
    int code = kl_cli_main(argc, argv);
    stdout = out;
    stderr = err;
    read_back(new_out, out_text);
    read_back(new_err, err_text);
    return code;
}

#define WORD(last) "0x00000000000000000000000000000000000000000000000000000000000000" last "\n"

KL_TEST(evm_run_prints_what_code_returns)
{
    static const struct {
        const char *line, *prints;
    } rows[] = {
        {"keel evm run 6001600201", "\n"},
        {"keel evm run --code 0x60016002015f5260205ff3", WORD("03")},
        {"keel evm run --input 0x1234 365f5260205ff3", WORD("02")},
        {"keel evm run --gas 22 5a5f5260205ff3", WORD("14")},
        {"keel evm run --price 77 3a5f5260205ff3", WORD("4d")},
        {"keel evm run --sender 0xbb 335f5260205ff3", WORD("bb")},
        {"keel evm run --receiver 0xaa 305f5260205ff3", WORD("aa")},
        {"keel evm run --create 60015f5360015ff3", "0x01\n"},
        {"keel evm run --create --code 365f5360015ff3 --input 1234", "0x00\n"},
        {"keel evm run --state.fork Paris 5f", "\n error: invalid opcode\n"},
        {"keel evm run --gas 5 60016001", "\n error: out of gas\n"},
        {"keel evm run --value 1 00", "\n error: insufficient balance for transfer\n"},
        {"/usr/bin/evm run 60015f5360015ffd", "0x01\n error: execution reverted\n"},
        {"evm --version", "evm version " KL_VERSION "-keel\n"},
    };
    for (usize i = 0; i < KL_COUNT_OF(rows); i++) {
        CHECK_U64(keel(rows[i].line), KL_EXIT_OK);
        if (strcmp(out_text, rows[i].prints) != 0)
            kl_test_fail(__FILE__, __LINE__, "%s prints %s", rows[i].line, out_text);
    }
}

KL_TEST(evm_run_traces_to_standard_error)
{
    CHECK_U64(keel("keel evm run --json --gas 100 --trace.memory 5f5ffd"), KL_EXIT_OK);
    CHECK(out_text[0] == '\0');
    CHECK(strcmp(err_text,
                 "{\"pc\":0,\"op\":95,\"gas\":\"0x64\",\"gasCost\":\"0x2\",\"memSize\":0,"
                 "\"stack\":[],\"depth\":1,\"refund\":0,\"opName\":\"PUSH0\"}\n"
                 "{\"pc\":1,\"op\":95,\"gas\":\"0x62\",\"gasCost\":\"0x2\",\"memSize\":0,"
                 "\"stack\":[\"0x0\"],\"depth\":1,\"refund\":0,\"opName\":\"PUSH0\"}\n"
                 "{\"pc\":2,\"op\":253,\"gas\":\"0x60\",\"gasCost\":\"0x0\",\"memSize\":0,"
                 "\"stack\":[\"0x0\",\"0x0\"],\"depth\":1,\"refund\":0,"
                 "\"opName\":\"REVERT\"}\n"
                 "{\"pc\":2,\"op\":253,\"gas\":\"0x60\",\"gasCost\":\"0x0\",\"memSize\":0,"
                 "\"stack\":[],\"depth\":1,\"refund\":0,\"opName\":\"REVERT\","
                 "\"error\":\"execution reverted\"}\n"
                 "{\"output\":\"\",\"gasUsed\":\"0x4\",\"error\":\"execution reverted\"}\n") == 0);
}

static void write_file(const char *path, const char *text)
{
    FILE *file = fopen(path, "wb");
    CHECK(file && fputs(text, file) >= 0);
    fclose(file);
}

KL_TEST(evm_run_takes_state_and_rules_from_a_genesis_file)
{
    char path[] = "/tmp/keel-evm-XXXXXX", line[300], more[400];
    int fd = mkstemp(path);
    CHECK(fd >= 0);
    close(fd);
    write_file(path, "{\"config\":{\"chainId\":5,\"homesteadBlock\":0,\"eip150Block\":0,"
                     "\"eip155Block\":0,\"eip158Block\":0,\"byzantiumBlock\":0,"
                     "\"constantinopleBlock\":0,\"petersburgBlock\":0,\"istanbulBlock\":0,"
                     "\"berlinBlock\":0},\"difficulty\":\"0x1\","
                     "\"gasLimit\":\"0x5000\",\"alloc\":{"
                     "\"0x00000000000000000000000000000000000000aa\":{\"balance\":\"0x5\","
                     "\"code\":\"0x34600255465a0100\",\"storage\":{\"0x1\":\"0x203\"}},"
                     "\"0x00000000000000000000000000000000000000bb\":{\"balance\":\"0xff\"}}}");
    snprintf(line, sizeof line,
             "keel evm run --prestate %s --receiver 0xaa --sender 0xbb --value 10", path);
    CHECK_U64(keel(line), KL_EXIT_OK);
    CHECK(strstr(out_text, "out of gas")); /* the file's gas limit */
    snprintf(more, sizeof more, "%s --gas 50000 --dump", line);
    CHECK_U64(keel(more), KL_EXIT_OK);
    CHECK(strstr(out_text, "\"0x00000000000000000000000000000000000000AA\": {\n"
                           "            \"balance\": \"15\",\n            \"nonce\": 0,"));
    CHECK(strstr(out_text, "0002\": \"0a\"") && strstr(out_text, "0001\": \"0203\""));
    CHECK(strstr(out_text, "\"balance\": \"245\",\n            \"nonce\": 0,"));
    write_file(path,
               "{\n\"config\":{\"chainId\":1},\n\"difficulty\":7,\"gasLimit\":7,\"alloc\":7}");
    CHECK_U64(keel(line), KL_EXIT_FAILED);
    CHECK(strstr(err_text, ":3: alloc: "));
    unlink(path);
}

KL_TEST(evm_run_refuses_what_makes_no_sense)
{
    static const struct {
        int code;
        const char *line, *says;
    } rows[] = {
        {KL_EXIT_FAILED, "keel evm run 600", "code: "},
        {KL_EXIT_FAILED, "keel evm run zz", "code: "},
        {KL_EXIT_FAILED, "keel evm run --input 1 00", "input: "},
        {KL_EXIT_FAILED, "keel evm run --codefile /nowhere/code", "/nowhere/code: not found"},
        {KL_EXIT_FAILED, "keel evm run --prestate /nowhere/genesis", "/nowhere/genesis"},
        {KL_EXIT_FAILED, "keel evm run --value much 00", "--value: takes"},
        {KL_EXIT_FAILED, "keel evm run --state.fork Atlantis 00", "unsupported fork"},
        {KL_EXIT_FAILED, "keel evm run --sender 0x000000000000000000000000000000000000000000 00",
         "--sender: takes an address"},
        {KL_EXIT_USAGE, "keel evm run 00 00", "one argument too many"},
        {KL_EXIT_USAGE, "keel evm run --gaz 5 00", "did you mean --gas?"},
        {KL_EXIT_USAGE, "keel evm t8m", "did you mean t8n?"},
        {KL_EXIT_USAGE, "evm", "usage: keel evm"},
    };
    for (usize i = 0; i < KL_COUNT_OF(rows); i++) {
        int code = keel(rows[i].line);
        if (code != rows[i].code || !strstr(err_text, rows[i].says))
            kl_test_fail(__FILE__, __LINE__, "%s: exit code %d, says %s", rows[i].line, code,
                         err_text);
    }
}

#include "cli/command.h"

#include <stdio.h>
#include <unistd.h>

#include "base/test.h"
#include "cli/fixture.h"
#include "cli/network.h"

KL_TEST(suggest_finds_the_near_name)
{
    static const char *const names[] = {"statetest", "blocktest", "dev", "devnet", "node"};
    const struct {
        const char *typed, *want;
    } rows[] = {
        {"statestest", "statetest"}, {"satetest", "statetest"}, {"bloktest", "blocktest"},
        {"nodee", "node"},           {"ndoe", "node"},          {"dve", "dev"},
        {"devnt", "devnet"},         {"frobnicate", NULL},      {"", NULL},
    };
    for (usize i = 0; i < KL_COUNT_OF(rows); i++) {
        const char *got = kl_suggest(rows[i].typed, names, KL_COUNT_OF(names));
        CHECK(got == rows[i].want || (got && rows[i].want && strcmp(got, rows[i].want) == 0));
    }
    char longest[200];
    memset(longest, 'x', sizeof longest - 1);
    longest[sizeof longest - 1] = '\0';
    CHECK(!kl_suggest(longest, names, KL_COUNT_OF(names)));
}

/* The commands print their help to what a person reads: a file, here. */
static int run_cli(char *text, usize size, int argc, char **argv)
{
    int kept = dup(STDOUT_FILENO);
    FILE *file = tmpfile();
    CHECK(kept >= 0 && file && fflush(stdout) == 0 && dup2(fileno(file), STDOUT_FILENO) >= 0);
    int code = kl_cli_main(argc, argv);
    CHECK(fflush(stdout) == 0 && dup2(kept, STDOUT_FILENO) >= 0 && close(kept) == 0);
    rewind(file);
    text[fread(text, 1, size - 1, file)] = '\0';
    CHECK(fclose(file) == 0);
    return code;
}

KL_TEST(cli_every_command_has_help_with_examples)
{
    static const struct {
        const char *argv[3];
        const char *want;
    } rows[] = {
        {{"--help"}, "commands:"},
        {{"help"}, "commands:"},
        {{"help", "dev"}, "usage: keel dev "},
        {{"dev", "--help"}, "\nexamples:\n"},
        {{"init", "--help"}, "\nexamples:\n"},
        {{"node", "--help"}, "\nexamples:\n"},
        {{"verify", "--help"}, "\nexamples:\n"},
        {{"statetest", "-h"}, "\nexamples:\n"},
        {{"blocktest", "--help"}, "\nexamples:\n"},
        {{"fuzz", "--help"}, "\nkinds:\n"},
        {{"db", "--help"}, "\nactions:\n"},
        {{"db", "fixture", "--help"}, "\nexamples:\n"},
        {{"evm", "--help"}, "\nexamples:\n"},
        {{"fuzz", "state", "--help"}, "\nexamples:\n"},
        {{"bench", "--help"}, "\nworkloads:\n"},
        {{"bench", "load", "--help"}, "\nexamples:\n"},
        {{"--version"}, "keel " KL_VERSION "\n"},
    };
    for (usize i = 0; i < KL_COUNT_OF(rows); i++) {
        char name[] = "keel", words[3][32], text[8192];
        char *argv[5] = {name};
        int argc = 1;
        for (; argc <= 3 && rows[i].argv[argc - 1]; argc++) {
            snprintf(words[argc - 1], sizeof words[0], "%s", rows[i].argv[argc - 1]);
            argv[argc] = words[argc - 1];
        }
        CHECK(run_cli(text, sizeof text, argc, argv) == KL_EXIT_OK);
        CHECK(strstr(text, rows[i].want) != NULL);
    }
}

KL_TEST(network_names_are_specs)
{
    kl_spec spec;
    CHECK(kl_network_spec(&spec, "Osaka"));
    CHECK(kl_spec_fork(&spec, 0, 0) == KL_OSAKA);
    CHECK(kl_network_spec(&spec, "ConstantinopleFix"));
    CHECK(kl_spec_fork(&spec, 0, 0) == KL_PETERSBURG);
    CHECK(kl_network_spec(&spec, "BerlinToLondonAt5"));
    CHECK(kl_spec_fork(&spec, 4, 0) == KL_BERLIN && kl_spec_fork(&spec, 5, 0) == KL_LONDON);
    CHECK(kl_network_spec(&spec, "ByzantiumToConstantinopleFixAt5"));
    CHECK(kl_spec_fork(&spec, 4, 0) == KL_BYZANTIUM && kl_spec_fork(&spec, 5, 0) == KL_PETERSBURG);
    CHECK(kl_network_spec(&spec, "PragueToOsakaAtTime15k"));
    CHECK(kl_spec_fork(&spec, 9, 14999) == KL_PRAGUE && kl_spec_fork(&spec, 9, 15000) == KL_OSAKA);
    CHECK(kl_network_spec(&spec, "BPO3ToBPO4AtTime15k"));
    CHECK(kl_spec_fork(&spec, 9, 14999) == KL_BPO3 && kl_spec_fork(&spec, 9, 15000) == KL_BPO4);
    CHECK(kl_spec_blobs(&spec, KL_BPO2).max == 21 && kl_spec_blobs(&spec, KL_BPO3).max == 32);
    CHECK(kl_spec_blobs(&spec, KL_BPO4).target == 14);
    CHECK(kl_network_spec(&spec, "ArrowGlacierToParisAtDiffC0000"));
    CHECK(kl_u256_eq(spec.terminal_total_difficulty, kl_u256_of(0xc0000)));
    CHECK(kl_spec_fork(&spec, 100, 0) == KL_ARROW_GLACIER);
    CHECK(kl_network_spec(&spec, "HomesteadToDaoAt5"));
    CHECK(spec.dao_fork && spec.dao_fork_block == 5);
    CHECK(!kl_network_spec(&spec, "Atlantis"));
    CHECK(!kl_network_spec(&spec, "BerlinToAtlantisAt5"));
}

KL_TEST(fixture_exceptions_match_whole_names)
{
    CHECK(kl_fixture_expects("TR_NonceTooLow", KL_RULE_TX_NONCE_LOW));
    CHECK(kl_fixture_expects("A|TR_NonceTooLow|B", KL_RULE_TX_NONCE_LOW));
    CHECK(!kl_fixture_expects("TR_Nonce", KL_RULE_TX_NONCE_LOW));
    CHECK(!kl_fixture_expects("TR_NonceTooLow", KL_RULE_TX_NONCE_HIGH));
    CHECK(!kl_fixture_expects("", KL_RULE_TX_NONCE_LOW));
}

KL_TEST(fixture_numbers_in_every_spelling)
{
    static const char text[] = "{\"a\":\"0x1f\",\"b\":\"0x001F\",\"c\":\"31\",\"d\":31,"
                               "\"e\":\"0x\",\"f\":\"\",\"g\":\"0xzz\",\"h\":[]}";
    struct kl_arena arena;
    struct kl_fixture f;
    kl_arena_init(&arena, 1 << 20);
    CHECK_OK(kl_fixture_parse(&f, KL_SPAN_TEXT(text), &arena));
    static const char *const names[] = {"a", "b", "c", "d"};
    for (usize i = 0; i < KL_COUNT_OF(names); i++)
        CHECK_U64(kl_fixture_get_u64(&f, 0, names[i]), 31);
    CHECK_U64(kl_fixture_get_u64(&f, 0, "e"), 0);
    CHECK_U64(kl_fixture_get_u64(&f, 0, "f"), 0);
    CHECK_U64(kl_fixture_get_u64(&f, 0, "missing"), 0);
    CHECK(!f.bad);
    CHECK_U64(kl_fixture_get_u64(&f, 0, "g"), 0);
    CHECK(f.bad && strcmp(f.bad, "g") == 0);
    f.bad = NULL;
    (void)kl_fixture_get_u64(&f, 0, "h");
    CHECK(f.bad && strcmp(f.bad, "h") == 0);
    f.bad = NULL;
    CHECK(kl_fixture_need(&f, 0, "nothing") == KL_JSON_NONE && f.bad);
    kl_arena_done(&arena);
}

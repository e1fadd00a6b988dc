#include "types/genesis.h"

#include <stdio.h>

#include "base/test.h"
#include "crypto/keccak.h"
#include "types/fixture_test.h"

static struct kl_arena arena;

static kl_rule parse_span(kl_genesis *genesis, kl_span text, kl_file_fault *fault)
{
    kl_arena_reset(&arena, 1 << 20);
    arena.limit = 1 << 28;
    CHECK_OK(kl_genesis_parse(genesis, text, &arena, fault));
    return fault->rule;
}

/* A file with the given config (line 2), alloc (line 3) and other members (line 4). */
static kl_rule parse(kl_genesis *genesis, const char *config, const char *alloc, const char *rest,
                     kl_file_fault *fault)
{
    static char text[1 << 16];
    int len = snprintf(text, sizeof text, "{\n\"config\": %s,\n\"alloc\": %s,\n%s}\n", config,
                       alloc, rest);
    CHECK(len > 0 && (usize)len < sizeof text);
    return parse_span(genesis, kl_span_of(text, (usize)len), fault);
}

#define HEADER "\"gasLimit\": \"0x1c9c380\", \"difficulty\": 1"
#define FORKS                                                                                   \
    "\"homesteadBlock\":0,\"eip150Block\":0,\"eip155Block\":0,\"eip158Block\":0,"               \
    "\"byzantiumBlock\":0,\"constantinopleBlock\":0,\"petersburgBlock\":0,\"istanbulBlock\":0," \
    "\"berlinBlock\":0,\"londonBlock\":0"

static kl_genesis good(const char *config, const char *alloc, const char *rest)
{
    kl_genesis genesis;
    kl_file_fault fault;
    kl_rule rule = parse(&genesis, config, alloc, rest, &fault);
    if (rule != KL_RULE_NONE)
        kl_test_fail(__FILE__, __LINE__, "%s at %s, line %zu: %s", kl_rule_name(rule), fault.where,
                     fault.line, config);
    CHECK(fault.line == 0 && fault.where[0] == 0);
    return genesis;
}

KL_TEST(genesis_of_the_execution_apis)
{
    kl_genesis g;
    kl_file_fault fault;
    kl_span text = kl_test_file(fixture_path("execution-apis/tests/genesis.json"));
    CHECK_RULE(parse_span(&g, text, &fault), KL_RULE_NONE);
    CHECK_U64(g.spec.chain_id, 3503995874084926);
    CHECK_U64(kl_u256_sat_u64(g.spec.terminal_total_difficulty), 4732352);
    CHECK(kl_address_is_zero(&g.spec.deposit_contract));
    CHECK_U64(g.alloc_count, 27);
    static const struct {
        u64 number, time;
        kl_fork fork;
    } cases[] = {
        {0, 0, KL_HOMESTEAD},       {2, 20, KL_HOMESTEAD},      {3, 30, KL_TANGERINE},
        {6, 60, KL_SPURIOUS},       {14, 9, KL_CONSTANTINOPLE}, {15, 9, KL_PETERSBURG},
        {33, 330, KL_GRAY_GLACIER}, {36, 360, KL_PARIS},        {38, 389, KL_PARIS},
        {39, 390, KL_SHANGHAI},     {42, 420, KL_CANCUN},       {45, 450, KL_PRAGUE},
        {48, 480, KL_OSAKA},        {51, 510, KL_BPO1},         {54, 540, KL_BPO2},
        {20, 540, KL_ISTANBUL},
    };
    for (usize i = 0; i < KL_COUNT_OF(cases); i++)
        CHECK_U64(kl_spec_fork(&g.spec, cases[i].number, cases[i].time), cases[i].fork);
    CHECK_U64(kl_spec_blobs(&g.spec, KL_BPO2).update_fraction, 11684671);

    /* The raw header that the recorded exchange gives, but for the state root. */
    kl_span io =
        kl_test_file(fixture_path("execution-apis/tests/debug_getRawHeader/get-genesis.io"));
    const char *hex = strstr((const char *)io.p, "0xf9");
    CHECK(hex);
    u8 raw_room[KL_HEADER_RLP_MAX];
    kl_span digits = kl_span_of(hex + 2, strcspn(hex + 2, "\""));
    CHECK(digits.len / 2 <= sizeof raw_room);
    CHECK_RULE(kl_hex_parse(raw_room, digits.len / 2, digits), KL_RULE_NONE);
    kl_span raw = kl_span_of(raw_room, digits.len / 2);
    kl_header want;
    CHECK_RULE(kl_header_decode(&want, raw), KL_RULE_NONE);
    g.header.state_root = want.state_root;
    u8 room[KL_HEADER_RLP_MAX];
    kl_out out = kl_out_of(room, sizeof room);
    kl_header_encode(&out, &g.header);
    CHECK_SPAN(kl_out_done(&out), raw);
    kl_arena_done(&arena);
}

KL_TEST(genesis_defaults_are_geths)
{
    kl_genesis g = good("{\"chainId\":1337}", "{}", HEADER);
    CHECK_U64(g.spec.chain_id, 1337);
    CHECK_U64(kl_spec_fork(&g.spec, 1 << 30, 1 << 30), KL_FRONTIER);
    CHECK(g.spec.engine == KL_ENGINE_SOLO && !g.spec.dev && !g.spec.dao_fork);
    CHECK_U64(g.spec.max_block_bytes, 2 << 20);
    CHECK(g.spec.base_fee_denominator == 8 && g.spec.elasticity == 2);
    CHECK_HEX(kl_address_span(&g.spec.deposit_contract),
              "00000000219ab540356cbb839cbe05303d7705fa");
    CHECK(kl_u256_eq(g.spec.terminal_total_difficulty, KL_U256_MAX));
    CHECK(g.header.tail == 0 && g.alloc_count == 0);
    CHECK(kl_hash_eq(&g.header.ommers_hash, &kl_keccak_empty_list));
    CHECK(kl_hash_eq(&g.header.receipts_root, &kl_keccak_empty_rlp));

    g = good("{\"chainId\":1," FORKS ",\"terminalTotalDifficulty\":0,\"shanghaiTime\":0,"
             "\"cancunTime\":0,\"pragueTime\":5}",
             "{}", "\"gasLimit\": 0, \"timestamp\": \"0x5\"");
    CHECK_U64(kl_spec_fork(&g.spec, 0, 5), KL_PRAGUE);
    CHECK_U64(kl_spec_blobs(&g.spec, KL_PRAGUE).max, 9);
    CHECK_U64(g.header.tail, 6);
    CHECK_U64(g.header.gas_limit, 4712388);
    CHECK(kl_u256_is_zero(g.header.difficulty));
    CHECK_U64(kl_u256_sat_u64(g.header.base_fee), 1000000000);
    CHECK(kl_hash_eq(&g.header.withdrawals_root, &kl_keccak_empty_rlp));
    CHECK_HEX(kl_hash_span(&g.header.requests_hash),
              "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    CHECK(kl_hash_is_zero(&g.header.parent_beacon_root));
    kl_arena_done(&arena);
}

KL_TEST(genesis_header_fields_in_every_spelling)
{
    kl_genesis g = good(
        "{\"chainId\":\"0x539\"," FORKS "}", "{}",
        "\"GASLIMIT\": \"30000000\", \"difficulty\": \"0x400000000\", \"nonce\": \"0x42\","
        "\"timestamp\": 1700000000, \"extradata\": \"0x1122\", \"mixhash\": "
        "\"0x00000000000000000000000000000000000000000000000000000000000000aa\", \"coinbase\": "
        "\"0x00000000000000000000000000000000000000bB\", \"number\": \"\", \"gasUsed\": \"0x7\","
        "\"parentHash\": \"0xcc00000000000000000000000000000000000000000000000000000000000000\","
        "\"baseFeePerGas\": \"1000\", \"excessBlobGas\": null, \"blobGasUsed\": 3, \"other\": {}");
    CHECK_U64(g.spec.chain_id, 1337);
    CHECK_U64(g.header.gas_limit, 30000000);
    CHECK_U64(kl_u256_sat_u64(g.header.difficulty), 0x400000000);
    CHECK_HEX(KL_SPAN_OF(g.header.nonce), "0000000000000042");
    CHECK_U64(g.header.timestamp, 1700000000);
    CHECK_HEX(kl_span_of(g.header.extra_data, g.header.extra_len), "1122");
    CHECK_U64(g.header.mix_hash.b[31], 0xaa);
    CHECK_U64(g.header.coinbase.b[19], 0xbb);
    CHECK_U64(g.header.parent_hash.b[0], 0xcc);
    CHECK_U64(g.header.gas_used, 7);
    CHECK_U64(kl_u256_sat_u64(g.header.base_fee), 1000);
    CHECK(g.header.tail == 1 && g.header.blob_gas_used == 0);
    kl_arena_done(&arena);
}

KL_TEST(genesis_alloc_is_sorted_and_complete)
{
    kl_genesis g = good(
        "{\"chainId\":1}",
        "{\"0xBb00000000000000000000000000000000000000\":{\"balance\":\"0xde0b6b3a7640000\","
        "\"nonce\":\"0x5\",\"code\":\"0x6001\",\"storage\":{\"0x02\":\"0x0a\",\"0x01\":\"0x0\","
        "\"00000000000000000000000000000000000000000000000000000000000001ff\":\"0xb\"}},"
        "\"aa00000000000000000000000000000000000000\":{\"balance\":"
        "11579208923731619542357098500868790785326998466564056403945758400791312963993},"
        "\"0000000000000000000000000000000000000001\":{\"secretKey\":\"ignored\"}}",
        HEADER);
    CHECK_U64(g.alloc_count, 3);
    CHECK_U64(g.alloc[0].address.b[19], 1);
    CHECK(kl_u256_is_zero(g.alloc[0].balance) && g.alloc[0].code.len == 0);
    CHECK_U64(g.alloc[1].address.b[0], 0xaa);
    char decimal[KL_U256_DECIMAL_MAX];
    CHECK_U64(kl_u256_decimal(decimal, g.alloc[1].balance), 77);
    const kl_alloc *last = &g.alloc[2];
    CHECK_U64(last->address.b[0], 0xbb);
    CHECK_U64(last->nonce, 5);
    CHECK_HEX(last->code, "6001");
    CHECK_U64(last->slot_count, 2); /* the one with value 0 is none */
    CHECK_U64(last->keys[0].b[31], 2);
    CHECK_U64(kl_u256_sat_u64(last->values[0]), 10);
    CHECK(last->keys[1].b[30] == 1 && last->keys[1].b[31] == 0xff);
    CHECK_U64(kl_u256_sat_u64(last->values[1]), 11);
    kl_arena_done(&arena);
}

KL_TEST(genesis_config_keel)
{
    kl_genesis g = good("{\"chainId\":1,\"keel\":{\"engine\":\"external\",\"dev\":true,"
                        "\"baseFeeDenominator\":250,\"elasticity\":\"0x4\","
                        "\"maxBlockBytes\":8388608,\"repeatTimestamp\":true}}",
                        "{}", HEADER);
    CHECK(g.spec.engine == KL_ENGINE_EXTERNAL && g.spec.dev && g.spec.repeat_timestamp);
    CHECK(g.spec.base_fee_denominator == 250 && g.spec.elasticity == 4);
    CHECK_U64(g.spec.max_block_bytes, 8388608);
    kl_arena_done(&arena);
}

KL_TEST(genesis_config_paris)
{
    kl_genesis g = good("{\"chainId\":1," FORKS ",\"terminalTotalDifficulty\":"
                        "58750000000000000000000,\"terminalTotalDifficultyPassed\":true,"
                        "\"shanghaiTime\":9,\"bpo1Time\":null}",
                        "{}", HEADER);
    CHECK_U64(kl_u256_bits(g.spec.terminal_total_difficulty), 76);
    CHECK(g.spec.fork[KL_PARIS].by == KL_AT_NEVER);
    CHECK_U64(kl_spec_fork(&g.spec, 100, 8), KL_LONDON);
    CHECK_U64(kl_spec_fork(&g.spec, 100, 9), KL_SHANGHAI);
    g = good("{\"chainId\":1," FORKS ",\"mergeNetsplitBlock\":5,\"shanghaiTime\":9}", "{}", HEADER);
    CHECK_U64(kl_spec_fork(&g.spec, 5, 0), KL_PARIS);
    CHECK_U64(kl_spec_fork(&g.spec, 4, 0), KL_LONDON);
    g = good("{\"chainId\":1,\"clique\":{\"period\":5}," FORKS ",\"terminalTotalDifficulty\":0}",
             "{}", HEADER);
    CHECK_U64(kl_spec_fork(&g.spec, 0, 0), KL_PARIS);
    g = good("{\"chainId\":1,\"homesteadBlock\":2,\"daoForkBlock\":5,\"daoForkSupport\":true,"
             "\"eip150Block\":7}",
             "{}", HEADER);
    CHECK(g.spec.dao_fork && g.spec.dao_fork_block == 5);
    g = good("{\"chainId\":1,\"homesteadBlock\":2,\"daoForkSupport\":true}", "{}", HEADER);
    CHECK(!g.spec.dao_fork);
    /* A Constantinople without Petersburg is Petersburg. */
    g = good("{\"chainId\":1,\"homesteadBlock\":0,\"eip150Block\":0,\"eip155Block\":0,"
             "\"eip158Block\":0,\"byzantiumBlock\":0,\"constantinopleBlock\":3}",
             "{}", HEADER);
    CHECK_U64(kl_spec_fork(&g.spec, 3, 0), KL_PETERSBURG);
    CHECK_U64(kl_spec_fork(&g.spec, 2, 0), KL_BYZANTIUM);
    kl_arena_done(&arena);
}

#define PRAGUE \
    FORKS ",\"terminalTotalDifficulty\":0,\"shanghaiTime\":0,\"cancunTime\":0,\"pragueTime\":0"
#define SCHEDULE(target, max, fraction) \
    "{\"target\":" target ",\"max\":" max ",\"baseFeeUpdateFraction\":" fraction "}"

KL_TEST(genesis_blob_schedule)
{
    kl_genesis g = good(
        "{\"chainId\":1," PRAGUE ",\"osakaTime\":7,\"bpo2Time\":9,\"blobSchedule\":{"
        "\"cancun\":" SCHEDULE("1", "2", "3") ",\"prague\":" SCHEDULE(
            "\"0x0\"", "1", "\"4\"") ",\"osaka\":" SCHEDULE("5", "6", "7") ",\"amsterdam\":{}}}",
        "{}", HEADER);
    CHECK_U64(kl_spec_blobs(&g.spec, KL_CANCUN).update_fraction, 3);
    CHECK_U64(kl_spec_blobs(&g.spec, KL_PRAGUE).update_fraction, 4);
    CHECK_U64(kl_spec_blobs(&g.spec, KL_BPO2).max, 6); /* not mainnet's 21 */
    kl_arena_done(&arena);
}

/* Files with one fault each. */
static const struct {
    const char *config, *alloc, *rest;
    kl_rule rule;
    usize line;
    const char *where;
} faulty[] = {
    {"{}", "{}", HEADER, KL_RULE_GENESIS_MISSING, 2, "config.chainId"},
    {"{\"chainId\":null}", "{}", HEADER, KL_RULE_GENESIS_MISSING, 2, "config.chainId"},
    {"{\n\"chainId\":0}", "{}", HEADER, KL_RULE_GENESIS_RANGE, 3, "config.chainId"},
    {"{\"chainId\":1.5}", "{}", HEADER, KL_RULE_GENESIS_NUMBER, 2, "config.chainId"},
    {"{\"chainId\":-1}", "{}", HEADER, KL_RULE_GENESIS_NUMBER, 2, "config.chainId"},
    {"{\"chainId\":18446744073709551616}", "{}", HEADER, KL_RULE_GENESIS_NUMBER, 2,
     "config.chainId"},
    {"{\"chainId\":true}", "{}", HEADER, KL_RULE_GENESIS_KIND, 2, "config.chainId"},
    {"{\"chainId\":\"0xg\"}", "{}", HEADER, KL_RULE_HEX_DIGIT, 2, "config.chainId"},
    {"{\"chainId\":\"twelve\"}", "{}", HEADER, KL_RULE_GENESIS_NUMBER, 2, "config.chainId"},
    {"null", "{}", HEADER, KL_RULE_GENESIS_MISSING, 1, "config"},
    {"[]", "{}", HEADER, KL_RULE_GENESIS_KIND, 2, "config"},
    {"{\"chainId\":1}", "null", HEADER, KL_RULE_GENESIS_MISSING, 1, "alloc"},
    {"{\"chainId\":1}", "7", HEADER, KL_RULE_GENESIS_KIND, 3, "alloc"},
    {"{\"chainId\":1}", "{}", "\"difficulty\":1", KL_RULE_GENESIS_MISSING, 1, "gasLimit"},
    {"{\"chainId\":1}", "{}", "\"gasLimit\":1", KL_RULE_GENESIS_MISSING, 1, "difficulty"},
    {"{\"chainId\":1}", "{}",
     HEADER ",\"extraData\":\"0x"
            "000000000000000000000000000000000000000000000000000000000000000000\"",
     KL_RULE_HEADER_EXTRA_DATA, 4, "extraData"},
    {"{\"chainId\":1}", "{}", HEADER ",\"extraData\":\"00\"", KL_RULE_HEX_PREFIX, 4, "extraData"},
    {"{\"chainId\":1}", "{}", HEADER ",\"extraData\":5", KL_RULE_GENESIS_KIND, 4, "extraData"},
    {"{\"chainId\":1}", "{}", HEADER ",\"mixHash\":\"0x00\"", KL_RULE_HEX_LENGTH, 4, "mixHash"},
    {"{\"chainId\":1}", "{}", HEADER ",\"coinbase\":0", KL_RULE_GENESIS_KIND, 4, "coinbase"},
    {"{\"chainId\":1}", "{}", HEADER ",\"number\":1", KL_RULE_GENESIS_RANGE, 4, "number"},
    {"{\"chainId\":1}", "{}", HEADER ",\"baseFeePerGas\":1", KL_RULE_GENESIS_UNSUPPORTED, 4,
     "baseFeePerGas"},

    {"{\"chainId\":1,\"eip150Block\":0}", "{}", HEADER, KL_RULE_GENESIS_FORK_ORDER, 2,
     "config.eip150Block"},
    {"{\"chainId\":1,\"homesteadBlock\":5,\n\"eip150Block\":4}", "{}", HEADER,
     KL_RULE_GENESIS_FORK_ORDER, 3, "config.eip150Block"},
    {"{\"chainId\":1," FORKS ",\"terminalTotalDifficulty\":0,\"cancunTime\":1}", "{}", HEADER,
     KL_RULE_GENESIS_FORK_ORDER, 2, "config.cancunTime"},
    {"{\"chainId\":1," FORKS ",\"terminalTotalDifficulty\":0,\"shanghaiTime\":2,\n"
     "\"cancunTime\":1}",
     "{}", HEADER, KL_RULE_GENESIS_FORK_ORDER, 3, "config.cancunTime"},
    {"{\"chainId\":1," FORKS ",\"shanghaiTime\":2}", "{}", HEADER, KL_RULE_GENESIS_MISSING, 2,
     "config.terminalTotalDifficulty"},
    {"{\"chainId\":1," PRAGUE ",\"bpo1Time\":1}", "{}", HEADER, KL_RULE_GENESIS_FORK_ORDER, 2,
     "config.bpo1Time"},
    {"{\"chainId\":1,\"homesteadBlock\":0,\"eip150Block\":0,\"eip155Block\":1,"
     "\"eip158Block\":2}",
     "{}", HEADER, KL_RULE_GENESIS_FORK_ORDER, 2, "config.eip155Block"},
    {"{\"chainId\":1,\"homesteadBlock\":0,\"eip150Block\":0,\"eip158Block\":0}", "{}", HEADER,
     KL_RULE_GENESIS_FORK_ORDER, 2, "config.eip155Block"},
    {"{\"chainId\":1,\"homesteadBlock\":9,\"daoForkBlock\":5}", "{}", HEADER,
     KL_RULE_GENESIS_FORK_ORDER, 2, "config.daoForkBlock"},
    {"{\"chainId\":1,\"homesteadBlock\":1,\"daoForkBlock\":5,\"eip150Block\":4}", "{}", HEADER,
     KL_RULE_GENESIS_FORK_ORDER, 2, "config.daoForkBlock"},

    {"{\"chainId\":1," PRAGUE ",\"amsterdamTime\":5}", "{}", HEADER, KL_RULE_GENESIS_UNSUPPORTED, 2,
     "config.amsterdamTime"},
    {"{\"chainId\":1,\"verkleTime\":5}", "{}", HEADER, KL_RULE_GENESIS_UNSUPPORTED, 2,
     "config.verkleTime"},
    {"{\"chainId\":1,\"enableVerkleAtGenesis\":true}", "{}", HEADER, KL_RULE_GENESIS_UNSUPPORTED, 2,
     "config.enableVerkleAtGenesis"},
    {"{\"chainId\":1,\"clique\":{\"period\":5}}", "{}", HEADER, KL_RULE_GENESIS_UNSUPPORTED, 2,
     "config.clique"},
    {"{\"chainId\":1,\"depositContractAddress\":\"0x12\"}", "{}", HEADER, KL_RULE_HEX_LENGTH, 2,
     "config.depositContractAddress"},
    {"{\"chainId\":1,\"daoForkSupport\":1}", "{}", HEADER, KL_RULE_GENESIS_KIND, 2,
     "config.daoForkSupport"},

    {"{\"chainId\":1,\"blobSchedule\":5}", "{}", HEADER, KL_RULE_GENESIS_KIND, 2,
     "config.blobSchedule"},
    {"{\"chainId\":1," PRAGUE ",\n\"blobSchedule\":{\"cancun\":" SCHEDULE("1", "2", "3") "}}", "{}",
     HEADER, KL_RULE_GENESIS_MISSING, 3, "config.blobSchedule.prague"},
    {"{\"chainId\":1,\"blobSchedule\":{\n\"cancun\":{\"target\":1,\"max\":2}}}", "{}", HEADER,
     KL_RULE_GENESIS_MISSING, 3, "config.blobSchedule.cancun.baseFeeUpdateFraction"},
    {"{\"chainId\":1,\"blobSchedule\":{\n\"cancun\":" SCHEDULE("3", "2", "3") "}}", "{}", HEADER,
     KL_RULE_GENESIS_RANGE, 3, "config.blobSchedule.cancun"},
    {"{\"chainId\":1,\"blobSchedule\":{\"osaka\":" SCHEDULE("0", "0", "3") "}}", "{}", HEADER,
     KL_RULE_GENESIS_RANGE, 2, "config.blobSchedule.osaka"},
    {"{\"chainId\":1,\"blobSchedule\":{\"osaka\":" SCHEDULE("0", "1", "0") "}}", "{}", HEADER,
     KL_RULE_GENESIS_RANGE, 2, "config.blobSchedule.osaka"},
    {"{\"chainId\":1,\"blobSchedule\":{\"osaka\":" SCHEDULE("0", "70000", "1") "}}", "{}", HEADER,
     KL_RULE_GENESIS_RANGE, 2, "config.blobSchedule.osaka"},
    {"{\"chainId\":1,\"blobSchedule\":{\"bpo1\":[]}}", "{}", HEADER, KL_RULE_GENESIS_KIND, 2,
     "config.blobSchedule.bpo1"},

    {"{\"chainId\":1,\"keel\":1}", "{}", HEADER, KL_RULE_GENESIS_KIND, 2, "config.keel"},
    {"{\"chainId\":1,\"keel\":{\n\"engin\":1}}", "{}", HEADER, KL_RULE_GENESIS_UNKNOWN, 3,
     "config.keel.engin"},
    {"{\"chainId\":1,\"keel\":{\"engine\":\"clique\"}}", "{}", HEADER, KL_RULE_GENESIS_UNSUPPORTED,
     2, "config.keel.engine"},
    {"{\"chainId\":1,\"keel\":{\"engine\":1}}", "{}", HEADER, KL_RULE_GENESIS_KIND, 2,
     "config.keel.engine"},
    {"{\"chainId\":1,\"keel\":{\"dev\":\"yes\"}}", "{}", HEADER, KL_RULE_GENESIS_KIND, 2,
     "config.keel.dev"},
    {"{\"chainId\":1,\"keel\":{\"elasticity\":0}}", "{}", HEADER, KL_RULE_GENESIS_RANGE, 2,
     "config.keel.elasticity"},
    {"{\"chainId\":1,\"keel\":{\"maxBlockBytes\":8388609}}", "{}", HEADER, KL_RULE_GENESIS_RANGE, 2,
     "config.keel.maxBlockBytes"},
    {"{\"chainId\":1,\"keel\":{\"maxBlockBytes\":100}}", "{}", HEADER, KL_RULE_GENESIS_RANGE, 2,
     "config.keel.maxBlockBytes"},

    {"{\"chainId\":1}", "{\"0x12\":{}}", HEADER, KL_RULE_HEX_LENGTH, 3, "alloc.0x12"},
    {"{\"chainId\":1}", "{\"000000000000000000000000000000000000000g\":{}}", HEADER,
     KL_RULE_HEX_DIGIT, 3, "alloc.000000000000000000000000000000000000000g"},
    {"{\"chainId\":1}", "{\"0000000000000000000000000000000000000001\":[]}", HEADER,
     KL_RULE_GENESIS_KIND, 3, "alloc.0000000000000000000000000000000000000001"},
    {"{\"chainId\":1}",
     "{\"0000000000000000000000000000000000000001\":\n{\"balance\":\"0x1\"},\n"
     "\"0x0000000000000000000000000000000000000001\":{}}",
     HEADER, KL_RULE_GENESIS_TWICE, 5, "alloc.0x0000000000000000000000000000000000000001"},
    {"{\"chainId\":1}",
     "{\"0000000000000000000000000000000000000001\":{\"balance\":\"0x1"
     "0000000000000000000000000000000000000000000000000000000000000000\"}}",
     HEADER, KL_RULE_HEX_WIDE, 3, "alloc.0000000000000000000000000000000000000001.balance"},
    {"{\"chainId\":1}", "{\"0000000000000000000000000000000000000001\":{\"code\":\"0x1\"}}", HEADER,
     KL_RULE_HEX_LENGTH, 3, "alloc.0000000000000000000000000000000000000001.code"},
    {"{\"chainId\":1}", "{\"0000000000000000000000000000000000000001\":{\"storage\":[]}}", HEADER,
     KL_RULE_GENESIS_KIND, 3, "alloc.0000000000000000000000000000000000000001.storage"},
    {"{\"chainId\":1}",
     "{\"0000000000000000000000000000000000000001\":{\"storage\":{\n\"0x1\":5}}}", HEADER,
     KL_RULE_GENESIS_KIND, 4, "alloc.0000000000000000000000000000000000000001.storage"},
    {"{\"chainId\":1}",
     "{\"0000000000000000000000000000000000000001\":{\"storage\":{\n\"\":\"0x1\"}}}", HEADER,
     KL_RULE_HEX_LENGTH, 4, "alloc.0000000000000000000000000000000000000001.storage"},
    {"{\"chainId\":1}",
     "{\"0000000000000000000000000000000000000001\":{\"storage\":{\"0x1\":\"0xz\"}}}", HEADER,
     KL_RULE_HEX_DIGIT, 3, "alloc.0000000000000000000000000000000000000001.storage"},
    {"{\"chainId\":1}",
     "{\"0000000000000000000000000000000000000001\":{\"storage\":{\"0x1\":\"0x1\",\n"
     "\"0x01\":\"0x2\"}}}",
     HEADER, KL_RULE_GENESIS_TWICE, 4, "alloc.0000000000000000000000000000000000000001.storage"},

    {"{\"chainId\":1", "{}", HEADER, KL_RULE_JSON_SYNTAX, 5, ""},
    {"{\"chainId\":01}", "{}", HEADER, KL_RULE_JSON_SYNTAX, 2, ""},
};

/* What is wrong with a file is said with its rule, its line and its place. */
KL_TEST(genesis_faults_say_what_and_where)
{
    for (usize i = 0; i < KL_COUNT_OF(faulty); i++) {
        kl_genesis g;
        kl_file_fault fault;
        kl_rule rule = parse(&g, faulty[i].config, faulty[i].alloc, faulty[i].rest, &fault);
        if (rule != faulty[i].rule || fault.line != faulty[i].line ||
            strcmp(fault.where, faulty[i].where) != 0)
            kl_test_fail(__FILE__, __LINE__,
                         "case %zu: %s, line %zu, at %s; not %s, line %zu, at %s", i,
                         kl_rule_name(rule), fault.line, fault.where, kl_rule_name(faulty[i].rule),
                         faulty[i].line, faulty[i].where);
    }
    kl_arena_done(&arena);
}

/* Property: with forks set at random, a file is good exactly when no fork is missing before a later
 * one or comes before an earlier one. */
KL_TEST(genesis_forks_in_order_or_refused)
{
    static const bool may_lack[KL_FORK_COUNT] = {
        [KL_MUIR_GLACIER] = true, [KL_ARROW_GLACIER] = true, [KL_GRAY_GLACIER] = true,
        [KL_PARIS] = true,        [KL_BPO1] = true,          [KL_BPO2] = true,
        [KL_BPO3] = true,         [KL_BPO4] = true,          [KL_BPO5] = true,
    };
    unsigned good_ones = 0;
    for (int round = 0; round < 3000; round++) {
        char config[2048];
        int len = snprintf(config, sizeof config, "{\"chainId\":1,\"terminalTotalDifficulty\":99");
        bool set[KL_FORK_COUNT] = {[0] = true}, order = true;
        u64 at[KL_FORK_COUNT] = {0}, step = 5;
        usize last = kl_rand_below(seed, KL_FORK_COUNT);
        for (usize i = 1; i <= last; i++) {
            set[i] = i != KL_PARIS && kl_rand_below(seed, may_lack[i] ? 2 : 60) != 0;
            step += kl_rand_below(seed, 3) - (kl_rand_below(seed, 40) == 0);
            at[i] = step;
            if (!set[i])
                continue;
            unsigned long long v = at[i];
            len += snprintf(config + len, sizeof config - (usize)len, ",\"%s\":%llu",
                            kl_fork_config_key((kl_fork)i), v);
            if (i == KL_SPURIOUS)
                len +=
                    snprintf(config + len, sizeof config - (usize)len, ",\"eip155Block\":%llu", v);
        }
        for (usize j = 1; j <= last; j++)
            for (usize i = 1; set[j] && i < j; i++) {
                bool same_kind = (i >= KL_SHANGHAI) == (j >= KL_SHANGHAI);
                order &= set[i] || may_lack[i];
                order &= !set[i] || !same_kind || at[i] <= at[j];
            }
        snprintf(config + len, sizeof config - (usize)len, "}");
        kl_genesis g;
        kl_file_fault fault;
        kl_rule rule = parse(&g, config, "{}", HEADER, &fault);
        CHECK(rule == KL_RULE_NONE || rule == KL_RULE_GENESIS_FORK_ORDER);
        CHECK((rule == KL_RULE_NONE) == order);
        good_ones += order;
    }
    CHECK(good_ones > 300 && good_ones < 2900);
    kl_arena_done(&arena);
}

KL_TEST(genesis_out_of_memory_is_a_status)
{
    static const char text[] =
        "{\"config\":{\"chainId\":1},\"gasLimit\":1,\"difficulty\":1,\"extraData\":\"0x11\","
        "\"alloc\":{"
        "\"0000000000000000000000000000000000000001\":{\"code\":\"0x00112233\",\"storage\":{"
        "\"0x01\":\"0x02\",\"0x02\":\"0x03\"}}}}";
    bool was_enough = false;
    for (usize limit = 0; limit < 60000; limit += 64) {
        struct kl_arena small;
        kl_genesis g;
        kl_file_fault fault;
        kl_arena_init(&small, limit);
        kl_status status = kl_genesis_parse(&g, KL_SPAN_TEXT(text), &small, &fault);
        CHECK(status == KL_NOMEM ? !was_enough : status == KL_OK && fault.rule == KL_RULE_NONE);
        was_enough = status == KL_OK;
        kl_arena_done(&small);
    }
    CHECK(was_enough);
}

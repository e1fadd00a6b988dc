#include "node/dev_genesis.h"

#include <stdio.h>

#include "base/test.h"
#include "codec/json.h"
#include "crypto/crypto.h"

static kl_address accounts[2] = {{.b = {1}}, {.b = {2}}};

static kl_dev_genesis genesis_of(kl_fork fork)
{
    return (kl_dev_genesis){
        .chain_id = 31337,
        .fork = fork,
        .timestamp = 1700000000,
        .gas_limit = 30000000,
        .base_fee = 1000000000,
        .accounts = accounts,
        .account_count = 2,
        .balance = kl_u256_of(77),
    };
}

static void parse(kl_genesis *out, const kl_dev_genesis *dev, struct kl_buf *text,
                  struct kl_arena *arena)
{
    kl_file_fault fault;
    kl_buf_clear(text);
    CHECK_OK(kl_dev_genesis_write(text, dev));
    CHECK_OK(kl_genesis_parse(out, kl_buf_view(text), arena, &fault));
    if (fault.rule != KL_RULE_NONE)
        kl_test_fail(__FILE__, __LINE__, "%zu: %s: %s", fault.line, fault.where,
                     kl_rule_name(fault.rule));
}

static const kl_alloc *find(const kl_genesis *genesis, const kl_address *address)
{
    for (usize i = 0; i < genesis->alloc_count; i++)
        if (kl_address_eq(&genesis->alloc[i].address, address))
            return &genesis->alloc[i];
    return NULL;
}

KL_TEST(dev_genesis_is_a_good_genesis_for_every_fork)
{
    struct kl_arena arena;
    struct kl_buf text;
    kl_arena_init(&arena, 1 << 24);
    kl_buf_init(&text, 1 << 20);
    for (usize fork = 0; fork < KL_FORK_COUNT; fork++) {
        kl_genesis genesis;
        kl_dev_genesis dev = genesis_of((kl_fork)fork);
        parse(&genesis, &dev, &text, &arena);
        CHECK_U64(kl_spec_fork(&genesis.spec, 0, 1700000000), fork);
        CHECK(genesis.spec.dev && genesis.spec.engine == KL_ENGINE_SOLO);
        CHECK_U64(genesis.spec.chain_id, 31337);
        CHECK_U64(genesis.header.gas_limit, 30000000);
        CHECK(!kl_genesis_lacks(&genesis));
        for (usize i = 0; i < 2; i++) {
            const kl_alloc *alloc = find(&genesis, &accounts[i]);
            CHECK(alloc && kl_u256_eq(alloc->balance, kl_u256_of(77)));
        }
        usize contracts = 1u + (fork >= KL_CANCUN ? 1u : 0u) + (fork >= KL_PRAGUE ? 3u : 0u);
        CHECK_U64(genesis.alloc_count, 2 + contracts);
        u64 timestamp = 0;
        CHECK(kl_dev_genesis_timestamp(&timestamp, kl_buf_view(&text)) && timestamp == 1700000000);
    }
    kl_buf_done(&text);
    kl_arena_done(&arena);
}

/* The contracts' code, as a file of Ethereum's own tests has it. */
KL_TEST(dev_genesis_has_the_official_system_contracts)
{
    char path[512];
    struct kl_arena arena;
    struct kl_buf text;
    kl_genesis ours, official;
    kl_file_fault fault;
    kl_dev_genesis dev = genesis_of(KL_OSAKA);
    snprintf(path, sizeof path, "%s/execution-apis/tests/genesis.json", kl_test_fixtures());
    kl_arena_init(&arena, 1 << 26);
    kl_buf_init(&text, 1 << 20);
    parse(&ours, &dev, &text, &arena);
    CHECK_OK(kl_genesis_parse(&official, kl_test_file(path), &arena, &fault));
    CHECK_RULE(fault.rule, KL_RULE_NONE);
    usize same = 0;
    for (usize i = 0; i < ours.alloc_count; i++) {
        const kl_alloc *theirs = find(&official, &ours.alloc[i].address);
        if (!theirs)
            continue;
        CHECK_SPAN(ours.alloc[i].code, theirs->code);
        CHECK_U64(ours.alloc[i].nonce, 1);
        same++;
    }
    CHECK_U64(same, 4);
    kl_buf_done(&text);
    kl_arena_done(&arena);
}

/* The code that the deployer has on every public chain. */
KL_TEST(dev_genesis_has_the_deployer_by_create2)
{
    struct kl_arena arena;
    struct kl_buf text;
    kl_genesis genesis;
    kl_address deployer;
    kl_dev_genesis dev = genesis_of(KL_BYZANTIUM);
    kl_arena_init(&arena, 1 << 24);
    kl_buf_init(&text, 1 << 20);
    parse(&genesis, &dev, &text, &arena);
    memcpy(deployer.b, kl_test_hex("4e59b44847b379578588920cA78FbF26c0B4956C").p, 20);
    const kl_alloc *alloc = find(&genesis, &deployer);
    CHECK(alloc != NULL);
    CHECK_HEX(alloc->code, "7fffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffe0"
                           "3601600081602082378035828234f58015156039578182fd5b808252505050601460"
                           "0cf3");
    kl_buf_done(&text);
    kl_arena_done(&arena);
}

KL_TEST(dev_genesis_texts_are_compared_by_line)
{
    kl_span a, b;
    kl_span one = KL_SPAN_TEXT("{\n  \"x\": 1,\n  \"y\": 2\n}\n");
    kl_span two = KL_SPAN_TEXT("{\n  \"x\": 1,\n  \"y\": 3,\n  \"z\": 4\n}\n");
    CHECK(!kl_dev_genesis_differ(one, one, &a, &b));
    CHECK(kl_dev_genesis_differ(one, two, &a, &b));
    CHECK_SPAN(a, KL_SPAN_TEXT("\"y\": 2"));
    CHECK_SPAN(b, KL_SPAN_TEXT("\"y\": 3"));
    CHECK(kl_dev_genesis_differ(KL_SPAN_NONE, one, &a, &b) && a.len == 0);
}

KL_TEST(genesis_without_a_needed_contract_lacks_it)
{
    static const char form[] =
        "{\"config\":{\"chainId\":7,\"homesteadBlock\":0,\"eip150Block\":0,\"eip155Block\":0,"
        "\"eip158Block\":0,\"byzantiumBlock\":0,\"constantinopleBlock\":0,\"petersburgBlock\":0,"
        "\"istanbulBlock\":0,\"berlinBlock\":0,\"londonBlock\":0,\"terminalTotalDifficulty\":0,"
        "\"shanghaiTime\":0,\"cancunTime\":0,\"pragueTime\":%d},\"timestamp\":\"0x5\","
        "\"gasLimit\":\"0x1c9c380\",\"difficulty\":\"0x0\",\"alloc\":{"
        "\"0x00000961ef480eb55e80d19ad83579a64c007002\":{\"code\":\"0x00\"}%s}}";
    static const struct {
        int prague;
        const char *more, *lacks;
    } rows[] = {
        {0, "", "0000bbddc7ce488642fb579f8b00f3a590007251"},
        {6, "", NULL}, /* somebody may deploy it in time */
        {0, ",\"0x0000bbddc7ce488642fb579f8b00f3a590007251\":{\"code\":\"0x00\"}", NULL},
        {0, ",\"0x0000bbddc7ce488642fb579f8b00f3a590007251\":{\"balance\":\"1\"}",
         "0000bbddc7ce488642fb579f8b00f3a590007251"},
    };
    struct kl_arena arena;
    kl_arena_init(&arena, 1 << 24);
    for (usize i = 0; i < KL_COUNT_OF(rows); i++) {
        char text[1024];
        kl_genesis genesis;
        kl_file_fault fault;
        int len = snprintf(text, sizeof text, form, rows[i].prague, rows[i].more);
        CHECK_OK(kl_genesis_parse(&genesis, kl_span_of(text, (usize)len), &arena, &fault));
        CHECK_RULE(fault.rule, KL_RULE_NONE);
        const char *lacks = kl_genesis_lacks(&genesis);
        CHECK(lacks ? rows[i].lacks && strcmp(lacks, rows[i].lacks) == 0 : !rows[i].lacks);
    }
    kl_arena_done(&arena);
}

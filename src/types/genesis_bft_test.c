/* config.keel.bft: every member, its default, its bounds, and what it excludes. */
#include <stdio.h>

#include "base/test.h"
#include "types/genesis.h"

static struct kl_arena arena;

#define FORKS                                                                                   \
    "\"homesteadBlock\":0,\"eip150Block\":0,\"eip155Block\":0,\"eip158Block\":0,"               \
    "\"byzantiumBlock\":0,\"constantinopleBlock\":0,\"petersburgBlock\":0,\"istanbulBlock\":0," \
    "\"berlinBlock\":0,\"londonBlock\":0,\"terminalTotalDifficulty\":0,\"shanghaiTime\":0"
#define NEWEST FORKS ",\"cancunTime\":0"

/* A file whose config has the forks (or others) and config.keel; a line each. */
static kl_rule parse(kl_genesis *out, const char *forks, const char *keel, const char *rest,
                     kl_file_fault *fault)
{
    static char text[1 << 16];
    int len = snprintf(text, sizeof text,
                       "{\"config\":{\"chainId\":7,%s,\n\"keel\":%s},\n\"alloc\":{},"
                       "\"gasLimit\":30000000%s}\n",
                       forks, keel, rest);
    CHECK(len > 0 && (usize)len < sizeof text);
    kl_arena_reset(&arena, 1 << 20);
    arena.limit = 1 << 28;
    CHECK_OK(kl_genesis_parse(out, kl_span_of(text, (usize)len), &arena, fault));
    return fault->rule;
}

/* A hex string of len bytes, all of them `byte`, quoted. */
static const char *hex(u8 byte, usize len)
{
    static char room[32][260];
    static unsigned turn;
    char *out = room[turn++ % 32];
    out[0] = '"', out[1] = '0', out[2] = 'x';
    for (usize i = 0; i < len; i++)
        snprintf(out + 3 + 2 * i, 3, "%02x", byte);
    memcpy(out + 3 + 2 * len, "\"", 2);
    return out;
}

/* A validator with keys of these lengths; proof and randao_proof of 0 bytes are left out. */
static const char *validator(u8 byte, usize key, usize proof, usize randao_proof)
{
    static char room[4][1024];
    static unsigned turn;
    char *out = room[turn++ % 4];
    int len = snprintf(out, sizeof room[0], "{\"operator\":%s,\"key\":%s,\"randaoKey\":%s",
                       hex(byte, 20), hex(byte, key), hex(byte, 48));
    if (proof)
        len += snprintf(out + len, sizeof room[0] - (usize)len, ",\"proof\":%s", hex(byte, proof));
    if (randao_proof)
        len += snprintf(out + len, sizeof room[0] - (usize)len, ",\"randaoProof\":%s",
                        hex(byte, randao_proof));
    snprintf(out + len, sizeof room[0] - (usize)len, "}");
    return out;
}

static kl_rule parse_bft(kl_genesis *out, const char *bft, kl_file_fault *fault)
{
    static char keel[1 << 15];
    snprintf(keel, sizeof keel, "{\"engine\":\"simplex\",\"bft\":%s}", bft);
    return parse(out, NEWEST, keel, "", fault);
}

KL_TEST(genesis_bft_members_and_defaults)
{
    static const struct {
        const char *name;
        u8 id;
        usize key, proof, randao_proof;
    } schemes[] = {
        {"secp256k1", 1, 20, 0, 96}, {"bls12-381", 2, 48, 96, 96}, {"keyed-hash", 255, 32, 0, 0}};
    for (usize i = 0; i < KL_COUNT_OF(schemes); i++) {
        char bft[4096];
        kl_genesis g;
        kl_file_fault fault;
        snprintf(bft, sizeof bft,
                 "{\"validators\":[%s,%s],\"scheme\":\"%s\",\"epochBlocks\":\"0x8\","
                 "\"blockPeriodMs\":50,\"emptyPeriodMs\":0,\"deltaMs\":100,\"policy\":%s}",
                 validator(0x11, schemes[i].key, schemes[i].proof, schemes[i].randao_proof),
                 validator(0x22, schemes[i].key, schemes[i].proof, schemes[i].randao_proof),
                 schemes[i].name, hex(0x4b, 20));
        CHECK_RULE(parse_bft(&g, bft, &fault), KL_RULE_NONE);
        const kl_bft_spec *spec = &g.spec.bft;
        CHECK(g.spec.engine == KL_ENGINE_SIMPLEX && g.spec.repeat_timestamp && !g.spec.dev);
        CHECK(spec->scheme == schemes[i].id && spec->epoch_blocks == 8);
        CHECK(spec->block_period_ms == 50 && spec->empty_period_ms == 0 && spec->delta_ms == 100);
        CHECK(spec->policy.b[0] == 0x4b && spec->policy.b[19] == 0x4b);
        CHECK_U64(g.validator_count, 2);
        const kl_genesis_validator *v = &g.validators[1];
        CHECK(v->operator.b[19] == 0x22 && v->key.len == schemes[i].key && v->key.p[0] == 0x22);
        CHECK(v->proof.len == schemes[i].proof && v->randao_key.len == 48);
        CHECK(v->randao_proof.len == schemes[i].randao_proof && v->weight == 1);
        CHECK_U64(v->line, 2);
    }
    char bft[2048];
    kl_genesis g;
    kl_file_fault fault;
    snprintf(bft, sizeof bft, "{\"validators\":[%s]}", validator(1, 20, 0, 96));
    CHECK_RULE(parse_bft(&g, bft, &fault), KL_RULE_NONE);
    const kl_bft_spec *spec = &g.spec.bft;
    CHECK(spec->scheme == 1 && spec->epoch_blocks == 32 && spec->block_period_ms == 200);
    CHECK(spec->empty_period_ms == 10000 && spec->delta_ms == 500);
    CHECK(kl_address_is_zero(&spec->policy));
    kl_arena_done(&arena);
}

static void check_fault(const char *bft, kl_rule rule, const char *where)
{
    kl_genesis g;
    kl_file_fault fault;
    CHECK_RULE(parse_bft(&g, bft, &fault), rule);
    if (strcmp(fault.where, where) != 0 || fault.line != 2)
        kl_test_fail(__FILE__, __LINE__, "%s, line %zu; not %s", fault.where, fault.line, where);
}

/* One validator with another text in place of a member's. */
static void check_member(const char *member, const char *value, kl_rule rule, const char *where)
{
    char bft[2048];
    snprintf(bft, sizeof bft, "{\"%s\":%s,\"validators\":[%s]}", member, value,
             validator(1, 20, 0, 96));
    check_fault(bft, rule, where);
}

KL_TEST(genesis_bft_bounds)
{
    char bft[4096];
    check_fault("{}", KL_RULE_GENESIS_MISSING, "config.keel.bft.validators");
    check_fault("[]", KL_RULE_GENESIS_KIND, "config.keel.bft");
    check_fault("{\"validators\":[]}", KL_RULE_GENESIS_RANGE, "config.keel.bft.validators");
    check_fault("{\"validators\":{}}", KL_RULE_GENESIS_KIND, "config.keel.bft.validators");
    check_fault("{\"validators\":[5]}", KL_RULE_GENESIS_KIND, "config.keel.bft.validators.0");
    check_member("scheme", "\"ed25519\"", KL_RULE_GENESIS_UNSUPPORTED, "config.keel.bft.scheme");
    check_member("scheme", "1", KL_RULE_GENESIS_KIND, "config.keel.bft.scheme");
    check_member("epochBlocks", "0", KL_RULE_GENESIS_RANGE, "config.keel.bft.epochBlocks");
    check_member("epochBlocks", "4294967297", KL_RULE_GENESIS_RANGE, "config.keel.bft.epochBlocks");
    check_member("blockPeriodMs", "0", KL_RULE_GENESIS_RANGE, "config.keel.bft.blockPeriodMs");
    check_member("emptyPeriodMs", "86400001", KL_RULE_GENESIS_RANGE,
                 "config.keel.bft.emptyPeriodMs");
    check_member("deltaMs", "10001", KL_RULE_GENESIS_RANGE, "config.keel.bft.deltaMs");
    check_member("deltaMs", "0", KL_RULE_GENESIS_RANGE, "config.keel.bft.deltaMs");
    check_member("policy", "\"0x00\"", KL_RULE_HEX_LENGTH, "config.keel.bft.policy");
    check_member("epoch", "1", KL_RULE_GENESIS_UNKNOWN, "config.keel.bft.epoch");
    static const struct {
        usize key, proof, randao_proof;
        kl_rule rule;
        const char *where;
    } lens[] = {
        {19, 0, 96, KL_RULE_HEX_LENGTH, "config.keel.bft.validators.1.key"},
        {20, 96, 96, KL_RULE_HEX_LENGTH, "config.keel.bft.validators.1.proof"},
        {20, 0, 0, KL_RULE_GENESIS_MISSING, "config.keel.bft.validators.1.randaoProof"},
        {20, 0, 95, KL_RULE_HEX_LENGTH, "config.keel.bft.validators.1.randaoProof"},
    };
    for (usize i = 0; i < KL_COUNT_OF(lens); i++) {
        snprintf(bft, sizeof bft, "{\"validators\":[%s,%s]}", validator(1, 20, 0, 96),
                 validator(2, lens[i].key, lens[i].proof, lens[i].randao_proof));
        check_fault(bft, lens[i].rule, lens[i].where);
    }
    snprintf(bft, sizeof bft,
             "{\"validators\":[{\"operator\":%s,\"key\":%s,\"randaoKey\":%s,"
             "\"randaoProof\":%s,\"weight\":0}]}",
             hex(1, 20), hex(1, 20), hex(1, 48), hex(1, 96));
    check_fault(bft, KL_RULE_GENESIS_RANGE, "config.keel.bft.validators.0.weight");
    kl_arena_done(&arena);
}

static void check_file(const char *forks, const char *keel, const char *rest, kl_rule rule,
                       const char *where)
{
    kl_genesis g;
    kl_file_fault fault;
    CHECK_RULE(parse(&g, forks, keel, rest, &fault), rule);
    if (strcmp(fault.where, where) != 0)
        kl_test_fail(__FILE__, __LINE__, "%s, not %s", fault.where, where);
}

KL_TEST(genesis_bft_excludes)
{
    char bft[2048], keel[4096];
    snprintf(bft, sizeof bft, "{\"validators\":[%s]}", validator(1, 20, 0, 96));
    check_file(NEWEST, "{\"engine\":\"simplex\"}", "", KL_RULE_GENESIS_MISSING, "config.keel.bft");
    snprintf(keel, sizeof keel, "{\"bft\":%s}", bft);
    check_file(NEWEST, keel, "", KL_RULE_GENESIS_EXCLUDES, "config.keel.bft");
    snprintf(keel, sizeof keel, "{\"engine\":\"simplex\",\"dev\":true,\"bft\":%s}", bft);
    check_file(NEWEST, keel, "", KL_RULE_GENESIS_EXCLUDES, "config.keel.dev");
    snprintf(keel, sizeof keel, "{\"engine\":\"simplex\",\"bft\":%s}", bft);
    check_file(NEWEST, keel, ",\"timestamp\":5", KL_RULE_NONE, "");
    check_file(FORKS, keel, "", KL_RULE_GENESIS_EXCLUDES, "config.cancunTime");
    check_file(FORKS ",\"cancunTime\":9", keel, "", KL_RULE_GENESIS_EXCLUDES, "config.cancunTime");
    check_file(NEWEST ",\"daoForkBlock\":0,\"daoForkSupport\":true", keel, "",
               KL_RULE_GENESIS_EXCLUDES, "config.daoForkBlock");
    check_file(NEWEST, keel, ",\"timestamp\":18446744073709552", KL_RULE_GENESIS_RANGE,
               "timestamp");
    check_file(NEWEST, keel, ",\"extraData\":\"0x00\"", KL_RULE_CONSENSUS_HASH, "extraData");
    kl_arena_done(&arena);
}

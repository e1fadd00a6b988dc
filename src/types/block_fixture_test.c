/* Blocks of the official fixtures: those that belong to a chain decode, have the hash they should
 * have, and write back to the same bytes; of the others, what does not decode breaks a rule that
 * the fixture names. */
#include "crypto/keccak.h"
#include "types/block.h"
#include "types/fixture_test.h"

struct tally {
    struct kl_arena arena;
    unsigned good, bad, later; /* decoded; refused; refused by rules that come after decoding */
    unsigned txs, recovered;
};

/* "Frontier" … "Osaka", or "ShanghaiToCancunAtTime15k": the newest fork of the network, whose rules
 * of form hold for the older ones too in these fixtures. */
static kl_fork network_fork(kl_span name)
{
    kl_fork fork;
    char text[64] = {0};
    CHECK(name.len < sizeof text);
    memcpy(text, name.p, name.len);
    char *to = strstr(text, "To");
    if (to) {
        *to = 0;
        *strstr(to + 1, "At") = 0;
        if (kl_fork_from_name(&fork, kl_span_str(to + 2)))
            return fork;
    }
    if (!kl_fork_from_name(&fork, kl_span_str(text)))
        kl_test_fail(__FILE__, __LINE__, "unknown network %s", text);
    return fork;
}

static void check_block(struct tally *t, const kl_block *block, kl_span rlp, kl_fork fork)
{
    kl_out out = kl_out_of(KL_TAKE(&t->arena, u8, rlp.len), rlp.len);
    kl_block_encode(&out, block);
    CHECK_SPAN(kl_out_done(&out), rlp);
    kl_hash hash = kl_header_hash(&block->header);
    CHECK(kl_hash_eq(&hash, &block->hash));
    hash = kl_ommers_hash(block->ommers, block->ommer_count);
    for (usize i = 0; i < block->tx_count; i++) {
        kl_hash tx_hash = kl_keccak256(block->txs[i].raw);
        CHECK(kl_hash_eq(&tx_hash, &block->txs[i].hash));
        t->txs++;
        if (t->txs % 16 == 0) /* it is slow */
            t->recovered += kl_tx_recover(&block->txs[i], fork) == KL_RULE_NONE;
    }
}

static void one_block(struct tally *t, const struct kl_json *json, kl_json_ref block_ref,
                      const kl_spec *spec, kl_fork fork)
{
    kl_json_ref header = kl_json_member(json, block_ref, "blockHeader");
    kl_json_ref rlp_ref = kl_json_member(json, block_ref, "rlp");
    kl_span names = KL_SPAN_NONE;
    for (kl_json_ref name = kl_json_first(json, block_ref); name != KL_JSON_NONE;
         name = kl_json_after(json, block_ref, kl_json_value(name))) {
        kl_span text = kl_json_raw(json, name);
        if (text.len >= 15 && memcmp(text.p, "expectException", 15) == 0)
            names = kl_json_raw(json, kl_json_value(name));
    }
    kl_span rlp = fixture_data(json, rlp_ref, &t->arena);
    kl_block block;
    kl_rule broken;
    CHECK_OK(kl_block_decode(&block, rlp, spec, &t->arena, &broken));
    if (broken == KL_RULE_NONE) {
        check_block(t, &block, rlp, fork);
        *(header == KL_JSON_NONE ? &t->later : &t->good) += 1;
        if (header != KL_JSON_NONE)
            CHECK_SPAN(kl_hash_span(&block.hash),
                       fixture_data(json, kl_json_member(json, header, "hash"), &t->arena));
        return;
    }
    CHECK(header == KL_JSON_NONE);
    if (names.len && !fixture_names_meet(names, kl_rule_fixture(broken)))
        kl_test_fail(__FILE__, __LINE__, "%s, not %.*s", kl_rule_name(broken), (int)names.len,
                     (const char *)names.p);
    t->bad++;
}

static void file(void *ctx, const char *path, kl_span text)
{
    struct tally *t = ctx;
    kl_arena_reset(&t->arena, 1 << 24);
    struct kl_json json = fixture_json(text, &t->arena);
    for (kl_json_ref test = kl_json_first(&json, 0); test != KL_JSON_NONE;
         test = kl_json_after(&json, 0, kl_json_value(test))) {
        kl_json_ref body = kl_json_value(test), blocks = kl_json_member(&json, body, "blocks");
        kl_fork fork = network_fork(kl_json_raw(&json, kl_json_member(&json, body, "network")));
        kl_spec spec;
        kl_spec_init(&spec, fork);
        for (kl_json_ref block = kl_json_first(&json, blocks); block != KL_JSON_NONE;
             block = kl_json_after(&json, blocks, block)) {
            kl_arena_mark mark = kl_arena_here(&t->arena);
            one_block(t, &json, block, &spec, fork);
            kl_arena_rewind(&t->arena, mark);
        }
    }
    (void)path;
}

KL_TEST(block_official_fixtures)
{
    static const char *const folders[] = {
        "BlockchainTests/ValidBlocks",     "BlockchainTests/InvalidBlocks",
        "BlockchainTests/TransitionTests", "legacy/Constantinople/BlockchainTests",
        "eest-filled/blockchain_tests",
    };
    struct tally t = {0};
    kl_arena_init(&t.arena, 1 << 30);
    for (usize i = 0; i < KL_COUNT_OF(folders); i++)
        CHECK(kl_test_files(fixture_path(folders[i]), ".json", file, &t) > 0);
    CHECK_U64(t.good, 9327);
    CHECK_U64(t.bad, 62);
    CHECK_U64(t.recovered, t.txs / 16);
    kl_arena_done(&t.arena);
}

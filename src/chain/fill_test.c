/* A chain that takes records and state from another is the same as one that executed. */
#include "base/test.h"
#include "chain/fill_world_priv.h"
#include "store/kv_twin.h"
#include "store/memkv.h"

enum { BLOCKS = 47, EPOCH = 10 };

static struct bft_world peer, own;

static void begin(u8 scheme)
{
    bft_world_init(&peer, scheme, 4, EPOCH);
    bft_world_begin(&peer);
    bft_world_grow(&peer, BLOCKS);
    bft_world_flush(&peer);
    bft_world_init(&own, scheme, 4, EPOCH);
    bft_world_begin(&own); /* makes the ledger's first record */
    kl_chain_close(own.chain);
    own.chain = NULL;
}

static void end(void)
{
    bft_world_done(&peer);
    bft_world_done(&own);
}

/* All but what version it is. */
static void check_tables(void)
{
    kl_kv_twin_same(peer.kv, own.kv, KL_TABLE_META + 1, KL_TABLE_COUNT);
}

/* The chain opens where filling ended, and goes on with the next blocks as its peer does. */
static void check_chain(void)
{
    kl_verify_result result;
    CHECK_OK(bft_world_try_open(&own, true));
    CHECK_U64(own.report.replayed, 0);
    check_tables();
    for (int i = 0; i < 8; i++)
        fill_world_grow(&own, &peer);
    bft_world_flush(&own);
    bft_world_flush(&peer);
    check_tables();
    bft_world_verify(&own, &result);
    CHECK(result.good);
    CHECK_U64(result.head.number, BLOCKS + 8);
}

static void fill_whole(u8 scheme, u64 *seed)
{
    begin(scheme);
    struct kl_reader *reader;
    struct kl_fill *fill = fill_world_open(&own, 0);
    kl_chain_report report;
    bool good;
    CHECK_OK(kl_reader_open(peer.chain, &reader));
    for (u64 number = 1; number <= BLOCKS; number++) {
        CHECK_RULE(fill_world_take(&own, fill, reader, number), KL_RULE_NONE);
        if (kl_rand_below(seed, 4))
            continue;
        CHECK_OK(kl_fill_keep(fill, KL_SPAN_TEXT("note")));
        kl_fill_close(fill); /* a restart, at any block */
        kl_chain_config config = fill_world_config(&own);
        CHECK(kl_chain_open(&own.chain, &config, NULL, &report) == KL_CORRUPT);
        own.chain = NULL;
        fill = fill_world_open(&own, 4);
        kl_fill_head head;
        kl_fill_head_of(fill, &head);
        CHECK_U64(head.height, number);
    }
    CHECK_OK(kl_fill_end(fill, &good));
    CHECK(!good); /* there is no state yet */
    fill_world_state(&own, fill, kl_reader_view(reader));
    CHECK_OK(kl_fill_end(fill, &good));
    CHECK(good);
    kl_fill_close(fill);
    kl_reader_close(reader);
    check_chain();
    end();
}

KL_TEST(fill_is_as_good_as_executing)
{
    for (usize i = 0; i < KL_COUNT_OF(bft_world_schemes); i++)
        fill_whole(bft_world_schemes[i], seed);
}

/* A database that was left half full is deleted, and the ledger executes. */
KL_TEST(fill_that_is_given_up_leaves_a_ledger)
{
    begin(KL_SCHEME_KEYED_HASH);
    struct kl_reader *reader;
    struct kl_fill *fill = fill_world_open(&own, 0);
    CHECK_OK(kl_reader_open(peer.chain, &reader));
    for (u64 number = 1; number <= BLOCKS; number++)
        CHECK_RULE(fill_world_take(&own, fill, reader, number), KL_RULE_NONE);
    CHECK_OK(kl_fill_keep(fill, KL_SPAN_NONE));
    kl_fill_close(fill);
    kl_reader_close(reader);
    kl_kv_close(own.kv);
    CHECK_OK(kl_memkv_open(&own.kv, KL_TABLE_COUNT));
    CHECK_OK(bft_world_try_open(&own, true));
    CHECK_U64(own.report.replayed, BLOCKS + 1);
    bft_world_flush(&own);
    check_tables();
    end();
}

/* One byte of a record is another: nothing is taken. */
KL_TEST(fill_takes_no_record_that_lies)
{
    begin(KL_SCHEME_KEYED_HASH);
    struct kl_reader *reader;
    struct kl_fill *fill = fill_world_open(&own, 0);
    kl_rule broken;
    CHECK_OK(kl_reader_open(peer.chain, &reader));
    CHECK(fill_world_take(&own, fill, reader, 2) != KL_RULE_NONE);
    for (u64 number = 1; number <= BLOCKS; number++) {
        kl_span record, finalization;
        CHECK_OK(kl_reader_record(reader, number, &own.arena, &record, &finalization));
        for (int i = 0; i < 20; i++) {
            u8 *bytes = KL_TAKE(&own.arena, u8, record.len);
            CHECK(bytes);
            memcpy(bytes, record.p, record.len);
            bytes[kl_rand_below(seed, record.len)] ^= (u8)(1 << kl_rand_below(seed, 8));
            CHECK_OK(kl_fill_take(fill, kl_span_of(bytes, record.len), finalization, &broken));
            CHECK(broken != KL_RULE_NONE);
        }
        CHECK_RULE(fill_world_take(&own, fill, reader, number), KL_RULE_NONE);
    }
    kl_fill_close(fill);
    kl_reader_close(reader);
    end();
}

/* Large blocks are opened once for all readers, and are what the ledger says. */
#include "base/test.h"
#include "chain/block_cache_priv.h"
#include "chain/chain_world_priv.h"

/* A block of two transactions, the first with so many bytes of data. */
static u64 block_of(struct world *w, usize len)
{
    static u8 data[40 << 10];
    kl_address to = {{0x31}};
    KL_ASSERT(len <= sizeof data);
    memset(data, 0, sizeof data); /* 10 gas a byte [EIP-7623] */
    const kl_tx fields = {.type = KL_TX_DYNAMIC_FEE,
                          .has_to = true,
                          .gas_limit = 2000000,
                          .max_fee = kl_u256_of(100000000000),
                          .to = to,
                          .data = kl_span_of(data, len)};
    const kl_tx *txs[] = {world_sign(w, 0, &fields), world_tx(w, 1, &to, 5, KL_SPAN_NONE)};
    return world_block(w, txs, 2);
}

static void check_same(const kl_stored_block *a, const kl_stored_block *b)
{
    CHECK(kl_hash_eq(&a->block.hash, &b->block.hash));
    CHECK_SPAN(a->rlp, b->rlp);
    CHECK_U64(a->block.tx_count, b->block.tx_count);
    for (usize i = 0; i < a->block.tx_count; i++) {
        CHECK_SPAN(a->block.txs[i].raw, b->block.txs[i].raw);
        CHECK(kl_address_eq(&a->block.txs[i].sender, &b->block.txs[i].sender));
        CHECK_U64(a->receipts[i].gas_used, b->receipts[i].gas_used);
    }
}

KL_TEST(block_cache_shares_large_blocks_and_only_those)
{
    struct world w;
    struct kl_reader *one, *two;
    struct kl_arena arena;
    kl_stored_block a, b, own;
    world_init(&w);
    kl_arena_init(&arena, SIZE_MAX);
    u64 small = block_of(&w, 100), large = block_of(&w, 40 << 10);
    CHECK_OK(kl_reader_open(w.chain, &one));
    CHECK_OK(kl_reader_open(w.chain, &two));
    CHECK_OK(kl_reader_shared(one, large, &arena, &a));
    CHECK_OK(kl_reader_shared(two, large, &arena, &b));
    CHECK_OK(kl_reader_block(two, large, &arena, &own));
    CHECK(a.block.txs == b.block.txs && a.block.txs != own.block.txs);
    check_same(&a, &own);
    kl_reader_close(one); /* what two was given stays */
    check_same(&b, &own);
    CHECK_OK(kl_reader_open(w.chain, &one));
    CHECK_OK(kl_reader_shared(one, small, &arena, &a));
    CHECK_OK(kl_reader_shared(two, small, &arena, &b));
    CHECK(a.block.txs != b.block.txs);
    check_same(&a, &b);
    CHECK(kl_reader_shared(one, large + 1, &arena, &a) == KL_NOTFOUND);
    kl_reader_close(one);
    kl_reader_close(two);
    kl_arena_done(&arena);
    world_done(&w);
}

KL_TEST(block_cache_lends_more_blocks_than_a_reader_holds)
{
    struct world w;
    struct kl_reader *reader;
    struct kl_arena arena;
    u64 numbers[6];
    world_init(&w);
    kl_arena_init(&arena, SIZE_MAX);
    for (usize i = 0; i < KL_COUNT_OF(numbers); i++)
        numbers[i] = block_of(&w, 40 << 10);
    CHECK_OK(kl_reader_open(w.chain, &reader));
    for (usize i = 0; i < 3 * KL_COUNT_OF(numbers); i++) {
        kl_stored_block shared, own;
        u64 number = numbers[i % KL_COUNT_OF(numbers)];
        CHECK_OK(kl_reader_shared(reader, number, &arena, &shared));
        CHECK_OK(kl_reader_block(reader, number, &arena, &own));
        check_same(&shared, &own);
    }
    kl_reader_close(reader);
    kl_arena_done(&arena);
    world_done(&w);
}

/* A block that takes so much memory. */
static struct kl_opened *opened_of(u64 version, usize bytes)
{
    struct kl_opened *opened;
    CHECK_OK(kl_opened_new(&opened, version));
    CHECK(kl_arena_take(&opened->arena, bytes, 1));
    return opened;
}

KL_TEST(block_cache_forgets_the_least_recently_used)
{
    struct kl_block_cache cache;
    kl_block_cache_init(&cache);
    for (u64 v = 0; v < 4; v++) {
        struct kl_opened *opened = opened_of(v, (usize)15 << 20), *again;
        kl_block_cache_put(&cache, opened);
        kl_opened_unref(opened);
        again = kl_block_cache_get(&cache, 0); /* stays the newest */
        CHECK(again);
        kl_opened_unref(again);
    }
    for (u64 v = 0; v < 4; v++) {
        struct kl_opened *opened = kl_block_cache_get(&cache, v);
        CHECK((opened != NULL) == (v != 1));
        CHECK(!opened || opened->version == v);
        kl_opened_unref(opened);
    }
    struct kl_opened *huge = opened_of(9, (usize)60 << 20), *twin = opened_of(3, 1000);
    kl_block_cache_put(&cache, twin); /* of one that is there: one of the two stays */
    kl_block_cache_put(&cache, huge); /* larger than all that may be kept */
    CHECK(!kl_block_cache_get(&cache, 9));
    struct kl_opened *first = kl_block_cache_get(&cache, 0);
    CHECK(first);
    kl_opened_unref(first);
    kl_opened_unref(huge);
    kl_opened_unref(twin);
    kl_block_cache_done(&cache);
}

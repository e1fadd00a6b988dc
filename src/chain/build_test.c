/* Blocks that could be too large for a record of the ledger. */
#include "base/test.h"
#include "chain/chain_world_priv.h"
#include "store/seglog.h"

struct offered {
    struct kl_tx_source source;
    const kl_tx *const *txs;
    usize count, at, taken;
};

static const kl_tx *next(struct kl_tx_source *source, u64 gas_left)
{
    struct offered *o = (struct offered *)source;
    (void)gas_left;
    return o->at < o->count ? o->txs[o->at] : NULL;
}

static void done(struct kl_tx_source *source, const kl_tx *tx, const kl_tx_result *result,
                 kl_rule broken)
{
    struct offered *o = (struct offered *)source;
    (void)tx;
    CHECK(broken == KL_RULE_NONE || broken == KL_RULE_BODY_SIZE);
    CHECK(broken != KL_RULE_NONE || result->receipt.log_count == 1);
    o->taken += broken == KL_RULE_NONE;
    o->at++;
}

/* Creations that log 1.2 MB each: more of them are offered than a record can hold, and the block
 * that is made of them can be written. */
KL_TEST(build_leaves_out_what_the_record_cannot_hold)
{
    enum { COUNT = 70, LOGGED = 1200000 };
    static const u8 code[] = {0x62, LOGGED >> 16, LOGGED >> 8 & 0xff, LOGGED & 0xff, 0x5f, 0xa0};
    struct world w;
    const kl_tx *txs[COUNT];
    world_init(&w);
    const kl_tx fields = {.type = KL_TX_DYNAMIC_FEE,
                          .gas_limit = 14000000,
                          .max_fee = kl_u256_of(5000000000),
                          .data = KL_SPAN_OF(code)};
    for (usize i = 0; i < COUNT; i++)
        txs[i] = world_sign(&w, i % 3, &fields);
    struct offered o = {.source = {.next = next, .done = done}, .txs = txs, .count = COUNT};
    const kl_build_plan plan = {
        .timestamp = w.time++, .gas_limit = 100000000000, .tx_max = UINT64_MAX};
    struct kl_tip *tip, *head = kl_chain_head(w.chain);
    CHECK_OK(kl_chain_build(w.chain, w.run, head, &plan, &o.source, &tip));
    kl_tip_unref(head);
    CHECK_U64(o.at, COUNT);
    CHECK(o.taken < COUNT && o.taken > KL_SEGLOG_RECORD_MAX / LOGGED - 4);
    world_take(&w, tip);
    world_done(&w);
}

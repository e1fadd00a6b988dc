/* What is left out of a block that is built: what would be too large for a record of the ledger,
 * and what no block can hold. */
#include "base/test.h"
#include "chain/bft_world_priv.h"
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

/* Offers a transfer, a malformed deposit from the same account, and a transfer. */
struct depositing {
    struct kl_tx_source source;
    const kl_tx *txs[3];
    usize at, taken;
};

static const kl_tx *next_of_three(struct kl_tx_source *source, KL_UNUSED u64 gas_left)
{
    struct depositing *d = (struct depositing *)source;
    return d->at < 3 ? d->txs[d->at] : NULL;
}

static void done_of_three(struct kl_tx_source *source, KL_UNUSED const kl_tx *tx,
                          KL_UNUSED const kl_tx_result *result, kl_rule broken)
{
    struct depositing *d = (struct depositing *)source;
    CHECK_RULE(broken, d->at == 1 ? KL_RULE_BLOCK_DEPOSIT : KL_RULE_NONE);
    d->taken += broken == KL_RULE_NONE;
    d->at++;
}

/* [EIP-6110]: such a log makes any block bad that it is in. */
KL_TEST(build_leaves_out_a_malformed_deposit)
{
    static const char alloc[] =
        /* logs its input as a deposit event */
        "\"00000000219ab540356cbb839cbe05303d7705fa\":{\"balance\":\"0x0\",\"code\":"
        "\"0x365f5f377f649bbc62d0e31342afea4e5cd82d4049e7e1ee912fc0889aa790803be39038c5365fa100\"},"
        "\"00000961ef480eb55e80d19ad83579a64c007002\":{\"balance\":\"0x0\",\"code\":\"0x00\"},"
        "\"0000bbddc7ce488642fb579f8b00f3a590007251\":{\"balance\":\"0x0\",\"code\":\"0x00\"}";
    struct bft_world w;
    bft_world_init(&w, KL_SCHEME_KEYED_HASH, 4, 2);
    w.forks = ",\"pragueTime\":0";
    w.policy_alloc = KL_SPAN_TEXT(alloc);
    bft_world_begin(&w);
    struct kl_tip *head = kl_chain_head(w.chain), *judged;
    kl_tx deposit = *bft_world_tx(&w);
    w.nonce--;
    deposit.gas_limit = 100000;
    deposit.to = kl_chain_spec(w.chain)->deposit_contract;
    deposit.data = KL_SPAN_TEXT("no deposit");
    const kl_tx *first = bft_world_tx(&w);
    deposit.nonce = w.nonce;
    struct depositing d = {.source = {.next = next_of_three, .done = done_of_three},
                           .txs = {first, bft_world_sign(&w, &deposit), bft_world_tx(&w)}};
    w.source = &d.source;
    struct kl_tip *tip = bft_world_build(&w, head, 0, 100);
    CHECK(d.at == 3 && d.taken == 2 && tip->tx_count == 2);
    CHECK_RULE(bft_world_judge(&w, head, bft_world_body(&w, tip), &judged), KL_RULE_NONE);
    kl_tip_unref(judged);
    bft_world_take(&w, tip, true);
    kl_tip_unref(head);
    bft_world_done(&w);
}

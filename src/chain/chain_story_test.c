/* A life of a dev chain with everything in it, a step at a time. */
#include "base/test.h"
#include "chain/chain_world_priv.h"
#include "crypto/crypto.h"

static kl_address small_address(u64 n)
{
    kl_address a = {{0}};
    kl_store_be64(a.b + 12, 0xabc000 + n);
    return a;
}

static const struct kl_tip *head_of(struct world *w)
{
    struct kl_tip *head = kl_chain_head(w->chain);
    kl_tip_unref(head); /* the chain holds it */
    return head;
}

void world_refresh(struct world *w)
{
    struct kl_view *view;
    const struct kl_tip *head = head_of(w);
    CHECK_OK(kl_chain_view(w->chain, head, &view));
    for (usize i = 0; i < 3; i++) {
        kl_hash hash = kl_keccak256(kl_address_span(&w->account[i]));
        kl_account account;
        bool exists;
        CHECK_OK(kl_view_account(view, &hash, &account, &exists));
        w->nonce[i] = account.nonce;
    }
    kl_view_close(view);
    w->time = KL_MAX(w->time, head->header.timestamp + 1);
}

/* Code that logs its call data's words as topics and stores the first one; with the first byte 0xff
 * it reverts. */
static kl_span logger(void)
{
    return kl_test_hex("601d600c600039601d6000f3"
                       "5f3560f81c60ff1460195760"
                       "20355f355f5fa25f355f355500"
                       "5b5f5ffd");
}

static kl_tx random_fields(u64 *seed)
{
    kl_tx tx = {
        .type = (u8)kl_rand_below(seed, 3),
        .gas_limit = 300000,
        .max_fee = kl_u256_of(5000000000),
        .max_priority_fee = kl_u256_of(1000000000),
        .value = kl_u256_of(kl_rand_below(seed, 1000)),
        .has_to = true,
        .to = small_address(kl_rand_below(seed, 8)),
    };
    if (tx.type != KL_TX_DYNAMIC_FEE)
        tx.max_priority_fee = tx.max_fee;
    return tx;
}

static const kl_tx *random_tx(struct world *w, usize from, u64 *seed)
{
    kl_tx tx = random_fields(seed);
    u8 data[64] = {0};
    kl_hash slots[2] = {{{1}}, {{2}}};
    kl_access access = {.address = tx.to, .slots = slots, .slot_count = 2};
    if (tx.type != KL_TX_LEGACY && kl_rand_below(seed, 2)) {
        tx.access_list = &access;
        tx.access_count = 1;
    }
    u64 dice = kl_rand_below(seed, 4);
    if (dice == 0) {
        tx.has_to = false;
        tx.value = KL_U256_ZERO;
        tx.data = logger();
    } else if (dice < 3 && w->nonce[from] > 0) {
        tx.to = kl_address_of_create(&w->account[from], kl_rand_below(seed, w->nonce[from]));
        tx.value = KL_U256_ZERO;
        for (usize i = 0; i < 2; i++)
            data[32 * i + 31] = (u8)kl_rand_below(seed, 5);
        data[0] = kl_rand_below(seed, 5) == 0 ? 0xff : 0;
        tx.data = KL_SPAN_OF(data);
    }
    return world_sign(w, from, &tx);
}

/* From the first impersonated account. */
static const kl_tx *impersonated_tx(struct world *w, const struct kl_tip *head)
{
    kl_address from = head->dev->env.impersonated[0];
    kl_hash hash = kl_keccak256(kl_address_span(&from));
    struct kl_view *view;
    kl_account account;
    bool exists;
    CHECK_OK(kl_chain_view(w->chain, head, &view));
    CHECK_OK(kl_view_account(view, &hash, &account, &exists));
    kl_view_close(view);
    if (kl_u256_lt(account.balance, kl_u256_of(1000000000000000)))
        return NULL;
    kl_tx *tx = KL_ZERO(&w->arena, kl_tx, 1);
    u8 *raw = KL_TAKE(&w->arena, u8, 256);
    CHECK(tx && raw);
    *tx = (kl_tx){
        .type = KL_TX_DYNAMIC_FEE,
        .replay_safe = true,
        .chain_id = 31337,
        .nonce = account.nonce,
        .gas_limit = 21000,
        .max_fee = kl_u256_of(5000000000),
        .has_to = true,
        .to = small_address(1),
        .signature = {.r = kl_u256_from_address(&from)},
        .sender = from,
        .has_sender = true,
    };
    kl_out out = kl_out_of(raw, 256);
    kl_tx_encode(&out, tx);
    tx->raw = kl_out_done(&out);
    tx->hash = kl_keccak256(tx->raw);
    return tx;
}

static struct kl_tip *random_block(struct world *w, u64 *seed)
{
    const struct kl_tip *head = head_of(w);
    const kl_dev_env *env = &head->dev->env;
    const kl_tx *txs[8];
    usize count = 0, wanted = kl_rand_below(seed, 5);
    kl_withdrawal withdrawals[2];
    for (usize i = 0; i < 2; i++)
        withdrawals[i] = (kl_withdrawal){i, kl_rand_below(seed, 9), small_address(i), 7};
    if (env->impersonated_count && kl_rand_below(seed, 2)) {
        txs[0] = impersonated_tx(w, head);
        count = txs[0] != NULL;
    }
    while (wanted-- > 0)
        txs[count++] = random_tx(w, kl_rand_below(seed, 3), seed);
    kl_build_plan plan = {
        .timestamp = env->has_timestamp ? KL_MAX(env->timestamp, w->time) : w->time,
        .gas_limit = env->has_gas_limit ? env->gas_limit : head->header.gas_limit,
        .coinbase = env->has_coinbase ? env->coinbase : small_address(100),
        .mix_hash = env->randao,
        .extra_data = KL_SPAN_TEXT("story"),
        .has_base_fee = env->has_base_fee,
        .base_fee = env->base_fee,
        .withdrawals = withdrawals,
        .withdrawal_count = kl_rand_below(seed, 3),
        .tx_max = UINT64_MAX,
    };
    return world_build(w, txs, count, &plan);
}

static kl_devop random_op(struct world *w, u64 *seed)
{
    static u8 code[] = {0x60, 0x01, 0x60, 0x02, 0x55, 0x00};
    const kl_dev_env *env = &head_of(w)->dev->env;
    kl_devop op = {
        .kind = (kl_devop_kind)kl_rand_below(seed, KL_DEVOP_COUNT),
        .address = small_address(kl_rand_below(seed, 8)),
        .key = kl_u256_of(kl_rand_below(seed, 4)),
        .value = kl_u256_of(1 + kl_rand_below(seed, 1000000000)),
        .number = 1 + kl_rand_below(seed, 50),
        .seconds = (i64)kl_rand_below(seed, 100),
        .code = kl_span_of(code, 1 + kl_rand_below(seed, sizeof code)),
        .flag = kl_rand_below(seed, 2),
    };
    if (op.kind == KL_DEVOP_SET_BALANCE)
        op.value = kl_u256_of(1000000000000000000 + kl_rand_below(seed, 9));
    if (op.kind == KL_DEVOP_NEXT_TIMESTAMP)
        op.number += w->time;
    if (op.kind == KL_DEVOP_GAS_LIMIT)
        op.number += 30000000;
    if (op.kind == KL_DEVOP_IMPERSONATE_ALL)
        op.flag = false; /* or every bad signature would be good */
    if (op.kind == KL_DEVOP_SNAPSHOT && w->no_snapshots)
        op.kind = KL_DEVOP_SHIFT_TIME;
    if (op.kind == KL_DEVOP_REVERT && env->snapshot_count)
        op.number = env->snapshots[kl_rand_below(seed, env->snapshot_count)].id;
    return op;
}

struct kl_tip *world_next_step(struct world *w, u64 *seed)
{
    struct kl_tip *tip, *head = kl_chain_head(w->chain);
    world_refresh(w);
    if (kl_rand_below(seed, 2)) {
        kl_devop op = random_op(w, seed);
        kl_rule broken;
        CHECK_OK(kl_chain_dev(w->chain, w->run, head, &op, &tip, &broken));
        if (broken == KL_RULE_NONE) {
            kl_tip_unref(head);
            return tip;
        }
    }
    kl_tip_unref(head);
    return random_block(w, seed);
}

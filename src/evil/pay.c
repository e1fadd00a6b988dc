/* Attacks with transactions. */
#include "evil/attack_priv.h"
#include "types/tx.h"

enum { BATCH = 64, DATA_MAX = 128 << 10 };

static const u8 data[DATA_MAX];

static kl_tx plain(struct evil_wire *w, u64 nonce)
{
    return (kl_tx){
        .type = KL_TX_DYNAMIC_FEE,
        .has_to = true,
        .replay_safe = true,
        .chain_id = w->evil->config->chain_id,
        .nonce = nonce,
        .gas_limit = 21000,
        .max_fee = kl_u256_of(UINT64_C(100000000000)),
        .max_priority_fee = kl_u256_of(1),
        .value = kl_u256_of(1),
        .to = {{0x22}},
    };
}

static kl_secret32 some_key(struct evil_wire *w)
{
    kl_secret32 key;
    evil_random_bytes(w->evil, key.b, sizeof key.b);
    key.b[0] &= 0x7f;
    key.b[31] |= 1;
    return key;
}

static void send(struct evil_wire *w, const kl_span *list, usize count)
{
    evil_message(w, EVIL_TX,
                 &(kl_message){.kind = KL_MESSAGE_TRANSACTIONS,
                               .transactions = list,
                               .transaction_count = count});
}

/* Signs a batch, each made(w, i) by key, or by a key of its own. */
static void batch(struct evil_wire *w, usize count, kl_tx (*make)(struct evil_wire *w, usize i),
                  const kl_secret32 *key)
{
    kl_span list[BATCH];
    struct kl_arena *arena = &w->evil->arena;
    kl_arena_reset(arena, 1 << 20);
    for (usize i = 0; i < count; i++) {
        kl_tx tx = make(w, i);
        kl_secret32 own = key ? *key : some_key(w);
        KL_ASSERT(kl_tx_sign(&tx, &own, arena) == KL_OK);
        list[i] = tx.raw;
    }
    send(w, list, count);
}

void evil_tx_garbage(struct evil_wire *w)
{
    u8 bytes[200];
    kl_span list[1] = {KL_SPAN_OF(bytes)};
    evil_random_bytes(w->evil, bytes, sizeof bytes);
    bytes[0] = KL_TX_DYNAMIC_FEE;
    bytes[1] = 0xf8;
    send(w, list, 1);
}

void evil_tx_signature(struct evil_wire *w)
{
    u8 room[512];
    kl_tx tx = plain(w, w->steps);
    kl_out out = kl_out_of(room, sizeof room);
    tx.signature.r = kl_u256_of(1);
    tx.signature.s = kl_u256_not(kl_u256_of(0));
    kl_tx_encode(&out, &tx);
    kl_span list[1] = {kl_out_done(&out)};
    send(w, list, 1);
}

static kl_tx foreign(struct evil_wire *w, usize i)
{
    kl_tx tx = plain(w, i);
    tx.chain_id++;
    return tx;
}

void evil_tx_chain(struct evil_wire *w)
{
    batch(w, 8, foreign, NULL);
}

void evil_tx_poor(struct evil_wire *w)
{
    batch(w, 8, plain, NULL);
}

static kl_tx unpaid(struct evil_wire *w, usize i)
{
    kl_tx tx = plain(w, w->steps * 8 + i);
    tx.max_fee = tx.max_priority_fee = kl_u256_of(0);
    return tx;
}

void evil_tx_free(struct evil_wire *w)
{
    batch(w, 8, unpaid, &w->evil->config->key);
}

static kl_tx far_nonce(struct evil_wire *w, usize i)
{
    return plain(w, 1000000 + w->steps * 8 + i);
}

void evil_tx_gaps(struct evil_wire *w)
{
    batch(w, 8, far_nonce, &w->evil->config->key);
}

/* A gap of one, so that none of them is ever in a block. */
static kl_tx dearer(struct evil_wire *w, usize i)
{
    kl_tx tx = plain(w, 1000);
    tx.max_priority_fee = kl_u256_of(1 + w->evil->report->steps * 8 + i);
    tx.max_fee = kl_u256_of(UINT64_C(100000000000) + (w->evil->report->steps * 8 + i) * 1000);
    return tx;
}

void evil_tx_replace(struct evil_wire *w)
{
    batch(w, 8, dearer, &w->evil->config->key);
}

static kl_tx large(struct evil_wire *w, usize i)
{
    kl_tx tx = plain(w, 2000 + w->steps * 4 + i);
    tx.data = kl_span_of(data, DATA_MAX - 256);
    tx.gas_limit = 10000000;
    return tx;
}

void evil_tx_large(struct evil_wire *w)
{
    batch(w, 4, large, &w->evil->config->key);
}

static kl_tx same(struct evil_wire *w, KL_UNUSED usize i)
{
    return plain(w, 1000);
}

void evil_tx_replay(struct evil_wire *w)
{
    batch(w, 8, same, &w->evil->config->key);
}

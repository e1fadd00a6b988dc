/* What an account signs is a function of its number and the account's place in line, so that two
 * nodes get the very same load. */
#include "cli/bench_work.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/sync.h"
#include "codec/hex.h"
#include "crypto/address.h"
#include "crypto/keccak.h"
#include "sys/env.h"
#include "wallet/wallet.h"

#define WORK_MEMORY_MAX ((usize)8 << 30)
#define GWEI            1000000000u
#define RECEIPT_WAIT_NS ((u64)60 * 1000000000)
#define RECEIPT_POLL_NS 2000000

const char kl_bench_mnemonic[] = "test test test test test test test test test test test junk";

/* Creation code, by tests/contracts/bench.ts from tests/contracts/Bench.sol. */
static const u8 token_code[] = {
#include "cli/bench_token.hex"
};
static const u8 pair_code[] = {
#include "cli/bench_pair.hex"
};

static const struct {
    const char *name;
    u64 gas_limit;
} kinds[] = {
    [KL_BENCH_ETH] = {"eth", 21000},
    [KL_BENCH_ERC20] = {"erc20", 100000},
    [KL_BENCH_SWAP] = {"swap", 200000},
};

bool kl_bench_kind_parse(kl_bench_kind *out, const char *name)
{
    for (usize i = 0; i < KL_COUNT_OF(kinds); i++)
        if (strcmp(kinds[i].name, name) == 0) {
            *out = (kl_bench_kind)i;
            return true;
        }
    return false;
}

const char *kl_bench_kind_name(kl_bench_kind kind)
{
    return kinds[kind].name;
}

/* Calldata: a selector and words. */
typedef struct calldata {
    u8 b[4 + 32 * 6];
    usize len;
} calldata;

static calldata call_of(const char *signature)
{
    calldata c = {.len = 4};
    kl_hash hash = kl_keccak256(kl_span_str(signature));
    memcpy(c.b, hash.b, 4);
    return c;
}

static void add_word(calldata *c, kl_u256 word)
{
    KL_ASSERT(c->len + 32 <= sizeof c->b);
    kl_u256_to_be(c->b + c->len, word);
    c->len += 32;
}

/* What one transaction is to be. */
typedef struct order {
    usize account;
    u64 nonce, gas_limit;
    const kl_address *to; /* NULL creates a contract */
    kl_span data;
    kl_u256 value;
} order;

/* The transaction, signed, at the end of room. */
KL_MUST_USE static kl_status sign(const struct kl_bench_work *work, const order *o,
                                  kl_bench_tx *out, kl_out *room, struct kl_arena *scratch)
{
    kl_tx tx = {.type = KL_TX_DYNAMIC_FEE,
                .has_to = o->to != NULL,
                .replay_safe = true,
                .chain_id = work->chain_id,
                .nonce = o->nonce,
                .gas_limit = o->gas_limit,
                .max_fee = kl_u256_of(100 * (u64)GWEI),
                .max_priority_fee = kl_u256_of(GWEI),
                .value = o->value,
                .data = o->data};
    kl_hash digest;
    usize start = room->len;
    if (o->to)
        tx.to = *o->to;
    kl_arena_mark mark = kl_arena_here(scratch);
    KL_TRY(kl_tx_signing_hash(&digest, &tx, scratch));
    kl_arena_rewind(scratch, mark);
    kl_wallet_sign(work->wallet, o->account, &digest, &tx.signature);
    kl_tx_encode(room, &tx);
    if (room->full)
        return KL_LIMIT;
    *out = (kl_bench_tx){.raw = kl_span_of(room->p + start, room->len - start)};
    out->hash = kl_keccak256(out->raw);
    return KL_OK;
}

/* The i-th transaction of account's line. */
static order order_of(const struct kl_bench_work *work, usize account, u64 nonce, calldata *data)
{
    order o = {.account = account, .nonce = nonce, .gas_limit = kinds[work->kind].gas_limit};
    /* 7,919 is prime to their number: every one of them gets its turn */
    const kl_address *to = &work->recipients[(account + nonce * 7919) % (usize)KL_BENCH_RECIPIENTS];
    switch (work->kind) {
    case KL_BENCH_ETH:
        o.to = to;
        o.value = KL_U256_ONE;
        return o;
    case KL_BENCH_ERC20:
        *data = call_of("transfer(address,uint256)");
        add_word(data, kl_u256_from_address(to));
        add_word(data, KL_U256_ONE);
        o.to = &work->token;
        break;
    case KL_BENCH_SWAP:
        *data = call_of("swap(bool,uint256,uint256)");
        add_word(data, kl_u256_of((account + nonce) % 2));
        add_word(data, kl_u256_of(1000000));
        add_word(data, KL_U256_ZERO);
        o.to = &work->pair;
        break;
    }
    o.data = kl_span_of(data->b, data->len);
    return o;
}

/* Signing on all processors: parts of PART transactions. */
enum { PART = 256, RAW_MAX = 384 };

struct signing {
    const struct kl_bench_work *work;
    kl_bench_tx *out;
    u8 *room;
    usize count;
    kl_flag failed;
};

static void sign_part(void *ctx, usize part)
{
    struct signing *s = ctx;
    struct kl_arena scratch;
    calldata data;
    kl_arena_init(&scratch, 1 << 20);
    usize end = KL_MIN((part + 1) * PART, s->count);
    kl_out room = kl_out_of(s->room + part * PART * RAW_MAX, (usize)PART * RAW_MAX);
    for (usize i = part * PART; i < end; i++) {
        usize account = i % s->work->accounts;
        order o =
            order_of(s->work, account, s->work->nonces[account] + i / s->work->accounts, &data);
        if (sign(s->work, &o, &s->out[i], &room, &scratch) != KL_OK)
            kl_flag_set(&s->failed, true);
    }
    kl_arena_done(&scratch);
}

kl_status kl_bench_work_sign(struct kl_bench_work *work, kl_bench_tx *out, usize count)
{
    usize parts = (count + PART - 1) / PART;
    struct signing s = {.work = work, .out = out, .count = count};
    s.room = KL_TAKE(&work->arena, u8, parts * PART * RAW_MAX);
    if (!s.room)
        return KL_NOMEM;
    kl_workers_run(work->workers, sign_part, &s, parts);
    if (kl_flag_is_up(&s.failed))
        return KL_NOMEM;
    for (usize i = 0; i < work->accounts; i++)
        work->nonces[i] += count / work->accounts + (i < count % work->accounts);
    return KL_OK;
}

/* Sends one transaction of the setting-up. */
KL_MUST_USE static kl_status submit(struct kl_bench_work *work, struct kl_bench_node *node,
                                    const order *wanted, kl_hash *hash)
{
    order o = *wanted;
    struct kl_json json;
    kl_json_ref result;
    kl_bench_tx tx;
    struct kl_buf params;
    usize cap = o.data.len + 512;
    u8 *raw = KL_TAKE(&work->arena, u8, cap);
    char *digits = KL_TAKE(&work->arena, char, 2 * cap);
    if (!raw || !digits)
        return KL_NOMEM;
    kl_out room = kl_out_of(raw, cap);
    o.nonce = work->nonces[o.account];
    KL_TRY(sign(work, &o, &tx, &room, &work->arena));
    kl_hex_digits(digits, tx.raw);
    kl_buf_init(&params, 1 << 20);
    kl_buf_str(&params, "[\"0x");
    kl_buf_bytes(&params, digits, 2 * tx.raw.len);
    kl_buf_bytes(&params, "\"]", sizeof "\"]");
    kl_status status = params.failed ? KL_NOMEM
                                     : kl_bench_call(node, "eth_sendRawTransaction",
                                                     (const char *)params.p, &json, &result);
    kl_buf_done(&params);
    if (status == KL_OK) {
        work->nonces[o.account]++;
        *hash = tx.hash;
    }
    return status;
}

/* Waits until it is in a block; KL_UNSUPPORTED when it did not go well there. */
KL_MUST_USE static kl_status settle(struct kl_bench_node *node, const kl_hash *hash)
{
    for (u64 start = kl_bench_now_ns(); kl_bench_now_ns() - start < RECEIPT_WAIT_NS;) {
        struct kl_json json;
        kl_json_ref receipt;
        KL_TRY(kl_bench_receipt(node, hash, &json, &receipt));
        if (kl_json_is(&json, receipt, KL_JSON_OBJECT)) {
            kl_json_ref status = kl_json_member(&json, receipt, "status");
            if (status != KL_JSON_NONE && kl_json_equals(&json, status, "0x1"))
                return KL_OK;
            fprintf(stderr, "keel bench: a transaction of the setting-up failed\n");
            return KL_UNSUPPORTED;
        }
        kl_sys_nap(RECEIPT_POLL_NS);
    }
    fprintf(stderr, "keel bench: a transaction of the setting-up is in no block\n");
    return KL_TIMEOUT;
}

/* The code that makes a pair of two tokens: its constructor's words stand behind it. */
KL_MUST_USE static kl_status pair_creation(struct kl_bench_work *work, kl_span *out)
{
    u8 *code = KL_TAKE(&work->arena, u8, sizeof pair_code + 64);
    if (!code)
        return KL_NOMEM;
    memcpy(code, pair_code, sizeof pair_code);
    kl_u256_to_be(code + sizeof pair_code, kl_u256_from_address(&work->token));
    kl_u256_to_be(code + sizeof pair_code + 32, kl_u256_from_address(&work->other));
    *out = kl_span_of(code, sizeof pair_code + 64);
    return KL_OK;
}

/* give(all accounts and, if there is one, the pair, 10^27). */
KL_MUST_USE static kl_status gift(struct kl_bench_work *work, kl_span *out)
{
    usize count = work->accounts + (work->kind == KL_BENCH_SWAP), len = 4 + 32 * (3 + count);
    u8 *data = KL_ZERO(&work->arena, u8, len), *at = data + 4;
    if (!data)
        return KL_NOMEM;
    calldata head = call_of("give(address[],uint256)");
    kl_u256 amount;
    KL_ASSERT(kl_hex_u256(&amount, KL_SPAN_TEXT("0x33b2e3c9fd0803ce8000000")) == KL_RULE_NONE);
    memcpy(data, head.b, 4);
    kl_u256_to_be(at, kl_u256_of(64));
    kl_u256_to_be(at + 32, amount);
    kl_u256_to_be(at + 64, kl_u256_of(count));
    for (usize i = 0; i < count; i++)
        kl_u256_to_be(at + 96 + 32 * i,
                      kl_u256_from_address(i < work->accounts ? kl_wallet_address(work->wallet, i)
                                                              : &work->pair));
    *out = kl_span_of(data, len);
    return KL_OK;
}

/* Two tokens and a pair, by account 0 in the order of its nonces; then everybody lets the pair take
 * both.  A load of transfers needs the first token only. */
KL_MUST_USE static kl_status deploy(struct kl_bench_work *work, struct kl_bench_node *node)
{
    enum { BIG_GAS = 10000000 };
    const kl_address *self = kl_wallet_address(work->wallet, 0);
    kl_address *tokens[2] = {&work->token, &work->other};
    usize token_count = work->kind == KL_BENCH_SWAP ? 2 : 1;
    order o = {.gas_limit = BIG_GAS, .data = KL_SPAN_OF(token_code)};
    kl_hash last;
    for (usize i = 0; i < token_count; i++) {
        *tokens[i] = kl_address_of_create(self, work->nonces[0]);
        KL_TRY(submit(work, node, &o, &last));
    }
    if (token_count == 2) {
        work->pair = kl_address_of_create(self, work->nonces[0]);
        KL_TRY(pair_creation(work, &o.data));
        KL_TRY(submit(work, node, &o, &last));
    }
    KL_TRY(gift(work, &o.data));
    for (usize i = 0; i < token_count; i++) {
        o.to = tokens[i];
        KL_TRY(submit(work, node, &o, &last));
    }
    KL_TRY(settle(node, &last));
    if (token_count == 1)
        return KL_OK;
    calldata sync = call_of("sync()"), approve = call_of("approve(address,uint256)");
    o.to = &work->pair;
    o.data = kl_span_of(sync.b, sync.len);
    KL_TRY(submit(work, node, &o, &last));
    add_word(&approve, kl_u256_from_address(&work->pair));
    add_word(&approve, KL_U256_MAX);
    o.data = kl_span_of(approve.b, approve.len);
    o.gas_limit = kinds[KL_BENCH_ERC20].gas_limit;
    for (o.account = 0; o.account < work->accounts; o.account++)
        for (usize i = 0; i < 2; i++) {
            o.to = tokens[i];
            KL_TRY(submit(work, node, &o, &last));
        }
    return settle(node, &last);
}

KL_MUST_USE static kl_status read_nonces(struct kl_bench_work *work, struct kl_bench_node *node)
{
    for (usize i = 0; i < work->accounts; i++) {
        char params[64] = "[\"0x";
        kl_hex_digits(params + 4, kl_address_span(kl_wallet_address(work->wallet, i)));
        memcpy(params + 44, "\",\"pending\"]", sizeof "\",\"pending\"]");
        KL_TRY(kl_bench_call_u64(node, "eth_getTransactionCount", params, &work->nonces[i]));
    }
    return KL_OK;
}

kl_status kl_bench_work_open(struct kl_bench_work *work, struct kl_bench_node *node,
                             kl_bench_kind kind, usize accounts)
{
    bool bad;
    KL_ASSERT(accounts > 0 && accounts <= KL_BENCH_ACCOUNTS_MAX);
    *work = (struct kl_bench_work){.kind = kind, .accounts = accounts};
    kl_arena_init(&work->arena, WORK_MEMORY_MAX);
    KL_TRY(kl_sys_workers_new(&work->workers, kl_sys_cpu_count()));
    KL_TRY(kl_wallet_from_mnemonic(&work->wallet, kl_span_str(kl_bench_mnemonic), KL_SPAN_NONE,
                                   accounts, &bad));
    work->recipients = KL_TAKE(&work->arena, kl_address, KL_BENCH_RECIPIENTS);
    if (!work->recipients)
        return KL_NOMEM;
    for (u32 i = 0; i < KL_BENCH_RECIPIENTS; i++) {
        kl_hash hash = kl_keccak256(KL_SPAN_OF(i));
        memcpy(work->recipients[i].b, hash.b + 12, 20);
    }
    KL_TRY(kl_bench_call_u64(node, "eth_chainId", "[]", &work->chain_id));
    KL_TRY(read_nonces(work, node));
    return kind == KL_BENCH_ETH ? KL_OK : deploy(work, node);
}

void kl_bench_work_close(struct kl_bench_work *work)
{
    kl_wallet_free(work->wallet);
    kl_sys_workers_free(work->workers);
    kl_arena_done(&work->arena);
    *work = (struct kl_bench_work){0};
}

kl_address kl_bench_work_account(const struct kl_bench_work *work, usize index)
{
    return *kl_wallet_address(work->wallet, index);
}

const kl_address *kl_bench_work_token(const struct kl_bench_work *work)
{
    return work->kind == KL_BENCH_ETH ? NULL : &work->token;
}

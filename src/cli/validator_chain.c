/* Every transaction is tried by eth_estimateGas first, so that what the contract refuses is told in
 * its own words and costs nothing. */
#include "cli/validator_chain.h"

#include <stdio.h>
#include <stdlib.h>

#include "chain/authority.h"
#include "codec/hex.h"
#include "crypto/address.h"
#include "crypto/keccak.h"
#include "sys/env.h"
#include "types/tx.h"

#define GWEI            UINT64_C(1000000000)
#define MEMORY_MAX      ((usize)16 << 20)
#define RAW_MAX         8192
#define RECEIPT_WAIT_NS (UINT64_C(60) * 1000000000)
#define POLL_NS         50000000

/* What the contract refuses with [contracts/Authority.sol], and what people should know. */
static const struct {
    const char *error, *text;
} refusals[] = {
    {"NotValidator()", "the account is neither a validator nor an accepted candidate"},
    {"BadTarget()", "who is to be added is a validator already, or who is to be removed is none"},
    {"BadWeight()", "the weight is 0, or too much in all"},
    {"BadKey()", "a key or its proof has the wrong length"},
    {"KeyTaken()", "the key belongs to another operator"},
    {"NoSuchProposal()", "there is no such proposal"},
    {"Expired()", "its time is over: it must be proposed anew"},
    {"AlreadyPassed()", "it has passed already"},
    {"LastValidator()", "the last validator stays"},
};

void kl_calldata_begin(kl_calldata *data, const char *signature)
{
    kl_hash hash = kl_keccak256(kl_span_str(signature));
    data->out = kl_out_of(data->b, sizeof data->b);
    kl_out_bytes(&data->out, hash.b, 4);
}

kl_address kl_validator_account(const kl_secret32 *secret)
{
    kl_pubkey pubkey;
    KL_ASSERT(kl_secp256k1_pubkey(&pubkey, secret));
    return kl_address_of_pubkey(&pubkey);
}

/* The contract's own words, by the selector in an error's data; NULL: none of them. */
static const char *refusal_of(const struct kl_json *json, kl_json_ref error)
{
    u8 selector[4];
    kl_json_ref data = kl_json_member(json, error, "data");
    kl_span text = kl_json_is(json, data, KL_JSON_STRING) ? kl_json_raw(json, data) : KL_SPAN_NONE;
    if (text.len != 10 || kl_hex_fixed(selector, sizeof selector, text) != KL_RULE_NONE)
        return NULL;
    for (usize i = 0; i < KL_COUNT_OF(refusals); i++) {
        kl_hash hash = kl_keccak256(kl_span_str(refusals[i].error));
        if (memcmp(hash.b, selector, sizeof selector) == 0)
            return refusals[i].text;
    }
    return NULL;
}

static bool complain(const struct kl_json *json, kl_json_ref error)
{
    const char *refusal = refusal_of(json, error);
    kl_json_ref message = kl_json_member(json, error, "message");
    kl_span text = kl_json_is(json, message, KL_JSON_STRING) ? kl_json_raw(json, message)
                                                             : kl_span_str("no answer");
    if (refusal)
        fprintf(stderr, "keel validator: refused: %s\n", refusal);
    else
        fprintf(stderr, "keel validator: the node: %.*s\n", (int)text.len, (const char *)text.p);
    return false;
}

/* A call; params is a JSON array, in pieces. */
static bool call(struct kl_validator_chain *chain, const char *method, struct kl_buf *params,
                 struct kl_json *json, kl_json_ref *result)
{
    struct kl_buf body;
    kl_buf_init(&body, MEMORY_MAX);
    kl_buf_print(&body, "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"%s\",\"params\":[", method);
    if (params)
        kl_buf_span(&body, kl_buf_view(params));
    kl_buf_str(&body, "]}");
    kl_status status = body.failed || (params && params->failed)
                           ? KL_NOMEM
                           : kl_bench_post(&chain->node, kl_buf_view(&body), json);
    kl_buf_done(&body);
    if (params)
        kl_buf_done(params);
    if (status != KL_OK) {
        fprintf(stderr, "keel validator: %s: %s\n", method, kl_status_text(status));
        return false;
    }
    *result = kl_json_member(json, 0, "result");
    return *result != KL_JSON_NONE || complain(json, kl_json_member(json, 0, "error"));
}

static bool call_number(struct kl_validator_chain *chain, const char *method, struct kl_buf *params,
                        kl_u256 *out)
{
    struct kl_json json;
    kl_json_ref result;
    if (!call(chain, method, params, &json, &result))
        return false;
    if (kl_json_is(&json, result, KL_JSON_STRING) &&
        kl_hex_u256(out, kl_json_raw(&json, result)) == KL_RULE_NONE)
        return true;
    fprintf(stderr, "keel validator: %s: no number\n", method);
    return false;
}

static void put_hex(struct kl_buf *out, kl_span bytes)
{
    kl_buf_str(out, "\"0x");
    u8 *digits = kl_buf_extend(out, 2 * bytes.len);
    if (digits)
        kl_hex_digits((char *)digits, bytes);
    kl_buf_str(out, "\"");
}

/* {"from": …, "to": …, "value": …, "data": …} */
static void put_message(struct kl_buf *out, const kl_address *from, const kl_address *to,
                        kl_u256 value, kl_span data)
{
    char number[KL_HEX_U256_MAX];
    kl_buf_str(out, "{\"from\":");
    put_hex(out, KL_SPAN_OF(from->b));
    kl_buf_str(out, ",\"to\":");
    put_hex(out, KL_SPAN_OF(to->b));
    (void)kl_hex_of_u256(number, value);
    kl_buf_print(out, ",\"value\":\"%s\",\"data\":", number);
    put_hex(out, data);
    kl_buf_str(out, "}");
}

bool kl_validator_chain_open(struct kl_validator_chain *chain, const char *url)
{
    kl_u256 id;
    struct kl_bench_target target = {.who = "validator"};
    kl_arena_init(&chain->arena, MEMORY_MAX);
    if (!kl_bench_url_parse(&target.url, url)) {
        fprintf(stderr, "keel validator: --rpc takes http://ADDRESS:PORT, a numeric address\n");
        return false;
    }
    if (kl_bench_node_open(&chain->node, &target) != KL_OK ||
        !call_number(chain, "eth_chainId", NULL, &id))
        return false;
    chain->chain_id = id.w[0];
    return true;
}

void kl_validator_chain_close(struct kl_validator_chain *chain)
{
    if (chain->node.loop)
        kl_bench_node_close(&chain->node);
    kl_arena_done(&chain->arena);
}

bool kl_validator_ask(struct kl_validator_chain *chain, kl_span data, kl_span *answer)
{
    static const kl_address nobody;
    struct kl_buf params;
    struct kl_json json;
    kl_json_ref result;
    bool full = false;
    kl_buf_init(&params, MEMORY_MAX);
    put_message(&params, &nobody, &kl_authority_address, KL_U256_ZERO, data);
    kl_buf_str(&params, ",\"latest\"");
    if (!call(chain, "eth_call", &params, &json, &result))
        return false;
    kl_arena_reset(&chain->arena, SIZE_MAX);
    if (kl_json_is(&json, result, KL_JSON_STRING) &&
        kl_hex_data(answer, kl_json_raw(&json, result), &chain->arena, &full) == KL_RULE_NONE &&
        !full && answer->len)
        return true;
    fprintf(stderr, "keel validator: the chain has no validator contract\n");
    return false;
}

/* --- transactions --- */

static bool fill(struct kl_validator_chain *chain, kl_tx *tx, const kl_address *from)
{
    struct kl_buf params;
    kl_u256 nonce, gas, price;
    kl_buf_init(&params, MEMORY_MAX);
    put_message(&params, from, &tx->to, tx->value, tx->data);
    if (!call_number(chain, "eth_estimateGas", &params, &gas))
        return false;
    kl_buf_init(&params, MEMORY_MAX);
    put_hex(&params, KL_SPAN_OF(from->b));
    kl_buf_str(&params, ",\"pending\"");
    if (!call_number(chain, "eth_getTransactionCount", &params, &nonce) ||
        !call_number(chain, "eth_gasPrice", NULL, &price))
        return false;
    tx->nonce = nonce.w[0];
    tx->gas_limit = gas.w[0] + gas.w[0] / 4;
    tx->max_fee = kl_u256_of(kl_add_sat_u64(kl_mul_sat_u64(price.w[0], 2), GWEI));
    tx->max_priority_fee = kl_u256_of(GWEI);
    return true;
}

/* Waits for its receipt. */
static bool settle(struct kl_validator_chain *chain, const kl_hash *hash)
{
    for (u64 start = kl_bench_now_ns(); kl_bench_now_ns() - start < RECEIPT_WAIT_NS;) {
        struct kl_buf params;
        struct kl_json json;
        kl_json_ref receipt;
        kl_buf_init(&params, MEMORY_MAX);
        put_hex(&params, kl_hash_span(hash));
        if (!call(chain, "eth_getTransactionReceipt", &params, &json, &receipt))
            return false;
        if (kl_json_is(&json, receipt, KL_JSON_OBJECT)) {
            kl_json_ref status = kl_json_member(&json, receipt, "status");
            if (status != KL_JSON_NONE && kl_json_equals(&json, status, "0x1"))
                return true;
            fprintf(stderr, "keel validator: the transaction failed in its block: something else "
                            "came first\n");
            return false;
        }
        kl_sys_nap(POLL_NS);
    }
    fprintf(stderr, "keel validator: sent, and in no block after 60 s; keel_status says why none "
                    "is made\n");
    return false;
}

bool kl_validator_send(struct kl_validator_chain *chain, const kl_secret32 *secret,
                       const kl_address *to, kl_u256 value, kl_span data)
{
    u8 raw[RAW_MAX];
    kl_out room = kl_out_of(raw, sizeof raw);
    kl_address from = kl_validator_account(secret);
    struct kl_buf params;
    struct kl_json json;
    kl_json_ref result;
    kl_hash digest;
    kl_tx tx = {.type = KL_TX_DYNAMIC_FEE,
                .has_to = true,
                .replay_safe = true,
                .to = to ? *to : kl_authority_address,
                .chain_id = chain->chain_id,
                .value = value,
                .data = data};
    if (!fill(chain, &tx, &from))
        return false;
    kl_arena_reset(&chain->arena, SIZE_MAX);
    if (kl_tx_signing_hash(&digest, &tx, &chain->arena) != KL_OK)
        return false;
    KL_ASSERT(kl_secp256k1_sign(&tx.signature, &digest, secret));
    kl_tx_encode(&room, &tx);
    KL_ASSERT(!room.full); /* ready(), the longest, is of 1 KiB */
    kl_hash hash = kl_keccak256(kl_span_of(raw, room.len));
    kl_buf_init(&params, MEMORY_MAX);
    put_hex(&params, kl_span_of(raw, room.len));
    return call(chain, "eth_sendRawTransaction", &params, &json, &result) && settle(chain, &hash);
}

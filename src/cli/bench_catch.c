/* A node that takes the others' state closes its server twice, and shows block 0 until it has it:
 * it is asked anew until its head is there. */
#include "cli/bench_catch.h"

#include <stdio.h>

#include "codec/hex.h"
#include "crypto/address.h"
#include "sys/env.h"

#define NS_PER_S   UINT64_C(1000000000)
#define NS_PER_MS  UINT64_C(1000000)
#define WAIT_NS    (300 * NS_PER_S)
#define POLL_NS    (2 * NS_PER_MS)
#define STATUS     "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"keel_status\",\"params\":[]}"
#define PARAMS_MAX 128

static u64 quantity(const struct kl_json *json, kl_json_ref object, const char *name)
{
    u64 value;
    kl_json_ref ref = kl_json_member(json, object, name);
    bool good = ref != KL_JSON_NONE && kl_hex_u64(&value, kl_json_raw(json, ref)) == KL_RULE_NONE;
    return good ? value : 0;
}

static void read_filled(kl_bench_caught *out, const struct kl_json *json, kl_json_ref status)
{
    kl_json_ref filled = kl_json_member(json, status, "filled");
    if (filled == KL_JSON_NONE)
        return;
    out->by_state = true;
    out->blocks = quantity(json, filled, "blocks");
    out->blocks_ms = quantity(json, filled, "blocksMs");
    out->leaves = quantity(json, filled, "stateLeaves");
    out->leaves_ms = quantity(json, filled, "stateMs");
}

/* Its head; connects again when it has to. */
static kl_status look(struct kl_bench_node *node, kl_bench_caught *out, u64 *number)
{
    struct kl_json json;
    *number = 0;
    kl_status status = kl_bench_post(node, KL_SPAN_TEXT(STATUS), &json);
    if (status == KL_IO)
        return kl_bench_node_again(node);
    KL_TRY(status);
    kl_json_ref result = kl_json_member(&json, 0, "result");
    if (result == KL_JSON_NONE)
        return KL_OK;
    *number = quantity(&json, result, "number");
    read_filled(out, &json, result);
    return KL_OK;
}

static kl_status wait_for(const struct kl_fleet *fleet, struct kl_bench_node *node,
                          kl_bench_caught *out, u64 start_ns)
{
    const volatile sig_atomic_t *stop = fleet->config.stop;
    while (kl_bench_now_ns() - start_ns < WAIT_NS) {
        u64 number;
        KL_TRY(look(node, out, &number));
        if (number >= out->height) {
            out->height = number; /* another one may have been made, whose state this is then */
            return KL_OK;
        }
        if (stop && *stop)
            return KL_CANCELED;
        kl_sys_nap(POLL_NS);
    }
    fprintf(stderr, "keel bench: a node does not catch up\n");
    return KL_TIMEOUT;
}

static kl_status check_block(struct kl_bench_node *a, struct kl_bench_node *b, u64 number)
{
    char params[PARAMS_MAX];
    snprintf(params, sizeof params, "[\"0x%llx\",true]", (unsigned long long)number);
    KL_TRY(kl_bench_same(a, b, "eth_getBlockByNumber", params));
    snprintf(params, sizeof params, "[\"0x%llx\"]", (unsigned long long)number);
    return kl_bench_same(a, b, "eth_getBlockReceipts", params);
}

/* Blocks and receipts from the whole chain, and a proof from the state of its head. */
static kl_status check_answers(struct kl_bench_node *a, struct kl_bench_node *b,
                               const kl_address *account, u64 height)
{
    char params[PARAMS_MAX], text[43];
    for (u64 number = 1; number < height; number += height / 4 + 1)
        KL_TRY(check_block(a, b, number));
    KL_TRY(check_block(a, b, height));
    kl_address_text(text, account);
    snprintf(params, sizeof params, "[\"%s\",[],\"0x%llx\"]", text, (unsigned long long)height);
    return kl_bench_same(a, b, "eth_getProof", params);
}

kl_status kl_bench_catch_up(struct kl_fleet *fleet, u32 late, bool by_blocks,
                            const kl_address *account, kl_bench_caught *out)
{
    struct kl_bench_node *other = &fleet->nodes[late ? 0 : 1], *node = &fleet->nodes[late];
    kl_bench_weight weight = {0};
    kl_bench_caught caught = {0};
    kl_fleet_end(fleet, late, SIGTERM);
    KL_TRY(kl_fleet_forget(fleet, late));
    KL_TRY(kl_bench_call_u64(other, "eth_blockNumber", "[]", &caught.height));
    fleet->by_blocks = by_blocks;
    u64 start_ns = kl_bench_now_ns();
    KL_TRY(kl_fleet_start(fleet, late));
    KL_TRY(wait_for(fleet, node, &caught, start_ns));
    KL_TRY(check_answers(node, other, account, caught.height));
    caught.took_ns = kl_bench_now_ns() - start_ns;
    if (kl_bench_weigh(node, &weight))
        caught.cpu_ns = weight.cpu_ns;
    *out = caught;
    return KL_OK;
}

/* Every method, on a small chain: whatever is asked, the answer is JSON that says either what was
 * found or what was wrong with the question, within its limit, and the chain can be asked on.
 *
 * Input: requests, one a line, answered one after the other by the same chain.  It begins with two
 * blocks, in the second of which account 1 called 0x…cc; that contract writes, logs, and gives back
 * what it was given. */
#include <stdarg.h>
#include <stdio.h>

#include "base/fuzz.h"
#include "base/test.h"
#include "rpc/chain_rig_priv.h"
#include "rpc/jsonrpc.h"

enum { LINES_MAX = 8, BLOCKS_MAX = 32, RESPONSE_MAX = 1 << 20 };

/* What the rig asks of a test: here a failed check is a bug like any other. */
void kl_test_add(KL_UNUSED struct kl_test *test)
{
}

_Noreturn void kl_test_fail(const char *file, int line, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    vfprintf(stderr, format, args);
    va_end(args);
    kl_panic(file, line, "the rig failed");
}

kl_span kl_test_hex(KL_UNUSED const char *hex)
{
    KL_UNREACHABLE();
}

/* What the rig has not, and less of what could take for ever. */
static kl_status (*rig_mine)(struct kl_rpc_backend *backend, u64 count, u64 spacing);
static u64 blocks_left;

static kl_status mine(struct kl_rpc_backend *backend, u64 count, u64 spacing)
{
    if (count > blocks_left)
        return KL_CANCELED;
    blocks_left -= count;
    return rig_mine(backend, count, spacing % 1000000);
}

static bool drop(KL_UNUSED struct kl_rpc_backend *backend, KL_UNUSED const kl_hash *hash)
{
    return false;
}

static void clear(KL_UNUSED struct kl_rpc_backend *backend)
{
}

static void set_automine(KL_UNUSED struct kl_rpc_backend *backend, KL_UNUSED bool on)
{
}

static void set_interval(KL_UNUSED struct kl_rpc_backend *backend, KL_UNUSED u64 ns)
{
}

static u64 interval_ns(KL_UNUSED struct kl_rpc_backend *backend)
{
    return 0;
}

static usize peer_count(KL_UNUSED struct kl_rpc_backend *backend)
{
    return 0;
}

static kl_rpc_network network(KL_UNUSED struct kl_rpc_backend *backend)
{
    return (kl_rpc_network){0};
}

static kl_status health(KL_UNUSED struct kl_rpc_backend *backend)
{
    return KL_OK;
}

static void ask(struct chain_rig *rig, kl_span request)
{
    struct kl_json json;
    struct kl_arena arena;
    kl_rule broken;
    usize at;
    kl_buf_clear(&rig->out);
    kl_rpc_worker_begin(&rig->worker);
    KL_ASSERT(kl_jsonrpc_serve(&rig->worker, NULL, request, &rig->out));
    kl_rpc_worker_end(&rig->worker);
    if (rig->out.len == 0)
        return;
    kl_arena_init(&arena, 1 << 28);
    KL_ASSERT(kl_json_parse(&json, kl_buf_view(&rig->out), 1 << 22, &arena, &broken, &at) == KL_OK);
    KL_ASSERT(broken == KL_RULE_NONE);
    if (kl_json_is(&json, 0, KL_JSON_OBJECT))
        KL_ASSERT((kl_json_member(&json, 0, "result") == KL_JSON_NONE) !=
                  (kl_json_member(&json, 0, "error") == KL_JSON_NONE));
    /* an error may repeat what was asked */
    KL_ASSERT(rig->out.len <= RESPONSE_MAX + 8 * (KL_RPC_MESSAGE_MAX * 6 + 2 * request.len + 200));
    kl_arena_done(&arena);
}

static void must(struct chain_rig *rig, const char *method, const char *params)
{
    kl_span answer = chain_rig_ask(rig, method, params);
    KL_ASSERT(kl_span_eq(kl_span_sub(answer, 0, 9), KL_SPAN_TEXT("\"result\":")));
}

static void open_rig(struct chain_rig *rig, struct kl_rpc_backend_ops *ops)
{
    chain_rig_init(rig);
    rig_mine = rig->backend.ops->mine;
    blocks_left = BLOCKS_MAX;
    *ops = *rig->backend.ops;
    ops->mine = mine;
    ops->pool_drop = drop;
    ops->pool_clear = clear;
    ops->set_automine = set_automine;
    ops->set_interval = set_interval;
    ops->interval_ns = interval_ns;
    ops->peer_count = peer_count;
    ops->network = network;
    ops->health = health;
    rig->backend.ops = ops;
    rig->config.limits.response_bytes = RESPONSE_MAX;
    must(rig, "hardhat_setCode",
         "[\"" RIG_C "\",\"0x366000600037600160005560203660016000a1366000f3\"]");
    must(rig, "evm_mine", "[]");
    must(rig, "eth_sendTransaction",
         "[{\"from\":\"0x7e5f4552091a69125d5dfcb7b8c2659029395bdf\",\"to\":\"" RIG_C
         "\",\"gas\":\"0x30d40\",\"data\":\"0x0102\"}]");
}

int LLVMFuzzerTestOneInput(const u8 *bytes, usize len)
{
    static struct chain_rig rig;
    struct kl_rpc_backend_ops ops;
    kl_span rest = kl_span_of(bytes, len);
    open_rig(&rig, &ops);
    for (usize i = 0; i < LINES_MAX && rest.len; i++) {
        const u8 *end = memchr(rest.p, '\n', rest.len);
        usize line = end ? (usize)(end - rest.p) : rest.len;
        ask(&rig, kl_span_sub(rest, 0, line));
        rest = kl_span_sub(rest, line + 1, SIZE_MAX);
    }
    must(&rig, "eth_blockNumber", "[]");
    chain_rig_done(&rig);
    return 0;
}

/* Dev methods over a backend that writes down what it is asked for.  What they need of a chain is
 * tested with one. */
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>

#include "base/test.h"
#include "rpc/fake_priv.h"
#include "rpc/jsonrpc.h"
#include "rpc/worker_priv.h"

#define A "0x00000000000000000000000000000000000000aa"
#define H "0x1111111111111111111111111111111111111111111111111111111111111111"

struct recorder {
    struct kl_rpc_backend backend;
    struct kl_buf said;
    kl_rule broken; /* what the next operation breaks */
    bool automine, has_tx;
    u64 interval_ns;
};

static struct recorder *of(struct kl_rpc_backend *backend)
{
    return (struct recorder *)backend;
}

KL_PRINTF(2, 3) static void say(struct kl_rpc_backend *backend, const char *format, ...)
{
    char text[256];
    va_list args;
    va_start(args, format);
    int len = vsnprintf(text, sizeof text, format, args);
    va_end(args);
    CHECK(len >= 0 && (usize)len < sizeof text);
    if (of(backend)->said.len)
        kl_buf_str(&of(backend)->said, "; ");
    kl_buf_str(&of(backend)->said, text);
}

static kl_status record_dev(struct kl_rpc_backend *backend, kl_devop *op, kl_rule *broken)
{
    *broken = of(backend)->broken;
    say(backend, "%s %02x %" PRIx64 " %" PRIx64 " %" PRIx64 " %" PRId64 " %zu %d",
        kl_devop_name(op->kind), op->address.b[19], op->key.w[0], op->value.w[0], op->number,
        op->seconds, op->code.len, op->flag);
    if (op->kind == KL_DEVOP_SNAPSHOT)
        op->number = 17;
    return KL_OK;
}

static kl_status record_mine(struct kl_rpc_backend *backend, u64 count, u64 spacing)
{
    say(backend, "mine %" PRIu64 " %" PRIu64, count, spacing);
    return KL_OK;
}

static bool automine(struct kl_rpc_backend *backend)
{
    return of(backend)->automine;
}

static void set_automine(struct kl_rpc_backend *backend, bool on)
{
    of(backend)->automine = on;
    say(backend, "automine %d", on);
}

static u64 interval(struct kl_rpc_backend *backend)
{
    return of(backend)->interval_ns;
}

static void set_interval(struct kl_rpc_backend *backend, u64 interval_ns)
{
    of(backend)->interval_ns = interval_ns;
    say(backend, "interval %" PRIu64, interval_ns);
}

static bool drop(struct kl_rpc_backend *backend, const kl_hash *hash)
{
    say(backend, "drop %02x", hash->b[0]);
    return of(backend)->has_tx;
}

static void clear(struct kl_rpc_backend *backend)
{
    say(backend, "clear");
}

static kl_status content(struct kl_rpc_backend *backend, struct kl_arena *arena,
                         kl_rpc_pooled **out, usize *count)
{
    (void)backend;
    kl_rpc_pooled *all = KL_ZERO(arena, kl_rpc_pooled, 3);
    if (!all)
        return KL_NOMEM;
    for (u8 i = 0; i < 3; i++) {
        all[i].tx.sender.b[19] = i == 1 ? 0xbb : 0xaa;
        all[i].tx.hash.b[0] = i;
    }
    *out = all;
    *count = 3;
    return KL_OK;
}

static void recorder_init(struct recorder *r)
{
    static const struct kl_rpc_backend_ops ops = {
        .dev = record_dev,
        .mine = record_mine,
        .automine = automine,
        .set_automine = set_automine,
        .interval_ns = interval,
        .set_interval = set_interval,
        .pool_drop = drop,
        .pool_clear = clear,
        .pool_content = content,
    };
    *r = (struct recorder){.backend = {.ops = &ops}};
    kl_buf_init(&r->said, 10000);
}

/* The call is answered so, and has asked the backend for this. */
static void check(struct recorder *r, const char *method, const char *params, const char *answer,
                  const char *said)
{
    kl_rpc_config config = kl_fake_config();
    config.backend = &r->backend;
    config.dev = true;
    struct kl_rpc_core core = {.config = &config, .methods = kl_rpc_methods};
    struct kl_rpc_worker worker;
    struct kl_buf sent, out;
    kl_rpc_worker_init(&worker, &core);
    kl_rpc_worker_begin(&worker);
    kl_buf_init(&sent, 1000);
    kl_buf_init(&out, 1000);
    kl_buf_clear(&r->said);
    kl_buf_str(&sent, "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"");
    kl_buf_str(&sent, method);
    kl_buf_str(&sent, "\",\"params\":");
    kl_buf_str(&sent, params);
    kl_buf_str(&sent, "}");
    CHECK(kl_jsonrpc_serve(&worker, NULL, kl_buf_view(&sent), &out));
    kl_span start = KL_SPAN_TEXT("{\"jsonrpc\":\"2.0\",\"id\":1,\"");
    CHECK(out.len > start.len);
    kl_span body = kl_span_sub(kl_buf_view(&out), start.len, out.len - start.len - 1);
    kl_span head = answer[0] == '!' ? KL_SPAN_TEXT("error\":{\"code\":-32602,\"message\":")
                                    : KL_SPAN_TEXT("result\":");
    CHECK_SPAN(kl_span_sub(body, 0, head.len), head);
    usize end = answer[0] == '!';
    CHECK_SPAN(kl_span_sub(body, head.len, body.len - head.len - end), kl_span_str(answer + end));
    CHECK_SPAN(kl_buf_view(&r->said), kl_span_str(said));
    kl_buf_done(&sent);
    kl_buf_done(&out);
    kl_rpc_worker_end(&worker);
    kl_rpc_worker_done(&worker);
}

KL_TEST(dev_accounts_are_set)
{
    struct recorder r;
    recorder_init(&r);
    check(&r, "anvil_setBalance", "[\"" A "\",\"0x10\"]", "null", "setBalance aa 0 10 0 0 0 0");
    check(&r, "hardhat_setBalance", "[\"" A "\",16]", "null", "setBalance aa 0 10 0 0 0 0");
    check(&r, "tenderly_setBalance", "[\"" A "\",\"16\"]", "null", "setBalance aa 0 10 0 0 0 0");
    check(&r, "anvil_setBalance", "[\"" A "\"]", "!\"missing value for required argument 1\"", "");
    check(&r, "anvil_setNonce", "[\"" A "\",\"0x7\"]", "null", "setNonce aa 0 0 7 0 0 0");
    check(&r, "evm_setAccountNonce", "[\"" A "\",7]", "null", "setNonce aa 0 0 7 0 0 0");
    check(&r, "hardhat_setNonce", "[\"" A "\",\"0x10000000000000000\"]",
          "!\"invalid argument 1: number > 64 bits\"", "");
    check(&r, "anvil_setCode", "[\"" A "\",\"0x6001\"]", "null", "setCode aa 0 0 0 0 2 0");
    check(&r, "hardhat_setCode", "[\"" A "\",\"0x\"]", "null", "setCode aa 0 0 0 0 0 0");
    check(&r, "anvil_setStorageAt", "[\"" A "\",\"0x1\",\"" H "\"]", "true",
          "setStorageAt aa 1 1111111111111111 0 0 0 0");
    check(&r, "hardhat_setStorageAt", "[\"" A "\",2,\"0x3\"]", "true",
          "setStorageAt aa 2 3 0 0 0 0");
    kl_buf_done(&r.said);
}

KL_TEST(dev_accounts_are_impersonated)
{
    struct recorder r;
    recorder_init(&r);
    check(&r, "anvil_impersonateAccount", "[\"" A "\"]", "null",
          "impersonateAccount aa 0 0 0 0 0 1");
    check(&r, "hardhat_stopImpersonatingAccount", "[\"" A "\"]", "null",
          "impersonateAccount aa 0 0 0 0 0 0");
    check(&r, "anvil_autoImpersonateAccount", "[true]", "null",
          "autoImpersonateAccount 00 0 0 0 0 0 1");
    check(&r, "anvil_autoImpersonateAccount", "[1]",
          "!\"invalid argument 0: true or false expected\"", "");
    kl_buf_done(&r.said);
}

KL_TEST(dev_chain_goes_back_to_a_snapshot)
{
    struct recorder r;
    recorder_init(&r);
    check(&r, "evm_snapshot", "[]", "\"0x11\"", "snapshot 00 0 0 0 0 0 0");
    check(&r, "evm_revert", "[\"0x11\"]", "true", "revert 00 0 0 11 0 0 0");
    check(&r, "anvil_revert", "[17]", "true", "revert 00 0 0 11 0 0 0");
    r.broken = KL_RULE_DEV_SNAPSHOT;
    check(&r, "evm_revert", "[\"17\"]", "false", "revert 00 0 0 11 0 0 0");
    check(&r, "evm_revert", "[\"0x10000000000000000\"]", "false", "");
    check(&r, "evm_revert", "[0]", "false", "");
    r.broken = KL_RULE_NONE;
    check(&r, "anvil_reset", "[]", "null", "clear; revert 00 0 0 0 0 0 0");
    check(&r, "hardhat_reset", "[{}]", "null", "clear; revert 00 0 0 0 0 0 0");
    check(&r, "hardhat_reset", "[{\"forking\":{\"jsonRpcUrl\":\"http://x\"}}]",
          "!\"invalid argument 0: forking is not supported\"", "");
    kl_buf_done(&r.said);
}

KL_TEST(dev_next_blocks_are_shaped)
{
    struct recorder r;
    recorder_init(&r);
    check(&r, "evm_setBlockGasLimit", "[\"0x1c9c380\"]", "true",
          "setBlockGasLimit 00 0 0 1c9c380 0 0 0");
    check(&r, "anvil_setBlockGasLimit", "[\"0xffffffffffffffffffff\"]", "true",
          "setBlockGasLimit 00 0 0 7fffffffffffffff 0 0 0");
    check(&r, "hardhat_setCoinbase", "[\"" A "\"]", "null", "setCoinbase aa 0 0 0 0 0 0");
    check(&r, "anvil_setNextBlockBaseFeePerGas", "[\"0x7\"]", "null",
          "setNextBlockBaseFeePerGas 00 0 7 0 0 0 0");
    check(&r, "hardhat_setNextBlockBaseFeePerGas", "[\"0xffffffffffffffffffff\"]", "null",
          "setNextBlockBaseFeePerGas 00 0 ffffffffffffffff 0 0 0 0");
    check(&r, "hardhat_setPrevRandao", "[\"0x5\"]", "true", "setPrevRandao 00 0 5 0 0 0 0");
    check(&r, "anvil_setNextBlockPrevRandao", "[\"" H "\"]", "null",
          "setPrevRandao 00 0 1111111111111111 0 0 0 0");
    kl_buf_done(&r.said);
}

KL_TEST(dev_blocks_are_mined_by_hand)
{
    struct recorder r;
    recorder_init(&r);
    check(&r, "anvil_mine", "[]", "null", "mine 1 0");
    check(&r, "hardhat_mine", "[\"0x3\"]", "null", "mine 3 0");
    check(&r, "hardhat_mine", "[null,null]", "null", "mine 1 0");
    check(&r, "anvil_mine", "[0]", "null", "");
    check(&r, "anvil_mine", "[\"70\"]", "null", "mine 64 0; mine 6 0");
    check(&r, "anvil_mine", "[65,\"0xa\"]", "null",
          "increaseTime 00 0 0 0 10 0 0; mine 64 10; increaseTime 00 0 0 0 10 0 0; mine 1 10");
    check(&r, "evm_mine", "[]", "\"0x0\"", "mine 1 0");
    check(&r, "evm_mine", "[null]", "\"0x0\"", "mine 1 0");
    check(&r, "evm_mine", "[{\"blocks\":3}]", "\"0x0\"", "mine 3 0");
    check(&r, "evm_mine", "[{\"blocks\":[]}]", "!\"invalid argument 0: blocks: number expected\"",
          "");
    kl_buf_done(&r.said);
}

KL_TEST(dev_blocks_come_in_one_way_at_a_time)
{
    struct recorder r;
    recorder_init(&r);
    r.automine = true;
    check(&r, "anvil_getAutomine", "[]", "true", "");
    check(&r, "evm_setAutomine", "[true]", "null", "automine 1");
    check(&r, "evm_setIntervalMining", "[2]", "null", "automine 0; interval 2000000000");
    check(&r, "hardhat_getAutomine", "[]", "false", "");
    check(&r, "anvil_getIntervalMining", "[]", "2", "");
    check(&r, "evm_setAutomine", "[true]", "null", "interval 0; automine 1");
    check(&r, "anvil_setIntervalMining", "[0]", "null", "automine 0; interval 0");
    check(&r, "anvil_getIntervalMining", "[]", "null", "");
    kl_buf_done(&r.said);
}

KL_TEST(dev_transactions_are_dropped)
{
    struct recorder r;
    recorder_init(&r);
    check(&r, "anvil_dropTransaction", "[\"" H "\"]", "null", "drop 11");
    r.has_tx = true;
    check(&r, "hardhat_dropTransaction", "[\"" H "\"]", "\"" H "\"", "drop 11");
    check(&r, "anvil_dropAllTransactions", "[]", "null", "clear");
    check(&r, "anvil_removePoolTransactions", "[\"" A "\"]", "null", "drop 00; drop 02");
    kl_buf_done(&r.said);
}

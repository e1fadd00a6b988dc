/* debug_trace* over a chain: what a trace is of is what was executed. */
#include <stdio.h>

#include "base/test.h"
#include "rpc/chain_rig_priv.h"

/* Adds 1 to slot 0 and logs nothing: PUSH0 SLOAD PUSH1 1 ADD PUSH0 SSTORE PUSH0 PUSH0 LOG0. */
#define COUNTER "5f546001015f555f5fa0"
/* Returns NUMBER and TIMESTAMP, a byte each. */
#define CLOCK            \
    "435f53426001536002" \
    "5ff3"

#define LOGS "{\"tracer\":\"callTracer\",\"tracerConfig\":{\"withLog\":true}}"
#define BARE "{\"disableStack\":true}"

/* Sends from the first account to an address; the hash is the text of the answer. */
static void send(struct chain_rig *rig, const char *to, char hash[67])
{
    kl_span answer =
        chain_rig_askf(rig, "eth_sendTransaction",
                       "[{\"to\":\"%s\",\"gas\":\"0x186a0\",\"maxFeePerGas\":\"0x77359400\"}]", to);
    kl_span head = KL_SPAN_TEXT("\"result\":\"");
    CHECK_SPAN(kl_span_sub(answer, 0, head.len), head);
    CHECK(answer.len == head.len + 67);
    memcpy(hash, answer.p + head.len, 66);
    hash[66] = 0;
}

/* How often text stands in the last answer. */
static usize count(const struct chain_rig *rig, const char *text)
{
    usize n = 0, len = strlen(text);
    for (usize i = 0; i + len <= rig->out.len; i++)
        n += memcmp(rig->out.p + i, text, len) == 0;
    return n;
}

/* The second transaction of a block finds what the first has left, after what a dev operation has
 * put below the block; later blocks and operations change nothing. */
KL_TEST(debug_traces_a_transaction_where_it_was)
{
    struct chain_rig rig;
    char first[67], second[67];
    chain_rig_init(&rig);
    chain_rig_code(&rig, RIG_C, COUNTER);
    send(&rig, RIG_C, first);
    chain_rig_check(&rig, "anvil_setStorageAt", "[\"" RIG_C "\",0,64]", "\"result\":true");
    rig.automine = false;
    send(&rig, RIG_C, first);
    send(&rig, RIG_C, second);
    chain_rig_mine(&rig);
    for (int later = 0; later < 2; later++) {
        chain_rig_askf(&rig, "debug_traceTransaction", "[\"%s\"]", first);
        chain_rig_has(&rig, "\"op\":\"ADD\",\"gas\":76895,\"gasCost\":3,\"depth\":1,"
                            "\"stack\":[\"0x40\",\"0x1\"]");
        chain_rig_askf(&rig, "debug_traceTransaction", "[\"%s\",{}]", second);
        chain_rig_has(&rig, "\"stack\":[\"0x41\",\"0x1\"]");
        chain_rig_askf(&rig, "debug_traceTransaction", "[\"%s\"," LOGS "]", first);
        chain_rig_has(&rig, "\"index\":\"0x0\"");
        chain_rig_askf(&rig, "debug_traceTransaction", "[\"%s\"," LOGS "]", second);
        chain_rig_has(&rig, "\"index\":\"0x1\"");
        chain_rig_has(&rig, "\"gas\":\"0x186a0\",\"gasUsed\":\"0x6715\"");
        chain_rig_code(&rig, RIG_C, "00");
        chain_rig_mine(&rig);
    }
    chain_rig_done(&rig);
}

KL_TEST(debug_traces_a_block)
{
    struct chain_rig rig;
    char first[67], second[67], want[400];
    chain_rig_init(&rig);
    chain_rig_code(&rig, RIG_C, "00");
    rig.automine = false;
    send(&rig, RIG_C, first);
    send(&rig, RIG_C, second);
    chain_rig_mine(&rig);
    snprintf(want, sizeof want,
             "\"result\":[{\"txHash\":\"%s\",\"result\":{}},{\"txHash\":\"%s\",\"result\":{}}]",
             first, second);
    chain_rig_check(&rig, "debug_traceBlockByNumber", "[\"0x1\",{\"tracer\":\"noopTracer\"}]",
                    want);
    chain_rig_check(&rig, "debug_traceBlockByNumber", "[\"latest\",{\"tracer\":\"noopTracer\"}]",
                    want);
    struct kl_tip *head = kl_chain_head(rig.chain);
    char hash[67] = "0x";
    for (usize i = 0; i < sizeof head->hash; i++)
        snprintf(hash + 2 + 2 * i, 3, "%02x", head->hash.b[i]);
    kl_tip_unref(head);
    chain_rig_askf(&rig, "debug_traceBlockByHash", "[\"%s\",{\"tracer\":\"noopTracer\"}]", hash);
    chain_rig_answered(&rig, want);
    chain_rig_ask(&rig, "debug_traceBlockByNumber", "[\"0x1\"," BARE "]");
    CHECK(count(&rig, "\"structLogs\":[{\"pc\":0,\"op\":\"STOP\"") == 2);
    chain_rig_mine(&rig);
    chain_rig_check(&rig, "debug_traceBlockByNumber", "[\"0x2\"]", "\"result\":[]");
    chain_rig_done(&rig);
}

#define INPUT_ERROR(text) "\"error\":{\"code\":-32000,\"message\":\"" text "\"}"

KL_TEST(debug_says_what_cannot_be_traced)
{
    struct chain_rig rig;
    chain_rig_init(&rig);
    chain_rig_check(&rig, "debug_traceTransaction",
                    "[\"0x1111111111111111111111111111111111111111111111111111111111111111\"]",
                    INPUT_ERROR("transaction not found"));
    chain_rig_check(&rig, "debug_traceBlockByHash",
                    "[\"0x1111111111111111111111111111111111111111111111111111111111111111\"]",
                    INPUT_ERROR("block not found"));
    chain_rig_check(&rig, "debug_traceBlockByNumber", "[\"0x7\"]",
                    INPUT_ERROR("block #7 not found"));
    chain_rig_check(&rig, "debug_traceBlockByNumber", "[\"earliest\"]",
                    INPUT_ERROR("genesis is not traceable"));
    chain_rig_check(&rig, "debug_traceBlockByNumber", "[\"pending\"]",
                    INPUT_ERROR("tracing on top of pending is not supported"));
    chain_rig_check(&rig, "debug_traceCall", "[{},\"pending\"]",
                    INPUT_ERROR("tracing on top of pending is not supported"));
    chain_rig_check(&rig, "debug_traceCall", "[{},\"latest\",{\"txIndex\":\"0x0\"}]",
                    "\"error\":{\"code\":-32602,\"message\":\"invalid argument 2: txIndex: not "
                    "supported\"}");
    chain_rig_check(
        &rig, "debug_traceCall", "[{\"value\":\"0x1\"},\"latest\"]",
        INPUT_ERROR("tracing failed: insufficient funds for gas * price + value: "
                    "address 0x0000000000000000000000000000000000000000 have 0 want 1"));
    chain_rig_done(&rig);
}

/* At a block, with what is overridden. */
KL_TEST(debug_traces_a_call)
{
    struct chain_rig rig;
    chain_rig_init(&rig);
    chain_rig_code(&rig, RIG_C, CLOCK);
    chain_rig_mine(&rig);
    chain_rig_ask(&rig, "debug_traceCall", "[{\"to\":\"" RIG_C "\"},\"latest\"," BARE "]");
    chain_rig_has(&rig, "\"gas\":21023,\"failed\":false,\"returnValue\":\"0x01e8\"");
    chain_rig_ask(&rig, "debug_traceCall",
                  "[{\"to\":\"" RIG_C "\"},\"0x0\",{\"blockOverrides\":{\"number\":\"0x5\","
                  "\"time\":\"0x6\"}}]");
    chain_rig_has(&rig, "\"returnValue\":\"0x0506\"");
    chain_rig_ask(&rig, "debug_traceCall",
                  "[{\"to\":\"" RIG_D "\"},\"latest\",{\"stateOverrides\":{\"" RIG_D
                  "\":{\"code\":\"0x60aa5f5360015ffd\"}},\"disableStack\":true}]");
    chain_rig_has(&rig, "\"failed\":true,\"returnValue\":\"0xaa\"");
    chain_rig_done(&rig);
}

/* An answer may not be longer than any other. */
KL_TEST(debug_bounds_its_answer)
{
    struct chain_rig rig;
    chain_rig_init(&rig);
    rig.config.limits.response_bytes = 100000;
    chain_rig_code(&rig, RIG_C, "5b5f56"); /* for ever */
    chain_rig_check(&rig, "debug_traceCall", "[{\"to\":\"" RIG_C "\"}]",
                    "\"error\":{\"code\":-32005,\"message\":\"response too large\"}");
    chain_rig_ask(&rig, "debug_traceCall", "[{\"to\":\"" RIG_C "\"},\"latest\",{\"limit\":999}]");
    CHECK(rig.out.len > 999 && rig.out.len < 1500);
    chain_rig_has(&rig, "\"gas\":50000000,\"failed\":true");
    chain_rig_done(&rig);
}

#include "rpc/jsonrpc.h"

#include <stdio.h>

#include "base/test.h"
#include "rpc/fake_priv.h"
#include "rpc/worker_priv.h"

struct rig {
    kl_rpc_config config;
    struct kl_rpc_core core;
    struct kl_rpc_worker worker;
    struct kl_buf out;
};

static void rig_open(struct rig *rig)
{
    rig->config = kl_fake_config();
    rig->core = (struct kl_rpc_core){.config = &rig->config, .methods = kl_fake_methods};
    kl_rpc_worker_init(&rig->worker, &rig->core);
    kl_buf_init(&rig->out, SIZE_MAX / 2);
}

static void rig_close(struct rig *rig)
{
    kl_rpc_worker_done(&rig->worker);
    kl_buf_done(&rig->out);
}

static kl_span ask(struct rig *rig, kl_span text)
{
    kl_buf_clear(&rig->out);
    kl_buf_str(&rig->out, "head");
    kl_rpc_worker_begin(&rig->worker);
    CHECK(kl_jsonrpc_serve(&rig->worker, NULL, text, &rig->out));
    kl_rpc_worker_end(&rig->worker);
    CHECK(rig->out.len >= 4 && memcmp(rig->out.p, "head", 4) == 0);
    return kl_span_of(rig->out.p + 4, rig->out.len - 4);
}

static void check(const char *sent, const char *want)
{
    struct rig rig;
    rig_open(&rig);
    kl_span got = ask(&rig, kl_span_str(sent));
    if (!kl_span_eq(got, kl_span_str(want)))
        kl_test_fail(__FILE__, __LINE__, "%s\ngave\n%.*s\nnot\n%s", sent, (int)got.len,
                     (const char *)got.p, want);
    rig_close(&rig);
}

/* A call of fake_echo with these parts, "id": and "params": written out. */
#define ECHO(parts)      "{\"jsonrpc\":\"2.0\",\"method\":\"fake_echo\"" parts "}"
#define RESULT(id, text) "{\"jsonrpc\":\"2.0\",\"id\":" id ",\"result\":" text "}"
#define ERROR(id, code, message)                                                                   \
    "{\"jsonrpc\":\"2.0\",\"id\":" id ",\"error\":{\"code\":" code ",\"message\":\"" message "\"}" \
    "}"

KL_TEST(jsonrpc_ids_come_back_byte_for_byte)
{
    static const char *const ids[] = {
        "1",
        "0",
        "-1",
        "1.50",
        "1e3",
        "123456789012345678901234567890",
        "\"\"",
        "\"a\"",
        "null",
        "\"\\u0061\\n\\\"\"",
        "\"\xc3\xa9\"",
        "true",
        "false",
        "[1, 2]",
        "{ \"a\" : null }",
    };
    for (usize i = 0; i < KL_COUNT_OF(ids); i++) {
        char sent[256], want[256];
        snprintf(sent, sizeof sent, ECHO(",\"id\": %s ,\"params\":[7]"), ids[i]);
        snprintf(want, sizeof want, RESULT("%s", "7"), ids[i]);
        check(sent, want);
    }
}

KL_TEST(jsonrpc_params_of_every_form)
{
    check(ECHO(",\"id\":1"), RESULT("1", "null"));
    check(ECHO(",\"id\":1,\"params\":null"), RESULT("1", "null"));
    check(ECHO(",\"id\":1,\"params\":[]"), RESULT("1", "null"));
    check(ECHO(",\"id\":1,\"params\":[null]"), RESULT("1", "null"));
    check(ECHO(",\"id\":1,\"params\":[{\"a\":[1]}]"), RESULT("1", "{\"a\":[1]}"));
    check(ECHO(",\"id\":1,\"params\":[1,2]"), RESULT("1", "1"));
    check(ECHO(",\"id\":1,\"params\":{}"), RESULT("1", "null"));
    check(ECHO(",\"id\":1,\"params\":{\"more\":1,\"value\":2}"), RESULT("1", "2"));
    check(ECHO(",\"id\":1,\"params\":[1,2,3]"),
          ERROR("1", "-32602", "too many arguments, want at most 2"));
    check(ECHO(",\"id\":1,\"params\":{\"other\":1}"),
          ERROR("1", "-32602", "there is no argument of this name: other"));
    check(ECHO(",\"id\":1,\"params\":7"),
          ERROR("1", "-32602", "params must be an array or an object"));
    check(ECHO(",\"id\":1,\"params\":\"x\""),
          ERROR("1", "-32602", "params must be an array or an object"));
}

KL_TEST(jsonrpc_requests_that_are_none)
{
    check("{\"jsonrpc\":\"2.0\",\"id\":1}", ERROR("1", "-32600", "invalid request"));
    check("{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":7}", ERROR("1", "-32600", "invalid request"));
    check("{\"jsonrpc\":\"1.0\",\"id\":1,\"method\":\"fake_echo\"}",
          ERROR("1", "-32600", "invalid request"));
    check("{\"id\":\"q\",\"method\":\"fake_echo\"}", ERROR("\"q\"", "-32600", "invalid request"));
    check("{}", ERROR("null", "-32600", "invalid request"));
    check("7", ERROR("null", "-32600", "invalid request"));
    check("\"fake_echo\"", ERROR("null", "-32600", "invalid request"));
    check("", ERROR("null", "-32700", "parse error: json: not well-formed, at byte 0"));
    check("{\"jsonrpc\":\"2.0\"",
          ERROR("null", "-32700", "parse error: json: not well-formed, at byte 16"));
    check(ECHO("") "x", ERROR("null", "-32700", "parse error: json: not well-formed, at byte 38"));
}

KL_TEST(jsonrpc_unknown_methods)
{
    check("{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"eth_foo\"}",
          ERROR("1", "-32601", "the method eth_foo does not exist/is not available"));
    check("{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"fake_ech\"}",
          ERROR("1", "-32601", "the method fake_ech does not exist/is not available"));
    check("{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"\\\"\\u0001\"}",
          ERROR("1", "-32601", "the method \\\"\\u0001 does not exist/is not available"));
    check("{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"fake_dev\"}",
          ERROR("1", "-32601", "the method fake_dev does not exist/is not available"));
    check("{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"f\\u0061ke_echo\"}", RESULT("1", "null"));
    struct rig rig;
    rig_open(&rig);
    rig.config.dev = true;
    kl_span got = ask(&rig, KL_SPAN_TEXT("{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"fake_dev\"}"));
    CHECK_SPAN(got, KL_SPAN_TEXT(RESULT("1", "null")));
    rig_close(&rig);
}

KL_TEST(jsonrpc_errors_take_the_place_of_results)
{
    check("{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"fake_fail\"}",
          ERROR("1", "-32000", "invalid input"));
    check("{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"fake_fail\",\"params\":[99]}",
          ERROR("1", "-32000", "nonce too low"));
    check("{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"fake_revert\"}",
          "{\"jsonrpc\":\"2.0\",\"id\":1,\"error\":{\"code\":3,\"message\":\"execution reverted\","
          "\"data\":\"0x\"}}");
    check("{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"fake_revert\",\"params\":[\"0x08c379a0"
          "0000000000000000000000000000000000000000000000000000000000000020"
          "0000000000000000000000000000000000000000000000000000000000000004"
          "6e6f706500000000000000000000000000000000000000000000000000000000\"]}",
          "{\"jsonrpc\":\"2.0\",\"id\":1,\"error\":{\"code\":3,"
          "\"message\":\"execution reverted: nope\",\"data\":\"0x08c379a0"
          "0000000000000000000000000000000000000000000000000000000000000020"
          "0000000000000000000000000000000000000000000000000000000000000004"
          "6e6f706500000000000000000000000000000000000000000000000000000000\"}}");
    for (int error = 1; error < KL_RPC_ERROR_COUNT; error++) {
        char sent[128], want[256];
        snprintf(sent, sizeof sent,
                 "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"fake_fail\",\"params\":[%d]}", error);
        snprintf(want, sizeof want, ERROR("1", "%d", "%s"), kl_rpc_error_code((kl_rpc_error)error),
                 kl_rpc_error_text((kl_rpc_error)error));
        check(sent, want);
    }
}

KL_TEST(jsonrpc_notifications_get_no_answer)
{
    check(ECHO(",\"params\":[7]"), "");
    check("{\"jsonrpc\":\"2.0\",\"method\":\"fake_fail\"}", "");
    check("{\"jsonrpc\":\"2.0\",\"method\":\"unknown\"}", "");
    check("{\"jsonrpc\":\"2.0\",\"method\":\"fake_big\",\"params\":[5000]}", "");
    check("[" ECHO("") "," ECHO("") "]", "");
}

#define ONE ECHO(",\"id\":1,\"params\":[1]")

/* An address that calls too often gets errors in the place of results, in a batch too, and after a
 * while answers again. */
static u64 quota_ns;

static u64 quota_now(KL_UNUSED struct kl_clock *clock)
{
    return quota_ns;
}

KL_TEST(jsonrpc_calls_of_an_address_are_counted)
{
    static struct kl_quota quota;
    struct kl_clock clock = {.mono_ns = quota_now, .wall_ns = quota_now};
    const kl_tcp_address address = {.ip = {192, 0, 2, 1}};
    const kl_span one = kl_span_str(ECHO(",\"id\":1,\"params\":[]"));
    const char *two = "[" ECHO(",\"id\":1,\"params\":[]") "," ECHO(",\"id\":2,\"params\":[]") "]";
    struct rig rig;
    rig_open(&rig);
    rig.config.clock = &clock;
    kl_quota_init(&quota, 1, *seed);
    rig.core.quota = &quota;
    rig.worker.place = kl_quota_place(&quota, &address);
    quota_ns = 1000000000000;
    for (int i = 0; i < 3; i++)
        CHECK_SPAN(ask(&rig, one), kl_span_str(RESULT("1", "null")));
    CHECK_SPAN(ask(&rig, kl_span_str(two)),
               kl_span_str("[" RESULT("1", "null") "," ERROR(
                   "2", "-32005", "too many calls of one address; try again later") "]"));
    quota_ns += 1000000000;
    CHECK_SPAN(ask(&rig, one), kl_span_str(RESULT("1", "null")));
    rig.worker.place = KL_QUOTA_NO_PLACE;
    for (int i = 0; i < 100; i++)
        CHECK_SPAN(ask(&rig, one), kl_span_str(RESULT("1", "null")));
    rig_close(&rig);
}

KL_TEST(jsonrpc_batches)
{
    check("[]", ERROR("null", "-32600", "empty batch"));
    check("[" ONE "]", "[" RESULT("1", "1") "]");
    check(" [ " ONE " , " ONE " ] ", "[" RESULT("1", "1") "," RESULT("1", "1") "]");
    check("[" ECHO("") "," ONE "," ECHO("") "," ONE "," ECHO("") "]",
          "[" RESULT("1", "1") "," RESULT("1", "1") "]");
    check("[1,{}," ONE "]", "[" ERROR("null", "-32600", "invalid request") "," ERROR(
                                "null", "-32600", "invalid request") "," RESULT("1", "1") "]");
    check("[[]]", "[" ERROR("null", "-32600", "invalid request") "]");
    check("[" ONE "," ONE "," ONE "," ONE "," ONE "]",
          "[" RESULT("1", "1") "," RESULT("1", "1") "," RESULT("1", "1") "," RESULT(
              "1", "1") "," RESULT("1", "1") "]");
    check("[" ONE "," ONE "," ONE "," ONE "," ONE "," ONE "]",
          ERROR("null", "-32600", "batch too large"));
    check("[" ONE, ERROR("null", "-32700", "parse error: json: not well-formed, at byte 59"));
}

/* Results up to the limit, one byte beyond it, and what becomes of the rest of a batch. */
KL_TEST(jsonrpc_answers_are_bounded)
{
    struct rig rig;
    rig_open(&rig);
    usize frame = strlen(RESULT("1", ""));
    usize fits = (rig.config.limits.response_bytes - frame) / 2; /* "0,1,…": two bytes a number */
    CHECK((rig.config.limits.response_bytes - frame) % 2 == 1);  /* so that it can be exact */
    char sent[256];
    for (usize len = fits - 1; len <= fits + 1; len++) {
        snprintf(sent, sizeof sent,
                 "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"fake_big\",\"params\":[%zu]}", len);
        kl_span got = ask(&rig, kl_span_str(sent));
        if (len <= fits)
            CHECK_U64(got.len, frame + 2 * len + 1);
        else
            CHECK_SPAN(got, KL_SPAN_TEXT(ERROR("1", "-32005", "response too large")));
    }
    snprintf(sent, sizeof sent,
             "[" ONE ",{\"jsonrpc\":\"2.0\",\"id\":2,\"method\":\"fake_big\",\"params\":[%zu]}," ONE
             "]",
             fits);
    kl_span got = ask(&rig, kl_span_str(sent));
    CHECK_SPAN(got, KL_SPAN_TEXT("[" RESULT("1", "1") "," ERROR(
                        "2", "-32005", "response too large") "," ERROR("1", "-32005",
                                                                       "response too large") "]"));
    rig.config.limits.batch_bytes = 100;
    CHECK_SPAN(ask(&rig, KL_SPAN_TEXT("[" ONE "," ONE "," ONE "]")),
               KL_SPAN_TEXT("[" RESULT("1", "1") "," RESULT("1", "1") "," ERROR(
                   "1", "-32005", "response too large") "]"));
    rig_close(&rig);
}

KL_TEST(jsonrpc_depth_and_size_are_bounded)
{
    struct rig rig;
    rig_open(&rig);
    char deep[200];
    memset(deep, '[', sizeof deep);
    kl_span got = ask(&rig, KL_SPAN_OF(deep));
    CHECK_SPAN(got, KL_SPAN_TEXT(ERROR("null", "-32700",
                                       "parse error: json: nested too deeply, at byte 64")));
    struct kl_buf many; /* more values than any honest request has */
    kl_buf_init(&many, 8 << 20);
    kl_buf_str(&many, "[0");
    for (int i = 0; i < 600000; i++)
        kl_buf_str(&many, ",0");
    kl_buf_str(&many, "]");
    got = ask(&rig, kl_buf_view(&many));
    kl_span start = KL_SPAN_TEXT("{\"jsonrpc\":\"2.0\",\"id\":null,\"error\":{\"code\":-32700,"
                                 "\"message\":\"parse error: json: too large");
    CHECK_SPAN(kl_span_sub(got, 0, start.len), start);
    kl_buf_done(&many);
    rig_close(&rig);
}

KL_TEST(jsonrpc_steady_work_takes_no_memory)
{
    struct rig rig;
    rig_open(&rig);
    (void)ask(&rig, kl_span_str(ONE));
    usize held = rig.worker.arena.held, cap = rig.out.cap;
    for (int i = 0; i < 1000; i++)
        (void)ask(&rig, kl_span_str("[" ONE "," ONE "]"));
    CHECK_U64(rig.worker.arena.held, held);
    CHECK_U64(rig.out.cap, cap);
    rig_close(&rig);
}

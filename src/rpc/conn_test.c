#include "rpc/conn_priv.h"

#include <stdio.h>

#include "base/test.h"
#include "rpc/conn_rig_priv.h"

static const u64 second = 1000000000;

static const kl_rpc_limits small = {
    .body_bytes = 5000,
    .header_timeout_ns = 30000000000,
    .idle_timeout_ns = 120000000000,
    .socket_queue_bytes = 1000,
    .buffer_bytes = 1 << 20,
};

#define DATE  "Date: " RIG_DATE "\r\n"
#define JSON  "Content-Type: application/json\r\n"
#define PLAIN "Content-Type: text/plain; charset=utf-8\r\n"
#define HOST  "Host: x\r\n"

static void check_out(struct rig *rig, const char *want)
{
    CHECK_SPAN(kl_buf_view(&rig->out), kl_span_str(want));
    kl_buf_clear(&rig->out);
}

static void feed(struct rig *rig, const char *text)
{
    (void)rig_feed(rig, kl_span_str(text));
}

/* Everything sent at once, what comes back, and whether the connection stays open. */
static void check_exchange(const char *sent, const char *want, bool stays)
{
    struct rig rig;
    rig_open(&rig, &small);
    feed(&rig, sent);
    check_out(&rig, want);
    CHECK(!rig.closed);
    CHECK(rig.finished == !stays);
    rig_end(&rig);
    CHECK(rig.closed);
    rig_close(&rig);
}

KL_TEST(conn_answers_a_post_and_waits_for_the_next)
{
    check_exchange("POST /x HTTP/1.1\r\n" HOST "Content-Length: 4\r\n\r\nabcd",
                   "HTTP/1.1 200 OK\r\n" DATE JSON "Content-Length: 6\r\n\r\n[abcd]", true);
    check_exchange("POST / HTTP/1.1\r\n" HOST "Content-Length: 0\r\n\r\n",
                   "HTTP/1.1 200 OK\r\n" DATE JSON "Content-Length: 2\r\n\r\n[]", true);
    check_exchange("POST / HTTP/1.1\r\n" HOST "Content-Length: 5\r\n\r\nquiet",
                   "HTTP/1.1 200 OK\r\n" DATE "Content-Length: 0\r\n\r\n", true);
    check_exchange("POST / HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n\r\n"
                   "2\r\nab\r\n2;x\r\ncd\r\n0\r\n\r\n",
                   "HTTP/1.1 200 OK\r\n" DATE JSON "Content-Length: 6\r\n\r\n[abcd]", true);
    check_exchange(
        "POST / HTTP/1.1\r\n" HOST "Content-Length: 1\r\nConnection: close\r\n\r\nx",
        "HTTP/1.1 200 OK\r\n" DATE JSON "Content-Length: 3\r\nConnection: close\r\n\r\n[x]", false);
    check_exchange("POST / HTTP/1.0\r\nConnection: keep-alive\r\nContent-Length: 1\r\n\r\nx",
                   "HTTP/1.1 200 OK\r\n" DATE JSON
                   "Content-Length: 3\r\nConnection: keep-alive\r\n\r\n[x]",
                   true);
    check_exchange(
        "POST / HTTP/1.0\r\nContent-Length: 1\r\n\r\nx",
        "HTTP/1.1 200 OK\r\n" DATE JSON "Content-Length: 3\r\nConnection: close\r\n\r\n[x]", false);
}

KL_TEST(conn_answers_what_is_no_call)
{
    static const char allow[] = "Allow: POST, GET, HEAD, OPTIONS\r\n";
    char want[512];
    check_exchange("GET / HTTP/1.1\r\n" HOST "\r\n",
                   "HTTP/1.1 200 OK\r\n" DATE PLAIN "Content-Length: 6\r\n\r\nhello\n", true);
    check_exchange("HEAD /?a=b HTTP/1.1\r\n" HOST "\r\n",
                   "HTTP/1.1 200 OK\r\n" DATE PLAIN "Content-Length: 6\r\n\r\n", true);
    check_exchange("GET /x HTTP/1.1\r\n" HOST "\r\n",
                   "HTTP/1.1 404 Not Found\r\n" DATE PLAIN "Content-Length: 36\r\n\r\n"
                   "404 Not Found: there is only / here\n",
                   true);
    snprintf(want, sizeof want, "HTTP/1.1 204 No Content\r\n" DATE "%s\r\n", allow);
    check_exchange("OPTIONS * HTTP/1.1\r\n" HOST "\r\n", want, true);
    snprintf(want, sizeof want,
             "HTTP/1.1 405 Method Not Allowed\r\n" DATE PLAIN
             "Content-Length: 51\r\n%s\r\n405 Method Not Allowed: JSON-RPC is spoken by POST\n",
             allow);
    check_exchange("PUT / HTTP/1.1\r\n" HOST "\r\n", want, true);
}

/* Sends a request that is refused; what was wrong must be in the answer, and the connection ends.
 */
static void check_refused(const char *sent, unsigned status, const char *why)
{
    struct rig rig;
    rig_open(&rig, &small);
    feed(&rig, sent);
    char start[32];
    int n = snprintf(start, sizeof start, "HTTP/1.1 %u ", status);
    kl_buf_bytes(&rig.out, "", 1);
    const char *out = (const char *)rig.out.p;
    if (strncmp(out, start, (usize)n) != 0 || !strstr(out, why) ||
        !strstr(out, "Connection: close"))
        kl_test_fail(__FILE__, __LINE__, "%s\nanswered with\n%s", sent, out);
    CHECK(rig.finished && rig.calls == 0);
    rig_end(&rig);
    CHECK(rig.closed);
    rig_close(&rig);
}

KL_TEST(conn_refusals_say_why)
{
    check_refused("nonsense\r\n\r\n", 400, "request line");
    check_refused("POST / HTTP/1.1\r\n\r\n", 400, "Host");
    check_refused("POST / HTTP/1.1\n"
                  "Host: x\n\n",
                  400, "request line");
    check_refused("POST / HTTP/1.1\r\n" HOST "\r\n", 411, "Content-Length");
    check_refused("POST / HTTP/1.1\r\n" HOST "Content-Length: 5001\r\n\r\n", 413, "too large");
    check_refused("POST / HTTP/1.1\r\n" HOST "Content-Length: 5001\r\nExpect: 100-continue\r\n\r\n",
                  413, "too large");
    check_refused("POST / HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n\r\n1389\r\n", 413,
                  "too large");
    check_refused("POST / HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n\r\nx", 400, "chunk");
    check_refused("POST / HTTP/1.1\r\n" HOST "Transfer-Encoding: gzip\r\n\r\n", 501, "chunked");
    check_refused("POST / HTTP/1.1\r\n" HOST "Expect: x\r\n\r\n", 417, "100-continue");
    check_refused("POST / HTTP/3.0\r\n" HOST "\r\n", 505, "HTTP/1.1");
    check_refused("GET / HTTP/1.1\r\n" HOST "Content-Length: 1\r\n\r\nx", 400, "only POST");
    check_refused("PUT / HTTP/1.1\r\n" HOST "Content-Length: 1\r\n\r\nx", 405, "Allow: POST");
    check_refused("GET / HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n\r\n", 400, "only POST");
    check_refused("POST / HTTP/1.1\r\n" HOST "Origin: https://evil.example\r\n"
                  "Content-Length: 1\r\n\r\nx",
                  403, "origin");
    check_refused("POST / HTTP/1.1\r\n" HOST
                  "Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n"
                  "0\r\n\r\nPOST / HTTP/1.1\r\n" HOST "Content-Length: 1\r\n\r\nx",
                  400, "exclude");
}

/* Heads and bodies at each bound, and one byte above it. */
KL_TEST(conn_bounds)
{
    static char sent[40000];
    for (usize total = KL_HTTP_HEAD_MAX - 1; total <= KL_HTTP_HEAD_MAX + 1; total++) {
        static const char start[] = "POST / HTTP/1.1\r\n" HOST "Content-Length: 1\r\nX: ";
        memcpy(sent, start, sizeof start - 1);
        memset(sent + sizeof start - 1, 'a', total);
        memcpy(sent + total - 4, "\r\n\r\nx", 6);
        struct rig rig;
        rig_open(&rig, &small);
        feed(&rig, sent);
        CHECK_U64(rig.calls, total <= KL_HTTP_HEAD_MAX);
        CHECK(rig.finished == (total > KL_HTTP_HEAD_MAX));
        rig_close(&rig);
    }
    for (usize len = small.body_bytes - 1; len <= small.body_bytes + 1; len++)
        for (int chunked = 0; chunked < 2; chunked++) {
            int n = chunked
                        ? snprintf(sent, sizeof sent,
                                   "POST / HTTP/1.1\r\n" HOST
                                   "Transfer-Encoding: chunked\r\n\r\n1\r\nx\r\n%zx\r\n",
                                   len - 1)
                        : snprintf(sent, sizeof sent,
                                   "POST / HTTP/1.1\r\n" HOST "Content-Length: %zu\r\n\r\n", len);
            memset(sent + n, 'y', len);
            strncpy(sent + n + len - (usize)chunked, chunked ? "\r\n0\r\n\r\n" : "", 16);
            struct rig rig;
            rig_open(&rig, &small);
            feed(&rig, sent);
            CHECK_U64(rig.calls, len <= small.body_bytes);
            CHECK(rig.finished == (len > small.body_bytes));
            rig_close(&rig);
        }
}

/* Property: however a client's bytes arrive, it gets the same bytes back. */
static void check_all_splits(const char *sent, const char *want, unsigned calls)
{
    usize len = strlen(sent);
    for (usize cut = 0; cut <= len; cut++) {
        struct rig rig;
        rig_open(&rig, &small);
        (void)rig_feed(&rig, kl_span_of(sent, cut));
        (void)rig_feed(&rig, kl_span_of(sent + cut, len - cut));
        CHECK_U64(rig.calls, calls);
        check_out(&rig, want);
        rig_close(&rig);
    }
    struct rig rig; /* and byte by byte, to a client that takes one byte at a time */
    rig_open(&rig, &small);
    rig.window = 0;
    for (usize i = 0; i < len;) {
        i += rig_feed(&rig, kl_span_of(sent + i, 1));
        rig.window = 1;
    }
    while (rig_run(&rig) == KL_CONN_WRITE)
        rig.window = 1;
    check_out(&rig, want);
    rig_close(&rig);
}

#define OK(len) "HTTP/1.1 200 OK\r\n" DATE JSON "Content-Length: " len "\r\n\r\n"

KL_TEST(conn_every_split_gives_the_same_answers)
{
    check_all_splits("POST / HTTP/1.1\r\n" HOST "Content-Length: 4\r\n\r\nabcd"
                     "POST / HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n\r\n"
                     "3\r\nabc\r\n1;q=v\r\nd\r\n0\r\nT: v\r\n\r\n"
                     "\r\nGET / HTTP/1.1\r\n" HOST "\r\n"
                     "POST / HTTP/1.1\r\n" HOST "Content-Length: 2\r\nConnection: close\r\n\r\nzz"
                     "POST / HTTP/1.1\r\n" HOST "Content-Length: 2\r\n\r\nafter the end",
                     OK("6") "[abcd]" OK("6") "[abcd]"
                                              "HTTP/1.1 200 OK\r\n" DATE PLAIN
                                              "Content-Length: 6\r\n\r\nhello\n"
                                              "HTTP/1.1 200 OK\r\n" DATE JSON
                                              "Content-Length: 4\r\nConnection: close\r\n\r\n"
                                              "[zz]",
                     3);
    check_all_splits(
        "POST / HTTP/1.1\r\n" HOST "Content-Length: 4\r\n\r\nabcdGET \r\n\r\n",
        OK("6") "[abcd]HTTP/1.1 400 Bad Request\r\n" DATE PLAIN "Content-Length: 46\r\n"
                "Connection: close\r\n\r\n400 Bad Request: http: malformed request line\n",
        1);
}

KL_TEST(conn_continue_is_sent_before_the_body_is_awaited)
{
    struct rig rig;
    rig_open(&rig, &small);
    feed(&rig, "POST / HTTP/1.1\r\n" HOST "Content-Length: 2\r\nExpect: 100-continue\r\n\r\n");
    check_out(&rig, "HTTP/1.1 100 Continue\r\n\r\n");
    feed(&rig, "ab");
    check_out(&rig, OK("4") "[ab]");
    feed(&rig, "POST / HTTP/1.1\r\n" HOST "Content-Length: 2\r\nExpect: 100-continue\r\n\r\nab");
    check_out(&rig, "HTTP/1.1 100 Continue\r\n\r\n" OK("4") "[ab]");
    rig_close(&rig);
}

KL_TEST(conn_cors)
{
    static const char preflight[] =
        "OPTIONS / HTTP/1.1\r\n" HOST "Origin: https://a.example\r\n"
        "Access-Control-Request-Method: POST\r\nAccess-Control-Request-Headers: content-type\r\n"
        "Access-Control-Request-Private-Network: true\r\n\r\n";
    struct rig rig;
    rig_open(&rig, &small);
    rig.env.cors = "*";
    feed(&rig, preflight);
    check_out(&rig, "HTTP/1.1 204 No Content\r\n" DATE "Access-Control-Allow-Origin: *\r\n"
                    "Access-Control-Allow-Methods: POST, GET, OPTIONS\r\n"
                    "Access-Control-Allow-Headers: Content-Type, Authorization, *\r\n"
                    "Access-Control-Max-Age: 600\r\nAccess-Control-Allow-Private-Network: true\r\n"
                    "Allow: POST, GET, HEAD, OPTIONS\r\n\r\n");
    feed(&rig, "POST / HTTP/1.1\r\n" HOST "Origin: null\r\nContent-Length: 1\r\n\r\nx");
    check_out(&rig, "HTTP/1.1 200 OK\r\n" DATE JSON
                    "Content-Length: 3\r\nAccess-Control-Allow-Origin: *\r\n\r\n[x]");
    rig_close(&rig);
    check_refused(preflight, 403, "origin"); /* where no origin is allowed */
}

/* Slow clients, on a clock of our own. */

KL_TEST(conn_header_has_a_deadline_as_a_whole)
{
    struct rig rig;
    rig_open(&rig, &small);
    feed(&rig, "POST / HTTP/1.1\r\nX: ");
    for (int i = 0; i < 29; i++) { /* a byte a second does not help */
        rig_wait(&rig, second);
        feed(&rig, "a");
        CHECK(rig.out.len == 0 && !rig.closed);
    }
    rig_wait(&rig, second);
    check_out(&rig, "HTTP/1.1 408 Request Timeout\r\n" DATE PLAIN "Content-Length: 57\r\n"
                    "Connection: close\r\n\r\n"
                    "408 Request Timeout: the request took too long to arrive\n");
    CHECK(rig.finished && !rig.closed);
    feed(&rig, "bbbbbb"); /* forgotten */
    rig_wait(&rig, 2 * second);
    CHECK(rig.closed);
    rig_close(&rig);
}

KL_TEST(conn_body_has_a_deadline_as_a_whole)
{
    static const char *const heads[] = {
        "POST / HTTP/1.1\r\n" HOST "Content-Length: 100\r\n\r\n",
        "POST / HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n\r\n64\r\n",
    };
    for (usize h = 0; h < KL_COUNT_OF(heads); h++) {
        struct rig rig;
        rig_open(&rig, &small);
        rig_wait(&rig, 29 * second);
        feed(&rig, heads[h]); /* the body's time begins with it */
        for (int i = 0; i < 29; i++) {
            rig_wait(&rig, second);
            feed(&rig, "a");
            CHECK(rig.out.len == 0);
        }
        rig_wait(&rig, second);
        CHECK(rig.out.len > 12 && memcmp(rig.out.p, "HTTP/1.1 408", 12) == 0);
        rig_close(&rig);
    }
}

KL_TEST(conn_at_rest_is_closed_in_silence)
{
    struct rig rig;
    rig_open(&rig, &small);
    rig_wait(&rig, 30 * second - 1);
    CHECK(!rig.closed);
    rig_wait(&rig, 1); /* a new connection gets the time of a header */
    CHECK(rig.closed && rig.out.len == 0);
    rig_close(&rig);

    rig_open(&rig, &small);
    feed(&rig, "POST / HTTP/1.1\r\n" HOST "Content-Length: 1\r\n\r\nx");
    kl_buf_clear(&rig.out);
    rig_wait(&rig, 120 * second - 1);
    CHECK(!rig.closed);
    rig_wait(&rig, 1);
    CHECK(rig.closed && rig.out.len == 0);
    rig_close(&rig);
}

KL_TEST(conn_client_that_does_not_read_is_dropped)
{
    static char sent[6000];
    int n = snprintf(sent, sizeof sent, "POST / HTTP/1.1\r\n" HOST "Content-Length: 5000\r\n\r\n");
    memset(sent + n, 'x', 5000);
    struct rig rig;
    rig_open(&rig, &small);
    rig.window = 10;
    feed(&rig, sent);
    CHECK_U64(rig.out.len, 10);
    CHECK_U64(rig_feed(&rig, KL_SPAN_TEXT("GET / HTTP/1.1\r\n\r\n")), 0); /* answers go first */
    for (int i = 0; i < 119; i++) { /* reading a byte a second is not reading */
        rig.window = 1;
        rig_wait(&rig, second);
        CHECK(!rig.closed);
    }
    rig_wait(&rig, second);
    CHECK(rig.closed);
    rig_close(&rig);
}

KL_TEST(conn_client_that_reads_slowly_but_does_is_served)
{
    kl_rpc_limits limits = small;
    limits.body_bytes = 1 << 20;
    limits.buffer_bytes = 4 << 20;
    static char sent[1000000];
    int n =
        snprintf(sent, sizeof sent, "POST / HTTP/1.1\r\n" HOST "Content-Length: 900000\r\n\r\n");
    memset(sent + n, 'x', 900000);
    struct rig rig;
    rig_open(&rig, &limits);
    rig.window = 0;
    feed(&rig, sent);
    for (int i = 0; i < 14; i++) {
        CHECK(!rig.closed);
        rig.window = 65536;
        rig_wait(&rig, 119 * second);
    }
    CHECK(!rig.closed && rig_run(&rig) == KL_CONN_READ);
    CHECK(rig.out.len > 900000);
    rig_close(&rig);
}

/* Memory. */

KL_TEST(conn_thousand_slow_clients_hold_what_they_sent_and_no_more)
{
    enum { CLIENTS = 1000 };
    static struct rig rigs[CLIENTS];
    struct kl_conn_env env = {.limits = small, .greeting = KL_SPAN_TEXT("hello\n")};
    env.limits.body_bytes = 5 << 20;
    env.budget.limit = env.limits.buffer_bytes = 16 << 20;
    for (usize i = 0; i < CLIENTS; i++) {
        rig_open(&rigs[i], &env.limits);
        rigs[i].conn.env = &env;
    }
    CHECK_U64(atomic_load(&env.budget.used), 0);
    for (usize i = 0; i < CLIENTS; i++) /* half a header */
        feed(&rigs[i], "POST / HTTP/1.1\r\n" HOST "Content-Le");
    CHECK(atomic_load(&env.budget.used) <= CLIENTS * 1024);
    for (usize i = 0; i < CLIENTS; i++) /* five megabytes announced, ten bytes sent */
        feed(&rigs[i], "ngth: 5242880\r\n\r\n0123456789");
    CHECK(atomic_load(&env.budget.used) <= CLIENTS * 1024);
    static u8 block[20000];
    for (usize i = 0; i < CLIENTS; i++) /* now they all send: 20 MB would be over the budget */
        (void)rig_feed(&rigs[i], KL_SPAN_OF(block));
    CHECK(atomic_load(&env.budget.used) <= env.budget.limit);
    usize refused = 0;
    for (usize i = 0; i < CLIENTS; i++)
        refused += rigs[i].out.len > 12 && memcmp(rigs[i].out.p, "HTTP/1.1 503", 12) == 0;
    CHECK(refused > 0 && refused < CLIENTS);
    CHECK(atomic_load(&env.budget.peak) <= env.budget.limit + CLIENTS * 1024);
    for (usize i = 0; i < CLIENTS; i++) {
        kl_conn_done(&rigs[i].conn);
        rig_close(&rigs[i]);
    }
    CHECK_U64(atomic_load(&env.budget.used), 0);
}

KL_TEST(conn_at_rest_holds_nothing)
{
    struct rig rig;
    rig_open(&rig, &small);
    feed(&rig, "POST / HTTP/1.1\r\n" HOST "Content-Length: 40\r\n\r\n0123456789");
    CHECK(atomic_load(&rig.env.budget.used) > 0);
    feed(&rig, "012345678901234567890123456789");
    CHECK_U64(rig.calls, 1);
    CHECK_U64(atomic_load(&rig.env.budget.used), 0);
    rig_close(&rig);
}

/* An answer that the client does not take moves into the connection's memory, or has none. */
KL_TEST(conn_answer_without_room_drops_the_client)
{
    for (usize room = 0; room < 2; room++) {
        kl_rpc_limits limits = small;
        limits.buffer_bytes = room ? 1 << 20 : 100;
        struct rig rig;
        rig_open(&rig, &limits);
        rig.window = 1;
        feed(&rig, "POST / HTTP/1.1\r\n" HOST "Content-Length: 10\r\n\r\n0123456789");
        CHECK(rig.closed == !room);
        CHECK((atomic_load(&rig.env.budget.used) > 0) == room);
        rig_close(&rig);
    }
}

KL_TEST(conn_stop_ends_after_what_is_in_work)
{
    struct rig rig;
    rig_open(&rig, &small);
    kl_conn_stop(&rig.conn);
    CHECK(rig_run(&rig) == KL_CONN_CLOSE);
    rig_close(&rig);

    rig_open(&rig, &small);
    feed(&rig, "POST / HTTP/1.1\r\n" HOST "Content-Length: 2\r\n\r\na");
    kl_conn_stop(&rig.conn);
    CHECK(rig_run(&rig) == KL_CONN_READ);
    feed(&rig, "b");
    check_out(&rig,
              "HTTP/1.1 200 OK\r\n" DATE JSON "Content-Length: 4\r\nConnection: close\r\n\r\n[ab]");
    CHECK(rig.finished);
    rig_close(&rig);

    rig_open(&rig, &small);
    feed(&rig, "POST / HTTP/1.1\r\n");
    kl_conn_stop(&rig.conn);
    feed(&rig, HOST "\r\n");
    CHECK(rig.finished);
    rig_close(&rig);
}

KL_TEST(conn_half_closed_client_gets_its_answer)
{
    struct rig rig;
    rig_open(&rig, &small);
    rig.window = 0;
    feed(&rig, "POST / HTTP/1.1\r\n" HOST "Content-Length: 2\r\n\r\nab");
    rig.conn.ended = true;
    rig.window = SIZE_MAX;
    (void)rig_run(&rig);
    check_out(&rig, OK("4") "[ab]");
    CHECK(rig.closed);
    rig_close(&rig);
    static const char *const cut[] = {
        "POST / HT", "POST / HTTP/1.1\r\n" HOST "Content-Length: 2\r\n\r\na",
        "POST / HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n\r\n2\r\n"};
    for (usize i = 0; i < KL_COUNT_OF(cut); i++) {
        rig_open(&rig, &small);
        feed(&rig, cut[i]);
        rig_end(&rig);
        CHECK(rig.closed && rig.out.len == 0);
        rig_close(&rig);
    }
}

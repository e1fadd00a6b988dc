#include "rpc/answer.h"

#include <stdio.h>
#include <time.h>

#include "base/test.h"

static const char date[] = "Sun, 06 Nov 1994 08:49:37 GMT";

static void check_head(const kl_answer *answer, const char *want)
{
    u8 out[KL_ANSWER_MAX];
    kl_answer a = *answer;
    a.date = date;
    CHECK_SPAN(kl_span_of(out, kl_answer_head(out, &a)), kl_span_str(want));
}

#define DATE "Date: Sun, 06 Nov 1994 08:49:37 GMT\r\n"

KL_TEST(answer_heads)
{
    check_head(&(kl_answer){.status = 200, .type = "application/json", .body_len = 45},
               "HTTP/1.1 200 OK\r\n" DATE "Content-Type: application/json\r\n"
               "Content-Length: 45\r\n\r\n");
    check_head(&(kl_answer){.status = 200, .type = "a/b", .body_len = 1234567890, .cors = "*"},
               "HTTP/1.1 200 OK\r\n" DATE "Content-Type: a/b\r\nContent-Length: 1234567890\r\n"
               "Access-Control-Allow-Origin: *\r\n\r\n");
    check_head(
        &(kl_answer){
            .status = 405, .cors = "https://a.example", .close = true, .fields = "Allow: POST\r\n"},
        "HTTP/1.1 405 Method Not Allowed\r\n" DATE "Content-Length: 0\r\n"
        "Access-Control-Allow-Origin: https://a.example\r\nVary: Origin\r\n"
        "Connection: close\r\nAllow: POST\r\n\r\n");
    check_head(&(kl_answer){.status = 204, .cors = "*", .preflight = true, .private_network = true},
               "HTTP/1.1 204 No Content\r\n" DATE "Access-Control-Allow-Origin: *\r\n"
               "Access-Control-Allow-Methods: POST, GET, OPTIONS\r\n"
               "Access-Control-Allow-Headers: Content-Type, Authorization, *\r\n"
               "Access-Control-Max-Age: 600\r\n"
               "Access-Control-Allow-Private-Network: true\r\n\r\n");
    check_head(&(kl_answer){.status = 101, .fields = "Upgrade: websocket\r\n"},
               "HTTP/1.1 101 Switching Protocols\r\n" DATE "Upgrade: websocket\r\n\r\n");
}

/* Property: agrees with the C library, over the years that matter and at the ends. */
KL_TEST(answer_date_agrees_with_gmtime)
{
    static const char *const day[] = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
    static const char *const month[] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                        "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
    for (int i = 0; i < 20000; i++) {
        u64 s = i == 0   ? 0
                : i == 1 ? 253402300799
                         : kl_rand_below(seed, i % 2 ? 253402300800 : 9000000000);
        time_t t = (time_t)s;
        struct tm tm;
        CHECK(gmtime_r(&t, &tm));
        char want[64], got[KL_HTTP_DATE_LEN];
        snprintf(want, sizeof want, "%s, %02d %s %04d %02d:%02d:%02d GMT", day[tm.tm_wday],
                 tm.tm_mday, month[tm.tm_mon], tm.tm_year + 1900, tm.tm_hour, tm.tm_min, tm.tm_sec);
        kl_http_date(got, s);
        CHECK_SPAN(KL_SPAN_OF(got), kl_span_str(want));
    }
}

KL_TEST(answer_origins)
{
    static const struct {
        const char *origin, *host, *cors;
        bool allowed;
    } rows[] = {
        {"", "x", NULL, true},
        {"https://evil.example", "127.0.0.1:8545", NULL, false},
        {"https://evil.example", "127.0.0.1:8545", "*", true},
        {"https://evil.example", "127.0.0.1:8545", "https://good.example", false},
        {"https://good.example", "127.0.0.1:8545", "https://good.example", true},
        {"https://good.example.evil", "127.0.0.1:8545", "https://good.example", false},
        {"http://127.0.0.1:8545", "127.0.0.1:8545", NULL, true},
        {"http://localhost:8545", "localhost:8545", NULL, true},
        {"http://localhost", "localhost", NULL, true},
        {"http://[::1]:8545", "[::1]:8545", NULL, true},
        {"https://127.0.0.1:8545", "127.0.0.1:8545", NULL, false},
        {"http://127.0.0.1:8546", "127.0.0.1:8545", NULL, false},
        {"http://rebound.example:8545", "rebound.example:8545", NULL, false},
        {"http://[::1", "[::1", NULL, false},
        {"http://", "", NULL, false},
        {"chrome-extension://nkbihfbeogaeaoehlefnkodbefgpgknn", "127.0.0.1:8545", NULL, true},
        {"null", "127.0.0.1:8545", NULL, false},
        {"null", "127.0.0.1:8545", "*", true},
    };
    for (usize i = 0; i < KL_COUNT_OF(rows); i++)
        if (kl_origin_allowed(kl_span_str(rows[i].origin), kl_span_str(rows[i].host),
                              rows[i].cors) != rows[i].allowed)
            kl_test_fail(__FILE__, __LINE__, "%s at %s", rows[i].origin, rows[i].host);
}

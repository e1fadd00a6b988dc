/* What `keel bench` computes and reads; what it measures is no business of tests. */
#include "base/test.h"
#include "cli/bench_figure.h"
#include "cli/bench_http.h"
#include "cli/bench_quorum.h"
#include "cli/bench_work.h"

KL_TEST(bench_urls)
{
    kl_bench_url url;
    CHECK(kl_bench_url_parse(&url, "http://127.0.0.1:8545"));
    CHECK(strcmp(url.host, "127.0.0.1") == 0 && url.port == 8545);
    CHECK(kl_bench_url_parse(&url, "http://localhost/"));
    CHECK(strcmp(url.host, "127.0.0.1") == 0 && url.port == 80);
    CHECK(kl_bench_url_parse(&url, "http://[::1]:9/"));
    CHECK(strcmp(url.host, "::1") == 0 && url.port == 9);
    static const char *const bad[] = {
        "",
        "127.0.0.1:8545",
        "https://127.0.0.1",
        "http://",
        "http://:1",
        "http://127.0.0.1:0",
        "http://a:65536",
        "http://a:",
        "http://a:1x",
        "http://a:1/path",
        "http://a/b",
    };
    for (usize i = 0; i < KL_COUNT_OF(bad); i++)
        CHECK(!kl_bench_url_parse(&url, bad[i]));
}

/* An answer is whole at its last byte and not before, and says where it ends. */
static void check_answer(const char *text, unsigned want_status, const char *want_body)
{
    u8 room[512];
    kl_span body;
    unsigned http_status = 0;
    usize len = strlen(text), used;
    for (usize n = 0; n < len; n++) {
        memcpy(room, text, len);
        CHECK(kl_bench_answer(room, n, &http_status, &body, &used) == KL_HTTP_PART);
    }
    memcpy(room, text, len);
    memcpy(room + len, "HTTP", 4);
    CHECK(kl_bench_answer(room, len, &http_status, &body, &used) == KL_HTTP_WHOLE);
    CHECK_U64(used, len);
    CHECK_U64(http_status, want_status);
    CHECK_SPAN(body, kl_span_str(want_body));
}

KL_TEST(bench_answers_whole_and_in_parts)
{
    check_answer("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello", 200, "hello");
    check_answer("HTTP/1.1 413 Too Large\r\ncontent-length:0\r\n\r\n", 413, "");
    check_answer("HTTP/1.1 204 No Content\r\n\r\n", 204, "");
    check_answer(
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nhel\r\n2\r\nlo\r\n0\r\n\r\n",
        200, "hello");
}

KL_TEST(bench_answers_that_are_none)
{
    static const char *const bad[] = {
        "SMTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
        "HTTP/1.1 xyz OK\r\nContent-Length: 0\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 1x\r\n\r\n",
        "HTTP/1.1 200 OK\r\n\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
    };
    for (usize i = 0; i < KL_COUNT_OF(bad); i++) {
        u8 room[128];
        kl_span body;
        unsigned http_status;
        usize used;
        memcpy(room, bad[i], strlen(bad[i]));
        CHECK(kl_bench_answer(room, strlen(bad[i]), &http_status, &body, &used) == KL_HTTP_WRONG);
    }
}

KL_TEST(bench_request_has_its_length)
{
    struct kl_buf out;
    kl_bench_url url;
    CHECK(kl_bench_url_parse(&url, "http://[::1]:8545"));
    kl_buf_init(&out, 1 << 10);
    kl_bench_request(&out, &url, KL_SPAN_TEXT("{}"));
    CHECK_SPAN(kl_buf_view(&out),
               KL_SPAN_TEXT("POST / HTTP/1.1\r\nHost: [::1]:8545\r\nContent-Type: "
                            "application/json\r\nContent-Length: 2\r\n\r\n{}"));
    kl_buf_done(&out);
}

KL_TEST(bench_medians_and_percentiles)
{
    double odd[] = {3, 1, 2}, even[] = {4, 1, 3, 2}, one[] = {7};
    CHECK(kl_median(odd, 3) == 2 && odd[0] == 1 && odd[2] == 3);
    CHECK(kl_median(even, 4) == 2.5);
    CHECK(kl_median(one, 1) == 7);
    u32 values[100];
    for (u32 i = 0; i < 100; i++)
        values[i] = 100 - i;
    kl_sort_u32(values, 100);
    CHECK_U64(kl_percentile(values, 100, 500), 50);
    CHECK_U64(kl_percentile(values, 100, 990), 99);
    CHECK_U64(kl_percentile(values, 100, 1000), 100);
    CHECK_U64(kl_percentile(values, 100, 0), 1);
    CHECK_U64(kl_percentile(values, 1, 990), 1);
}

/* Four kinds of messages, of each to all others; nothing goes wrong in fair weather. */
KL_TEST(bench_quorum_counts_what_the_rules_say)
{
    kl_quorum_config config = {.validators = 4, .regions = 5, .blocks = 30, .seed = 3};
    kl_quorum_figures f[2];
    for (u32 i = 0; i < 2; i++) {
        CHECK_OK(kl_quorum_run(&f[i], &config));
        CHECK_U64(f[i].nullified, 0);
        CHECK_U64(f[i].latencies, 4 * 30);
        u64 wanted = 4 * 4 * 3 * f[i].blocks;
        CHECK(f[i].messages >= wanted && f[i].messages <= wanted + wanted / 10);
        CHECK(f[i].bytes_secp > f[i].bytes_bls && f[i].span_ns);
        CHECK(f[i].final_us[0] > f[i].notarized_us[0]);
    }
    CHECK_U64(f[0].span_ns, f[1].span_ns);
    CHECK_U64(f[0].final_us[119], f[1].final_us[119]);
    kl_quorum_done(&f[0]);
    kl_quorum_done(&f[1]);
}

#include "rpc/answer.h"

static const struct {
    unsigned status;
    const char *reason;
} reasons[] = {
    {101, "Switching Protocols"},
    {200, "OK"},
    {204, "No Content"},
    {400, "Bad Request"},
    {403, "Forbidden"},
    {404, "Not Found"},
    {405, "Method Not Allowed"},
    {408, "Request Timeout"},
    {411, "Length Required"},
    {413, "Content Too Large"},
    {417, "Expectation Failed"},
    {426, "Upgrade Required"},
    {431, "Request Header Fields Too Large"},
    {501, "Not Implemented"},
    {503, "Service Unavailable"},
    {505, "HTTP Version Not Supported"},
};

const char *kl_http_reason(unsigned status)
{
    for (usize i = 0; i < KL_COUNT_OF(reasons); i++)
        if (reasons[i].status == status)
            return reasons[i].reason;
    KL_UNREACHABLE();
}

static void text(kl_out *out, const char *s)
{
    kl_out_bytes(out, s, strlen(s));
}

static void decimal(kl_out *out, u64 v, usize width)
{
    char digits[20];
    usize at = sizeof digits;
    do {
        digits[--at] = (char)('0' + v % 10);
        v /= 10;
    } while (v || sizeof digits - at < width);
    kl_out_bytes(out, digits + at, sizeof digits - at);
}

static void cors_fields(kl_out *out, const kl_answer *a)
{
    text(out, "Access-Control-Allow-Origin: ");
    text(out, a->cors);
    text(out, strcmp(a->cors, "*") == 0 ? "\r\n" : "\r\nVary: Origin\r\n");
    if (!a->preflight)
        return;
    text(out, "Access-Control-Allow-Methods: POST, GET, OPTIONS\r\n"
              "Access-Control-Allow-Headers: Content-Type, Authorization, *\r\n"
              "Access-Control-Max-Age: 600\r\n");
    if (a->private_network)
        text(out, "Access-Control-Allow-Private-Network: true\r\n");
}

usize kl_answer_head(u8 out_bytes[KL_ANSWER_MAX], const kl_answer *a)
{
    kl_out out = kl_out_of(out_bytes, KL_ANSWER_MAX);
    text(&out, "HTTP/1.1 ");
    decimal(&out, a->status, 3);
    text(&out, " ");
    text(&out, kl_http_reason(a->status));
    text(&out, "\r\nDate: ");
    kl_out_bytes(&out, a->date, KL_HTTP_DATE_LEN);
    text(&out, "\r\n");
    if (a->type) {
        text(&out, "Content-Type: ");
        text(&out, a->type);
        text(&out, "\r\n");
    }
    if (a->status >= 200 && a->status != 204) { /* [RFC 9110 section 8.6] */
        text(&out, "Content-Length: ");
        decimal(&out, a->body_len, 1);
        text(&out, "\r\n");
    }
    if (a->cors)
        cors_fields(&out, a);
    if (a->close)
        text(&out, "Connection: close\r\n");
    else if (a->keep_alive)
        text(&out, "Connection: keep-alive\r\n");
    if (a->fields)
        text(&out, a->fields);
    text(&out, "\r\n");
    KL_ASSERT(!out.full);
    return out.len;
}

/* Days since 1970 to a date; a year here begins in March, so that leap days come last. */
void kl_http_date(char out_bytes[KL_HTTP_DATE_LEN], u64 unix_s)
{
    static const char days[] = "ThuFriSatSunMonTueWed";
    static const char months[] = "MarAprMayJunJulAugSepOctNovDecJanFeb";
    enum { DAYS_BEFORE_1970 = 719468, DAYS_400_YEARS = 146097, DAY_S = 86400 };
    unix_s = KL_MIN(unix_s, (u64)253402300799); /* the last second of year 9999 */
    u64 day = unix_s / DAY_S + DAYS_BEFORE_1970, second = unix_s % DAY_S;
    u64 era = day / DAYS_400_YEARS, of_era = day % DAYS_400_YEARS;
    u64 year = (of_era - of_era / 1460 + of_era / 36524 - of_era / 146096) / 365;
    u64 of_year = of_era - (365 * year + year / 4 - year / 100);
    u64 month = (5 * of_year + 2) / 153, of_month = of_year - (153 * month + 2) / 5 + 1;
    kl_out out = kl_out_of(out_bytes, KL_HTTP_DATE_LEN);
    kl_out_bytes(&out, days + 3 * (unix_s / DAY_S % 7), 3);
    text(&out, ", ");
    decimal(&out, of_month, 2);
    text(&out, " ");
    kl_out_bytes(&out, months + 3 * month, 3);
    text(&out, " ");
    decimal(&out, era * 400 + year + (month >= 10), 4);
    text(&out, " ");
    decimal(&out, second / 3600, 2);
    text(&out, ":");
    decimal(&out, second / 60 % 60, 2);
    text(&out, ":");
    decimal(&out, second % 60, 2);
    text(&out, " GMT");
    KL_ASSERT(out.len == KL_HTTP_DATE_LEN && !out.full);
}

static bool starts(kl_span s, const char *with)
{
    usize len = strlen(with);
    return s.len >= len && memcmp(s.p, with, len) == 0;
}

/* Is it "localhost", "127.0.0.1", "[::1]", any numeric address, with or without a port? */
static bool is_numeric_host(kl_span host)
{
    bool bracketed = starts(host, "[");
    const u8 *end = host.len ? memchr(host.p, bracketed ? ']' : ':', host.len) : NULL;
    kl_span name = end ? kl_span_of(host.p, (usize)(end - host.p)) : host;
    if (kl_span_eq(name, KL_SPAN_TEXT("localhost")))
        return true;
    if (bracketed)
        return end != NULL;
    for (usize i = 0; i < name.len; i++)
        if (name.p[i] != '.' && (name.p[i] < '0' || name.p[i] > '9'))
            return false;
    return name.len > 0;
}

bool kl_origin_allowed(kl_span origin, kl_span host, const char *cors)
{
    if (origin.len == 0 || (cors && strcmp(cors, "*") == 0))
        return true;
    if (cors && kl_span_eq(origin, kl_span_str(cors)))
        return true;
    bool page = starts(origin, "http://") || starts(origin, "https://");
    if (!page)
        return memchr(origin.p, ':', origin.len) != NULL; /* an extension; "null" may be anybody */
    return starts(origin, "http://") && is_numeric_host(host) &&
           kl_span_eq(kl_span_sub(origin, 7, origin.len), host);
}

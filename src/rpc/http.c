/* http: a head is found line by line as bytes arrive and judged once, when it is whole.  The few
 * fields that matter here have a row each; every other field is checked for its form and skipped.
 * Classes of characters come from one table [RFC 9110 section 5.6]. */
#include "rpc/http.h"

enum {
    TOKEN = 1,   /* may stand in names and methods */
    VISIBLE = 2, /* in targets */
    TEXT = 4,    /* in field values: visible, blank, tab and bytes above ASCII */
};

/* clang-format off */
static const u8 ascii_classes[128] = {
    0, 0, 0, 0, 0, 0, 0, 0, 0, 4, 0, 0, 0, 0, 0, 0, /* 00 */
    0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, /* 10 */
    4, 7, 6, 7, 7, 7, 7, 7, 6, 6, 7, 7, 6, 7, 7, 6, /* 20 */
    7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 6, 6, 6, 6, 6, 6, /* 30 */
    6, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, /* 40 */
    7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 6, 6, 6, 7, 7, /* 50 */
    7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, /* 60 */
    7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 6, 7, 6, 7, 0, /* 70 */
};
/* clang-format on */

static u8 class_of(u8 c)
{
    return c < 128 ? ascii_classes[c] : TEXT;
}

static usize span_of_class(kl_span s, u8 class)
{
    usize n = 0;
    while (n < s.len && (class_of(s.p[n]) & class))
        n++;
    return n;
}

static u8 lower(u8 c)
{
    return c >= 'A' && c <= 'Z' ? (u8)(c + 32) : c;
}

/* text is lower case. */
static bool same(kl_span s, const char *text)
{
    usize i = 0;
    while (i < s.len && text[i] && lower(s.p[i]) == (u8)text[i])
        i++;
    return i == s.len && !text[i];
}

static kl_span trim(kl_span s)
{
    while (s.len && (*s.p == ' ' || *s.p == '\t'))
        s = kl_span_sub(s, 1, s.len);
    while (s.len && (s.p[s.len - 1] == ' ' || s.p[s.len - 1] == '\t'))
        s.len--;
    return s;
}

/* Takes the next element of a comma-separated list; false at its end. */
static bool next_element(kl_span *list, kl_span *out)
{
    while (list->len) {
        const u8 *comma = memchr(list->p, ',', list->len);
        usize len = comma ? (usize)(comma - list->p) : list->len;
        *out = trim(kl_span_of(list->p, len));
        *list = kl_span_sub(*list, len + 1, list->len);
        if (out->len)
            return true;
    }
    return false;
}

static bool lists(kl_span list, const char *text)
{
    kl_span element;
    while (next_element(&list, &element))
        if (same(element, text))
            return true;
    return false;
}

static bool number(u64 *out, kl_span s)
{
    u64 v = 0;
    for (usize i = 0; i < s.len; i++)
        if (s.p[i] < '0' || s.p[i] > '9' || !kl_mul_u64(&v, v, 10) ||
            !kl_add_u64(&v, v, (u64)(s.p[i] - '0')))
            return false;
    *out = v;
    return s.len > 0;
}

static bool begins_line(u8 c)
{
    return (class_of(c) & TOKEN) || c == '\r' || c == '\n';
}

usize kl_http_head_len(kl_span bytes, usize *seen)
{
    /* servers skip one empty line before a request [RFC 9112 section 2.2] */
    usize start = bytes.len >= 2 && bytes.p[0] == '\r' && bytes.p[1] == '\n' ? 2 : 0;
    if (start < bytes.len && !begins_line(bytes.p[start]))
        return start + 1;
    usize at = KL_MAX(*seen, start);
    while (at < bytes.len) {
        const u8 *feed = memchr(bytes.p + at, '\n', bytes.len - at);
        if (!feed)
            break;
        at = (usize)(feed - bytes.p);
        kl_span rest = kl_span_sub(bytes, at + 1, 2);
        if (rest.len && rest.p[0] == '\n')
            return at + 2; /* no proper end, but one: it will be refused at once */
        if (rest.len == 2 && rest.p[0] == '\r' && rest.p[1] == '\n')
            return at + 3;
        if (rest.len == 0 || (rest.len == 1 && rest.p[0] == '\r')) {
            *seen = at; /* whether this line is the last is not known yet */
            return 0;
        }
        at++;
    }
    *seen = bytes.len;
    return 0;
}

/* What a field of the header may do to the request being read. */
struct reading {
    kl_http_request *r;
    unsigned minor, host_count, length_count, coding_count;
    bool close, keep_alive, connection_upgrade, to_websocket;
};

static kl_rule on_host(struct reading *in, kl_span value)
{
    in->host_count++;
    in->r->host = value;
    return KL_RULE_NONE;
}

static kl_rule on_origin(struct reading *in, kl_span value)
{
    in->r->origin = value;
    return KL_RULE_NONE;
}

static kl_rule on_connection(struct reading *in, kl_span value)
{
    in->close |= lists(value, "close");
    in->keep_alive |= lists(value, "keep-alive");
    in->connection_upgrade |= lists(value, "upgrade");
    return KL_RULE_NONE;
}

static kl_rule on_content_length(struct reading *in, kl_span value)
{
    if (in->length_count++ || !number(&in->r->length, value))
        return KL_RULE_HTTP_LENGTH;
    in->r->has_length = true;
    return KL_RULE_NONE;
}

static kl_rule on_transfer_encoding(struct reading *in, kl_span value)
{
    if (in->coding_count++ || !same(value, "chunked"))
        return KL_RULE_HTTP_CODING;
    in->r->chunked = true;
    return KL_RULE_NONE;
}

static kl_rule on_expect(struct reading *in, kl_span value)
{
    if (!same(value, "100-continue"))
        return KL_RULE_HTTP_EXPECT;
    in->r->expects = true;
    return KL_RULE_NONE;
}

static kl_rule on_upgrade(struct reading *in, kl_span value)
{
    in->to_websocket |= lists(value, "websocket");
    return KL_RULE_NONE;
}

static kl_rule on_ws_key(struct reading *in, kl_span value)
{
    if (in->r->ws_key.len)
        return KL_RULE_WS_HANDSHAKE;
    in->r->ws_key = value;
    return KL_RULE_NONE;
}

static kl_rule on_ws_version(struct reading *in, kl_span value)
{
    if (!number(&in->r->ws_version, value))
        in->r->ws_version = 0;
    return KL_RULE_NONE;
}

static kl_rule on_preflight(struct reading *in, kl_span value)
{
    in->r->preflight = value.len > 0;
    return KL_RULE_NONE;
}

static kl_rule on_private_network(struct reading *in, kl_span value)
{
    in->r->private_network = same(value, "true");
    return KL_RULE_NONE;
}

static const struct field {
    const char *name;
    kl_rule (*take)(struct reading *in, kl_span value);
} fields[] = {
    {"host", on_host},
    {"origin", on_origin},
    {"connection", on_connection},
    {"content-length", on_content_length},
    {"transfer-encoding", on_transfer_encoding},
    {"expect", on_expect},
    {"upgrade", on_upgrade},
    {"sec-websocket-key", on_ws_key},
    {"sec-websocket-version", on_ws_version},
    {"access-control-request-method", on_preflight},
    {"access-control-request-private-network", on_private_network},
};

/* One line without its CR LF: name ":" value. */
static kl_rule take_field(struct reading *in, kl_span line)
{
    usize name_len = span_of_class(line, TOKEN);
    if (name_len == 0 || name_len == line.len || line.p[name_len] != ':')
        return KL_RULE_HTTP_FIELD;
    kl_span name = kl_span_of(line.p, name_len);
    kl_span value = kl_span_sub(line, name_len + 1, line.len);
    if (span_of_class(value, TEXT) != value.len)
        return KL_RULE_HTTP_FIELD;
    for (usize i = 0; i < KL_COUNT_OF(fields); i++)
        if (same(name, fields[i].name))
            return fields[i].take(in, trim(value));
    return KL_RULE_NONE;
}

static kl_http_method method_of(kl_span name)
{
    static const char *const names[] = {"GET", "HEAD", "POST", "OPTIONS"};
    _Static_assert(KL_HTTP_GET == 0 && KL_HTTP_OTHER == KL_COUNT_OF(names), "in the enum's order");
    for (unsigned i = 0; i < KL_COUNT_OF(names); i++)
        if (kl_span_eq(name, kl_span_str(names[i])))
            return (kl_http_method)i;
    return KL_HTTP_OTHER;
}

/* What names the resource; of a whole URL, which proxies send, what follows the host [RFC 9112
 * section 3.2.2]. */
static kl_span path_of(kl_span target)
{
    static const char scheme[] = "http://";
    usize len = sizeof scheme - 1;
    if (target.len > len && memcmp(target.p, scheme, len) == 0) {
        const u8 *slash = memchr(target.p + len, '/', target.len - len);
        target =
            slash ? kl_span_sub(target, (usize)(slash - target.p), target.len) : KL_SPAN_TEXT("/");
    }
    const u8 *query = memchr(target.p, '?', target.len);
    return kl_span_of(target.p, query ? (usize)(query - target.p) : target.len);
}

/* method SP target SP version. */
static kl_rule take_request_line(struct reading *in, kl_span line)
{
    usize method_len = span_of_class(line, TOKEN);
    kl_span rest = kl_span_sub(line, method_len, line.len);
    if (method_len == 0 || rest.len < 2 || rest.p[0] != ' ')
        return KL_RULE_HTTP_LINE;
    kl_span target = kl_span_sub(rest, 1, rest.len);
    target.len = span_of_class(target, VISIBLE);
    kl_span version = kl_span_sub(rest, 1 + target.len, rest.len);
    if (target.len == 0 || version.len < 2 || version.p[0] != ' ')
        return KL_RULE_HTTP_LINE;
    version = kl_span_sub(version, 1, version.len);
    if (kl_span_eq(version, KL_SPAN_TEXT("HTTP/1.1")))
        in->minor = 1;
    else if (!kl_span_eq(version, KL_SPAN_TEXT("HTTP/1.0")))
        return version.len > 5 && memcmp(version.p, "HTTP/", 5) == 0 ? KL_RULE_HTTP_VERSION
                                                                     : KL_RULE_HTTP_LINE;
    in->r->method = method_of(kl_span_of(line.p, method_len));
    in->r->path = path_of(target);
    return KL_RULE_NONE;
}

/* Takes one line and its CR LF off the front; false when the line ends otherwise. */
static bool next_line(kl_span *rest, kl_span *line)
{
    const u8 *feed = rest->len ? memchr(rest->p, '\n', rest->len) : NULL;
    if (!feed || feed == rest->p || feed[-1] != '\r')
        return false;
    usize len = (usize)(feed - rest->p) + 1;
    *line = kl_span_of(rest->p, len - 2);
    *rest = kl_span_sub(*rest, len, rest->len);
    return true;
}

static kl_rule conclude(struct reading *in)
{
    kl_http_request *r = in->r;
    if (in->host_count > 1 || (in->minor == 1 && in->host_count == 0))
        return KL_RULE_HTTP_HOST;
    if (r->chunked && r->has_length)
        return KL_RULE_HTTP_BOTH_LENGTHS;
    if (r->chunked && in->minor == 0)
        return KL_RULE_HTTP_CODING;
    r->old = in->minor == 0;
    r->keep_alive = !in->close && (in->minor == 1 || in->keep_alive);
    r->expects &= in->minor == 1 && (r->chunked || r->length > 0);
    r->upgrade = in->minor == 1 && in->connection_upgrade && in->to_websocket;
    return KL_RULE_NONE;
}

kl_rule kl_http_parse(kl_http_request *out, kl_span head)
{
    *out = (kl_http_request){0};
    struct reading in = {.r = out};
    kl_span rest = head, line;
    if (head.len >= 2 && memcmp(head.p, "\r\n", 2) == 0)
        rest = kl_span_sub(head, 2, head.len);
    if (!next_line(&rest, &line))
        return KL_RULE_HTTP_LINE;
    KL_JUDGE(take_request_line(&in, line));
    for (unsigned count = 0;; count++) {
        if (!next_line(&rest, &line))
            return KL_RULE_HTTP_FIELD;
        if (line.len == 0)
            return rest.len == 0 ? conclude(&in) : KL_RULE_HTTP_FIELD;
        if (count == KL_HTTP_FIELD_MAX)
            return KL_RULE_HTTP_HEAD_SIZE;
        KL_JUDGE(take_field(&in, line));
    }
}

unsigned kl_http_status_of(kl_rule rule)
{
    static const struct {
        kl_rule rule;
        unsigned status;
    } rows[] = {
        {KL_RULE_HTTP_VERSION, 505}, {KL_RULE_HTTP_HEAD_SIZE, 431}, {KL_RULE_HTTP_CODING, 501},
        {KL_RULE_HTTP_EXPECT, 417},  {KL_RULE_HTTP_BODY_SIZE, 413}, {KL_RULE_WS_VERSION, 426},
    };
    for (usize i = 0; i < KL_COUNT_OF(rows); i++)
        if (rows[i].rule == rule)
            return rows[i].status;
    return 400;
}

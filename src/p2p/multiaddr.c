/* A table says what each part is called and which number it has; bytes and text are walked part by
 * part, and one place judges whether the parts stand in order. */
#include "p2p/multiaddr.h"

#include <arpa/inet.h>

#include "codec/protobuf.h"

enum {
    CODE_IP4 = 4,
    CODE_TCP = 6,
    CODE_IP6 = 41,
    CODE_DNS = 53,
    CODE_DNS4 = 54,
    CODE_DNS6 = 55,
    CODE_P2P = 421,
};

static const struct part {
    u32 code;
    kl_host_kind host;
    const char *name;
} parts[] = {
    {CODE_IP4, KL_HOST_IP4, "ip4"},    {CODE_IP6, KL_HOST_IP6, "ip6"},
    {CODE_DNS, KL_HOST_DNS, "dns"},    {CODE_DNS4, KL_HOST_DNS4, "dns4"},
    {CODE_DNS6, KL_HOST_DNS6, "dns6"}, {CODE_TCP, KL_HOST_NONE, "tcp"},
    {CODE_P2P, KL_HOST_NONE, "p2p"},
};

static const struct part *part_of_code(u64 code)
{
    for (usize i = 0; i < KL_COUNT_OF(parts); i++)
        if (parts[i].code == code)
            return &parts[i];
    return NULL;
}

static const struct part *part_of_name(kl_span name)
{
    for (usize i = 0; i < KL_COUNT_OF(parts); i++)
        if (kl_span_eq(kl_span_str(parts[i].name), name))
            return &parts[i];
    return NULL;
}

static const struct part *part_of_host(kl_host_kind host)
{
    for (usize i = 0; i < KL_COUNT_OF(parts); i++)
        if (parts[i].host == host)
            return &parts[i];
    KL_UNREACHABLE();
}

static usize ip_len(kl_host_kind host)
{
    return host == KL_HOST_IP4 ? 4 : host == KL_HOST_IP6 ? 16 : 0;
}

bool kl_multiaddr_same_place(const kl_multiaddr *a, const kl_multiaddr *b)
{
    return a->host == b->host && memcmp(a->ip, b->ip, ip_len(a->host)) == 0 &&
           kl_span_eq(kl_span_of(a->name, a->name_len), kl_span_of(b->name, b->name_len)) &&
           a->has_port == b->has_port && (!a->has_port || a->port == b->port);
}

bool kl_multiaddr_eq(const kl_multiaddr *a, const kl_multiaddr *b)
{
    return kl_multiaddr_same_place(a, b) && a->has_peer == b->has_peer &&
           (!a->has_peer || kl_peer_id_eq(&a->peer, &b->peer));
}

/* Whether the part may stand behind what is there. */
static kl_rule in_order(const kl_multiaddr *addr, const struct part *part)
{
    if (addr->has_peer)
        return KL_RULE_MULTIADDR_FORM;
    if (part->code == CODE_P2P)
        return KL_RULE_NONE;
    if (part->code == CODE_TCP)
        return addr->host != KL_HOST_NONE && !addr->has_port ? KL_RULE_NONE
                                                             : KL_RULE_MULTIADDR_FORM;
    return addr->host == KL_HOST_NONE ? KL_RULE_NONE : KL_RULE_MULTIADDR_FORM;
}

static kl_rule set_name(kl_multiaddr *addr, kl_span name)
{
    if (name.len == 0 || name.len > KL_MULTIADDR_NAME_MAX)
        return KL_RULE_MULTIADDR_HOST;
    for (usize i = 0; i < name.len; i++) {
        u8 c = name.p[i];
        bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
        if (!letter && !(c >= '0' && c <= '9') && c != '-' && c != '_' && c != '.')
            return KL_RULE_MULTIADDR_HOST;
    }
    memcpy(addr->name, name.p, name.len);
    addr->name[name.len] = 0;
    addr->name_len = (u8)name.len;
    return KL_RULE_NONE;
}

/* The bytes of a part behind its code: of a length it has, or says. */
static kl_rule take_value(kl_span *bytes, const struct part *part, kl_span *value)
{
    u64 len = part->code == CODE_TCP ? 2 : ip_len(part->host);
    if (len == 0)
        KL_JUDGE(kl_varint(bytes, &len));
    if (len > bytes->len)
        return KL_RULE_MULTIADDR_FORM;
    *value = kl_span_take(bytes, (usize)len);
    return KL_RULE_NONE;
}

static kl_rule set_bytes(kl_multiaddr *addr, const struct part *part, kl_span value)
{
    KL_JUDGE(in_order(addr, part));
    if (part->code == CODE_P2P) {
        KL_JUDGE(kl_peer_id_get(&addr->peer, value));
        addr->has_peer = true;
    } else if (part->code == CODE_TCP) {
        addr->port = kl_load_be16(value.p);
        addr->has_port = true;
    } else {
        if (ip_len(part->host))
            memcpy(addr->ip, value.p, value.len);
        else
            KL_JUDGE(set_name(addr, value));
        addr->host = part->host;
    }
    return KL_RULE_NONE;
}

kl_rule kl_multiaddr_get(kl_multiaddr *out, kl_span bytes)
{
    kl_multiaddr addr = {0};
    if (bytes.len == 0)
        return KL_RULE_MULTIADDR_FORM;
    while (bytes.len) {
        u64 code;
        kl_span value;
        KL_JUDGE(kl_varint(&bytes, &code));
        const struct part *part = part_of_code(code);
        if (!part)
            return KL_RULE_MULTIADDR_KIND;
        KL_JUDGE(take_value(&bytes, part, &value));
        KL_JUDGE(set_bytes(&addr, part, value));
    }
    *out = addr;
    return KL_RULE_NONE;
}

static kl_rule set_port(kl_multiaddr *addr, kl_span text)
{
    u32 port = 0;
    if (text.len == 0 || text.len > 5 || (text.p[0] == '0' && text.len > 1))
        return KL_RULE_MULTIADDR_PORT;
    for (usize i = 0; i < text.len; i++) {
        if (text.p[i] < '0' || text.p[i] > '9')
            return KL_RULE_MULTIADDR_PORT;
        port = 10 * port + (u32)(text.p[i] - '0');
    }
    if (port > UINT16_MAX)
        return KL_RULE_MULTIADDR_PORT;
    addr->port = (u16)port;
    addr->has_port = true;
    return KL_RULE_NONE;
}

static kl_rule set_ip(kl_multiaddr *addr, kl_host_kind host, kl_span text)
{
    char room[INET6_ADDRSTRLEN];
    if (text.len >= sizeof room || memchr(text.p, 0, text.len))
        return KL_RULE_MULTIADDR_HOST;
    memcpy(room, text.p, text.len);
    room[text.len] = 0;
    return inet_pton(host == KL_HOST_IP4 ? AF_INET : AF_INET6, room, addr->ip) == 1
               ? KL_RULE_NONE
               : KL_RULE_MULTIADDR_HOST;
}

static kl_rule set_text(kl_multiaddr *addr, const struct part *part, kl_span value)
{
    KL_JUDGE(in_order(addr, part));
    if (part->code == CODE_TCP)
        return set_port(addr, value);
    if (part->code == CODE_P2P) {
        KL_JUDGE(kl_peer_id_parse(&addr->peer, value));
        addr->has_peer = true;
        return KL_RULE_NONE;
    }
    KL_JUDGE(ip_len(part->host) ? set_ip(addr, part->host, value) : set_name(addr, value));
    addr->host = part->host;
    return KL_RULE_NONE;
}

/* Takes "/word" off the front. */
static kl_rule take_word(kl_span *text, kl_span *word)
{
    if (text->len < 2 || text->p[0] != '/')
        return KL_RULE_MULTIADDR_FORM;
    (void)kl_span_take(text, 1);
    const u8 *end = memchr(text->p, '/', text->len);
    *word = kl_span_take(text, end ? (usize)(end - text->p) : text->len);
    return word->len ? KL_RULE_NONE : KL_RULE_MULTIADDR_FORM;
}

kl_rule kl_multiaddr_parse(kl_multiaddr *out, kl_span text)
{
    kl_multiaddr addr = {0};
    if (text.len == 0)
        return KL_RULE_MULTIADDR_FORM;
    while (text.len) {
        kl_span name, value;
        KL_JUDGE(take_word(&text, &name));
        const struct part *part = part_of_name(name);
        if (!part)
            return KL_RULE_MULTIADDR_KIND;
        KL_JUDGE(take_word(&text, &value));
        KL_JUDGE(set_text(&addr, part, value));
    }
    *out = addr;
    return KL_RULE_NONE;
}

void kl_multiaddr_put(kl_out *out, const kl_multiaddr *addr)
{
    KL_ASSERT(addr->host != KL_HOST_NONE || addr->has_peer);
    if (addr->host != KL_HOST_NONE) {
        kl_varint_put(out, part_of_host(addr->host)->code);
        if (ip_len(addr->host)) {
            kl_out_bytes(out, addr->ip, ip_len(addr->host));
        } else {
            kl_varint_put(out, addr->name_len);
            kl_out_bytes(out, addr->name, addr->name_len);
        }
    }
    if (addr->has_port) {
        u8 port[2];
        kl_store_be16(port, addr->port);
        kl_varint_put(out, CODE_TCP);
        kl_out_bytes(out, port, sizeof port);
    }
    if (addr->has_peer) {
        kl_varint_put(out, CODE_P2P);
        kl_varint_put(out, KL_PEER_ID_LEN);
        kl_peer_id_put(out, &addr->peer);
    }
}

usize kl_multiaddr_len(const kl_multiaddr *addr)
{
    kl_out out = kl_out_counter();
    kl_multiaddr_put(&out, addr);
    return out.len;
}

static void put_text(kl_out *out, const char *text)
{
    kl_out_span(out, kl_span_str(text));
}

static void put_port(kl_out *out, u32 port)
{
    char digits[6] = {0};
    usize at = sizeof digits - 1;
    do
        digits[--at] = (char)('0' + port % 10);
    while (port /= 10);
    put_text(out, digits + at);
}

usize kl_multiaddr_text(char text[KL_MULTIADDR_TEXT_MAX], const kl_multiaddr *addr)
{
    kl_out out = kl_out_of(text, KL_MULTIADDR_TEXT_MAX);
    char room[INET6_ADDRSTRLEN > KL_BASE58_TEXT_MAX ? INET6_ADDRSTRLEN : KL_BASE58_TEXT_MAX];
    if (addr->host != KL_HOST_NONE) {
        put_text(&out, "/");
        put_text(&out, part_of_host(addr->host)->name);
        put_text(&out, "/");
        int family = addr->host == KL_HOST_IP4 ? AF_INET : AF_INET6;
        put_text(&out, ip_len(addr->host) ? inet_ntop(family, addr->ip, room, INET6_ADDRSTRLEN)
                                          : addr->name);
    }
    if (addr->has_port) {
        put_text(&out, "/tcp/");
        put_port(&out, addr->port);
    }
    if (addr->has_peer) {
        (void)kl_peer_id_text(room, &addr->peer);
        put_text(&out, "/p2p/");
        put_text(&out, room);
    }
    kl_out_u8(&out, 0);
    KL_ASSERT(!out.full);
    return out.len - 1;
}

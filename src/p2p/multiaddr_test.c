#include "p2p/multiaddr.h"

#include "base/test.h"

#define ID "12D3KooWDpJ7As7BWAwRMfu1VU2WCqNjvq387JEYKDBj4kx6nXTN"

/* [multiaddr: examples], and what js-libp2p makes of the same texts. */
KL_TEST(multiaddr_known_answers)
{
    static const struct {
        const char *text, *hex;
    } known[] = {
        {"/ip4/127.0.0.1/tcp/4001", "047f000001060fa1"},
        {"/ip6/::1/tcp/0", "2900000000000000000000000000000001060000"},
        {"/ip6/2001:db8::ff00:42:8329", "2920010db8000000000000ff0000428329"},
        {"/dns4/node.example/tcp/65535", "360c6e6f64652e6578616d706c6506ffff"},
        {"/dns6/a", "370161"},
        {"/dns/a/tcp/80", "350161060050"},
        {"/p2p/" ID,
         "a503260024080112203b6a27bcceb6a42d62a3a8d02a6f0d73653215771de243a63ac048a18b59da29"},
    };
    for (usize i = 0; i < KL_COUNT_OF(known); i++) {
        kl_multiaddr addr, back;
        u8 room[KL_MULTIADDR_MAX];
        char text[KL_MULTIADDR_TEXT_MAX];
        kl_out out = kl_out_of(room, sizeof room);
        CHECK_RULE(kl_multiaddr_parse(&addr, kl_span_str(known[i].text)), KL_RULE_NONE);
        kl_multiaddr_put(&out, &addr);
        CHECK(!out.full);
        CHECK_HEX(kl_out_done(&out), known[i].hex);
        CHECK_RULE(kl_multiaddr_get(&back, kl_out_done(&out)), KL_RULE_NONE);
        CHECK(kl_multiaddr_eq(&addr, &back));
        CHECK_U64(kl_multiaddr_len(&addr), out.len);
        usize len = kl_multiaddr_text(text, &back);
        CHECK_SPAN(kl_span_of(text, len), kl_span_str(known[i].text));
    }
}

KL_TEST(multiaddr_refuses)
{
    static const struct {
        const char *text;
        kl_rule rule;
    } bad[] = {
        {"", KL_RULE_MULTIADDR_FORM},
        {"/", KL_RULE_MULTIADDR_FORM},
        {"ip4/1.2.3.4", KL_RULE_MULTIADDR_FORM},
        {"/ip4", KL_RULE_MULTIADDR_FORM},
        {"/ip4/", KL_RULE_MULTIADDR_FORM},
        {"/ip4//tcp/1", KL_RULE_MULTIADDR_FORM},
        {"/ip4/1.2.3.4/", KL_RULE_MULTIADDR_FORM},
        {"/ip4/1.2.3", KL_RULE_MULTIADDR_HOST},
        {"/ip4/1.2.3.256", KL_RULE_MULTIADDR_HOST},
        {"/ip4/01.2.3.4", KL_RULE_MULTIADDR_HOST},
        {"/ip6/1.2.3.4", KL_RULE_MULTIADDR_HOST},
        {"/ip6/fe80::1%eth0", KL_RULE_MULTIADDR_HOST},
        {"/ip6/0000:0000:0000:0000:0000:0000:0000:0000:0000:0000:0000", KL_RULE_MULTIADDR_HOST},
        {"/dns4/a b", KL_RULE_MULTIADDR_HOST},
        {"/ip4/1.2.3.4/tcp/65536", KL_RULE_MULTIADDR_PORT},
        {"/ip4/1.2.3.4/tcp/080", KL_RULE_MULTIADDR_PORT},
        {"/ip4/1.2.3.4/tcp/-1", KL_RULE_MULTIADDR_PORT},
        {"/ip4/1.2.3.4/tcp/1/tcp/2", KL_RULE_MULTIADDR_FORM},
        {"/ip4/1.2.3.4/ip4/1.2.3.4", KL_RULE_MULTIADDR_FORM},
        {"/tcp/1", KL_RULE_MULTIADDR_FORM},
        {"/p2p/" ID "/tcp/1", KL_RULE_MULTIADDR_FORM},
        {"/ip4/1.2.3.4/udp/1/quic-v1", KL_RULE_MULTIADDR_KIND},
        {"/ip4/1.2.3.4/tcp/1/ws", KL_RULE_MULTIADDR_KIND},
    };
    for (usize i = 0; i < KL_COUNT_OF(bad); i++) {
        kl_multiaddr addr;
        CHECK_RULE(kl_multiaddr_parse(&addr, kl_span_str(bad[i].text)), bad[i].rule);
    }
    char name[6 + KL_MULTIADDR_NAME_MAX + 1] = "/dns4/";
    kl_multiaddr addr;
    memset(name + 6, 'a', sizeof name - 6);
    CHECK_RULE(kl_multiaddr_parse(&addr, kl_span_of(name, sizeof name)), KL_RULE_MULTIADDR_HOST);
    CHECK_RULE(kl_multiaddr_parse(&addr, kl_span_of(name, sizeof name - 1)), KL_RULE_NONE);
    CHECK_U64(addr.name_len, KL_MULTIADDR_NAME_MAX);
}

static kl_multiaddr any_addr(u64 *seed)
{
    kl_multiaddr addr = {.host = (kl_host_kind)kl_rand_below(seed, 6)};
    kl_rand_fill(seed, addr.ip, sizeof addr.ip);
    if (addr.host >= KL_HOST_DNS) {
        addr.name_len = (u8)(1 + kl_rand_below(seed, KL_MULTIADDR_NAME_MAX));
        for (usize i = 0; i < addr.name_len; i++)
            addr.name[i] = "abcXYZ019-_."[kl_rand_below(seed, 12)];
    }
    addr.has_port = addr.host != KL_HOST_NONE && kl_rand(seed) % 4;
    addr.port = (u16)kl_rand(seed);
    addr.has_peer = addr.host == KL_HOST_NONE || kl_rand(seed) % 2;
    kl_rand_fill(seed, addr.peer.key, sizeof addr.peer.key);
    return addr;
}

/* Any address survives both forms; a part of its bytes is another address or none. */
KL_TEST(multiaddr_forms)
{
    for (int i = 0; i < 2000; i++) {
        kl_multiaddr addr = any_addr(seed), back;
        u8 room[KL_MULTIADDR_MAX];
        char text[KL_MULTIADDR_TEXT_MAX];
        kl_out out = kl_out_of(room, sizeof room);
        kl_multiaddr_put(&out, &addr);
        CHECK(!out.full);
        CHECK_RULE(kl_multiaddr_get(&back, kl_out_done(&out)), KL_RULE_NONE);
        CHECK(kl_multiaddr_eq(&addr, &back));
        usize len = kl_multiaddr_text(text, &addr);
        CHECK_RULE(kl_multiaddr_parse(&back, kl_span_of(text, len)), KL_RULE_NONE);
        CHECK(kl_multiaddr_eq(&addr, &back));
        usize cut = kl_rand_below(seed, out.len);
        if (kl_multiaddr_get(&back, kl_span_of(room, cut)) == KL_RULE_NONE)
            CHECK(!kl_multiaddr_eq(&addr, &back));
    }
}

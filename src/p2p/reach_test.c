#include "p2p/reach.h"

#include "base/test.h"

KL_TEST(reach_of_addresses)
{
    static const struct {
        const char *text;
        kl_reach reach;
    } rows[] = {
        {"/ip4/0.0.0.0/tcp/1", KL_REACH_NOWHERE},
        {"/ip4/0.1.2.3/tcp/1", KL_REACH_NOWHERE},
        {"/ip4/1.0.0.0/tcp/1", KL_REACH_WORLD},
        {"/ip4/9.255.255.255/tcp/1", KL_REACH_WORLD},
        {"/ip4/10.0.0.1/tcp/1", KL_REACH_SITE},
        {"/ip4/11.0.0.0/tcp/1", KL_REACH_WORLD},
        {"/ip4/100.63.0.1/tcp/1", KL_REACH_WORLD},
        {"/ip4/100.64.0.1/tcp/1", KL_REACH_SITE},
        {"/ip4/100.127.255.255/tcp/1", KL_REACH_SITE},
        {"/ip4/100.128.0.0/tcp/1", KL_REACH_WORLD},
        {"/ip4/127.0.0.1/tcp/1", KL_REACH_HOST},
        {"/ip4/127.255.0.1/tcp/1", KL_REACH_HOST},
        {"/ip4/169.254.169.254/tcp/80", KL_REACH_SITE},
        {"/ip4/172.15.0.1/tcp/1", KL_REACH_WORLD},
        {"/ip4/172.16.0.1/tcp/1", KL_REACH_SITE},
        {"/ip4/172.31.255.1/tcp/1", KL_REACH_SITE},
        {"/ip4/172.32.0.1/tcp/1", KL_REACH_WORLD},
        {"/ip4/192.168.1.1/tcp/1", KL_REACH_SITE},
        {"/ip4/223.255.255.255/tcp/1", KL_REACH_WORLD},
        {"/ip4/224.0.0.1/tcp/1", KL_REACH_NOWHERE},
        {"/ip4/255.255.255.255/tcp/1", KL_REACH_NOWHERE},
        {"/ip6/::/tcp/1", KL_REACH_NOWHERE},
        {"/ip6/::1/tcp/1", KL_REACH_HOST},
        {"/ip6/::2/tcp/1", KL_REACH_NOWHERE},
        {"/ip6/::ffff:127.0.0.1/tcp/1", KL_REACH_HOST},
        {"/ip6/::ffff:192.168.0.1/tcp/1", KL_REACH_SITE},
        {"/ip6/::ffff:8.8.8.8/tcp/1", KL_REACH_WORLD},
        {"/ip6/fc00::1/tcp/1", KL_REACH_SITE},
        {"/ip6/fdff::1/tcp/1", KL_REACH_SITE},
        {"/ip6/fe80::1/tcp/1", KL_REACH_SITE},
        {"/ip6/febf::1/tcp/1", KL_REACH_SITE},
        {"/ip6/fec0::1/tcp/1", KL_REACH_NOWHERE},
        {"/ip6/ff02::1/tcp/1", KL_REACH_NOWHERE},
        {"/ip6/2001:db8::1/tcp/1", KL_REACH_WORLD},
        {"/dns4/node.example/tcp/1", KL_REACH_WORLD},
    };
    for (usize i = 0; i < KL_COUNT_OF(rows); i++) {
        kl_multiaddr addr;
        CHECK_RULE(kl_multiaddr_parse(&addr, kl_span_str(rows[i].text)), KL_RULE_NONE);
        if (kl_reach_of(&addr) != rows[i].reach)
            kl_test_fail(__FILE__, __LINE__, "%s", rows[i].text);
    }
}

KL_TEST(reach_admits_outwards)
{
    kl_multiaddr host, site, world, nowhere;
    CHECK_RULE(kl_multiaddr_parse(&host, KL_SPAN_TEXT("/ip4/127.0.0.1/tcp/1")), KL_RULE_NONE);
    CHECK_RULE(kl_multiaddr_parse(&site, KL_SPAN_TEXT("/ip4/10.0.0.1/tcp/1")), KL_RULE_NONE);
    CHECK_RULE(kl_multiaddr_parse(&world, KL_SPAN_TEXT("/ip4/8.8.8.8/tcp/1")), KL_RULE_NONE);
    CHECK_RULE(kl_multiaddr_parse(&nowhere, KL_SPAN_TEXT("/ip4/0.0.0.0/tcp/1")), KL_RULE_NONE);
    CHECK(kl_reach_admits(KL_REACH_HOST, &host) && kl_reach_admits(KL_REACH_HOST, &world));
    CHECK(!kl_reach_admits(KL_REACH_SITE, &host) && kl_reach_admits(KL_REACH_SITE, &site));
    CHECK(!kl_reach_admits(KL_REACH_WORLD, &site) && kl_reach_admits(KL_REACH_WORLD, &world));
    CHECK(!kl_reach_admits(KL_REACH_HOST, &nowhere));
    CHECK(!kl_reach_admits(KL_REACH_NOWHERE, &nowhere));
}

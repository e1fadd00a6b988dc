#include "p2p/reach.h"

static const struct range {
    u8 ip[4], bits;
    kl_reach reach;
} ranges4[] = {
    {{0}, 8, KL_REACH_NOWHERE},     {{10}, 8, KL_REACH_SITE},
    {{100, 64}, 10, KL_REACH_SITE}, /* between a provider and its customers */
    {{127}, 8, KL_REACH_HOST},      {{169, 254}, 16, KL_REACH_SITE},
    {{172, 16}, 12, KL_REACH_SITE}, {{192, 168}, 16, KL_REACH_SITE},
    {{198, 18}, 15, KL_REACH_SITE}, /* benchmarks */
    {{224}, 3, KL_REACH_NOWHERE},   /* multicast, reserved, broadcast */
};

static kl_reach reach_of_ip4(const u8 ip[4])
{
    u32 value = kl_load_be32(ip);
    for (usize i = 0; i < KL_COUNT_OF(ranges4); i++)
        if ((value ^ kl_load_be32(ranges4[i].ip)) >> (32 - ranges4[i].bits) == 0)
            return ranges4[i].reach;
    return KL_REACH_WORLD;
}

static kl_reach reach_of_ip6(const u8 ip[16])
{
    static const u8 mapped[12] = {[10] = 0xff, [11] = 0xff};
    static const u8 zeros[15] = {0};
    if (memcmp(ip, mapped, sizeof mapped) == 0)
        return reach_of_ip4(ip + 12);
    if (memcmp(ip, zeros, sizeof zeros) == 0)
        return ip[15] == 1 ? KL_REACH_HOST : KL_REACH_NOWHERE;
    if ((ip[0] & 0xfe) == 0xfc || (ip[0] == 0xfe && (ip[1] & 0xc0) == 0x80))
        return KL_REACH_SITE;
    /* Of what is left only 2000::/3 has been given out. */
    return (ip[0] & 0xe0) == 0x20 ? KL_REACH_WORLD : KL_REACH_NOWHERE;
}

kl_reach kl_reach_of(const kl_multiaddr *addr)
{
    switch (addr->host) {
    case KL_HOST_NONE:
        return KL_REACH_NOWHERE;
    case KL_HOST_IP4:
        return reach_of_ip4(addr->ip);
    case KL_HOST_IP6:
        return reach_of_ip6(addr->ip);
    case KL_HOST_DNS:
    case KL_HOST_DNS4:
    case KL_HOST_DNS6:
        return KL_REACH_WORLD;
    }
    KL_UNREACHABLE();
}

#include "sys/names.h"

#include <netdb.h>
#include <netinet/in.h>
#include <string.h>

static void take(kl_tcp_address *out, const struct addrinfo *at)
{
    *out = (kl_tcp_address){.six = at->ai_family == AF_INET6};
    if (out->six) {
        struct sockaddr_in6 six;
        memcpy(&six, at->ai_addr, sizeof six);
        memcpy(out->ip, six.sin6_addr.s6_addr, 16);
    } else {
        struct sockaddr_in four;
        memcpy(&four, at->ai_addr, sizeof four);
        memcpy(out->ip, &four.sin_addr, 4);
    }
}

static usize find(KL_UNUSED struct kl_names *names, const char *name, kl_names_family family,
                  kl_tcp_address *out, usize max)
{
    static const int families[] = {
        [KL_NAMES_ANY] = AF_UNSPEC, [KL_NAMES_FOUR] = AF_INET, [KL_NAMES_SIX] = AF_INET6};
    struct addrinfo hints = {.ai_family = families[family], .ai_socktype = SOCK_STREAM};
    struct addrinfo *list = NULL;
    usize count = 0;
    if (getaddrinfo(name, NULL, &hints, &list) != 0)
        return 0;
    for (const struct addrinfo *at = list; at && count < max; at = at->ai_next)
        if (at->ai_family == AF_INET || at->ai_family == AF_INET6)
            take(&out[count++], at);
    freeaddrinfo(list);
    return count;
}

struct kl_names *kl_sys_names(void)
{
    static struct kl_names names = {find};
    return &names;
}

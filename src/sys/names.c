#include "sys/names.h"

#include <netdb.h>
#include <sys/socket.h>

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
            kl_tcp_address_of(&out[count++], at->ai_addr);
    freeaddrinfo(list);
    return count;
}

struct kl_names *kl_sys_names(void)
{
    static struct kl_names names = {find};
    return &names;
}

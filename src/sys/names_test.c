#include "sys/names.h"

#include <string.h>

#include "base/test.h"

KL_TEST(names_of_this_machine)
{
    static const u8 loopback[4] = {127, 0, 0, 1};
    kl_tcp_address at[4];
    struct kl_names *names = kl_sys_names();
    CHECK_U64(names->find(names, "localhost", KL_NAMES_FOUR, at, 4), 1);
    CHECK(!at[0].six && memcmp(at[0].ip, loopback, 4) == 0 && at[0].port == 0);
    CHECK_U64(names->find(names, "127.0.0.1", KL_NAMES_ANY, at, 4), 1);
    CHECK_U64(names->find(names, "127.0.0.1", KL_NAMES_SIX, at, 4), 0);
    CHECK_U64(names->find(names, "::ffff:127.0.0.1", KL_NAMES_ANY, at, 4), 1);
    CHECK(!at[0].six && memcmp(at[0].ip, loopback, 4) == 0);
    CHECK_U64(names->find(names, "localhost", KL_NAMES_FOUR, at, 0), 0);
    CHECK_U64(names->find(names, "no host has spaces", KL_NAMES_ANY, at, 4), 0);
}

#include "node/resolver.h"

#include <stdio.h>

#include "base/sync.h"
#include "base/test.h"

/* Names that wait until the test lets them go. */
static struct {
    struct kl_names names;
    kl_mutex lock;
    kl_cond changed;
    u32 inside, most;
    bool open;
    u32 ended;
} world;

static usize find(KL_UNUSED struct kl_names *names, const char *name, kl_names_family family,
                  kl_tcp_address *out, usize max)
{
    CHECK(max == KL_RESOLVER_ADDRS_MAX);
    kl_lock(&world.lock);
    world.inside++;
    world.most = KL_MAX(world.most, world.inside);
    kl_cond_broadcast(&world.changed);
    while (!world.open)
        kl_cond_wait(&world.changed, &world.lock);
    world.inside--;
    kl_cond_broadcast(&world.changed);
    kl_unlock(&world.lock);
    out[0] = (kl_tcp_address){.six = family == KL_NAMES_SIX, .ip = {[3] = (u8)name[0]}};
    return name[0] != 'z';
}

static void on_ended(KL_UNUSED void *ctx)
{
    kl_lock(&world.lock);
    world.ended++;
    kl_cond_broadcast(&world.changed);
    kl_unlock(&world.lock);
}

static void begin(void)
{
    world.names.find = find;
    kl_mutex_init(&world.lock);
    kl_cond_init(&world.changed);
    world.inside = world.most = world.ended = 0;
    world.open = false;
}

static kl_multiaddr host(char letter, kl_host_kind kind)
{
    kl_multiaddr addr = {.host = kind, .name_len = 1};
    addr.name[0] = letter;
    return addr;
}

static void wait_for(const u32 *what, u32 want)
{
    kl_lock(&world.lock);
    while (*what != want)
        kl_cond_wait(&world.changed, &world.lock);
    kl_unlock(&world.lock);
}

static void open_gate(void)
{
    kl_lock(&world.lock);
    world.open = true;
    kl_cond_broadcast(&world.changed);
    kl_unlock(&world.lock);
}

/* Whoever asks never waits; some are looked up at once, and all are answered. */
KL_TEST(resolver_answers_everybody)
{
    struct kl_resolver *r;
    kl_resolved answer;
    u32 seen = 0;
    begin();
    CHECK_OK(kl_resolver_new(&r, &world.names, on_ended, NULL));
    CHECK(!kl_resolver_take(r, &answer));
    u32 asked = 0;
    for (u32 i = 0; i < 26; i++) {
        kl_multiaddr addr = host((char)('a' + i), i % 2 ? KL_HOST_DNS6 : KL_HOST_DNS);
        CHECK(kl_resolver_ask(r, i, &addr));
        asked++;
    }
    wait_for(&world.inside, KL_RESOLVER_THREADS);
    CHECK(!kl_resolver_take(r, &answer));
    kl_multiaddr more = host('q', KL_HOST_DNS4);
    while (kl_resolver_ask(r, 16, &more))
        CHECK(++asked < 1000);
    CHECK_U64(asked, KL_RESOLVER_THREADS + KL_RESOLVER_WAITING_MAX);
    open_gate();
    wait_for(&world.ended, asked);
    for (; kl_resolver_take(r, &answer); seen++) {
        CHECK(answer.tag < 26 && answer.count == (answer.tag != 25));
        CHECK(!answer.count || answer.at[0].ip[3] == 'a' + answer.tag);
        CHECK(!answer.count || answer.at[0].six == (answer.tag % 2 == 1));
    }
    CHECK_U64(seen, asked);
    CHECK_U64(world.most, KL_RESOLVER_THREADS);
    kl_resolver_free(r);
}

/* The end does not wait for a look-up that hangs. */
KL_TEST(resolver_ends_at_once)
{
    struct kl_resolver *r;
    begin();
    CHECK_OK(kl_resolver_new(&r, &world.names, on_ended, NULL));
    kl_multiaddr addr = host('a', KL_HOST_DNS);
    CHECK(kl_resolver_ask(r, 1, &addr));
    wait_for(&world.inside, 1);
    kl_resolver_free(r);
    open_gate();
    wait_for(&world.inside, 0);
    CHECK_U64(world.ended, 0);
    kl_resolver_free(NULL);
}

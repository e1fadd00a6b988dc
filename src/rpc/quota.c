/* A bucket is the time from which on the next call may be made, as if calls were a pause apart; it
 * may be ahead of the clock by as many pauses as calls may come at once. */
#include "rpc/quota.h"

#include "base/int.h"
#include "base/rand.h"

#define SECOND_NS UINT64_C(1000000000)

void kl_quota_init(struct kl_quota *q, u64 rate, u64 seed)
{
    memset(q, 0, sizeof *q);
    q->call_ns = rate ? KL_MAX(SECOND_NS / rate, (u64)1) : 0;
    q->seed = seed;
}

static bool is_loopback(const kl_tcp_address *a)
{
    static const u8 one[16] = {[15] = 1};
    return a->six ? memcmp(a->ip, one, sizeof one) == 0 : a->ip[0] == 127;
}

u32 kl_quota_place(const struct kl_quota *q, const kl_tcp_address *a)
{
    if (!q->call_ns || is_loopback(a))
        return KL_QUOTA_NO_PLACE;
    u64 key = a->six ? kl_load_be64(a->ip) : kl_load_be32(a->ip);
    u64 state = q->seed ^ key;
    state = kl_rand(&state) ^ (a->six ? q->seed : ~q->seed);
    return (u32)(kl_rand(&state) % KL_QUOTA_PLACES);
}

bool kl_quota_take(struct kl_quota *q, u32 place, u64 now_ns)
{
    if (place == KL_QUOTA_NO_PLACE)
        return true;
    unsigned long long was = atomic_load(&q->from_ns[place]);
    u64 next_ns;
    do {
        next_ns = kl_add_sat_u64(KL_MAX((u64)was, now_ns), q->call_ns);
        if (next_ns - now_ns > KL_MAX(KL_QUOTA_AT_ONCE_S * SECOND_NS, q->call_ns))
            return false;
    } while (!atomic_compare_exchange_weak(&q->from_ns[place], &was, next_ns));
    return true;
}

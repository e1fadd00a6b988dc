/* Inputs of the built-in contracts.  The first byte chooses the contract, the second the fork, the
 * rest is the input.  The price comes first, as in a call, and bounds the work.  A run is a
 * function of its input; where a contract reads past the end of its input, it reads zeros. */
#include "base/fuzz.h"
#include "evm/precompile.h"

enum { GAS_MAX = 400000, INPUT_MAX = 1 << 14 };

struct outcome {
    kl_span output;
    bool ok;
};

static struct outcome run(const struct kl_precompile *p, kl_span input, kl_fork fork,
                          struct kl_arena *arena)
{
    struct outcome o = {.ok = false};
    KL_ASSERT(kl_precompile_run(p, input, fork, arena, &o.output, &o.ok) == KL_OK);
    return o;
}

static bool same(struct outcome a, struct outcome b)
{
    return a.ok == b.ok && (!a.ok || kl_span_eq(a.output, b.output));
}

/* Contracts whose fields have fixed places, by the last byte of their address: [EIP-196, EIP-198]
 * and the Yellow Paper's appendix E call what is missing zero. */
static bool pads(u8 which)
{
    return which == 1 || which == 5 || which == 6 || which == 7;
}

static void check_padding(const struct kl_precompile *p, u8 which, kl_span input, kl_fork fork,
                          struct outcome want, struct kl_arena *arena)
{
    u8 *longer = KL_TAKE(arena, u8, input.len + 40);
    KL_ASSERT(longer);
    memset(longer, 0, input.len + 40);
    if (input.len)
        memcpy(longer, input.p, input.len);
    kl_span padded = kl_span_of(longer, input.len + 1 + input.len % 40);
    if (pads(which)) {
        KL_ASSERT(kl_precompile_gas(p, padded, fork) == kl_precompile_gas(p, input, fork));
        KL_ASSERT(same(run(p, padded, fork, arena), want));
    }
}

/* Memory that runs out is a status, never another answer. */
static void check_small(const struct kl_precompile *p, kl_span input, kl_fork fork,
                        struct outcome want)
{
    struct kl_arena small;
    struct outcome o = {.ok = false};
    kl_arena_init(&small, input.len * 2654435761u % 2048);
    kl_status status = kl_precompile_run(p, input, fork, &small, &o.output, &o.ok);
    KL_ASSERT(status == KL_OK ? same(o, want) : status == KL_NOMEM || status == KL_LIMIT);
    kl_arena_done(&small);
}

int LLVMFuzzerTestOneInput(const u8 *bytes, usize len)
{
    if (len < 2)
        return 0;
    kl_address address = {.b[19] = bytes[0]};
    if (bytes[0] == 0xff) /* P256VERIFY lies at 0x100 */
        address.b[18] = 1, address.b[19] = 0;
    kl_fork fork = (kl_fork)(bytes[1] % KL_FORK_COUNT);
    const struct kl_precompile *p = kl_precompile_at(&address, fork);
    kl_span input = kl_span_of(bytes + 2, KL_MIN(len - 2, (usize)INPUT_MAX));
    if (!p || kl_precompile_gas(p, input, fork) > GAS_MAX)
        return 0;
    KL_ASSERT(*kl_precompile_name(p));
    struct kl_arena arena;
    kl_arena_init(&arena, 1 << 26);
    struct outcome want = run(p, input, fork, &arena);
    KL_ASSERT(same(run(p, input, fork, &arena), want));
    check_padding(p, bytes[0], input, fork, want, &arena);
    check_small(p, input, fork, want);
    kl_arena_done(&arena);
    return 0;
}

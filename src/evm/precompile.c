#include "evm/precompile_priv.h"

struct kl_precompile {
    u32 address;
    kl_fork since;
    const char *name;
    kl_pre_gas *gas;
    kl_pre_run *run;
};

static const struct kl_precompile all[] = {
#define KL_PRECOMPILE_X(address, name, fork, function) \
    {address, KL_##fork, #name, kl_pre_gas_##function, kl_pre_run_##function},
#include "evm/precompiles.def"
#undef KL_PRECOMPILE_X
};

/* The first ones stand without a gap, so that the address finds them. */
#define DENSE 0x11

const struct kl_precompile *kl_precompile_at(const kl_address *address, kl_fork fork)
{
    const u8 *b = address->b;
    u32 number = kl_load_be32(b + 16);
    if ((kl_load_be64(b) | kl_load_be64(b + 8)) != 0 || number == 0 || number > 0x100)
        return NULL;
    const struct kl_precompile *p = number <= DENSE   ? &all[number - 1]
                                    : number == 0x100 ? &all[DENSE]
                                                      : NULL;
    return p && fork >= p->since ? p : NULL;
}

bool kl_precompile_next(kl_fork fork, usize *cursor, kl_address *out)
{
    while (*cursor < KL_COUNT_OF(all) && fork < all[*cursor].since)
        ++*cursor;
    if (*cursor == KL_COUNT_OF(all))
        return false;
    *out = (kl_address){{0}};
    kl_store_be32(out->b + 16, all[*cursor].address);
    ++*cursor;
    return true;
}

const char *kl_precompile_name(const struct kl_precompile *precompile)
{
    return precompile->name;
}

u64 kl_precompile_gas(const struct kl_precompile *precompile, kl_span input, kl_fork fork)
{
    return precompile->gas(input, fork);
}

kl_status kl_precompile_run(const struct kl_precompile *precompile, kl_span input, kl_fork fork,
                            struct kl_arena *arena, kl_span *output, bool *ok)
{
    kl_pre_job job = {.in = input, .fork = fork, .arena = arena, .ok = true};
    KL_TRY(precompile->run(&job));
    *output = job.ok ? job.out : KL_SPAN_NONE;
    *ok = job.ok;
    return KL_OK;
}

void kl_pre_copy(u8 *out, usize len, kl_span in, u64 offset)
{
    kl_span part = kl_span_sub(in, offset, len);
    if (part.len)
        memcpy(out, part.p, part.len);
    memset(out + part.len, 0, len - part.len);
}

#include "types/fork.h"

static const struct row {
    const char *name, *config;
} rows[KL_FORK_COUNT] = {
#define KL_FORK_X(name, fixture, config) [KL_##name] = {fixture, config},
#include "types/fork.def"
#undef KL_FORK_X
};

/* What else the forks are called. */
static const struct alias {
    const char *name;
    kl_fork fork;
} aliases[] = {
#define KL_FORK_X(name, fixture, config) {#name, KL_##name},
#include "types/fork.def"
#undef KL_FORK_X
    {"TangerineWhistle", KL_TANGERINE},
    {"SpuriousDragon", KL_SPURIOUS},
    {"EIP155", KL_SPURIOUS},
    {"Merge", KL_PARIS},
    {"MuirGlacier", KL_MUIR_GLACIER},
    {"ArrowGlacier", KL_ARROW_GLACIER},
    {"GrayGlacier", KL_GRAY_GLACIER},
};

static const struct row *row_of(kl_fork fork)
{
    KL_ASSERT((usize)fork < KL_FORK_COUNT);
    return &rows[fork];
}

const char *kl_fork_name(kl_fork fork)
{
    return row_of(fork)->name;
}

const char *kl_fork_config_key(kl_fork fork)
{
    return row_of(fork)->config;
}

static u8 lower(u8 c)
{
    return c >= 'A' && c <= 'Z' ? (u8)(c + 'a' - 'A') : c;
}

static bool same_word(kl_span name, const char *word)
{
    if (name.len != strlen(word))
        return false;
    for (usize i = 0; i < name.len; i++)
        if (lower(name.p[i]) != lower((u8)word[i]))
            return false;
    return true;
}

bool kl_fork_from_name(kl_fork *out, kl_span name)
{
    for (usize i = 0; i < KL_FORK_COUNT; i++)
        if (same_word(name, rows[i].name)) {
            *out = (kl_fork)i;
            return true;
        }
    for (usize i = 0; i < KL_COUNT_OF(aliases); i++)
        if (same_word(name, aliases[i].name)) {
            *out = aliases[i].fork;
            return true;
        }
    return false;
}

#include "evil/attack_priv.h"

static const struct evil_attack attacks[] = {
#define EVIL_X(name, stage, wires, habits, begin, step, hear, rule, text) \
    {name, EVIL_##stage, wires, habits, begin, step, hear, rule, "", text},
#define EVIL_BORNE(name, stage, wires, habits, begin, step, hear, why, text) \
    {name, EVIL_##stage, wires, habits, begin, step, hear, "", why, text},
#include "evil/attack.def"
};

const struct evil_attack *kl_evil_at(usize i)
{
    return i < KL_COUNT_OF(attacks) ? &attacks[i] : NULL;
}

const struct evil_attack *kl_evil_find(const char *name)
{
    for (usize i = 0; i < KL_COUNT_OF(attacks); i++)
        if (strcmp(attacks[i].name, name) == 0)
            return &attacks[i];
    return NULL;
}

const char *kl_evil_name(const struct evil_attack *attack)
{
    return attack->name;
}

bool kl_evil_votes(const struct evil_attack *attack)
{
    return attack->habits & EVIL_VOTES;
}

bool kl_evil_leads(const struct evil_attack *attack)
{
    return attack->habits & EVIL_LEADS;
}

u32 kl_evil_wires(const struct evil_attack *attack)
{
    return attack->wires;
}

const char *kl_evil_rule(const struct evil_attack *attack)
{
    return attack->rule;
}

const char *kl_evil_why(const struct evil_attack *attack)
{
    return attack->why;
}

const char *kl_evil_text(const struct evil_attack *attack)
{
    return attack->text;
}

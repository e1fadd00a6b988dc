#include "base/rule.h"

#include "base/int.h"

static const struct row {
    const char *name, *text, *fixture;
} rows[KL_RULE_COUNT] = {
    [KL_RULE_NONE] = {"NONE", "no rule is broken", ""},
#define KL_RULE_X(name, source, text, fixture) [KL_RULE_##name] = {#name, text, fixture},
#include "base/rule.def"
#undef KL_RULE_X
};

static const struct row *row_of(kl_rule rule)
{
    KL_ASSERT((usize)rule < KL_RULE_COUNT);
    return &rows[rule];
}

const char *kl_rule_text(kl_rule rule)
{
    return row_of(rule)->text;
}

const char *kl_rule_name(kl_rule rule)
{
    return row_of(rule)->name;
}

const char *kl_rule_fixture(kl_rule rule)
{
    return row_of(rule)->fixture;
}

/* rule: verdicts.  The input breaks a rule, and this is the rule.
 *
 * rule.def is the one table of everything a block, a transaction or any other bytes from outside
 * can be guilty of; RPC messages, the conformance runner's expected exceptions and the
 * documentation all come from it.  A verdict is a pure function of the input and the chain: it
 * never depends on this machine's disk, memory, load or clock. */
#ifndef KL_BASE_RULE_H
#define KL_BASE_RULE_H

#include "base/check.h"

typedef enum kl_rule {
    KL_RULE_NONE, /* no rule is broken */
#define KL_RULE_X(name, source, text, fixture) KL_RULE_##name,
#include "base/rule.def"
#undef KL_RULE_X
    KL_RULE_COUNT
} kl_rule;

/* The message a user sees ("nonce too low"); static storage, never NULL. */
const char *kl_rule_text(kl_rule rule);

/* "TX_NONCE_LOW"; static storage. */
const char *kl_rule_name(kl_rule rule);

/* Exception names of the official fixtures that mean this rule, joined with '|'; "" for none. */
const char *kl_rule_fixture(kl_rule rule);

/* Returns early with the rule that is broken. */
#define KL_JUDGE(expression)                            \
    do {                                                \
        kl_rule kl_judge_rule = (expression);           \
        if (KL_UNLIKELY(kl_judge_rule != KL_RULE_NONE)) \
            return kl_judge_rule;                       \
    } while (0)

#endif

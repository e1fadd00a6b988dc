/* One bounded step between two sets.  A validator is told by its operator.  Changes are tried in
 * one order: who goes, then who stays with other keys or another weight, then who comes; the first
 * that is possible is made whatever it weighs, further ones while all of them weigh at most F.
 *
 * Why this ends.  Each change brings one validator to what is wanted of it, for good, so only a
 * step without any change would stand still.  When is no change possible?  Going is refused only to
 * the last one.  A lighter weight is always possible; when none is wanted, no heavier one and
 * nobody who comes passes the bound on weight, for all together weigh what wanted weighs; and the
 * bound on the number is wanted's own.  There remain two cases, and kl_policy_step has a way out
 * of each:
 *   - the only validator is to go, and leaves no room (of weight, or its key) for who comes: the
 *     first wanted takes its place;
 *   - keys go round in a ring, each held by the next: one of its holders goes, and comes back. */
#include "cert/policy_priv.h"

struct step {
    const kl_vote_scheme *scheme;
    kl_validator *next;
    u32 count;
    u64 weight;
    u64 bound, spent;
    bool changed;
};

static const kl_validator *wish(const kl_valset *wanted, const kl_address *operator)
{
    return kl_validator_find(wanted->validators, wanted->count, operator);
}

static bool key_is_taken(const struct step *step, const kl_validator *by, const u8 *key)
{
    for (u32 i = 0; i < step->count; i++)
        if (&step->next[i] != by && memcmp(step->next[i].key, key, step->scheme->key_len) == 0)
            return true;
    return false;
}

/* May a change of this weight be made?  Then it counts. */
static bool pay(struct step *step, u64 weight)
{
    if (step->changed && (step->spent > step->bound || weight > step->bound - step->spent))
        return false;
    step->spent += weight;
    step->changed = true;
    return true;
}

static void drop(struct step *step, kl_validator *v)
{
    step->weight -= v->weight;
    u32 place = (u32)(v - step->next);
    memmove(v, v + 1, (step->count - place - 1) * sizeof *v);
    step->count--;
}

static void let_go(struct step *step, const kl_valset *wanted)
{
    for (u32 i = 0; i < step->count;) {
        kl_validator *v = &step->next[i];
        if (!wish(wanted, &v->operator) && step->count > 1 && pay(step, v->weight))
            drop(step, v);
        else
            i++;
    }
}

/* What a validator that stays is to be. */
static void change(struct step *step, kl_validator *v, const kl_validator *to)
{
    bool keys = !kl_validator_same_keys(v, to, step->scheme);
    if (!keys && v->weight == to->weight)
        return;
    u64 rest = step->weight - v->weight, more = KL_MAX(v->weight, to->weight);
    u64 weight = keys ? more : more - KL_MIN(v->weight, to->weight);
    if (to->weight > KL_WEIGHT_MAX - rest || key_is_taken(step, v, to->key) || !pay(step, weight))
        return;
    *v = *to;
    step->weight = rest + to->weight;
}

static void let_come(struct step *step, const kl_validator *to)
{
    if (kl_validator_find(step->next, step->count, &to->operator) ||
        step->count == KL_VALIDATORS_MAX || to->weight > KL_WEIGHT_MAX - step->weight ||
        key_is_taken(step, NULL, to->key) || !pay(step, to->weight))
        return;
    step->next[step->count++] = *to;
    step->weight += to->weight;
}

static void change_all(struct step *step, const kl_valset *wanted)
{
    let_go(step, wanted);
    for (u32 i = 0; i < step->count; i++) {
        const kl_validator *to = wish(wanted, &step->next[i].operator);
        if (to)
            change(step, &step->next[i], to);
    }
    for (u32 i = 0; i < wanted->count; i++)
        let_come(step, &wanted->validators[i]);
}

/* Where nothing could be changed although something is to be. */
static void make_way(struct step *step, const kl_valset *wanted)
{
    for (u32 i = 0; i < step->count; i++) {
        kl_validator *v = &step->next[i];
        const kl_validator *to = wish(wanted, &v->operator);
        if (!to) {
            KL_ASSERT(step->count == 1);
            *v = wanted->validators[0];
            return;
        }
        if (!kl_validator_same_keys(v, to, step->scheme)) {
            KL_ASSERT(step->count > 1);
            drop(step, v);
            return;
        }
    }
}

/* Who is wanted in wanted's order, then who is still to go. */
static void put_in_order(kl_validator *out, const struct step *step, const kl_valset *wanted)
{
    u32 n = 0;
    for (u32 i = 0; i < wanted->count; i++) {
        const kl_validator *v =
            kl_validator_find(step->next, step->count, &wanted->validators[i].operator);
        if (v)
            out[n++] = *v;
    }
    for (u32 i = 0; i < step->count; i++)
        if (!wish(wanted, &step->next[i].operator))
            out[n++] = step->next[i];
    KL_ASSERT(n == step->count);
}

kl_status kl_policy_step(kl_valset *out, const kl_valset *current, const kl_valset *wanted,
                         struct kl_arena *arena)
{
    KL_ASSERT(current->scheme == wanted->scheme);
    struct step step = {.scheme = current->scheme,
                        .next = KL_TAKE(arena, kl_validator, KL_VALIDATORS_MAX),
                        .count = current->count,
                        .weight = current->weight,
                        .bound = kl_valset_faulty(current)};
    kl_validator *ordered = KL_TAKE(arena, kl_validator, KL_VALIDATORS_MAX);
    if (!step.next || !ordered)
        return KL_NOMEM;
    memcpy(step.next, current->validators, current->count * sizeof *step.next);
    change_all(&step, wanted);
    if (!step.changed)
        make_way(&step, wanted);
    put_in_order(ordered, &step, wanted);
    KL_ASSERT(kl_valset_init(out, step.scheme, ordered, step.count) == KL_RULE_NONE);
    return KL_OK;
}

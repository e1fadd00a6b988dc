/* A seed's plan: which faults, how many machines, who lies, and how fast everything is. */
#include "lab/world_priv.h"

#define GOLDEN 0x9e3779b97f4a7c15u

static u32 draw_validators(u64 *dice)
{
    static const u8 sizes[] = {4, 4, 4, 4, 5, 5, 6, 7, 7, 10, 21, 1, 3};
    return sizes[kl_rand_below(dice, sizeof sizes)];
}

/* Of which 100 are entered in the middle, since some seeds stand still before; a few are long. */
static u64 draw_views(u64 *dice, u32 validators)
{
    u64 kind = kl_rand_below(dice, 64);
    if (kind == 0 && validators <= 10)
        return 500 + kl_rand_below(dice, 1500);
    return 46 + kl_rand_below(dice, 120);
}

static u8 draw_scheme(u64 *dice, u32 validators)
{
    u64 kind = kl_rand_below(dice, 40);
    if (kind == 0 && validators <= 7)
        return KL_SCHEME_SECP256K1;
    if (kind == 1 && validators <= 4)
        return KL_SCHEME_BLS12_381;
    return KL_SCHEME_KEYED_HASH;
}

/* Faulty validators, of at most F weight together; what is left of F goes to those whose disks may
 * be harmed. */
static void draw_faulty(kl_lab_plan *plan, u32 attack, u64 *dice)
{
    u64 total = 0;
    for (u32 i = 0; i < plan->validators; i++)
        total += plan->weights[i];
    u64 left = (total - 1) / 3, first = kl_rand_below(dice, plan->validators);
    bool lies = plan->faults >> KL_LAB_BYZANTINE & 1;
    u64 kinds = KL_LAB_ATTACK_COUNT - 1, only = kl_rand_below(dice, 2 * kinds);
    for (u32 n = 0; n < plan->validators; n++) {
        u32 i = (u32)((first + n) % plan->validators);
        if (plan->weights[i] > left)
            continue;
        left -= plan->weights[i];
        if (lies && kl_rand_below(dice, 4)) {
            u64 kind = only < kinds ? only : kl_rand_below(dice, kinds);
            plan->attacks[i] = (kl_lab_attack)(attack ? attack : 1 + kind);
            plan->faulty++;
        } else {
            plan->victim[i] = true;
        }
    }
}

/* More than F are twins, and links are cut: the chain may fork, and who did it must be seen. */
static void draw_too_many(kl_lab_plan *plan)
{
    u64 total = 0, weight = 0;
    for (u32 i = 0; i < plan->validators; i++)
        total += plan->weights[i];
    plan->faulty = 0;
    memset(plan->victim, 0, sizeof plan->victim);
    for (u32 i = 0; i < plan->validators; i++) {
        bool lies = weight <= (total - 1) / 3 + total / 6;
        plan->attacks[i] = lies ? KL_LAB_IS_TWIN : KL_LAB_IS_NONE;
        weight += lies ? plan->weights[i] : 0;
        plan->faulty += lies;
    }
    plan->too_many = true;
    plan->faults |= 1u << KL_LAB_PARTITION;
}

static void draw_times(kl_lab_plan *plan, u64 *dice)
{
    static const u64 deltas[] = {100, 200, 500, 1000};
    static const u32 rates[] = {5, 10, 20, 30, 50, 300};
    plan->delta_ms = deltas[kl_rand_below(dice, KL_COUNT_OF(deltas))];
    plan->period_ms = kl_rand_below(dice, 4) ? 200 : 20 + kl_rand_below(dice, 1000);
    plan->empty_ms = kl_rand_below(dice, 4) ? 0 : 2000 + kl_rand_below(dice, 8000);
    plan->delay_ns = (1 + kl_rand_below(dice, plan->delta_ms * 2 / 3)) * KL_MS;
    if (plan->faults >> KL_LAB_DELAY & 1)
        plan->tail_ns = (100 + kl_rand_below(dice, 2900)) * KL_MS;
    plan->epoch_blocks = kl_rand_below(dice, 3) ? 4 + kl_rand_below(dice, 40) : 1000000;
    plan->window = kl_rand_below(dice, 3) ? 64 : 16;
    plan->compact_bytes = kl_rand_below(dice, 3) ? 1 : 4096;
    plan->transactions = rates[kl_rand_below(dice, KL_COUNT_OF(rates))];
}

void kl_lab_plan_make(kl_lab_plan *out, const kl_lab_options *options)
{
    u64 state = options->seed * GOLDEN + 1, *dice = &state;
    kl_lab_plan plan = {0};
    u64 taken = options->all ? UINT64_MAX : kl_rand(dice);
    u32 validators = draw_validators(dice);
    plan.validators = options->nodes ? options->nodes : validators;
    u64 views = draw_views(dice, plan.validators);
    u8 scheme = draw_scheme(dice, plan.validators);
    plan.views = options->views ? options->views : views;
    plan.scheme = options->scheme ? options->scheme : scheme;
    plan.faults = options->faults & (u32)taken;
    bool drawn_too_many = kl_rand_below(dice, 40) == 0 && plan.validators >= 4 &&
                          (plan.faults >> KL_LAB_BYZANTINE & 1) &&
                          !(plan.faults >> KL_LAB_SET_CHANGE & 1);
    plan.observers = kl_rand_below(dice, 3) == 0;
    bool weighted = kl_rand_below(dice, 3) == 0;
    for (u32 i = 0; i < plan.validators; i++)
        plan.weights[i] = weighted ? 1 + kl_rand_below(dice, 4) : 1;
    draw_faulty(&plan, options->attack, dice);
    draw_times(&plan, dice);
    if (options->forks || (drawn_too_many && !options->attack))
        draw_too_many(&plan);
    plan.keys = plan.validators;
    if (plan.faults >> KL_LAB_SET_CHANGE & 1) {
        u32 spare = 1 + (u32)kl_rand_below(dice, 3);
        plan.keys = KL_MIN(plan.validators + spare, KL_LAB_VALIDATORS_MAX);
        plan.epoch_blocks = 4 + kl_rand_below(dice, 8);
        for (u32 i = plan.validators; i < plan.keys; i++)
            plan.weights[i] = 1;
    }
    if (plan.faults >> KL_LAB_LOSS & 1)
        plan.loss_percent = (u32)kl_rand_below(dice, 31);
    if (plan.faults >> KL_LAB_DUPLICATE & 1)
        plan.duplicate_percent = (u32)kl_rand_below(dice, 21);
    if (options->wire && kl_rand_below(dice, 4) == 0)
        plan.observers += 2; /* some more, who hear one another's transactions by others */
    *out = plan;
}

/* Automine owes a block to every waiting transaction, an interval to the passing of time.  The
 * interval comes first: its block takes all that wait. */
#include "consensus/solo.h"

void kl_solo_init(kl_solo *solo, bool automine, u64 interval_ns, u64 now_ns)
{
    *solo = (kl_solo){.automine = automine};
    kl_solo_set_interval(solo, interval_ns, now_ns);
}

void kl_solo_set_automine(kl_solo *solo, bool on)
{
    solo->automine = on;
}

void kl_solo_set_interval(kl_solo *solo, u64 interval_ns, u64 now_ns)
{
    solo->interval_ns = interval_ns;
    solo->next_due_ns = kl_add_sat_u64(now_ns, interval_ns);
}

void kl_solo_set_on_demand(kl_solo *solo, bool on)
{
    solo->on_demand = on;
}

void kl_solo_tx_waiting(kl_solo *solo, bool waiting)
{
    solo->tx_waiting = waiting;
}

void kl_solo_built(kl_solo *solo, const kl_solo_action *action, u64 now_ns)
{
    KL_ASSERT(action->build);
    if (action->by_interval && solo->interval_ns) { /* it may have been switched off meanwhile */
        /* Missed beats are skipped, the rhythm is kept. */
        u64 late_ns = now_ns > solo->next_due_ns ? now_ns - solo->next_due_ns : 0;
        u64 beats = late_ns / solo->interval_ns + 1;
        solo->next_due_ns =
            kl_add_sat_u64(solo->next_due_ns, kl_mul_sat_u64(beats, solo->interval_ns));
    }
}

kl_solo_action kl_solo_next(const kl_solo *solo, u64 now_ns)
{
    bool is_due = solo->interval_ns && now_ns >= solo->next_due_ns;
    if (is_due && (!solo->on_demand || solo->tx_waiting))
        return (kl_solo_action){.build = true, .tx_max = UINT64_MAX, .by_interval = true};
    if (solo->automine && solo->tx_waiting)
        return (kl_solo_action){.build = true, .tx_max = 1};
    return (kl_solo_action){
        .wait_ns = solo->interval_ns && !is_due ? solo->next_due_ns - now_ns : UINT64_MAX,
    };
}

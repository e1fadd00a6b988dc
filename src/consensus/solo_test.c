#include "consensus/solo.h"

#include "base/test.h"

enum { BEAT = 1000 };

KL_TEST(solo_automine_makes_a_block_for_each_waiting_transaction)
{
    kl_solo solo;
    kl_solo_init(&solo, true, 0, 5);
    kl_solo_action action = kl_solo_next(&solo, 5);
    CHECK(!action.build && action.wait_ns == UINT64_MAX);
    kl_solo_tx_waiting(&solo, true);
    for (int i = 0; i < 3; i++) {
        action = kl_solo_next(&solo, 5);
        CHECK(action.build && action.tx_max == 1 && !action.by_interval);
        kl_solo_built(&solo, &action, 5);
    }
    kl_solo_set_automine(&solo, false);
    CHECK(!kl_solo_next(&solo, 5).build);
    kl_solo_set_automine(&solo, true);
    kl_solo_tx_waiting(&solo, false);
    CHECK(!kl_solo_next(&solo, 5).build);
}

KL_TEST(solo_interval_keeps_its_rhythm_and_skips_missed_beats)
{
    kl_solo solo;
    kl_solo_init(&solo, false, BEAT, 0);
    CHECK_U64(kl_solo_next(&solo, 400).wait_ns, 600);
    kl_solo_action action = kl_solo_next(&solo, BEAT + 1);
    CHECK(action.build && action.by_interval);
    kl_solo_built(&solo, &action, BEAT + 1);
    CHECK_U64(kl_solo_next(&solo, BEAT + 1).wait_ns, BEAT - 1);
    action = kl_solo_next(&solo, 7 * BEAT + 300);
    CHECK(action.build);
    kl_solo_built(&solo, &action, 7 * BEAT + 300);
    CHECK_U64(kl_solo_next(&solo, 7 * BEAT + 300).wait_ns, 700);
    kl_solo_set_interval(&solo, 0, 8 * BEAT);
    CHECK_U64(kl_solo_next(&solo, 20 * BEAT).wait_ns, UINT64_MAX);
}

KL_TEST(solo_on_demand_waits_for_a_transaction_and_for_the_interval)
{
    kl_solo solo;
    kl_solo_init(&solo, false, BEAT, 0);
    kl_solo_set_on_demand(&solo, true);
    CHECK_U64(kl_solo_next(&solo, 400).wait_ns, 600);
    CHECK_U64(kl_solo_next(&solo, 3 * BEAT).wait_ns, UINT64_MAX);
    kl_solo_tx_waiting(&solo, true);
    kl_solo_action action = kl_solo_next(&solo, 3 * BEAT + 1);
    CHECK(action.build && action.by_interval && action.tx_max == UINT64_MAX);
    kl_solo_built(&solo, &action, 3 * BEAT + 1);
    CHECK_U64(kl_solo_next(&solo, 3 * BEAT + 1).wait_ns, BEAT - 1);
    kl_solo_tx_waiting(&solo, false);
    CHECK(!kl_solo_next(&solo, 9 * BEAT).build);
}

KL_TEST(solo_interval_may_be_switched_off_while_its_block_is_built)
{
    kl_solo solo;
    kl_solo_init(&solo, false, BEAT, 0);
    kl_solo_action action = kl_solo_next(&solo, BEAT);
    CHECK(action.build && action.by_interval);
    kl_solo_set_interval(&solo, 0, BEAT);
    kl_solo_built(&solo, &action, BEAT);
    CHECK(!kl_solo_next(&solo, 9 * BEAT).build);
}

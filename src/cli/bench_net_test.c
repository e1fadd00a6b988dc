/* keel bench net, as somebody types it: every phase ends, every figure is there, nothing is left.
 * What the figures are is no business of tests. */
#include <stdio.h>

#include "base/test.h"
#include "cli/command.h"
#include "cli/fleet_test.h"
#include "cli/said_test.h"

KL_TEST(bench_net_runs_every_phase_and_leaves_nothing)
{
    static const char *const names[] = {
        "\"bench\":\"net 4, syncs + 1 ms\"",
        "idle_memory",
        "idle_cpu",
        "final_p50",
        "final_p99",
        "light_network",
        "rate",
        "saturated_cpu",
        "lost_at_a_death",
        "lost_later",
        "by_blocks_rate",
        "by_blocks_cpu",
        "by_state_blocks",
        "by_state_rate",
        "by_state_leaf_rate",
    };
    struct place place;
    char line[200];
    fleet_enter(&place);
    snprintf(line, sizeof line,
             "bench net --seconds 0.1 --light 4 --transfers 200 --deaths 1 --blocks 270 "
             "--block-time 10ms "
             "--fsync-delay 1ms --json --dir %s",
             place.dir);
    for (usize i = 0; i < KL_COUNT_OF(names); i++)
        if (i == 0)
            check_said(line, KL_EXIT_OK, names[i]);
        else if (!strstr(said, names[i]))
            kl_test_fail(__FILE__, __LINE__, "%s is missing: %s", names[i], said);
    fleet_leave(&place);
}

KL_TEST(bench_net_refuses_what_makes_no_sense)
{
    check_said("bench net --nodes 17", KL_EXIT_USAGE, "--nodes takes a number from 1 to 16");
    check_said("bench net --fsync-delay 2", KL_EXIT_USAGE, "--fsync-delay takes seconds");
    check_said("bench net --dir /nowhere/at/all", KL_EXIT_FAILED, "no folder can be made in");
}

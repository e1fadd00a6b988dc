/* keel bench hostile, as somebody types it: every attack reaches its node, every figure is there,
 * nothing is left.  What the figures are is no business of tests. */
#include "base/test.h"
#include "cli/command.h"
#include "cli/fleet_test.h"
#include "cli/said_test.h"

KL_TEST(bench_hostile_reaches_its_node_and_leaves_nothing)
{
    struct place place;
    char evil[FLEET_PATH], line[300];
    find_beside(evil, "keel-evil");
    fleet_enter(&place);
    snprintf(line, sizeof line,
             "bench hostile --seconds 1 --rate 50 --attacks bft-signature,noise-stranger "
             "--block-time 20ms --json --dir %s",
             place.dir);
    check_said(line, KL_EXIT_OK, "in_peace");
    CHECK(strstr(said, "bft_signature") != NULL && strstr(said, "noise_stranger") != NULL);
    fleet_leave(&place);
}

KL_TEST(bench_hostile_refuses_what_makes_no_sense)
{
    check_said("bench hostile --nodes 3", KL_EXIT_USAGE, "--nodes takes a number from 4 to 16");
    check_said("bench hostile --dir /nowhere/at/all", KL_EXIT_FAILED, "no folder can be made in");
}

/* keel bench hostile, as somebody types it: every attack reaches its node, every figure is there,
 * nothing is left.  What the figures are is no business of tests. */
#include <dirent.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/test.h"
#include "cli/command.h"
#include "cli/place_test.h"
#include "cli/said_test.h"

/* keel and keel-evil lie beside their tests. */
static void find_program(char out[400])
{
    static const char *const names[] = {"/keel-evil", "/keel"};
    ssize_t len = readlink("/proc/self/exe", out, 380);
    CHECK(len > 0);
    out[len] = '\0';
    for (usize i = 0; i < KL_COUNT_OF(names); i++) {
        char *slash = strrchr(out, '/');
        CHECK(slash != NULL);
        memcpy(slash, names[i], strlen(names[i]) + 1);
        if (access(out, X_OK) != 0)
            kl_test_fail(__FILE__, __LINE__, "%s is to be built first", out);
    }
}

static usize count_names(const char *path)
{
    usize count = 0;
    DIR *dir = opendir(path);
    CHECK(dir != NULL);
    for (const struct dirent *entry; (entry = readdir(dir)) != NULL;)
        count += entry->d_name[0] != '.';
    closedir(dir);
    return count;
}

KL_TEST(bench_hostile_reaches_its_node_and_leaves_nothing)
{
    struct place place;
    char program[400], line[300];
    find_program(program);
    CHECK(setenv("KEEL_PROGRAM", program, 1) == 0);
    place_enter(&place);
    snprintf(line, sizeof line,
             "bench hostile --seconds 1 --rate 50 --attacks bft-signature,noise-stranger "
             "--block-time 20ms --json --dir %s",
             place.dir);
    check_said(line, KL_EXIT_OK, "in_peace");
    CHECK(strstr(said, "bft_signature") != NULL && strstr(said, "noise_stranger") != NULL);
    CHECK_U64(count_names(place.dir), 0);
    place_leave(&place);
    CHECK(unsetenv("KEEL_PROGRAM") == 0);
}

KL_TEST(bench_hostile_refuses_what_makes_no_sense)
{
    check_said("bench hostile --nodes 3", KL_EXIT_USAGE, "--nodes takes a number from 4 to 16");
    check_said("bench hostile --dir /nowhere/at/all", KL_EXIT_FAILED, "no folder can be made in");
}

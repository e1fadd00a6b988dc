/* place: where tests of commands run. */
#ifndef KL_CLI_PLACE_TEST_H
#define KL_CLI_PLACE_TEST_H

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/test.h"

/* A folder for one test, which is also the working directory. */
struct place {
    char dir[32], before[1000];
};

static inline void place_enter(struct place *place)
{
    snprintf(place->dir, sizeof place->dir, "/tmp/keel-test-XXXXXX");
    CHECK(mkdtemp(place->dir) && getcwd(place->before, sizeof place->before));
    CHECK(chdir(place->dir) == 0);
}

static inline void place_leave(struct place *place)
{
    CHECK(chdir(place->before) == 0);
    kl_test_remove(place->dir);
}

#endif

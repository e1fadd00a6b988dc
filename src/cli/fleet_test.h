/* fleet: a place for tests of commands that start programs, which lie beside the tests. */
#ifndef KL_CLI_FLEET_TEST_H
#define KL_CLI_FLEET_TEST_H

#include <dirent.h>

#include "cli/place_test.h"

enum { FLEET_PATH = 400 };

static inline void find_beside(char out[FLEET_PATH], const char *name)
{
    ssize_t len = readlink("/proc/self/exe", out, FLEET_PATH - 1);
    CHECK(len > 0);
    out[len] = '\0';
    char *slash = strrchr(out, '/');
    CHECK(slash != NULL);
    usize room = FLEET_PATH - (usize)(slash + 1 - out);
    CHECK((usize)snprintf(slash + 1, room, "%s", name) < room);
    if (access(out, X_OK) != 0)
        kl_test_fail(__FILE__, __LINE__, "%s is to be built first", out);
}

static inline void fleet_enter(struct place *place)
{
    char program[FLEET_PATH];
    find_beside(program, "keel");
    CHECK(setenv("KEEL_PROGRAM", program, 1) == 0);
    place_enter(place);
}

static inline usize count_names(const char *path)
{
    usize count = 0;
    DIR *dir = opendir(path);
    CHECK(dir != NULL);
    for (const struct dirent *entry; (entry = readdir(dir)) != NULL;)
        count += entry->d_name[0] != '.';
    closedir(dir);
    return count;
}

/* Nothing was left there. */
static inline void fleet_leave(struct place *place)
{
    CHECK_U64(count_names(place->dir), 0);
    place_leave(place);
    CHECK(unsetenv("KEEL_PROGRAM") == 0);
}

#endif

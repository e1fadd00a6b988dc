#include "cli/family.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "cli/command.h"

enum { MEMBERS_MAX = 16 };

static void print_help(FILE *to, const kl_family *family)
{
    fprintf(to, "usage: keel %s ", family->command);
    for (const char *p = family->noun; *p; p++)
        fputc(toupper((unsigned char)*p), to);
    fprintf(to, " [OPTION]... [ARGUMENT]...\n\n%s\n\n%ss:\n", family->help, family->noun);
    for (usize i = 0; i < family->count; i++)
        fprintf(to, "  %-12s %s\n", family->members[i].name, family->members[i].help);
    fprintf(to, "\n'keel %s ", family->command);
    for (const char *p = family->noun; *p; p++)
        fputc(toupper((unsigned char)*p), to);
    fprintf(to, " --help' tells more about one.\n%s", family->more ? family->more : "");
}

int kl_family_run(const kl_family *family, int argc, char **argv)
{
    const char *names[MEMBERS_MAX], *typed = argc > 1 ? argv[1] : NULL;
    KL_ASSERT(family->count <= MEMBERS_MAX);
    if (!typed) {
        print_help(stderr, family);
        return KL_EXIT_USAGE;
    }
    if (strcmp(typed, "--help") == 0 || strcmp(typed, "-h") == 0) {
        print_help(stdout, family);
        return KL_EXIT_OK;
    }
    for (usize i = 0; i < family->count; i++) {
        names[i] = family->members[i].name;
        if (strcmp(typed, names[i]) == 0)
            return family->members[i].run(argc - 1, argv + 1);
    }
    const char *near = kl_suggest(typed, names, family->count);
    fprintf(stderr, "keel %s: unknown %s %s%s%s%s\n", family->command, family->noun, typed,
            near ? "; did you mean " : "", near ? near : "", near ? "?" : "");
    return KL_EXIT_USAGE;
}

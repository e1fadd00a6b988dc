/* One pass over the environment and one over argv, which moves arguments to the front and fills
 * options in. */
#include "cli/option.h"

#include <stdio.h>
#include <stdlib.h>

#include "cli/command.h"

#define OPTIONS_MAX 64

/* "keel dev: --port takes a number from 0 to 65535, not 'x'", say, and where to read on. */
static int complain(const kl_usage *usage, const char *subject, const char *what,
                    const char *object)
{
    fprintf(stderr, "keel %s: %s%s%s\nTry 'keel %s --help'.\n", usage->command, subject, what,
            object, usage->command);
    return KL_EXIT_USAGE;
}

static int unknown_option(const kl_usage *usage, const char *typed)
{
    char name[48];
    const char *names[OPTIONS_MAX];
    usize count = 0;
    KL_ASSERT(usage->option_count < OPTIONS_MAX);
    for (usize i = 0; i < usage->option_count; i++)
        if (usage->options[i].kind != KL_OPTION_GROUP)
            names[count++] = usage->options[i].name;
    names[count++] = "--help";
    snprintf(name, sizeof name, "%.*s", (int)strcspn(typed, "="), typed);
    const char *near = kl_suggest(name, names, count);
    if (!near)
        return complain(usage, "unknown option ", typed, "");
    fprintf(stderr, "keel %s: unknown option %s; did you mean %s?\n", usage->command, typed, near);
    return KL_EXIT_USAGE;
}

static bool is_named(const char *name, const char *text, usize len)
{
    return name && strlen(name) == len && strncmp(name, text, len) == 0;
}

/* The option that text names; *value is what follows in the same word, or NULL. */
static const kl_option *find(const kl_usage *usage, const char *text, const char **value)
{
    usize len = strcspn(text, "=");
    for (usize i = 0; i < usage->option_count; i++) {
        const kl_option *o = &usage->options[i];
        if (is_named(o->name, text, len) || is_named(o->other, text, len)) {
            *value = text[len] ? text + len + 1 : NULL;
            return o;
        }
        if (o->letter && text[1] == o->letter) {
            *value = text[2] == '=' ? text + 3 : text[2] ? text + 2 : NULL;
            return o;
        }
    }
    return NULL;
}

static int set(const kl_usage *usage, const kl_option *option, const char *name, const char *text)
{
    char expected[KL_EXPECTS_MAX], what[256];
    if (!kl_option_set(option, text)) {
        kl_option_expects(expected, option);
        snprintf(what, sizeof what, " takes %s, not '%.60s'", expected, text);
        return complain(usage, name, what, "");
    }
    if (option->given)
        *option->given = true;
    return -1;
}

/* Takes the option at argv[*at], and its value; -1 to go on. */
static int take(const kl_usage *usage, char **argv, int argc, int *at)
{
    const char *text = argv[*at], *value = NULL, *ignored;
    const kl_option *option = find(usage, text, &value);
    if (!option)
        return unknown_option(usage, text);
    if (option->kind == KL_OPTION_FLAG)
        return value ? complain(usage, option->name, " takes no value", "")
                     : set(usage, option, option->name, "1");
    bool missing = !value && (*at + 1 == argc || (strncmp(argv[*at + 1], "--", 2) == 0 &&
                                                  find(usage, argv[*at + 1], &ignored)));
    if (missing)
        return complain(usage, option->name, " needs a value: ", option->value);
    return set(usage, option, option->name, value ? value : argv[++*at]);
}

static int read_environment(const kl_usage *usage)
{
    for (usize i = 0; i < usage->option_count; i++) {
        char name[64];
        const kl_option *option = &usage->options[i];
        if (option->kind == KL_OPTION_GROUP)
            continue;
        kl_option_variable(name, option);
        const char *value = getenv(name);
        int code = value && *value ? set(usage, option, name, value) : -1;
        if (code >= 0)
            return code;
    }
    return -1;
}

static bool asks_for_help(int argc, char **argv)
{
    for (int i = 1; i < argc && strcmp(argv[i], "--") != 0; i++)
        if (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0)
            return true;
    return false;
}

static int check_arguments(const kl_usage *usage, char **argv, int count)
{
    if (count < usage->arguments_min)
        return complain(usage, "missing argument: ", usage->arguments, "");
    if (usage->arguments_max >= 0 && count > usage->arguments_max)
        return complain(usage, "one argument too many: ", argv[usage->arguments_max + 1], "");
    return -1;
}

int kl_options_parse(const kl_usage *usage, int argc, char **argv, int *count)
{
    if (asks_for_help(argc, argv)) {
        kl_usage_print(usage);
        return KL_EXIT_OK;
    }
    int kept = 0, code = read_environment(usage);
    bool options_over = false;
    for (int i = 1; i < argc && code < 0; i++) {
        const char *text = argv[i];
        if (options_over || text[0] != '-' || text[1] == '\0')
            argv[++kept] = argv[i];
        else if (strcmp(text, "--") == 0)
            options_over = true;
        else
            code = take(usage, argv, argc, &i);
    }
    argv[kept + 1] = NULL;
    *count = kept;
    return code >= 0 ? code : check_arguments(usage, argv, kept);
}

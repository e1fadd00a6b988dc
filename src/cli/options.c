/* options: one pass over argv that moves arguments to the front and fills options in. */
#include "cli/command.h"

#include <stdio.h>

#define OPTIONS_MAX 64

static void print_help(const kl_usage *usage)
{
    printf("usage: keel %s%s %s\n\n%s\n", usage->command, usage->option_count ? " [OPTION]..." : "",
           usage->arguments, usage->help);
    if (usage->option_count)
        printf("\noptions:\n");
    for (usize i = 0; i < usage->option_count; i++) {
        const kl_option *o = &usage->options[i];
        char left[64];
        snprintf(left, sizeof left, "%s%s%s", o->name, o->value ? " " : "",
                 o->value ? o->value : "");
        printf("  %-22s %s\n", left, o->help);
    }
}

static int complain(const kl_usage *usage, const char *what, const char *about)
{
    fprintf(stderr, "keel %s: %s%s%s\n", usage->command, what, about ? " " : "",
            about ? about : "");
    fprintf(stderr, "Try 'keel %s --help'.\n", usage->command);
    return KL_EXIT_USAGE;
}

static int unknown_option(const kl_usage *usage, const char *typed)
{
    const char *names[OPTIONS_MAX];
    KL_ASSERT(usage->option_count < OPTIONS_MAX);
    for (usize i = 0; i < usage->option_count; i++)
        names[i] = usage->options[i].name;
    names[usage->option_count] = "--help";
    const char *near = kl_suggest(typed, names, usage->option_count + 1);
    if (near)
        fprintf(stderr, "keel %s: unknown option %s; did you mean %s?\n", usage->command, typed,
                near);
    else
        complain(usage, "unknown option", typed);
    return KL_EXIT_USAGE;
}

/* The option that text names, up to its end or a '='. */
static const kl_option *find(const kl_usage *usage, const char *text)
{
    usize len = strcspn(text, "=");
    for (usize i = 0; i < usage->option_count; i++)
        if (strlen(usage->options[i].name) == len &&
            strncmp(usage->options[i].name, text, len) == 0)
            return &usage->options[i];
    return NULL;
}

/* Takes the option at argv[*at], and its value; -1 to go on. */
static int take(const kl_usage *usage, char **argv, int argc, int *at)
{
    char *text = argv[*at];
    const kl_option *option = find(usage, text);
    if (!option)
        return unknown_option(usage, text);
    char *value = strchr(text, '=');
    if (!option->value) {
        if (value)
            return complain(usage, "no value goes with", option->name);
        *option->flag = true;
        return -1;
    }
    if (!value && *at + 1 == argc)
        return complain(usage, "a value is missing behind", option->name);
    *option->text = value ? value + 1 : argv[++*at];
    return -1;
}

int kl_options_parse(const kl_usage *usage, int argc, char **argv, int *count)
{
    int kept = 0;
    bool options_over = false;
    for (int i = 1; i < argc; i++) {
        const char *text = argv[i];
        if (options_over || text[0] != '-' || text[1] == '\0') {
            argv[++kept] = argv[i];
        } else if (strcmp(text, "--") == 0) {
            options_over = true;
        } else if (strcmp(text, "--help") == 0 || strcmp(text, "-h") == 0) {
            print_help(usage);
            return KL_EXIT_OK;
        } else {
            int code = take(usage, argv, argc, &i);
            if (code >= 0)
                return code;
        }
    }
    argv[kept + 1] = NULL;
    if (kept < usage->arguments_min)
        return complain(usage, "missing argument:", usage->arguments);
    if (usage->arguments_max >= 0 && kept > usage->arguments_max)
        return complain(usage, "one argument too many:", argv[usage->arguments_max + 1]);
    *count = kept;
    return -1;
}

#include <stdio.h>

#include "cli/option.h"

enum { COLUMN = 30 };

static void print_row(char letter, const char *name, const char *value, const char *help)
{
    char left[64];
    char dash = letter ? '-' : ' ';
    snprintf(left, sizeof left, "%c%c%c %s%s%s", dash, letter ? letter : ' ', letter ? ',' : ' ',
             name, value ? " " : "", value ? value : "");
    printf("  %-*s%s\n", COLUMN, left, help);
}

static void print_options(const kl_usage *usage)
{
    bool grouped = usage->option_count && usage->options[0].kind == KL_OPTION_GROUP;
    if (!grouped)
        printf("\noptions:\n");
    for (usize i = 0; i < usage->option_count; i++) {
        const kl_option *o = &usage->options[i];
        if (o->kind == KL_OPTION_GROUP)
            printf("\n%s:\n", o->help);
        else if (o->help)
            print_row(o->letter, o->name, o->value, o->help);
    }
    if (grouped)
        printf("\nhelp:\n");
    print_row('h', "--help", NULL, "print this");
}

void kl_usage_print(const kl_usage *usage)
{
    printf("usage: keel %s%s%s%s\n\n%s\n", usage->command,
           usage->option_count ? " [OPTION]..." : "", *usage->arguments ? " " : "",
           usage->arguments, usage->help);
    print_options(usage);
    if (usage->option_count)
        printf(
            "\nEvery option can be set in the environment too: --some-name as KEEL_SOME_NAME.\n");
    if (usage->example_count)
        printf("\nexamples:\n");
    for (usize i = 0; i < usage->example_count; i++)
        printf("  %s\n      %s\n", usage->examples[i].line, usage->examples[i].what);
}

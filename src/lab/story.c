/* Each machine keeps its last lines, unformatted; they are told when something is broken, or line
 * by line with `tell`.  A '#' in a line stands for one of its numbers. */
#include <stdio.h>

#include "lab/world_priv.h"

static void print_line(FILE *to, const struct kl_lab_machine *machine, const kl_lab_line *line)
{
    const u64 numbers[] = {line->a, line->b, line->c};
    usize next = 0;
    fprintf(to, "%12.3f ms  machine %-2u  ", (double)line->at_ns / 1e6, machine->index);
    for (const char *p = line->what; *p; p++)
        if (*p == '#' && next < KL_COUNT_OF(numbers))
            fprintf(to, "%llu", (unsigned long long)numbers[next++]);
        else
            fputc(*p, to);
    fputc('\n', to);
}

void kl_lab_tell(struct kl_lab_machine *machine, const char *what, u64 a, u64 b, u64 c)
{
    kl_lab_line *line = &machine->story[machine->story_count++ % KL_LAB_STORY];
    *line = (kl_lab_line){.at_ns = machine->lab->now_ns, .what = what, .a = a, .b = b, .c = c};
    if (machine->lab->options.tell)
        print_line(stdout, machine, line);
}

void kl_lab_stories(const struct kl_lab *lab)
{
    for (u32 m = 0; m < lab->count; m++) {
        const struct kl_lab_machine *machine = lab->machines[m];
        u64 first = machine->story_count - KL_MIN(machine->story_count, (u64)KL_LAB_STORY);
        fprintf(stderr, "machine %u, validator %d, %s: view %llu of epoch %llu\n", m,
                (int)machine->validator, kl_lab_attack_name(machine->attack),
                (unsigned long long)machine->view, (unsigned long long)machine->epoch);
        for (u64 i = first; i < machine->story_count; i++)
            print_line(stderr, machine, &machine->story[i % KL_LAB_STORY]);
    }
}

#include "cli/bench_figure.h"

#include <stdio.h>
#include <stdlib.h>

void kl_figures_add(struct kl_figures *figures, const char *name, const char *unit,
                    unsigned decimals, double value)
{
    kl_figure *f = figures->list;
    while (f < figures->list + figures->count && strcmp(f->name, name) != 0)
        f++;
    if (f == figures->list + figures->count) {
        KL_ASSERT(figures->count < KL_FIGURES_MAX);
        figures->count++;
        *f = (kl_figure){.name = name, .unit = unit, .decimals = decimals};
    }
    KL_ASSERT(f->runs < KL_BENCH_RUNS_MAX);
    f->of_run[f->runs++] = value;
}

static int compare_double(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

double kl_median(double *values, usize count)
{
    KL_ASSERT(count > 0);
    qsort(values, count, sizeof *values, compare_double);
    return count % 2 ? values[count / 2] : (values[count / 2 - 1] + values[count / 2]) / 2;
}

static int compare_u32(const void *a, const void *b)
{
    u32 x = *(const u32 *)a, y = *(const u32 *)b;
    return (x > y) - (x < y);
}

void kl_sort_u32(u32 *values, usize count)
{
    qsort(values, count, sizeof *values, compare_u32);
}

u32 kl_percentile(const u32 *values, usize count, unsigned per_mille)
{
    KL_ASSERT(count > 0 && per_mille <= 1000);
    usize rank = (usize)(((u64)count * per_mille + 999) / 1000);
    return values[rank ? rank - 1 : 0];
}

/* "submit p50" as a member's name: "submit_p50". */
static void print_key(const char *name)
{
    putchar('"');
    for (; *name; name++)
        putchar(*name == ' ' ? '_' : *name);
    printf("\":");
}

static void print_json(const struct kl_figures *figures, const char *title)
{
    printf("{\"bench\":\"%s\",\"figures\":{", title);
    for (usize i = 0; i < figures->count; i++) {
        kl_figure f = figures->list[i];
        double median = kl_median(f.of_run, f.runs);
        printf("%s", i ? "," : "");
        print_key(f.name);
        printf("{\"unit\":\"%s\",\"median\":%.6g,\"min\":%.6g,\"max\":%.6g,\"runs\":%zu}", f.unit,
               median, f.of_run[0], f.of_run[f.runs - 1], f.runs);
    }
    printf("}}\n");
}

void kl_figures_print(const struct kl_figures *figures, const char *title, bool json)
{
    if (json) {
        print_json(figures, title);
        return;
    }
    printf("%-28s %12s %12s %12s  %s\n", title, "median", "min", "max", "unit");
    for (usize i = 0; i < figures->count; i++) {
        kl_figure f = figures->list[i];
        double median = kl_median(f.of_run, f.runs);
        int decimals = (int)f.decimals;
        printf("  %-26s %12.*f %12.*f %12.*f  %s\n", f.name, decimals, median, decimals,
               f.of_run[0], decimals, f.of_run[f.runs - 1], f.unit);
    }
}

/* bench_figure: what a benchmark found out, run after run, and how it is shown: the median of the
 * runs with the least and the most, as a table for people or as a line of JSON. */
#ifndef KL_CLI_BENCH_FIGURE_H
#define KL_CLI_BENCH_FIGURE_H

#include "base/span.h"

#define KL_BENCH_RUNS_MAX 32
#define KL_FIGURES_MAX    26

typedef struct kl_figure {
    const char *name, *unit; /* "submit p50", "ms"; a name of letters, digits and blanks */
    unsigned decimals;       /* shown in the table */
    double of_run[KL_BENCH_RUNS_MAX];
    usize runs;
} kl_figure;

/* Zero-initialise it. */
struct kl_figures {
    kl_figure list[KL_FIGURES_MAX];
    usize count;
};

/* One more run's value of the figure of that name, which may be the first. */
void kl_figures_add(struct kl_figures *figures, const char *name, const char *unit,
                    unsigned decimals, double value);

/* To standard output.  title: "load erc20 saturate". */
void kl_figures_print(const struct kl_figures *figures, const char *title, bool json);

/* The median of values, which are put in order. */
double kl_median(double *values, usize count);

/* The value that per_mille of all values do not exceed; values are in order, count > 0. */
u32 kl_percentile(const u32 *values, usize count, unsigned per_mille);

/* Puts values in order. */
void kl_sort_u32(u32 *values, usize count);

#endif

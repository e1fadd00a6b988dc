/* Seeds: a fixed number in every run.  Others: keel sim. */
#include "lab/lab.h"

#include <stdio.h>

#include "base/test.h"

static void run(const kl_lab_options *options, kl_lab_result *r)
{
    kl_lab_run(options, r);
    if (r->failed)
        kl_test_fail(__FILE__, __LINE__,
                     "assertion %u: %s\n  again: keel sim --seed %llu --nodes %u", r->assertion,
                     r->broken, (unsigned long long)options->seed, options->nodes);
}

KL_TEST(lab_seeds_keep_every_promise)
{
    static const struct {
        u32 nodes, seeds;
    } sizes[] = {{1, 15}, {3, 15}, {4, 90}, {5, 20}, {6, 15}, {7, 25}, {10, 14}, {21, 6}};
    u64 node_views = 0, sometimes = 0;
    u32 seeds = 0, least;
    for (usize i = 0; i < KL_COUNT_OF(sizes); i++)
        for (u32 s = 0; s < sizes[i].seeds; s++) {
            kl_lab_result r;
            const kl_lab_options options = {
                .seed = 1 + s, .nodes = sizes[i].nodes, .views = 60, .faults = UINT32_MAX};
            run(&options, &r);
            node_views += r.node_views;
            sometimes |= r.sometimes;
            seeds++;
        }
    printf("lab: %u seeds, %llu honest node-views\n", seeds, (unsigned long long)node_views);
    const char *text;
    for (u32 i = 0; (text = kl_lab_sometimes_text(i, &least)); i++)
        if (!(sometimes >> i & 1) && !strstr(text, "forked")) /* below */
            kl_test_fail(__FILE__, __LINE__, "it never happened that %s", text);
}

KL_TEST(lab_seed_is_the_same_run_each_time)
{
    for (u64 seed_of_run = 1; seed_of_run <= 3; seed_of_run++) {
        const kl_lab_options options = {
            .seed = seed_of_run, .nodes = 4, .views = 40, .faults = UINT32_MAX, .all = true};
        kl_lab_result one, two;
        run(&options, &one);
        run(&options, &two);
        CHECK_U64(one.trace, two.trace);
        CHECK_U64(one.messages, two.messages);
        CHECK_U64(one.views, two.views);
        CHECK(one.views > 0 && one.views <= options.views);
        CHECK_U64(one.virtual_ns, two.virtual_ns);
    }
}

/* And in every build: tools/test.py compares the line over all build folders. */
KL_TEST(lab_seed_is_the_same_run_in_each_build)
{
    u64 all = 0;
    for (u64 seed_of_run = 1; seed_of_run <= 12; seed_of_run++) {
        kl_lab_result r;
        const kl_lab_options options = {.seed = seed_of_run,
                                        .nodes = seed_of_run % 3 ? 4 : 7,
                                        .views = 25,
                                        .faults = UINT32_MAX,
                                        .all = true};
        run(&options, &r);
        all = all * 0x9e3779b97f4a7c15u ^ r.trace;
    }
    printf("same: traces of 12 seeds %016llx\n", (unsigned long long)all);
}

/* With more than F twins some seed forks, and the twins, and nobody else, are seen to have done it.
 */
KL_TEST(lab_forks_name_who_made_them)
{
    u64 sometimes = 0;
    const char *text;
    u32 forked = 0, least;
    for (u32 s = 1; s <= 20; s++) {
        kl_lab_result r;
        const kl_lab_options options = {.seed = s, .nodes = 4, .views = 60, .forks = true};
        run(&options, &r);
        sometimes |= r.sometimes;
    }
    while ((text = kl_lab_sometimes_text(forked, &least)) && !strstr(text, "forked"))
        forked++;
    CHECK(text && (sometimes >> forked & 1));
}

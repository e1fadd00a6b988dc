/* Machines joined by p2p: a few seeds of each fault in every run.  Others: keel sim --wire. */
#include "lab/lab.h"

#include <stdio.h>

#include "base/test.h"

static void run(const kl_lab_options *options, kl_lab_result *r)
{
    kl_lab_run(options, r);
    if (r->failed)
        kl_test_fail(
            __FILE__, __LINE__,
            "assertion %u: %s\n  again: keel sim --wire --seed %llu --nodes %u --faults %x",
            r->assertion, r->broken, (unsigned long long)options->seed, options->nodes,
            options->faults);
}

/* Each fault by itself, and none: everybody is connected at the end, and nobody honest was ever
 * sent away for breaking a rule. */
KL_TEST(lab_wire_bears_each_fault)
{
    for (u32 fault = 0; fault <= KL_LAB_FAULT_COUNT; fault++) {
        kl_lab_result r;
        const kl_lab_options options = {.seed = 1 + fault,
                                        .nodes = 4,
                                        .views = 25,
                                        .faults = fault < KL_LAB_FAULT_COUNT ? 1u << fault : 0,
                                        .all = true,
                                        .wire = true};
        run(&options, &r);
        CHECK(r.connections >= 6 && r.height >= 2);
        if (fault == KL_LAB_FAULT_COUNT)
            CHECK_U64(r.silences, 0);
    }
}

KL_TEST(lab_wire_seeds_keep_every_promise)
{
    static const u32 sizes[] = {1, 3, 4, 5, 7, 10};
    u64 connections = 0, silences = 0;
    for (usize i = 0; i < KL_COUNT_OF(sizes); i++)
        for (u64 s = 1; s <= 2; s++) {
            kl_lab_result r;
            const kl_lab_options options = {
                .seed = s, .nodes = sizes[i], .views = 30, .faults = UINT32_MAX, .wire = true};
            run(&options, &r);
            connections += r.connections;
            silences += r.silences;
        }
    CHECK(connections > 100 && silences > 0);
}

/* And in every build: see lab_test.c. */
KL_TEST(lab_wire_seed_is_the_same_run_each_time)
{
    u64 all = 0;
    for (u64 s = 1; s <= 2; s++) {
        const kl_lab_options options = {
            .seed = s, .nodes = 4, .views = 25, .faults = UINT32_MAX, .all = true, .wire = true};
        kl_lab_result one, two;
        run(&options, &one);
        run(&options, &two);
        CHECK_U64(one.trace, two.trace);
        CHECK_U64(one.messages, two.messages);
        CHECK_U64(one.connections, two.connections);
        CHECK_U64(one.virtual_ns, two.virtual_ns);
        all = all * 0x9e3779b97f4a7c15u ^ one.trace;
    }
    printf("same: traces of 2 seeds with a wire %016llx\n", (unsigned long long)all);
}

/* The test of the test: bytes that change on their way make honest machines drop honest ones. */
KL_TEST(lab_wire_sees_who_is_dropped)
{
    kl_lab_result r;
    const kl_lab_options options = {.seed = 1,
                                    .nodes = 4,
                                    .views = 25,
                                    .bugs = KL_LAB_BUG_WIRE_TURNS_BITS,
                                    .wire = true,
                                    .silent = true};
    kl_lab_run(&options, &r);
    CHECK(r.failed && strstr(r.broken, "drops") && strstr(r.broken, "honest"));
}

/* Power cuts: a random life of a log, then the power goes at every operation of the disk, in every
 * way: what was synced is found, and nothing that was never appended; and the log goes on. */
#include "host/bft_log_rig_test.h"
#include "sim/disk.h"

enum { SMALL = 16384, CALLS = 60, ITEMS = 200 };

/* What was promised when a call had ended. */
struct moment {
    u64 operations;
    u64 forgotten, synced, appended; /* items */
};

struct story {
    struct moment at[CALLS + 1];
    usize count;
};

static struct story story;
static rig_item item;

static void live(struct kl_sim_disk *disk, u64 *seed)
{
    struct kl_bft_log *log;
    kl_bft_log_report report;
    struct moment is = {0};
    story.count = 0;
    CHECK_OK(kl_bft_log_open(&log, kl_sim_disk_fs(disk), SMALL, &report));
    for (usize i = 0; i < CALLS; i++) {
        u64 what = kl_rand_below(seed, 10);
        if (what < 7 && is.appended < ITEMS) {
            rig_item_make(&item, is.appended++);
            CHECK_OK(rig_append(log, &item));
        } else if (what < 9) {
            CHECK_OK(kl_bft_log_sync(log));
            is.synced = is.appended;
        } else if (is.synced) { /* items of a view are three */
            u64 up_to = kl_rand_below(seed, is.synced) / 3 * 3;
            is.forgotten = KL_MAX(is.forgotten, up_to);
            rig_item_make(&item, is.forgotten);
            CHECK_OK(kl_bft_log_forget(log, item.epoch, item.view));
        }
        is.operations = kl_sim_disk_operations(disk);
        story.at[story.count++] = is;
    }
    kl_bft_log_close(log);
}

/* What was sure when power went behind `operations`, and what was possible. */
static void bounds(u64 operations, struct moment *sure, struct moment *possible)
{
    *sure = (struct moment){0};
    *possible = story.at[story.count - 1];
    for (usize i = story.count; i--;)
        if (story.at[i].operations > operations)
            *possible = story.at[i];
    for (usize i = 0; i < story.count; i++)
        if (story.at[i].operations <= operations)
            *sure = story.at[i];
}

static void check_found(struct kl_sim_disk *disk, u64 operations)
{
    struct moment sure, possible;
    struct kl_bft_log *log;
    kl_bft_log_report report;
    bounds(operations, &sure, &possible);
    CHECK_OK(kl_bft_log_open(&log, kl_sim_disk_fs(disk), SMALL, &report));
    CHECK(!report.damaged);
    u64 found = 0;
    for (u64 n = 0; n < ITEMS; n++) {
        rig_item_make(&item, n);
        bool has = rig_has(log, &item);
        found += has;
        CHECK(has || n >= sure.synced || n < possible.forgotten);
        CHECK(!has || n < possible.appended);
    }
    CHECK_U64(report.certificates + report.bodies, found);
    for (u64 n = 0; n < ITEMS; n += 20) { /* it goes on */
        rig_item_make(&item, n);
        CHECK_OK(rig_append(log, &item));
    }
    CHECK_OK(kl_bft_log_sync(log));
    kl_bft_log_close(log);
    struct kl_sim_disk *again;
    CHECK_OK(kl_sim_disk_cut(disk, UINT64_MAX, KL_CUT_DROP, 0, &again));
    CHECK_OK(kl_bft_log_open(&log, kl_sim_disk_fs(again), SMALL, &report));
    for (u64 n = 0; n < ITEMS; n += 20) {
        rig_item_make(&item, n);
        CHECK(rig_has(log, &item));
    }
    kl_bft_log_close(log);
    kl_sim_disk_free(again);
}

KL_TEST(bft_log_survives_power_cuts_at_every_operation)
{
    for (int round = 0; round < 4; round++) {
        struct kl_sim_disk *disk, *cut;
        CHECK_OK(kl_sim_disk_new(&disk));
        live(disk, seed);
        for (u64 n = 0; n <= kl_sim_disk_operations(disk); n++)
            for (unsigned how = KL_CUT_DROP; how <= KL_CUT_RANDOM; how++) {
                CHECK_OK(kl_sim_disk_cut(disk, n, (kl_power_cut)how, kl_rand(seed), &cut));
                check_found(cut, n);
                kl_sim_disk_free(cut);
            }
        kl_sim_disk_free(disk);
    }
}

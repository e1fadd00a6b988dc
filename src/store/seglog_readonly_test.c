/* Looking at a log without touching it finds what opening it finds. */
#include "base/test.h"
#include "sim/disk.h"
#include "store/seglog_twin.h"

static struct kl_seglog_twin twin;

static void life(u64 *seed)
{
    kl_twin_open(&twin);
    for (int step = 0; step < 60; step++) {
        u64 dice = kl_rand_below(seed, 8);
        if (dice < 5)
            CHECK_OK(kl_twin_append(&twin, kl_rand_below(seed, 900), seed));
        else if (dice < 7)
            CHECK_OK(kl_seglog_write(twin.log));
        else
            CHECK_OK(kl_seglog_sync(twin.log));
    }
    kl_twin_close(&twin);
}

static void check_records(struct kl_seglog *looked, struct kl_seglog *opened)
{
    CHECK_U64(kl_seglog_first(looked), kl_seglog_first(opened));
    CHECK_U64(kl_seglog_end(looked), kl_seglog_end(opened));
    for (u64 seq = kl_seglog_first(opened); seq < kl_seglog_end(opened); seq++) {
        struct kl_arena arena;
        kl_record a, b;
        kl_arena_init(&arena, SIZE_MAX);
        CHECK_OK(kl_seglog_read(looked, seq, &arena, &a, NULL));
        CHECK_OK(kl_seglog_read(opened, seq, &arena, &b, NULL));
        CHECK(a.kind == b.kind);
        CHECK_SPAN(a.payload, b.payload);
        kl_arena_done(&arena);
    }
}

static void check_cut(struct kl_sim_disk *disk)
{
    struct kl_seglog *looked, *opened;
    kl_seglog_report found, done;
    kl_seglog_config config = twin.config;
    struct kl_fs *fs = kl_sim_disk_fs(disk);
    u64 operations = kl_sim_disk_operations(disk), seq;
    kl_span none = KL_SPAN_NONE;
    config.read_only = true;
    kl_status status = kl_seglog_open(&looked, fs, &config, &found);
    CHECK_U64(kl_sim_disk_operations(disk), operations);
    CHECK_OK(kl_seglog_open(&opened, fs, &twin.config, &done));
    if (status == KL_NOTFOUND) {
        CHECK_U64(kl_seglog_end(opened), 0);
    } else {
        CHECK_OK(status);
        CHECK(strcmp(found.file, done.file) == 0 && found.offset == done.offset);
        CHECK_U64(found.cut_bytes, done.cut_bytes);
        CHECK(kl_seglog_append(looked, 1, &none, 1, &seq) == KL_UNSUPPORTED);
        CHECK(kl_seglog_write(looked) == KL_UNSUPPORTED);
        CHECK(kl_seglog_sync(looked) == KL_UNSUPPORTED);
        check_records(looked, opened);
        kl_seglog_close(looked);
    }
    kl_seglog_close(opened);
}

KL_TEST(seglog_is_looked_at_without_being_touched)
{
    struct kl_sim_disk *disk, *cut;
    CHECK_OK(kl_sim_disk_new(&disk));
    kl_twin_init(&twin, kl_sim_disk_fs(disk), 8192);
    life(seed);
    for (u64 n = 0; n <= kl_sim_disk_operations(disk); n++) {
        CHECK_OK(kl_sim_disk_cut(disk, n, KL_CUT_RANDOM, kl_rand(seed), &cut));
        check_cut(cut);
        kl_sim_disk_free(cut);
    }
    kl_sim_disk_free(disk);
}

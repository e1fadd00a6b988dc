/* Power cuts and failing disks. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/test.h"
#include "sim/disk.h"
#include "store/seglog.h"
#include "store/seglog_twin.h"
#include "sys/fs.h"

enum { SMALL = 4096, CALLS_MAX = 400 };

/* What was promised and what was possible after a call that ended at disk operation `operations`.
 */
typedef struct moment {
    u64 operations;
    u64 first, written, synced, end;
} moment;

struct story {
    moment at[CALLS_MAX];
    usize count;
};

static struct kl_seglog_twin twin, found_twin;
static struct story story;

static void note(struct kl_sim_disk *disk, u64 written)
{
    KL_ASSERT(story.count < CALLS_MAX);
    story.at[story.count++] = (moment){
        .operations = kl_sim_disk_operations(disk),
        .first = kl_seglog_first(twin.log),
        .written = written,
        .synced = kl_seglog_synced(twin.log),
        .end = kl_seglog_end(twin.log),
    };
}

/* A random life of a log on disk, calls noted in the story; some calls fail from the moment a fault
 * was planted, and the life ends there with that status. */
static kl_status live(struct kl_sim_disk *disk, usize calls, u64 *seed)
{
    kl_seglog_report report;
    u64 written = 0;
    story.count = 0;
    kl_twin_init(&twin, kl_sim_disk_fs(disk), SMALL * (1 + kl_rand_below(seed, 3)));
    KL_TRY(kl_seglog_open(&twin.log, twin.fs, &twin.config, &report));
    note(disk, 0);
    for (usize i = 0; i < calls; i++) {
        u64 what = kl_rand_below(seed, 20);
        if (what < 11) {
            usize len = kl_rand_below(seed, kl_rand_below(seed, 12) ? 700 : 9000);
            KL_TRY(kl_twin_append(&twin, len, seed));
        } else if (what < 16) {
            KL_TRY(kl_seglog_write(twin.log));
            written = twin.end;
        } else if (what < 18) {
            KL_TRY(kl_seglog_sync(twin.log));
        } else if (what == 18 && kl_rand_below(seed, 3) == 0) {
            KL_TRY(kl_seglog_drop(twin.log, kl_rand_below(seed, twin.end + 1)));
        } else if (what == 19 && kl_rand_below(seed, 3) == 0) {
            KL_TRY(kl_seglog_write(twin.log));
            kl_twin_close(&twin);
            KL_TRY(kl_seglog_open(&twin.log, twin.fs, &twin.config, &report));
            written = twin.end;
        }
        note(disk, written);
    }
    return KL_OK;
}

/* What must be there when power went behind `operations`, and what may be. */
static void bounds(u64 operations, moment *promised, moment *possible)
{
    *promised = (moment){0};
    *possible = story.at[story.count - 1];
    for (usize i = 0; i < story.count; i++) {
        if (story.at[i].operations <= operations)
            *promised = story.at[i];
        if (story.at[i].operations >= operations) {
            *possible = story.at[i];
            break;
        }
    }
    for (usize i = 0; i < story.count; i++)
        if (story.at[i].operations == operations)
            *possible = story.at[i];
}

/* Opens the log on a disk found after a cut and checks it: `least` records at least. */
static void check_found(struct kl_sim_disk *disk, u64 least, const moment *possible)
{
    found_twin = twin;
    found_twin.fs = kl_sim_disk_fs(disk);
    found_twin.log = NULL;
    kl_twin_open(&found_twin);
    CHECK(kl_seglog_end(found_twin.log) >= least);
    CHECK(kl_seglog_end(found_twin.log) <= possible->end);
    CHECK(kl_seglog_first(found_twin.log) <= possible->first);
    CHECK(kl_seglog_synced(found_twin.log) == kl_seglog_end(found_twin.log));
    kl_twin_check_all(&found_twin);
}

/* The found log goes on: what is appended and synced survives the next cut. */
static void check_goes_on(struct kl_sim_disk *disk, u64 *seed)
{
    struct kl_sim_disk *again;
    found_twin.end = kl_seglog_end(found_twin.log);
    for (int i = 0; i < 3; i++)
        CHECK_OK(kl_twin_append(&found_twin, kl_rand_below(seed, 1500), seed));
    CHECK_OK(kl_seglog_write(found_twin.log));
    CHECK_OK(kl_seglog_sync(found_twin.log));
    kl_twin_close(&found_twin);
    CHECK_OK(kl_sim_disk_cut(disk, UINT64_MAX, KL_CUT_DROP, 0, &again));
    found_twin.fs = kl_sim_disk_fs(again);
    kl_twin_open(&found_twin);
    CHECK_U64(kl_seglog_end(found_twin.log), found_twin.end);
    kl_twin_check_all(&found_twin);
    kl_twin_close(&found_twin);
    kl_sim_disk_free(again);
}

/* Power goes again at every operation of the opening that follows a cut. */
static void check_cuts_of_recovery(struct kl_sim_disk *disk, u64 least, const moment *possible,
                                   u64 *seed)
{
    for (u64 n = 0; n <= kl_sim_disk_operations(disk); n++) {
        struct kl_sim_disk *again;
        CHECK_OK(kl_sim_disk_cut(disk, n, KL_CUT_RANDOM, kl_rand(seed), &again));
        check_found(again, least, possible);
        kl_twin_close(&found_twin);
        kl_sim_disk_free(again);
    }
}

static void check_cut(struct kl_sim_disk *disk, u64 operations, kl_power_cut how, u64 *seed)
{
    struct kl_sim_disk *found;
    moment promised, possible;
    bounds(operations, &promised, &possible);
    CHECK_OK(kl_sim_disk_cut(disk, operations, how, kl_rand(seed), &found));
    u64 least = how == KL_CUT_KEEP ? promised.written : promised.synced;
    check_found(found, least, &possible);
    if (kl_rand_below(seed, 4) == 0) {
        kl_twin_close(&found_twin);
        check_cuts_of_recovery(found, least, &possible, seed);
        found_twin.fs = kl_sim_disk_fs(found);
        kl_twin_open(&found_twin);
    }
    check_goes_on(found, seed);
    kl_sim_disk_free(found);
}

/* For every prefix of the disk operations of random lives and every kind of cut. */
KL_TEST(seglog_survives_power_cuts_anywhere)
{
    for (int round = 0; round < 12; round++) {
        struct kl_sim_disk *disk;
        CHECK_OK(kl_sim_disk_new(&disk));
        CHECK_OK(live(disk, 100, seed));
        for (u64 n = 0; n <= kl_sim_disk_operations(disk); n++) {
            check_cut(disk, n, KL_CUT_DROP, seed);
            check_cut(disk, n, KL_CUT_KEEP, seed);
            check_cut(disk, n, KL_CUT_RANDOM, seed);
            check_cut(disk, n, KL_CUT_RANDOM, seed);
        }
        kl_twin_close(&twin);
        kl_sim_disk_free(disk);
    }
}

#define SEGMENT "log/0000000000000000.seg"

/* What opening cut off is in the .torn file, durably.  The disk began as it was before. */
static void check_kept(struct kl_sim_disk *disk, const kl_seglog_report *report)
{
    struct kl_sim_disk *was, *is;
    struct kl_file *segment, *torn;
    static u8 cut[SMALL * 4], kept[SMALL * 4];
    CHECK_OK(kl_sim_disk_cut(disk, 0, KL_CUT_KEEP, 0, &was));
    CHECK_OK(kl_sim_disk_cut(disk, UINT64_MAX, KL_CUT_DROP, 0, &is));
    CHECK_OK(kl_fs_open(kl_sim_disk_fs(was), &segment, SEGMENT, KL_OPEN_READ));
    CHECK_OK(kl_fs_open(kl_sim_disk_fs(is), &torn, SEGMENT ".torn", KL_OPEN_READ));
    CHECK_OK(kl_file_read(segment, cut, report->cut_bytes, report->offset));
    CHECK_OK(kl_file_read(torn, kept, report->cut_bytes, 512 + report->offset % 512));
    CHECK_SPAN(kl_span_of(kept, report->cut_bytes), kl_span_of(cut, report->cut_bytes));
    kl_file_close(segment);
    kl_file_close(torn);
    kl_sim_disk_free(was);
    kl_sim_disk_free(is);
}

/* Every kind of tear has been seen by the test above: this one counts them on one long batch. */
KL_TEST(seglog_cuts_tears_and_keeps_them)
{
    unsigned cut = 0, whole = 0, part = 0;
    struct kl_sim_disk *disk, *found;
    kl_seglog_report report;
    CHECK_OK(kl_sim_disk_new(&disk));
    kl_twin_init(&twin, kl_sim_disk_fs(disk), SMALL * 4);
    kl_twin_open(&twin);
    CHECK_OK(kl_twin_append(&twin, 100, seed));
    CHECK_OK(kl_seglog_write(twin.log));
    CHECK_OK(kl_seglog_sync(twin.log));
    for (int i = 0; i < 12; i++)
        CHECK_OK(kl_twin_append(&twin, kl_rand_below(seed, 900), seed));
    CHECK_OK(kl_seglog_write(twin.log));
    for (u64 s = 0; s < 300; s++) {
        CHECK_OK(kl_sim_disk_cut(disk, UINT64_MAX, KL_CUT_RANDOM, s, &found));
        found_twin = twin;
        found_twin.fs = kl_sim_disk_fs(found);
        CHECK_OK(kl_seglog_open(&found_twin.log, found_twin.fs, &twin.config, &report));
        u64 end = kl_seglog_end(found_twin.log);
        struct kl_file *torn;
        if (report.cut_bytes > 0) {
            CHECK(!report.damage);
            CHECK_SPAN(kl_span_str(report.file), KL_SPAN_TEXT(SEGMENT));
            CHECK(report.offset >= 1024 && report.offset + report.cut_bytes <= SMALL * 4);
            check_kept(found, &report);
        } else {
            CHECK(report.file[0] == '\0');
            CHECK(kl_fs_open(found_twin.fs, &torn, SEGMENT ".torn", KL_OPEN_READ) == KL_NOTFOUND);
        }
        cut += report.cut_bytes > 0;
        whole += end == 13;
        part += end > 1 && end < 13;
        kl_twin_check_all(&found_twin);
        kl_twin_close(&found_twin);
        kl_sim_disk_free(found);
    }
    CHECK(cut > 100 && whole > 10 && part > 30);
    kl_twin_close(&twin);
    kl_sim_disk_free(disk);
}

/* The log of this life is broken by status: it says so to every change, and goes on reading. */
static void check_broken(kl_status status)
{
    u64 seq, end = kl_seglog_end(twin.log);
    kl_span part = KL_SPAN_TEXT("x");
    CHECK(kl_seglog_append(twin.log, 1, &part, 1, &seq) == status);
    CHECK(kl_seglog_write(twin.log) == status);
    CHECK(kl_seglog_sync(twin.log) == status);
    CHECK_U64(kl_seglog_end(twin.log), end);
    kl_twin_check_all(&twin);
}

/* The disk fails from its n-th operation on.  The process ends, the fault goes away, and the log is
 * opened again over the same page cache: what was synced is there, and what is synced now survives
 * a power cut, although pages that a failed sync left clean are never written by themselves. */
static bool fail_nth(u64 n, kl_status fault, u64 life_seed, u64 *seed)
{
    struct kl_sim_disk *disk;
    CHECK_OK(kl_sim_disk_new(&disk));
    kl_sim_disk_fail(disk, n, fault, kl_rand(seed));
    u64 life = life_seed;
    kl_status status = live(disk, 60, &life);
    bool failed = status != KL_OK, dropping = false;
    kl_sim_disk_fail(disk, 0, KL_OK, 0);
    if (failed) {
        CHECK(status == fault);
        if (twin.log) {
            u64 seq;
            kl_span part = KL_SPAN_TEXT("x");
            dropping = kl_seglog_append(twin.log, 1, &part, 1, &seq) == KL_OK;
        }
        if (twin.log && !dropping)
            check_broken(fault);
    }
    u64 synced = twin.log ? kl_seglog_synced(twin.log) : 0;
    u64 end = twin.log ? kl_seglog_end(twin.log) : 0;
    u64 first = twin.log ? kl_seglog_first(twin.log) : 0;
    kl_twin_close(&twin);
    if (!dropping) {
        moment possible = {.end = end ? end : twin.end, .first = first ? first : twin.end};
        check_found(disk, synced, &possible);
        check_goes_on(disk, seed);
    }
    kl_sim_disk_free(disk);
    return failed;
}

KL_TEST(seglog_survives_failing_operations)
{
    static const kl_status faults[] = {KL_IO, KL_FULL};
    for (int round = 0; round < 10; round++) {
        u64 life = kl_rand(seed);
        for (usize f = 0; f < KL_COUNT_OF(faults); f++)
            for (u64 n = 0; fail_nth(n, faults[f], life, seed); n++)
                CHECK(n < 10000);
    }
}

/* The same for the operations of an opening that has a tear to cut off. */
KL_TEST(seglog_survives_failures_while_it_recovers)
{
    struct kl_sim_disk *disk, *found, *again;
    kl_seglog_report report;
    CHECK_OK(kl_sim_disk_new(&disk));
    CHECK_OK(live(disk, 60, seed));
    while (twin.end < 5 || kl_seglog_end(twin.log) == story.at[story.count - 1].written)
        CHECK_OK(kl_twin_append(&twin, kl_rand_below(seed, 900), seed));
    CHECK_OK(kl_seglog_write(twin.log));
    u64 synced = kl_seglog_synced(twin.log);
    moment possible = {.end = twin.end, .first = kl_seglog_first(twin.log)};
    for (u64 s = 0; s < 40; s++) {
        for (u64 n = 0;; n++) {
            CHECK_OK(kl_sim_disk_cut(disk, UINT64_MAX, KL_CUT_RANDOM, s, &found));
            kl_sim_disk_fail(found, n, KL_IO, kl_rand(seed));
            kl_status status =
                kl_seglog_open(&found_twin.log, kl_sim_disk_fs(found), &twin.config, &report);
            kl_sim_disk_fail(found, 0, KL_OK, 0);
            if (status == KL_OK)
                kl_seglog_close(found_twin.log);
            else
                CHECK(status == KL_IO);
            CHECK_OK(kl_sim_disk_cut(found, UINT64_MAX, KL_CUT_RANDOM, kl_rand(seed), &again));
            check_found(again, synced, &possible);
            check_goes_on(again, seed);
            kl_sim_disk_free(again);
            check_found(found, synced, &possible);
            check_goes_on(found, seed);
            kl_sim_disk_free(found);
            if (status == KL_OK)
                break;
        }
    }
    kl_twin_close(&twin);
    kl_sim_disk_free(disk);
}

/* A read that fails is a failure, never a wrong answer and never damage. */
KL_TEST(seglog_survives_failing_reads)
{
    struct kl_sim_disk *disk;
    kl_seglog_report report;
    CHECK_OK(kl_sim_disk_new(&disk));
    CHECK_OK(live(disk, 100, seed));
    CHECK_OK(kl_seglog_write(twin.log));
    kl_twin_close(&twin);
    for (u64 n = 0;; n++) {
        bool failed = false;
        kl_sim_disk_fail_reads(disk, n, KL_IO);
        kl_status status = kl_seglog_open(&twin.log, twin.fs, &twin.config, &report);
        CHECK(status == KL_OK || status == KL_IO);
        failed |= status == KL_IO;
        for (u64 i = 0; status == KL_OK && i < 60; i++) {
            u64 first = kl_seglog_first(twin.log);
            kl_status got = kl_twin_read(&twin, first + i * 13 % (twin.end - first), &report);
            CHECK(got == KL_OK || got == KL_IO);
            failed |= got == KL_IO;
        }
        kl_sim_disk_fail_reads(disk, 0, KL_OK);
        if (status == KL_OK)
            kl_twin_check_all(&twin);
        kl_twin_close(&twin);
        if (!failed)
            break;
    }
    kl_sim_disk_free(disk);
}

/* A disk too small: the log says so when the next segment does not fit, keeps what it has, and goes
 * on once there is room. */
KL_TEST(seglog_waits_for_room)
{
    struct kl_sim_disk *disk;
    CHECK_OK(kl_sim_disk_new(&disk));
    kl_twin_init(&twin, kl_sim_disk_fs(disk), SMALL);
    kl_sim_disk_limit(disk, SMALL * 5 + 1000);
    kl_twin_open(&twin);
    kl_status status;
    do {
        status = kl_twin_append(&twin, 500, seed);
        if (status == KL_OK)
            status = kl_seglog_write(twin.log);
    } while (status == KL_OK);
    CHECK(status == KL_FULL);
    check_broken(KL_FULL);
    CHECK_U64(kl_seglog_synced(twin.log), twin.end);
    CHECK_OK(kl_seglog_drop(twin.log, twin.end));
    kl_twin_close(&twin);
    kl_twin_open(&twin);
    CHECK_U64(kl_seglog_end(twin.log), twin.end);
    for (int i = 0; i < 10; i++)
        CHECK_OK(kl_twin_append(&twin, 500, seed));
    kl_twin_check_all(&twin);
    kl_twin_close(&twin);
    kl_sim_disk_free(disk);
}

/* On the real file system: a process appends and writes until it is killed; everything it had
 * written when it last said so is there, and the log goes on.  The twin lies in memory that both
 * share. */
static _Noreturn void append_until_killed(struct kl_seglog_twin *shared, int told, u64 *seed)
{
    kl_twin_open(shared);
    for (;;) {
        while (shared->end < KL_TWIN_RECORDS && kl_rand_below(seed, 4))
            CHECK_OK(kl_twin_append(shared, kl_rand_below(seed, 3000), seed));
        CHECK_OK(kl_seglog_write(shared->log));
        if (kl_rand_below(seed, 8) == 0)
            CHECK_OK(kl_seglog_sync(shared->log));
        CHECK(write(told, &shared->end, sizeof shared->end) == sizeof shared->end);
    }
}

static void remove_file(void *ctx, const char *name)
{
    struct kl_fs *fs = ctx;
    char path[KL_PATH_MAX + 1];
    snprintf(path, sizeof path, "log/%.200s", name);
    CHECK_OK(kl_fs_unlink(fs, path));
}

/* How many records the child says it had written, when it is killed after it spoke `times` times.
 */
static u64 run_and_kill(struct kl_seglog_twin *shared, u64 times, u64 *seed)
{
    int told[2];
    u64 written = 0;
    CHECK(pipe(told) == 0);
    fflush(NULL);
    pid_t child = fork();
    CHECK(child >= 0);
    if (child == 0)
        append_until_killed(shared, told[1], seed);
    close(told[1]);
    for (u64 i = 0; i < times; i++)
        CHECK(read(told[0], &written, sizeof written) == sizeof written);
    CHECK(kill(child, SIGKILL) == 0 && waitpid(child, NULL, 0) == child);
    while (read(told[0], &written, sizeof written) == sizeof written)
        continue;
    close(told[0]);
    return written;
}

KL_TEST(seglog_survives_kill)
{
    char folder[] = "/tmp/keel-test-XXXXXX", log[80];
    struct kl_fs *fs;
    struct kl_seglog_twin *shared =
        mmap(NULL, sizeof *shared, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    CHECK(shared != MAP_FAILED && mkdtemp(folder) != NULL);
    CHECK_OK(kl_sys_fs_open(&fs, folder));
    kl_twin_init(shared, fs, SMALL * 16);
    for (int round = 0; round < 3; round++) {
        u64 written = run_and_kill(shared, 10 + kl_rand_below(seed, 100), seed);
        kl_twin_open(shared);
        CHECK(kl_seglog_end(shared->log) >= written);
        kl_twin_check_all(shared);
        shared->end = kl_seglog_end(shared->log);
        kl_twin_close(shared);
        (void)kl_rand(seed);
    }
    CHECK_OK(kl_fs_list(fs, "log", remove_file, fs));
    kl_sys_fs_close(fs);
    munmap(shared, sizeof *shared);
    snprintf(log, sizeof log, "%s/log", folder);
    CHECK(rmdir(log) == 0 && rmdir(folder) == 0);
}

#include "host/tx_journal.h"

#include "base/rand.h"
#include "base/test.h"
#include "sim/disk.h"

enum { SEEN_MAX = 256, ENVELOPE_MAX = 700 };

static struct {
    u32 number[SEEN_MAX];
    usize count;
} seen;

/* Envelope i: its number and, behind it, bytes that follow from it. */
static kl_span envelope(u32 i, u8 room[ENVELOPE_MAX])
{
    usize len = 4 + i * 37u % (ENVELOPE_MAX - 4);
    kl_store_be32(room, i);
    for (usize at = 4; at < len; at++)
        room[at] = (u8)(i + at);
    return kl_span_of(room, len);
}

static void see(KL_UNUSED void *ctx, kl_span found)
{
    u8 room[ENVELOPE_MAX];
    CHECK(found.len >= 4 && seen.count < SEEN_MAX);
    u32 number = kl_load_be32(found.p);
    kl_span expected = envelope(number, room);
    CHECK(found.len == expected.len && memcmp(found.p, expected.p, found.len) == 0);
    seen.number[seen.count++] = number;
}

static struct kl_tx_journal *open_on(struct kl_sim_disk *disk, bool *whole)
{
    struct kl_tx_journal *journal;
    seen.count = 0;
    CHECK_OK(kl_tx_journal_open(&journal, kl_sim_disk_fs(disk), see, NULL, whole));
    return journal;
}

/* Envelopes from..to - 1, until the next call. */
static const kl_span *envelopes(u32 from, u32 to)
{
    static u8 rooms[8][ENVELOPE_MAX];
    static kl_span spans[8];
    for (u32 i = from; i < to; i++)
        spans[i - from] = envelope(i, rooms[i - from]);
    return spans;
}

static kl_status add(struct kl_tx_journal *journal, u32 from, u32 to)
{
    return kl_tx_journal_add(journal, envelopes(from, to), to - from);
}

static kl_status renew(struct kl_tx_journal *journal, u32 from, u32 to)
{
    return kl_tx_journal_renew(journal, envelopes(from, to), to - from);
}

/* What was read is from..to - 1. */
static void check_seen(u32 from, u32 to)
{
    CHECK_U64(seen.count, to - from);
    for (u32 i = from; i < to; i++)
        CHECK_U64(seen.number[i - from], i);
}

KL_TEST(tx_journal_finds_what_was_added)
{
    struct kl_sim_disk *disk;
    bool whole = true;
    CHECK_OK(kl_sim_disk_new(&disk));
    struct kl_tx_journal *journal = open_on(disk, &whole);
    CHECK(!whole && seen.count == 0);
    CHECK(add(journal, 0, 1) == KL_AGAIN);
    CHECK_OK(renew(journal, 0, 0));
    for (u32 i = 0; i < 40; i += 5)
        CHECK_OK(add(journal, i, i + 5));
    CHECK_OK(kl_tx_journal_sync(journal));
    u64 bytes = kl_tx_journal_bytes(journal);
    kl_tx_journal_close(journal);
    journal = open_on(disk, &whole);
    CHECK(whole);
    check_seen(0, 40);
    CHECK_U64(kl_tx_journal_bytes(journal), bytes);
    CHECK_OK(renew(journal, 35, 40));
    CHECK(kl_tx_journal_bytes(journal) < bytes / 2);
    CHECK_OK(add(journal, 40, 44));
    kl_tx_journal_close(journal);
    journal = open_on(disk, &whole);
    CHECK(whole);
    check_seen(35, 44);
    kl_tx_journal_close(journal);
    kl_sim_disk_free(disk);
}

/* The file cut at every byte, and every byte of its second half changed: what is read is a
 * beginning of what was added, and nothing that never was. */
KL_TEST(tx_journal_reads_up_to_the_damage)
{
    struct kl_sim_disk *disk;
    bool whole;
    CHECK_OK(kl_sim_disk_new(&disk));
    struct kl_tx_journal *journal = open_on(disk, &whole);
    CHECK_OK(renew(journal, 0, 4));
    u64 bytes = kl_tx_journal_bytes(journal);
    kl_tx_journal_close(journal);
    for (u64 at = 8; at < bytes; at++) {
        CHECK_OK(kl_sim_disk_flip(disk, KL_TX_JOURNAL, at, (unsigned)(at % 8)));
        journal = open_on(disk, &whole);
        CHECK(!whole && seen.count < 4);
        check_seen(0, (u32)seen.count);
        kl_tx_journal_close(journal);
        CHECK_OK(kl_sim_disk_flip(disk, KL_TX_JOURNAL, at, (unsigned)(at % 8)));
    }
    for (u64 at = bytes; at-- > 0;) {
        struct kl_file *file;
        CHECK_OK(kl_fs_open(kl_sim_disk_fs(disk), &file, KL_TX_JOURNAL, KL_OPEN_WRITE));
        CHECK_OK(kl_file_truncate(file, at));
        kl_file_close(file);
        journal = open_on(disk, &whole);
        CHECK(seen.count < 4);
        check_seen(0, (u32)seen.count);
        kl_tx_journal_close(journal);
    }
    kl_sim_disk_free(disk);
}

KL_TEST(tx_journal_of_a_newer_format_is_left_alone)
{
    struct kl_sim_disk *disk;
    struct kl_tx_journal *journal;
    bool whole;
    CHECK_OK(kl_sim_disk_new(&disk));
    journal = open_on(disk, &whole);
    CHECK_OK(renew(journal, 0, 1));
    kl_tx_journal_close(journal);
    CHECK_OK(kl_sim_disk_flip(disk, KL_TX_JOURNAL, 7, 1));
    CHECK(kl_tx_journal_open(&journal, kl_sim_disk_fs(disk), see, NULL, &whole) == KL_UNSUPPORTED);
    kl_sim_disk_free(disk);
}

KL_TEST(tx_journal_ends_with_the_first_failure)
{
    struct kl_sim_disk *disk;
    bool whole;
    CHECK_OK(kl_sim_disk_new(&disk));
    struct kl_tx_journal *journal = open_on(disk, &whole);
    CHECK_OK(renew(journal, 0, 2));
    kl_sim_disk_fail(disk, 0, KL_FULL, *seed);
    CHECK(add(journal, 2, 4) == KL_FULL);
    kl_sim_disk_fail(disk, 0, KL_OK, 0);
    CHECK(add(journal, 4, 5) == KL_FULL);
    kl_tx_journal_close(journal);
    journal = open_on(disk, &whole);
    CHECK(seen.count >= 2);
    check_seen(0, (u32)seen.count);
    kl_tx_journal_close(journal);
    kl_sim_disk_free(disk);
}

/* Behind operations, envelopes [first, synced) are sure to be found, those up to end may be. */
struct moment {
    u64 operations;
    u32 first, synced, end;
};

/* Power goes at every operation of a random life, in every way. */
KL_TEST(tx_journal_survives_power_cuts)
{
    struct moment moments[64] = {{0, 0, 0, 0}}, is = {0, 0, 0, 0};
    struct kl_sim_disk *disk;
    usize count = 1;
    bool whole;
    CHECK_OK(kl_sim_disk_new(&disk));
    struct kl_tx_journal *journal = open_on(disk, &whole);
    CHECK_OK(renew(journal, 0, 0));
    for (u32 i = 0; i < 60; i++) {
        u64 what = kl_rand_below(seed, 10);
        if (what < 6 && is.end < SEEN_MAX - 8) {
            u32 more = 1 + (u32)kl_rand_below(seed, 6);
            CHECK_OK(add(journal, is.end, is.end + more));
            is.end += more;
        } else if (what < 9) {
            CHECK_OK(kl_tx_journal_sync(journal));
            is.synced = is.end;
        } else {
            is.first = is.end - KL_MIN(is.end - is.first, 6);
            CHECK_OK(renew(journal, is.first, is.end));
            is.synced = is.end;
        }
        is.operations = kl_sim_disk_operations(disk);
        moments[count++] = is;
    }
    kl_tx_journal_close(journal);
    for (u64 at = 0; at <= is.operations; at++) {
        usize before = 0, after = count - 1;
        while (before + 1 < count && moments[before + 1].operations <= at)
            before++;
        while (after > before && moments[after - 1].operations >= at)
            after--;
        for (u32 how = KL_CUT_DROP; how <= KL_CUT_RANDOM; how++) {
            struct kl_sim_disk *found;
            CHECK_OK(kl_sim_disk_cut(disk, at, (kl_power_cut)how, kl_rand(seed), &found));
            journal = open_on(found, &whole);
            u32 first = seen.count ? seen.number[0] : moments[after].first;
            check_seen(first, first + (u32)seen.count);
            CHECK(first <= moments[after].first || seen.count == 0);
            CHECK(first + seen.count >= moments[before].synced);
            CHECK(first + seen.count <= moments[after].end);
            CHECK_OK(renew(journal, 0, 3));
            kl_tx_journal_close(journal);
            journal = open_on(found, &whole);
            CHECK(whole);
            check_seen(0, 3);
            kl_tx_journal_close(journal);
            kl_sim_disk_free(found);
        }
    }
    kl_sim_disk_free(disk);
}

#include "node/room.h"

#include "base/test.h"
#include "sim/disk.h"

#define MIB ((u64)1 << 20)
#define S   UINT64_C(1000000000)

/* Files of a simulated disk, as large as a test says. */
struct place {
    struct kl_fs fs;
    struct kl_sim_disk *disk;
    kl_fs_room room;
};

struct rig {
    struct place places[2];
    kl_room room;
    u64 now_ns;
};

static struct place *place_of(struct kl_fs *fs)
{
    return (struct place *)fs;
}

static kl_status open_file(struct kl_fs *fs, struct kl_file **out, const char *path, kl_open how)
{
    return kl_fs_open(kl_sim_disk_fs(place_of(fs)->disk), out, path, how);
}

static kl_status unlink_file(struct kl_fs *fs, const char *path)
{
    return kl_fs_unlink(kl_sim_disk_fs(place_of(fs)->disk), path);
}

static kl_status sync_dir(struct kl_fs *fs, const char *path)
{
    return kl_fs_sync_dir(kl_sim_disk_fs(place_of(fs)->disk), path);
}

static kl_status room_of(struct kl_fs *fs, kl_fs_room *out)
{
    *out = place_of(fs)->room;
    return KL_OK;
}

static const struct kl_fs_ops ops = {
    .open = open_file, .unlink = unlink_file, .sync_dir = sync_dir, .room = room_of};

static void rig_init(struct rig *rig, u64 asked, u64 data_bytes, u64 key_bytes)
{
    static const char *const names[] = {"the data folder", "the key's folder"};
    const u64 sizes[] = {data_bytes, key_bytes};
    *rig = (struct rig){.now_ns = 5 * S};
    kl_room_init(&rig->room, asked);
    CHECK_U64(rig->room.due_ns, UINT64_MAX);
    for (usize i = 0; i < 2; i++) {
        struct place *place = &rig->places[i];
        *place = (struct place){.fs = {&ops}, .room = {sizes[i], sizes[i]}};
        CHECK_OK(kl_sim_disk_new(&place->disk));
        kl_room_add(&rig->room,
                    &(kl_room_place){.fs = &place->fs,
                                     .name = names[i],
                                     .needs = i ? KL_ROOM_KEY_BYTES : KL_ROOM_DATA_BYTES,
                                     .follows = i == 1});
    }
}

static void rig_done(struct rig *rig)
{
    for (usize i = 0; i < 2; i++)
        kl_sim_disk_free(rig->places[i].disk);
}

static void leave(struct rig *rig, usize place, u64 bytes)
{
    rig->places[place].room.free = bytes;
}

/* News of the next n seconds; the last look's counts. */
static kl_room_news look(struct rig *rig, u64 seconds)
{
    kl_room_news news = KL_ROOM_SAME;
    for (u64 i = 0; i < seconds; i++) {
        rig->now_ns += S;
        kl_room_news one = kl_room_look(&rig->room, rig->now_ns);
        CHECK(one == KL_ROOM_SAME || news == KL_ROOM_SAME);
        news = one == KL_ROOM_SAME ? news : one;
    }
    return news;
}

KL_TEST(room_is_low_below_its_floor_and_enough_a_quarter_above)
{
    struct rig rig;
    rig_init(&rig, 8 * MIB, 100 * MIB, 100 * MIB);
    leave(&rig, 0, 8 * MIB);
    CHECK(look(&rig, 3) == KL_ROOM_SAME);
    leave(&rig, 0, 8 * MIB - 1);
    CHECK(kl_room_look(&rig.room, rig.now_ns) == KL_ROOM_SAME); /* once a second */
    CHECK(look(&rig, 3) == KL_ROOM_LOW);
    CHECK(rig.room.low && rig.room.free == 8 * MIB - 1);
    CHECK_U64(rig.room.enough, 10 * MIB);
    leave(&rig, 0, 10 * MIB - 1); /* it does not flap */
    CHECK(look(&rig, 3) == KL_ROOM_SAME);
    leave(&rig, 0, 10 * MIB);
    CHECK(look(&rig, 3) == KL_ROOM_AGAIN);
    leave(&rig, 0, 8 * MIB);
    CHECK(look(&rig, 3) == KL_ROOM_SAME);
    rig_done(&rig);
}

KL_TEST(room_for_more_is_twice_the_floor)
{
    static const struct {
        u64 asked_mib, free_mib;
        kl_room_for_more want;
    } rows[] = {{100, 200, KL_ROOM_AMPLE}, {100, 199, KL_ROOM_ENOUGH}, {100, 125, KL_ROOM_ENOUGH},
                {100, 124, KL_ROOM_SCANT}, {0, 400, KL_ROOM_AMPLE},    {0, 399, KL_ROOM_ENOUGH},
                {0, 249, KL_ROOM_SCANT}};
    struct rig rig;
    rig_init(&rig, KL_ROOM_AUTO, 10000 * MIB, 100 * MIB);
    for (usize i = 0; i < KL_COUNT_OF(rows); i++) {
        leave(&rig, 0, rows[i].free_mib * MIB);
        CHECK(kl_room_for_more_of(&rig.room.places[0], rows[i].asked_mib * MIB) == rows[i].want);
    }
    rig_done(&rig);
}

KL_TEST(room_has_a_floor_that_fits_the_disk)
{
    static const struct {
        u64 data_mib, floor_mib;
    } rows[] = {
        {80, 20},          /* a quarter */
        {256, 64},         /* what it needs */
        {3200, 64},        /* a fiftieth would be the same */
        {10000, 200},      /* a fiftieth */
        {1 << 20, 1 << 10} /* the most */
    };
    for (usize i = 0; i < KL_COUNT_OF(rows); i++) {
        struct rig rig;
        rig_init(&rig, KL_ROOM_AUTO, rows[i].data_mib * MIB, 100 * MIB);
        leave(&rig, 0, rows[i].floor_mib * MIB);
        CHECK(look(&rig, 2) == KL_ROOM_SAME);
        leave(&rig, 0, rows[i].floor_mib * MIB - 1);
        CHECK(look(&rig, 2) == KL_ROOM_LOW);
        rig_done(&rig);
    }
}

KL_TEST(room_of_a_small_key_disk_is_not_what_the_data_wants)
{
    struct rig rig;
    rig_init(&rig, 1000 * MIB, 10000 * MIB, 10 * MIB);
    CHECK(look(&rig, 2) == KL_ROOM_SAME);
    leave(&rig, 1, 100 << 10);
    CHECK(look(&rig, 2) == KL_ROOM_LOW);
    CHECK(strstr(rig.room.name, "key") != NULL);
    leave(&rig, 0, 900 * MIB);
    CHECK(look(&rig, 2) == KL_ROOM_SAME);
    CHECK(strstr(rig.room.name, "data") != NULL); /* which lacks most */
    leave(&rig, 1, 5 * MIB);
    CHECK(look(&rig, 2) == KL_ROOM_SAME);
    leave(&rig, 0, 1250 * MIB);
    CHECK(look(&rig, 2) == KL_ROOM_AGAIN);
    rig_done(&rig);
}

KL_TEST(room_without_a_floor_is_low_where_a_write_met_the_end)
{
    struct rig rig;
    rig_init(&rig, 0, 100 * MIB, 100 * MIB);
    leave(&rig, 0, 0);
    CHECK(look(&rig, 3) == KL_ROOM_SAME);
    kl_room_meet_end(&rig.room, rig.now_ns);
    CHECK(look(&rig, 3) == KL_ROOM_SAME);
    leave(&rig, 0, 16 * MIB - 1);
    CHECK(look(&rig, 3) == KL_ROOM_SAME);
    leave(&rig, 0, 16 * MIB);
    CHECK(look(&rig, 3) == KL_ROOM_AGAIN);
    rig_done(&rig);
}

/* A quota, say: the system tells of room, and a write meets the end. */
KL_TEST(room_that_nothing_can_be_written_in_is_none)
{
    struct rig rig;
    rig_init(&rig, 0, 100 * MIB, 100 * MIB);
    kl_sim_disk_fail(rig.places[1].disk, 0, KL_FULL, *seed);
    kl_room_meet_end(&rig.room, rig.now_ns);
    CHECK(look(&rig, 5) == KL_ROOM_SAME);
    kl_sim_disk_fail(rig.places[1].disk, 0, KL_OK, *seed);
    CHECK(look(&rig, 2) == KL_ROOM_AGAIN);
    struct kl_file *probe; /* it leaves nothing behind */
    CHECK(kl_fs_open(kl_sim_disk_fs(rig.places[1].disk), &probe, "room.probe", KL_OPEN_READ) ==
          KL_NOTFOUND);
    rig_done(&rig);
}

KL_TEST(room_that_ends_again_soon_is_waited_for_longer)
{
    struct rig rig;
    rig_init(&rig, 0, 100 * MIB, 100 * MIB);
    for (u64 wait = 1; wait <= 256; wait *= 2) {
        u64 seconds = KL_MIN(wait, (u64)60);
        kl_room_meet_end(&rig.room, rig.now_ns);
        CHECK(look(&rig, seconds - 1) == KL_ROOM_SAME);
        CHECK(look(&rig, 1) == KL_ROOM_AGAIN);
    }
    rig.now_ns += 60 * S; /* it went well for a while */
    kl_room_meet_end(&rig.room, rig.now_ns);
    CHECK(look(&rig, 1) == KL_ROOM_AGAIN);
    rig_done(&rig);
}

KL_TEST(room_tells_amounts_in_words)
{
    struct rig rig;
    char text[KL_ROOM_TEXT_MAX];
    rig_init(&rig, 8 * MIB, 100 * MIB, 100 * MIB);
    leave(&rig, 0, 5 * MIB + (512 << 10));
    CHECK(look(&rig, 1) == KL_ROOM_LOW);
    kl_room_text(&rig.room, text);
    CHECK_SPAN(kl_span_str(text),
               KL_SPAN_TEXT("5.5 MiB free on the disk of the data folder, and 8.0 MiB must be: "
                            "nothing is signed, stored or taken until 10.0 MiB are; reads go on"));
    leave(&rig, 0, 40 * MIB);
    CHECK(look(&rig, 1) == KL_ROOM_AGAIN);
    kl_room_text(&rig.room, text);
    CHECK_SPAN(kl_span_str(text), KL_SPAN_TEXT("40.0 MiB free on the disk of the data folder"));
    rig_done(&rig);
}

#include "node/room.h"

#include <stdio.h>

#define LOOK_NS    UINT64_C(1000000000)
#define SOON_NS    UINT64_C(60000000000) /* after AGAIN: it was said too early */
#define WAIT_MAX   UINT64_C(60000000000)
#define FLOOR_MAX  ((u64)1 << 30)
#define TO_GO_ON   ((u64)16 << 20) /* free at least, where a write has met the end */
#define PROBE      "room.probe"
#define PROBE_SIZE 65536u

void kl_room_init(kl_room *room, u64 asked)
{
    *room = (kl_room){.asked = asked, .due_ns = UINT64_MAX, .name = ""};
}

void kl_room_add(kl_room *room, const kl_room_place *place)
{
    KL_ASSERT(room->count < KL_ROOM_PLACES);
    room->places[room->count++] = *place;
    if (room->due_ns == UINT64_MAX)
        room->due_ns = 0;
}

void kl_room_clear(kl_room *room)
{
    room->count = 0;
}

static u64 floor_of(const kl_room *room, const kl_room_place *place, u64 total)
{
    u64 needs = KL_MIN(place->needs, total / 4);
    u64 usual = KL_MAX(KL_MIN(total / 50, FLOOR_MAX), needs);
    if (room->asked == KL_ROOM_AUTO)
        return usual;
    return place->follows ? KL_MIN(room->asked, usual) : room->asked;
}

static u64 enough_of(const kl_room *room, u64 floor, u64 total)
{
    u64 enough = kl_add_sat_u64(floor, floor / 4);
    return room->met_end ? KL_MAX(enough, KL_MIN(TO_GO_ON, total / 4)) : enough;
}

/* Finds the place that is worst off: which has least above what is asked of it.  False: nothing
 * could be found out. */
static bool measure(kl_room *room)
{
    i64 least = INT64_MAX;
    bool any = false;
    for (usize i = 0; i < room->count; i++) {
        const kl_room_place *place = &room->places[i];
        kl_fs_room found;
        if (kl_fs_room_of(place->fs, &found) != KL_OK)
            continue;
        u64 floor = floor_of(room, place, found.total);
        u64 enough = enough_of(room, floor, found.total), wanted = room->low ? enough : floor;
        i64 above = found.free >= wanted ? (i64)KL_MIN(found.free - wanted, (u64)INT64_MAX)
                                         : -(i64)KL_MIN(wanted - found.free, (u64)INT64_MAX);
        if (any && above >= least)
            continue;
        any = true;
        least = above;
        room->name = place->name;
        room->free = found.free;
        room->floor = floor;
        room->enough = enough;
    }
    return any;
}

/* Quotas and the number of files have ends too, which only a write meets. */
static bool can_write(struct kl_fs *fs)
{
    static const u8 zeros[PROBE_SIZE];
    if (kl_fs_remove(fs, PROBE) != KL_OK) /* left by a process that ended in between */
        return false;
    kl_status written = kl_fs_write_new(fs, PROBE, KL_SPAN_OF(zeros));
    return kl_fs_unlink(fs, PROBE) == KL_OK && written == KL_OK;
}

static bool can_write_all(const kl_room *room)
{
    for (usize i = 0; i < room->count; i++)
        if (!can_write(room->places[i].fs))
            return false;
    return true;
}

kl_room_news kl_room_look(kl_room *room, u64 now_ns)
{
    if (now_ns < room->due_ns)
        return KL_ROOM_SAME;
    room->due_ns = kl_add_sat_u64(now_ns, LOOK_NS);
    if ((!room->asked && !room->low) || !measure(room))
        return KL_ROOM_SAME;
    if (!room->low) {
        room->low = room->free < room->floor;
        return room->low ? KL_ROOM_LOW : KL_ROOM_SAME;
    }
    if (room->free < room->enough || !can_write_all(room))
        return KL_ROOM_SAME;
    room->low = room->met_end = false;
    room->again_ns = now_ns;
    return KL_ROOM_AGAIN;
}

kl_room_for_more kl_room_for_more_of(const kl_room_place *place, u64 asked)
{
    const kl_room room = {.asked = asked ? asked : KL_ROOM_AUTO};
    kl_fs_room found;
    if (kl_fs_room_of(place->fs, &found) != KL_OK)
        return KL_ROOM_ENOUGH;
    u64 floor = floor_of(&room, place, found.total);
    return found.free >= kl_add_sat_u64(floor, floor)           ? KL_ROOM_AMPLE
           : found.free >= enough_of(&room, floor, found.total) ? KL_ROOM_ENOUGH
                                                                : KL_ROOM_SCANT;
}

void kl_room_meet_end(kl_room *room, u64 now_ns)
{
    bool soon = room->again_ns && now_ns - room->again_ns < SOON_NS;
    if (!room->count)
        return;
    room->wait_ns = soon ? KL_MIN(2 * room->wait_ns, WAIT_MAX) : LOOK_NS;
    room->low = room->met_end = true;
    room->due_ns = kl_add_sat_u64(now_ns, room->wait_ns);
    (void)measure(room);
}

/* --- words --- */

enum { AMOUNT_MAX = 24 };

static const char *amount(char out[AMOUNT_MAX], u64 bytes)
{
    static const char *const units[] = {"KiB", "MiB", "GiB", "TiB"};
    double value = (double)bytes / 1024;
    usize unit = 0;
    while (value >= 1024 && unit + 1 < KL_COUNT_OF(units)) {
        value /= 1024;
        unit++;
    }
    snprintf(out, AMOUNT_MAX, "%.1f %s", value, units[unit]);
    return out;
}

void kl_room_text(const kl_room *room, char out[KL_ROOM_TEXT_MAX])
{
    char free[AMOUNT_MAX], floor[AMOUNT_MAX], enough[AMOUNT_MAX], must[AMOUNT_MAX + 20] = "";
    amount(free, room->free);
    if (room->low && room->floor)
        snprintf(must, sizeof must, ", and %s must be", amount(floor, room->floor));
    int len =
        snprintf(out, KL_ROOM_TEXT_MAX, "%s free on the disk of %s%s", free, room->name, must);
    KL_ASSERT(len > 0 && len < KL_ROOM_TEXT_MAX);
    if (room->low)
        snprintf(out + len, KL_ROOM_TEXT_MAX - (usize)len,
                 ": nothing is signed, stored or taken until %s are; reads go on",
                 amount(enough, room->enough));
}

/* room: how much is free on the disks that a node writes to, and what follows from it.
 *
 * Where less than a floor is free the node is to stop writing before a write meets the end: LOW.
 * Once a quarter more than the floor is free, and a small file can be written, it may go on: AGAIN.
 * A write that met the end all the same is told to it, and is LOW too; where that happens again
 * soon after AGAIN, because of a quota that the system does not tell, or because there are no more
 * names for files, it waits twice as long before it says AGAIN, up to a minute.
 *
 * The floor, when nothing else is asked for: a fiftieth of the disk, at most 1 GiB, but at least
 * what the place needs, unless that is a quarter of the disk.
 *
 * Pure but for the file systems, which are handed in like the time.  Thread: one. */
#ifndef KL_NODE_ROOM_H
#define KL_NODE_ROOM_H

#include "base/file.h"

#define KL_ROOM_AUTO UINT64_MAX

/* What a node needs for its largest block: body and record, certificates, states before it, and
 * room to begin files in; and for the sign guard, which never grows. */
#define KL_ROOM_DATA_BYTES ((u64)64 << 20)
#define KL_ROOM_KEY_BYTES  ((u64)64 << 10)

enum { KL_ROOM_PLACES = 2, KL_ROOM_TEXT_MAX = 240 };

typedef struct kl_room_place {
    struct kl_fs *fs;
    const char *name; /* "the data folder" */
    u64 needs;
    bool follows; /* what is asked for is the other place's: here it is never more than usual */
} kl_room_place;

typedef struct kl_room {
    u64 asked; /* bytes; KL_ROOM_AUTO; 0: no floor, and LOW only where a write met the end */
    kl_room_place places[KL_ROOM_PLACES];
    usize count;
    bool low, met_end;
    u64 due_ns;            /* when to look again; UINT64_MAX: there is no place */
    u64 again_ns, wait_ns; /* when it said AGAIN last, 0: never; what it waited for that */
    /* Of the place that is worst off. */
    const char *name;
    u64 free, floor, enough;
} kl_room;

typedef enum kl_room_news {
    KL_ROOM_SAME,
    KL_ROOM_LOW,
    KL_ROOM_AGAIN,
} kl_room_news;

void kl_room_init(kl_room *room, u64 asked);
/* At most KL_ROOM_PLACES, which last until they are cleared. */
void kl_room_add(kl_room *room, const kl_room_place *place);
void kl_room_clear(kl_room *room);

/* Looks, when it is due. */
kl_room_news kl_room_look(kl_room *room, u64 now_ns);

/* A write met the end of a disk: it is low. */
void kl_room_meet_end(kl_room *room, u64 now_ns);

/* For work that could be left undone: AMPLE is twice the floor, and where less than a quarter above
 * it is left, SCANT, the work is to give back what it has taken. */
typedef enum kl_room_for_more {
    KL_ROOM_AMPLE,
    KL_ROOM_ENOUGH,
    KL_ROOM_SCANT,
} kl_room_for_more;
kl_room_for_more kl_room_for_more_of(const kl_room_place *place, u64 asked);

/* How it stands, in words. */
void kl_room_text(const kl_room *room, char out[KL_ROOM_TEXT_MAX]);

#endif

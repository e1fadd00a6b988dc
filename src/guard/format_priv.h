/* format_priv: the guard's file as sectors of 512 bytes; docs/formats/guard.md draws them.  A
 * sector is what a disk writes as a whole or not at all, so a record is one sector: it is there or
 * not. */
#ifndef KL_GUARD_FORMAT_PRIV_H
#define KL_GUARD_FORMAT_PRIV_H

#include "guard/guard.h"

enum { GUARD_SECTOR = 512, GUARD_VERSION = 1 };

/* A turn is the subject of a kind that no vote has; behind the view's votes. */
#define GUARD_TURN ((kl_vote_kind)4)

typedef struct guard_header {
    kl_guard_owner owner;
    kl_guard_view floor;
    u32 room;
} guard_header;

typedef struct guard_record {
    u64 number;  /* from 0, its place in the file */
    u64 durable; /* records below this one were durable when it was written */
    kl_vote_subject subject;
} guard_record;

void guard_put_header(u8 out[GUARD_SECTOR], const guard_header *header);
void guard_put_record(u8 out[GUARD_SECTOR], const guard_record *record,
                      const kl_guard_owner *owner);

/* The header's owner is compared with `owner`.  GUARD_DAMAGED, GUARD_FOREIGN. */
kl_rule guard_get_header(guard_header *out, const u8 in[GUARD_SECTOR], const kl_guard_owner *owner);
/* GUARD_DAMAGED. */
kl_rule guard_get_record(guard_record *out, const u8 in[GUARD_SECTOR], const kl_guard_owner *owner);

bool guard_sector_unwritten(const u8 in[GUARD_SECTOR]);

#endif

/* A guard's file is written as a whole under another name and takes its name when it is complete
 * and durable; from then on records are appended into zeros that are there already.
 *
 * Of records written and not synced a power cut leaves any, in any order, so a guard may have
 * holes.  Each record says how many before it were durable when it was written: none of those may
 * be missing.  What is missing above them was never durable, and so never signed. */
#include <stdlib.h>

#include "guard/guard_priv.h"

/* Fills one file, sector by sector; what is not a record is zeros. */
static kl_status fill(struct kl_guard *guard, struct kl_file *file)
{
    u8 sectors[8 * GUARD_SECTOR];
    u64 total = 1 + (u64)guard->header.room;
    for (u64 at = 0; at < total; at += 8) {
        u64 n = KL_MIN(total - at, 8);
        memset(sectors, 0, sizeof sectors);
        for (u64 i = at; i < at + n && i <= guard->count; i++) {
            u8 *sector = sectors + (i - at) * GUARD_SECTOR;
            if (i == 0) {
                guard_put_header(sector, &guard->header);
                continue;
            }
            guard_record record = {
                .number = i - 1, .durable = guard->count, .subject = guard->entries[i - 1].subject};
            guard_put_record(sector, &record, &guard->header.owner);
        }
        KL_TRY(kl_file_write(file, sectors, n * GUARD_SECTOR, at * GUARD_SECTOR));
    }
    return kl_file_sync(file);
}

kl_status guard_rewrite(struct kl_guard *guard)
{
    KL_CLEANUP(kl_file_closep) struct kl_file *file = NULL;
    kl_status status = kl_fs_unlink(guard->fs, GUARD_NAME_NEXT); /* an unfinished one */
    if (status != KL_OK && status != KL_NOTFOUND)
        return status;
    KL_TRY(kl_fs_open(guard->fs, &file, GUARD_NAME_NEXT, KL_OPEN_CREATE));
    KL_TRY(fill(guard, file));
    KL_TRY(kl_fs_rename(guard->fs, GUARD_NAME_NEXT, GUARD_NAME));
    KL_TRY(kl_fs_sync_dir(guard->fs, ""));
    kl_file_close(guard->file);
    guard->file = file;
    file = NULL;
    for (u32 i = 0; i < guard->count; i++)
        guard->entries[i].number = i;
    guard->written = guard->durable = guard->count;
    return KL_OK;
}

/* One more record: nothing in a sound file contradicts anything else in it. */
static kl_rule take(struct kl_guard *guard, const guard_record *record)
{
    bool found;
    if (guard_contrary(guard, &record->subject) != KL_RULE_NONE)
        return KL_RULE_GUARD_DAMAGED;
    u32 at = guard_find(guard, &record->subject, &found);
    if (found)
        return KL_RULE_GUARD_DAMAGED;
    guard_insert(
        guard, at,
        &(guard_entry){.subject = record->subject, .number = record->number, .past = true});
    return KL_RULE_NONE;
}

static kl_status load_records(struct kl_guard *guard, struct kl_file *file, kl_rule *broken)
{
    u8 sector[GUARD_SECTOR];
    u64 first_hole = UINT64_MAX, durable = 0;
    *broken = KL_RULE_NONE;
    for (u64 i = 0; i < guard->header.room && *broken == KL_RULE_NONE; i++) {
        guard_record record;
        KL_TRY(kl_file_read(file, sector, sizeof sector, (1 + i) * GUARD_SECTOR));
        if (guard_sector_unwritten(sector)) {
            first_hole = KL_MIN(first_hole, i);
            continue;
        }
        *broken = guard_get_record(&record, sector, &guard->header.owner);
        if (*broken == KL_RULE_NONE && record.number != i)
            *broken = KL_RULE_GUARD_DAMAGED;
        if (*broken == KL_RULE_NONE)
            *broken = take(guard, &record);
        if (*broken == KL_RULE_NONE)
            durable = KL_MAX(durable, record.durable);
    }
    if (*broken == KL_RULE_NONE && first_hole < durable)
        *broken = KL_RULE_GUARD_DAMAGED;
    return KL_OK;
}

kl_status guard_load(struct kl_guard *guard, kl_rule *broken)
{
    KL_CLEANUP(kl_file_closep) struct kl_file *file = NULL;
    u8 sector[GUARD_SECTOR];
    u64 size;
    kl_guard_owner owner = guard->header.owner;
    kl_status status = kl_fs_open(guard->fs, &file, GUARD_NAME, KL_OPEN_READ);
    *broken = KL_RULE_GUARD_MISSING;
    if (status != KL_OK)
        return status == KL_NOTFOUND ? KL_OK : status;
    KL_TRY(kl_file_size(file, &size));
    *broken = KL_RULE_GUARD_DAMAGED;
    if (size < GUARD_SECTOR)
        return KL_OK;
    KL_TRY(kl_file_read(file, sector, sizeof sector, 0));
    *broken = guard_get_header(&guard->header, sector, &owner);
    if (*broken != KL_RULE_NONE)
        return KL_OK;
    if (size != (1 + (u64)guard->header.room) * GUARD_SECTOR) {
        *broken = KL_RULE_GUARD_DAMAGED;
        return KL_OK;
    }
    guard->entries = calloc(guard->header.room, sizeof *guard->entries);
    return guard->entries ? load_records(guard, file, broken) : KL_NOMEM;
}

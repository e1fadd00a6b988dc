/* The order of things is the whole of it: written down, durable, signed.  A subject is remembered
 * in memory from the moment its record is written, so nothing that contradicts it is allowed even
 * before it is durable. */
#include "guard/guard.h"

#include <stdlib.h>

#include "guard/guard_priv.h"

static int view_cmp(kl_guard_view a, kl_guard_view b)
{
    if (a.epoch != b.epoch)
        return a.epoch < b.epoch ? -1 : 1;
    return (a.view > b.view) - (a.view < b.view);
}

static kl_guard_view view_of(const kl_vote_subject *subject)
{
    return (kl_guard_view){subject->proposal.epoch, subject->proposal.view};
}

u32 guard_find(const struct kl_guard *guard, const kl_vote_subject *subject, bool *found)
{
    u32 low = 0, high = guard->count;
    int order = 1;
    while (low < high) {
        u32 middle = low + (high - low) / 2;
        const kl_vote_subject *other = &guard->entries[middle].subject;
        order = view_cmp(view_of(other), view_of(subject));
        if (order == 0)
            order = (int)other->kind - (int)subject->kind;
        if (order == 0) {
            *found = true;
            return middle;
        }
        if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
    *found = false;
    return low;
}

void guard_insert(struct kl_guard *guard, u32 at, const guard_entry *entry)
{
    KL_ASSERT(guard->count < guard->header.room && at <= guard->count);
    memmove(&guard->entries[at + 1], &guard->entries[at],
            (guard->count - at) * sizeof guard->entries[0]);
    guard->entries[at] = *entry;
    guard->count++;
}

/* The entry of a kind in the subject's view, or NULL. */
static const guard_entry *entry_of(const struct kl_guard *guard, const kl_vote_subject *subject,
                                   kl_vote_kind kind)
{
    bool found;
    kl_vote_subject other = {.kind = kind, .proposal = subject->proposal};
    u32 at = guard_find(guard, &other, &found);
    return found ? &guard->entries[at] : NULL;
}

static bool has(const struct kl_guard *guard, const kl_vote_subject *subject, kl_vote_kind kind)
{
    return entry_of(guard, subject, kind);
}

kl_rule guard_contrary(const struct kl_guard *guard, const kl_vote_subject *subject)
{
    bool found;
    if (view_cmp(view_of(subject), guard->header.floor) < 0)
        return KL_RULE_GUARD_FLOOR;
    u32 at = guard_find(guard, subject, &found);
    bool same = found && kl_vote_subject_eq(&guard->entries[at].subject, subject);
    if (subject->kind == GUARD_TURN)
        return KL_RULE_NONE;
    switch (subject->kind) {
    case KL_VOTE_NOTARIZE:
        return found && !same ? KL_RULE_GUARD_NOTARIZE : KL_RULE_NONE;
    case KL_VOTE_NULLIFY:
        return has(guard, subject, KL_VOTE_FINALIZE) ? KL_RULE_GUARD_FINALIZED : KL_RULE_NONE;
    case KL_VOTE_FINALIZE:
        if (has(guard, subject, KL_VOTE_NULLIFY))
            return KL_RULE_GUARD_NULLIFIED;
        return found && !same ? KL_RULE_GUARD_FINALIZE : KL_RULE_NONE;
    }
    KL_UNREACHABLE();
}

/* A vote that is known was that of the turn. */
static bool is_forfeit(const struct kl_guard *guard, const kl_vote_subject *subject)
{
    const guard_entry *turn = entry_of(guard, subject, GUARD_TURN);
    return turn && turn->past && !has(guard, subject, KL_VOTE_NOTARIZE);
}

kl_rule guard_judge(const struct kl_guard *guard, const kl_vote_subject *subject)
{
    kl_rule rule = guard_contrary(guard, subject);
    if (rule != KL_RULE_NONE)
        return rule;
    if (subject->kind == KL_VOTE_NOTARIZE && is_forfeit(guard, subject))
        return KL_RULE_GUARD_TURN;
    if (subject->kind == GUARD_TURN && has(guard, subject, KL_VOTE_NOTARIZE))
        return KL_RULE_GUARD_NOTARIZE;
    return KL_RULE_NONE;
}

kl_status guard_new(struct kl_guard **out, struct kl_fs *fs, const guard_header *header)
{
    struct kl_guard *guard = calloc(1, sizeof *guard);
    if (!guard)
        return KL_NOMEM;
    guard->fs = fs;
    guard->header = *header;
    kl_status status = kl_fs_lock(fs, &guard->lock, GUARD_NAME_LOCK);
    if (status != KL_OK) {
        kl_guard_close(guard);
        return status;
    }
    *out = guard;
    return KL_OK;
}

void kl_guard_close(struct kl_guard *guard)
{
    if (!guard)
        return;
    kl_file_close(guard->file);
    kl_file_close(guard->lock);
    free(guard->entries);
    free(guard);
}

static void closep(struct kl_guard **guard)
{
    kl_guard_close(*guard);
}

kl_status kl_guard_create(struct kl_guard **out, struct kl_fs *fs, const kl_guard_owner *owner,
                          kl_guard_view floor, u32 room)
{
    KL_ASSERT(room >= KL_GUARD_ROOM_MIN && room <= KL_GUARD_ROOM_MAX);
    KL_CLEANUP(closep) struct kl_guard *guard = NULL;
    KL_TRY(guard_new(&guard, fs, &(guard_header){.owner = *owner, .floor = floor, .room = room}));
    bool is_there;
    KL_TRY(kl_fs_has(fs, GUARD_NAME, &is_there));
    if (is_there)
        return KL_BUSY;
    guard->entries = calloc(room, sizeof *guard->entries);
    if (!guard->entries)
        return KL_NOMEM;
    KL_TRY(guard_rewrite(guard));
    *out = guard;
    guard = NULL;
    return KL_OK;
}

kl_status kl_guard_open(struct kl_guard **out, struct kl_fs *fs, const kl_guard_owner *owner,
                        kl_rule *broken)
{
    KL_CLEANUP(closep) struct kl_guard *guard = NULL;
    kl_rule rule = KL_RULE_NONE;
    KL_TRY(guard_new(&guard, fs, &(guard_header){.owner = *owner}));
    KL_TRY(guard_marks(guard));
    if (guard->used)
        rule = KL_RULE_GUARD_USED;
    else
        KL_TRY(guard_load(guard, &rule));
    if (rule == KL_RULE_NONE)
        KL_TRY(guard_rewrite(guard));
    *broken = rule;
    *out = rule == KL_RULE_NONE ? guard : NULL;
    if (rule == KL_RULE_NONE)
        guard = NULL;
    return KL_OK;
}

/* Whatever failed, failed for good. */
static kl_status settle(struct kl_guard *guard, kl_status status)
{
    if (status != KL_OK)
        guard->failed = status;
    return status;
}

void kl_guard_raise(struct kl_guard *guard, kl_guard_view floor)
{
    if (view_cmp(floor, guard->header.floor) <= 0)
        return;
    u32 gone = 0;
    while (gone < guard->count && view_cmp(view_of(&guard->entries[gone].subject), floor) < 0)
        gone++;
    memmove(guard->entries, guard->entries + gone,
            (guard->count - gone) * sizeof guard->entries[0]);
    guard->count -= gone;
    guard->header.floor = floor;
}

/* Room for one more record.  Views go as a whole, so a few more than half may stay. */
static kl_status make_room(struct kl_guard *guard)
{
    u32 keep = guard->header.room / 2;
    if (guard->count > keep)
        kl_guard_raise(guard, view_of(&guard->entries[guard->count - keep].subject));
    return guard_rewrite(guard);
}

/* past: of an entry that is not there yet. */
static kl_status write_down(struct kl_guard *guard, const kl_vote_subject *subject, bool past,
                            kl_rule *broken)
{
    u8 sector[GUARD_SECTOR];
    bool found;
    KL_TRY(guard->failed);
    if (guard->used) {
        *broken = KL_RULE_GUARD_USED;
        return KL_OK;
    }
    kl_rule rule = guard_judge(guard, subject);
    u32 at = guard_find(guard, subject, &found);
    if (rule != KL_RULE_NONE || found) {
        *broken = rule;
        return KL_OK;
    }
    if (guard->written == guard->header.room) {
        KL_TRY(settle(guard, make_room(guard)));
        rule = guard_judge(guard, subject); /* the floor may have risen above it */
        at = guard_find(guard, subject, &found);
        if (rule != KL_RULE_NONE) {
            *broken = rule;
            return KL_OK;
        }
    }
    guard_record record = {
        .number = guard->written, .durable = guard->durable, .subject = *subject};
    const guard_entry entry = {.subject = *subject, .number = record.number, .past = past};
    guard_put_record(sector, &record, &guard->header.owner);
    KL_TRY(settle(guard, kl_file_write(guard->file, sector, sizeof sector,
                                       (1 + record.number) * GUARD_SECTOR)));
    guard_insert(guard, at, &entry);
    guard->written++;
    *broken = KL_RULE_NONE;
    return KL_OK;
}

kl_status kl_guard_ask(struct kl_guard *guard, const kl_vote_subject *subject, kl_rule *broken)
{
    return write_down(guard, subject, false, broken);
}

kl_status kl_guard_reserve(struct kl_guard *guard, kl_guard_view view, bool past, kl_rule *broken)
{
    const kl_vote_subject turn = {.kind = GUARD_TURN,
                                  .proposal = {.epoch = view.epoch, .view = view.view}};
    kl_rule rule;
    const guard_entry *had = entry_of(guard, &turn, GUARD_TURN);
    bool is_taken = had && had->past && !past;
    KL_TRY(write_down(guard, &turn, past, &rule));
    *broken = rule == KL_RULE_NONE && is_taken ? KL_RULE_GUARD_TURN : rule;
    return KL_OK;
}

kl_status kl_guard_sync(struct kl_guard *guard)
{
    KL_TRY(guard->failed);
    if (guard->durable == guard->written)
        return KL_OK;
    KL_TRY(settle(guard, kl_file_sync(guard->file)));
    guard->durable = guard->written;
    return KL_OK;
}

/* Its vote may leave before its record is durable. */
static bool is_in_turn(const struct kl_guard *guard, const kl_vote_subject *subject)
{
    const guard_entry *turn = entry_of(guard, subject, GUARD_TURN);
    return subject->kind == KL_VOTE_NOTARIZE && turn && !turn->past &&
           turn->number < guard->durable;
}

kl_status kl_guard_sign(struct kl_guard *guard, kl_vote *out, const kl_vote_subject *subject,
                        u32 signer, const kl_secret32 *secret)
{
    bool found;
    const kl_guard_owner *owner = &guard->header.owner;
    u8 key[KL_VOTE_KEY_MAX];
    KL_TRY(guard->failed);
    u32 at = guard_find(guard, subject, &found);
    KL_ASSERT(found && kl_vote_subject_eq(&guard->entries[at].subject, subject));
    KL_ASSERT(guard->entries[at].number < guard->durable || is_in_turn(guard, subject));
    KL_ASSERT(owner->scheme->public_key(key, secret) &&
              memcmp(key, owner->key, owner->scheme->key_len) == 0);
    KL_ASSERT(kl_vote_sign(out, subject, signer, owner->scheme, secret, &owner->domain));
    return KL_OK;
}

kl_guard_view kl_guard_floor(const struct kl_guard *guard)
{
    return guard->header.floor;
}

kl_guard_view kl_guard_newest(const struct kl_guard *guard)
{
    return guard->count ? view_of(&guard->entries[guard->count - 1].subject) : guard->header.floor;
}

void kl_guard_each(const struct kl_guard *guard,
                   void (*each)(void *ctx, const kl_vote_subject *subject), void *ctx)
{
    for (u32 i = 0; i < guard->count; i++)
        if (guard->entries[i].subject.kind != GUARD_TURN)
            each(ctx, &guard->entries[i].subject);
}

void kl_guard_each_turn(const struct kl_guard *guard, void (*each)(void *ctx, kl_guard_view view),
                        void *ctx)
{
    for (u32 i = 0; i < guard->count; i++) {
        const kl_vote_subject *subject = &guard->entries[i].subject;
        if (subject->kind == GUARD_TURN && is_forfeit(guard, subject))
            each(ctx, view_of(subject));
    }
}

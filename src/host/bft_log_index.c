#include <stdlib.h>

#include "host/bft_log_priv.h"

static int certificate_cmp(const log_certificate *a, const log_certificate *b)
{
    if (a->epoch != b->epoch)
        return a->epoch < b->epoch ? -1 : 1;
    if (a->view != b->view)
        return a->view < b->view ? -1 : 1;
    if (a->kind != b->kind)
        return a->kind < b->kind ? -1 : 1;
    return memcmp(a->block_hash.b, b->block_hash.b, sizeof a->block_hash.b);
}

static log_certificate certificate_of(const kl_vote_subject *subject)
{
    const kl_proposal *p = &subject->proposal;
    log_certificate out = {.epoch = p->epoch, .view = p->view, .kind = subject->kind};
    if (subject->kind != KL_VOTE_NULLIFY)
        out.block_hash = p->block_hash;
    return out;
}

/* Where it is or would be. */
static usize find(const log_index *index, const log_certificate *wanted, bool *found)
{
    usize low = 0, high = index->certificate_count;
    *found = false;
    while (low < high && !*found) {
        usize middle = low + (high - low) / 2;
        int order = certificate_cmp(&index->certificates[middle], wanted);
        if (order < 0)
            low = middle + 1;
        else
            high = middle;
        if (order == 0) {
            *found = true;
            low = middle;
        }
    }
    return low;
}

void log_index_init(log_index *index, u64 first)
{
    *index = (log_index){.first = first};
    kl_map_init(&index->bodies, offsetof(struct log_body, hash), sizeof(kl_hash), 0);
}

void log_index_done(log_index *index)
{
    for (usize i = 0; i < index->count; i++)
        free(index->entries[i].body);
    free(index->entries);
    free(index->certificates);
    free(index->votes);
    kl_map_done(&index->bodies);
}

/* Room for one more in a list. */
static bool grow(void **list, usize count, usize *cap, usize size)
{
    if (count < *cap)
        return true;
    usize more = *cap ? 2 * *cap : 256;
    void *grown = realloc(*list, more * size);
    if (!grown)
        return false;
    *list = grown;
    *cap = more;
    return true;
}

kl_status log_index_reserve(log_index *index)
{
    void *entries = index->entries, *certificates = index->certificates, *votes = index->votes;
    bool room = grow(&entries, index->count, &index->cap, sizeof *index->entries);
    index->entries = entries;
    room = room && grow(&certificates, index->certificate_count, &index->certificate_cap,
                        sizeof *index->certificates);
    index->certificates = certificates;
    room = room && grow(&votes, index->vote_count, &index->vote_cap, sizeof *index->votes);
    index->votes = votes;
    return room ? KL_OK : KL_NOMEM;
}

static u64 entry_add(log_index *index, log_entry entry)
{
    KL_ASSERT(index->count < index->cap);
    index->entries[index->count] = entry;
    return index->first + index->count++;
}

void log_index_certificate(log_index *index, const kl_certificate *certificate)
{
    bool found;
    const kl_proposal *p = &certificate->subject.proposal;
    log_certificate held = certificate_of(&certificate->subject);
    usize at = find(index, &held, &found);
    held.seq = entry_add(index, (log_entry){.epoch = p->epoch, .view = p->view});
    if (found)
        return;
    KL_ASSERT(index->certificate_count < index->certificate_cap);
    memmove(&index->certificates[at + 1], &index->certificates[at],
            (index->certificate_count - at) * sizeof held);
    index->certificates[at] = held;
    index->certificate_count++;
}

kl_status log_index_body(log_index *index, const kl_hash *hash, u64 epoch, u64 view)
{
    struct log_body *body = NULL;
    if (!kl_map_get(&index->bodies, hash)) {
        body = malloc(sizeof *body);
        if (!body)
            return KL_NOMEM;
        *body = (struct log_body){.hash = *hash, .seq = index->first + index->count};
        kl_status status = kl_map_put(&index->bodies, body);
        if (status != KL_OK) {
            free(body);
            return status;
        }
    }
    (void)entry_add(index, (log_entry){.epoch = epoch, .view = view, .body = body});
    return KL_OK;
}

void log_index_vote(log_index *index, const kl_vote_subject *subject, kl_span leader)
{
    const kl_proposal *p = &subject->proposal;
    u64 seq = entry_add(index, (log_entry){.epoch = p->epoch, .view = p->view});
    KL_ASSERT(index->vote_count < index->vote_cap);
    log_vote *vote = &index->votes[index->vote_count++];
    *vote = (log_vote){.subject = *subject, .leader_len = (u8)leader.len, .seq = seq};
    KL_ASSERT(leader.len <= sizeof vote->leader);
    if (leader.len)
        memcpy(vote->leader, leader.p, leader.len);
}

bool log_index_has_vote(const log_index *index, const kl_vote_subject *subject)
{
    for (usize i = index->vote_count; i--;)
        if (kl_vote_subject_eq(&index->votes[i].subject, subject))
            return true;
    return false;
}

void log_index_unread(log_index *index)
{
    (void)entry_add(index, (log_entry){0});
}

bool log_index_has(const log_index *index, const kl_vote_subject *subject)
{
    bool found;
    log_certificate wanted = certificate_of(subject);
    (void)find(index, &wanted, &found);
    return found;
}

usize log_index_from(const log_index *index, u64 epoch, u64 view)
{
    bool found;
    log_certificate wanted = {.epoch = epoch, .view = view};
    return find(index, &wanted, &found);
}

/* Of the votes those of records below first. */
static void drop_votes(log_index *index, u64 first)
{
    usize old = 0;
    while (old < index->vote_count && index->votes[old].seq < first)
        old++;
    memmove(index->votes, index->votes + old, (index->vote_count - old) * sizeof(log_vote));
    index->vote_count -= old;
}

u64 log_index_needed(log_index *index, u64 epoch, u64 view)
{
    while (index->needless < index->count) {
        const log_entry *entry = &index->entries[index->needless];
        if (entry->epoch > epoch || (entry->epoch == epoch && entry->view >= view))
            break;
        index->needless++;
    }
    u64 needed = index->first + index->needless;
    drop_votes(index, needed); /* all of them are looked through for each that comes */
    return needed;
}

void log_index_drop(log_index *index, u64 first)
{
    if (first <= index->first)
        return;
    usize gone = first - index->first, kept = 0;
    KL_ASSERT(gone <= index->count);
    for (usize i = 0; i < gone; i++) {
        struct log_body *body = index->entries[i].body;
        if (body)
            (void)kl_map_take(&index->bodies, &body->hash);
        free(body);
    }
    for (usize i = 0; i < index->certificate_count; i++)
        if (index->certificates[i].seq >= first)
            index->certificates[kept++] = index->certificates[i];
    index->certificate_count = kept;
    memmove(index->entries, index->entries + gone, (index->count - gone) * sizeof(log_entry));
    index->count -= gone;
    index->needless -= KL_MIN(index->needless, gone);
    index->first = first;
}

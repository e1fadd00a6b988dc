/* Logs are found through the index: every alternative of a filter's part (addresses, or the topics
 * at one place) is a row of block numbers; a part matches the union of its rows, the filter the
 * intersection of its parts.  The blocks that are left are read and their logs looked at one by
 * one: the index knows neither the place of a topic nor which log of a block an entry belongs to.
 *
 * A filter that names nothing matches every block, so every block is read whose bloom is not empty.
 */
#include "chain/reader_priv.h"

#define PARTS_MAX 5

/* One alternative: its row of the index and the first number in it at or above what was asked for.
 */
struct row {
    u8 prefix[KL_LOG_PREFIX_LEN];
    u64 next; /* UINT64_MAX: no more */
    bool known;
};

struct part {
    struct row *rows;
    usize count;
};

struct query {
    struct kl_reader *reader;
    const kl_log_filter *filter;
    struct part parts[PARTS_MAX];
    usize part_count;
    struct kl_arena arena; /* rows, and the block at hand */
};

static bool among_addresses(const kl_log_filter *filter, const kl_address *address)
{
    for (usize i = 0; i < filter->address_count; i++)
        if (kl_address_eq(&filter->addresses[i], address))
            return true;
    return filter->address_count == 0;
}

static bool among_topics(const kl_log_filter *filter, usize place, const kl_log_entry *entry)
{
    if (filter->topic_counts[place] == 0)
        return true;
    for (usize i = 0; place < entry->topic_count && i < filter->topic_counts[place]; i++)
        if (kl_hash_eq(&filter->topics[place][i], &entry->topics[place]))
            return true;
    return false;
}

bool kl_log_filter_match(const kl_log_filter *filter, const kl_log_entry *entry)
{
    if (!among_addresses(filter, &entry->address))
        return false;
    for (usize place = 0; place < 4; place++)
        if (!among_topics(filter, place, entry))
            return false;
    return true;
}

static bool take_number(void *ctx, kl_span key, kl_span value)
{
    (void)value;
    if (key.len == KL_LOG_KEY_LEN)
        *(u64 *)ctx = kl_load_be64(key.p + KL_LOG_PREFIX_LEN);
    return false; /* the first one is enough */
}

/* Moves the row to its first number >= from. */
static kl_status advance(struct query *q, struct row *row, u64 from)
{
    if (row->known && row->next >= from)
        return KL_OK;
    u8 key[KL_LOG_KEY_LEN];
    u64 found = UINT64_MAX;
    memcpy(key, row->prefix, sizeof row->prefix);
    kl_store_be64(key + KL_LOG_PREFIX_LEN, from);
    KL_TRY(kl_view_scan(q->reader->view, KL_TABLE_LOG, KL_SPAN_OF(row->prefix), KL_SPAN_OF(key),
                        take_number, &found));
    row->next = found;
    row->known = true;
    return KL_OK;
}

/* The first number >= from in any row of the part. */
static kl_status first_in_part(struct query *q, struct part *part, u64 from, u64 *out)
{
    u64 least = UINT64_MAX;
    for (usize i = 0; i < part->count; i++) {
        KL_TRY(advance(q, &part->rows[i], from));
        least = KL_MIN(least, part->rows[i].next);
    }
    *out = least;
    return KL_OK;
}

/* The first block >= from that every part may match; UINT64_MAX: none. */
static kl_status next_block(struct query *q, u64 from, u64 *out)
{
    usize agreed = 0;
    for (usize i = 0; agreed < q->part_count && from != UINT64_MAX; i = (i + 1) % q->part_count) {
        u64 number;
        KL_TRY(first_in_part(q, &q->parts[i], from, &number));
        agreed = number == from ? agreed + 1 : 1;
        from = number;
    }
    *out = from;
    return KL_OK;
}

static kl_status add_part(struct query *q, usize count, struct part **out)
{
    struct row *rows = KL_ZERO(&q->arena, struct row, count);
    if (!rows)
        return KL_NOMEM;
    *out = &q->parts[q->part_count++];
    **out = (struct part){rows, count};
    return KL_OK;
}

static kl_status add_parts(struct query *q)
{
    const kl_log_filter *filter = q->filter;
    struct part *part;
    if (filter->address_count) {
        KL_TRY(add_part(q, filter->address_count, &part));
        for (usize i = 0; i < part->count; i++)
            kl_log_address_prefix(part->rows[i].prefix, &filter->addresses[i]);
    }
    for (usize place = 0; place < 4; place++) {
        if (!filter->topic_counts[place])
            continue;
        KL_TRY(add_part(q, filter->topic_counts[place], &part));
        for (usize i = 0; i < part->count; i++)
            kl_log_topic_prefix(part->rows[i].prefix, &filter->topics[place][i]);
    }
    return KL_OK;
}

/* Gives the matches of one block; *stop when each() has had enough. */
static kl_status search_block(struct query *q, u64 number,
                              bool (*each)(void *ctx, const kl_log_hit *hit), void *ctx, bool *stop)
{
    static const kl_bloom empty;
    kl_stored_block block;
    usize log_index = 0;
    KL_TRY(kl_reader_block(q->reader, number, &q->arena, &block));
    if (memcmp(&block.block.header.logs_bloom, &empty, sizeof empty) == 0)
        return KL_OK;
    for (usize t = 0; t < block.block.tx_count; t++)
        for (usize i = 0; i < block.receipts[t].log_count; i++, log_index++) {
            const kl_log_hit hit = {&block.receipts[t].logs[i], &block, t, log_index};
            if (!kl_log_filter_match(q->filter, hit.entry))
                continue;
            *stop = !each(ctx, &hit);
            if (*stop)
                return KL_OK;
        }
    return KL_OK;
}

static kl_status search(struct query *q, bool (*each)(void *ctx, const kl_log_hit *hit), void *ctx)
{
    u64 last = KL_MIN(q->filter->to, q->reader->tip->header.number);
    bool stop = false;
    KL_TRY(add_parts(q));
    kl_arena_mark rows_end = kl_arena_here(&q->arena);
    for (u64 number = q->filter->from; number <= last && !stop; number++) {
        if (q->part_count)
            KL_TRY(next_block(q, number, &number));
        if (number > last)
            break;
        KL_TRY(search_block(q, number, each, ctx, &stop));
        kl_arena_rewind(&q->arena, rows_end);
    }
    return KL_OK;
}

kl_status kl_reader_logs(struct kl_reader *reader, const kl_log_filter *filter,
                         bool (*each)(void *ctx, const kl_log_hit *hit), void *ctx)
{
    struct query q = {.reader = reader, .filter = filter};
    kl_arena_init(&q.arena, KL_STEP_ARENA);
    kl_status status = search(&q, each, ctx);
    kl_arena_done(&q.arena);
    return status;
}

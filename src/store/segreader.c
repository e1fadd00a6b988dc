/* Walking over sectors and records.
 *
 * A sector whose checksum is right but which does not continue what came before it counts as not
 * written: a power cut can leave sectors of an unfinished batch behind a hole, and so can one in
 * the middle of cutting a tear off.  Whether that is a tear or damage is the caller's to decide,
 * who knows what was durable. */
#include "crypto/digest.h"
#include "store/seglog_priv.h"

void kl_seg_reader_init(struct kl_seg_reader *r, const struct kl_seglog *log,
                        struct kl_segment *segment, u64 limit, kl_seglog_report *report)
{
    r->log = log;
    r->segment = segment;
    r->report = report;
    r->first_sector = 1;
    r->limit = limit;
    r->memory = NULL;
    r->asked = 0;
    r->origin = 0;
    r->at = 0;
    r->have = 0;
    r->checked = 0;
    r->ahead = KL_SEG_AHEAD / 4;
}

/* Brings sector i into memory, with some behind it: more and more while reading goes straight on.
 */
static kl_status fetch(struct kl_seg_reader *r, u64 i)
{
    if (i >= r->at && i - r->at < r->have)
        return KL_OK;
    if (r->have > 0 && i == r->at + r->have)
        r->ahead = KL_MIN(2 * r->ahead, (u32)KL_SEG_AHEAD);
    u64 count = KL_MIN((u64)r->ahead, r->limit - i);
    r->have = 0;
    kl_status status =
        kl_file_read(r->segment->file, r->bytes, count * KL_SEG_SECTOR, i * KL_SEG_SECTOR);
    if (status == KL_NOTFOUND)
        return kl_seg_damaged(r->log, r->segment, i * KL_SEG_SECTOR,
                              "the file is shorter than its header says", r->report);
    if (status != KL_OK)
        return status;
    r->at = i;
    r->have = (u32)count;
    r->checked = 0;
    return KL_OK;
}

static void remember(const struct kl_seg_reader *r, u64 i, u64 seq)
{
    if (i % KL_SEG_STRIDE == 0 && r->segment->mark)
        atomic_store_explicit(&r->segment->mark[i / KL_SEG_STRIDE].seq, seq, memory_order_relaxed);
}

kl_status kl_seg_reader_sector(struct kl_seg_reader *r, u64 i, kl_seg_sector *head,
                               const u8 **bytes)
{
    r->asked = i;
    if (i >= r->limit)
        return KL_NOTFOUND;
    const u8 *sector;
    if (r->memory) {
        sector = r->memory + (i - r->first_sector) * KL_SEG_SECTOR;
    } else {
        KL_TRY(fetch(r, i));
        u32 slot = (u32)(i - r->at);
        sector = r->bytes + slot * KL_SEG_SECTOR;
        if (!(r->checked >> slot & 1)) {
            kl_seg_state state = kl_seg_sector_check(sector, r->segment->first, i);
            if (state == KL_SEG_BLANK)
                return KL_NOTFOUND;
            if (state == KL_SEG_DAMAGED)
                return kl_seg_damaged(r->log, r->segment, i * KL_SEG_SECTOR,
                                      "the sector's checksum is wrong", r->report);
            r->checked |= 1u << slot;
        }
    }
    *head = kl_seg_sector_get(sector);
    if (!r->memory)
        remember(r, i, head->seq);
    if (bytes)
        *bytes = sector;
    return KL_OK;
}

/* Copies n bytes of record seq from *place on, across sectors, to out unless that is NULL, and adds
 * them to *crc. */
static kl_status take(struct kl_seg_reader *r, kl_seg_place *place, u64 seq, u8 *out, usize n,
                      u32 *crc)
{
    while (n > 0) {
        kl_seg_sector head;
        const u8 *sector;
        bool enters = place->offset == KL_SEG_SECTOR;
        if (enters)
            *place = (kl_seg_place){.sector = place->sector + 1, .offset = KL_SEG_DATA};
        KL_TRY(kl_seg_reader_sector(r, place->sector, &head, &sector));
        usize part = KL_MIN(n, (usize)(KL_SEG_SECTOR - place->offset));
        bool fills = place->sector != r->origin && place->offset + part == KL_SEG_SECTOR;
        if (place->offset + part > head.end || (enters && head.seq != seq + 1) ||
            (fills && head.start != 0))
            return KL_NOTFOUND;
        if (crc)
            *crc = kl_crc32c(*crc, kl_span_of(sector + place->offset, part));
        if (out) {
            memcpy(out, sector + place->offset, part);
            out += part;
        }
        place->offset += (u32)part;
        n -= part;
    }
    return KL_OK;
}

/* Goes to where record seq begins, given the end of the record before it. */
static kl_status settle(struct kl_seg_reader *r, kl_seg_place *place, u64 seq)
{
    kl_seg_sector head;
    if (place->offset != 0) {
        KL_TRY(kl_seg_reader_sector(r, place->sector, &head, NULL));
        if (place->offset < head.end)
            return head.start != 0 && head.start <= place->offset ? KL_OK : KL_NOTFOUND;
        *place = (kl_seg_place){.sector = place->sector + 1};
    }
    KL_TRY(kl_seg_reader_sector(r, place->sector, &head, NULL));
    if (head.start != KL_SEG_DATA || head.seq != seq)
        return KL_NOTFOUND;
    place->offset = KL_SEG_DATA;
    return KL_OK;
}

kl_status kl_seg_reader_head(struct kl_seg_reader *r, kl_seg_place *place, u64 seq,
                             kl_seg_head *head, u32 *crc)
{
    u8 bytes[KL_SEG_HEAD];
    kl_seg_place at = *place;
    KL_TRY(settle(r, &at, seq));
    u64 offset = at.sector * KL_SEG_SECTOR + at.offset;
    r->origin = at.sector;
    KL_TRY(take(r, &at, seq, bytes, sizeof bytes, NULL));
    *head = kl_seg_head_get(bytes);
    if (head->kind == 0 || head->len > KL_SEGLOG_RECORD_MAX || head->seq != seq ||
        head->synced > seq)
        return kl_seg_damaged(r->log, r->segment, offset,
                              "the record's head does not fit its place", r->report);
    if (head->len > (r->limit - at.sector) * KL_SEG_ROOM)
        return KL_NOTFOUND;
    *crc = kl_seg_head_crc(bytes);
    *place = at;
    return KL_OK;
}

/* Whether the sector in which a record ends that began in another says where the next one starts.
 */
static kl_status check_end(struct kl_seg_reader *r, kl_seg_place end)
{
    kl_seg_sector head;
    if (end.sector == r->origin)
        return KL_OK;
    KL_TRY(kl_seg_reader_sector(r, end.sector, &head, NULL));
    return head.start == (end.offset < head.end ? end.offset : 0) ? KL_OK : KL_NOTFOUND;
}

kl_status kl_seg_reader_payload(struct kl_seg_reader *r, kl_seg_place *place,
                                const kl_seg_head *head, u32 crc, u8 *out)
{
    u64 offset = place->sector * KL_SEG_SECTOR + place->offset;
    kl_seg_place at = *place;
    KL_TRY(take(r, &at, head->seq, out, head->len, &crc));
    KL_TRY(check_end(r, at));
    if (crc != head->crc)
        return kl_seg_damaged(r->log, r->segment, offset, "the record's checksum is wrong",
                              r->report);
    *place = at;
    return KL_OK;
}

/* Sectors known to lie at or before the one where record seq begins, and behind it. */
static void narrow(const struct kl_seg_reader *r, u64 seq, u64 *low, u64 *high)
{
    if (r->memory || !r->segment->mark)
        return;
    u64 a = *low / KL_SEG_STRIDE, b = (*high - 1) / KL_SEG_STRIDE + 1;
    while (b - a > 1) {
        u64 mid = (a + b) / 2;
        u64 known = atomic_load_explicit(&r->segment->mark[mid].seq, memory_order_relaxed);
        if (known == UINT64_MAX)
            break;
        if (known <= seq)
            a = mid;
        else
            b = mid;
    }
    *low = KL_MAX(*low, a * KL_SEG_STRIDE);
    *high = KL_MIN(*high, b * KL_SEG_STRIDE);
}

/* The last sector with a seq <= the one looked for is the one where that record begins: later
 * sectors begin behind its start. */
kl_status kl_seg_reader_find(struct kl_seg_reader *r, u64 seq, kl_seg_place *place)
{
    u64 low = r->first_sector, high = r->limit;
    kl_seg_sector head;
    const u8 *sector;
    narrow(r, seq, &low, &high);
    while (high - low > 1) {
        u64 mid = low + (high - low) / 2;
        if (high - low > KL_SEG_STRIDE && !r->memory) {
            mid = (mid + KL_SEG_STRIDE / 2) / KL_SEG_STRIDE * KL_SEG_STRIDE;
            r->ahead = 1;
        } else if (!r->memory) {
            r->ahead = KL_SEG_AHEAD;
            KL_TRY(fetch(r, low));
        }
        kl_status status = kl_seg_reader_sector(r, mid, &head, NULL);
        if (status == KL_NOTFOUND || (status == KL_OK && head.seq > seq))
            high = mid;
        else if (status == KL_OK)
            low = mid;
        else
            return status;
    }
    r->ahead = KL_SEG_AHEAD;
    KL_TRY(kl_seg_reader_sector(r, low, &head, &sector));
    u32 at = head.start;
    for (u64 n = head.seq; at != 0 && n < seq; n++) {
        if (head.end - at < KL_SEG_HEAD)
            return KL_NOTFOUND;
        u64 next = (u64)at + KL_SEG_HEAD + kl_seg_head_get(sector + at).len;
        if (next >= head.end)
            return KL_NOTFOUND;
        at = (u32)next;
    }
    if (at == 0 || head.seq > seq)
        return KL_NOTFOUND;
    *place = (kl_seg_place){.sector = low, .offset = at};
    return KL_OK;
}

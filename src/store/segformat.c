#include "crypto/digest.h"
#include "store/seglog_priv.h"

/* Sector 0:      magic 8, version 4, checksum 4, first 8, previous 8, size 8, zeros
 * other sectors: checksum 4, start 2, end 2, seq 8, data 496
 * a record:      kind 1, length 4, seq 8, synced 8, checksum 4, payload */

enum { VERSION = 1, HEADER_BYTES = 40, HEAD_CHECKED = KL_SEG_HEAD - 4 };

static const u8 magic[8] = {'K', 'L', 'S', 'E', 'G', 'L', 'O', 'G'};

static u32 header_crc(const u8 *sector)
{
    u32 crc = kl_crc32c(0, kl_span_of(sector, 12));
    return kl_crc32c(crc, kl_span_of(sector + 16, KL_SEG_SECTOR - 16));
}

static bool all_zero(const u8 *p, usize len)
{
    return p[0] == 0 && memcmp(p, p + 1, len - 1) == 0;
}

void kl_seg_header_put(u8 sector[KL_SEG_SECTOR], const kl_seg_header *header)
{
    memset(sector, 0, KL_SEG_SECTOR);
    memcpy(sector, magic, sizeof magic);
    kl_store_be32(sector + 8, VERSION);
    kl_store_be64(sector + 16, header->first);
    kl_store_be64(sector + 24, header->previous);
    kl_store_be64(sector + 32, header->size);
    kl_store_be32(sector + 12, header_crc(sector));
}

const char *kl_seg_header_get(const u8 sector[KL_SEG_SECTOR], kl_seg_header *out, bool *newer)
{
    *newer = false;
    if (memcmp(sector, magic, sizeof magic) != 0)
        return "this is no segment file";
    if (kl_load_be32(sector + 12) != header_crc(sector))
        return "the segment header's checksum is wrong";
    *newer = kl_load_be32(sector + 8) > VERSION;
    if (kl_load_be32(sector + 8) != VERSION ||
        !all_zero(sector + HEADER_BYTES, KL_SEG_SECTOR - HEADER_BYTES))
        return "the segment's format is not known";
    *out = (kl_seg_header){
        .first = kl_load_be64(sector + 16),
        .previous = kl_load_be64(sector + 24),
        .size = kl_load_be64(sector + 32),
    };
    return NULL;
}

void kl_seg_sector_begin(u8 *sector, u64 seq)
{
    memset(sector, 0, KL_SEG_SECTOR);
    kl_seg_sector_set(sector, &(kl_seg_sector){.end = KL_SEG_DATA, .seq = seq});
}

void kl_seg_sector_set(u8 *sector, const kl_seg_sector *head)
{
    kl_store_be16(sector + 4, head->start);
    kl_store_be16(sector + 6, head->end);
    kl_store_be64(sector + 8, head->seq);
}

kl_seg_sector kl_seg_sector_get(const u8 *sector)
{
    return (kl_seg_sector){
        .start = kl_load_be16(sector + 4),
        .end = kl_load_be16(sector + 6),
        .seq = kl_load_be64(sector + 8),
    };
}

/* The place is part of what is checked, so that a sector in the wrong place counts as damaged. */
static u32 sector_crc(const u8 *sector, u64 first, u64 index)
{
    u8 place[16];
    kl_store_be64(place, first);
    kl_store_be64(place + 8, index);
    return kl_crc32c(kl_crc32c(0, KL_SPAN_OF(place)), kl_span_of(sector + 4, KL_SEG_SECTOR - 4));
}

void kl_seg_sector_seal(u8 *sector, u64 first, u64 index)
{
    kl_store_be32(sector, sector_crc(sector, first, index));
}

kl_seg_state kl_seg_sector_check(const u8 *sector, u64 first, u64 index)
{
    kl_seg_sector head = kl_seg_sector_get(sector);
    if (head.end == 0)
        return all_zero(sector, KL_SEG_SECTOR) ? KL_SEG_BLANK : KL_SEG_DAMAGED;
    if (kl_load_be32(sector) != sector_crc(sector, first, index))
        return KL_SEG_DAMAGED;
    bool plausible = head.end > KL_SEG_DATA && head.end <= KL_SEG_SECTOR &&
                     (head.start == 0 || (head.start >= KL_SEG_DATA && head.start < head.end));
    return plausible ? KL_SEG_WRITTEN : KL_SEG_DAMAGED;
}

u32 kl_seg_head_crc(const u8 bytes[KL_SEG_HEAD])
{
    return kl_crc32c(0, kl_span_of(bytes, HEAD_CHECKED));
}

void kl_seg_head_put(u8 out[KL_SEG_HEAD], const kl_seg_head *head, const kl_span *parts,
                     usize part_count)
{
    out[0] = head->kind;
    kl_store_be32(out + 1, head->len);
    kl_store_be64(out + 5, head->seq);
    kl_store_be64(out + 13, head->synced);
    u32 crc = kl_seg_head_crc(out);
    for (usize i = 0; i < part_count; i++)
        crc = kl_crc32c(crc, parts[i]);
    kl_store_be32(out + HEAD_CHECKED, crc);
}

kl_seg_head kl_seg_head_get(const u8 bytes[KL_SEG_HEAD])
{
    return (kl_seg_head){
        .kind = bytes[0],
        .len = kl_load_be32(bytes + 1),
        .seq = kl_load_be64(bytes + 5),
        .synced = kl_load_be64(bytes + 13),
        .crc = kl_load_be32(bytes + HEAD_CHECKED),
    };
}

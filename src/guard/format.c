/* Reading is writing backwards: what was read is written again and compared, so a sector has one
 * meaning, and every bit of it is judged. */
#include "crypto/digest.h"
#include "guard/format_priv.h"

static const u8 magic[8] = {'K', 'L', 'S', 'I', 'G', 'N', 'G', 'D'};

enum { CHECKSUM_AT = 8 }; /* behind what tells header from record */

static void seal(u8 sector[GUARD_SECTOR])
{
    kl_store_be32(sector + CHECKSUM_AT, kl_crc32c(0, kl_span_of(sector, GUARD_SECTOR)));
}

void guard_put_header(u8 out[GUARD_SECTOR], const guard_header *h)
{
    memset(out, 0, GUARD_SECTOR);
    kl_out to = kl_out_of(out, GUARD_SECTOR);
    kl_out_bytes(&to, magic, sizeof magic);
    kl_out_be32(&to, 0); /* the checksum */
    kl_out_be32(&to, GUARD_VERSION);
    kl_out_be32(&to, h->room);
    kl_out_be64(&to, h->floor.epoch);
    kl_out_be64(&to, h->floor.view);
    kl_out_be64(&to, h->owner.domain.chain_id);
    kl_out_span(&to, kl_hash_span(&h->owner.domain.genesis_hash));
    kl_out_u8(&to, h->owner.scheme->id);
    kl_out_bytes(&to, h->owner.key, h->owner.scheme->key_len);
    KL_ASSERT(!to.full);
    seal(out);
}

void guard_put_record(u8 out[GUARD_SECTOR], const guard_record *r, const kl_guard_owner *owner)
{
    u8 preimage[KL_VOTE_PREIMAGE_LEN];
    memset(out, 0, GUARD_SECTOR);
    kl_vote_preimage(preimage, &owner->domain, owner->scheme->id, &r->subject);
    kl_out to = kl_out_of(out, GUARD_SECTOR);
    kl_out_span(&to, KL_SPAN_TEXT("KLSIGNED"));
    kl_out_be32(&to, 0);
    kl_out_be64(&to, r->number);
    kl_out_be64(&to, r->durable);
    kl_out_span(&to, KL_SPAN_OF(preimage));
    KL_ASSERT(!to.full);
    seal(out);
}

/* Tells a sound header of somebody else from a damaged one. */
static bool sealed(const u8 in[GUARD_SECTOR])
{
    u8 copy[GUARD_SECTOR];
    memcpy(copy, in, GUARD_SECTOR);
    kl_store_be32(copy + CHECKSUM_AT, 0);
    seal(copy);
    return memcmp(copy, in, GUARD_SECTOR) == 0;
}

kl_rule guard_get_header(guard_header *out, const u8 in[GUARD_SECTOR], const kl_guard_owner *owner)
{
    if (!sealed(in) || memcmp(in, magic, sizeof magic) != 0 ||
        kl_load_be32(in + 12) != GUARD_VERSION)
        return KL_RULE_GUARD_DAMAGED;
    u8 again[GUARD_SECTOR];
    guard_header h = {.owner = *owner,
                      .room = kl_load_be32(in + 16),
                      .floor = {kl_load_be64(in + 20), kl_load_be64(in + 28)}};
    if (h.room < KL_GUARD_ROOM_MIN || h.room > KL_GUARD_ROOM_MAX)
        return KL_RULE_GUARD_DAMAGED;
    guard_put_header(again, &h);
    if (memcmp(again, in, GUARD_SECTOR) != 0)
        return KL_RULE_GUARD_FOREIGN;
    *out = h;
    return KL_RULE_NONE;
}

/* Of a turn epoch and view alone count. */
static bool is_turn(const kl_proposal *p)
{
    const kl_proposal plain = {.epoch = p->epoch, .view = p->view};
    return kl_proposal_eq(p, &plain);
}

kl_rule guard_get_record(guard_record *out, const u8 in[GUARD_SECTOR], const kl_guard_owner *owner)
{
    enum { SUBJECT_AT = 28 + 11 + 1 + 8 + 32 }; /* behind the preimage's text, scheme and domain */
    const u8 *p = in + SUBJECT_AT;
    u8 again[GUARD_SECTOR];
    guard_record r = {.number = kl_load_be64(in + 12), .durable = kl_load_be64(in + 20)};
    if (*p < KL_VOTE_NOTARIZE || *p > GUARD_TURN)
        return KL_RULE_GUARD_DAMAGED;
    r.subject.kind = (kl_vote_kind)*p;
    kl_proposal *proposal = &r.subject.proposal;
    proposal->epoch = kl_load_be64(p + 1);
    proposal->view = kl_load_be64(p + 9);
    proposal->parent_view = kl_load_be64(p + 17);
    proposal->height = kl_load_be64(p + 25);
    memcpy(proposal->parent_hash.b, p + 33, 32);
    memcpy(proposal->block_hash.b, p + 65, 32);
    if (r.subject.kind == GUARD_TURN && !is_turn(proposal))
        return KL_RULE_GUARD_DAMAGED;
    guard_put_record(again, &r, owner);
    if (memcmp(again, in, GUARD_SECTOR) != 0)
        return KL_RULE_GUARD_DAMAGED;
    *out = r;
    return KL_RULE_NONE;
}

bool guard_sector_unwritten(const u8 in[GUARD_SECTOR])
{
    static const u8 zeros[GUARD_SECTOR];
    return memcmp(in, zeros, GUARD_SECTOR) == 0;
}

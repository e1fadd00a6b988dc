#include <stdlib.h>

#include "txpool/pool_priv.h"
#include "types/intrinsic.h"

/* Room for the copies a transaction needs, in the order they are made. */
static usize room_len(const kl_tx *tx)
{
    usize len = tx->access_count * sizeof(kl_access) + tx->blob_count * sizeof(kl_hash) +
                tx->authorization_count * sizeof(kl_authorization) + tx->raw.len;
    for (usize i = 0; i < tx->access_count; i++)
        len += tx->access_list[i].slot_count * sizeof(kl_hash);
    return len;
}

/* Copies bytes behind *at and moves on; the types with stricter alignment are copied first. */
static void *copy(u8 **at, const void *bytes, usize len)
{
    u8 *to = *at;
    if (len)
        memcpy(to, bytes, len);
    *at += len;
    return to;
}

static void copy_fields(struct entry *entry, const kl_tx *from)
{
    kl_tx *tx = &entry->pub.tx;
    u8 *at = entry->room;
    *tx = *from;
    kl_access *list = copy(&at, from->access_list, from->access_count * sizeof(kl_access));
    tx->access_list = list;
    tx->authorizations =
        copy(&at, from->authorizations, from->authorization_count * sizeof(kl_authorization));
    tx->blob_hashes = copy(&at, from->blob_hashes, from->blob_count * sizeof(kl_hash));
    for (usize i = 0; i < from->access_count; i++)
        list[i].slots = copy(&at, list[i].slots, list[i].slot_count * sizeof(kl_hash));
    tx->raw = kl_span_of(copy(&at, from->raw.p, from->raw.len), from->raw.len);
    /* the data is a part of the envelope */
    usize offset = from->data.len ? (usize)(from->data.p - from->raw.p) : 0;
    KL_ASSERT(offset + from->data.len <= from->raw.len);
    tx->data = kl_span_of(tx->raw.p + offset, from->data.len);
}

kl_status kl_entry_new(struct entry **out, const kl_tx *tx, bool local, u64 arrival)
{
    KL_ASSERT(tx->has_sender);
    _Static_assert(sizeof(struct entry) % _Alignof(kl_authorization) == 0, "room is aligned");
    struct entry *entry = malloc(sizeof *entry + room_len(tx));
    if (!entry)
        return KL_NOMEM;
    kl_refs_init(&entry->refs);
    copy_fields(entry, tx);
    entry->pub.arrival = arrival;
    entry->pub.local = local;
    KL_ASSERT(kl_tx_cost(&entry->cost, tx)); /* has been judged */
    *out = entry;
    return KL_OK;
}

void kl_entry_unref(struct entry *entry)
{
    if (entry && kl_refs_drop(&entry->refs))
        free(entry);
}

const kl_pool_tx *kl_pool_tx_ref(const kl_pool_tx *tx)
{
    kl_refs_add(&kl_entry_of(tx)->refs);
    return tx;
}

void kl_pool_tx_unref(const kl_pool_tx *tx)
{
    if (tx)
        kl_entry_unref(kl_entry_of(tx));
}

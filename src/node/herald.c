/* A table of the set's keys, searched from end to end: a set changes with an epoch, and what is
 * heard costs a signature's check anyway. */
#include "node/herald.h"

#include <stdlib.h>

#include "codec/rlp.h"

struct entry {
    u8 key[KL_VOTE_KEY_MAX];
    bool known;
    kl_peer_id peer;
    u64 seq;
    usize sentry_count;
    kl_multiaddr sentries[KL_RECORD_ADDRS_MAX];
    usize len;
    u8 bytes[KL_HERALD_MAX];
};

struct kl_herald {
    kl_vote_domain domain;
    const kl_vote_scheme *scheme;
    u32 key_count, count;
    struct entry *entries[KL_VALIDATORS_MAX];
    u32 known[KL_VALIDATORS_MAX]; /* places of those that were heard */
};

kl_status kl_herald_new(struct kl_herald **out, const kl_vote_domain *domain)
{
    struct kl_herald *h = calloc(1, sizeof *h);
    if (!h)
        return KL_NOMEM;
    h->domain = *domain;
    *out = h;
    return KL_OK;
}

void kl_herald_free(struct kl_herald *h)
{
    if (!h)
        return;
    for (u32 i = 0; i < h->key_count; i++)
        free(h->entries[i]);
    free(h);
}

static struct entry *entry_of(const struct kl_herald *h, const u8 *key)
{
    for (u32 i = 0; i < h->key_count; i++)
        if (memcmp(h->entries[i]->key, key, h->scheme->key_len) == 0)
            return h->entries[i];
    return NULL;
}

static void list_known(struct kl_herald *h)
{
    h->count = 0;
    for (u32 i = 0; i < h->key_count; i++)
        if (h->entries[i]->known)
            h->known[h->count++] = i;
}

static void add_keys(struct kl_herald *h, const kl_valset *set)
{
    for (u32 i = 0; i < set->count; i++) {
        const u8 *key = set->validators[i].key;
        if (entry_of(h, key))
            continue;
        struct entry *e = calloc(1, sizeof *e);
        if (!e)
            return; /* not known where it is until the next set */
        memcpy(e->key, key, set->scheme->key_len);
        h->entries[h->key_count++] = e;
    }
}

void kl_herald_set_validators(struct kl_herald *h, const kl_valset *set)
{
    u32 kept = 0, place;
    bool same_scheme = h->scheme == set->scheme;
    for (u32 i = 0; i < h->key_count; i++) {
        struct entry *e = h->entries[i];
        if (same_scheme && kl_valset_find(set, e->key, &place))
            h->entries[kept++] = e;
        else
            free(e);
    }
    h->key_count = kept;
    h->scheme = set->scheme;
    add_keys(h, set);
    list_known(h);
}

struct parts {
    u8 key[KL_VOTE_KEY_MAX], proof[KL_VOTE_SIGNATURE_MAX];
    kl_span envelope;
};

static kl_rule read_parts(struct parts *out, kl_span bytes, const kl_vote_scheme *scheme)
{
    kl_rlp items;
    if (bytes.len == 0 || bytes.len > KL_HERALD_MAX || bytes.p[0] != KL_HERALD_KIND)
        return KL_RULE_ANNOUNCE_FORM;
    KL_JUDGE(kl_rlp_open(&items, kl_span_sub(bytes, 1, bytes.len - 1)));
    KL_JUDGE(kl_rlp_fixed(&items, out->key, scheme->key_len));
    KL_JUDGE(kl_rlp_fixed(&items, out->proof, scheme->signature_len));
    KL_JUDGE(kl_rlp_bytes(&items, &out->envelope));
    KL_JUDGE(kl_rlp_close(&items));
    return out->envelope.len <= KL_HERALD_RECORD_MAX ? KL_RULE_NONE : KL_RULE_ANNOUNCE_FORM;
}

static void keep(struct kl_herald *h, struct entry *e, kl_span bytes, const kl_peer_record *record)
{
    e->known = true;
    e->peer = record->peer;
    e->seq = record->seq;
    e->sentry_count = kl_herald_sentries_in(record, e->sentries);
    e->len = bytes.len;
    memcpy(e->bytes, bytes.p, bytes.len);
    list_known(h);
}

kl_herald_news kl_herald_hear(struct kl_herald *h, kl_span bytes, kl_peer_record *record,
                              kl_rule *broken)
{
    struct parts parts;
    kl_peer_record said;
    if (!h->scheme)
        return KL_HERALD_ALIEN;
    *broken = read_parts(&parts, bytes, h->scheme);
    if (*broken != KL_RULE_NONE)
        return KL_HERALD_FALSE;
    struct entry *e = entry_of(h, parts.key);
    if (!e)
        return KL_HERALD_ALIEN;
    if (e->known && kl_span_eq(bytes, kl_span_of(e->bytes, e->len)))
        return KL_HERALD_OLD;
    *broken = kl_peer_record_open(&said, parts.envelope);
    if (*broken == KL_RULE_NONE && e->known && said.seq <= e->seq)
        return KL_HERALD_OLD; /* whoever repeats it is not to cost us a proof */
    if (*broken == KL_RULE_NONE && !kl_peer_proof_verify(parts.proof, h->scheme, parts.key,
                                                         &h->domain, said.peer.key, said.seq))
        *broken = KL_RULE_ANNOUNCE_PROOF;
    if (*broken != KL_RULE_NONE)
        return KL_HERALD_FALSE;
    keep(h, e, bytes, &said);
    *record = said;
    return KL_HERALD_NEW;
}

u32 kl_herald_count(const struct kl_herald *h)
{
    return h->count;
}

kl_span kl_herald_at(const struct kl_herald *h, u32 index, kl_peer_id *peer)
{
    KL_ASSERT(index < h->count);
    const struct entry *e = h->entries[h->known[index]];
    *peer = e->peer;
    return kl_span_of(e->bytes, e->len);
}

usize kl_herald_sentries_in(const kl_peer_record *record, kl_multiaddr out[KL_RECORD_ADDRS_MAX])
{
    usize count = 0;
    for (usize i = 0; i < record->count; i++)
        if (record->addrs[i].has_peer && !kl_peer_id_eq(&record->addrs[i].peer, &record->peer))
            out[count++] = record->addrs[i];
    return count;
}

usize kl_herald_sentries(const struct kl_herald *h, u32 index,
                         kl_multiaddr out[KL_RECORD_ADDRS_MAX])
{
    KL_ASSERT(index < h->count);
    const struct entry *e = h->entries[h->known[index]];
    if (e->sentry_count)
        memcpy(out, e->sentries, e->sentry_count * sizeof *out);
    return e->sentry_count;
}

static bool is_met_at(const struct entry *e, const kl_peer_id *peer)
{
    for (usize i = 0; i < e->sentry_count; i++)
        if (kl_peer_id_eq(&e->sentries[i].peer, peer))
            return true;
    return !e->sentry_count && kl_peer_id_eq(&e->peer, peer);
}

bool kl_herald_find(const struct kl_herald *h, const kl_peer_id *peer)
{
    for (u32 i = 0; i < h->count; i++)
        if (is_met_at(h->entries[h->known[i]], peer))
            return true;
    return false;
}

bool kl_herald_of_key(const struct kl_herald *h, const u8 *key, u32 *index)
{
    const struct entry *e = entry_of(h, key);
    for (u32 i = 0; e && i < h->count; i++)
        if (h->entries[h->known[i]] == e) {
            *index = i;
            return true;
        }
    return false;
}

kl_span kl_herald_of(const struct kl_herald *h, const kl_peer_id *peer)
{
    for (u32 i = 0; i < h->count; i++) {
        const struct entry *e = h->entries[h->known[i]];
        if (kl_peer_id_eq(&e->peer, peer))
            return kl_span_of(e->bytes, e->len);
    }
    return KL_SPAN_NONE;
}

bool kl_herald_put(struct kl_buf *buf, const kl_peer_record *record, const kl_secret32 *identity,
                   const kl_vote_scheme *scheme, const kl_secret32 *vote_secret,
                   const kl_vote_domain *domain)
{
    u8 key[KL_VOTE_KEY_MAX], proof[KL_VOTE_SIGNATURE_MAX], room[KL_HERALD_MAX];
    u8 envelope_room[KL_RECORD_MAX];
    kl_out envelope = kl_out_of(envelope_room, sizeof envelope_room);
    kl_peer_record_seal(&envelope, record, identity);
    if (envelope.full || envelope.len > KL_HERALD_RECORD_MAX ||
        !scheme->public_key(key, vote_secret) ||
        !kl_peer_proof_sign(proof, scheme, vote_secret, domain, record->peer.key, record->seq))
        return false;
    kl_out out = kl_out_of(room, sizeof room);
    kl_out_u8(&out, KL_HERALD_KIND);
    kl_rlp_mark list = kl_rlp_put_begin(&out);
    kl_rlp_put_bytes(&out, kl_span_of(key, scheme->key_len));
    kl_rlp_put_bytes(&out, kl_span_of(proof, scheme->signature_len));
    kl_rlp_put_bytes(&out, kl_out_done(&envelope));
    kl_rlp_put_end(&out, list);
    KL_ASSERT(!out.full);
    kl_buf_span(buf, kl_out_done(&out));
    return !buf->failed;
}

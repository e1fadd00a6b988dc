/* Leaves come in order of their keys, so a node is final as soon as the last leaf lies beyond it:
 * it is then compared with what is stored and forgotten.  Only the nodes on the way to the last
 * leaf, the edge, one for each length of path at most, must be kept for the next batch to build on.
 */
#include "state/scrub_priv.h"

#include <stdlib.h>

#include "crypto/keccak.h"
#include "state/format_priv.h"
#include "trie/trie.h"

/* What a batch changed, until all of it is known. */
struct emitted {
    struct emitted *next;
    kl_span path, node;
};

struct sink {
    struct kl_trie_sink sink;
    struct kl_arena *arena;
    struct emitted *first;
};

static u8 nibble(const kl_hash *key, usize i)
{
    return i % 2 ? key->b[i / 2] & 15 : key->b[i / 2] >> 4;
}

static bool leads_to(kl_span path, const kl_hash *key)
{
    for (usize i = 0; i < path.len; i++)
        if (path.p[i] != nibble(key, i))
            return false;
    return true;
}

static usize common(const kl_hash *a, const kl_hash *b)
{
    usize i = 0;
    while (i < 64 && nibble(a, i) == nibble(b, i))
        i++;
    return i;
}

static const kl_hash *owner_of(const struct kl_scrub_trie *t)
{
    return t->has_owner ? &t->owner : NULL;
}

static kl_status source_node(struct kl_trie_source *source, const kl_hash *owner, kl_span path,
                             kl_span *out)
{
    (void)owner;
    struct kl_scrub_trie *t = (struct kl_scrub_trie *)source;
    const kl_scrub_edge *edge = &t->edge[path.len];
    if (!edge->present || !leads_to(path, &t->last))
        return KL_NOTFOUND;
    *out = kl_span_of(edge->node, edge->len);
    return KL_OK;
}

static kl_status leaf_rlp(struct kl_scrub_trie *t, const kl_hash *key, kl_out *rlp)
{
    kl_span value;
    if (t->has_owner) {
        kl_slot_key slot = {t->owner, *key};
        KL_TRY(kl_kv_get(t->read, KL_TABLE_SLOT, kl_slot_key_span(&slot), &value));
        kl_u256 checked;
        KL_TRY(kl_slot_unpack(&checked, value));
        u8 room[KL_SLOT_RLP_MAX];
        kl_out_span(rlp, kl_slot_rlp(room, value));
        return KL_OK;
    }
    kl_account account;
    KL_TRY(kl_kv_get(t->read, KL_TABLE_ACCOUNT, kl_hash_span(key), &value));
    KL_TRY(kl_account_unpack(&account, value));
    kl_account_encode(rlp, &account);
    return KL_OK;
}

static kl_status source_leaf(struct kl_trie_source *source, const kl_hash *owner,
                             const kl_hash *key, kl_span *out)
{
    (void)owner;
    struct kl_scrub_trie *t = (struct kl_scrub_trie *)source;
    u8 *room = KL_TAKE(&t->arena, u8, KL_ACCOUNT_RLP_MAX);
    if (!room)
        return KL_NOMEM;
    kl_out rlp = kl_out_of(room, KL_ACCOUNT_RLP_MAX);
    KL_TRY(leaf_rlp(t, key, &rlp));
    *out = kl_out_done(&rlp);
    return KL_OK;
}

static kl_status sink_node(struct kl_trie_sink *sink, const kl_hash *owner, kl_span path,
                           kl_span node)
{
    (void)owner;
    struct sink *s = (struct sink *)sink;
    struct emitted *e = KL_TAKE(s->arena, struct emitted, 1);
    if (!e)
        return KL_NOMEM;
    *e = (struct emitted){
        .next = s->first,
        .path = kl_arena_copy(s->arena, path),
        .node = kl_arena_copy(s->arena, node),
    };
    if (!e->path.p || !e->node.p)
        return KL_NOMEM;
    s->first = e;
    return KL_OK;
}

struct kl_scrub_trie *kl_scrub_trie_new(struct kl_kv_read *read)
{
    struct kl_scrub_trie *t = calloc(1, sizeof *t);
    if (!t)
        return NULL;
    t->source = (struct kl_trie_source){.node = source_node, .leaf = source_leaf};
    t->read = read;
    kl_arena_init(&t->arena, (usize)1 << 30);
    return t;
}

void kl_scrub_trie_free(struct kl_scrub_trie *trie)
{
    if (!trie)
        return;
    kl_arena_done(&trie->arena);
    free(trie);
}

static void begin_batch(struct kl_scrub_trie *t)
{
    kl_arena_reset(&t->arena, SIZE_MAX);
    t->changes = NULL;
    t->count = 0;
}

void kl_scrub_trie_begin(struct kl_scrub_trie *trie, const kl_hash *owner)
{
    trie->has_owner = owner != NULL;
    if (owner)
        trie->owner = *owner;
    trie->begun = false;
    trie->root = kl_keccak_empty_rlp;
    trie->nodes = 0;
    for (usize i = 0; i < KL_SCRUB_PATHS; i++)
        trie->edge[i].present = false;
    begin_batch(trie);
}

/* Compares a final node with the stored one. */
static kl_status compare(struct kl_scrub_trie *t, kl_span path, kl_span node,
                         kl_state_damage *damage)
{
    u8 room[KL_NODE_KEY_MAX];
    kl_span key = kl_node_key(room, owner_of(t), path), stored;
    kl_status status = kl_kv_get(t->read, KL_TABLE_NODE, key, &stored);
    t->nodes++;
    if (status == KL_OK && kl_span_eq(stored, node))
        return KL_OK;
    if (status != KL_OK && status != KL_NOTFOUND && status != KL_CORRUPT)
        return status;
    *damage = (kl_state_damage){
        .table = KL_TABLE_NODE,
        .key_len = key.len,
        .what = status == KL_OK         ? "a trie node is not what the leaves make it"
                : status == KL_NOTFOUND ? "a trie node is missing"
                                        : "checksum",
    };
    memcpy(damage->key, key.p, key.len);
    return KL_CORRUPT;
}

/* Compares the nodes of the edge with paths longer than `kept`, which no later leaf can reach. */
static kl_status leave_edge(struct kl_scrub_trie *t, usize kept, kl_state_damage *damage)
{
    u8 path[64];
    for (usize i = 0; i < sizeof path; i++)
        path[i] = nibble(&t->last, i);
    for (usize len = kept; len < KL_SCRUB_PATHS; len++) {
        kl_scrub_edge *edge = &t->edge[len];
        if (edge->present)
            KL_TRY(compare(t, kl_span_of(path, len), kl_span_of(edge->node, edge->len), damage));
        edge->present = false;
    }
    return KL_OK;
}

static kl_status take_emitted(struct kl_scrub_trie *t, const struct emitted *first,
                              const kl_hash *last, kl_state_damage *damage)
{
    for (const struct emitted *e = first; e && t->begun; e = e->next)
        if (leads_to(e->path, &t->last))
            t->edge[e->path.len].present = false;
    if (t->begun)
        KL_TRY(leave_edge(t, common(&t->last, last) + 1, damage));
    for (const struct emitted *e = first; e; e = e->next) {
        if (e->node.len == 0)
            continue;
        if (!leads_to(e->path, last)) {
            KL_TRY(compare(t, e->path, e->node, damage));
            continue;
        }
        KL_ASSERT(e->node.len <= KL_SCRUB_NODE_MAX);
        kl_scrub_edge *edge = &t->edge[e->path.len];
        edge->present = true;
        edge->len = e->node.len;
        memcpy(edge->node, e->node.p, e->node.len);
    }
    t->last = *last;
    t->begun = true;
    return KL_OK;
}

static kl_status apply_batch(struct kl_scrub_trie *t, kl_state_damage *damage)
{
    if (t->count == 0)
        return KL_OK;
    kl_trie_update update = {
        .owner = owner_of(t),
        .fresh = !t->begun,
        .changes = t->changes,
        .count = t->count,
    };
    struct sink sink = {.sink.node = sink_node, .arena = &t->arena};
    KL_TRY(kl_trie_apply(&update, 1, &t->source, &sink.sink, &t->arena, NULL));
    t->root = update.root;
    kl_hash last = t->changes[t->count - 1].key;
    KL_TRY(take_emitted(t, sink.first, &last, damage));
    begin_batch(t);
    return KL_OK;
}

kl_status kl_scrub_trie_add(struct kl_scrub_trie *trie, const kl_hash *key, kl_span value,
                            kl_state_damage *damage)
{
    if (trie->count == KL_SCRUB_BATCH)
        KL_TRY(apply_batch(trie, damage));
    if (trie->count == 0) {
        trie->changes = KL_TAKE(&trie->arena, kl_trie_change, KL_SCRUB_BATCH);
        if (!trie->changes)
            return KL_NOMEM;
    }
    kl_span copy = kl_arena_copy(&trie->arena, value);
    if (!copy.p)
        return KL_NOMEM;
    trie->changes[trie->count++] = (kl_trie_change){*key, copy};
    return KL_OK;
}

kl_status kl_scrub_trie_end(struct kl_scrub_trie *trie, kl_state_damage *damage)
{
    KL_TRY(apply_batch(trie, damage));
    return trie->begun ? leave_edge(trie, 0, damage) : KL_OK;
}

#include "sync/statesync_rig.h"

#include <stdlib.h>

#include "codec/rlp.h"
#include "crypto/keccak.h"

struct statesync_node {
    struct statesync_node *next;
    bool has_owner;
    kl_hash owner;
    kl_span path, node;
};

static statesync_world *world_of(struct kl_trie_source *source)
{
    return (statesync_world *)source;
}

static bool is_of(bool has_owner, const kl_hash *a, const kl_hash *b)
{
    return has_owner == (b != NULL) && (!b || kl_hash_eq(a, b));
}

static kl_status source_node(struct kl_trie_source *source, const kl_hash *owner, kl_span path,
                             kl_span *out)
{
    for (struct statesync_node *n = world_of(source)->nodes; n; n = n->next) {
        if (!is_of(n->has_owner, &n->owner, owner) || !kl_span_eq(n->path, path))
            continue;
        *out = n->node;
        return KL_OK;
    }
    return KL_NOTFOUND;
}

static kl_status source_leaf(struct kl_trie_source *source, const kl_hash *owner,
                             const kl_hash *key, kl_span *out)
{
    statesync_world *w = world_of(source);
    for (usize i = 0; i < w->count; i++) {
        statesync_account *a = &w->accounts[i];
        if (!owner && kl_hash_eq(&a->key, key)) {
            *out = w->leaves[i].value;
            return KL_OK;
        }
        for (usize s = 0; owner && kl_hash_eq(&a->key, owner) && s < a->slot_count; s++)
            if (kl_hash_eq(&a->slots[s].key, key)) {
                *out = a->slots[s].value;
                return KL_OK;
            }
    }
    return KL_NOTFOUND;
}

static kl_status sink_node(struct kl_trie_sink *sink, const kl_hash *owner, kl_span path,
                           kl_span node)
{
    statesync_world *w = (statesync_world *)((char *)sink - offsetof(statesync_world, sink));
    struct statesync_node *n = KL_ZERO(w->arena, struct statesync_node, 1);
    KL_ASSERT(n);
    n->next = w->nodes;
    n->has_owner = owner != NULL;
    if (owner)
        n->owner = *owner;
    n->path = kl_arena_copy(w->arena, path);
    n->node = kl_arena_copy(w->arena, node);
    w->nodes = n;
    return KL_OK;
}

static kl_hash store_trie(statesync_world *w, const kl_hash *owner, const kl_trie_change *leaves,
                          usize count)
{
    kl_trie_update update = {.owner = owner, .fresh = true, .changes = leaves, .count = count};
    struct kl_arena scratch;
    kl_arena_init(&scratch, 1 << 24);
    KL_ASSERT(kl_trie_apply(&update, 1, &w->source, &w->sink, &scratch, NULL) == KL_OK);
    kl_arena_done(&scratch);
    return update.root;
}

static int by_key(const void *a, const void *b)
{
    return memcmp(a, b, sizeof(kl_hash)); /* keys stand first */
}

static kl_span code_of(usize n)
{
    static u8 codes[STATESYNC_CODES][40];
    memset(codes[n], (int)n + 1, sizeof codes[n]);
    return KL_SPAN_OF(codes[n]);
}

static void make_slots(statesync_world *w, statesync_account *a, usize count, u64 *seed)
{
    a->slot_count = count;
    for (usize i = 0; i < a->slot_count; i++) {
        u8 room[33];
        kl_out out = kl_out_of(room, sizeof room);
        kl_rand_fill(seed, a->slots[i].key.b, sizeof a->slots[i].key.b);
        kl_rlp_put_u64(&out, 1 + kl_rand_below(seed, 1000));
        a->slots[i].value = kl_arena_copy(w->arena, kl_out_done(&out));
    }
    qsort(a->slots, a->slot_count, sizeof a->slots[0], by_key);
}

static void make_account(statesync_world *w, statesync_account *a, u64 *seed)
{
    a->code = kl_rand_below(seed, 3) ? STATESYNC_CODES : kl_rand_below(seed, STATESYNC_CODES);
    a->value = kl_account_none();
    a->value.nonce = 1 + kl_rand_below(seed, 99);
    if (a->code < STATESYNC_CODES)
        a->value.code_hash = kl_keccak256(code_of(a->code));
    make_slots(w, a, kl_rand_below(seed, 4) ? 0 : kl_rand_below(seed, STATESYNC_SLOTS_MAX), seed);
}

static void seal(statesync_world *w)
{
    qsort(w->accounts, w->count, sizeof w->accounts[0], by_key);
    for (usize i = 0; i < w->count; i++) {
        statesync_account *a = &w->accounts[i];
        u8 room[KL_ACCOUNT_RLP_MAX];
        kl_out out = kl_out_of(room, sizeof room);
        a->value.storage_root = store_trie(w, &a->key, a->slots, a->slot_count);
        kl_account_encode(&out, &a->value);
        w->leaves[i] = (kl_trie_change){a->key, kl_arena_copy(w->arena, kl_out_done(&out))};
    }
    w->root = store_trie(w, NULL, w->leaves, w->count);
}

static void begin(statesync_world *w, u64 height, struct kl_arena *arena)
{
    w->source = (struct kl_trie_source){.node = source_node, .leaf = source_leaf};
    w->sink = (struct kl_trie_sink){.node = sink_node};
    w->arena = arena;
    w->height = height;
    w->count = 0;
    w->nodes = NULL;
}

void statesync_world_make(statesync_world *w, u64 height, struct kl_arena *arena, u64 *seed)
{
    begin(w, height, arena);
    w->count = 1 + kl_rand_below(seed, STATESYNC_ACCOUNTS_MAX - 1);
    for (usize i = 0; i < w->count; i++) {
        kl_rand_fill(seed, w->accounts[i].key.b, sizeof w->accounts[i].key.b);
        make_account(w, &w->accounts[i], seed);
    }
    seal(w);
}

void statesync_world_large(statesync_world *w, u64 height, struct kl_arena *arena, u64 *seed)
{
    statesync_account *a = &w->accounts[0];
    begin(w, height, arena);
    w->count = 1;
    kl_rand_fill(seed, a->key.b, sizeof a->key.b);
    a->code = STATESYNC_CODES;
    a->value = kl_account_none();
    make_slots(w, a, STATESYNC_SLOTS_LARGE, seed);
    seal(w);
}

void statesync_world_later(statesync_world *w, const statesync_world *before, u64 height, u64 *seed)
{
    begin(w, height, before->arena);
    for (usize i = 0; i < before->count; i++) {
        u64 what = kl_rand_below(seed, 8);
        if (what == 0 && (w->count || i + 1 < before->count))
            continue; /* gone */
        statesync_account *a = &w->accounts[w->count++];
        *a = before->accounts[i];
        if (what == 1)
            make_account(w, a, seed);
        if (what == 2) /* another one */
            kl_rand_fill(seed, a->key.b, sizeof a->key.b);
    }
    seal(w);
}

kl_message statesync_answer(statesync_world *w, const kl_statesync_effect *ask)
{
    if (ask->kind == KL_STATESYNC_ASK_CODE) {
        kl_message m = {.kind = KL_MESSAGE_CODE};
        for (usize i = 0; i < STATESYNC_CODES; i++) {
            kl_hash hash = kl_keccak256(code_of(i));
            if (kl_hash_eq(&hash, &ask->owner))
                m.body = code_of(i);
        }
        return m;
    }
    kl_trie_range range = {0};
    kl_message m = {.kind = KL_MESSAGE_STATE,
                    .from = ask->height,
                    .has_owner = ask->has_owner,
                    .hash = ask->owner,
                    .first = ask->first};
    if (ask->height == w->height)
        KL_ASSERT(kl_trie_prove_range(&range, ask->has_owner ? &ask->owner : NULL, &ask->first,
                                      STATESYNC_LEAVES, SIZE_MAX, &w->source, w->arena) == KL_OK);
    m.leaves = range.leaves;
    m.leaf_count = range.count;
    m.nodes = range.nodes;
    m.node_count = range.node_count;
    return m;
}

/* --- what was laid --- */

static bool lies_in(const statesync_leaf *leaf, const kl_hash *owner, const kl_hash *first,
                    const kl_hash *last)
{
    return is_of(leaf->has_owner, &leaf->owner, owner) &&
           (!first || memcmp(leaf->key.b, first->b, sizeof first->b) >= 0) &&
           (!last || memcmp(leaf->key.b, last->b, sizeof last->b) <= 0);
}

static void take_out(statesync_flat *flat, const kl_hash *owner, const kl_hash *first,
                     const kl_hash *last)
{
    usize count = 0;
    for (usize i = 0; i < flat->count; i++)
        if (!lies_in(&flat->leaves[i], owner, first, last))
            flat->leaves[count++] = flat->leaves[i];
    flat->count = count;
}

static int by_place(const void *a, const void *b)
{
    const statesync_leaf *x = a, *y = b;
    if (x->has_owner != y->has_owner)
        return x->has_owner ? 1 : -1;
    int order = x->has_owner ? memcmp(x->owner.b, y->owner.b, sizeof x->owner.b) : 0;
    return order ? order : memcmp(x->key.b, y->key.b, sizeof x->key.b);
}

static bool has_account(const statesync_flat *flat, const kl_hash *key)
{
    for (usize i = 0; i < flat->count; i++)
        if (lies_in(&flat->leaves[i], NULL, key, key))
            return true;
    return false;
}

/* Storage of accounts that are not there any more goes. */
static void drop_orphans(statesync_flat *flat)
{
    usize count = 0;
    for (usize i = 0; i < flat->count; i++)
        if (!flat->leaves[i].has_owner || has_account(flat, &flat->leaves[i].owner))
            flat->leaves[count++] = flat->leaves[i];
    flat->count = count;
}

void statesync_lay(statesync_flat *flat, const kl_statesync_effect *e, const kl_message *m)
{
    for (usize i = 0; i < STATESYNC_CODES && e->kind == KL_STATESYNC_LAY_CODE; i++) {
        kl_hash hash = kl_keccak256(m->body);
        KL_ASSERT(kl_hash_eq(&hash, &e->owner));
        flat->codes[i] |= kl_span_eq(m->body, code_of(i));
    }
    if (e->kind == KL_STATESYNC_LAY_CODE)
        return;
    take_out(flat, e->has_owner ? &e->owner : NULL, &e->first, &e->last);
    for (usize i = 0; i < e->count; i++) {
        KL_ASSERT(flat->count < STATESYNC_FLAT_MAX);
        statesync_leaf *leaf = &flat->leaves[flat->count++];
        *leaf =
            (statesync_leaf){.has_owner = e->has_owner, .owner = e->owner, .key = m->leaves[i].key};
        leaf->len = (u8)m->leaves[i].value.len;
        memcpy(leaf->value, m->leaves[i].value.p, leaf->len);
        KL_ASSERT(lies_in(leaf, e->has_owner ? &e->owner : NULL, &e->first, &e->last));
    }
    qsort(flat->leaves, flat->count, sizeof flat->leaves[0], by_place);
    drop_orphans(flat);
}

kl_hash statesync_root(const statesync_flat *flat, const kl_hash *owner, struct kl_arena *arena)
{
    kl_trie_pair *pairs = KL_TAKE(arena, kl_trie_pair, flat->count + 1);
    kl_hash root;
    usize count = 0;
    KL_ASSERT(pairs);
    for (usize i = 0; i < flat->count; i++) {
        const statesync_leaf *leaf = &flat->leaves[i];
        if (lies_in(leaf, owner, NULL, NULL))
            pairs[count++] =
                (kl_trie_pair){kl_hash_span(&leaf->key), kl_span_of(leaf->value, leaf->len)};
    }
    KL_ASSERT(kl_trie_map_root(&root, pairs, count, arena) == KL_OK);
    return root;
}

static bool has_code(const statesync_flat *flat, const kl_hash *hash)
{
    bool has = kl_hash_eq(hash, &kl_keccak_empty);
    for (usize i = 0; i < STATESYNC_CODES; i++) {
        kl_hash of = kl_keccak256(code_of(i));
        has |= flat->codes[i] && kl_hash_eq(hash, &of);
    }
    return has;
}

void statesync_look(statesync_flat *flat, const kl_hash *from, kl_statesync_event *out,
                    kl_statesync_want wants[KL_STATESYNC_WANTS], struct kl_arena *arena)
{
    *out = (kl_statesync_event){.kind = KL_STATESYNC_FOUND, .wants = wants};
    memset(out->last.b, 0xff, sizeof out->last.b);
    for (usize i = 0; i < flat->count && !flat->leaves[i].has_owner; i++) {
        const statesync_leaf *leaf = &flat->leaves[i];
        kl_account account;
        if (memcmp(leaf->key.b, from->b, sizeof from->b) < 0)
            continue;
        KL_ASSERT(kl_account_decode(&account, kl_span_of(leaf->value, leaf->len)) == KL_RULE_NONE);
        kl_hash root = statesync_root(flat, &leaf->key, arena);
        kl_statesync_want w = {.account = leaf->key,
                               .storage_root = account.storage_root,
                               .code_hash = account.code_hash,
                               .storage = !kl_hash_eq(&root, &account.storage_root),
                               .code = !has_code(flat, &account.code_hash)};
        if (w.storage && kl_hash_eq(&w.storage_root, &kl_keccak_empty_rlp)) {
            take_out(flat, &w.account, NULL, NULL);
            w.storage = false;
        }
        if (!w.storage && !w.code)
            continue;
        wants[out->want_count++] = w;
        if (out->want_count == KL_STATESYNC_WANTS) {
            out->last = leaf->key;
            return;
        }
    }
}

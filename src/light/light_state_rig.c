/* The states of the rig: accounts with slots, their stored tries, and proofs. */
#include "codec/rlp.h"
#include "crypto/keccak.h"
#include "light/light_rig_priv.h"

void light_state_make(rig_state *state, struct kl_arena *arena, u64 *seed);
void light_state_done(rig_state *state);

/* A stored node or leaf under owner (zeros for none), how many nibbles its path has (LEAF for a
 * leaf), and 64 nibbles packed. */
enum { LEAF = 0xff, KEY = 32 + 1 + 32 };

struct entry {
    u8 key[KEY];
    kl_span bytes;
};

static void key_of(u8 *key, const kl_hash *owner, kl_span path)
{
    memset(key, 0, KEY);
    if (owner)
        memcpy(key, owner->b, sizeof owner->b);
    key[32] = (u8)path.len;
    for (usize i = 0; i < path.len; i++)
        key[33 + i / 2] |= (u8)(path.p[i] << (i % 2 ? 0 : 4));
}

static void leaf_key(u8 *key, const kl_hash *owner, const kl_hash *leaf)
{
    key_of(key, owner, KL_SPAN_NONE);
    key[32] = LEAF;
    memcpy(key + 33, leaf->b, sizeof leaf->b);
}

static void put(rig_state *state, const u8 *key, kl_span bytes)
{
    struct entry *entry = KL_ZERO(state->arena, struct entry, 1);
    KL_ASSERT(entry);
    memcpy(entry->key, key, KEY);
    entry->bytes = kl_arena_copy(state->arena, bytes);
    KL_ASSERT(entry->bytes.p && kl_map_put(&state->nodes, entry) == KL_OK);
}

static kl_status find(const rig_state *state, const u8 *key, kl_span *out)
{
    const struct entry *entry = kl_map_get(&state->nodes, key);
    if (!entry)
        return KL_NOTFOUND;
    *out = entry->bytes;
    return KL_OK;
}

static kl_status get_node(struct kl_trie_source *source, const kl_hash *owner, kl_span path,
                          kl_span *out)
{
    u8 key[KEY];
    key_of(key, owner, path);
    return find((rig_state *)source, key, out);
}

static kl_status get_leaf(struct kl_trie_source *source, const kl_hash *owner, const kl_hash *leaf,
                          kl_span *out)
{
    u8 key[KEY];
    leaf_key(key, owner, leaf);
    return find((rig_state *)source, key, out);
}

static kl_status put_node(struct kl_trie_sink *sink, const kl_hash *owner, kl_span path,
                          kl_span node)
{
    u8 key[KEY];
    u8 *start = (u8 *)sink - offsetof(rig_state, sink);
    key_of(key, owner, path);
    if (node.len)
        put((rig_state *)(void *)start, key, node);
    return KL_OK;
}

/* The root of a new trie of leaves in any order, none twice. */
static kl_hash build(rig_state *state, const kl_hash *owner, kl_trie_change *leaves, usize count)
{
    for (usize i = 1; i < count; i++)
        for (usize j = i; j > 0; j--) {
            kl_trie_change *a = &leaves[j - 1], *b = &leaves[j], swap = *a;
            if (kl_span_cmp(kl_hash_span(&a->key), kl_hash_span(&b->key)) <= 0)
                break;
            *a = *b;
            *b = swap;
        }
    for (usize i = 0; i < count; i++) {
        u8 key[KEY];
        leaf_key(key, owner, &leaves[i].key);
        put(state, key, leaves[i].value);
    }
    kl_trie_update update = {.owner = owner, .fresh = true, .changes = leaves, .count = count};
    KL_ASSERT(kl_trie_apply(&update, 1, &state->source, &state->sink, state->arena, NULL) == KL_OK);
    return update.root;
}

/* Values differ from slot to slot, so that a value tells its slot. */
static void make_account(rig_state *state, rig_account *a, u64 *seed)
{
    kl_trie_change leaves[RIG_SLOTS];
    kl_rand_fill(seed, a->address.b, sizeof a->address.b);
    a->account = kl_account_none();
    a->account.nonce = 1 + kl_rand_below(seed, 1000);
    a->account.balance = kl_u256_of(kl_rand(seed) >> kl_rand_below(seed, 64));
    if (kl_rand_below(seed, 2))
        kl_rand_fill(seed, a->account.code_hash.b, sizeof a->account.code_hash.b);
    a->slot_count = kl_rand_below(seed, 2) ? kl_rand_below(seed, RIG_SLOTS) : 0;
    kl_hash owner = kl_keccak256(kl_address_span(&a->address));
    for (usize i = 0; i < a->slot_count; i++) {
        u8 key[32] = {0}, value[40];
        if (kl_rand_below(seed, 2))
            kl_rand_fill(seed, key, sizeof key);
        key[31] = (u8)i;
        a->keys[i] = kl_u256_from_be(key);
        u8 wide[32] = {0};
        if (kl_rand_below(seed, 2))
            kl_rand_fill(seed, wide, sizeof wide);
        wide[31] = (u8)(i + 1);
        a->values[i] = kl_u256_from_be(wide);
        kl_out out = kl_out_of(value, sizeof value);
        kl_rlp_put_u256(&out, a->values[i]);
        leaves[i] = (kl_trie_change){kl_keccak256(KL_SPAN_OF(key)),
                                     kl_arena_copy(state->arena, kl_out_done(&out))};
    }
    a->account.storage_root = build(state, &owner, leaves, a->slot_count);
}

void light_state_make(rig_state *state, struct kl_arena *arena, u64 *seed)
{
    kl_trie_change leaves[RIG_ACCOUNTS];
    *state = (rig_state){.source = {get_node, get_leaf}, .sink = {put_node}, .arena = arena};
    kl_map_init(&state->nodes, offsetof(struct entry, key), KEY, 7);
    state->account_count = kl_rand_below(seed, 8) ? kl_rand_below(seed, RIG_ACCOUNTS) : 0;
    for (usize i = 0; i < state->account_count; i++) {
        rig_account *a = &state->accounts[i];
        u8 room[KL_ACCOUNT_RLP_MAX];
        make_account(state, a, seed);
        kl_out out = kl_out_of(room, sizeof room);
        kl_account_encode(&out, &a->account);
        leaves[i] = (kl_trie_change){kl_keccak256(kl_address_span(&a->address)),
                                     kl_arena_copy(arena, kl_out_done(&out))};
    }
    state->root = build(state, NULL, leaves, state->account_count);
}

void light_state_done(rig_state *state)
{
    kl_map_done(&state->nodes);
}

static void prove(light_rig *rig, rig_state *state, const kl_span **nodes, usize *count,
                  const kl_hash *owner, const kl_hash *key)
{
    KL_ASSERT(kl_trie_prove(nodes, count, owner, key, &state->source, &rig->arena) == KL_OK);
}

static void prove_slot(light_rig *rig, rig_state *state, kl_light_slot *slot,
                       const rig_account *account, const kl_hash *owner, u64 *seed)
{
    u8 bytes[32];
    kl_rand_fill(seed, bytes, sizeof bytes);
    *slot = (kl_light_slot){.key = kl_u256_from_be(bytes)};
    if (account && account->slot_count > 0 && kl_rand_below(seed, 4)) {
        usize i = kl_rand_below(seed, account->slot_count);
        slot->key = account->keys[i];
        slot->value = account->values[i];
    }
    kl_u256_to_be(bytes, slot->key);
    kl_hash key = kl_keccak256(KL_SPAN_OF(bytes));
    prove(rig, state, &slot->nodes, &slot->node_count, owner, &key);
}

void light_rig_account(light_rig *rig, kl_light_bundle *bundle, u64 number, u64 *seed)
{
    rig_state *state = &rig->states[rig->blocks[number].state];
    kl_light_account *a = &bundle->account;
    const rig_account *account = NULL;
    *a = (kl_light_account){.claim = kl_account_none()};
    kl_rand_fill(seed, a->address.b, sizeof a->address.b);
    if (state->account_count && kl_rand_below(seed, 4)) {
        account = &state->accounts[kl_rand_below(seed, state->account_count)];
        a->address = account->address;
        a->claim = account->account;
    }
    kl_hash key = kl_keccak256(kl_address_span(&a->address));
    prove(rig, state, &a->nodes, &a->node_count, NULL, &key);
    a->slot_count = kl_rand_below(seed, 4);
    kl_light_slot *slots = KL_ZERO(&rig->arena, kl_light_slot, a->slot_count + 1);
    KL_ASSERT(slots);
    for (usize i = 0; i < a->slot_count; i++)
        prove_slot(rig, state, &slots[i], account, &key, seed);
    a->slots = slots;
    bundle->has_account = true;
}

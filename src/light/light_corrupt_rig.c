/* What can be done to a bundle without a secret: bits turned, parts left out, swapped, spelled
 * another way, taken from elsewhere.  None of it may leave a bundle that says what is true: where a
 * change could, it is not made. */
#include "codec/rlp.h"
#include "light/light_corrupt_priv.h"

/* Copies, so that the rig's own bundle is not touched. */
static kl_light_change *own_epochs(light_rig *rig, kl_light_bundle *b)
{
    usize len = b->epoch_count * sizeof *b->epochs;
    kl_light_change *copy = KL_ZERO(&rig->arena, kl_light_change, b->epoch_count + 1);
    KL_ASSERT(copy);
    if (len)
        memcpy(copy, b->epochs, len);
    b->epochs = copy;
    return copy;
}

static kl_span *own_spans(light_rig *rig, const kl_span *spans, usize count)
{
    kl_span *copy = KL_ZERO(&rig->arena, kl_span, count + 1);
    KL_ASSERT(copy);
    if (count)
        memcpy(copy, spans, count * sizeof *spans);
    return copy;
}

static kl_light_slot *own_slots(light_rig *rig, kl_light_bundle *b)
{
    kl_light_account *a = &b->account;
    kl_light_slot *copy = KL_ZERO(&rig->arena, kl_light_slot, a->slot_count + 1);
    KL_ASSERT(copy);
    if (a->slot_count)
        memcpy(copy, a->slots, a->slot_count * sizeof *a->slots);
    a->slots = copy;
    return copy;
}

/* One of the byte strings that count, at random. */
static kl_span *pick(light_rig *rig, kl_light_bundle *b, usize first, u64 *seed)
{
    kl_light_change *epochs = own_epochs(rig, b);
    kl_span *headers = own_spans(rig, b->finality.headers, b->finality.header_count);
    kl_span *all[64 + 4 * RIG_EPOCHS];
    usize count = 0;
    b->finality.headers = headers;
    if (b->has_genesis && first == 0) {
        all[count++] = &b->genesis.header;
        all[count++] = &b->genesis.consensus_header;
        all[count++] = &b->genesis.validators;
    }
    for (usize i = first; i < b->epoch_count; i++) {
        all[count++] = &epochs[i].header;
        all[count++] = &epochs[i].consensus_header;
        all[count++] = &epochs[i].finalization;
        all[count++] = &epochs[i].validators;
    }
    for (usize i = 0; i < b->finality.header_count; i++)
        all[count++] = &headers[i];
    if (b->finality.finalization.len) {
        all[count++] = &b->finality.consensus_header;
        all[count++] = &b->finality.finalization;
    }
    return all[kl_rand_below(seed, count)];
}

static kl_span flipped(light_rig *rig, kl_span bytes, u64 *seed)
{
    u8 *copy = (u8 *)kl_arena_take(&rig->arena, bytes.len, 1);
    KL_ASSERT(copy && bytes.len);
    memcpy(copy, bytes.p, bytes.len);
    copy[kl_rand_below(seed, bytes.len)] ^= (u8)(1u << kl_rand_below(seed, 8));
    return kl_span_of(copy, bytes.len);
}

static bool flip(light_rig *rig, kl_light_bundle *b, usize first, u64 *seed)
{
    kl_span *at = pick(rig, b, first, seed);
    *at = flipped(rig, *at, seed);
    return true;
}

static bool flip_finalization(light_rig *rig, kl_light_bundle *b, usize first, u64 *seed)
{
    kl_span *at = light_pick_finalization(rig, b, first, seed);
    if (at)
        *at = flipped(rig, *at, seed);
    return at != NULL;
}

static bool truncate_part(light_rig *rig, kl_light_bundle *b, usize first, u64 *seed)
{
    kl_span *at = pick(rig, b, first, seed);
    *at = kl_span_of(at->p, kl_rand_below(seed, at->len - 1) + 1);
    return true;
}

static bool extend_part(light_rig *rig, kl_light_bundle *b, usize first, u64 *seed)
{
    kl_span *at = pick(rig, b, first, seed);
    u8 *copy = (u8 *)kl_arena_zero(&rig->arena, at->len + 1, 1);
    KL_ASSERT(copy);
    memcpy(copy, at->p, at->len);
    copy[at->len] = (u8)(kl_rand_below(seed, 2) ? kl_rand(seed) : 0);
    *at = kl_span_of(copy, at->len + 1);
    return true;
}

/* The list's length takes one byte more than it needs. */
static bool long_list(light_rig *rig, kl_light_bundle *b, usize first, u64 *seed)
{
    kl_span *at = pick(rig, b, first, seed);
    u8 *copy = (u8 *)kl_arena_zero(&rig->arena, at->len + 1, 1);
    KL_ASSERT(copy && at->p[0] >= 0xf8);
    copy[0] = (u8)(at->p[0] + 1);
    memcpy(copy + 2, at->p + 1, at->len - 1);
    *at = kl_span_of(copy, at->len + 1);
    return true;
}

static bool another_part(light_rig *rig, kl_light_bundle *b, usize first, u64 *seed)
{
    kl_span other = *pick(rig, b, first, seed), *at = pick(rig, b, first, seed), was = *at;
    *at = other;
    return !kl_span_eq(was, other);
}

static bool drop_epoch(light_rig *rig, kl_light_bundle *b, usize first, u64 *seed)
{
    kl_light_change *epochs = own_epochs(rig, b);
    if (first >= b->epoch_count)
        return false;
    usize at = first + kl_rand_below(seed, b->epoch_count - first);
    memmove(&epochs[at], &epochs[at + 1], (b->epoch_count - at - 1) * sizeof *epochs);
    b->epoch_count--;
    return true;
}

static bool repeat_epoch(light_rig *rig, kl_light_bundle *b, usize first, u64 *seed)
{
    kl_light_change *epochs = own_epochs(rig, b);
    if (first >= b->epoch_count)
        return false;
    usize at = first + kl_rand_below(seed, b->epoch_count - first);
    memmove(&epochs[at + 1], &epochs[at], (b->epoch_count - at) * sizeof *epochs);
    b->epoch_count++;
    return true;
}

static bool swap_epochs(light_rig *rig, kl_light_bundle *b, usize first, u64 *seed)
{
    kl_light_change *epochs = own_epochs(rig, b);
    if (first + 2 > b->epoch_count)
        return false;
    usize at = first + kl_rand_below(seed, b->epoch_count - first - 1);
    kl_light_change one = epochs[at];
    epochs[at] = epochs[at + 1];
    epochs[at + 1] = one;
    return true;
}

static bool another_set(light_rig *rig, kl_light_bundle *b, usize first, u64 *seed)
{
    kl_light_change *epochs = own_epochs(rig, b);
    kl_span other = rig->epochs[kl_rand_below(seed, rig->epoch_count)].rlp;
    bool genesis = b->has_genesis && first == 0 && kl_rand_below(seed, 2);
    if (!genesis && first >= b->epoch_count)
        return false;
    usize at = genesis ? 0 : first + kl_rand_below(seed, b->epoch_count - first);
    kl_span *set = genesis ? &b->genesis.validators : &epochs[at].validators;
    bool same = kl_span_eq(*set, other);
    *set = other;
    return !same;
}

static bool drop_header(light_rig *rig, kl_light_bundle *b, KL_UNUSED usize first, u64 *seed)
{
    kl_light_finality *f = &b->finality;
    kl_span *headers = own_spans(rig, f->headers, f->header_count);
    usize at = kl_rand_below(seed, f->header_count);
    if (at == 0 && f->header_count > 1) /* what is left is good, and proves another block */
        at = f->header_count - 1;
    memmove(&headers[at], &headers[at + 1], (f->header_count - at - 1) * sizeof *headers);
    f->headers = headers;
    f->header_count--;
    return true;
}

static bool repeat_header(light_rig *rig, kl_light_bundle *b, KL_UNUSED usize first, u64 *seed)
{
    kl_light_finality *f = &b->finality;
    kl_span *headers = own_spans(rig, f->headers, f->header_count);
    usize at = kl_rand_below(seed, f->header_count);
    memmove(&headers[at + 1], &headers[at], (f->header_count - at) * sizeof *headers);
    f->headers = headers;
    f->header_count++;
    return true;
}

static bool swap_headers(light_rig *rig, kl_light_bundle *b, KL_UNUSED usize first, u64 *seed)
{
    kl_light_finality *f = &b->finality;
    kl_span *headers = own_spans(rig, f->headers, f->header_count);
    if (f->header_count < 2)
        return false;
    usize at = kl_rand_below(seed, f->header_count - 1);
    kl_span one = headers[at];
    headers[at] = headers[at + 1];
    headers[at + 1] = one;
    f->headers = headers;
    return true;
}

static bool another_header(light_rig *rig, kl_light_bundle *b, KL_UNUSED usize first, u64 *seed)
{
    kl_light_finality *f = &b->finality;
    kl_span *headers = own_spans(rig, f->headers, f->header_count);
    usize at = kl_rand_below(seed, f->header_count);
    kl_span other = rig->blocks[kl_rand_below(seed, rig->head + 1)].rlp;
    bool same = kl_span_eq(headers[at], other);
    headers[at] = other;
    f->headers = headers;
    return !same;
}

static bool unsigned_final(KL_UNUSED light_rig *rig, kl_light_bundle *b, KL_UNUSED usize first,
                           KL_UNUSED u64 *seed)
{
    bool was = b->finality.finalization.len != 0;
    b->finality.consensus_header = b->finality.finalization = KL_SPAN_NONE;
    return was;
}

static bool half_signed(KL_UNUSED light_rig *rig, kl_light_bundle *b, KL_UNUSED usize first,
                        u64 *seed)
{
    bool was = b->finality.finalization.len != 0;
    if (kl_rand_below(seed, 2))
        b->finality.consensus_header = KL_SPAN_NONE;
    else
        b->finality.finalization = KL_SPAN_NONE;
    return was;
}

/* A bundle in which nothing is signed holds under any chain id. */
static bool another_chain(KL_UNUSED light_rig *rig, kl_light_bundle *b, usize first, u64 *seed)
{
    bool signed_once = b->finality.finalization.len != 0 || first < b->epoch_count;
    b->chain_id ^= (u64)1 << kl_rand_below(seed, 64);
    return signed_once;
}

static bool another_genesis_hash(KL_UNUSED light_rig *rig, kl_light_bundle *b,
                                 KL_UNUSED usize first, u64 *seed)
{
    b->genesis_hash.b[kl_rand_below(seed, 32)] ^= (u8)(1u << kl_rand_below(seed, 8));
    return b->has_genesis;
}

/* The account. */

static bool another_address(KL_UNUSED light_rig *rig, kl_light_bundle *b, KL_UNUSED usize first,
                            u64 *seed)
{
    b->account.address.b[kl_rand_below(seed, 20)] ^= (u8)(1u << kl_rand_below(seed, 8));
    return b->has_account && b->account.claim.nonce != 0;
}

static bool another_claim(KL_UNUSED light_rig *rig, kl_light_bundle *b, KL_UNUSED usize first,
                          u64 *seed)
{
    kl_account *claim = &b->account.claim;
    u64 how = kl_rand_below(seed, 4), byte = kl_rand_below(seed, 32);
    u8 bit = (u8)(1u << kl_rand_below(seed, 8));
    if (how == 0)
        claim->nonce ^= (u64)1 << kl_rand_below(seed, 64);
    else if (how == 1)
        claim->balance.w[kl_rand_below(seed, 4)] ^= (u64)1 << kl_rand_below(seed, 64);
    else
        (how == 2 ? &claim->code_hash : &claim->storage_root)->b[byte] ^= bit;
    return b->has_account;
}

/* The account's proof, or that of a slot. */
static bool pick_proof(light_rig *rig, kl_light_bundle *b, kl_span **nodes, usize **count,
                       u64 *seed)
{
    kl_light_account *a = &b->account;
    kl_light_slot *slots = own_slots(rig, b);
    usize at = kl_rand_below(seed, a->slot_count + 1);
    if (!b->has_account)
        return false;
    *count = at == a->slot_count ? &a->node_count : &slots[at].node_count;
    const kl_span **list = at == a->slot_count ? &a->nodes : &slots[at].nodes;
    *list = *nodes = own_spans(rig, *list, **count);
    return true;
}

static bool flip_node(light_rig *rig, kl_light_bundle *b, KL_UNUSED usize first, u64 *seed)
{
    kl_span *nodes;
    usize *count;
    if (!pick_proof(rig, b, &nodes, &count, seed) || *count == 0)
        return false;
    usize at = kl_rand_below(seed, *count);
    nodes[at] = flipped(rig, nodes[at], seed);
    return true;
}

static bool drop_node(light_rig *rig, kl_light_bundle *b, KL_UNUSED usize first, u64 *seed)
{
    kl_span *nodes;
    usize *count;
    if (!pick_proof(rig, b, &nodes, &count, seed) || *count == 0)
        return false;
    usize at = kl_rand_below(seed, *count);
    memmove(&nodes[at], &nodes[at + 1], (*count - at - 1) * sizeof *nodes);
    --*count;
    return true;
}

static bool add_node(light_rig *rig, kl_light_bundle *b, KL_UNUSED usize first, u64 *seed)
{
    kl_span *nodes;
    usize *count;
    static const u8 empty = 0x80;
    if (!pick_proof(rig, b, &nodes, &count, seed))
        return false;
    nodes[*count] = *count && kl_rand_below(seed, 2) ? nodes[*count - 1] : kl_span_of(&empty, 1);
    ++*count;
    return true;
}

static bool swap_nodes(light_rig *rig, kl_light_bundle *b, KL_UNUSED usize first, u64 *seed)
{
    kl_span *nodes;
    usize *count;
    if (!pick_proof(rig, b, &nodes, &count, seed) || *count < 2)
        return false;
    kl_span one = nodes[0];
    nodes[0] = nodes[1];
    nodes[1] = one;
    return true;
}

static bool another_proof(light_rig *rig, kl_light_bundle *b, KL_UNUSED usize first, u64 *seed)
{
    kl_light_bundle other = *b;
    kl_light_account *a = &b->account;
    light_rig_account(rig, &other, kl_rand_below(seed, rig->head + 1), seed);
    bool same = a->node_count == other.account.node_count;
    for (usize i = 0; same && i < a->node_count; i++)
        same = kl_span_eq(a->nodes[i], other.account.nodes[i]);
    a->nodes = other.account.nodes;
    a->node_count = other.account.node_count;
    return b->has_account && !same;
}

static bool another_value(light_rig *rig, kl_light_bundle *b, KL_UNUSED usize first, u64 *seed)
{
    kl_light_slot *slots = own_slots(rig, b);
    if (!b->has_account || b->account.slot_count == 0)
        return false;
    usize at = kl_rand_below(seed, b->account.slot_count);
    slots[at].value.w[kl_rand_below(seed, 4)] ^= (u64)1 << kl_rand_below(seed, 64);
    return true;
}

/* Of a slot that is there: its value is no other slot's. */
static bool another_key(light_rig *rig, kl_light_bundle *b, KL_UNUSED usize first, u64 *seed)
{
    kl_light_slot *slots = own_slots(rig, b);
    if (!b->has_account || b->account.slot_count == 0)
        return false;
    usize at = kl_rand_below(seed, b->account.slot_count);
    slots[at].key.w[kl_rand_below(seed, 4)] ^= (u64)1 << kl_rand_below(seed, 64);
    return !kl_u256_is_zero(slots[at].value);
}

const rig_corruption light_corruptions[] = {{"a bit", flip},
                                            {"a bit of a Finalization", flip_finalization},
                                            {"a part cut short", truncate_part},
                                            {"a byte behind a part", extend_part},
                                            {"a list's length spelled long", long_list},
                                            {"a part in another's place", another_part},
                                            {"an epoch left out", drop_epoch},
                                            {"an epoch twice", repeat_epoch},
                                            {"epochs swapped", swap_epochs},
                                            {"another epoch's set", another_set},
                                            {"a header left out", drop_header},
                                            {"a header twice", repeat_header},
                                            {"headers swapped", swap_headers},
                                            {"another header", another_header},
                                            {"no Finalization", unsigned_final},
                                            {"half a Finalization", half_signed},
                                            {"another chain id", another_chain},
                                            {"another genesis hash", another_genesis_hash},
                                            {"another address", another_address},
                                            {"another claim", another_claim},
                                            {"a bit of a node", flip_node},
                                            {"a node left out", drop_node},
                                            {"a node more", add_node},
                                            {"nodes swapped", swap_nodes},
                                            {"another account's proof", another_proof},
                                            {"another value", another_value},
                                            {"another key", another_key},
#define LIGHT_FORGERY_X(id, name) {name, light_forge_##id},
                                            LIGHT_FORGERIES(LIGHT_FORGERY_X)
#undef LIGHT_FORGERY_X
};
const usize light_corruption_count = KL_COUNT_OF(light_corruptions);

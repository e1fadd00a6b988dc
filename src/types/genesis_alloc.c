/* genesis_alloc: accounts and slots are sorted, so that two spellings of one file give the same
 * list, and so that what is given twice stands side by side. */
#include <stdlib.h>

#include "codec/hex.h"
#include "types/genesis_priv.h"

typedef struct slot {
    kl_hash key;
    kl_u256 value;
    kl_json_ref ref;
} slot;

/* An account, and the name it was given under. */
typedef struct entry {
    kl_alloc alloc;
    kl_json_ref ref;
} entry;

static int by_key(const void *a, const void *b)
{
    const slot *x = a, *y = b;
    int order = memcmp(x->key.b, y->key.b, sizeof x->key.b);
    return order ? order : (x->ref > y->ref) - (x->ref < y->ref);
}

static int by_address(const void *a, const void *b)
{
    const entry *x = a, *y = b;
    int order = memcmp(x->alloc.address.b, y->alloc.address.b, sizeof x->alloc.address.b);
    return order ? order : (x->ref > y->ref) - (x->ref < y->ref);
}

static kl_span without_prefix(kl_span text)
{
    bool prefixed = text.len >= 2 && text.p[0] == '0' && (text.p[1] | 0x20) == 'x';
    return prefixed ? kl_span_sub(text, 2, text.len) : text;
}

/* A storage key or value: up to 64 digits, with or without 0x, zeros on the left left out. */
static kl_rule read_word(struct kl_genesis_reader *r, kl_json_ref ref, kl_hash *out)
{
    u8 padded[64];
    if (!kl_json_is(r->json, ref, KL_JSON_STRING))
        return kl_genesis_blame(r, KL_RULE_GENESIS_KIND, ref);
    kl_span digits = without_prefix(kl_json_raw(r->json, ref));
    if (digits.len == 0 || digits.len > sizeof padded)
        return kl_genesis_blame(r, KL_RULE_HEX_LENGTH, ref);
    memset(padded, '0', sizeof padded);
    memcpy(padded + sizeof padded - digits.len, digits.p, digits.len);
    return kl_genesis_blame(r, kl_hex_parse(out->b, sizeof out->b, KL_SPAN_OF(padded)), ref);
}

/* Fills alloc's keys and values from sorted slots, those with value 0 left out. */
static kl_rule keep_slots(struct kl_genesis_reader *r, const slot *slots, usize count,
                          kl_alloc *alloc)
{
    kl_hash *keys = KL_TAKE(r->arena, kl_hash, count);
    kl_u256 *values = KL_TAKE(r->arena, kl_u256, count);
    if (!keys || !values)
        return KL_NO_VERDICT;
    usize kept = 0;
    for (usize i = 0; i < count; i++) {
        if (i > 0 && kl_hash_eq(&slots[i].key, &slots[i - 1].key))
            return kl_genesis_blame(r, KL_RULE_GENESIS_TWICE, slots[i].ref);
        if (kl_u256_is_zero(slots[i].value))
            continue;
        keys[kept] = slots[i].key;
        values[kept++] = slots[i].value;
    }
    alloc->keys = keys;
    alloc->values = values;
    alloc->slot_count = kept;
    return KL_RULE_NONE;
}

static kl_rule read_storage(struct kl_genesis_reader *r, kl_json_ref storage, void *out)
{
    KL_JUDGE(kl_genesis_object(r, storage));
    usize count = 0, room = r->json->nodes[storage].count;
    slot *slots = KL_TAKE(r->arena, slot, room);
    if (!slots)
        return KL_NO_VERDICT;
    for (kl_json_ref name = kl_json_first(r->json, storage); name != KL_JSON_NONE;
         name = kl_json_after(r->json, storage, kl_json_value(name))) {
        kl_hash value;
        slots[count].ref = name;
        KL_JUDGE(read_word(r, name, &slots[count].key));
        KL_JUDGE(read_word(r, kl_json_value(name), &value));
        slots[count++].value = kl_u256_from_hash(&value);
    }
    qsort(slots, count, sizeof *slots, by_key);
    return keep_slots(r, slots, count, out);
}

static kl_rule read_account(struct kl_genesis_reader *r, kl_json_ref name, entry *out)
{
    kl_json_ref account = kl_json_value(name);
    kl_alloc *alloc = &out->alloc;
    const kl_genesis_field fields[] = {
        {"balance", kl_genesis_u256, &alloc->balance, false},
        {"nonce", kl_genesis_u64, &alloc->nonce, false},
        {"code", kl_genesis_data, &alloc->code, false},
        {"storage", read_storage, alloc, false},
    };
    *out = (entry){.ref = name};
    kl_span digits = without_prefix(kl_json_raw(r->json, name));
    kl_rule rule = kl_hex_parse(alloc->address.b, sizeof alloc->address.b, digits);
    if (rule != KL_RULE_NONE)
        return kl_genesis_blame(r, rule, name);
    KL_JUDGE(kl_genesis_object(r, account));
    return kl_genesis_fields(r, account, fields, KL_COUNT_OF(fields));
}

kl_rule kl_genesis_alloc(struct kl_genesis_reader *r, kl_json_ref alloc, kl_genesis *out)
{
    KL_JUDGE(kl_genesis_object(r, alloc));
    usize count = r->json->nodes[alloc].count, filled = 0;
    entry *entries = KL_TAKE(r->arena, entry, count);
    kl_alloc *accounts = KL_TAKE(r->arena, kl_alloc, count);
    if (!entries || !accounts)
        return KL_NO_VERDICT;
    for (kl_json_ref name = kl_json_first(r->json, alloc); name != KL_JSON_NONE;
         name = kl_json_after(r->json, alloc, kl_json_value(name))) {
        kl_genesis_enter(r, kl_json_raw(r->json, name));
        KL_JUDGE(read_account(r, name, &entries[filled++]));
        kl_genesis_leave(r);
    }
    qsort(entries, count, sizeof *entries, by_address);
    for (usize i = 0; i < count; i++) {
        if (i > 0 && kl_address_eq(&entries[i].alloc.address, &entries[i - 1].alloc.address)) {
            kl_genesis_enter(r, kl_json_raw(r->json, entries[i].ref));
            return kl_genesis_blame(r, KL_RULE_GENESIS_TWICE, entries[i].ref);
        }
        accounts[i] = entries[i].alloc;
    }
    out->alloc = accounts;
    out->alloc_count = count;
    return KL_RULE_NONE;
}

/* Accounts, slots and transient words live in the block's arena and never move; hash tables of
 * pointers find them.  Tables, the undo log and the other arrays keep their room from block to
 * block: a place counts as taken only when it carries the number of the block, so nothing is
 * cleared. */
#include "state/journal.h"

#include <stdlib.h>

#include "base/rand.h"
#include "crypto/keccak.h"
#include "state/journal_priv.h"

enum {
    PLACES_MIN = 64,
    SLOTS_MIN = 4,
    ARRAY_MIN = 64,
    ALIGN = 16,                    /* so that the undo log has four bits for itself */
    KEEP_BYTES = 32 * 1024 * 1024, /* of the arena, from block to block */
};

kl_status kl_journal_fail(struct kl_journal *journal, kl_status status)
{
    if (journal->failed == KL_OK)
        journal->failed = status;
    return journal->failed;
}

/* What the arrays take is not there for the arena. */
static bool claim(struct kl_journal *j, usize bytes)
{
    usize limit = j->config.memory_limit;
    if (bytes > limit || j->array_bytes > limit - bytes ||
        j->arena.held > limit - bytes - j->array_bytes) {
        kl_journal_fail(j, KL_LIMIT);
        return false;
    }
    return true;
}

static void claimed(struct kl_journal *j, usize freed, usize bytes)
{
    j->array_bytes += bytes - freed;
    j->arena.limit = j->config.memory_limit - j->array_bytes;
}

bool kl_journal_grow(struct kl_journal *journal, void **array, usize *cap, usize count, usize size)
{
    if (count > SIZE_MAX / 2 / size || !claim(journal, (count - *cap) * size))
        return false;
    void *grown = realloc(*array, count * size);
    if (!grown) {
        kl_journal_fail(journal, KL_NOMEM);
        return false;
    }
    claimed(journal, *cap * size, count * size);
    *array = grown;
    *cap = count;
    return true;
}

static void *take(struct kl_journal *j, usize bytes)
{
    void *p = kl_arena_zero(&j->arena, bytes, ALIGN);
    if (!p)
        kl_journal_fail(j, KL_LIMIT);
    return p;
}

kl_status kl_journal_new(struct kl_journal **out, const kl_journal_config *config)
{
    struct kl_journal *j = calloc(1, sizeof *j);
    if (!j)
        return KL_NOMEM;
    j->config = *config;
    u64 seed = config->seed;
    for (usize i = 0; i < KL_COUNT_OF(j->seeds); i++)
        j->seeds[i] = kl_rand(&seed);
    kl_arena_init(&j->arena, config->memory_limit);
    j->last = &j->first;
    j->address_hashes = calloc(KL_JCACHE_ADDRESSES, sizeof *j->address_hashes);
    j->key_hashes = calloc(KL_JCACHE_KEYS, sizeof *j->key_hashes);
    if (!j->address_hashes || !j->key_hashes) {
        kl_journal_free(j);
        return KL_NOMEM;
    }
    kl_journal_begin_block(j, NULL);
    *out = j;
    return KL_OK;
}

static void drop_users(struct kl_journal *j)
{
    for (kl_jaccount *account = j->first; account && j->config.drop_user; account = account->next)
        kl_journal_drop_user(j, account);
}

void kl_journal_free(struct kl_journal *journal)
{
    if (!journal)
        return;
    drop_users(journal);
    free(journal->places);
    free(journal->undo);
    free(journal->ending);
    free(journal->logs);
    free(journal->transients);
    free(journal->address_hashes);
    free(journal->key_hashes);
    kl_arena_done(&journal->arena);
    free(journal);
}

void kl_journal_begin_block(struct kl_journal *journal, struct kl_state_reader *reader)
{
    drop_users(journal);
    journal->reader = reader;
    journal->failed = KL_OK;
    journal->first = NULL;
    journal->last = &journal->first;
    journal->account_count = 0;
    journal->first_transient = NULL;
    journal->transient_count = 0;
    journal->tx = journal->ripemd_tx = 0;
    kl_arena_reset(&journal->arena, KEEP_BYTES);
    if (++journal->block == 0) {
        /* Every 2^32 blocks old numbers could be taken for this one. */
        if (journal->places)
            memset(journal->places, 0, (journal->place_mask + 1) * sizeof *journal->places);
        if (journal->transients)
            memset(journal->transients, 0,
                   (journal->transient_mask + 1) * sizeof *journal->transients);
        journal->block = 1;
    }
    kl_journal_begin_tx(journal);
}

void kl_journal_begin_tx(struct kl_journal *journal)
{
    KL_ASSERT(journal->tx < UINT32_MAX);
    journal->tx++;
    journal->undo_len = 0;
    journal->ending_count = 0;
    journal->log_count = 0;
}

kl_jaccount *kl_journal_first(const struct kl_journal *journal)
{
    return journal->first;
}

static kl_hash hash_address(struct kl_journal *j, const kl_address *address, u32 hash)
{
    kl_jaddress_hash *at = &j->address_hashes[(hash >> 8) % KL_JCACHE_ADDRESSES];
    if (!at->used || !kl_address_eq(&at->address, address))
        *at = (kl_jaddress_hash){*address, true, kl_keccak256(kl_address_span(address))};
    return at->hash;
}

static kl_hash hash_key(struct kl_journal *j, const kl_u256 *key, u32 hash)
{
    kl_jkey_hash *at = &j->key_hashes[(hash >> 8) % KL_JCACHE_KEYS];
    if (!at->used || !kl_u256_eq(at->key, *key)) {
        u8 bytes[32];
        kl_u256_to_be(bytes, *key);
        *at = (kl_jkey_hash){*key, kl_keccak256(KL_SPAN_OF(bytes)), true};
    }
    return at->hash;
}

static void place_account(struct kl_journal *j, kl_jplace *places, usize mask, kl_jplace place)
{
    usize at = place.hash & mask;
    while (places[at].block == j->block)
        at = (at + 1) & mask;
    places[at] = place;
}

/* Keeps the table at most half full. */
static bool grow_places(struct kl_journal *j)
{
    usize old = j->places ? j->place_mask + 1 : 0, cap = old ? 2 * old : PLACES_MIN;
    if (2 * (j->account_count + 1) <= old)
        return true;
    if (!claim(j, cap * sizeof *j->places))
        return false;
    kl_jplace *places = calloc(cap, sizeof *places);
    if (!places) {
        kl_journal_fail(j, KL_NOMEM);
        return false;
    }
    for (usize i = 0; i < old; i++)
        if (j->places[i].block == j->block)
            place_account(j, places, cap - 1, j->places[i]);
    free(j->places);
    claimed(j, old * sizeof *places, cap * sizeof *places);
    j->places = places;
    j->place_mask = cap - 1;
    return true;
}

static kl_status load_account(struct kl_journal *j, const kl_address *address, u32 hash,
                              kl_jaccount **out)
{
    kl_account stored;
    bool exists;
    kl_hash address_hash = hash_address(j, address, hash);
    KL_TRY(j->reader->account(j->reader, address, &address_hash, &stored, &exists));
    if (!grow_places(j))
        return j->failed;
    kl_jaccount *account = take(j, sizeof *account);
    if (!account)
        return j->failed;
    account->address = *address;
    account->address_hash = address_hash;
    account->now = account->stored = stored;
    account->exists = account->stored_exists = exists;
    account->last_slot = &account->first_slot;
    *j->last = account;
    j->last = &account->next;
    j->account_count++;
    place_account(j, j->places, j->place_mask, (kl_jplace){j->block, hash, account});
    *out = account;
    return KL_OK;
}

kl_status kl_journal_account(struct kl_journal *journal, const kl_address *address,
                             kl_jaccount **out)
{
    if (KL_UNLIKELY(journal->failed != KL_OK))
        return journal->failed;
    u32 hash = kl_jhash_address(journal, address);
    if (KL_LIKELY(journal->places != NULL))
        for (usize at = hash & journal->place_mask; journal->places[at].block == journal->block;
             at = (at + 1) & journal->place_mask) {
            const kl_jplace *place = &journal->places[at];
            if (place->hash == hash && kl_address_eq(&place->account->address, address)) {
                *out = place->account;
                return KL_OK;
            }
        }
    return load_account(journal, address, hash, out);
}

kl_status kl_journal_code(struct kl_journal *journal, kl_jaccount *account, kl_span *out)
{
    if (!account->has_code) {
        if (journal->failed != KL_OK)
            return journal->failed;
        if (kl_hash_eq(&account->now.code_hash, &kl_keccak_empty))
            account->code = KL_SPAN_NONE;
        else
            KL_TRY(journal->reader->code(journal->reader, &account->now.code_hash, &account->code));
        account->has_code = true;
    }
    *out = account->code;
    return KL_OK;
}

/* Where the slot's place in the table is, or the free one where the search for it ends. */
static u32 find_slot(const struct kl_jslot_table *table, const kl_u256 *key, u32 hash)
{
    u32 at = hash & table->mask;
    while (table->places[at] && !kl_u256_eq(table->places[at]->key, *key))
        at = (at + 1) & table->mask;
    return at;
}

/* Keeps the account's table at most half full; the old one stays behind in the arena. */
static bool grow_slots(struct kl_journal *j, kl_jaccount *account)
{
    struct kl_jslot_table *old = account->slots;
    if (old && 2 * (old->count + 1) <= old->mask + 1)
        return true;
    u32 cap = old ? 2 * (old->mask + 1) : SLOTS_MIN;
    struct kl_jslot_table *table = take(j, sizeof *table + cap * sizeof(kl_jslot *));
    if (!table)
        return false;
    table->mask = cap - 1;
    for (kl_jslot *slot = account->first_slot; slot; slot = slot->next, table->count++)
        table->places[find_slot(table, &slot->key, kl_jhash_key(j, &slot->key))] = slot;
    account->slots = table;
    return true;
}

/* What the block found in the slot.  Of storage that was wiped by an earlier transaction nobody
 * asks any more; after a creation in this one, which may be undone, the truth is still needed. */
static kl_status read_stored(struct kl_journal *j, const kl_jaccount *account,
                             const kl_hash *key_hash, kl_u256 *out)
{
    bool none = kl_hash_eq(&account->stored.storage_root, &kl_keccak_empty_rlp);
    if (none || (account->wiped && account->created_tx != j->tx)) {
        *out = KL_U256_ZERO;
        return KL_OK;
    }
    return j->reader->slot(j->reader, &account->address_hash, key_hash, out);
}

static kl_status load_slot(struct kl_journal *j, kl_jaccount *account, const kl_u256 *key, u32 hash,
                           kl_jslot **out)
{
    kl_u256 stored;
    kl_hash key_hash = hash_key(j, key, hash);
    KL_TRY(read_stored(j, account, &key_hash, &stored));
    if (!grow_slots(j, account))
        return j->failed;
    kl_jslot *slot = take(j, sizeof *slot);
    if (!slot)
        return j->failed;
    slot->key = *key;
    slot->key_hash = key_hash;
    slot->stored = stored;
    slot->current = account->wiped ? KL_U256_ZERO : stored;
    *account->last_slot = slot;
    account->last_slot = &slot->next;
    account->slots->places[find_slot(account->slots, key, hash)] = slot;
    account->slots->count++;
    *out = slot;
    return KL_OK;
}

kl_status kl_journal_slot(struct kl_journal *journal, kl_jaccount *account, const kl_u256 *key,
                          kl_jslot **out, bool *cold)
{
    if (KL_UNLIKELY(journal->failed != KL_OK))
        return journal->failed;
    u32 hash = kl_jhash_key(journal, key);
    kl_jslot *slot = NULL;
    if (account->slots)
        slot = account->slots->places[find_slot(account->slots, key, hash)];
    if (!slot)
        KL_TRY(load_slot(journal, account, key, hash, &slot));
    kl_journal_refresh_slot(journal, slot);
    *cold = slot->warm_tx != journal->tx;
    if (*cold) {
        kl_undo_warm_slot(journal, slot);
        slot->warm_tx = journal->tx;
    }
    *out = slot;
    return KL_OK;
}

bool kl_journal_warm(struct kl_journal *journal, kl_jaccount *account)
{
    if (account->warm_tx == journal->tx)
        return false;
    kl_undo_warm_account(journal, account);
    account->warm_tx = journal->tx;
    return true;
}

bool kl_journal_has_storage(const struct kl_journal *journal, const kl_jaccount *account)
{
    (void)journal;
    for (const kl_jslot *slot = account->first_slot; slot; slot = slot->next)
        if (!kl_u256_is_zero(slot->current))
            return true;
    return !account->wiped && !kl_hash_eq(&account->stored.storage_root, &kl_keccak_empty_rlp);
}

static u32 hash_transient(const struct kl_journal *j, const kl_address *address, const kl_u256 *key)
{
    u64 both = (u64)kl_jhash_address(j, address) << 32 | kl_jhash_key(j, key);
    return (u32)(kl_jmix(both ^ j->seeds[0], j->seeds[2]) >> 16);
}

static usize find_transient(const struct kl_journal *j, const kl_address *address,
                            const kl_u256 *key, u32 hash)
{
    usize at = hash & j->transient_mask;
    for (; j->transients[at].block == j->block; at = (at + 1) & j->transient_mask) {
        const kl_jtransient_place *place = &j->transients[at];
        if (place->hash == hash && kl_u256_eq(place->entry->key, *key) &&
            kl_address_eq(&place->entry->address, address))
            break;
    }
    return at;
}

kl_status kl_journal_transient(struct kl_journal *journal, const kl_address *address,
                               const kl_u256 *key, kl_u256 *out)
{
    if (journal->failed != KL_OK)
        return journal->failed;
    *out = KL_U256_ZERO;
    if (!journal->transients)
        return KL_OK;
    u32 hash = hash_transient(journal, address, key);
    const kl_jtransient_place *place =
        &journal->transients[find_transient(journal, address, key, hash)];
    if (place->block == journal->block && place->entry->tx == journal->tx)
        *out = place->entry->value;
    return KL_OK;
}

static bool grow_transients(struct kl_journal *j)
{
    usize old = j->transients ? j->transient_mask + 1 : 0, cap = old ? 2 * old : PLACES_MIN;
    if (2 * (j->transient_count + 1) <= old)
        return true;
    if (!claim(j, cap * sizeof *j->transients))
        return false;
    kl_jtransient_place *places = calloc(cap, sizeof *places);
    if (!places) {
        kl_journal_fail(j, KL_NOMEM);
        return false;
    }
    free(j->transients);
    claimed(j, old * sizeof *places, cap * sizeof *places);
    j->transients = places;
    j->transient_mask = cap - 1;
    for (struct kl_jtransient *e = j->first_transient; e; e = e->next) {
        u32 hash = hash_transient(j, &e->address, &e->key);
        usize at = find_transient(j, &e->address, &e->key, hash);
        places[at] = (kl_jtransient_place){j->block, hash, e};
    }
    return true;
}

kl_status kl_journal_set_transient(struct kl_journal *journal, const kl_address *address,
                                   const kl_u256 *key, const kl_u256 *value)
{
    if (journal->failed != KL_OK || !grow_transients(journal))
        return journal->failed;
    u32 hash = hash_transient(journal, address, key);
    usize at = find_transient(journal, address, key, hash);
    struct kl_jtransient *entry = journal->transients[at].entry;
    if (journal->transients[at].block != journal->block) {
        entry = take(journal, sizeof *entry);
        if (!entry)
            return journal->failed;
        entry->address = *address;
        entry->key = *key;
        entry->next = journal->first_transient;
        journal->first_transient = entry;
        journal->transients[at] = (kl_jtransient_place){journal->block, hash, entry};
        journal->transient_count++;
    }
    if (entry->tx != journal->tx) {
        entry->tx = journal->tx;
        entry->value = KL_U256_ZERO;
    }
    kl_undo_transient(journal, entry);
    entry->value = *value;
    return journal->failed;
}

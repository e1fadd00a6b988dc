/* journal_priv: the journal's insides, shared by its files. */
#ifndef KL_STATE_JOURNAL_PRIV_H
#define KL_STATE_JOURNAL_PRIV_H

#include "state/journal.h"

/* A place in the accounts' hash table; taken when block is the journal's. */
typedef struct kl_jplace {
    u32 block, hash;
    kl_jaccount *account;
} kl_jplace;

/* The slots of one account by key; the room is a power of two and at most half full. */
struct kl_jslot_table {
    u32 mask, count;
    kl_jslot *places[];
};

/* A word of transient storage [EIP-1153]; 0 in every transaction but tx. */
struct kl_jtransient {
    kl_address address;
    u32 tx;
    kl_u256 key, value;
    struct kl_jtransient *next; /* all of the block */
};
typedef struct kl_jtransient_place {
    u32 block, hash;
    struct kl_jtransient *entry;
} kl_jtransient_place;

/* Hashes of addresses and slot keys seen lately, in this block or before: one entry a place, the
 * last one stays. */
#define KL_JCACHE_ADDRESSES 1024
#define KL_JCACHE_KEYS      4096
typedef struct kl_jaddress_hash {
    kl_address address;
    bool used;
    kl_hash hash;
} kl_jaddress_hash;
typedef struct kl_jkey_hash {
    kl_u256 key;
    kl_hash hash;
    bool used;
} kl_jkey_hash;

struct kl_journal {
    kl_journal_config config;
    struct kl_state_reader *reader;
    kl_status failed; /* sticky until the next block: a change or its undo had no room */
    u32 block, tx;
    u64 seeds[4];
    struct kl_arena arena;
    usize array_bytes; /* of the arrays below, against the limit */

    kl_jplace *places;
    usize place_mask, account_count;
    kl_jaccount *first, **last;

    u64 *undo; /* see journal_undo.c */
    usize undo_len, undo_cap;

    kl_jaccount **ending; /* whom the end of the transaction must look at; some twice */
    usize ending_count, ending_cap;
    u32 ripemd_tx; /* the transaction in which a touch of it was undone */

    kl_log_entry *logs;
    usize log_count, log_cap;

    kl_jtransient_place *transients;
    usize transient_mask, transient_count;
    struct kl_jtransient *first_transient;

    kl_jaddress_hash *address_hashes;
    kl_jkey_hash *key_hashes;
};

/* Room for `count` of an array's items of `size` bytes, kept by realloc; false, and the journal has
 * failed, when the limit does not allow it. */
bool kl_journal_grow(struct kl_journal *journal, void **array, usize *cap, usize count, usize size);

/* Remembers that something found no room. */
kl_status kl_journal_fail(struct kl_journal *journal, kl_status status);

/* Writing down what a change overwrites, before it happens. */
void kl_undo_warm_account(struct kl_journal *journal, kl_jaccount *account);
void kl_undo_warm_slot(struct kl_journal *journal, kl_jslot *slot);
void kl_undo_balance(struct kl_journal *journal, kl_jaccount *account);
void kl_undo_nonce(struct kl_journal *journal, kl_jaccount *account);
void kl_undo_code(struct kl_journal *journal, kl_jaccount *account);
void kl_undo_slot(struct kl_journal *journal, kl_jslot *slot);
void kl_undo_touch(struct kl_journal *journal, kl_jaccount *account);
void kl_undo_create(struct kl_journal *journal, kl_jaccount *account);
void kl_undo_wipe(struct kl_journal *journal, kl_jaccount *account);
void kl_undo_destroy(struct kl_journal *journal, kl_jaccount *account);
void kl_undo_transient(struct kl_journal *journal, struct kl_jtransient *entry);
void kl_undo_log(struct kl_journal *journal);

/* What the host has made of the account's code is worth nothing any more. */
void kl_journal_drop_user(struct kl_journal *journal, kl_jaccount *account);

/* Makes `original` right for this transaction; to be called before the first change in it. */
static inline void kl_journal_refresh_slot(const struct kl_journal *journal, kl_jslot *slot)
{
    if (slot->original_tx == journal->tx)
        return;
    slot->original = slot->current;
    slot->original_tx = journal->tx;
}

/* The precompile whose touches are never undone [EIP-161, see journal.h]. */
static inline bool kl_is_ripemd(const kl_address *address)
{
    static const kl_address ripemd = {{[19] = 3}};
    return kl_address_eq(address, &ripemd);
}

/* Hashes of table keys, under the journal's seeds. */
static inline u64 kl_jmix(u64 a, u64 b)
{
    u128 product = (u128)a * b;
    return (u64)product ^ (u64)(product >> 64);
}

static inline u32 kl_jhash_address(const struct kl_journal *journal, const kl_address *address)
{
    u64 a = kl_load_le64(address->b), b = kl_load_le64(address->b + 8);
    u64 c = kl_load_le32(address->b + 16);
    u64 h = kl_jmix(a ^ journal->seeds[0], b ^ journal->seeds[1]);
    return (u32)(kl_jmix(h ^ c, journal->seeds[2]) >> 16);
}

static inline u32 kl_jhash_key(const struct kl_journal *journal, const kl_u256 *key)
{
    u64 low = kl_jmix(key->w[0] ^ journal->seeds[0], key->w[1] ^ journal->seeds[1]);
    u64 high = kl_jmix(key->w[2] ^ journal->seeds[2], key->w[3] ^ journal->seeds[3]);
    return (u32)(kl_jmix(low ^ journal->seeds[3], high ^ journal->seeds[1]) >> 16);
}

#endif

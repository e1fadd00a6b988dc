/* journal: the working set of a block or a call: accounts and slots as transactions change them,
 * with undo.
 *
 * It reads through a kl_state_reader, so that a view, a witness or a test can stand behind it, and
 * writes nothing back: commit.h turns what changed into a delta and a root.  Three lifetimes:
 *   block        stored  -> what the reader said
 *   transaction  original -> what it was when the transaction began [EIP-2200]
 *   call         a snapshot number, to revert to
 * Warmth [EIP-2929], transient storage [EIP-1153] and "created in this transaction" [EIP-6780]
 * carry the number of the transaction they belong to and so need no clearing.
 *
 * Memory comes from an arena with a limit: KL_LIMIT, never a verdict, when it is reached; gas
 * bounds what a block can touch far below it.  A journal that met its limit has failed: what
 * follows, setters included, does no harm and means nothing, every function with a status says so,
 * and only begin_block ends it.  Failures of the reader are passed on and change nothing.
 *
 * Touching [EIP-161]: every setter but set_slot touches, and so do touch and create: the account
 * exists from then on, and goes at the end of the transaction if it is then empty and delete_empty
 * is asked for.  Revert undoes touches, with one exception that mainnet's block 2,675,119 made law:
 * once touched, the empty account at address 3 (RIPEMD-160) goes even when the touch was undone.
 *
 * Thread: one at a time. */
#ifndef KL_STATE_JOURNAL_H
#define KL_STATE_JOURNAL_H

#include "base/arena.h"
#include "base/status.h"
#include "base/u256.h"
#include "types/account.h"
#include "types/receipt.h"

/* What stands below the journal.  Where there is no account it says kl_account_none; code lives
 * until the journal's next begin_block. */
struct kl_state_reader {
    kl_status (*account)(struct kl_state_reader *reader, const kl_address *address,
                         const kl_hash *address_hash, kl_account *out, bool *exists);
    kl_status (*slot)(struct kl_state_reader *reader, const kl_hash *address_hash,
                      const kl_hash *slot_hash, kl_u256 *out);
    kl_status (*code)(struct kl_state_reader *reader, const kl_hash *code_hash, kl_span *out);
};

/* A reader over a view; lives in the caller's struct. */
struct kl_view;
struct kl_view_reader {
    struct kl_state_reader reader;
    struct kl_view *view;
};
void kl_view_reader_init(struct kl_view_reader *reader, struct kl_view *view);

typedef struct kl_jslot {
    kl_u256 key;
    kl_u256 stored, original, current;
    u32 original_tx; /* the transaction `original` is right for */
    u32 warm_tx;     /* the transaction that has touched it, 0 for none */
    kl_hash key_hash;
    struct kl_jslot *next; /* in order of first touch */
} kl_jslot;

typedef struct kl_jaccount {
    kl_address address;
    kl_hash address_hash;
    kl_account now;    /* storage_root is the stored one until commit */
    kl_account stored; /* at block start */
    bool exists;       /* is in the trie, as far as the next rule check goes */
    bool stored_exists;
    bool wiped; /* stored storage is gone: slots not in here read as 0 */
    bool dirty; /* anything may differ from stored */
    u32 warm_tx, created_tx, destroyed_tx, touched_tx;
    kl_span code; /* valid when has_code; what now.code_hash names */
    bool has_code, code_is_new;
    void *user; /* the host's, for analysed code; see kl_journal_config */
    struct kl_jslot_table *slots;
    kl_jslot *first_slot, **last_slot;
    struct kl_jaccount *next; /* in order of first touch */
} kl_jaccount;

struct kl_journal;

typedef struct kl_journal_config {
    usize memory_limit;
    /* Called for a->user when it is not NULL and the account's code changes or the block ends. */
    void (*drop_user)(void *ctx, void *user);
    void *ctx;
    u64 seed; /* for the hash tables */
} kl_journal_config;

KL_MUST_USE kl_status kl_journal_new(struct kl_journal **out, const kl_journal_config *config);
void kl_journal_free(struct kl_journal *journal);

/* Forgets everything and starts over on reader. */
void kl_journal_begin_block(struct kl_journal *journal, struct kl_state_reader *reader);

/* Starts the next transaction: everything so far is its past.  The array of the last one's log
 * entries is gone; what their data views lives until begin_block. */
void kl_journal_begin_tx(struct kl_journal *journal);

/* Ends the transaction: destroyed accounts go, and with delete_empty the touched empty ones too
 * [EIP-161]. */
KL_MUST_USE kl_status kl_journal_end_tx(struct kl_journal *journal, bool delete_empty);

/* Undo.  A snapshot stays valid until something older is reverted to or the transaction ends. */
u32 kl_journal_snapshot(const struct kl_journal *journal);
void kl_journal_revert(struct kl_journal *journal, u32 snapshot);

/* The account at address, loaded if need be; the pointer is good until the next begin_block. */
KL_MUST_USE kl_status kl_journal_account(struct kl_journal *journal, const kl_address *address,
                                         kl_jaccount **out);
/* Marks it warm in this transaction; true when it was cold. */
bool kl_journal_warm(struct kl_journal *journal, kl_jaccount *account);
/* Its code; empty for none.  Lives until the next begin_block. */
KL_MUST_USE kl_status kl_journal_code(struct kl_journal *journal, kl_jaccount *account,
                                      kl_span *out);

void kl_journal_set_balance(struct kl_journal *journal, kl_jaccount *account, kl_u256 balance);
void kl_journal_set_nonce(struct kl_journal *journal, kl_jaccount *account, u64 nonce);
/* Copies code; code_hash is its hash, or is computed when NULL. */
KL_MUST_USE kl_status kl_journal_set_code(struct kl_journal *journal, kl_jaccount *account,
                                          kl_span code, const kl_hash *code_hash);
/* Touches it and nothing more: a call, or a transfer of nothing. */
void kl_journal_touch(struct kl_journal *journal, kl_jaccount *account);
/* Marks account as created by this transaction, existing, with no code and the storage of nobody;
 * nonce and balance stay. */
void kl_journal_create(struct kl_journal *journal, kl_jaccount *account);
bool kl_journal_created_in_tx(const struct kl_journal *journal, const kl_jaccount *account);
/* Marks account for deletion at the end of the transaction; balances are the caller's business. */
void kl_journal_destroy(struct kl_journal *journal, kl_jaccount *account);
bool kl_journal_destroyed_in_tx(const struct kl_journal *journal, const kl_jaccount *account);

/* A storage slot with current and original right for this transaction; *cold when it was not
 * touched before in it, and it is warm afterwards.  Write through kl_journal_set_slot only. */
KL_MUST_USE kl_status kl_journal_slot(struct kl_journal *journal, kl_jaccount *account,
                                      const kl_u256 *key, kl_jslot **out, bool *cold);
void kl_journal_set_slot(struct kl_journal *journal, kl_jaccount *account, kl_jslot *slot,
                         const kl_u256 *value);
/* Does the account have any storage?  For creation collisions [EIP-7610]. */
bool kl_journal_has_storage(const struct kl_journal *journal, const kl_jaccount *account);

/* Transient storage [EIP-1153]. */
KL_MUST_USE kl_status kl_journal_transient(struct kl_journal *journal, const kl_address *address,
                                           const kl_u256 *key, kl_u256 *out);
KL_MUST_USE kl_status kl_journal_set_transient(struct kl_journal *journal,
                                               const kl_address *address, const kl_u256 *key,
                                               const kl_u256 *value);

/* Log entries of this transaction, undone by revert; data is copied. */
KL_MUST_USE kl_status kl_journal_log(struct kl_journal *journal, const kl_log_entry *entry);
void kl_journal_logs(const struct kl_journal *journal, const kl_log_entry **out, usize *count);

/* All accounts of the block so far, in order of first touch. */
kl_jaccount *kl_journal_first(const struct kl_journal *journal);

#endif

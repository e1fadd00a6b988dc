/* What transactions do to accounts.  Every change first writes down what it overwrites, so that
 * revert can put it back, and marks the account as touched, so that the end of the transaction
 * looks at it. */
#include <stdlib.h>

#include "crypto/keccak.h"
#include "state/journal_priv.h"

enum { ENDING_MIN = 64, LOGS_MIN = 64 };

void kl_journal_drop_user(struct kl_journal *journal, kl_jaccount *account)
{
    if (account->user && journal->config.drop_user)
        journal->config.drop_user(journal->config.ctx, account->user);
    account->user = NULL;
}

/* The end of the transaction is to look at the account. */
static void remember(struct kl_journal *j, kl_jaccount *account)
{
    if (j->ending_count == j->ending_cap) {
        void *array = j->ending;
        usize cap = KL_MAX(2 * j->ending_cap, (usize)ENDING_MIN);
        if (!kl_journal_grow(j, &array, &j->ending_cap, cap, sizeof(kl_jaccount *)))
            return;
        j->ending = array;
    }
    j->ending[j->ending_count++] = account;
}

void kl_journal_touch(struct kl_journal *journal, kl_jaccount *account)
{
    if (account->touched_tx == journal->tx && account->exists)
        return;
    kl_undo_touch(journal, account);
    remember(journal, account);
    account->touched_tx = journal->tx;
    account->exists = true;
    account->dirty = true;
}

void kl_journal_set_balance(struct kl_journal *journal, kl_jaccount *account, kl_u256 balance)
{
    kl_journal_touch(journal, account);
    kl_undo_balance(journal, account);
    account->now.balance = balance;
}

void kl_journal_set_nonce(struct kl_journal *journal, kl_jaccount *account, u64 nonce)
{
    kl_journal_touch(journal, account);
    kl_undo_nonce(journal, account);
    account->now.nonce = nonce;
}

static void change_code(struct kl_journal *j, kl_jaccount *account, kl_span code,
                        const kl_hash *code_hash)
{
    kl_undo_code(j, account);
    kl_journal_drop_user(j, account);
    account->now.code_hash = *code_hash;
    account->code = code;
    account->has_code = true;
    account->code_is_new = code.len > 0;
}

kl_status kl_journal_set_code(struct kl_journal *journal, kl_jaccount *account, kl_span code,
                              const kl_hash *code_hash)
{
    if (journal->failed != KL_OK)
        return journal->failed;
    kl_span copy = kl_arena_copy(&journal->arena, code);
    if (!copy.p && code.len)
        return kl_journal_fail(journal, KL_LIMIT);
    kl_hash hash = code_hash ? *code_hash : kl_keccak256(code);
    kl_journal_touch(journal, account);
    change_code(journal, account, copy, &hash);
    return journal->failed;
}

void kl_journal_set_slot(struct kl_journal *journal, kl_jaccount *account, kl_jslot *slot,
                         const kl_u256 *value)
{
    if (kl_u256_eq(slot->current, *value))
        return;
    kl_undo_slot(journal, slot);
    slot->current = *value;
    account->dirty = true;
}

static bool has_stored_storage(const kl_jaccount *account)
{
    return !kl_hash_eq(&account->stored.storage_root, &kl_keccak_empty_rlp);
}

void kl_journal_create(struct kl_journal *journal, kl_jaccount *account)
{
    kl_journal_touch(journal, account);
    kl_undo_create(journal, account);
    account->created_tx = journal->tx;
    if (!kl_hash_eq(&account->now.code_hash, &kl_keccak_empty))
        change_code(journal, account, KL_SPAN_NONE, &kl_keccak_empty);
    for (kl_jslot *slot = account->first_slot; slot; slot = slot->next) {
        kl_journal_refresh_slot(journal, slot);
        kl_journal_set_slot(journal, account, slot, &KL_U256_ZERO);
    }
    if (has_stored_storage(account) && !account->wiped) {
        kl_undo_wipe(journal, account);
        account->wiped = true;
    }
}

bool kl_journal_created_in_tx(const struct kl_journal *journal, const kl_jaccount *account)
{
    return account->created_tx == journal->tx;
}

void kl_journal_destroy(struct kl_journal *journal, kl_jaccount *account)
{
    if (account->destroyed_tx == journal->tx)
        return;
    kl_undo_destroy(journal, account);
    remember(journal, account);
    account->destroyed_tx = journal->tx;
}

bool kl_journal_destroyed_in_tx(const struct kl_journal *journal, const kl_jaccount *account)
{
    return account->destroyed_tx == journal->tx;
}

/* Takes the account out of the world, for good. */
static void erase(struct kl_journal *j, kl_jaccount *account)
{
    kl_hash root = account->now.storage_root;
    kl_journal_drop_user(j, account);
    account->now = kl_account_none();
    account->now.storage_root = root; /* the stored one until commit */
    account->exists = false;
    account->dirty = true;
    account->wiped |= has_stored_storage(account);
    account->code = KL_SPAN_NONE;
    account->has_code = account->code_is_new = false;
    for (kl_jslot *slot = account->first_slot; slot; slot = slot->next)
        slot->current = KL_U256_ZERO;
}

static bool must_go(const struct kl_journal *j, const kl_jaccount *account, bool delete_empty)
{
    if (account->destroyed_tx == j->tx)
        return true;
    bool touched =
        account->touched_tx == j->tx || (j->ripemd_tx == j->tx && kl_is_ripemd(&account->address));
    return delete_empty && touched && account->exists && kl_account_is_empty(&account->now);
}

kl_status kl_journal_end_tx(struct kl_journal *journal, bool delete_empty)
{
    if (journal->failed != KL_OK)
        return journal->failed;
    for (usize i = 0; i < journal->ending_count; i++)
        if (must_go(journal, journal->ending[i], delete_empty))
            erase(journal, journal->ending[i]);
    journal->undo_len = 0;
    journal->ending_count = 0;
    return KL_OK;
}

kl_status kl_journal_log(struct kl_journal *journal, const kl_log_entry *entry)
{
    KL_ASSERT(entry->topic_count <= KL_COUNT_OF(entry->topics));
    if (journal->failed != KL_OK)
        return journal->failed;
    if (journal->log_count == journal->log_cap) {
        void *array = journal->logs;
        usize cap = KL_MAX(2 * journal->log_cap, (usize)LOGS_MIN);
        if (!kl_journal_grow(journal, &array, &journal->log_cap, cap, sizeof(kl_log_entry)))
            return journal->failed;
        journal->logs = array;
    }
    kl_span data = kl_arena_copy(&journal->arena, entry->data);
    if (!data.p && data.len)
        return kl_journal_fail(journal, KL_LIMIT);
    kl_undo_log(journal);
    journal->logs[journal->log_count] = *entry;
    journal->logs[journal->log_count++].data = data;
    return journal->failed;
}

void kl_journal_logs(const struct kl_journal *journal, const kl_log_entry **out, usize *count)
{
    *out = journal->logs;
    *count = journal->log_count;
}

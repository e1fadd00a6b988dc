/* The undo log is a stack of words.  An entry is the words a change overwrote and, on top of them,
 * the thing that was changed with the kind of change in the low bits of its address; so reverting
 * reads it from the top, and the most frequent entry, "became warm", takes one word. */
#include "state/journal_priv.h"

typedef enum undo_kind {
    UNDO_WARM_ACCOUNT,
    UNDO_WARM_SLOT,
    UNDO_BALANCE,
    UNDO_NONCE,
    UNDO_CODE,
    UNDO_SLOT,
    UNDO_TOUCH,
    UNDO_CREATE,
    UNDO_WIPE,
    UNDO_DESTROY,
    UNDO_TRANSIENT,
    UNDO_LOG,
} undo_kind;

enum { KIND_MASK = 15, CAP_MIN = 1024, PAYLOAD_MAX = 7 };

typedef struct old_code {
    kl_hash hash;
    kl_span code;
    u32 has_code, code_is_new;
} old_code;

typedef struct old_touch {
    u32 tx, exists;
} old_touch;

_Static_assert(sizeof(old_code) == 8 * PAYLOAD_MAX, "the largest payload");
_Static_assert(sizeof(old_touch) == 8, "one word");

/* Puts an entry down; without room the journal has failed. */
static void push(struct kl_journal *j, undo_kind kind, const void *thing, const void *payload,
                 usize words)
{
    if (KL_UNLIKELY(j->undo_len + PAYLOAD_MAX + 1 > j->undo_cap)) {
        void *undo = j->undo;
        usize cap = KL_MAX(2 * j->undo_cap, (usize)CAP_MIN);
        if (!kl_journal_grow(j, &undo, &j->undo_cap, cap, sizeof *j->undo))
            return;
        j->undo = undo;
    }
    u64 *entry = j->undo + j->undo_len;
    if (words)
        memcpy(entry, payload, 8 * words);
    entry[words] = (u64)(uintptr_t)thing | kind;
    j->undo_len += words + 1;
}

void kl_undo_warm_account(struct kl_journal *journal, kl_jaccount *account)
{
    push(journal, UNDO_WARM_ACCOUNT, account, NULL, 0);
}

void kl_undo_warm_slot(struct kl_journal *journal, kl_jslot *slot)
{
    push(journal, UNDO_WARM_SLOT, slot, NULL, 0);
}

void kl_undo_balance(struct kl_journal *journal, kl_jaccount *account)
{
    push(journal, UNDO_BALANCE, account, &account->now.balance, 4);
}

void kl_undo_nonce(struct kl_journal *journal, kl_jaccount *account)
{
    push(journal, UNDO_NONCE, account, &account->now.nonce, 1);
}

void kl_undo_code(struct kl_journal *journal, kl_jaccount *account)
{
    old_code old = {account->now.code_hash, account->code, account->has_code, account->code_is_new};
    push(journal, UNDO_CODE, account, &old, PAYLOAD_MAX);
}

void kl_undo_slot(struct kl_journal *journal, kl_jslot *slot)
{
    push(journal, UNDO_SLOT, slot, &slot->current, 4);
}

void kl_undo_touch(struct kl_journal *journal, kl_jaccount *account)
{
    old_touch old = {account->touched_tx, account->exists};
    push(journal, UNDO_TOUCH, account, &old, 1);
}

void kl_undo_create(struct kl_journal *journal, kl_jaccount *account)
{
    u64 old = account->created_tx;
    push(journal, UNDO_CREATE, account, &old, 1);
}

void kl_undo_wipe(struct kl_journal *journal, kl_jaccount *account)
{
    push(journal, UNDO_WIPE, account, &account->last_slot, 1);
}

void kl_undo_destroy(struct kl_journal *journal, kl_jaccount *account)
{
    u64 old = account->destroyed_tx;
    push(journal, UNDO_DESTROY, account, &old, 1);
}

void kl_undo_transient(struct kl_journal *journal, struct kl_jtransient *entry)
{
    push(journal, UNDO_TRANSIENT, entry, &entry->value, 4);
}

void kl_undo_log(struct kl_journal *journal)
{
    push(journal, UNDO_LOG, NULL, NULL, 0);
}

static void pop(struct kl_journal *j, void *payload, usize words)
{
    j->undo_len -= words;
    memcpy(payload, j->undo + j->undo_len, 8 * words);
}

static u64 pop_word(struct kl_journal *j)
{
    return j->undo[--j->undo_len];
}

static void undo_code(struct kl_journal *j, kl_jaccount *account)
{
    old_code old;
    pop(j, &old, PAYLOAD_MAX);
    kl_journal_drop_user(j, account);
    account->now.code_hash = old.hash;
    account->code = old.code;
    account->has_code = old.has_code;
    account->code_is_new = old.code_is_new;
}

static void undo_touch(struct kl_journal *j, kl_jaccount *account)
{
    old_touch old;
    pop(j, &old, 1);
    if (kl_is_ripemd(&account->address))
        j->ripemd_tx = j->tx;
    account->touched_tx = old.tx;
    account->exists = old.exists;
}

/* Slots that were met while the stored storage counted as gone read 0 and have nothing to undo. */
static void undo_wipe(struct kl_journal *j, kl_jaccount *account)
{
    kl_jslot **behind;
    pop(j, &behind, 1);
    for (kl_jslot *slot = *behind; slot; slot = slot->next)
        slot->current = slot->original = slot->stored;
    account->wiped = false;
}

static void undo_last(struct kl_journal *j)
{
    u64 top = pop_word(j);
    undo_kind kind = (undo_kind)(top & KIND_MASK);
    void *thing = (void *)(uintptr_t)(top & ~(u64)KIND_MASK);
    kl_jaccount *account = thing;
    kl_jslot *slot = thing;
    struct kl_jtransient *transient = thing;
    switch (kind) {
    case UNDO_WARM_ACCOUNT:
        account->warm_tx = 0;
        break;
    case UNDO_WARM_SLOT:
        slot->warm_tx = 0;
        break;
    case UNDO_BALANCE:
        pop(j, &account->now.balance, 4);
        break;
    case UNDO_NONCE:
        account->now.nonce = pop_word(j);
        break;
    case UNDO_CODE:
        undo_code(j, account);
        break;
    case UNDO_SLOT:
        pop(j, &slot->current, 4);
        break;
    case UNDO_TOUCH:
        undo_touch(j, account);
        break;
    case UNDO_CREATE:
        account->created_tx = (u32)pop_word(j);
        break;
    case UNDO_WIPE:
        undo_wipe(j, account);
        break;
    case UNDO_DESTROY:
        account->destroyed_tx = (u32)pop_word(j);
        break;
    case UNDO_TRANSIENT:
        pop(j, &transient->value, 4);
        break;
    case UNDO_LOG:
        j->log_count--;
        break;
    }
}

u32 kl_journal_snapshot(const struct kl_journal *journal)
{
    KL_ASSERT(journal->undo_len <= UINT32_MAX);
    return (u32)journal->undo_len;
}

void kl_journal_revert(struct kl_journal *journal, u32 snapshot)
{
    KL_ASSERT(snapshot <= journal->undo_len);
    while (journal->undo_len > snapshot)
        undo_last(journal);
    KL_ASSERT(journal->undo_len == snapshot);
}

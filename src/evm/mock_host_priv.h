/* mock_host: a small world for tests, fuzz targets and benchmarks of the EVM.
 *
 * Accounts and slots lie in fixed tables, found by linear probing; every change saves the bytes it
 * overwrites, so that revert is their way back.  Full tables are KL_LIMIT.  It follows the rules of
 * host.h under mock->fork and keeps what was logged as one running hash. */
#ifndef KL_EVM_MOCK_HOST_PRIV_H
#define KL_EVM_MOCK_HOST_PRIV_H

#include <stdlib.h>

#include "base/map.h"
#include "crypto/keccak.h"
#include "evm/evm.h"

/* Who needs less says so before; both are powers of two. */
#ifndef MOCK_ACCOUNTS
#define MOCK_ACCOUNTS 8192
#define MOCK_SLOTS    (1 << 17)
#endif

typedef struct mock_account {
    kl_address address;
    kl_u256 balance;
    u64 nonce;
    bool exists, warm, touched, created, destroyed, stored;
    struct kl_code *code;
    kl_hash code_hash;
} mock_account;

typedef struct mock_slot {
    const mock_account *owner; /* NULL: free */
    kl_u256 key, current, original, transient;
    bool warm;
} mock_slot;

typedef struct mock_undo {
    void *at;
    u32 len;
    u8 bytes[36];
} mock_undo;

struct mock_host {
    struct kl_evm_host host;
    kl_fork fork;
    mock_account *accounts;
    u32 *account_index; /* by hash of the address: number + 1 */
    u32 account_count;
    mock_slot *slots;
    u32 *slot_order; /* in order of first use */
    u32 slot_count;
    mock_undo *undo;
    u32 undo_count, undo_cap;
    struct kl_code **codes; /* all made here, to be freed */
    u32 code_count, code_cap;
    kl_hash logs; /* keccak of the one before and the entry */
    u32 log_count;
    u32 fail_after; /* operations that can fail do so when this runs out; 0: never */
};

static inline struct mock_host *mock_of(struct kl_evm_host *host)
{
    return (struct mock_host *)(void *)host;
}

static inline void mock_save(struct mock_host *m, void *at, usize len)
{
    KL_ASSERT(len <= sizeof m->undo->bytes);
    if (m->undo_count == m->undo_cap) {
        m->undo_cap = m->undo_cap ? 2 * m->undo_cap : 1024;
        m->undo = realloc(m->undo, m->undo_cap * sizeof *m->undo);
        KL_ASSERT(m->undo);
    }
    mock_undo *u = &m->undo[m->undo_count++];
    u->at = at;
    u->len = (u32)len;
    memcpy(u->bytes, at, len);
}

#define MOCK_SET(m, field, value)                \
    do {                                         \
        mock_save((m), &(field), sizeof(field)); \
        (field) = (value);                       \
    } while (0)

static inline kl_status mock_may_fail(struct mock_host *m)
{
    return m->fail_after && --m->fail_after == 0 ? KL_IO : KL_OK;
}

static inline u64 mock_hash(const void *a, usize len, u64 seed)
{
    u64 h = seed;
    for (usize i = 0; i + 4 <= len; i += 4) {
        h = (h ^ kl_load_le32((const u8 *)a + i)) * 0x9e3779b97f4a7c15u;
        h ^= h >> 29;
    }
    return h;
}

static inline mock_account *mock_find(struct mock_host *m, const kl_address *address)
{
    u32 mask = 2 * MOCK_ACCOUNTS - 1;
    u32 i = (u32)mock_hash(address, sizeof *address, 1) & mask;
    for (; m->account_index[i]; i = (i + 1) & mask) {
        mock_account *a = &m->accounts[m->account_index[i] - 1];
        if (kl_address_eq(&a->address, address))
            return a;
    }
    if (m->account_count == MOCK_ACCOUNTS)
        return NULL;
    mock_account *a = &m->accounts[m->account_count++];
    m->account_index[i] = m->account_count;
    *a = (mock_account){.address = *address, .code_hash = kl_keccak_empty};
    return a;
}

static inline kl_status mock_op_account(struct kl_evm_host *host, const kl_address *address,
                                        kl_evm_account **out, bool *cold)
{
    struct mock_host *m = mock_of(host);
    KL_TRY(mock_may_fail(m));
    mock_account *a = mock_find(m, address);
    if (!a)
        return KL_LIMIT;
    if (cold) {
        *cold = !a->warm;
        if (!a->warm)
            MOCK_SET(m, a->warm, true);
    }
    *out = (kl_evm_account *)(void *)a;
    return KL_OK;
}

static inline mock_account *mock_account_of(kl_evm_account *account)
{
    return (mock_account *)(void *)account;
}

static inline const mock_account *mock_view(const kl_evm_account *account)
{
    return (const mock_account *)(const void *)account;
}

static inline kl_u256 mock_op_balance(KL_UNUSED struct kl_evm_host *host, const kl_evm_account *a)
{
    return mock_view(a)->balance;
}

static inline u64 mock_op_nonce(KL_UNUSED struct kl_evm_host *host, const kl_evm_account *a)
{
    return mock_view(a)->nonce;
}

static inline bool mock_op_exists(KL_UNUSED struct kl_evm_host *host, const kl_evm_account *a)
{
    return mock_view(a)->exists;
}

static inline bool mock_op_is_empty(KL_UNUSED struct kl_evm_host *host, const kl_evm_account *a)
{
    const mock_account *v = mock_view(a);
    return kl_u256_is_zero(v->balance) && v->nonce == 0 && v->code == NULL;
}

static inline const kl_hash *mock_op_code_hash(KL_UNUSED struct kl_evm_host *host,
                                               const kl_evm_account *a)
{
    return &mock_view(a)->code_hash;
}

static inline kl_status mock_op_code(struct kl_evm_host *host, kl_evm_account *account,
                                     const struct kl_code **out)
{
    KL_TRY(mock_may_fail(mock_of(host)));
    *out = mock_account_of(account)->code;
    return KL_OK;
}

static inline bool mock_op_has_storage(KL_UNUSED struct kl_evm_host *host, const kl_evm_account *a)
{
    return mock_view(a)->stored;
}

static inline mock_slot *mock_slot_at(struct mock_host *m, const mock_account *owner,
                                      const kl_u256 *key)
{
    u32 mask = MOCK_SLOTS - 1;
    u32 i = (u32)mock_hash(key, sizeof *key, (u64)(owner - m->accounts)) & mask;
    for (; m->slots[i].owner; i = (i + 1) & mask)
        if (m->slots[i].owner == owner && kl_u256_eq(m->slots[i].key, *key))
            return &m->slots[i];
    if (m->slot_count == MOCK_SLOTS / 2)
        return NULL;
    m->slot_order[m->slot_count++] = i;
    m->slots[i] = (mock_slot){.owner = owner, .key = *key};
    return &m->slots[i];
}

static inline kl_status mock_op_slot(struct kl_evm_host *host, kl_evm_account *account,
                                     const kl_u256 *key, kl_evm_slot *out)
{
    struct mock_host *m = mock_of(host);
    KL_TRY(mock_may_fail(m));
    mock_slot *s = mock_slot_at(m, mock_account_of(account), key);
    if (!s)
        return KL_LIMIT;
    *out = (kl_evm_slot){s, s->current, s->original, !s->warm};
    if (!s->warm)
        MOCK_SET(m, s->warm, true);
    return KL_OK;
}

static inline void mock_op_set_slot(struct kl_evm_host *host, KL_UNUSED kl_evm_account *account,
                                    const kl_evm_slot *slot, const kl_u256 *value)
{
    mock_slot *s = slot->handle;
    MOCK_SET(mock_of(host), s->current, *value);
}

static inline kl_status mock_op_transient(struct kl_evm_host *host, kl_evm_account *account,
                                          const kl_u256 *key, kl_u256 *out)
{
    struct mock_host *m = mock_of(host);
    KL_TRY(mock_may_fail(m));
    const mock_slot *s = mock_slot_at(m, mock_account_of(account), key);
    if (!s)
        return KL_LIMIT;
    *out = s->transient;
    return KL_OK;
}

static inline kl_status mock_op_set_transient(struct kl_evm_host *host, kl_evm_account *account,
                                              const kl_u256 *key, const kl_u256 *value)
{
    struct mock_host *m = mock_of(host);
    KL_TRY(mock_may_fail(m));
    mock_slot *s = mock_slot_at(m, mock_account_of(account), key);
    if (!s)
        return KL_LIMIT;
    MOCK_SET(m, s->transient, *value);
    return KL_OK;
}

static inline void mock_op_transfer(struct kl_evm_host *host, kl_evm_account *from,
                                    kl_evm_account *to, const kl_u256 *value)
{
    struct mock_host *m = mock_of(host);
    mock_account *a = mock_account_of(from), *b = mock_account_of(to);
    KL_ASSERT(!kl_u256_lt(a->balance, *value));
    MOCK_SET(m, b->touched, true);
    MOCK_SET(m, b->exists, true);
    MOCK_SET(m, a->balance, kl_u256_sub(a->balance, *value));
    MOCK_SET(m, b->balance, kl_u256_add(b->balance, *value));
}

static inline void mock_op_set_nonce(struct kl_evm_host *host, kl_evm_account *account, u64 nonce)
{
    MOCK_SET(mock_of(host), mock_account_of(account)->nonce, nonce);
}

static inline void mock_op_create(struct kl_evm_host *host, kl_evm_account *account)
{
    struct mock_host *m = mock_of(host);
    mock_account *a = mock_account_of(account);
    MOCK_SET(m, a->exists, true);
    MOCK_SET(m, a->created, true);
}

static inline struct kl_code *mock_code(struct mock_host *m, kl_span bytes)
{
    if (m->code_count == m->code_cap) {
        m->code_cap = m->code_cap ? 2 * m->code_cap : 64;
        m->codes = realloc(m->codes, m->code_cap * sizeof *m->codes);
        KL_ASSERT(m->codes);
    }
    struct kl_code **code = &m->codes[m->code_count++];
    KL_ASSERT(kl_code_new(code, bytes) == KL_OK);
    return *code;
}

static inline kl_status mock_op_set_code(struct kl_evm_host *host, kl_evm_account *account,
                                         kl_span code)
{
    struct mock_host *m = mock_of(host);
    mock_account *a = mock_account_of(account);
    KL_TRY(mock_may_fail(m));
    MOCK_SET(m, a->code, code.len ? mock_code(m, code) : NULL);
    MOCK_SET(m, a->code_hash, kl_keccak256(code));
    return KL_OK;
}

static inline void mock_op_destroy(struct kl_evm_host *host, kl_evm_account *account,
                                   kl_evm_account *heir, bool *first)
{
    struct mock_host *m = mock_of(host);
    mock_account *a = mock_account_of(account), *b = mock_account_of(heir);
    bool dies = m->fork < KL_CANCUN || a->created; /* [EIP-6780] */
    kl_u256 balance = a->balance;
    *first = dies && !a->destroyed;
    MOCK_SET(m, b->touched, true);
    MOCK_SET(m, b->exists, true);
    if (a != b || dies)
        MOCK_SET(m, a->balance, KL_U256_ZERO);
    if (a != b)
        MOCK_SET(m, b->balance, kl_u256_add(b->balance, balance));
    if (dies)
        MOCK_SET(m, a->destroyed, true);
}

static inline kl_status mock_op_log(struct kl_evm_host *host, const kl_log_entry *entry)
{
    struct mock_host *m = mock_of(host);
    KL_TRY(mock_may_fail(m));
    kl_keccak k;
    kl_keccak_init(&k);
    kl_keccak_add(&k, kl_hash_span(&m->logs));
    kl_keccak_add(&k, kl_address_span(&entry->address));
    kl_keccak_add(&k, kl_span_of(entry->topics, entry->topic_count * sizeof entry->topics[0]));
    kl_keccak_add(&k, entry->data);
    MOCK_SET(m, m->logs, kl_keccak_done(&k));
    MOCK_SET(m, m->log_count, m->log_count + 1);
    return KL_OK;
}

static inline kl_status mock_op_block_hash(struct kl_evm_host *host, u64 number, kl_hash *out)
{
    KL_TRY(mock_may_fail(mock_of(host)));
    u8 text[8];
    kl_store_be64(text, number);
    *out = kl_keccak256(kl_span_of(text, sizeof text));
    return KL_OK;
}

static inline u32 mock_op_snapshot(struct kl_evm_host *host)
{
    return mock_of(host)->undo_count;
}

static inline void mock_op_revert(struct kl_evm_host *host, u32 snapshot)
{
    struct mock_host *m = mock_of(host);
    while (m->undo_count > snapshot) {
        const mock_undo *u = &m->undo[--m->undo_count];
        memcpy(u->at, u->bytes, u->len);
    }
}

static const struct kl_evm_host_ops mock_ops = {
    .account = mock_op_account,
    .balance = mock_op_balance,
    .nonce = mock_op_nonce,
    .exists = mock_op_exists,
    .is_empty = mock_op_is_empty,
    .code_hash = mock_op_code_hash,
    .code = mock_op_code,
    .has_storage = mock_op_has_storage,
    .slot = mock_op_slot,
    .set_slot = mock_op_set_slot,
    .transient = mock_op_transient,
    .set_transient = mock_op_set_transient,
    .transfer = mock_op_transfer,
    .set_nonce = mock_op_set_nonce,
    .create = mock_op_create,
    .set_code = mock_op_set_code,
    .destroy = mock_op_destroy,
    .log = mock_op_log,
    .block_hash = mock_op_block_hash,
    .snapshot = mock_op_snapshot,
    .revert = mock_op_revert,
};

static inline void mock_init(struct mock_host *m, kl_fork fork)
{
    *m = (struct mock_host){.host = {&mock_ops}, .fork = fork};
    m->accounts = calloc(MOCK_ACCOUNTS, sizeof *m->accounts);
    m->account_index = calloc((usize)2 * MOCK_ACCOUNTS, sizeof *m->account_index);
    m->slots = calloc(MOCK_SLOTS, sizeof *m->slots);
    m->slot_order = calloc(MOCK_SLOTS, sizeof *m->slot_order);
    KL_ASSERT(m->accounts && m->account_index && m->slots && m->slot_order);
}

static inline void mock_done(struct mock_host *m)
{
    for (u32 i = 0; i < m->code_count; i++)
        kl_code_unref(m->codes[i]);
    free(m->codes);
    free(m->undo);
    free(m->slot_order);
    free(m->slots);
    free(m->account_index);
    free(m->accounts);
}

/* Setting up: an account that exists, with balance and code; a slot with a value. */
static inline mock_account *mock_put(struct mock_host *m, const kl_address *address,
                                     kl_u256 balance, kl_span code)
{
    mock_account *a = mock_find(m, address);
    KL_ASSERT(a);
    a->exists = true;
    a->balance = balance;
    if (code.len) {
        a->code = mock_code(m, code);
        a->code_hash = kl_keccak256(code);
    }
    return a;
}

static inline void mock_put_slot(struct mock_host *m, mock_account *account, kl_u256 key,
                                 kl_u256 value)
{
    mock_slot *s = mock_slot_at(m, account, &key);
    KL_ASSERT(s);
    s->current = s->original = value;
    account->stored = account->stored || !kl_u256_is_zero(value);
}

/* Everything a run may change, as one hash. */
static inline kl_hash mock_digest(const struct mock_host *m)
{
    kl_keccak k;
    kl_keccak_init(&k);
    for (u32 i = 0; i < m->account_count; i++) {
        const mock_account *a = &m->accounts[i];
        u8 flags[14] = {a->exists, a->warm, a->touched, a->created, a->destroyed, a->stored};
        kl_store_be64(flags + 6, a->nonce);
        kl_keccak_add(&k, kl_address_span(&a->address));
        kl_keccak_add(&k, KL_SPAN_OF(a->balance));
        kl_keccak_add(&k, kl_hash_span(&a->code_hash));
        kl_keccak_add(&k, KL_SPAN_OF(flags));
    }
    for (u32 i = 0; i < m->slot_count; i++) {
        const mock_slot *s = &m->slots[m->slot_order[i]];
        kl_keccak_add(&k, kl_address_span(&s->owner->address));
        kl_keccak_add(&k, KL_SPAN_OF(s->key));
        kl_keccak_add(&k, KL_SPAN_OF(s->current));
        kl_keccak_add(&k, KL_SPAN_OF(s->transient));
        kl_keccak_add(&k, KL_SPAN_OF(s->warm));
    }
    kl_keccak_add(&k, kl_hash_span(&m->logs));
    return kl_keccak_done(&k);
}

#endif

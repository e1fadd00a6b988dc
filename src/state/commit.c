/* Two rounds of trie updates: all storage tries together, whose roots go into the accounts, then
 * the account trie.  Nothing is written into the journal; what is made on the way lies in the
 * scratch arena.
 *
 * Stored storage that is gone as a whole (an account was destroyed, or created anew over old
 * storage) is deleted by walking over it; the deletions come before whatever the new storage puts,
 * and of two changes of one key the last one counts. */
#include "state/commit.h"

#include <stdlib.h>

#include "crypto/keccak.h"
#include "state/format_priv.h"
#include "state/journal_priv.h"

/* One dirty account. */
struct job {
    const kl_jaccount *account;
    bool clear;             /* stored storage is to be deleted */
    const kl_jslot **slots; /* that change, by key_hash */
    bool *same;             /* of a cleared storage: the value was there before, too */
    usize slot_count;
    kl_trie_update *update; /* of its storage trie; NULL: the root stays, or is that of nothing */
    kl_account after;
};

struct commit {
    struct kl_view *view;
    struct kl_delta_builder *builder;
    struct kl_arena *scratch;
    struct kl_workers *workers;
    bool keep_preimages;
    struct job *jobs;
    usize job_count;
    kl_trie_update *updates;
    usize update_count;
};

struct sink {
    struct kl_trie_sink sink;
    struct kl_delta_builder *builder;
};

static kl_status sink_node(struct kl_trie_sink *sink, const kl_hash *owner, kl_span path,
                           kl_span node)
{
    struct kl_delta_builder *builder = ((struct sink *)sink)->builder;
    if (!builder)
        return KL_OK;
    u8 room[KL_NODE_KEY_MAX];
    kl_span key = kl_node_key(room, owner, path);
    return node.len ? kl_delta_put(builder, KL_TABLE_NODE, key, node)
                    : kl_delta_del(builder, KL_TABLE_NODE, key);
}

static kl_status apply(struct commit *c, kl_trie_update *updates, usize count)
{
    struct sink sink = {.sink.node = sink_node, .builder = c->builder};
    return kl_trie_apply(updates, count, kl_view_tries(c->view), &sink.sink, c->scratch,
                         c->workers);
}

static bool had_storage(const kl_jaccount *account)
{
    return !kl_hash_eq(&account->stored.storage_root, &kl_keccak_empty_rlp);
}

static bool slot_changes(const struct job *job, const kl_jslot *slot)
{
    if (!job->account->exists)
        return false;
    return job->clear ? !kl_u256_is_zero(slot->current) : !kl_u256_eq(slot->current, slot->stored);
}

static int cmp_slots(const void *a, const void *b)
{
    const kl_jslot *x = *(const kl_jslot *const *)a, *y = *(const kl_jslot *const *)b;
    return memcmp(&x->key_hash, &y->key_hash, sizeof x->key_hash);
}

static kl_status pick_slots(struct commit *c, struct job *job)
{
    usize count = 0;
    for (const kl_jslot *slot = job->account->first_slot; slot; slot = slot->next)
        count += slot_changes(job, slot);
    if (count == 0)
        return KL_OK;
    job->slots = KL_TAKE(c->scratch, const kl_jslot *, count);
    job->same = KL_ZERO(c->scratch, bool, count);
    if (!job->slots || !job->same)
        return KL_NOMEM;
    for (const kl_jslot *slot = job->account->first_slot; slot; slot = slot->next)
        if (slot_changes(job, slot))
            job->slots[job->slot_count++] = slot;
    qsort(job->slots, count, sizeof(kl_jslot *), cmp_slots);
    return KL_OK;
}

static kl_status plan_storage(struct commit *c, struct job *job)
{
    if (job->slot_count == 0)
        return KL_OK;
    kl_trie_change *changes = KL_TAKE(c->scratch, kl_trie_change, job->slot_count);
    u8(*rooms)[KL_SLOT_RLP_MAX] =
        kl_arena_take(c->scratch, job->slot_count * sizeof *rooms, _Alignof(u8));
    if (!changes || !rooms)
        return KL_NOMEM;
    for (usize i = 0; i < job->slot_count; i++) {
        u8 packed[32];
        kl_span value = kl_slot_pack(packed, &job->slots[i]->current);
        changes[i].key = job->slots[i]->key_hash;
        changes[i].value = value.len ? kl_slot_rlp(rooms[i], value) : KL_SPAN_NONE;
    }
    job->update = &c->updates[c->update_count++];
    *job->update = (kl_trie_update){
        .owner = &job->account->address_hash,
        .fresh = job->clear || !had_storage(job->account),
        .changes = changes,
        .count = job->slot_count,
    };
    return KL_OK;
}

static int cmp_jobs(const void *a, const void *b)
{
    const struct job *x = a, *y = b;
    return memcmp(&x->account->address_hash, &y->account->address_hash, sizeof(kl_hash));
}

/* The dirty accounts by address_hash, and what becomes of their storage. */
static kl_status plan(struct commit *c, const struct kl_journal *journal)
{
    usize count = 0;
    for (const kl_jaccount *a = kl_journal_first(journal); a; a = a->next)
        count += a->dirty;
    c->jobs = KL_ZERO(c->scratch, struct job, count);
    c->updates = KL_TAKE(c->scratch, kl_trie_update, count);
    if (!c->jobs || !c->updates)
        return KL_NOMEM;
    for (const kl_jaccount *a = kl_journal_first(journal); a; a = a->next)
        if (a->dirty)
            c->jobs[c->job_count++] = (struct job){
                .account = a,
                .clear = had_storage(a) && (a->wiped || !a->exists),
            };
    qsort(c->jobs, c->job_count, sizeof *c->jobs, cmp_jobs);
    for (usize i = 0; i < c->job_count; i++) {
        KL_TRY(pick_slots(c, &c->jobs[i]));
        KL_TRY(plan_storage(c, &c->jobs[i]));
    }
    return KL_OK;
}

/* Walking over storage that goes. */
struct clearing {
    struct commit *commit;
    struct job *job;
    kl_status status;
};

static bool is_same(struct job *job, kl_span key, kl_span value)
{
    usize low = 0, high = job->slot_count;
    while (low < high) {
        usize middle = low + (high - low) / 2;
        int order = memcmp(job->slots[middle]->key_hash.b, key.p + 32, 32);
        if (order == 0) {
            u8 packed[32];
            job->same[middle] =
                kl_span_eq(kl_slot_pack(packed, &job->slots[middle]->current), value);
            return job->same[middle];
        }
        if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return false;
}

static bool clear_slot(void *ctx, kl_span key, kl_span value)
{
    struct clearing *clearing = ctx;
    if (key.len != sizeof(kl_slot_key))
        clearing->status = KL_CORRUPT;
    else if (!is_same(clearing->job, key, value))
        clearing->status = kl_delta_del(clearing->commit->builder, KL_TABLE_SLOT, key);
    return clearing->status == KL_OK;
}

static bool clear_node(void *ctx, kl_span key, kl_span value)
{
    (void)value;
    struct clearing *clearing = ctx;
    if (kl_node_key_is_storage(key))
        clearing->status = kl_delta_del(clearing->commit->builder, KL_TABLE_NODE, key);
    return clearing->status == KL_OK;
}

static kl_status clear_storage(struct commit *c, struct job *job)
{
    struct clearing clearing = {.commit = c, .job = job};
    kl_span owner = kl_hash_span(&job->account->address_hash);
    KL_TRY(kl_view_scan(c->view, KL_TABLE_SLOT, owner, owner, clear_slot, &clearing));
    KL_TRY(clearing.status);
    KL_TRY(kl_view_scan(c->view, KL_TABLE_NODE, owner, owner, clear_node, &clearing));
    return clearing.status;
}

static bool same_account(const kl_account *a, const kl_account *b)
{
    return a->nonce == b->nonce && kl_u256_eq(a->balance, b->balance) &&
           kl_hash_eq(&a->storage_root, &b->storage_root) &&
           kl_hash_eq(&a->code_hash, &b->code_hash);
}

static bool account_changes(const struct job *job)
{
    const kl_jaccount *account = job->account;
    if (account->exists != account->stored_exists)
        return true;
    return account->exists && !same_account(&job->after, &account->stored);
}

/* The account as it stands in the trie from here on. */
static void finish_account(struct job *job)
{
    job->after = job->account->now;
    if (job->update)
        job->after.storage_root = job->update->root;
    else if (job->clear)
        job->after.storage_root = kl_keccak_empty_rlp;
    else
        job->after.storage_root = job->account->stored.storage_root;
}

static kl_status update_accounts(struct commit *c, kl_hash *root)
{
    kl_trie_change *changes = KL_TAKE(c->scratch, kl_trie_change, c->job_count);
    u8(*rooms)[KL_ACCOUNT_RLP_MAX] =
        kl_arena_take(c->scratch, c->job_count * sizeof *rooms, _Alignof(u8));
    if (!changes || !rooms)
        return KL_NOMEM;
    kl_trie_update update = {.changes = changes};
    for (usize i = 0; i < c->job_count; i++) {
        struct job *job = &c->jobs[i];
        finish_account(job);
        if (!account_changes(job))
            continue;
        kl_out rlp = kl_out_of(rooms[i], sizeof rooms[i]);
        if (job->account->exists)
            kl_account_encode(&rlp, &job->after);
        KL_ASSERT(!rlp.full);
        changes[update.count++] = (kl_trie_change){job->account->address_hash, kl_out_done(&rlp)};
    }
    if (update.count == 0)
        return kl_trie_root(root, NULL, kl_view_tries(c->view), c->scratch);
    KL_TRY(apply(c, &update, 1));
    *root = update.root;
    return KL_OK;
}

static kl_status put_code(struct commit *c, const kl_jaccount *account)
{
    kl_span key = kl_hash_span(&account->now.code_hash), there;
    if (!account->exists || !account->code_is_new ||
        kl_hash_eq(&account->now.code_hash, &account->stored.code_hash))
        return KL_OK;
    kl_status status = kl_view_get(c->view, KL_TABLE_CODE, key, &there);
    if (status != KL_NOTFOUND)
        return status;
    return kl_delta_put(c->builder, KL_TABLE_CODE, key, account->code);
}

static kl_status put_account(struct commit *c, const struct job *job)
{
    const kl_jaccount *account = job->account;
    kl_span key = kl_hash_span(&account->address_hash);
    if (!account_changes(job))
        return KL_OK;
    if (!account->exists)
        return kl_delta_del(c->builder, KL_TABLE_ACCOUNT, key);
    u8 room[KL_ACCOUNT_VALUE_MAX];
    KL_TRY(kl_delta_put(c->builder, KL_TABLE_ACCOUNT, key, kl_account_pack(room, &job->after)));
    if (!c->keep_preimages || account->stored_exists)
        return KL_OK;
    return kl_delta_put(c->builder, KL_TABLE_PREIMAGE, key, kl_address_span(&account->address));
}

static kl_status put_slot(struct commit *c, const struct job *job, const kl_jslot *slot)
{
    kl_slot_key key = {job->account->address_hash, slot->key_hash};
    if (kl_u256_is_zero(slot->current))
        return kl_delta_del(c->builder, KL_TABLE_SLOT, kl_slot_key_span(&key));
    u8 packed[32], preimage[32];
    kl_span value = kl_slot_pack(packed, &slot->current);
    KL_TRY(kl_delta_put(c->builder, KL_TABLE_SLOT, kl_slot_key_span(&key), value));
    if (!c->keep_preimages || !(job->clear || kl_u256_is_zero(slot->stored)))
        return KL_OK;
    kl_u256_to_be(preimage, slot->key);
    return kl_delta_put(c->builder, KL_TABLE_PREIMAGE, kl_hash_span(&slot->key_hash),
                        KL_SPAN_OF(preimage));
}

static kl_status put_all(struct commit *c)
{
    for (usize i = 0; i < c->job_count; i++) {
        const struct job *job = &c->jobs[i];
        KL_TRY(put_account(c, job));
        KL_TRY(put_code(c, job->account));
        for (usize s = 0; s < job->slot_count; s++)
            if (!job->same[s])
                KL_TRY(put_slot(c, job, job->slots[s]));
    }
    return KL_OK;
}

static kl_status run(struct commit *c, const struct kl_journal *journal, kl_hash *root)
{
    KL_TRY(journal->failed);
    KL_TRY(plan(c, journal));
    for (usize i = 0; i < c->job_count && c->builder; i++)
        if (c->jobs[i].clear)
            KL_TRY(clear_storage(c, &c->jobs[i]));
    if (c->update_count)
        KL_TRY(apply(c, c->updates, c->update_count));
    kl_hash after;
    KL_TRY(update_accounts(c, &after));
    if (c->builder)
        KL_TRY(put_all(c));
    *root = after;
    return KL_OK;
}

kl_status kl_state_commit(struct kl_journal *journal, struct kl_view *view,
                          struct kl_delta_builder *builder, bool keep_preimages, kl_hash *root,
                          struct kl_arena *scratch, struct kl_workers *workers)
{
    struct commit c = {
        .view = view,
        .builder = builder,
        .scratch = scratch,
        .workers = workers,
        .keep_preimages = keep_preimages,
    };
    kl_arena_mark mark = kl_arena_here(scratch);
    kl_status status = run(&c, journal, root);
    kl_arena_rewind(scratch, mark);
    return status;
}

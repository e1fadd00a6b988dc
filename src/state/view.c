/* A view is a snapshot of the database at some step and what leads from there to the version asked
 * for: the deltas above it, or the history below it.  Taking the snapshot and knowing which step it
 * holds happen under the state's lock, which the flush takes around its commit; so the two always
 * belong together, and a delta that was flushed meanwhile is read from below instead. */
#include "state/view.h"

#include <stdlib.h>

#include "crypto/keccak.h"
#include "state/format_priv.h"
#include "state/state_priv.h"

enum {
    IDLE_MAX = 64,           /* closed views kept for the next open */
    IDLE_BYTES = 64 * 1024,  /* of memory kept with each */
    VALUES_LIMIT = 1u << 30, /* of old values and leaves handed out by one view */
};

static kl_status keep(struct kl_view *view, kl_span bytes, kl_span *out)
{
    kl_span copy = kl_arena_copy(&view->values, bytes);
    if (!copy.p)
        return KL_LIMIT;
    *out = copy;
    return KL_OK;
}

static kl_status trie_node(struct kl_trie_source *source, const kl_hash *owner, kl_span path,
                           kl_span *out)
{
    u8 room[KL_NODE_KEY_MAX];
    return kl_view_get((struct kl_view *)source, KL_TABLE_NODE, kl_node_key(room, owner, path),
                       out);
}

static kl_status account_leaf(struct kl_view *view, const kl_hash *key, kl_span *out)
{
    kl_account account;
    bool exists;
    KL_TRY(kl_view_account(view, key, &account, &exists));
    if (!exists)
        return KL_NOTFOUND;
    u8 rlp[KL_ACCOUNT_RLP_MAX];
    kl_out writer = kl_out_of(rlp, sizeof rlp);
    kl_account_encode(&writer, &account);
    return keep(view, kl_out_done(&writer), out);
}

static kl_status trie_leaf(struct kl_trie_source *source, const kl_hash *owner, const kl_hash *key,
                           kl_span *out)
{
    struct kl_view *view = (struct kl_view *)source;
    if (!owner)
        return account_leaf(view, key, out);
    kl_slot_key slot = {*owner, *key};
    kl_span packed;
    kl_u256 value;
    KL_TRY(kl_view_get(view, KL_TABLE_SLOT, kl_slot_key_span(&slot), &packed));
    KL_TRY(kl_slot_unpack(&value, packed));
    u8 rlp[KL_SLOT_RLP_MAX];
    return keep(view, kl_slot_rlp(rlp, packed), out);
}

/* A view object, not in any list; the lock is held. */
static struct kl_view *take_object(struct kl_state *state)
{
    struct kl_view *view = state->idle;
    if (view) {
        state->idle = view->next;
        state->idle_count--;
        return view;
    }
    view = calloc(1, sizeof *view);
    if (!view)
        return NULL;
    view->tries = (struct kl_trie_source){.node = trie_node, .leaf = trie_leaf};
    view->state = state;
    kl_arena_init(&view->values, VALUES_LIMIT);
    kl_history_reader_init(&view->old);
    return view;
}

static void put_back(struct kl_state *state, struct kl_view *view)
{
    view->next = state->idle;
    state->idle = view;
    state->idle_count++;
}

void kl_view_free(struct kl_view *view)
{
    kl_arena_done(&view->values);
    kl_history_reader_done(&view->old);
    free(view);
}

/* Is the root of a chain of deltas, or the delta at `step` it stands on, what the database holds?
 */
static bool is_base(const struct kl_delta *delta, u64 step)
{
    return kl_delta_step(delta) <= step ? delta->flushed : kl_delta_step(delta) == step + 1;
}

bool kl_delta_stands_on(struct kl_delta *delta, u64 step)
{
    struct kl_delta *base = delta;
    while (kl_delta_step(base) > step && base->checked != step + 1 && base->parent)
        base = base->parent;
    if (base->checked != step + 1 && !is_base(base, step))
        return false;
    for (struct kl_delta *d = delta; d != base; d = d->parent)
        d->checked = step + 1;
    base->checked = step + 1;
    return true;
}

/* Can what the snapshot lacks be had from the history?  The lock is held. */
static kl_status check_history(const struct kl_view *view)
{
    const struct kl_state *state = view->state;
    bool kept = state->history && view->step - 1 >= state->oldest;
    return view->step >= view->base || kept ? KL_OK : KL_NOTFOUND;
}

/* Points the view, which has its snapshot, at the delta; the lock is held. */
static kl_status aim_at_delta(struct kl_view *view, struct kl_delta *delta)
{
    view->step = kl_delta_step(delta);
    if (view->step > view->base) {
        if (!kl_delta_stands_on(delta, view->base))
            return KL_CANCELED;
        view->delta = kl_delta_ref(delta);
        return KL_OK;
    }
    return delta->flushed ? check_history(view) : KL_CANCELED;
}

/* Points it at a step of the database's past, or at the snapshot itself when that is 0. */
static kl_status aim_at_step(struct kl_view *view, u64 step)
{
    view->step = step ? step : view->base;
    return view->step > view->base ? KL_NOTFOUND : check_history(view);
}

kl_status kl_view_open(struct kl_state *state, struct kl_delta *delta, u64 step,
                       struct kl_view **out)
{
    if (state->open_count == KL_STATE_VIEW_MAX)
        return KL_LIMIT;
    struct kl_view *view = take_object(state);
    if (!view)
        return KL_NOMEM;
    view->read = NULL;
    kl_status status = kl_state_snapshot(state, &view->read, &view->base);
    if (status == KL_OK)
        status = delta ? aim_at_delta(view, delta) : aim_at_step(view, step);
    if (status != KL_OK) {
        kl_kv_end_read(view->read);
        put_back(state, view);
        return status;
    }
    view->next = state->open;
    view->link = &state->open;
    if (view->next)
        view->next->link = &view->next;
    state->open = view;
    state->open_count++;
    *out = view;
    return KL_OK;
}

kl_status kl_state_view(struct kl_state *state, struct kl_delta *delta, struct kl_view **out)
{
    kl_lock(&state->lock);
    kl_status status = kl_view_open(state, delta, 0, out);
    kl_unlock(&state->lock);
    return status;
}

kl_status kl_state_view_at(struct kl_state *state, u64 version, struct kl_view **out)
{
    KL_ASSERT(version < UINT64_MAX);
    kl_lock(&state->lock);
    kl_status status = kl_view_open(state, NULL, version + 1, out);
    kl_unlock(&state->lock);
    return status;
}

void kl_view_close(struct kl_view *view)
{
    if (!view)
        return;
    struct kl_state *state = view->state;
    kl_kv_end_read(view->read);
    kl_delta_unref(view->delta);
    view->delta = NULL;
    kl_arena_reset(&view->values, IDLE_BYTES);
    kl_history_reader_reset(&view->old);
    kl_lock(&state->lock);
    *view->link = view->next;
    if (view->next)
        view->next->link = view->link;
    state->open_count--;
    bool kept = state->idle_count < IDLE_MAX;
    if (kept)
        put_back(state, view);
    kl_unlock(&state->lock);
    if (!kept)
        kl_view_free(view);
}

u64 kl_view_version(const struct kl_view *view)
{
    KL_ASSERT(view->step > 0);
    return view->step - 1;
}

kl_status kl_view_get(struct kl_view *view, kl_table table, kl_span key, kl_span *value)
{
    if (view->delta) {
        const kl_change *change = kl_delta_find(view->delta, view->base, table, key);
        if (change && change->gone)
            return KL_NOTFOUND;
        if (change) {
            *value = kl_change_value(change);
            return KL_OK;
        }
    } else if (view->step < view->base) {
        kl_old old;
        bool found;
        KL_TRY(kl_history_find(view->state->history, &view->old, table, key, view->step - 1,
                               view->base - 1, &found, &old));
        if (found)
            return old.gone ? KL_NOTFOUND : keep(view, old.value, value);
    }
    return kl_kv_get(view->read, table, key, value);
}

kl_status kl_view_account(struct kl_view *view, const kl_hash *address_hash, kl_account *out,
                          bool *exists)
{
    kl_span value;
    kl_status status = kl_view_get(view, KL_TABLE_ACCOUNT, kl_hash_span(address_hash), &value);
    if (status == KL_NOTFOUND) {
        *exists = false;
        *out = kl_account_none();
        return KL_OK;
    }
    KL_TRY(status);
    KL_TRY(kl_account_unpack(out, value));
    *exists = true;
    return KL_OK;
}

kl_status kl_view_slot(struct kl_view *view, const kl_hash *address_hash, const kl_hash *slot_hash,
                       kl_u256 *out)
{
    kl_slot_key key = {*address_hash, *slot_hash};
    kl_span value;
    kl_status status = kl_view_get(view, KL_TABLE_SLOT, kl_slot_key_span(&key), &value);
    if (status == KL_NOTFOUND) {
        *out = KL_U256_ZERO;
        return KL_OK;
    }
    KL_TRY(status);
    return kl_slot_unpack(out, value);
}

kl_status kl_view_code(struct kl_view *view, const kl_hash *code_hash, kl_span *out)
{
    kl_status status = kl_view_get(view, KL_TABLE_CODE, kl_hash_span(code_hash), out);
    return status == KL_NOTFOUND ? KL_CORRUPT : status;
}

struct kl_trie_source *kl_view_tries(struct kl_view *view)
{
    return &view->tries;
}

static struct kl_view *view_below(struct kl_state_reader *reader)
{
    return ((struct kl_view_reader *)reader)->view;
}

static kl_status read_account(struct kl_state_reader *reader, const kl_address *address,
                              const kl_hash *address_hash, kl_account *out, bool *exists)
{
    (void)address;
    return kl_view_account(view_below(reader), address_hash, out, exists);
}

static kl_status read_slot(struct kl_state_reader *reader, const kl_hash *address_hash,
                           const kl_hash *slot_hash, kl_u256 *out)
{
    return kl_view_slot(view_below(reader), address_hash, slot_hash, out);
}

static kl_status read_code(struct kl_state_reader *reader, const kl_hash *code_hash, kl_span *out)
{
    return kl_view_code(view_below(reader), code_hash, out);
}

void kl_view_reader_init(struct kl_view_reader *reader, struct kl_view *view)
{
    reader->reader = (struct kl_state_reader){
        .account = read_account,
        .slot = read_slot,
        .code = read_code,
    };
    reader->view = view;
}

/* Our own users' transactions until they are in a block: kept in a file of the data folder, sent to
 * everybody again and again, and offered to the pool again where it has let go of them for a reason
 * that passes.  A transaction is let go of when a final block holds it, when another has taken its
 * place, and when its nonce is used up.
 *
 * The file (host/tx_journal.h) is written at once, which costs a copy into the system's memory, so
 * that who gets an answer can rely on it; it is synced some time later, if there is anything left
 * by then that is not in a block, which where blocks are made there seldom is.  Syncing, and
 * renewing the file, is the ledger's lane's; what comes while it is renewed is written afterwards.
 */
#include <stdlib.h>

#include "host/replica_priv.h"

enum {
    LOCALS_MAX = 16384,
    LOOKED_AT_MAX = 64, /* those that the pool has not, in one round */
};
#define LOCALS_BYTES   ((usize)32 << 20)
#define AGAIN_NS       UINT64_C(10000000000) /* between two rounds */
#define FRESH_NS       UINT64_C(20000000)    /* until word of it is with the others, most likely */
#define SYNC_NS        UINT64_C(100000000)   /* from a write to its sync */
#define WASTE_BYTES    ((u64)1 << 20)        /* of the file, that renewing does not mind */
#define ROUND_BYTES    ((usize)4 << 20)      /* sent in one round */
#define FRAME_BYTES    ((usize)1 << 20)      /* of one message of them */
#define DECODED_MEMORY ((usize)16 << 20)     /* what one takes, decoded */

struct replica_local {
    kl_hash hash;
    kl_refs refs;
    u64 since_ns; /* here */
    u64 written;  /* with which of the file's batches; 0: not yet */
    bool gone;    /* it is not in the list any more */
    struct replica_local *before, *after;
    usize len;
    u8 envelope[];
};

static void unref(struct replica_local *local)
{
    if (kl_refs_drop(&local->refs))
        free(local);
}

static struct replica_local *local_of(const struct kl_replica *r, const kl_hash *hash)
{
    return kl_map_get(&r->locals.by_hash, hash);
}

/* --- the list --- */

static void link_last(struct replica_locals *l, struct replica_local *local)
{
    local->before = l->last;
    local->after = NULL;
    if (l->last)
        l->last->after = local;
    else
        l->first = local;
    l->last = local;
}

static void unlink(struct replica_locals *l, struct replica_local *local)
{
    if (local->before)
        local->before->after = local->after;
    else
        l->first = local->after;
    if (local->after)
        local->after->before = local->before;
    else
        l->last = local->before;
}

static void drop(struct kl_replica *r, struct replica_local *local)
{
    struct replica_locals *l = &r->locals;
    unlink(l, local);
    (void)kl_map_take(&l->by_hash, &local->hash);
    l->count--;
    l->bytes -= local->len;
    local->gone = true;
    unref(local);
}

/* NULL: there is no room. */
static struct replica_local *keep(struct kl_replica *r, const kl_hash *hash, kl_span envelope)
{
    struct replica_locals *l = &r->locals;
    if (l->count == LOCALS_MAX || l->bytes + envelope.len > LOCALS_BYTES)
        return NULL;
    struct replica_local *local = malloc(sizeof *local + envelope.len);
    if (!local)
        return NULL;
    *local = (struct replica_local){.hash = *hash, .len = envelope.len};
    kl_refs_init(&local->refs);
    memcpy(local->envelope, envelope.p, envelope.len);
    local->since_ns = replica_now(r);
    if (kl_map_put(&l->by_hash, local) != KL_OK) {
        free(local);
        return NULL;
    }
    link_last(l, local);
    l->count++;
    l->bytes += envelope.len;
    return local;
}

/* --- the file --- */

static void clear(struct replica_local **list, usize *count)
{
    for (usize i = 0; i < *count; i++)
        unref(list[i]);
    *count = 0;
}

/* What the file would hold if it held nothing else. */
static u64 wanted_bytes(const struct replica_locals *l)
{
    return l->bytes + l->count * kl_tx_journal_bytes_of(0);
}

static kl_status write_batch(struct replica_locals *l)
{
    kl_span *spans = malloc((l->batch_count + 1) * sizeof *spans);
    if (!spans)
        return KL_NOMEM;
    for (usize i = 0; i < l->batch_count; i++)
        spans[i] = kl_span_of(l->batch[i]->envelope, l->batch[i]->len);
    kl_status status = l->renews ? kl_tx_journal_renew(l->journal, spans, l->batch_count)
                                 : kl_tx_journal_add(l->journal, spans, l->batch_count);
    free(spans);
    return status;
}

/* Nothing but a sync: others may write. */
static bool only_syncs(const struct replica_locals *l)
{
    return l->syncs && !l->renews && !l->batch_count;
}

static void write_run(struct kl_job *job)
{
    struct replica_locals *l = &((struct replica_work *)job)->replica->locals;
    l->status = only_syncs(l) ? KL_OK : write_batch(l);
    if (l->status == KL_OK && l->syncs)
        l->status = kl_tx_journal_sync(l->journal);
}

/* A full disk stops the replica, like a full disk anywhere: there may be room later. */
static void turn_off(struct kl_replica *r, kl_status status)
{
    struct replica_locals *l = &r->locals;
    l->off = true;
    clear(l->next, &l->next_count);
    l->sync_ns = NEVER;
    if (status == KL_FULL)
        replica_fail(r, status, "the journal of own transactions fails");
    else
        replica_alarm(r, "the journal of own transactions fails: a restart will not know them");
}

static void begin(struct kl_replica *r);

static void write_finish(struct replica_work *work)
{
    struct kl_replica *r = work->replica;
    struct replica_locals *l = &r->locals;
    l->busy = false;
    clear(l->batch, &l->batch_count);
    if (l->status != KL_OK) {
        turn_off(r, l->status);
        return;
    }
    if (l->syncs || l->renews)
        l->synced = l->written;
    begin(r);
}

static void write_drop(struct replica_work *work)
{
    (void)work; /* the replica's own */
}

/* The file begins anew, with all that are here. */
static bool gather_all(struct replica_locals *l)
{
    while (l->next_cap < l->count) {
        void *list = (void *)l->next;
        bool room = replica_grow(&list, l->next_cap, &l->next_cap, sizeof(struct replica_local *));
        l->next = list;
        if (!room)
            return false;
    }
    clear(l->next, &l->next_count);
    for (struct replica_local *local = l->first; local; local = local->after) {
        kl_refs_add(&local->refs);
        l->next[l->next_count++] = local;
    }
    return true;
}

/* What is in a block before it was written need not be. */
static void forget_gone(struct replica_locals *l)
{
    usize kept = 0;
    for (usize i = 0; i < l->next_count; i++)
        if (l->next[i]->gone)
            unref(l->next[i]);
        else
            l->next[kept++] = l->next[i];
    l->next_count = kept;
}

/* Gives what is to be written, unless a batch is out. */
static void begin(struct kl_replica *r)
{
    struct replica_locals *l = &r->locals;
    bool sync = l->sync_ns <= replica_now(r);
    if (l->busy || l->off || !l->journal)
        return;
    u64 bytes = kl_tx_journal_bytes(l->journal);
    bool renew = r->broken == KL_OK && (l->must_renew || bytes > 2 * wanted_bytes(l) + WASTE_BYTES);
    if (!renew && !sync && !l->next_count)
        return;
    l->renews = renew && gather_all(l);
    forget_gone(l);
    l->must_renew &= !l->renews;
    l->syncs = sync && !l->renews;
    struct replica_local **list = l->batch;
    usize cap = l->batch_cap;
    l->batch = l->next;
    l->batch_count = l->next_count;
    l->batch_cap = l->next_cap;
    l->next = list;
    l->next_count = 0;
    l->next_cap = cap;
    l->written++;
    for (usize i = 0; i < l->batch_count; i++)
        l->batch[i]->written = l->written;
    if (l->syncs || l->renews)
        l->sync_ns = NEVER;
    else
        l->sync_ns = KL_MIN(l->sync_ns, kl_add_sat_u64(replica_now(r), SYNC_NS));
    l->busy = true;
    replica_give(r, KL_LANE_LEDGER, &l->work, write_run, write_finish, write_drop);
}

/* It counts as one of the next batch, with which it is synced. */
static void write_now(struct kl_replica *r, struct replica_local *local)
{
    struct replica_locals *l = &r->locals;
    kl_span envelope = kl_span_of(local->envelope, local->len);
    kl_status status = kl_tx_journal_add(l->journal, &envelope, 1);
    if (status != KL_OK) {
        turn_off(r, status);
        return;
    }
    local->written = l->written + 1;
    l->sync_ns = KL_MIN(l->sync_ns, kl_add_sat_u64(replica_now(r), SYNC_NS));
    begin(r);
}

static void journal(struct kl_replica *r, struct replica_local *local)
{
    struct replica_locals *l = &r->locals;
    void *list = (void *)l->next;
    if (l->off || !l->journal)
        return;
    if (!l->must_renew && (!l->busy || only_syncs(l))) {
        write_now(r, local);
        return;
    }
    bool room = replica_grow(&list, l->next_count, &l->next_cap, sizeof(struct replica_local *));
    l->next = list;
    if (!room)
        return;
    kl_refs_add(&local->refs);
    l->next[l->next_count++] = local;
    begin(r);
}

kl_replica_own kl_replica_own_of(const struct kl_replica *r, const kl_hash *hash)
{
    const struct replica_local *local = local_of(r, hash);
    if (!local)
        return KL_REPLICA_NOT_OWN;
    return local->written && local->written <= r->locals.synced ? KL_REPLICA_OWN_DURABLE
                                                                : KL_REPLICA_OWN;
}

bool kl_replica_is_writing(const struct kl_replica *r, const kl_hash *hash)
{
    const struct replica_local *local = local_of(r, hash);
    const struct replica_locals *l = &r->locals;
    bool is_out = l->busy && !only_syncs(l); /* a batch, numbered, and not written yet */
    return local && l->journal && !l->off &&
           (!local->written || (is_out && local->written == l->written));
}

/* --- what becomes of them --- */

void replica_local_add(struct kl_replica *r, const kl_tx *tx)
{
    struct replica_locals *l = &r->locals;
    struct replica_local *local = keep(r, &tx->hash, tx->raw);
    if (!local)
        return; /* it is in the pool */
    if (l->again_ns == NEVER)
        l->again_ns = kl_add_sat_u64(local->since_ns, AGAIN_NS);
    journal(r, local);
}

bool replica_local_is_fresh(const struct kl_replica *r, const kl_hash *hash)
{
    const struct replica_local *local = local_of(r, hash);
    return local && kl_add_sat_u64(local->since_ns, FRESH_NS) > replica_now(r);
}

void replica_local_replaced(struct kl_replica *r, const kl_hash *hash)
{
    struct replica_local *local = local_of(r, hash);
    if (local)
        drop(r, local);
}

void replica_local_final(struct kl_replica *r, const struct replica_txs *txs)
{
    for (usize i = 0; txs && i < txs->count && r->locals.count; i++)
        replica_local_replaced(r, &txs->list[i].hash);
}

/* Refusals that may be different another time. */
static bool may_come_again(kl_rule rule)
{
    return rule == KL_RULE_POOL_FULL || rule == KL_RULE_POOL_SENDER_FULL ||
           rule == KL_RULE_TX_FUNDS || rule == KL_RULE_TX_NONCE_HIGH || rule == KL_RULE_BLOCK_GAS ||
           rule == KL_RULE_POOL_KNOWN || rule == KL_RULE_POOL_UNDERPRICED ||
           rule == KL_RULE_POOL_FUTURE;
}

/* Puts a transaction into the pool; *gone: no block will ever hold it.  tx: decoded, with sender.
 */
static kl_status offer(struct kl_replica *r, const kl_tx *tx, bool *gone)
{
    kl_pool_arrival how = {.local = true};
    kl_pool_added added;
    kl_rule broken;
    KL_TRY(replica_facts_of(r, &tx->sender, &how.facts));
    KL_TRY(kl_pool_add(r->pool, tx, &how, &added, &broken));
    *gone = broken != KL_RULE_NONE && !may_come_again(broken);
    r->pool_grown |= broken == KL_RULE_NONE;
    if (broken == KL_RULE_NONE && added.replaced)
        replica_local_replaced(r, &added.replaced_hash);
    return KL_OK;
}

static kl_fork next_fork(const struct kl_replica *r)
{
    const kl_header *head = &r->head->header;
    return kl_spec_fork(kl_chain_spec(r->chain), head->number + 1, head->timestamp);
}

/* One that the pool has not.  *gone as above. */
static kl_status look_at(struct kl_replica *r, const struct replica_local *local,
                         struct kl_arena *arena, bool *gone)
{
    kl_tx tx;
    kl_rule broken;
    kl_fork fork = next_fork(r);
    KL_TRY(kl_tx_decode(&tx, kl_span_of(local->envelope, local->len), fork, arena, &broken));
    *gone = broken != KL_RULE_NONE || kl_tx_recover(&tx, fork) != KL_RULE_NONE;
    return *gone ? KL_OK : offer(r, &tx, gone);
}

static void look_at_lost(struct kl_replica *r)
{
    struct kl_arena arena;
    usize looked_at = 0;
    kl_arena_init(&arena, DECODED_MEMORY);
    for (struct replica_local *local = r->locals.first, *next; local && looked_at < LOOKED_AT_MAX;
         local = next) {
        bool gone = false;
        next = local->after;
        if (kl_pool_get(r->pool, &local->hash))
            continue;
        looked_at++;
        kl_arena_reset(&arena, DECODED_MEMORY);
        kl_refs_add(&local->refs);
        kl_status status = look_at(r, local, &arena, &gone);
        if (status == KL_OK && gone && local_of(r, &local->hash) == local)
            drop(r, local);
        unref(local);
        if (status != KL_OK)
            break; /* no memory, or a disk: another time */
    }
    kl_arena_done(&arena);
}

/* --- again --- */

struct sending {
    kl_span envelopes[KL_MESSAGE_TRANSACTIONS_MAX];
    usize count, bytes;
};

static void send(struct kl_replica *r, u32 peer, struct sending *sending)
{
    if (sending->count)
        replica_send(r, peer,
                     &(kl_message){.kind = KL_MESSAGE_TRANSACTIONS,
                                   .transactions = sending->envelopes,
                                   .transaction_count = sending->count});
    sending->count = sending->bytes = 0;
}

/* All that have been here for so long, oldest first; those that were sent stand last from then on.
 */
static void send_all(struct kl_replica *r, u32 peer, u64 age_ns)
{
    struct replica_locals *l = &r->locals;
    struct sending *sending = calloc(1, sizeof *sending);
    struct replica_local *last = l->last, *local = l->first;
    usize sent = 0;
    while (sending && local && sent < ROUND_BYTES) {
        struct replica_local *next = local == last ? NULL : local->after;
        if (sending->count == KL_COUNT_OF(sending->envelopes) ||
            (sending->count && sending->bytes + local->len > FRAME_BYTES))
            send(r, peer, sending);
        if (kl_add_sat_u64(local->since_ns, age_ns) <= replica_now(r)) {
            sending->envelopes[sending->count++] = kl_span_of(local->envelope, local->len);
            sending->bytes += local->len;
            sent += local->len;
            unlink(l, local);
            link_last(l, local);
        }
        local = next;
    }
    if (sending)
        send(r, peer, sending);
    free(sending);
}

void replica_local_greet(struct kl_replica *r, u32 peer)
{
    send_all(r, peer, 0);
}

u64 replica_local_due_ns(const struct kl_replica *r)
{
    return KL_MIN(r->locals.again_ns, r->locals.busy ? NEVER : r->locals.sync_ns);
}

void replica_local_tick(struct kl_replica *r)
{
    struct replica_locals *l = &r->locals;
    u64 now_ns = replica_now(r);
    if (l->sync_ns <= now_ns && !l->busy) {
        bool is_left = false; /* anything that the file holds and a power cut would take */
        for (const struct replica_local *local = l->last; local && !is_left; local = local->before)
            is_left = local->written > l->synced;
        if (is_left)
            begin(r);
        else
            l->sync_ns = NEVER;
    }
    if (l->again_ns > now_ns)
        return;
    look_at_lost(r);
    send_all(r, KL_REPLICA_ALL, AGAIN_NS / 2);
    l->again_ns = l->count ? kl_add_sat_u64(now_ns, AGAIN_NS) : NEVER;
}

/* --- opening and closing --- */

struct reading {
    struct kl_replica *r;
    struct kl_arena arena;
    usize lost;
};

static void read_one(void *ctx, kl_span envelope)
{
    struct reading *reading = ctx;
    struct kl_replica *r = reading->r;
    kl_tx tx;
    kl_rule broken;
    kl_fork fork = next_fork(r);
    bool gone = true;
    kl_arena_reset(&reading->arena, DECODED_MEMORY);
    if (kl_tx_decode(&tx, envelope, fork, &reading->arena, &broken) == KL_OK &&
        broken == KL_RULE_NONE && !local_of(r, &tx.hash) &&
        kl_tx_recover(&tx, fork) == KL_RULE_NONE && offer(r, &tx, &gone) == KL_OK && !gone)
        (void)keep(r, &tx.hash, envelope);
    reading->lost += gone;
}

kl_status replica_local_open(struct kl_replica *r)
{
    struct replica_locals *l = &r->locals;
    struct reading reading = {.r = r};
    bool whole = false;
    l->again_ns = l->sync_ns = NEVER;
    kl_map_init(&l->by_hash, offsetof(struct replica_local, hash), sizeof(kl_hash), r->config.seed);
    kl_arena_init(&reading.arena, DECODED_MEMORY);
    kl_status status =
        kl_tx_journal_open(&l->journal, r->config.chain.fs, read_one, &reading, &whole);
    kl_arena_done(&reading.arena);
    KL_TRY(status);
    l->must_renew = !whole || reading.lost;
    l->written = 1;
    for (struct replica_local *local = l->first; local; local = local->after)
        local->written = 1;
    if (l->count)
        l->again_ns = l->sync_ns = replica_now(r);
    return KL_OK;
}

void replica_local_start(struct kl_replica *r)
{
    begin(r);
}

void replica_local_done(struct kl_replica *r)
{
    struct replica_locals *l = &r->locals;
    while (l->first)
        drop(r, l->first);
    clear(l->batch, &l->batch_count);
    clear(l->next, &l->next_count);
    free((void *)l->batch);
    free((void *)l->next);
    kl_map_done(&l->by_hash);
    kl_tx_journal_close(l->journal);
}

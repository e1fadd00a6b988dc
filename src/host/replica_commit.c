/* Blocks become final in order of height: appended and written on the execution lane, synced on the
 * ledger's, flushed on the state's.  Batches gather while one is out.
 *
 * Readers see a block when it is written and every barrier that was asked for until it became final
 * has ended; whoever waits for its own ledger (observers, networks of fewer than four) shows it
 * when that is synced.
 *
 * Where a final block's tip is missing, or does not stand on the head, there is a gap: nothing more
 * is committed that way, the machine that fetches brings the blocks, and what stands on the new
 * head then is committed again. */
#include <stdlib.h>

#include "host/replica_priv.h"

#define KEEP_BYTES        ((usize)8 << 20)
#define SMALL_NETWORK_MAX 3u

static void final_done(struct replica_final *final)
{
    replica_txs_unref(final->txs);
    free(final->signatures);
}

static void clear(struct replica_final *list, usize *count)
{
    for (usize i = 0; i < *count; i++)
        final_done(&list[i]);
    *count = 0;
}

void replica_commits_done(struct kl_replica *r)
{
    struct replica_commits *commits = &r->commits;
    clear(commits->batch, &commits->batch_count);
    clear(commits->next, &commits->next_count);
    free(commits->batch);
    free(commits->next);
    free(commits->facts);
    kl_tip_unref(commits->head);
}

/* --- the execution lane --- */

/* Appends what follows on the head; stops where something does not. */
static kl_status append_all(struct kl_replica *r, struct replica_commits *commits, usize *appended)
{
    for (usize i = 0; i < commits->batch_count; i++) {
        const struct replica_final *final = &commits->batch[i];
        struct kl_tip *head = kl_chain_head(r->chain);
        u64 height = head->header.number;
        kl_hash hash = head->hash;
        kl_tip_unref(head);
        if (final->height <= height) { /* it came by another way */
            commits->forked |= final->height == height && !kl_hash_eq(&final->hash, &hash);
            continue;
        }
        struct kl_tip *tip = replica_tip(r, &final->hash);
        commits->gap = !tip || !kl_hash_eq(&tip->header.parent_hash, &hash);
        commits->off_pin =
            !commits->gap && kl_pin_excludes(kl_chain_pin(r->chain), final->height, &final->hash);
        commits->found = final->hash;
        if (commits->gap || commits->off_pin)
            return KL_OK;
        KL_TRY(
            kl_chain_append_final(r->chain, tip, final->signatures ? &final->certificate : NULL));
        (*appended)++;
    }
    return KL_OK;
}

static kl_status commit_all(struct kl_replica *r, struct replica_commits *commits)
{
    usize appended = 0;
    KL_TRY(append_all(r, commits, &appended));
    if (!appended)
        return KL_OK;
    KL_TRY(kl_chain_write(r->chain));
    struct kl_tip *head = kl_chain_head(r->chain);
    struct replica_txs **txs = malloc(commits->batch_count * sizeof *txs);
    for (usize i = 0; txs && i < commits->batch_count; i++)
        txs[i] = commits->batch[i].txs;
    kl_status status = txs ? replica_facts_at(r, head, txs, commits->batch_count, &commits->facts,
                                              &commits->fact_count)
                           : KL_NOMEM;
    free((void *)txs);
    replica_tips_prune(r, head->header.number);
    commits->head = head;
    return status;
}

static void commit_run(struct kl_job *job)
{
    struct kl_replica *r = ((struct replica_work *)job)->replica;
    kl_arena_reset(&r->run_arena, KEEP_BYTES);
    r->commits.status = commit_all(r, &r->commits);
}

/* --- the replica's thread --- */

static void begin(struct kl_replica *r);

static void commit_finish(struct replica_work *work)
{
    struct kl_replica *r = work->replica;
    struct replica_commits *commits = &r->commits;
    struct kl_tip *head = commits->head;
    u64 token = commits->batch_count ? commits->batch[commits->batch_count - 1].token : 0;
    commits->busy = false;
    commits->head = NULL;
    if (commits->status != KL_OK)
        replica_fail(r, commits->status, "the ledger fails");
    if (commits->forked)
        replica_fail(r, KL_CORRUPT, "another block is final at this height");
    if (commits->off_pin)
        replica_refuse_pin(r, &commits->found);
    if (commits->gap)
        clear(commits->next, &commits->next_count);
    for (usize i = 0; head && i < commits->batch_count; i++)
        replica_local_final(r, commits->batch[i].txs);
    if (head) {
        r->head_fetched = false;
        replica_head_moved(r, head, commits->facts, commits->fact_count, token);
    }
    clear(commits->batch, &commits->batch_count);
    free(commits->facts);
    commits->facts = NULL;
    commits->fact_count = 0;
    begin(r);
}

static void commit_drop(struct replica_work *work)
{
    (void)work; /* the replica's own */
}

static void begin(struct kl_replica *r)
{
    struct replica_commits *commits = &r->commits;
    if (commits->busy || !commits->next_count || r->broken != KL_OK)
        return;
    struct replica_final *list = commits->batch;
    usize cap = commits->batch_cap;
    commits->batch = commits->next;
    commits->batch_count = commits->next_count;
    commits->batch_cap = commits->next_cap;
    commits->next = list;
    commits->next_cap = cap;
    commits->next_count = 0;
    commits->status = KL_OK;
    commits->gap = commits->forked = commits->off_pin = false;
    commits->busy = true;
    replica_give(r, KL_LANE_EXECUTION, &commits->work, commit_run, commit_finish, commit_drop);
}

static bool enqueue(struct kl_replica *r, const kl_proposal *p, const kl_certificate *certificate)
{
    struct replica_commits *commits = &r->commits;
    const struct replica_candidate *c = replica_candidate_of(r, &p->block_hash);
    struct replica_final final = {
        .hash = p->block_hash, .height = p->height, .token = r->token_given};
    void *list = commits->next;
    bool room = replica_grow(&list, commits->next_count, &commits->next_cap, sizeof final);
    commits->next = list;
    if (!room || (certificate &&
                  !replica_certificate_copy(&final.certificate, &final.signatures, certificate))) {
        replica_fail(r, KL_NOMEM, "out of memory");
        return false;
    }
    final.txs = c ? replica_txs_ref(c->txs) : NULL;
    commits->next[commits->next_count++] = final;
    return true;
}

void replica_commit(struct kl_replica *r, const kl_proposal *p, const kl_certificate *certificate)
{
    if (r->broken != KL_OK || p->height <= r->head->header.number)
        return;
    /* An epoch's last block that is final through its re-proposal comes again, with what proves
     * it; the ledger wants that beside it. */
    if (!certificate && p->height == r->epoch->last_height)
        return;
    if (enqueue(r, p, certificate))
        begin(r);
}

bool replica_commit_branch(struct kl_replica *r, const kl_proposal *p,
                           const kl_certificate *certificate)
{
    const struct replica_candidate *path[KL_SIMPLEX_WINDOW_MAX];
    usize count = 0;
    kl_hash at = p->block_hash;
    while (!kl_hash_eq(&at, &r->head->hash)) {
        const struct replica_candidate *c = replica_candidate_of(r, &at);
        if (!c || c->state != REPLICA_VALID || count == KL_COUNT_OF(path))
            return false;
        path[count++] = c;
        at = c->parent_hash;
    }
    for (usize i = count; i--;) {
        kl_proposal final = *p;
        final.block_hash = path[i]->hash;
        final.height = path[i]->height;
        if (!enqueue(r, &final, i ? NULL : certificate))
            return false;
    }
    begin(r);
    return true;
}

/* --- what follows --- */

static void show_one(void *ctx, struct kl_tip *tip)
{
    struct kl_replica *r = ctx;
    struct kl_replica_watch *watch = r->config.watch;
    r->status_height = tip->header.number;
    if (tip->policy_failed)
        replica_alarm(r, "the validator contract failed or said nothing of use: the set stays");
    if (watch && watch->final)
        watch->final(watch, tip);
}

void replica_show(struct kl_replica *r)
{
    bool votes = r->signing && r->self != KL_BFT_NOBODY && r->epoch->set.count > SMALL_NETWORK_MAX;
    if (votes && r->token_done >= r->token_shown)
        kl_chain_publish(r->chain, false, show_one, r);
}

static void flush_run(struct kl_job *job);
static void sync_ledger(struct kl_replica *r);

struct lane_work {
    struct replica_work work;
    kl_status status;
    bool more;
};

static void lane_drop(struct replica_work *work)
{
    free(work);
}

static void flush_finish(struct replica_work *work)
{
    struct lane_work *w = (struct lane_work *)work;
    struct kl_replica *r = work->replica;
    r->flushing = false;
    if (w->status != KL_OK) {
        replica_fail(r, w->status, "the state database fails");
        return;
    }
    struct lane_work *again = w->more ? calloc(1, sizeof *again) : NULL;
    if (!again)
        return;
    r->flushing = true;
    replica_give(r, KL_LANE_STATE, &again->work, flush_run, flush_finish, lane_drop);
}

static void flush_run(struct kl_job *job)
{
    struct lane_work *w = (struct lane_work *)job;
    w->status = kl_chain_flush(w->work.replica->chain, true, &w->more);
}

static void flush(struct kl_replica *r)
{
    struct lane_work *w = r->flushing ? NULL : calloc(1, sizeof *w);
    if (!w)
        return;
    r->flushing = true;
    replica_give(r, KL_LANE_STATE, &w->work, flush_run, flush_finish, lane_drop);
}

static void sync_run(struct kl_job *job)
{
    struct lane_work *w = (struct lane_work *)job;
    w->status = kl_chain_sync(w->work.replica->chain);
}

static void sync_finish(struct replica_work *work)
{
    struct lane_work *w = (struct lane_work *)work;
    struct kl_replica *r = work->replica;
    struct kl_tip *durable = r->syncing_head;
    r->syncing = false;
    r->syncing_head = NULL;
    if (w->status != KL_OK) {
        kl_tip_unref(durable);
        replica_fail(r, w->status, "the ledger fails");
        return;
    }
    kl_tip_unref(r->durable);
    r->durable = durable;
    kl_chain_publish(r->chain, true, show_one, r);
    kl_proposal floor = kl_tip_floor(durable);
    replica_log_forget(r, (kl_guard_view){floor.epoch, floor.view});
    replica_guard_raise(r, (kl_guard_view){floor.epoch, floor.view});
    flush(r);
    replica_epoch_due(r);
    sync_ledger(r);
}

static void sync_ledger(struct kl_replica *r)
{
    if (r->syncing || r->broken != KL_OK || r->head == r->durable)
        return;
    struct lane_work *w = calloc(1, sizeof *w);
    if (!w) {
        replica_fail(r, KL_NOMEM, "out of memory");
        return;
    }
    r->syncing = true;
    r->syncing_head = kl_tip_ref(r->head);
    replica_give(r, KL_LANE_LEDGER, &w->work, sync_run, sync_finish, lane_drop);
}

void replica_head_moved(struct kl_replica *r, struct kl_tip *head, const replica_fact *facts,
                        usize fact_count, u64 token)
{
    kl_tip_unref(r->head);
    r->head = head;
    r->token_shown = KL_MAX(r->token_shown, token);
    kl_status status = replica_pool_follow(r);
    if (status != KL_OK)
        replica_fail(r, status, "the head's state cannot be read");
    replica_pool_facts(r, facts, fact_count);
    if (r->below_pin && head->header.number >= kl_chain_pin(r->chain)->number) {
        r->below_pin = false;
        replica_signing(r);
    }
    replica_candidates_prune(r);
    r->branch_moved = true;
    replica_show(r);
    sync_ledger(r);
    replica_fetch_head(r);
    replica_reports_due(r);
}

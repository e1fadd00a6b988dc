/* What is kept.  History goes up to the state of the oldest block that is kept; the ledger goes by
 * whole segments, and only below a checkpoint that is durable, was read back, and was written from
 * a database whose every entry had just been checked against the ledger's root.
 *
 * A snapshot of a dev chain is a promise that its state can be gone back to, and a revert is
 * executed again whenever the ledger is: so no history at or above a living snapshot goes, and no
 * checkpoint is made while one lives.  Then every revert behind a checkpoint goes to a version at
 * or above it.
 *
 * The segments themselves are removed by the thread that appends (chain.c): only it may change the
 * ledger's list of them. */
#include <stdlib.h>

#include "chain/chain_priv.h"
#include "chain/checkpoint.h"

#define TRY_AGAIN 1000u /* versions after a checkpoint that took too long */

struct retaining {
    struct kl_chain *chain;
    struct kl_arena arena;
    u64 version; /* of the database, and its head and dev environment */
    kl_index_head head;
    kl_dev_env env;
};

/* The version that block `keep` blocks below the head was made by; false when all is kept. */
static kl_status find_limit(struct retaining *r, u64 keep, bool *any, u64 *version)
{
    struct kl_view *view;
    kl_hash hash;
    *any = keep > 0 && r->head.number > keep;
    if (!*any)
        return KL_OK;
    KL_TRY(kl_state_view(r->chain->state, NULL, &view));
    kl_status status = kl_index_get_height(view, r->head.number - keep, &hash, version);
    kl_view_close(view);
    return status == KL_NOTFOUND ? KL_CORRUPT : status;
}

static kl_status prune_history(struct retaining *r)
{
    struct kl_chain *chain = r->chain;
    u64 version;
    bool any;
    KL_TRY(find_limit(r, chain->keep_history, &any, &version));
    if (!any)
        return KL_OK;
    if (r->env.snapshot_count)
        version = KL_MIN(version, r->env.snapshots[0].version);
    if (version <= kl_state_oldest(chain->state) + chain->keep_history / 16)
        return KL_OK;
    return kl_state_prune(chain->state, version);
}

/* The ledger's first record, which a checkpoint has when the ledger has lost it. */
static kl_status genesis_payload(struct retaining *r, kl_span *out)
{
    kl_record record;
    kl_checkpoint older;
    kl_status status = kl_seglog_read(r->chain->ledger, 0, &r->arena, &record, NULL);
    if (status == KL_OK)
        *out = record.payload;
    if (status != KL_NOTFOUND)
        return status;
    KL_TRY(kl_checkpoint_find(r->chain->fs, kl_seglog_first(r->chain->ledger), r->version, true,
                              &r->arena, &older));
    *out = older.genesis;
    return KL_OK;
}

static kl_status root_of_state(struct retaining *r, kl_hash *root)
{
    struct kl_view *view;
    KL_TRY(kl_state_view(r->chain->state, NULL, &view));
    kl_status status = kl_trie_root(root, NULL, kl_view_tries(view), &r->arena);
    kl_view_close(view);
    return status;
}

static bool go_on(void *ctx)
{
    struct kl_chain *chain = ctx;
    kl_lock(&chain->lock);
    bool hurry = chain->hurry;
    kl_unlock(&chain->lock);
    return !hurry;
}

static bool scrub_on(void *ctx, u64 entries)
{
    (void)entries;
    return go_on(ctx);
}

static kl_status make_checkpoint(struct retaining *r)
{
    struct kl_chain *chain = r->chain;
    kl_checkpoint checkpoint = {
        .version = r->version,
        .head_version = r->head.version,
        .head_hash = r->head.hash,
    };
    kl_state_damage damage;
    kl_seglog_report report = {.damage = NULL};
    struct kl_tip *tip;
    KL_TRY(kl_state_scrub(chain->state, &damage, scrub_on, chain));
    KL_TRY(kl_chain_find_head(chain, r->version, &r->arena, &report, &tip));
    kl_tip_unref(tip);
    KL_TRY(root_of_state(r, &checkpoint.state_root));
    KL_TRY(genesis_payload(r, &checkpoint.genesis));
    KL_TRY(kl_checkpoint_write(chain->fs, chain->state, &checkpoint, go_on, chain));
    chain->has_checkpoint = true;
    chain->checkpoint_version = r->version;
    chain->checkpoint_head = r->head.version;
    return kl_checkpoint_drop(chain->fs, r->version);
}

static void let_go(struct kl_chain *chain, u64 version)
{
    kl_lock(&chain->lock);
    chain->drop_below = version;
    kl_unlock(&chain->lock);
}

static kl_status drop_ledger(struct retaining *r)
{
    struct kl_chain *chain = r->chain;
    u64 limit;
    bool any;
    KL_TRY(find_limit(r, chain->keep_blocks, &any, &limit));
    if (!any || kl_seglog_would_leave(chain->ledger, limit) == kl_seglog_first(chain->ledger))
        return KL_OK;
    u64 wanted = kl_seglog_would_leave(chain->ledger, limit);
    if (!chain->has_checkpoint || chain->checkpoint_head < wanted) {
        if (r->env.snapshot_count || r->version < chain->checkpoint_again || !go_on(chain))
            return KL_OK;
        kl_status status = make_checkpoint(r);
        chain->checkpoint_again = r->version + TRY_AGAIN;
        if (status != KL_OK)
            return status == KL_TIMEOUT || status == KL_CANCELED ? KL_OK : status;
        chain->checkpoint_again = 0;
    }
    let_go(chain, KL_MIN(limit, chain->checkpoint_head));
    return KL_OK;
}

static kl_status look(struct retaining *r)
{
    struct kl_view *view;
    KL_TRY(kl_state_view(r->chain->state, NULL, &view));
    kl_status status = kl_index_get_head(view, &r->head);
    if (status == KL_OK && r->chain->spec.dev)
        status = kl_index_get_dev(view, &r->env);
    kl_view_close(view);
    return status == KL_NOTFOUND ? KL_CORRUPT : status;
}

static kl_status retain(struct retaining *r)
{
    KL_TRY(look(r));
    KL_TRY(prune_history(r));
    return drop_ledger(r);
}

kl_status kl_chain_retain(struct kl_chain *chain)
{
    kl_span anchor;
    struct retaining *r;
    if (!chain->keep_blocks && !chain->keep_history)
        return KL_OK;
    r = calloc(1, sizeof *r);
    if (!r)
        return KL_NOMEM;
    r->chain = chain;
    kl_arena_init(&r->arena, KL_STEP_ARENA);
    bool any = kl_state_stored(chain->state, &r->version, &anchor);
    kl_status status = any ? retain(r) : KL_OK;
    kl_arena_done(&r->arena);
    free(r);
    return status;
}

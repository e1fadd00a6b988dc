/* Going back to a snapshot is a step like any other: its delta puts back every value that has
 * changed since, the indexes and the head among them.  Ids of snapshots are never used twice. */
#include "chain/chain_priv.h"

/* The head block as of a view. */
static kl_status head_of(struct kl_chain *chain, struct kl_view *view, struct kl_tip *tip)
{
    kl_index_head head;
    kl_record record;
    KL_TRY(kl_index_get_head(view, &head));
    KL_TRY(kl_seglog_read(chain->ledger, head.version, &chain->arena, &record, NULL));
    tip->hash = head.hash;
    return kl_record_header(record.kind, record.payload, &tip->header) == KL_RULE_NONE ? KL_OK
                                                                                       : KL_CORRUPT;
}

/* The tip's head and dev environment, as they were at the snapshot. */
static kl_status restore(struct kl_chain *chain, struct kl_view *view, struct kl_tip *tip,
                         kl_dev_env *env)
{
    u64 next_snapshot = env->next_snapshot;
    KL_TRY(head_of(chain, view, tip));
    KL_TRY(kl_index_get_dev(view, env));
    env->next_snapshot = next_snapshot;
    return kl_tip_set_dev(tip, env);
}

static kl_status build(struct kl_chain *chain, struct kl_tip *parent, u64 to, struct kl_tip *tip,
                       kl_hash *root)
{
    struct kl_view *view;
    struct kl_delta_builder *builder;
    kl_dev_env env = parent->dev->env;
    KL_TRY(kl_state_revert(chain->state, parent->delta, to, &builder, &view));
    kl_status status = restore(chain, view, tip, &env);
    if (status == KL_OK)
        status = kl_trie_root(root, NULL, kl_view_tries(view), &chain->arena);
    kl_view_close(view);
    if (status == KL_OK)
        status = kl_index_dev(builder, &env);
    if (status == KL_OK)
        return kl_delta_seal(builder, &tip->delta);
    kl_delta_drop(builder);
    return status;
}

kl_status kl_step_revert(struct kl_chain *chain, struct kl_tip *parent, const kl_devop *op,
                         struct kl_tip **out, kl_rule *broken)
{
    KL_CLEANUP(kl_tip_unrefp) struct kl_tip *tip = NULL;
    u64 to;
    kl_hash root;
    if (!kl_dev_find_snapshot(&parent->dev->env, op->number, &to)) {
        *broken = KL_RULE_DEV_SNAPSHOT;
        return KL_OK;
    }
    KL_TRY(kl_tip_new(&tip, parent, KL_STEP_REVERT));
    kl_status status = build(chain, parent, to, tip, &root);
    if (status == KL_NOTFOUND) {
        *broken = KL_RULE_DEV_HISTORY;
        return KL_OK;
    }
    KL_TRY(status);
    const kl_dev_outcome outcome = {
        .block_number = tip->header.number,
        .state_root = root,
        .mark = kl_dev_mark(tip->version, &tip->dev->env, op),
    };
    kl_record_put_dev(&tip->record, &outcome, op);
    if (tip->record.failed)
        return KL_LIMIT;
    *out = tip;
    tip = NULL;
    return KL_OK;
}

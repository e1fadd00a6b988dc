#include <stdlib.h>

#include "chain/chain_priv.h"

static struct kl_dev_state *dev_ref(struct kl_dev_state *dev)
{
    if (dev)
        kl_refs_add(&dev->refs);
    return dev;
}

static void dev_unref(struct kl_dev_state *dev)
{
    if (dev && kl_refs_drop(&dev->refs))
        free(dev);
}

kl_status kl_tip_new(struct kl_tip **out, const struct kl_tip *parent, kl_step step)
{
    struct kl_tip *tip = calloc(1, sizeof *tip);
    if (!tip)
        return KL_NOMEM;
    kl_refs_init(&tip->refs);
    kl_buf_init(&tip->record, KL_RECORD_LIMIT);
    tip->step = step;
    if (parent) {
        tip->version = parent->version + 1;
        tip->header = parent->header;
        tip->hash = parent->hash;
        tip->dev = dev_ref(parent->dev);
        tip->epoch = parent->epoch ? kl_epoch_ref(parent->epoch) : NULL;
        tip->consensus = parent->consensus;
    }
    *out = tip;
    return KL_OK;
}

kl_status kl_tip_set_dev(struct kl_tip *tip, const kl_dev_env *env)
{
    struct kl_dev_state *dev = malloc(sizeof *dev);
    if (!dev)
        return KL_NOMEM;
    kl_refs_init(&dev->refs);
    dev->env = *env;
    dev_unref(tip->dev);
    tip->dev = dev;
    return KL_OK;
}

struct kl_tip *kl_tip_ref(struct kl_tip *tip)
{
    kl_refs_add(&tip->refs);
    return tip;
}

void kl_tip_unref(struct kl_tip *tip)
{
    if (!tip || !kl_refs_drop(&tip->refs))
        return;
    kl_delta_unref(tip->delta);
    dev_unref(tip->dev);
    kl_epoch_unref(tip->epoch);
    kl_buf_done(&tip->record);
    free(tip);
}

void kl_tip_unrefp(struct kl_tip **tip)
{
    kl_tip_unref(*tip);
    *tip = NULL;
}

kl_status kl_chain_view(struct kl_chain *chain, const struct kl_tip *tip, struct kl_view **out)
{
    return tip->delta ? kl_state_view(chain->state, tip->delta, out)
                      : kl_state_view_at(chain->state, tip->version, out);
}

/* The queued tip of a version, with a reference; NULL when the database holds it. */
static struct kl_tip *queued(struct kl_chain *chain, u64 version)
{
    kl_lock(&chain->lock);
    struct kl_tip *tip = chain->oldest;
    while (tip && tip->version < version)
        tip = tip->next;
    if (tip)
        kl_tip_ref(tip);
    kl_unlock(&chain->lock);
    return tip;
}

kl_status kl_chain_view_at(struct kl_chain *chain, u64 version, struct kl_view **out)
{
    struct kl_tip *tip = queued(chain, version);
    kl_status status = tip && tip->version == version
                           ? kl_chain_view(chain, tip, out)
                           : kl_state_view_at(chain->state, version, out);
    kl_tip_unref(tip);
    return status;
}

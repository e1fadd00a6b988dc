/* A state out of a checkpoint.  Nothing that the file says is believed because it says so: its
 * tries are built again from the leaves, and the root and the head must be the ledger's. */
#include "chain/chain_priv.h"

static kl_status load(struct kl_chain *chain, struct kl_kv *kv, u64 version,
                      kl_checkpoint_damage *damage)
{
    struct kl_state_loader *loader;
    KL_TRY(kl_state_load_begin(&loader, kv));
    kl_status status = kl_checkpoint_read(chain->fs, version, loader, damage);
    if (status == KL_OK)
        return kl_state_load_end(loader, version);
    kl_state_load_drop(loader);
    return status;
}

static void blame(const kl_checkpoint_damage *damage, kl_seglog_report *report)
{
    memcpy(report->file, damage->file, sizeof report->file);
    report->offset = damage->offset;
    report->damage = damage->what;
}

static kl_status check(struct kl_chain *chain, u64 version, struct kl_arena *arena,
                       kl_seglog_report *report, struct kl_tip **out)
{
    kl_state_damage damage;
    kl_seglog_report ledger = {.damage = NULL};
    kl_status status = kl_state_scrub(chain->state, &damage, NULL, NULL);
    if (status == KL_OK)
        status = kl_chain_find_head(chain, version, arena, &ledger, out);
    if (status != KL_CORRUPT)
        return status;
    kl_checkpoint_path(version, report->file);
    report->offset = 0;
    report->damage = "the checkpoint's state is not the one that the ledger names";
    if (ledger.damage)
        *report = ledger;
    return KL_CORRUPT;
}

kl_status kl_chain_restore(struct kl_chain *chain, const kl_state_config *config,
                           const kl_checkpoint *checkpoint, struct kl_arena *arena,
                           kl_seglog_report *report, struct kl_tip **out)
{
    kl_checkpoint_damage damage = {.what = NULL};
    KL_ASSERT(!chain->state);
    kl_status status = load(chain, config->kv, checkpoint->version, &damage);
    if (status == KL_CORRUPT && damage.what)
        blame(&damage, report);
    KL_TRY(status);
    KL_TRY(kl_state_open(&chain->state, config));
    return check(chain, checkpoint->version, arena, report, out);
}

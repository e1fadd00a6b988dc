/* The state database looked through by itself, and then against the ledger. */
#include "chain/chain_priv.h"
#include "chain/verify.h"

struct scrub {
    const kl_scrub_config *config;
    struct kl_chain *chain;
    struct kl_arena arena;
    kl_scrub_result *out;
    struct kl_progress *progress;
};

static bool tell(void *ctx, u64 entries)
{
    struct scrub *s = ctx;
    s->out->entries = entries;
    if (s->progress)
        s->progress->step(s->progress, entries, 0);
    return true;
}

static kl_status look_through(struct scrub *s)
{
    const kl_state_config config = {.kv = s->config->kv};
    kl_span anchor;
    s->out->damage.what = "the database cannot be opened";
    KL_TRY(kl_state_open(&s->chain->state, &config));
    if (!kl_state_stored(s->chain->state, &s->out->version, &anchor))
        return KL_NOTFOUND;
    return kl_state_scrub(s->chain->state, &s->out->damage, tell, s);
}

static kl_status compare_with_ledger(struct scrub *s)
{
    const kl_seglog_config config = {
        .dir = KL_LEDGER_DIR, .segment_bytes = 1 << 20, .read_only = true};
    kl_seglog_report report;
    kl_start start;
    kl_rule broken;
    struct kl_tip *tip;
    KL_TRY(kl_seglog_open(&s->chain->ledger, s->config->fs, &config, &report));
    KL_TRY(kl_chain_find_start(s->chain, true, &s->arena, &report, &start, &broken));
    if (broken == KL_RULE_NONE)
        KL_TRY(kl_chain_learn_spec(s->chain, start.genesis, &s->arena, &broken));
    if (broken != KL_RULE_NONE)
        return KL_CORRUPT;
    report.damage = NULL;
    s->out->damage = (kl_state_damage){.what = "the ledger does not reach its version"};
    if (s->out->version >= kl_seglog_end(s->chain->ledger))
        return KL_CORRUPT;
    s->out->damage.what = "head or state root are not those of the ledger";
    kl_status status = kl_chain_find_head(s->chain, s->out->version, &s->arena, &report, &tip);
    if (status == KL_OK) {
        s->out->head = tip->header;
        s->out->head_hash = tip->hash;
        kl_tip_unref(tip);
    }
    return status;
}

kl_status kl_chain_scrub(const kl_scrub_config *config, struct kl_progress *progress,
                         kl_scrub_result *out)
{
    kl_scrub_result result = {0};
    struct scrub s = {.config = config, .out = &result, .progress = progress};
    const kl_chain_config plain = {.fs = config->fs, .tests = config->tests};
    KL_TRY(kl_chain_new(&s.chain, &plain));
    kl_arena_init(&s.arena, KL_STEP_ARENA);
    kl_status status = look_through(&s);
    if (status == KL_OK)
        status = compare_with_ledger(&s);
    kl_arena_done(&s.arena);
    kl_chain_close(s.chain);
    if (status != KL_OK && status != KL_CORRUPT)
        return status;
    result.good = status == KL_OK;
    *out = result;
    return KL_OK;
}

/* A past is a chain of its own over the ledger of another: the loop of opening and verifying
 * (roll.c), some hundred records at a time.
 *
 * Version and block number are one and the same where validators vote. */
#include "chain/past.h"

#include <stdlib.h>

#include "chain/bft_priv.h"

#define STEP_BLOCKS 256u /* lost at most, and two syncs */
#define NEAR_BLOCKS 16u  /* that opening executes, while nobody is answered */

struct kl_past {
    struct kl_chain *live, *chain; /* chain->ledger is the live one's */
    struct kl_progress *progress;
    bool (*go_on)(void *ctx);
    void *ctx;
    kl_past_status at;
};

/* The oldest state that is to be kept. */
static u64 asked_for(u64 head, u64 keep)
{
    return keep && head > keep ? head - keep : 0;
}

bool kl_past_is_wanted(struct kl_chain *chain)
{
    if (!kl_chain_votes(chain) || kl_seglog_first(chain->ledger) > 0)
        return false;
    struct kl_tip *tip = kl_chain_published(chain);
    u64 head = tip->header.number;
    kl_tip_unref(tip);
    return kl_state_oldest(chain->state) > asked_for(head, chain->keep_history);
}

/* --- opening --- */

static kl_status learn(struct kl_past *past, struct kl_arena *arena)
{
    kl_start start;
    kl_seglog_report damage;
    kl_rule broken;
    if (kl_seglog_first(past->live->ledger) > 0)
        return KL_UNSUPPORTED;
    KL_TRY(kl_chain_find_start(past->chain, true, arena, &damage, &start, &broken));
    if (broken == KL_RULE_NONE)
        KL_TRY(kl_chain_learn_spec(past->chain, start.genesis, arena, &broken));
    if (broken != KL_RULE_NONE)
        return KL_CORRUPT;
    return kl_chain_votes(past->chain) ? KL_OK : KL_UNSUPPORTED;
}

/* What was done before: it must be of this ledger, and reach as far back as is asked for. */
static kl_status go_on(struct kl_past *past, struct kl_arena *arena)
{
    struct kl_chain *chain = past->chain;
    kl_seglog_report damage = {.damage = NULL};
    struct kl_tip *tip;
    u64 version;
    kl_span anchor;
    if (!kl_state_stored(chain->state, &version, &anchor))
        return KL_OK;
    if (version >= kl_seglog_synced(chain->ledger) ||
        kl_state_oldest(chain->state) > asked_for(version, chain->keep_history))
        return KL_CORRUPT;
    KL_TRY(kl_chain_find_head(chain, version, arena, &damage, &tip));
    kl_chain_stand_at(chain, tip);
    return KL_OK;
}

static kl_status open_all(struct kl_past *past, const kl_past_config *config,
                          struct kl_arena *arena)
{
    const struct kl_chain *live = config->chain;
    const kl_chain_config plain = {
        .fs = live->fs,
        .keep_preimages = live->keep_preimages,
        .tests = live->tests,
        .keep_history = live->keep_history,
    };
    const kl_state_config state = {
        .kv = config->kv,
        .fs = live->fs,
        .history_dir = KL_HISTORY_DIR,
        .history_suffix = KL_PAST_SUFFIX,
        .history_segment_bytes = config->segment_bytes,
    };
    KL_TRY(kl_chain_new(&past->chain, &plain));
    past->chain->ledger = live->ledger;
    KL_TRY(learn(past, arena));
    kl_status status = kl_state_open(&past->chain->state, &state);
    if (status == KL_UNSUPPORTED) /* another program's format */
        return KL_CORRUPT;
    KL_TRY(status);
    return go_on(past, arena);
}

static void look(struct kl_past *past)
{
    kl_past_status *at = &past->at;
    const struct kl_tip *head = past->chain->head;
    at->any = head != NULL;
    at->height = head ? head->header.number : 0;
    at->target = kl_seglog_synced(past->live->ledger) - 1;
    at->whole = head && at->target - at->height <= NEAR_BLOCKS;
}

kl_status kl_past_open(struct kl_past **out, const kl_past_config *config)
{
    struct kl_arena arena;
    struct kl_past *past = calloc(1, sizeof *past);
    if (!past)
        return KL_NOMEM;
    past->live = config->chain;
    past->progress = config->progress;
    past->go_on = config->go_on;
    past->ctx = config->ctx;
    kl_arena_init(&arena, KL_STEP_ARENA);
    kl_status status = open_all(past, config, &arena);
    kl_arena_done(&arena);
    if (status != KL_OK) {
        kl_past_close(past);
        return status;
    }
    look(past);
    *out = past;
    return KL_OK;
}

void kl_past_close(struct kl_past *past)
{
    if (!past)
        return;
    if (past->chain)
        past->chain->ledger = NULL;
    kl_chain_close(past->chain);
    free(past);
}

void kl_past_status_of(const struct kl_past *past, kl_past_status *out)
{
    *out = past->at;
}

/* --- steps --- */

kl_status kl_past_step(struct kl_past *past)
{
    kl_past_status *at = &past->at;
    u64 next = at->any ? at->height + 1 : 0;
    struct kl_roll roll = {
        .progress = past->progress,
        .end = KL_MIN(next + STEP_BLOCKS, kl_seglog_synced(past->live->ledger)),
        .go_on = past->go_on,
        .ctx = past->ctx,
    };
    kl_status status = kl_chain_roll(past->chain, &roll);
    at->transactions += roll.transactions;
    if (status == KL_CORRUPT && roll.bad_rule != KL_RULE_NONE) {
        at->bad_version = roll.bad_version;
        at->bad_rule = roll.bad_rule;
    }
    KL_TRY(status);
    look(past);
    return kl_chain_retain(past->chain);
}

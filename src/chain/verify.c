/* Verifying is opening on a ledger that must not be touched and a state that nobody has seen. */
#include "chain/verify.h"

#include "chain/chain_priv.h"

#define SEGMENT_BYTES ((usize)64 << 20) /* of the scratch history */

struct verify {
    const kl_verify_config *config;
    struct kl_chain *chain;
    struct kl_roll roll;
    struct kl_arena records;
    kl_verify_result *out;
};

static void take_damage(kl_verify_result *out, const kl_seglog_report *report)
{
    memcpy(out->file, report->file, sizeof out->file);
    out->offset = report->offset;
    out->damage = report->damage;
}

/* A record that can be read and is wrong. */
static kl_status take_rule(struct verify *v, u64 version, kl_rule rule)
{
    kl_verify_result *out = v->out;
    out->bad_version = version;
    out->rule = rule;
    return kl_seglog_place(v->chain->ledger, version, out->file, &out->offset);
}

/* The ledger cannot be opened: is it bad? */
static kl_status judge_opening(struct verify *v, kl_status status, const kl_seglog_report *report)
{
    if (status != KL_CORRUPT || !report->damage)
        return status;
    take_damage(v->out, report);
    return KL_OK;
}

/* Reads every checkpoint there is, whether it is needed or not. */
struct checking {
    struct verify *v;
    kl_status status;
};

static void check_one(void *ctx, u64 version)
{
    struct checking *c = ctx;
    kl_checkpoint_damage damage;
    if (c->status != KL_OK)
        return;
    c->v->roll.bad_version = version;
    c->status = kl_checkpoint_read(c->v->chain->fs, version, NULL, &damage);
    if (c->status == KL_CORRUPT) {
        memcpy(c->v->roll.ledger.file, damage.file, sizeof damage.file);
        c->v->roll.ledger.offset = damage.offset;
        c->v->roll.ledger.damage = damage.what;
    }
}

static kl_status check_checkpoints(struct verify *v)
{
    struct checking c = {.v = v};
    KL_TRY(kl_checkpoint_list(v->chain->fs, check_one, &c));
    return c.status;
}

/* The fresh state: empty, or a checkpoint's. */
static kl_status open_scratch(struct verify *v, const kl_start *start)
{
    const kl_state_config config = {
        .kv = v->config->scratch,
        .fs = v->config->scratch_fs,
        .history_dir = KL_HISTORY_DIR,
        .history_segment_bytes = SEGMENT_BYTES,
    };
    struct kl_chain *chain = v->chain;
    if (!start->from_checkpoint)
        return kl_state_open(&chain->state, &config);
    v->roll.bad_version = start->checkpoint.version;
    KL_TRY(kl_chain_restore(chain, &config, &start->checkpoint, &v->records, &v->roll.ledger,
                            &chain->head));
    chain->published = kl_tip_ref(chain->head);
    v->roll.bad_block = chain->head->header.number;
    v->out->first_version = start->checkpoint.version + 1;
    return KL_OK;
}

static void sum_up(struct verify *v)
{
    kl_verify_result *out = v->out;
    out->versions = v->roll.versions;
    out->blocks = v->roll.blocks;
    out->transactions = v->roll.transactions;
    out->gas = v->roll.gas;
    out->unexecuted = v->roll.unexecuted;
    if (v->chain->head) {
        out->head = v->chain->head->header;
        out->head_hash = v->chain->head->hash;
    }
}

/* What came of reading or executing record bad_version. */
static kl_status conclude(struct verify *v, kl_status status)
{
    sum_up(v);
    if (status == KL_OK)
        v->out->good = true;
    if (status != KL_CORRUPT)
        return status;
    v->out->bad_version = v->roll.bad_version;
    v->out->bad_block = v->roll.bad_block;
    if (v->roll.bad_rule != KL_RULE_NONE)
        return take_rule(v, v->roll.bad_version, v->roll.bad_rule);
    if (!v->roll.ledger.damage)
        return KL_CORRUPT; /* the scratch state */
    take_damage(v->out, &v->roll.ledger);
    return KL_OK;
}

static kl_status run(struct verify *v)
{
    const kl_seglog_config config = {
        .dir = KL_LEDGER_DIR,
        .segment_bytes = SEGMENT_BYTES,
        .read_only = true,
    };
    kl_seglog_report report;
    kl_start start;
    kl_rule broken;
    kl_status status = kl_seglog_open(&v->chain->ledger, v->config->fs, &config, &report);
    if (status != KL_OK)
        return judge_opening(v, status, &report);
    v->out->tear = report;
    if (kl_seglog_end(v->chain->ledger) == 0)
        return KL_NOTFOUND;
    status = kl_chain_find_start(v->chain, false, &v->records, &v->roll.ledger, &start, &broken);
    if (status == KL_OK && broken == KL_RULE_NONE)
        status = kl_chain_learn_spec(v->chain, start.genesis, &v->records, &broken);
    if (status == KL_OK && broken != KL_RULE_NONE)
        return take_rule(v, kl_seglog_first(v->chain->ledger), broken);
    if (status == KL_OK)
        status = check_checkpoints(v);
    if (status == KL_OK && start.from_checkpoint)
        status = kl_chain_judge_unexecuted(v->chain, start.checkpoint.version + 1, &v->roll);
    if (status == KL_OK)
        status = open_scratch(v, &start);
    if (status == KL_OK && start.from_checkpoint)
        status = kl_chain_judge_signatures(v->chain, start.checkpoint.version + 1, &v->roll);
    if (status == KL_OK)
        status = kl_chain_roll(v->chain, &v->roll);
    return conclude(v, status);
}

kl_status kl_chain_verify(const kl_verify_config *config, struct kl_progress *progress,
                          kl_verify_result *out)
{
    kl_verify_result result = {0};
    struct verify v = {
        .config = config, .roll = {.progress = progress, .watch = config->watch}, .out = &result};
    const kl_chain_config plain = {
        .fs = config->fs,
        .workers = config->workers,
        .keep_preimages = config->watch != NULL,
        .tests = config->tests,
    };
    KL_TRY(kl_chain_new(&v.chain, &plain));
    kl_arena_init(&v.records, KL_STEP_ARENA);
    kl_status status = run(&v);
    kl_arena_done(&v.records);
    kl_chain_close(v.chain);
    if (status == KL_OK)
        *out = result;
    return status;
}

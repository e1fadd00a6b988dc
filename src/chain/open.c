/* Opening: the ledger first, since it is the truth; then the genesis it begins with; then the state
 * database, which is rolled forward over every record it has not seen, each judged as strictly as a
 * block from outside. */
#include <stdlib.h>

#include "chain/chain_priv.h"

#define LEDGER_DIR       "ledger"
#define HISTORY_DIR      "history"
#define ROLL_BYTES_MAX   ((usize)64 << 20) /* of deltas in memory before they are flushed */
#define ROLL_RECORDS_MAX 1000u
#define RECORD_ARENA     ((usize)256 << 20)

struct opening {
    struct kl_chain *chain;
    const kl_chain_config *config;
    struct kl_progress *progress;
    kl_chain_report *report;
    struct kl_arena records; /* ledger records and the genesis text */
    kl_span genesis_text;    /* of the ledger, or of the configuration for a new one */
};

static kl_status open_ledger(struct opening *o)
{
    const kl_seglog_config config = {
        .dir = LEDGER_DIR,
        .segment_bytes = o->config->segment_bytes,
    };
    return kl_seglog_open(&o->chain->ledger, o->config->fs, &config, &o->report->ledger);
}

static kl_status open_state(struct opening *o)
{
    const kl_state_config config = {
        .kv = o->config->kv,
        .fs = o->config->fs,
        .history_dir = HISTORY_DIR,
        .history_segment_bytes = o->config->segment_bytes,
    };
    return kl_state_open(&o->chain->state, &config);
}

/* The header and file that the ledger begins with; KL_NOTFOUND for an empty ledger. */
static kl_status read_genesis(struct opening *o, kl_header *header)
{
    kl_record record;
    KL_TRY(kl_seglog_read(o->chain->ledger, 0, &o->records, &record, &o->report->ledger));
    o->report->bad_rule = record.kind == KL_RECORD_GENESIS
                              ? kl_record_genesis(record.payload, header, &o->genesis_text)
                              : KL_RULE_LEDGER_KIND;
    return o->report->bad_rule == KL_RULE_NONE ? KL_OK : KL_CORRUPT;
}

static kl_status parse_genesis(struct opening *o, kl_genesis *genesis)
{
    KL_TRY(kl_genesis_parse(genesis, o->genesis_text, &o->records, &o->report->genesis));
    if (o->report->genesis.rule != KL_RULE_NONE)
        return KL_UNSUPPORTED;
    o->chain->spec = genesis->spec;
    return KL_OK;
}

/* The ledger's first record for a new chain; it is durable before anything else is. */
static kl_status create(struct opening *o, const kl_genesis *genesis)
{
    struct kl_tip *tip;
    bool more;
    KL_TRY(kl_genesis_tip(o->chain, genesis, o->genesis_text, &tip));
    o->chain->genesis_hash = tip->hash;
    kl_status status = kl_chain_append(o->chain, tip);
    kl_tip_unref(tip);
    KL_TRY(status);
    KL_TRY(kl_chain_write(o->chain));
    KL_TRY(kl_chain_sync(o->chain));
    kl_chain_publish(o->chain, false, NULL, NULL);
    return kl_chain_flush_to(o->chain, 1, &more);
}

/* A configured genesis must be the ledger's own. */
static bool is_other_genesis(const struct opening *o)
{
    return o->config->genesis.len && !kl_span_eq(o->config->genesis, o->genesis_text);
}

/* The head as the database has it. */
static kl_status head_from_state(struct opening *o, u64 version)
{
    struct kl_chain *chain = o->chain;
    struct kl_view *view;
    kl_index_head head;
    kl_record record;
    KL_CLEANUP(kl_tip_unrefp) struct kl_tip *tip = NULL;
    KL_TRY(kl_tip_new(&tip, NULL, KL_STEP_BLOCK));
    KL_TRY(kl_state_view(chain->state, NULL, &view));
    kl_dev_env env;
    kl_status status = kl_index_get_head(view, &head);
    if (status == KL_OK && chain->spec.dev)
        status = kl_index_get_dev(view, &env);
    kl_view_close(view);
    KL_TRY(status == KL_NOTFOUND ? KL_CORRUPT : status);
    if (chain->spec.dev)
        KL_TRY(kl_tip_set_dev(tip, &env));
    KL_TRY(kl_seglog_read(chain->ledger, head.version, &o->records, &record, &o->report->ledger));
    if (kl_record_header(record.kind, record.payload, &tip->header) != KL_RULE_NONE)
        return KL_CORRUPT;
    tip->version = version;
    tip->hash = head.hash;
    chain->head = tip;
    chain->published = kl_tip_ref(tip);
    chain->flushed = version;
    chain->has_flushed = true;
    tip = NULL;
    return KL_OK;
}

static kl_status replay_one(struct opening *o, struct kl_run *run, u64 version)
{
    struct kl_chain *chain = o->chain;
    kl_record record;
    struct kl_tip *tip;
    kl_rule broken;
    kl_arena_reset(&o->records, RECORD_ARENA);
    KL_TRY(kl_seglog_read(chain->ledger, version, &o->records, &record, &o->report->ledger));
    kl_status status = kl_replay_record(chain, run, chain->head, &record, &tip, &broken);
    if (status == KL_OK && broken != KL_RULE_NONE) {
        o->report->bad_version = version;
        o->report->bad_rule = broken;
        return KL_CORRUPT;
    }
    KL_TRY(status);
    kl_chain_take_head(chain, tip);
    kl_tip_unref(tip);
    o->report->replayed++;
    return KL_OK;
}

/* Makes the database catch up with the ledger, in batches that memory can hold. */
static kl_status roll_forward(struct opening *o, struct kl_run *run)
{
    struct kl_chain *chain = o->chain;
    u64 end = kl_seglog_end(chain->ledger);
    u64 first = chain->head ? chain->head->version + 1 : 0;
    chain->written = end;
    for (u64 version = first; version < end; version++) {
        KL_TRY(replay_one(o, run, version));
        bool last = version + 1 == end, more = true;
        if (!last && version % ROLL_RECORDS_MAX != 0 && chain->delta_bytes < ROLL_BYTES_MAX)
            continue;
        kl_chain_publish(chain, false, NULL, NULL);
        while (more)
            KL_TRY(kl_chain_flush_to(chain, version + 1, &more));
        if (o->progress)
            o->progress->step(o->progress, version, end - 1);
    }
    return KL_OK;
}

static kl_status replay_rest(struct opening *o)
{
    struct kl_exec *exec;
    struct kl_run *run;
    KL_TRY(kl_exec_new(&exec, &(kl_exec_config){
                                  .evm_memory_limit = KL_EVM_MEMORY,
                                  .journal_memory_limit = KL_STEP_ARENA,
                              }));
    kl_status status = kl_run_new(&run, exec);
    if (status == KL_OK) {
        status = roll_forward(o, run);
        kl_run_free(run);
    }
    kl_exec_free(exec);
    return status;
}

static kl_status open_existing(struct opening *o)
{
    kl_header header;
    kl_genesis genesis;
    u64 version;
    kl_span anchor;
    KL_TRY(read_genesis(o, &header));
    o->chain->genesis_hash = kl_header_hash(&header);
    if (is_other_genesis(o)) {
        o->report->other_genesis = true;
        return KL_UNSUPPORTED;
    }
    KL_TRY(parse_genesis(o, &genesis));
    KL_TRY(open_state(o));
    if (kl_state_stored(o->chain->state, &version, &anchor)) {
        if (version >= kl_seglog_end(o->chain->ledger))
            return KL_CORRUPT; /* a database of another ledger, or one whose ledger lost its end */
        KL_TRY(head_from_state(o, version));
    }
    return replay_rest(o);
}

static kl_status open_new(struct opening *o)
{
    kl_genesis genesis;
    o->genesis_text = o->config->genesis;
    if (!o->genesis_text.len)
        return KL_NOTFOUND;
    KL_TRY(parse_genesis(o, &genesis));
    KL_TRY(open_state(o));
    return create(o, &genesis);
}

static kl_status open_all(struct opening *o)
{
    KL_TRY(open_ledger(o));
    return kl_seglog_end(o->chain->ledger) ? open_existing(o) : open_new(o);
}

kl_status kl_chain_open(struct kl_chain **out, const kl_chain_config *config,
                        struct kl_progress *progress, kl_chain_report *report)
{
    struct kl_chain *chain = calloc(1, sizeof *chain);
    if (!chain)
        return KL_NOMEM;
    *report = (kl_chain_report){0};
    kl_mutex_init(&chain->lock);
    kl_arena_init(&chain->arena, KL_STEP_ARENA);
    chain->fs = config->fs;
    chain->workers = config->workers;
    chain->keep_preimages = config->keep_preimages;
    chain->keep_blocks = config->keep_blocks;
    chain->keep_history = config->keep_history;
    struct opening o = {.chain = chain, .config = config, .progress = progress, .report = report};
    kl_arena_init(&o.records, KL_STEP_ARENA);
    kl_status status = open_all(&o);
    kl_arena_done(&o.records);
    if (status != KL_OK) {
        kl_chain_close(chain);
        return status;
    }
    *out = chain;
    return KL_OK;
}

/* Opening: the ledger first, since it is the truth; then the genesis it begins with; then the state
 * database, which is rolled forward over every record it has not seen, each judged as strictly as a
 * block from outside. */
#include <stdlib.h>

#include "chain/chain_priv.h"

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
        .dir = KL_LEDGER_DIR,
        .segment_bytes = o->config->segment_bytes,
    };
    return kl_seglog_open(&o->chain->ledger, o->config->fs, &config, &o->report->ledger);
}

static kl_status open_state(struct opening *o)
{
    const kl_state_config config = {
        .kv = o->config->kv,
        .fs = o->config->fs,
        .history_dir = KL_HISTORY_DIR,
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

/* The database's head becomes the chain's. */
static kl_status head_from_state(struct opening *o, u64 version)
{
    struct kl_chain *chain = o->chain;
    struct kl_tip *tip;
    KL_TRY(kl_chain_find_head(chain, version, &o->records, &o->report->ledger, &tip));
    chain->head = tip;
    chain->published = kl_tip_ref(tip);
    chain->flushed = version;
    chain->has_flushed = true;
    return KL_OK;
}

/* The database only ever holds what was durable in the ledger: the ledger has lost its end. */
static kl_status end_is_missing(struct opening *o)
{
    struct kl_seglog *ledger = o->chain->ledger;
    kl_seglog_report *report = &o->report->ledger;
    KL_TRY(kl_seglog_place(ledger, kl_seglog_end(ledger) - 1, report->file, &report->offset));
    report->damage = "records behind this one are missing: the state database has seen them";
    return KL_CORRUPT;
}

static kl_status replay_rest(struct opening *o)
{
    struct kl_roll roll = {.progress = o->progress};
    kl_status status = kl_chain_roll(o->chain, &roll);
    o->report->replayed = roll.versions;
    if (status == KL_CORRUPT && roll.bad_rule != KL_RULE_NONE) {
        o->report->bad_version = roll.bad_version;
        o->report->bad_rule = roll.bad_rule;
    }
    if (status != KL_OK && roll.ledger.damage)
        o->report->ledger = roll.ledger;
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
            return end_is_missing(o);
        KL_TRY(head_from_state(o, version));
    }
    o->report->rebuilt = !o->chain->head;
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

kl_status kl_chain_new(struct kl_chain **out, const kl_chain_config *config)
{
    struct kl_chain *chain = calloc(1, sizeof *chain);
    if (!chain)
        return KL_NOMEM;
    kl_mutex_init(&chain->lock);
    kl_arena_init(&chain->arena, KL_STEP_ARENA);
    chain->fs = config->fs;
    chain->workers = config->workers;
    chain->keep_preimages = config->keep_preimages;
    chain->keep_blocks = config->keep_blocks;
    chain->keep_history = config->keep_history;
    *out = chain;
    return KL_OK;
}

kl_status kl_chain_open(struct kl_chain **out, const kl_chain_config *config,
                        struct kl_progress *progress, kl_chain_report *report)
{
    struct kl_chain *chain;
    KL_TRY(kl_chain_new(&chain, config));
    *report = (kl_chain_report){0};
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

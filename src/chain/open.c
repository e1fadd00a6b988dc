/* Opening: the ledger first, since it is the truth; then the genesis it begins with; then the state
 * database, which is rolled forward over every record it has not seen, each judged as strictly as a
 * block from outside. */
#include <stdlib.h>

#include "chain/bft_priv.h"

struct opening {
    struct kl_chain *chain;
    const kl_chain_config *config;
    struct kl_progress *progress;
    kl_chain_report *report;
    struct kl_arena records; /* ledger records and the genesis text */
    kl_start start;          /* of an existing ledger */
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

static kl_state_config state_config(const struct opening *o)
{
    return (kl_state_config){
        .kv = o->config->kv,
        .fs = o->config->fs,
        .history_dir = KL_HISTORY_DIR,
        .history_segment_bytes = o->config->segment_bytes,
    };
}

static kl_status open_state(struct opening *o)
{
    const kl_state_config config = state_config(o);
    return kl_state_open(&o->chain->state, &config);
}

/* The header and file that the chain begins with. */
static kl_status read_genesis(struct opening *o, kl_header *header)
{
    kl_rule *broken = &o->report->bad_rule;
    KL_TRY(kl_chain_find_start(o->chain, true, &o->records, &o->report->ledger, &o->start, broken));
    if (*broken == KL_RULE_NONE)
        *broken = kl_record_genesis(o->start.genesis, header, &o->genesis_text);
    return *broken == KL_RULE_NONE ? KL_OK : KL_CORRUPT;
}

static kl_status parse_genesis(struct opening *o, kl_genesis *genesis)
{
    KL_TRY(kl_genesis_parse(genesis, o->genesis_text, &o->records, &o->report->genesis));
    if (o->report->genesis.rule != KL_RULE_NONE)
        return KL_UNSUPPORTED;
    o->chain->spec = genesis->spec;
    KL_TRY(kl_chain_learn_votes(o->chain, genesis, &o->report->genesis));
    return o->report->genesis.rule == KL_RULE_NONE ? KL_OK : KL_UNSUPPORTED;
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

void kl_chain_stand_at(struct kl_chain *chain, struct kl_tip *tip)
{
    chain->head = tip;
    chain->published = kl_tip_ref(tip);
    chain->flushed = tip->version;
    chain->has_flushed = true;
}

/* Can the ledger lead on from the database?  Its newest commit may have been lost, and what led to
 * the one before may have gone. */
static kl_status is_reached(struct opening *o, u64 version, bool *out)
{
    struct kl_view *view;
    kl_index_head head;
    u64 first = kl_seglog_first(o->chain->ledger);
    *out = true;
    if (!o->start.from_checkpoint)
        return KL_OK;
    KL_TRY(kl_state_view(o->chain->state, NULL, &view));
    kl_status status = kl_index_get_head(view, &head);
    kl_view_close(view);
    if (status == KL_OK)
        *out = version + 1 >= first && head.version >= first;
    return status == KL_NOTFOUND ? KL_CORRUPT : status;
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

/* The database as it is, when the ledger leads on from it. */
static kl_status begin_from_state(struct opening *o)
{
    struct kl_chain *chain = o->chain;
    struct kl_tip *tip;
    u64 version;
    kl_span anchor;
    bool reached;
    if (!kl_state_stored(chain->state, &version, &anchor))
        return KL_OK;
    if (version >= kl_seglog_end(chain->ledger))
        return end_is_missing(o);
    KL_TRY(is_reached(o, version, &reached));
    if (!reached)
        return KL_OK;
    KL_TRY(kl_chain_find_head(chain, version, &o->records, &o->report->ledger, &tip));
    kl_chain_stand_at(chain, tip);
    return KL_OK;
}

static kl_status begin_from_checkpoint(struct opening *o)
{
    const kl_state_config config = state_config(o);
    struct kl_tip *tip;
    kl_state_close(o->chain->state);
    o->chain->state = NULL;
    KL_TRY(kl_chain_restore(o->chain, &config, &o->start.checkpoint, &o->records,
                            &o->report->ledger, &tip));
    kl_chain_stand_at(o->chain, tip);
    return KL_OK;
}

/* Is it a checkpoint of this ledger?  One that an earlier chain has left is not. */
static kl_status is_ours(struct opening *o, const kl_checkpoint *checkpoint, bool *out)
{
    kl_record record;
    kl_header header;
    KL_TRY(kl_seglog_read(o->chain->ledger, checkpoint->head_version, &o->records, &record,
                          &o->report->ledger));
    *out = kl_record_header(record.kind, record.payload, &header) == KL_RULE_NONE;
    if (*out) {
        kl_hash hash = kl_header_hash(&header);
        *out = kl_hash_eq(&hash, &checkpoint->head_hash);
    }
    return KL_OK;
}

/* The newest checkpoint there is; what was not finished goes. */
static kl_status know_checkpoint(struct opening *o)
{
    struct kl_chain *chain = o->chain;
    kl_checkpoint newest;
    KL_TRY(kl_checkpoint_drop(chain->fs, 0));
    kl_status status =
        kl_checkpoint_find(chain->fs, kl_seglog_first(chain->ledger),
                           kl_seglog_end(chain->ledger) - 1, true, &o->records, &newest);
    if (status != KL_OK)
        return status == KL_NOTFOUND || status == KL_UNSUPPORTED ? KL_OK : status;
    KL_TRY(is_ours(o, &newest, &chain->has_checkpoint));
    chain->checkpoint_version = newest.version;
    chain->checkpoint_head = newest.head_version;
    return KL_OK;
}

/* Where validators vote, records are numbered as blocks are. */
kl_status kl_chain_check_pin(struct kl_chain *chain, struct kl_arena *arena,
                             kl_chain_report *report)
{
    const kl_pin *pin = &chain->pin;
    kl_record record;
    kl_header header;
    u64 first = kl_seglog_first(chain->ledger);
    report->pin_kept = pin->number && kl_chain_votes(chain) && pin->number < first ? first : 0;
    if (!pin->number || !kl_chain_votes(chain) || pin->number < first ||
        pin->number >= kl_seglog_end(chain->ledger))
        return KL_OK;
    KL_TRY(kl_seglog_read(chain->ledger, pin->number, arena, &record, &report->ledger));
    if (kl_record_header(record.kind, record.payload, &header) != KL_RULE_NONE)
        return KL_OK; /* whoever opens all of it says what is wrong */
    report->found = kl_header_hash(&header);
    report->off_pin = kl_pin_excludes(pin, header.number, &report->found);
    return report->off_pin ? KL_UNSUPPORTED : KL_OK;
}

static kl_status open_existing(struct opening *o)
{
    kl_header header;
    kl_genesis genesis;
    KL_TRY(read_genesis(o, &header));
    o->chain->genesis_hash = kl_header_hash(&header);
    if (is_other_genesis(o)) {
        o->report->other_genesis = true;
        return KL_UNSUPPORTED;
    }
    KL_TRY(parse_genesis(o, &genesis));
    KL_TRY(kl_chain_check_pin(o->chain, &o->records, o->report));
    KL_TRY(open_state(o));
    KL_TRY(begin_from_state(o));
    o->report->rebuilt = !o->chain->head;
    if (!o->chain->head && o->start.from_checkpoint)
        KL_TRY(begin_from_checkpoint(o));
    KL_TRY(know_checkpoint(o));
    return replay_rest(o);
}

static kl_status open_new(struct opening *o)
{
    kl_genesis genesis;
    o->genesis_text = o->config->genesis;
    if (!o->genesis_text.len)
        return KL_NOTFOUND;
    KL_TRY(parse_genesis(o, &genesis));
    KL_TRY(kl_checkpoint_drop(o->chain->fs, UINT64_MAX)); /* another chain's */
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
    kl_block_cache_init(&chain->blocks);
    kl_arena_init(&chain->arena, KL_STEP_ARENA);
    chain->fs = config->fs;
    chain->workers = config->workers;
    chain->keep_preimages = config->keep_preimages;
    chain->tests = config->tests;
    chain->senders = config->senders;
    chain->keep_blocks = config->keep_blocks;
    chain->keep_history = config->keep_history;
    chain->pin = config->pin;
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

/* Storage: a folder of the file system, or files without names and tables in memory.  The chain is
 * opened over it; when its cache, the state database, cannot be used, it is deleted and the chain
 * opened again, once. */
#include <stdio.h>
#include <unistd.h>

#include "chain/rules.h"
#include "lmdb/lmdb.h"
#include "node/dev_genesis.h"
#include "node/node_priv.h"
#include "store/memkv.h"

#define SECOND_NS      UINT64_C(1000000000)
#define HOUR_NS        (3600 * SECOND_NS)
#define READ_LIMIT_NS  (300 * SECOND_NS)
#define READER_MAX     1024u
#define SYNC_NS        (SECOND_NS / 10)
#define GENESIS_MEMORY ((usize)1 << 30)
#define LAG_MAX        ((usize)256 << 20)
/* Of address space, not of memory or disk; a sanitizer needs most of it for itself. */
#define MAP_BYTES (KL_SANITIZED ? UINT64_C(1) << 34 : UINT64_C(1) << 40)

/* The database that a fault of the process is compared with; one node a process is watched. */
static struct kl_node *watched;

static void say(const char *text)
{
    ssize_t ignored = write(STDERR_FILENO, text, strlen(text));
    (void)ignored;
}

/* Only what signal-safety(7) allows. */
static void last_word(const void *address)
{
    struct kl_node *node = watched;
    if (!node)
        return;
    if (node->historian.kv && kl_lmdb_at_fault(node->historian.kv, address)) {
        say("keel: the fault was met inside the database of the states that are being made, whose\n"
            "file is probably damaged: the next start deletes that and begins to make them "
            "again.\n");
        kl_folder_suspect_past(&node->folder);
        return;
    }
    if (!kl_lmdb_at_fault(node->kv, address))
        return;
    say("keel: the fault was met inside the state database, whose file is probably damaged.  The\n"
        "ledger is not: the next start deletes the state database and makes it again from the\n"
        "ledger.\n");
    kl_folder_suspect(&node->folder);
}

static kl_status blame_folder(const struct kl_node *node, kl_status status, kl_node_fault *fault)
{
    const char *dir = node->config.dir;
    switch (status) {
    case KL_BUSY:
        return kl_node_blame(
            fault, status,
            "another keel is running on %s; stop it, or choose another folder with "
            "--dir",
            dir);
    case KL_NOTFOUND:
        if (node->config.genesis.len)
            return kl_node_blame(fault, status, "the folder %s cannot be made", dir);
        return kl_node_blame(fault, status,
                             "there is no chain in %s; make one with 'keel init --genesis FILE "
                             "--dir %s'",
                             dir, dir);
    case KL_OK:
    case KL_AGAIN:
    case KL_LIMIT:
    case KL_NOMEM:
    case KL_IO:
    case KL_FULL:
    case KL_DENIED:
    case KL_CORRUPT:
    case KL_TIMEOUT:
    case KL_CANCELED:
    case KL_UNSUPPORTED:
        break;
    }
    return kl_node_blame(fault, status, "cannot use the data folder %s: %s", dir,
                         kl_status_text(status));
}

/* How the genesis that was asked for and the folder's differ; the folder's copy may be damaged. */
static kl_status blame_other_genesis(struct kl_node *node, kl_node_fault *fault)
{
    struct kl_arena arena;
    kl_genesis genesis;
    kl_file_fault bad;
    kl_span theirs, a, b;
    const char *dir = node->config.dir;
    kl_arena_init(&arena, GENESIS_MEMORY);
    if (kl_folder_genesis(&node->folder, &arena, &theirs) != KL_OK ||
        kl_genesis_parse(&genesis, theirs, &arena, &bad) != KL_OK || bad.rule != KL_RULE_NONE)
        (void)kl_node_blame(fault, KL_OK,
                            "%s/" KL_FOLDER_GENESIS " is missing or damaged; put it back from a "
                            "copy, choose another folder with --dir, or forget the chain with "
                            "--reset",
                            dir);
    else if (kl_dev_genesis_differ(node->config.genesis, theirs, &a, &b))
        (void)kl_node_blame(fault, KL_OK,
                            "the chain in %s has another genesis: it has %.*s where %.*s is asked "
                            "for; start it with the options it was made with, choose another "
                            "folder with --dir, or forget it with --reset",
                            dir, (int)KL_MIN(b.len, (usize)100), (const char *)b.p,
                            (int)KL_MIN(a.len, (usize)100), (const char *)a.p);
    else
        (void)kl_node_blame(fault, KL_OK,
                            "the chain in %s has another genesis; choose another folder with "
                            "--dir, or forget it with --reset",
                            dir);
    kl_arena_done(&arena);
    return KL_UNSUPPORTED;
}

static const char *genesis_name(const struct kl_node *node)
{
    return node->config.genesis_file ? node->config.genesis_file : KL_FOLDER_GENESIS;
}

/* "genesis.json:12: config.cancunTime: forks out of order" */
static kl_status blame_genesis(const struct kl_node *node, const kl_file_fault *f,
                               kl_node_fault *fault)
{
    char line[24] = "";
    if (f->line)
        snprintf(line, sizeof line, "%zu: ", f->line);
    return kl_node_blame(fault, KL_UNSUPPORTED, "%s:%s%s%s%s%s", genesis_name(node),
                         f->line ? "" : " ", line, f->where, *f->where ? ": " : "",
                         kl_rule_text(f->rule));
}

/* A chain that begins with Prague or later and lacks a contract that every block calls would never
 * have a block. */
static kl_status judge_system_contracts(const struct kl_node *node, const kl_genesis *genesis,
                                        kl_node_fault *fault)
{
    const char *missing = kl_genesis_lacks(genesis);
    if (!missing)
        return KL_OK;
    return kl_node_blame(fault, KL_UNSUPPORTED,
                         "%s: alloc: 0x%s is missing: every block calls it from Prague on "
                         "[EIP-7002, EIP-7251]; add it with the code that its EIP gives, or leave "
                         "out pragueTime",
                         genesis_name(node), missing);
}

/* Blocks would break rules that are judged against their parent's header. */
static kl_status judge_header(const struct kl_node *node, const kl_header *h, kl_node_fault *fault)
{
    if (h->gas_limit < KL_GAS_LIMIT_MIN || h->gas_limit > KL_GAS_LIMIT_MAX)
        return kl_node_blame(fault, KL_UNSUPPORTED,
                             "%s: gasLimit: no block could follow: it must be at least 5000 and at "
                             "most 2^63 - 1",
                             genesis_name(node));
    if (h->timestamp > INT64_MAX)
        return kl_node_blame(
            fault, KL_UNSUPPORTED,
            "%s: timestamp: no block could follow: it must be at most 2^63 - 1, in "
            "seconds",
            genesis_name(node));
    return KL_OK;
}

static kl_status blame_off_checkpoint(struct kl_node *node, const kl_chain_report *r,
                                      kl_node_fault *fault)
{
    const kl_pin is = {node->checkpoint.number, r->found};
    char wanted[KL_PIN_TEXT_MAX], found[KL_PIN_TEXT_MAX];
    kl_pin_text(wanted, &node->checkpoint);
    kl_pin_text(found, &is);
    return kl_node_blame(
        fault, KL_UNSUPPORTED,
        "the chain in %s has the block %s and not the checkpoint %s: it is another "
        "history, or the checkpoint is wrong; choose another folder with --dir, or "
        "another --checkpoint",
        node->config.dir ? node->config.dir : "memory", found, wanted);
}

static kl_status blame_chain(struct kl_node *node, kl_status status, const kl_chain_report *r,
                             kl_node_fault *fault)
{
    const char *dir = node->config.dir ? node->config.dir : "memory";
    if (r->other_genesis)
        return blame_other_genesis(node, fault);
    if (r->genesis.rule != KL_RULE_NONE)
        return blame_genesis(node, &r->genesis, fault);
    if (r->off_pin)
        return blame_off_checkpoint(node, r, fault);
    if (r->ledger.damage)
        return kl_node_blame(
            fault, status,
            "the ledger is damaged: %s/%s, byte %llu: %s; put the file back from a "
            "copy, or forget the chain by removing %s",
            dir, r->ledger.file, (unsigned long long)r->ledger.offset, r->ledger.damage, dir);
    if (r->bad_version || r->bad_rule != KL_RULE_NONE)
        return kl_node_blame(fault, status,
                             "record %llu of the ledger in %s does not execute to what it says: "
                             "%s; 'keel verify --dir %s' tells more",
                             (unsigned long long)r->bad_version, dir, kl_rule_text(r->bad_rule),
                             dir);
    return kl_node_blame(fault, status, "cannot open the chain in %s: %s", dir,
                         kl_status_text(status));
}

static kl_host_config host_config(const struct kl_node *node)
{
    const kl_node_config *c = &node->config;
    u64 seed;
    kl_entropy_fill(kl_sys_entropy(), &seed, sizeof seed);
    return (kl_host_config){
        .chain =
            {
                .fs = node->slow_fs ? node->slow_fs
                      : c->dir      ? node->folder.fs
                                    : node->scratch,
                .kv = node->kv,
                .workers = node->workers,
                .genesis = c->genesis,
                .segment_bytes = KL_NODE_SEGMENT_BYTES,
                .keep_preimages = true,
                .keep_blocks = c->keep_blocks,
                .keep_history = c->keep_history,
            },
        .pool =
            {
                .tx_max = 50000,
                .bytes_max = (usize)256 << 20,
                .tx_bytes_max = 128 << 10,
                .per_sender_max = 50000,
                .queued_sender_max = 1000,
                .sender_share = 64,
                .queued_ns = 3 * HOUR_NS,
                .replace_percent = 10,
                .nonce_gap_max = 10000,
                .seed = seed,
            },
        .durability = !c->dir      ? KL_DURABLE_NEVER
                      : c->durable ? KL_DURABLE_EACH
                                   : KL_DURABLE_SOON,
        .sync_interval_ns = SYNC_NS,
        .automine = c->automine,
        .interval_ns = c->block_time_ns,
        .on_demand = c->on_demand,
        .fifo = c->fifo,
        .coinbase = c->coinbase,
        .gas_limit = c->gas_limit,
        .lag_max = LAG_MAX,
        .clock = kl_sys_clock(),
        .workers = node->workers,
        .codes = node->codes,
        .seed = seed,
    };
}

static void delay_commit(void *ctx)
{
    const struct kl_node *node = ctx;
    kl_sys_nap(node->config.sync_delay_ns);
}

kl_status kl_node_open_kv(struct kl_node *node, const char *name, struct kl_kv **out)
{
    char path[4096];
    KL_TRY(kl_fs_make_dir(node->folder.fs, name));
    if (snprintf(path, sizeof path, "%s/%s", node->config.dir, name) >= (int)sizeof path)
        return KL_UNSUPPORTED;
    const kl_lmdb_config config = {
        .path = path,
        .tables = kl_state_table_names,
        .table_count = KL_TABLE_COUNT,
        .map_bytes = MAP_BYTES,
        .read_limit_ns = READ_LIMIT_NS,
        .reader_max = READER_MAX,
        .synced = node->config.sync_delay_ns ? delay_commit : NULL,
        .synced_ctx = node,
        .clock = kl_sys_clock(),
    };
    return kl_lmdb_open(out, &config);
}

/* A chain that has no state, and is not about to take one from others, begins with what it had put
 * aside, or was making behind it, rather than from the genesis. */
static kl_status take_back(struct kl_node *node)
{
    bool is_new;
    KL_TRY(kl_state_is_new(node->kv, &is_new));
    if (!is_new || node->fill_wanted)
        return KL_OK;
    kl_kv_close(node->kv);
    node->kv = NULL;
    KL_TRY(kl_folder_take_back(&node->folder, &node->took_back));
    return kl_node_open_kv(node, KL_FOLDER_STATE, &node->kv);
}

static kl_status open_kv(struct kl_node *node)
{
    node->took_back = false;
    if (!node->config.dir)
        return kl_memkv_open(&node->kv, KL_TABLE_COUNT);
    KL_TRY(kl_node_open_kv(node, KL_FOLDER_STATE, &node->kv));
    return take_back(node);
}

/* Who makes the chain's blocks, by the genesis that was asked for or that the folder has; a text
 * that is no genesis is named when the chain is opened. */
static kl_status find_engine(struct kl_node *node, kl_engine *out)
{
    struct kl_arena arena;
    kl_genesis genesis;
    kl_file_fault bad = {0};
    kl_span text = node->config.genesis;
    kl_status status = KL_OK;
    *out = KL_ENGINE_SOLO;
    kl_arena_init(&arena, GENESIS_MEMORY);
    if (!text.len && node->config.dir)
        status = kl_folder_genesis(&node->folder, &arena, &text);
    if (status == KL_OK)
        status = kl_genesis_parse(&genesis, text, &arena, &bad);
    if (status == KL_OK && bad.rule == KL_RULE_NONE)
        *out = genesis.spec.engine;
    kl_arena_done(&arena);
    return status == KL_NOTFOUND ? KL_OK : status;
}

/* What stands over the folder and its cache. */
static void close_chain(struct kl_node *node)
{
    kl_host_close(node->host);
    kl_member_close(node->member);
    kl_slow_fs_close(node->slow_key_fs);
    kl_sys_fs_close(node->key_fs);
    kl_kv_close(node->shade_kv);
    kl_sys_scratch_close(node->shade);
    node->host = NULL;
    node->member = NULL;
    node->slow_key_fs = node->key_fs = node->shade = NULL;
    node->shade_kv = NULL;
    node->fills = false;
}

static kl_status open_chain(struct kl_node *node, kl_node_report *report, kl_node_fault *fault)
{
    kl_engine engine;
    report->chain = (kl_chain_report){0};
    KL_TRY(find_engine(node, &engine));
    if (node->config.checkpoint.number && engine != KL_ENGINE_SIMPLEX)
        return kl_node_blame(fault, KL_UNSUPPORTED,
                             "a checkpoint is for a chain that others make, and no validators vote "
                             "on this one");
    KL_TRY(open_kv(node));
    const kl_host_config config = host_config(node);
    kl_status status =
        engine == KL_ENGINE_SIMPLEX
            ? kl_node_open_member(node, &config, report, fault)
            : kl_host_open(&node->host, &config, node->config.progress, &report->chain);
    if (status != KL_OK) {
        close_chain(node);
        kl_kv_close(node->kv);
        node->kv = NULL;
    }
    return status;
}

/* Can it be the cache, and nothing else, that is at fault?  A record that does not execute to what
 * it says may be judged wrongly because of it.  What lies beside the chain has been named. */
static bool is_cache_fault(kl_status status, const kl_chain_report *r, const kl_node_fault *fault)
{
    return (status == KL_CORRUPT || status == KL_UNSUPPORTED) && !fault->text[0] &&
           !r->ledger.damage && !r->other_genesis && !r->off_pin && r->genesis.rule == KL_RULE_NONE;
}

static kl_status open_with_cache(struct kl_node *node, kl_node_report *report, kl_node_fault *fault)
{
    kl_status status = open_chain(node, report, fault);
    while (node->config.dir && (!report->rebuilt || node->took_back) &&
           is_cache_fault(status, &report->chain, fault)) {
        report->rebuilt = status == KL_CORRUPT ? "it was damaged" : "it had another format";
        status = kl_folder_drop_state(&node->folder);
        if (status != KL_OK)
            return blame_folder(node, status, fault);
        status = open_chain(node, report, fault);
    }
    if (status == KL_OK || fault->text[0])
        return status;
    return blame_chain(node, status, &report->chain, fault);
}

/* A reset, a new chain's genesis file, suspicion. */
static kl_status prepare(struct kl_node *node, kl_node_report *report)
{
    bool has_chain, suspect;
    const kl_node_config *c = &node->config;
    if (c->reset)
        KL_TRY(kl_folder_reset(&node->folder));
    KL_TRY(kl_folder_settle_past(&node->folder));
    KL_TRY(kl_folder_has_chain(&node->folder, &has_chain));
    if (!has_chain && !c->genesis.len)
        return KL_NOTFOUND;
    report->created = !has_chain;
    if (!has_chain) {
        KL_TRY(kl_folder_drop_state(&node->folder)); /* of a ledger that somebody took away */
        KL_TRY(kl_folder_drop_past(&node->folder));
        KL_TRY(kl_folder_put_genesis(&node->folder, c->genesis));
    }
    KL_TRY(kl_folder_is_suspect(&node->folder, &suspect));
    if (suspect) {
        KL_TRY(kl_folder_drop_state(&node->folder));
        report->rebuilt = "the last run met damage in it";
    }
    return KL_OK;
}

/* Is the genesis that was asked for a good one?  Before anything is made on disk. */
static kl_status judge_genesis(const struct kl_node *node, kl_node_fault *fault)
{
    struct kl_arena arena;
    kl_genesis genesis;
    kl_file_fault bad;
    kl_arena_init(&arena, GENESIS_MEMORY);
    kl_status status = kl_genesis_parse(&genesis, node->config.genesis, &arena, &bad);
    if (status != KL_OK)
        status = kl_node_blame(fault, status, "%s: %s", genesis_name(node), kl_status_text(status));
    else if (bad.rule != KL_RULE_NONE)
        status = blame_genesis(node, &bad, fault);
    else if (genesis.spec.engine == KL_ENGINE_EXTERNAL)
        status = kl_node_blame(fault, KL_UNSUPPORTED,
                               "%s: config.keel.engine says that blocks come from outside; only a "
                               "chain whose engine is solo or simplex can be run",
                               genesis_name(node));
    else
        status = judge_header(node, &genesis.header, fault);
    if (status == KL_OK)
        status = judge_system_contracts(node, &genesis, fault);
    kl_arena_done(&arena);
    return status;
}

kl_status kl_node_open_storage(struct kl_node *node, kl_node_report *report, kl_node_fault *fault)
{
    kl_status status;
    if (node->config.genesis.len)
        KL_TRY(judge_genesis(node, fault));
    if (!node->config.dir) {
        report->created = true;
        status = kl_sys_scratch_open(&node->scratch);
        if (status != KL_OK)
            return kl_node_blame(fault, status,
                                 "cannot make files in the folder for temporary ones (TMPDIR): %s",
                                 kl_status_text(status));
        return open_with_cache(node, report, fault);
    }
    bool has_chain = true;
    status = kl_folder_open(&node->folder, node->config.dir, node->config.genesis.len > 0);
    if (status == KL_OK)
        status = kl_folder_has_chain(&node->folder, &has_chain);
    if (status == KL_OK && !has_chain)
        KL_TRY(kl_node_try_port(node, fault));
    if (status == KL_OK)
        status = prepare(node, report);
    if (status == KL_OK && node->config.sync_delay_ns)
        status = kl_slow_fs_open(&node->slow_fs, node->folder.fs, node->config.sync_delay_ns);
    if (status != KL_OK)
        return blame_folder(node, status, fault);
    watched = node;
    kl_sys_on_crash(last_word);
    return open_with_cache(node, report, fault);
}

kl_status kl_node_turn_storage(struct kl_node *node, kl_node_fault *fault)
{
    kl_node_report report = {0};
    fault->text[0] = '\0';
    close_chain(node);
    kl_kv_close(node->kv);
    node->kv = NULL;
    if (node->config.dir) {
        kl_status status = kl_folder_settle_past(&node->folder);
        if (status == KL_OK && node->lets_go)
            status = kl_folder_put_aside(&node->folder);
        if (status != KL_OK)
            return blame_folder(node, status, fault);
        node->lets_go = false;
    }
    return open_with_cache(node, &report, fault);
}

void kl_node_close_storage(struct kl_node *node)
{
    close_chain(node);
    kl_slow_fs_close(node->slow_fs);
    if (watched == node)
        watched = NULL;
    kl_kv_close(node->kv);
    kl_sys_scratch_close(node->scratch);
    kl_folder_close(&node->folder);
}

/* db: what lies in a data folder, for other tools.  `fixture` executes the ledger again up to the
 * blocks that are asked for, into a state in memory that keeps the names of accounts and slots, and
 * so has the whole state on both sides of any block, however old.  A dev operation ends an excerpt:
 * the next one begins on the state that it left.  Blocks that the chain went back on are none of
 * its blocks; a first walk over the records, without executing them, tells which. */
#include <stdio.h>
#include <stdlib.h>

#include "chain/reader.h"
#include "chain/record.h"
#include "chain/verify.h"
#include "cli/command.h"
#include "cli/excerpt.h"
#include "cli/family.h"
#include "cli/option.h"
#include "node/folder.h"
#include "store/memkv.h"
#include "store/seglog.h"
#include "sys/env.h"
#include "sys/fs.h"
#include "sys/scratch.h"

#define TEXT_MAX   ((usize)4 << 30)
#define ARENA_MAX  ((usize)16 << 30)
#define DEV_FOLDER "./.keel"

struct taking {
    struct kl_verify_watch watch;
    u64 first, last;
    struct kl_arena plan_arena;
    u64 *version;          /* of the blocks from first on */
    u64 planned;           /* how many of them are there */
    struct kl_arena arena; /* of the excerpt under way */
    struct kl_excerpt_judge judge;
    struct kl_json_out out;
    struct kl_buf text;
    bool open; /* an excerpt is under way */
    kl_excerpt x;
    u64 x_first;
    usize room;
    u64 written, left_out;
    bool done;
};

static kl_status dump(struct kl_chain *chain, const struct kl_tip *tip, struct kl_arena *arena,
                      const kl_alloc **out, usize *count)
{
    struct kl_view *view;
    KL_TRY(kl_chain_view(chain, tip, &view));
    kl_status status = kl_state_dump(view, arena, out, count);
    kl_view_close(view);
    return status;
}

static void leave_out(struct taking *t, u64 first, u64 last, const char *why)
{
    t->left_out += last - first + 1;
    if (first == last)
        fprintf(stderr, "keel db fixture: block %llu is left out: %s\n", (unsigned long long)first,
                why);
    else
        fprintf(stderr, "keel db fixture: blocks %llu to %llu are left out: %s\n",
                (unsigned long long)first, (unsigned long long)last, why);
}

static kl_status begin(struct taking *t, struct kl_chain *chain, const struct kl_tip *parent,
                       const struct kl_tip *tip)
{
    const kl_spec *spec = kl_chain_spec(chain);
    kl_arena_reset(&t->arena, (usize)64 << 20);
    t->x = (kl_excerpt){.fork = kl_exec_fork(spec, &tip->header), .parent = parent->header};
    kl_spec_init(&t->x.spec, t->x.fork);
    t->x.spec.engine = KL_ENGINE_EXTERNAL;
    t->x.spec.chain_id = spec->chain_id;
    t->x.spec.blobs[t->x.fork] = kl_spec_blobs(spec, t->x.fork);
    t->x_first = tip->header.number;
    t->room = 0;
    t->open = true;
    return dump(chain, parent, &t->arena, &t->x.pre, &t->x.pre_count);
}

/* Ends the excerpt that is under way with the state after tip. */
static kl_status end(struct taking *t, struct kl_chain *chain, const struct kl_tip *tip)
{
    kl_rule broken;
    char name[64];
    u64 last = t->x_first + t->x.count - 1;
    if (!t->open)
        return KL_OK;
    t->open = false;
    KL_TRY(dump(chain, tip, &t->arena, &t->x.post, &t->x.post_count));
    KL_TRY(kl_excerpt_settle(&t->judge, &t->x, &t->arena, &broken));
    if (broken != KL_RULE_NONE) {
        leave_out(t, t->x_first, last, kl_rule_text(broken));
        return KL_OK;
    }
    snprintf(name, sizeof name, "blocks_%llu_to_%llu", (unsigned long long)t->x_first,
             (unsigned long long)last);
    t->written += t->x.count;
    return kl_excerpt_put(&t->out, name, &t->x, &t->arena);
}

static kl_status add(struct taking *t, kl_span rlp)
{
    kl_excerpt *x = &t->x;
    if (x->count == t->room) {
        usize room = t->room ? 2 * t->room : 64;
        kl_span *blocks = KL_TAKE(&t->arena, kl_span, room);
        if (!blocks)
            return KL_NOMEM;
        if (x->count)
            memcpy(blocks, x->blocks, x->count * sizeof *blocks);
        x->blocks = blocks;
        t->room = room;
    }
    kl_span copy = kl_arena_copy(&t->arena, rlp);
    if (!copy.p)
        return KL_NOMEM;
    x->blocks[x->count++] = copy;
    return KL_OK;
}

/* Why no other client could judge the block at all, or NULL. */
static const char *beyond_others(const struct kl_chain *chain, kl_span rlp,
                                 const struct kl_tip *parent, const struct kl_tip *tip)
{
    const kl_spec *spec = kl_chain_spec(chain);
    const char *why = NULL;
    struct kl_arena arena;
    kl_block block;
    kl_rule broken;
    kl_address sender;
    kl_arena_init(&arena, (usize)1 << 30);
    if (kl_exec_fork(spec, &parent->header) != kl_exec_fork(spec, &tip->header))
        why = "a fork begins with it, which tests of one network cannot say";
    if (tip->header.timestamp == parent->header.timestamp)
        why = "it has its parent's timestamp";
    if (spec->engine == KL_ENGINE_SIMPLEX && !kl_address_is_zero(&spec->bft.policy))
        why = "the chain's validator contract is told of it, which is no rule of Ethereum";
    if (kl_block_decode(&block, rlp, spec, &arena, &broken) != KL_OK || broken != KL_RULE_NONE)
        why = "it cannot be read";
    for (usize i = 0; !why && i < block.tx_count; i++)
        if (kl_tx_impersonates(&block.txs[i], &sender))
            why = "a transaction in it names its sender and is not signed";
    kl_arena_done(&arena);
    return why;
}

static kl_status take_block(struct taking *t, struct kl_chain *chain, const struct kl_tip *parent,
                            const struct kl_tip *tip)
{
    kl_block_record record;
    u64 number = tip->header.number;
    u8 kind = tip->epoch ? KL_RECORD_VOTED : KL_RECORD_BLOCK;
    if (kl_record_block(kind, kl_buf_view(&tip->record), &record) != KL_RULE_NONE)
        return KL_CORRUPT;
    const char *why = beyond_others(chain, record.block, parent, tip);
    if (why) {
        KL_TRY(end(t, chain, parent));
        leave_out(t, number, number, why);
    } else {
        if (!t->open)
            KL_TRY(begin(t, chain, parent, tip));
        KL_TRY(add(t, record.block));
    }
    if (number < t->last)
        return KL_OK;
    t->done = true;
    KL_TRY(end(t, chain, tip));
    return KL_CANCELED;
}

/* Is it the block of its number, in the end? */
static bool is_planned(const struct taking *t, const struct kl_tip *tip)
{
    u64 at = tip->header.number - t->first;
    return tip->step == KL_STEP_BLOCK && at < t->planned && t->version[at] == tip->version;
}

static kl_status step(struct kl_verify_watch *watch, struct kl_chain *chain,
                      const struct kl_tip *parent, const struct kl_tip *tip)
{
    struct taking *t = (struct taking *)watch;
    if (!parent)
        return KL_OK;
    if (tip->header.number >= t->first && is_planned(t, tip))
        return take_block(t, chain, parent, tip);
    return end(t, chain, parent);
}

static kl_status plan_record(struct taking *t, const kl_record *record, u64 version)
{
    kl_header header;
    kl_dev_outcome outcome;
    kl_devop op;
    if (record->kind == KL_RECORD_DEV) {
        if (kl_record_dev(record->payload, &outcome, &op) != KL_RULE_NONE)
            return KL_CORRUPT;
        u64 left = outcome.block_number < t->first ? 0 : outcome.block_number - t->first + 1;
        t->planned = KL_MIN(t->planned, left);
        return KL_OK;
    }
    if (kl_record_header(record->kind, record->payload, &header) != KL_RULE_NONE)
        return KL_CORRUPT;
    if (header.number >= t->first && header.number <= t->last) {
        t->planned = header.number - t->first + 1;
        t->version[t->planned - 1] = version;
    }
    return KL_OK;
}

static kl_status plan_all(struct taking *t, struct kl_seglog *ledger)
{
    struct kl_arena arena;
    kl_status status = KL_OK;
    u64 end = kl_seglog_end(ledger);
    if (end == 0)
        return KL_NOTFOUND;
    t->last = KL_MIN(t->last, t->first + end); /* there are fewer */
    t->version = KL_ZERO(&t->plan_arena, u64, t->last - t->first + 1);
    if (!t->version)
        return KL_NOMEM;
    kl_arena_init(&arena, ARENA_MAX);
    for (u64 v = kl_seglog_first(ledger); v < end && status == KL_OK; v++) {
        kl_record record;
        kl_arena_reset(&arena, (usize)64 << 20);
        status = kl_seglog_read(ledger, v, &arena, &record, NULL);
        if (status == KL_OK)
            status = plan_record(t, &record, v);
    }
    kl_arena_done(&arena);
    return status;
}

/* Finds the records of the blocks that are asked for. */
static kl_status plan(struct taking *t, struct kl_fs *fs)
{
    const kl_seglog_config config = {
        .dir = KL_FOLDER_LEDGER, .segment_bytes = (usize)64 << 20, .read_only = true};
    struct kl_seglog *ledger;
    kl_seglog_report report;
    KL_TRY(kl_seglog_open(&ledger, fs, &config, &report));
    kl_status status = plan_all(t, ledger);
    kl_seglog_close(ledger);
    return status;
}

static kl_status verify(struct taking *t, struct kl_fs *fs, kl_verify_result *result)
{
    struct kl_kv *scratch = NULL;
    struct kl_fs *scratch_fs = NULL;
    struct kl_workers *workers = NULL;
    struct kl_progress *silent = NULL;
    kl_status status = kl_memkv_open(&scratch, KL_TABLE_COUNT);
    if (status == KL_OK)
        status = kl_sys_scratch_open(&scratch_fs);
    if (status == KL_OK)
        status = kl_sys_workers_new(&workers, kl_sys_cpu_count());
    if (status == KL_OK) {
        const kl_verify_config config = {fs, scratch, scratch_fs, workers, &t->watch};
        status = kl_chain_verify(&config, silent, result);
    }
    kl_sys_workers_free(workers);
    kl_sys_scratch_close(scratch_fs);
    if (scratch)
        kl_kv_close(scratch);
    return status == KL_CANCELED && t->done ? KL_OK : status;
}

static kl_status save(const struct taking *t, const char *path)
{
    FILE *file = path ? fopen(path, "w") : stdout;
    if (!file)
        return KL_IO;
    bool good = fwrite(t->text.p, 1, t->text.len, file) == t->text.len;
    return (path ? fclose(file) : fflush(file)) == 0 && good ? KL_OK : KL_IO;
}

static int conclude(const struct taking *t, kl_status status, const char *dir, const char *path)
{
    if (status == KL_OK && !t->done)
        fprintf(stderr,
                "keel db fixture: there is no block %llu, or the ledger is bad before it; "
                "keel verify tells\n",
                (unsigned long long)t->last);
    else if (status == KL_BUSY)
        fprintf(stderr, "keel db fixture: a keel is running on %s; stop it first\n", dir);
    else if (status == KL_NOTFOUND)
        fprintf(stderr,
                "keel db fixture: there is no ledger in %s; --dir names the chain's "
                "folder\n",
                dir);
    else if (status != KL_OK)
        fprintf(stderr, "keel db fixture: %s: %s\n", dir, kl_status_text(status));
    if (status != KL_OK || !t->done)
        return KL_EXIT_FAILED;
    if (t->text.failed || save(t, path) != KL_OK) {
        fprintf(stderr, "keel db fixture: %s cannot be written\n", path ? path : "the output");
        return KL_EXIT_FAILED;
    }
    return t->left_out ? KL_EXIT_FAILED : KL_EXIT_OK;
}

static int run(struct taking *t, const char *dir, const char *path)
{
    struct kl_folder folder;
    kl_verify_result result;
    t->watch.step = step;
    kl_arena_init(&t->arena, ARENA_MAX);
    kl_arena_init(&t->plan_arena, ARENA_MAX);
    kl_buf_init(&t->text, TEXT_MAX);
    t->out = kl_json_out_to(&t->text);
    kl_json_put_object(&t->out);
    kl_status status = kl_excerpt_judge_init(&t->judge);
    if (status == KL_OK)
        status = kl_folder_open(&folder, dir, false);
    if (status == KL_OK) {
        status = plan(t, folder.fs);
        if (status == KL_OK && t->planned == t->last - t->first + 1)
            status = verify(t, folder.fs, &result);
        kl_folder_close(&folder);
    }
    kl_json_put_object_end(&t->out);
    int code = conclude(t, status, dir, path);
    kl_excerpt_judge_done(&t->judge);
    kl_arena_done(&t->arena);
    kl_arena_done(&t->plan_arena);
    kl_buf_done(&t->text);
    return code;
}

static bool block_number(const char *text, u64 *out)
{
    kl_u256 v;
    return kl_u256_from_decimal(&v, kl_span_str(text)) && kl_u256_to_u64(out, v) && *out > 0;
}

static int fixture(int argc, char **argv)
{
    const char *dir = DEV_FOLDER, *path = NULL;
    struct taking t = {0};
    const kl_option options[] = {
        {KL_OPTION_TEXT, "--dir", .value = "FOLDER", .help = "the chain's folder (./.keel)",
         .into = &dir},
        {KL_OPTION_TEXT, "--out", .value = "FILE", .help = "where it goes (standard output)",
         .into = &path},
    };
    static const kl_example examples[] = {
        {"keel db fixture 17 --dir chain", "Block 17 as a blockchain test"},
        {"keel db fixture 1 1000 --dir chain --out chain.json", "A thousand blocks in one file"},
    };
    const kl_usage usage = {
        .command = "db fixture",
        .arguments = "FIRST [LAST]",
        .help = "Writes blocks of a chain that nobody runs as blockchain tests in the official\n"
                "format: state before, parent, blocks, state after.  Blocks between which a dev\n"
                "operation changed the state go into separate tests, on an anchor that stands in\n"
                "the parent's place.  Blocks no other client can judge are left out by name; the\n"
                "exit code is 1 then.",
        .options = options,
        .option_count = KL_COUNT_OF(options),
        .examples = examples,
        .example_count = KL_COUNT_OF(examples),
        .arguments_min = 1,
        .arguments_max = 2,
    };
    int count, code = kl_options_parse(&usage, argc, argv, &count);
    if (code >= 0)
        return code;
    if (!block_number(argv[1], &t.first) || !block_number(argv[count], &t.last) ||
        t.last < t.first) {
        fprintf(stderr, "keel db fixture: blocks are numbers from 1 on, FIRST not above LAST\n");
        return KL_EXIT_USAGE;
    }
    return run(&t, dir, path);
}

int kl_cmd_db(int argc, char **argv)
{
    static const kl_family_member members[] = {
        {"fixture", fixture, "Blocks of a chain as official blockchain tests"},
    };
    const kl_family family = {
        .command = "db",
        .noun = "action",
        .help = "What lies in a data folder, for other tools.",
        .members = members,
        .count = KL_COUNT_OF(members),
    };
    return kl_family_run(&family, argc, argv);
}

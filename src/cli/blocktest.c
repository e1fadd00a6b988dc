/* blocktest: BlockchainTests.  Every block of a test is judged as a node would judge it; those that
 * should be refused must be refused for the reason the test names.  In the end the head's hash and
 * the state there are compared. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "cli/blocktree.h"
#include "cli/command.h"
#include "cli/fixture.h"
#include "cli/network.h"
#include "cli/option.h"
#include "cli/suite.h"
#include "codec/hex.h"

#define TEST_MEMORY_MAX ((usize)8 << 30)
#define ARENA_KEPT      ((usize)64 << 20)

struct worker {
    struct kl_world *world;
    struct kl_exec *exec;
    struct kl_run *run;
    struct kl_code_cache *codes;
    struct kl_ethash *ethash; /* made when the first test asks for it */
    struct kl_arena arena;    /* of the test under way */
};

struct test {
    struct worker *worker;
    struct kl_report *report;
    struct kl_fixture *fixture;
    const char *path, *name, *network;
    kl_json_ref self;
    struct kl_blocktree tree;
    bool failed;
};

static void worker_close(void *worker)
{
    struct worker *w = worker;
    if (!w)
        return;
    kl_run_free(w->run);
    kl_exec_free(w->exec);
    kl_code_cache_free(w->codes);
    kl_ethash_free(w->ethash);
    kl_world_free(w->world);
    kl_arena_done(&w->arena);
    free(w);
}

static kl_status worker_open(void **worker, KL_UNUSED const kl_suite *suite)
{
    struct worker *w = calloc(1, sizeof *w);
    if (!w)
        return KL_NOMEM;
    kl_arena_init(&w->arena, TEST_MEMORY_MAX);
    kl_status status = kl_world_new(&w->world);
    if (status == KL_OK)
        status = kl_code_cache_new(&w->codes, (usize)16 << 20, 1);
    kl_exec_config config = {.evm_memory_limit = (usize)2 << 30,
                             .journal_memory_limit = (usize)2 << 30,
                             .codes = w->codes,
                             .seed = 1};
    if (status == KL_OK)
        status = kl_exec_new(&w->exec, &config);
    if (status == KL_OK)
        status = kl_run_new(&w->run, w->exec);
    if (status != KL_OK) {
        worker_close(w);
        return status;
    }
    *worker = w;
    return KL_OK;
}

/* The test's first fault is printed with its name, the others are not. */
static void fail(struct test *t, const char *format, ...) KL_PRINTF(2, 3);
static void fail(struct test *t, const char *format, ...)
{
    if (t->failed)
        return;
    char why[512];
    va_list args;
    va_start(args, format);
    vsnprintf(why, sizeof why, format, args);
    va_end(args);
    t->failed = true;
    kl_report_say(t->report, "FAIL %s %s: %s\n", t->path, t->name, why);
}

/* The exceptions a block is expected to raise, or NULL: "expectException", "…ALL" or with the name
 * of the network. */
static const char *expectation(struct test *t, kl_json_ref block)
{
    struct kl_json *json = &t->fixture->json;
    char key[128];
    kl_json_ref ref = kl_json_member(json, block, "expectException");
    if (ref == KL_JSON_NONE)
        ref = kl_json_member(json, block, "expectExceptionALL");
    if (ref == KL_JSON_NONE) {
        snprintf(key, sizeof key, "expectException%s", t->network);
        ref = kl_json_member(json, block, key);
    }
    return ref == KL_JSON_NONE ? NULL : kl_fixture_text(t->fixture, ref);
}

static kl_status run_block(struct test *t, kl_json_ref block, usize number)
{
    struct kl_fixture *f = t->fixture;
    const char *expected = expectation(t, block);
    bool valid = !expected && kl_json_member(&f->json, block, "blockHeader") != KL_JSON_NONE;
    kl_rule broken, also;
    kl_span rlp = kl_fixture_bytes(f, kl_fixture_need(f, block, "rlp"), "blocks.rlp");
    KL_TRY(kl_blocktree_add(&t->tree, rlp, &broken, &also));
    if (valid && broken != KL_RULE_NONE)
        fail(t, "block %zu refused: %s (%s)", number, kl_rule_name(broken), kl_rule_text(broken));
    if (!valid && broken == KL_RULE_NONE)
        fail(t, "block %zu accepted, want %s", number, expected ? expected : "any exception");
    if (!valid && expected && broken != KL_RULE_NONE && !kl_fixture_expects(expected, broken) &&
        !kl_fixture_expects(expected, also))
        fail(t, "block %zu refused for %s (%s), want %s", number, kl_rule_name(broken),
             kl_rule_text(broken), expected);
    return KL_OK;
}

/* The head, and the state there against a state built from the test's description of it. */
static kl_status check_end(struct test *t)
{
    struct kl_fixture *f = t->fixture;
    const kl_block *head = &t->tree.head->block;
    kl_hash want =
        kl_fixture_hash(f, kl_fixture_need(f, t->self, "lastblockhash"), "lastblockhash");
    if (!kl_hash_eq(&head->hash, &want))
        fail(t, "head is block %llu, another than lastblockhash",
             (unsigned long long)head->header.number);
    kl_hash root = head->header.state_root;
    kl_json_ref state = kl_json_member(&f->json, t->self, "postState");
    kl_json_ref hash = kl_json_member(&f->json, t->self, "postStateHash");
    if (kl_json_is(&f->json, state, KL_JSON_OBJECT)) {
        usize count;
        struct kl_delta *delta;
        const kl_alloc *alloc = kl_fixture_alloc(f, state, &count);
        KL_TRY(
            kl_world_genesis(t->worker->world, alloc, count, false, t->tree.arena, &delta, &root));
        kl_delta_unref(delta);
    } else if (hash != KL_JSON_NONE) {
        root = kl_fixture_hash(f, hash, "postStateHash");
    }
    if (!kl_hash_eq(&root, &head->header.state_root))
        fail(t, "the state at the head is not postState");
    return KL_OK;
}

static kl_status run_blocks(struct test *t)
{
    struct kl_fixture *f = t->fixture;
    usize count, number = 0;
    bool good = false;
    const kl_alloc *alloc = kl_fixture_alloc(f, kl_fixture_need(f, t->self, "pre"), &count);
    kl_span genesis = kl_fixture_bytes(f, kl_fixture_need(f, t->self, "genesisRLP"), "genesisRLP");
    kl_json_ref blocks = kl_fixture_need(f, t->self, "blocks");
    KL_TRY(kl_blocktree_begin(&t->tree, genesis, alloc, count, &good));
    if (!good) {
        fail(t, "the genesis block is wrong");
        return KL_OK;
    }
    kl_json_ref at = kl_json_first(&f->json, blocks);
    for (; at != KL_JSON_NONE; at = kl_json_after(&f->json, blocks, at))
        KL_TRY(run_block(t, at, ++number));
    return check_end(t);
}

static kl_status run_test(void *worker, const kl_suite_test *test)
{
    struct worker *w = worker;
    struct kl_fixture *f = test->fixture;
    struct test room = {.worker = worker,
                        .report = test->report,
                        .fixture = f,
                        .path = test->path,
                        .name = test->name,
                        .self = test->self};
    struct test *t = &room;
    t->network = kl_fixture_text(f, kl_fixture_need(f, t->self, "network"));
    t->tree = (struct kl_blocktree){.world = w->world, .run = w->run, .arena = &w->arena};
    if (!kl_network_spec(&t->tree.spec, t->network)) {
        kl_report_say(t->report, "skipped: %s %s: unknown network %s\n", t->path, t->name,
                      t->network);
        kl_report_count(t->report, t->network, KL_CASE_SKIPPED);
        return KL_OK;
    }
    kl_fixture_config(f, t->self, &t->tree.spec);
    if (kl_json_equals(&f->json, kl_json_member(&f->json, t->self, "sealEngine"), "Ethash")) {
        if (!w->ethash)
            KL_TRY(kl_ethash_new(&w->ethash, 0));
        t->tree.ethash = w->ethash;
        t->tree.spec.proof_of_work = true;
    }
    kl_arena_reset(&w->arena, ARENA_KEPT);
    kl_arena_mark mark = kl_arena_here(f->arena);
    kl_status status = run_blocks(t);
    kl_blocktree_done(&t->tree);
    kl_arena_rewind(f->arena, mark);
    if (status != KL_OK)
        fail(t, "%s", kl_status_text(status));
    if (f->bad)
        fail(t, "cannot read %s", f->bad);
    f->bad = NULL;
    kl_report_count(t->report, t->network, t->failed ? KL_CASE_FAILED : KL_CASE_PASSED);
    return KL_OK;
}

int kl_cmd_blocktest(int argc, char **argv)
{
    const char *pattern = NULL;
    const kl_option options[] = {{.kind = KL_OPTION_TEXT,
                                  .name = "--run",
                                  .value = "REGEX",
                                  .help = "only tests whose name matches",
                                  .into = &pattern}};
    static const kl_example examples[] = {
        {"keel blocktest BlockchainTests/ValidBlocks", "All tests below a folder"},
    };
    const kl_usage usage = {.command = "blocktest",
                            .arguments = "PATH...",
                            .help = "Runs the blockchain tests (BlockchainTests format) in files, "
                                    "or in all .json files\nbelow folders.",
                            .options = options,
                            .option_count = KL_COUNT_OF(options),
                            .examples = examples,
                            .example_count = KL_COUNT_OF(examples),
                            .arguments_min = 1,
                            .arguments_max = -1};
    int count, code = kl_options_parse(&usage, argc, argv, &count);
    if (code >= 0)
        return code;
    kl_suite suite = {
        .open = worker_open, .close = worker_close, .test = run_test, .pattern = pattern};
    return kl_suite_run(&suite, argv + 1, count);
}

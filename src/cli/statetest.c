/* statetest: GeneralStateTests, in all their dialects.  Per test the pre-state becomes version 0 of
 * a world in memory; every case then runs one transaction on a view of it and compares the root and
 * the hash of the logs. */
#include <stdio.h>
#include <stdlib.h>

#include "cli/command.h"
#include "cli/fixture.h"
#include "cli/option.h"
#include "cli/statecase.h"
#include "cli/statetest_tx.h"
#include "cli/suite.h"
#include "cli/trace_json.h"
#include "codec/hex.h"

/* What one thread works with. */
struct worker {
    const kl_suite *suite;
    kl_statebench bench;
};

/* The test under way. */
struct test {
    struct worker *worker;
    struct kl_report *report;
    struct kl_fixture *fixture;
    const char *path, *name;
    kl_json_ref self, env, transaction;
    struct kl_delta *pre;
    kl_hash pre_root;
};

/* One entry of post. */
struct post {
    const char *fork_name;
    usize number;
    kl_fork fork;
    kl_case_indexes indexes;
    kl_hash root, logs;
    kl_span raw;
    const char *exception; /* "" for none */
};

static void worker_close(void *worker)
{
    struct worker *w = worker;
    if (!w)
        return;
    kl_statebench_done(&w->bench);
    free(w);
}

static kl_status worker_open(void **worker, const kl_suite *suite)
{
    struct worker *w = calloc(1, sizeof *w);
    if (!w)
        return KL_NOMEM;
    w->suite = suite;
    kl_status status = kl_statebench_init(&w->bench);
    if (status != KL_OK) {
        worker_close(w);
        return status;
    }
    *worker = w;
    return KL_OK;
}

static bool as_expected(const struct post *post, const kl_statecase *got)
{
    bool refused = got->broken != KL_RULE_NONE;
    if (refused != (post->exception[0] != '\0'))
        return false;
    if (refused && !kl_fixture_expects(post->exception, got->broken))
        return false;
    return kl_hash_eq(&got->root, &post->root) && kl_hash_eq(&got->logs, &post->logs);
}

static void hash_text(char out[67], const kl_hash *hash)
{
    memcpy(out, "0x", 2);
    kl_hex_digits(out + 2, kl_hash_span(hash));
    out[66] = '\0';
}

static void explain(struct test *t, const struct post *post, const kl_statecase *got)
{
    char want[67], have[67];
    kl_report_say(t->report, "FAIL %s %s fork=%s case=%zu data=%zu gas=%zu value=%zu\n", t->path,
                  t->name, post->fork_name, post->number, post->indexes.data, post->indexes.gas,
                  post->indexes.value);
    if (got->broken != KL_RULE_NONE || post->exception[0])
        kl_report_say(t->report, "  refused: want %s, got %s (%s)\n",
                      post->exception[0] ? post->exception : "no",
                      got->broken == KL_RULE_NONE ? "no" : kl_rule_name(got->broken),
                      kl_rule_text(got->broken));
    hash_text(want, &post->root);
    hash_text(have, &got->root);
    kl_report_say(t->report, "  root: want %s\n        got  %s\n", want, have);
    hash_text(want, &post->logs);
    hash_text(have, &got->logs);
    kl_report_say(t->report, "  logs: want %s\n        got  %s\n", want, have);
}

/* As geth's evm: the root on stderr behind the trace, a result on stdout. */
static void say_json(struct test *t, const struct post *post, const kl_statecase *got, bool pass)
{
    char root[67];
    struct kl_json_out out = kl_json_out_to(&t->report->text);
    hash_text(root, &got->root);
    fprintf(stderr, "{\"stateRoot\": \"%s\"}\n", root);
    kl_json_put_object(&out);
    kl_json_add_text(&out, "name", t->name);
    kl_json_add_bool(&out, "pass", pass);
    kl_json_add_hash(&out, "stateRoot", &got->root);
    kl_json_add_text(&out, "fork", post->fork_name);
    kl_json_add_number(&out, "index", post->number);
    if (got->broken != KL_RULE_NONE) {
        kl_json_add_text(&out, "error", kl_rule_text(got->broken));
    }
    kl_json_put_object_end(&out);
    kl_report_say(t->report, "\n");
}

static kl_status run_case(struct test *t, const struct post *post, kl_statecase *got)
{
    struct worker *w = t->worker;
    struct kl_trace_json trace;
    kl_spec spec;
    kl_tx tx;
    kl_spec_init(&spec, post->fork);
    spec.engine = KL_ENGINE_EXTERNAL;
    kl_fixture_config(t->fixture, t->self, &spec);
    kl_header header = kl_statetest_env(t->fixture, t->env, post->fork);
    KL_TRY(kl_statetest_tx(t->fixture, t->transaction, &post->indexes, post->raw, post->fork, &tx,
                           &got->broken));
    bool traced = w->suite->json && got->broken == KL_RULE_NONE;
    if (traced)
        kl_trace_json_init(&trace, stderr, (kl_trace_json_options){0});
    kl_status status = kl_statecase_run(&w->bench, &spec, &header, t->pre, &tx,
                                        traced ? &trace.tracer : NULL, got);
    if (traced)
        kl_trace_json_done(&trace);
    return status;
}

static void read_post(struct test *t, kl_json_ref entry, struct post *post)
{
    struct kl_fixture *f = t->fixture;
    kl_json_ref indexes = kl_fixture_need(f, entry, "indexes");
    post->indexes = (kl_case_indexes){.data = kl_fixture_get_u64(f, indexes, "data"),
                                      .gas = kl_fixture_get_u64(f, indexes, "gas"),
                                      .value = kl_fixture_get_u64(f, indexes, "value")};
    post->root = kl_fixture_hash(f, kl_fixture_need(f, entry, "hash"), "post.hash");
    post->logs = kl_fixture_hash(f, kl_fixture_need(f, entry, "logs"), "post.logs");
    kl_json_ref raw = kl_json_member(&f->json, entry, "txbytes");
    post->raw = raw == KL_JSON_NONE ? KL_SPAN_NONE : kl_fixture_bytes(f, raw, "post.txbytes");
    kl_json_ref exception = kl_json_member(&f->json, entry, "expectException");
    post->exception = exception == KL_JSON_NONE ? "" : kl_fixture_text(f, exception);
}

static void count_case(struct test *t, const struct post *post)
{
    kl_statecase got = {0};
    kl_statebench_clear(&t->worker->bench);
    kl_status status = run_case(t, post, &got);
    bool pass = false;
    if (status != KL_OK || t->fixture->bad)
        kl_report_say(t->report, "FAIL %s %s fork=%s case=%zu: %s%s\n", t->path, t->name,
                      post->fork_name, post->number,
                      t->fixture->bad ? "cannot read " : kl_status_text(status),
                      t->fixture->bad ? t->fixture->bad : "");
    else if (!(pass = as_expected(post, &got)))
        explain(t, post, &got);
    if (t->worker->suite->json && status == KL_OK)
        say_json(t, post, &got, pass);
    t->fixture->bad = NULL;
    kl_report_count(t->report, post->fork_name, pass ? KL_CASE_PASSED : KL_CASE_FAILED);
}

/* All cases of one fork. */
static void run_fork(struct test *t, kl_json_ref name, kl_json_ref list)
{
    const struct kl_json *json = &t->fixture->json;
    struct post post = {.fork_name = kl_fixture_text(t->fixture, name)};
    bool known = kl_fork_from_name(&post.fork, kl_span_str(post.fork_name));
    kl_json_ref at = kl_json_first(json, list);
    for (; at != KL_JSON_NONE; at = kl_json_after(json, list, at), post.number++) {
        if (!known) {
            kl_report_count(t->report, post.fork_name, KL_CASE_SKIPPED);
            continue;
        }
        kl_arena_mark mark = kl_arena_here(t->fixture->arena);
        read_post(t, at, &post);
        count_case(t, &post);
        kl_arena_rewind(t->fixture->arena, mark);
    }
    if (!known)
        kl_report_say(t->report, "skipped: %s %s: unknown fork %s\n", t->path, t->name,
                      post.fork_name);
}

static kl_status run_test(void *worker, const kl_suite_test *test)
{
    struct test room = {.worker = worker,
                        .report = test->report,
                        .fixture = test->fixture,
                        .path = test->path,
                        .name = test->name,
                        .self = test->self};
    struct test *t = &room;
    struct kl_fixture *f = t->fixture;
    usize count;
    t->env = kl_fixture_need(f, t->self, "env");
    t->transaction = kl_fixture_need(f, t->self, "transaction");
    kl_json_ref post = kl_fixture_need(f, t->self, "post");
    const kl_alloc *alloc = kl_fixture_alloc(f, kl_fixture_need(f, t->self, "pre"), &count);
    if (!f->bad && !kl_json_is(&f->json, post, KL_JSON_OBJECT))
        f->bad = "post";
    if (f->bad) {
        kl_report_say(t->report, "FAIL %s %s: cannot read %s\n", t->path, t->name, f->bad);
        kl_report_count(t->report, NULL, KL_CASE_FAILED);
        f->bad = NULL;
        return KL_OK;
    }
    kl_statebench_clear(&t->worker->bench);
    kl_statebench *bench = &t->worker->bench;
    KL_TRY(
        kl_world_genesis(bench->world, alloc, count, false, &bench->arena, &t->pre, &t->pre_root));
    kl_json_ref at = kl_json_first(&f->json, post);
    for (; at != KL_JSON_NONE; at = kl_json_after(&f->json, post, kl_json_value(at)))
        run_fork(t, at, kl_json_value(at));
    kl_delta_unref(t->pre);
    return KL_OK;
}

int kl_cmd_statetest(int argc, char **argv)
{
    bool json = false;
    const char *pattern = NULL;
    const kl_option options[] = {
        {.name = "--json",
         .help = "print the trace of every case to stderr [EIP-3155], results as JSON",
         .into = &json},
        {.kind = KL_OPTION_TEXT,
         .name = "--run",
         .value = "REGEX",
         .help = "only tests whose name matches",
         .into = &pattern},
    };
    static const kl_example examples[] = {
        {"keel statetest GeneralStateTests/stExample", "All tests below a folder"},
        {"keel statetest --json --run 'add11.*Osaka' add11.json", "The traces of some cases"},
    };
    const kl_usage usage = {.command = "statetest",
                            .arguments = "PATH...",
                            .help = "Runs the state tests (GeneralStateTests format) in files, or "
                                    "in all .json files\nbelow folders.",
                            .options = options,
                            .option_count = KL_COUNT_OF(options),
                            .examples = examples,
                            .example_count = KL_COUNT_OF(examples),
                            .arguments_min = 1,
                            .arguments_max = -1};
    int count, code = kl_options_parse(&usage, argc, argv, &count);
    if (code >= 0)
        return code;
    kl_suite suite = {.open = worker_open,
                      .close = worker_close,
                      .test = run_test,
                      .pattern = pattern,
                      .serial = json,
                      .json = json};
    return kl_suite_run(&suite, argv + 1, count);
}

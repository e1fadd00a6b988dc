/* fuzz_difference: `keel fuzz shrink`.  The other client stands behind a command of the user's, so
 * that any client will do. */
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cli/command.h"
#include "cli/files.h"
#include "cli/fixture.h"
#include "cli/fuzz_command.h"
#include "cli/fuzz_shrink.h"
#include "cli/option.h"
#include "cli/statetest_tx.h"

#define ARENA_MAX ((usize)8 << 30)
#define PATH_ROOM 4096

struct difference {
    struct kl_fuzz_judge judge;
    const char *command, *out, *test;
    char name[128];
    kl_statebench bench;
    struct kl_arena arena;
    struct kl_buf text;
};

static kl_status write_case(struct difference *d, const kl_fuzz_case *c)
{
    kl_buf_clear(&d->text);
    struct kl_json_out out = kl_json_out_to(&d->text);
    kl_json_put_object(&out);
    kl_fuzz_case_put(&out, d->name, c);
    kl_json_put_object_end(&out);
    FILE *file = d->text.failed ? NULL : fopen(d->out, "w");
    if (!file)
        return d->text.failed ? KL_NOMEM : KL_IO;
    bool good = fwrite(d->text.p, 1, d->text.len, file) == d->text.len;
    return fclose(file) == 0 && good ? KL_OK : KL_IO;
}

/* The file is the shell's first argument, whatever its name holds. */
static kl_status ask(struct kl_fuzz_judge *judge, const kl_fuzz_case *c, bool *out)
{
    struct difference *d = (struct difference *)judge;
    int how;
    KL_TRY(write_case(d, c));
    pid_t child = fork();
    if (child < 0)
        return KL_NOMEM;
    if (child == 0) {
        char script[PATH_ROOM];
        if (snprintf(script, sizeof script, "%s \"$1\"", d->command) < (int)sizeof script)
            (void)execl("/bin/sh", "sh", "-c", script, "sh", d->out, (char *)NULL);
        _exit(127);
    }
    if (waitpid(child, &how, 0) != child || !WIFEXITED(how) || WEXITSTATUS(how) >= 126)
        return KL_UNSUPPORTED;
    *out = WEXITSTATUS(how) != 0;
    return KL_OK;
}

/* The first fork of a test, with all its gas limits. */
static kl_status read_case(struct difference *d, struct kl_fixture *f, kl_json_ref test,
                           kl_fuzz_case *c)
{
    struct kl_json *json = &f->json;
    kl_json_ref from = kl_fixture_need(f, test, "transaction");
    kl_json_ref post = kl_json_first(json, kl_fixture_need(f, test, "post"));
    kl_rule broken;
    usize count;
    if (f->bad || post == KL_JSON_NONE || !kl_fork_from_name(&c->fork, kl_json_raw(json, post)))
        return KL_CORRUPT;
    kl_hash key = kl_fixture_hash(f, kl_fixture_need(f, from, "secretKey"), "secretKey");
    memcpy(c->key.b, key.b, sizeof c->key.b);
    c->env = kl_statetest_env(f, kl_fixture_need(f, test, "env"), c->fork);
    const kl_alloc *alloc = kl_fixture_alloc(f, kl_fixture_need(f, test, "pre"), &count);
    c->alloc = KL_ZERO(&d->arena, kl_alloc, count + 1);
    if (!c->alloc)
        return KL_NOMEM;
    for (usize i = 0; i < count; i++)
        c->alloc[c->alloc_count++] = alloc[i];
    kl_json_ref list = kl_json_value(post), at = kl_json_first(json, list);
    for (; at != KL_JSON_NONE && c->gas_count < KL_FUZZ_GAS_MAX;
         at = kl_json_after(json, list, at)) {
        kl_json_ref indexes = kl_fixture_need(f, at, "indexes"),
                    raw = kl_json_member(json, at, "txbytes");
        kl_case_indexes which = {.data = kl_fixture_get_u64(f, indexes, "data"),
                                 .gas = kl_fixture_get_u64(f, indexes, "gas"),
                                 .value = kl_fixture_get_u64(f, indexes, "value")};
        kl_span bytes = raw == KL_JSON_NONE ? KL_SPAN_NONE : kl_fixture_bytes(f, raw, "txbytes");
        KL_TRY(kl_statetest_tx(f, from, &which, bytes, c->fork, &c->tx, &broken));
        c->gas[c->gas_count++] = c->tx.gas_limit;
    }
    return f->bad || c->gas_count == 0 ? KL_CORRUPT : KL_OK;
}

static kl_status load(struct difference *d, const char *path, kl_span *text, kl_fuzz_case *c)
{
    struct kl_fixture f;
    KL_TRY(kl_file_load(text, path));
    KL_TRY(kl_fixture_parse(&f, *text, &d->arena));
    kl_json_ref name =
        kl_json_is(&f.json, 0, KL_JSON_OBJECT) ? kl_json_first(&f.json, 0) : KL_JSON_NONE;
    while (name != KL_JSON_NONE && d->test && !kl_json_equals(&f.json, name, d->test))
        name = kl_json_after(&f.json, 0, kl_json_value(name));
    if (name == KL_JSON_NONE)
        return KL_NOTFOUND;
    (void)snprintf(d->name, sizeof d->name, "%s", kl_fixture_text(&f, name));
    return read_case(d, &f, kl_json_value(name), c);
}

static kl_status run(struct difference *d, const char *path, u64 *tries, const char **what)
{
    kl_fuzz_case c = {0};
    kl_span text = KL_SPAN_NONE;
    *what = "there is no such test in it, or none of one fork";
    kl_status status = load(d, path, &text, &c);
    if (status == KL_OK) {
        *what = "the command says that there is no difference";
        status = kl_statebench_init(&d->bench);
        if (status == KL_OK)
            status = kl_fuzz_shrink(&d->bench, &d->judge, &c, &d->arena, tries);
        if (status == KL_OK)
            status = write_case(d, &c);
        kl_statebench_done(&d->bench);
    }
    kl_file_free(text);
    return status;
}

int kl_fuzz_shrink_command(int argc, char **argv)
{
    struct difference d = {.judge.differs = ask};
    const kl_option options[] = {
        {KL_OPTION_TEXT, "--judge", .value = "COMMAND",
         .help = "runs the other client on the file behind it; fails if it differs",
         .into = &d.command},
        {KL_OPTION_TEXT, "--test", .value = "NAME", .help = "which one of the file (the first)",
         .into = &d.test},
        {KL_OPTION_TEXT, "--out", .value = "FILE", .help = "where the small test goes",
         .into = &d.out},
    };
    static const kl_example examples[] = {
        {"keel fuzz shrink big.json --judge ./judge.sh --out small.json", "The smallest such test"},
    };
    const kl_usage usage = {
        .command = "fuzz shrink",
        .arguments = "FILE",
        .help = "Makes a state test on which another client differs from Keel as small as it can:\n"
                "takes away whatever can go while the command, given the test with the post\n"
                "states that Keel computes, goes on exiting with other than 0.",
        .options = options,
        .option_count = KL_COUNT_OF(options),
        .examples = examples,
        .example_count = KL_COUNT_OF(examples),
        .arguments_min = 1,
        .arguments_max = 1,
    };
    u64 tries = 0;
    const char *what;
    int count, code = kl_options_parse(&usage, argc, argv, &count);
    if (code >= 0)
        return code;
    if (!d.command || !d.out) {
        fprintf(stderr, "keel fuzz shrink: %s is missing\n",
                d.out ? "--judge COMMAND" : "--out FILE");
        return KL_EXIT_USAGE;
    }
    kl_arena_init(&d.arena, ARENA_MAX);
    kl_buf_init(&d.text, (usize)1 << 30);
    kl_status status = run(&d, argv[1], &tries, &what);
    if (status == KL_OK)
        printf("%s is what is left after %llu tries\n", d.out, (unsigned long long)tries);
    else
        fprintf(stderr, "keel fuzz shrink: %s: %s\n", argv[1],
                status == KL_NOTFOUND ? what : kl_status_text(status));
    kl_arena_done(&d.arena);
    kl_buf_done(&d.text);
    return status == KL_OK ? KL_EXIT_OK : KL_EXIT_FAILED;
}

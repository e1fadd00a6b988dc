/* light: what a bundle proves to somebody who has no node.  Whoever asks says what is trusted: a
 * genesis, by its file or hash, or what an earlier bundle has proven.  A bundle brings a genesis of
 * its own, and anybody can make one: without a word about trust nothing is proven. */
#include <stdio.h>
#include <stdlib.h>

#include "chain/chain.h"
#include "cli/command.h"
#include "cli/family.h"
#include "cli/files.h"
#include "cli/light_report.h"
#include "cli/option.h"
#include "codec/hex.h"
#include "store/memkv.h"
#include "sys/scratch.h"

#define ARENA_MAX ((usize)4 << 30)
#define NODES_MAX ((usize)1 << 24)
#define KEEP      ((usize)1 << 24)
#define SEGMENT   ((usize)1 << 20)

struct trust {
    const char *genesis, *genesis_hash, *checkpoint, *save;
    bool json;
    bool has_chain_id;
    u64 chain_id;
    kl_hash hash;
    struct kl_arena kept; /* what the checkpoint views */
    kl_light_checkpoint resumed;
    struct kl_arena arena; /* of the bundle at hand */
    struct kl_light light;
};

static bool complain(const char *path, const char *what)
{
    fprintf(stderr, "keel light verify: %s: %s\n", path, what);
    return false;
}

/* A file as JSON; text and nodes live in the arena. */
static bool load_json(struct kl_json *out, const char *path, struct kl_arena *arena,
                      kl_light_fault *fault)
{
    kl_span bytes;
    usize at;
    kl_status status = kl_file_load(&bytes, path);
    if (status != KL_OK)
        return complain(path, kl_status_text(status));
    kl_span text = kl_arena_copy(arena, bytes);
    status = text.p || text.len == 0 ? KL_OK : KL_NOMEM;
    kl_file_free(bytes);
    if (status == KL_OK)
        status = kl_json_parse(out, text, NODES_MAX, arena, &fault->rule, &at);
    if (status != KL_OK)
        return complain(path, kl_status_text(status));
    if (fault->rule != KL_RULE_NONE)
        snprintf(fault->where, sizeof fault->where, "line %zu", kl_json_line(text, at));
    return true;
}

/* The genesis that the file makes, in a chain that is forgotten at once. */
static bool genesis_of(struct trust *t, kl_span text)
{
    struct kl_fs *fs = NULL;
    struct kl_kv *kv = NULL;
    struct kl_chain *chain = NULL;
    kl_chain_report report = {0};
    kl_status status = kl_sys_scratch_open(&fs);
    if (status == KL_OK)
        status = kl_memkv_open(&kv, KL_TABLE_COUNT);
    if (status == KL_OK) {
        const kl_chain_config config = {
            .fs = fs, .kv = kv, .genesis = text, .segment_bytes = SEGMENT};
        status = kl_chain_open(&chain, &config, NULL, &report);
    }
    if (status == KL_OK) {
        t->hash = *kl_chain_genesis_hash(chain);
        t->chain_id = kl_chain_spec(chain)->chain_id;
        t->has_chain_id = true;
        kl_chain_close(chain);
    } else if (report.genesis.rule != KL_RULE_NONE) {
        fprintf(stderr, "keel light verify: %s:%zu: %s: %s\n", t->genesis, report.genesis.line,
                report.genesis.where, kl_rule_text(report.genesis.rule));
    } else {
        complain(t->genesis, kl_status_text(status));
    }
    kl_kv_close(kv);
    kl_sys_scratch_close(fs);
    return status == KL_OK;
}

static bool read_genesis(struct trust *t)
{
    kl_span text;
    kl_status status = kl_file_load(&text, t->genesis);
    if (status != KL_OK)
        return complain(t->genesis, kl_status_text(status));
    bool good = genesis_of(t, text);
    kl_file_free(text);
    return good;
}

static bool read_checkpoint(struct trust *t)
{
    struct kl_json json;
    kl_light_fault fault = {0};
    if (!load_json(&json, t->checkpoint, &t->kept, &fault))
        return false;
    kl_status status = KL_OK;
    if (fault.rule == KL_RULE_NONE)
        status = kl_light_checkpoint_read(&t->resumed, &json, 0, &t->kept, &fault);
    if (status == KL_OK && fault.rule == KL_RULE_NONE)
        status = kl_light_resume(&t->light, &t->resumed, &t->arena, &fault.rule);
    if (status != KL_OK)
        return complain(t->checkpoint, kl_status_text(status));
    if (fault.rule != KL_RULE_NONE)
        fprintf(stderr, "keel light verify: %s: %s: %s\n", t->checkpoint, fault.where,
                kl_rule_text(fault.rule));
    return fault.rule == KL_RULE_NONE;
}

static int read_trust(struct trust *t)
{
    int words = (t->genesis != NULL) + (t->genesis_hash != NULL) + (t->checkpoint != NULL);
    if (words != 1) {
        fprintf(stderr,
                words
                    ? "keel light verify: --genesis, --genesis-hash or --checkpoint: one of them\n"
                    : "keel light verify: what is trusted?  A bundle's own genesis proves "
                      "nothing: name one\nwith --genesis FILE or --genesis-hash HASH, or go on "
                      "from a --checkpoint FILE.\n");
        return KL_EXIT_USAGE;
    }
    if (t->genesis_hash &&
        kl_hex_fixed(t->hash.b, sizeof t->hash.b, kl_span_str(t->genesis_hash)) != KL_RULE_NONE) {
        fprintf(stderr, "keel light verify: --genesis-hash takes 0x and 64 digits\n");
        return KL_EXIT_USAGE;
    }
    bool good = t->genesis ? read_genesis(t) : t->checkpoint ? read_checkpoint(t) : true;
    return good ? KL_EXIT_OK : KL_EXIT_FAILED;
}

/* A bundle, or the answer of a node that has one as its result. */
static kl_status judge(struct trust *t, const struct kl_json *json, kl_light_bundle *bundle,
                       kl_light_result *result, kl_light_fault *fault)
{
    kl_json_ref root = kl_json_member(json, 0, "result");
    if (!kl_json_is(json, root, KL_JSON_OBJECT))
        root = 0;
    KL_TRY(kl_light_bundle_read(bundle, json, root, &t->arena, fault));
    if (fault->rule != KL_RULE_NONE)
        return KL_OK;
    if (t->checkpoint)
        KL_TRY(kl_light_resume(&t->light, &t->resumed, &t->arena, &fault->rule));
    else
        KL_TRY(kl_light_bundle_start(&t->light, bundle, t->has_chain_id ? &t->chain_id : NULL,
                                     &t->hash, &t->arena, fault));
    if (fault->rule != KL_RULE_NONE)
        return KL_OK;
    return kl_light_bundle_judge(&t->light, result, bundle, &t->arena, fault);
}

static bool verify(struct trust *t, const char *path, bool several)
{
    struct kl_json json;
    kl_light_bundle bundle;
    kl_light_result result;
    kl_light_fault fault = {0};
    kl_arena_reset(&t->arena, KEEP);
    if (!load_json(&json, path, &t->arena, &fault))
        return false;
    kl_status status =
        fault.rule == KL_RULE_NONE ? judge(t, &json, &bundle, &result, &fault) : KL_OK;
    if (status != KL_OK)
        return complain(path, kl_status_text(status));
    if (fault.rule != KL_RULE_NONE)
        kl_light_print_fault(stdout, path, &fault, t->json);
    else if (t->json)
        kl_light_print_json(stdout, path, &t->light, &bundle, &result);
    else if (several)
        kl_light_print_line(stdout, path, &result);
    else
        kl_light_print(stdout, &t->light, &bundle, &result);
    return fault.rule == KL_RULE_NONE;
}

static bool write_text(const char *path, kl_span text)
{
    FILE *file = fopen(path, "wb");
    bool good = file && fwrite(text.p, 1, text.len, file) == text.len && fputc('\n', file) == '\n';
    return file && fclose(file) == 0 && good;
}

/* Under another name first, so that a full disk does not cost what was saved before. */
static bool save(struct trust *t)
{
    char next[4096];
    struct kl_buf text;
    kl_buf_init(&text, (usize)1 << 24);
    struct kl_json_out out = kl_json_out_to(&text);
    kl_status status = kl_light_checkpoint_put(&out, &t->light, &t->arena);
    bool named = snprintf(next, sizeof next, "%s.next", t->save) < (int)sizeof next;
    bool good = status == KL_OK && named && write_text(next, kl_buf_view(&text)) &&
                rename(next, t->save) == 0;
    kl_buf_done(&text);
    return good || complain(t->save, "cannot be written");
}

static int run(struct trust *t, char **paths, int count)
{
    struct kl_paths files = {0};
    bool good = true;
    int code = read_trust(t);
    for (int i = 0; i < count && code == KL_EXIT_OK; i++) {
        kl_status status = kl_paths_add(&files, paths[i], ".json");
        if (status != KL_OK)
            code = complain(paths[i], kl_status_text(status)) ? 0 : KL_EXIT_FAILED;
    }
    if (code == KL_EXIT_OK && t->save && files.count != 1) {
        fprintf(stderr, "keel light verify: --save takes one bundle\n");
        code = KL_EXIT_USAGE;
    }
    for (usize i = 0; i < files.count && code == KL_EXIT_OK; i++)
        good = verify(t, files.path[i], files.count > 1) && good;
    if (code == KL_EXIT_OK && t->save && good)
        good = save(t);
    kl_paths_done(&files);
    return code != KL_EXIT_OK ? code : good ? KL_EXIT_OK : KL_EXIT_FAILED;
}

static int cmd_verify(int argc, char **argv)
{
    struct trust *t = calloc(1, sizeof *t);
    if (!t)
        return KL_EXIT_FAILED;
    const kl_option options[] = {
        {KL_OPTION_GROUP, .help = "What is trusted (one of them)"},
        {KL_OPTION_TEXT, "--genesis", .value = "FILE", .help = "the chain's genesis file",
         .into = &t->genesis},
        {KL_OPTION_TEXT, "--genesis-hash", .value = "HASH",
         .help = "the hash of the chain's genesis block", .into = &t->genesis_hash},
        {KL_OPTION_TEXT, "--checkpoint", .value = "FILE", .help = "what --save has written",
         .into = &t->checkpoint},
        {KL_OPTION_GROUP, .help = "Results"},
        {KL_OPTION_TEXT, "--save", .value = "FILE",
         .help = "write down what is trusted afterwards, for --checkpoint", .into = &t->save},
        {KL_OPTION_FLAG, "--json", .help = "a line of JSON for each bundle", .into = &t->json},
    };
    static const kl_example examples[] = {
        {"keel light verify --genesis genesis.json proof.json", "What the bundle proves"},
        {"keel light verify --genesis-hash 0x… --save seen.json proof.json",
         "The same, and remember it"},
        {"keel light verify --checkpoint seen.json next.json", "Go on from there"},
    };
    const kl_usage usage = {
        .command = "light verify",
        .arguments = "FILE...",
        .help = "Checks bundles as keel_getFinalityProof returns them, without a node: that a\n"
                "quorum of the chain's validators has made a block final, and what an account\n"
                "holds in it.  A FILE may be a folder of .json files, and the whole answer of a\n"
                "node.  Exits with 1 when one of them does not prove what it says.",
        .options = options,
        .option_count = KL_COUNT_OF(options),
        .examples = examples,
        .example_count = KL_COUNT_OF(examples),
        .arguments_min = 1,
        .arguments_max = -1,
    };
    kl_arena_init(&t->arena, ARENA_MAX);
    kl_arena_init(&t->kept, ARENA_MAX);
    int count, code = kl_options_parse(&usage, argc, argv, &count);
    if (code < 0)
        code = run(t, argv + 1, count);
    kl_arena_done(&t->arena);
    kl_arena_done(&t->kept);
    free(t);
    return code;
}

int kl_cmd_light(int argc, char **argv)
{
    static const kl_family_member members[] = {
        {"verify", cmd_verify, "Check bundles that prove a block and an account"},
    };
    static const kl_family family = {
        .command = "light",
        .noun = "command",
        .help = "What can be known of a chain without running a node of it.",
        .members = members,
        .count = KL_COUNT_OF(members),
    };
    return kl_family_run(&family, argc, argv);
}

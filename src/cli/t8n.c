/* t8n: the command. */
#include "cli/t8n.h"

#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "cli/command.h"
#include "cli/files.h"
#include "cli/network.h"
#include "cli/option.h"
#include "codec/hex.h"

#define INPUT_MEMORY_MAX ((usize)8 << 30)
#define NODES_MAX        (32u << 20)
#define STDIN            "stdin"

struct t8n {
    const char *alloc, *env, *txs; /* where inputs are */
    const char *fork, *reward;
    u64 chain_id;
    kl_t8n_outputs outputs;
    kl_t8n_trace trace;

    struct kl_arena arena;
    kl_span texts[4]; /* of the files */
    usize text_count;
    struct kl_fixture from_stdin;
    kl_t8n_input input;
    struct kl_t8n_fault fault;
};

static const kl_example examples[] = {
    {"keel t8n --input.alloc alloc.json --input.env env.json --input.txs txs.json "
     "--state.fork Osaka",
     "Files in; result.json and alloc.json out"},
    {"keel t8n --input.alloc stdin --input.env stdin --input.txs stdin --output.result stdout "
     "--output.alloc stdout --state.fork Prague",
     "{\"alloc\": ..., \"env\": ..., \"txs\": ...} from standard input, both results to standard "
     "output"},
    {"keel t8n --input.txs body.rlp --state.fork London --trace --output.basedir out",
     "Signed transactions, their traces in out/trace-INDEX-HASH.jsonl"},
};

bool kl_t8n_blame(struct kl_t8n_fault *fault, int code, const char *format, ...)
{
    if (fault->code)
        return false;
    va_list args;
    va_start(args, format);
    (void)vsnprintf(fault->text, sizeof fault->text, format, args);
    va_end(args);
    fault->code = code;
    return false;
}

bool kl_t8n_done(struct kl_t8n_fault *fault, kl_status status, const char *what)
{
    if (status == KL_OK)
        return true;
    return kl_t8n_blame(fault, KL_T8N_EVM, "%s: %s", what, kl_status_text(status));
}

bool kl_t8n_read(struct kl_t8n_fault *fault, const struct kl_fixture *fixture, const char *what)
{
    if (!fixture->bad)
        return true;
    return kl_t8n_blame(fault, KL_T8N_JSON,
                        "failed unmarshalling %s: missing or malformed field '%s'", what,
                        fixture->bad);
}

/* The forks stand in the help, where tools look whether they are known. */
static const char help[] =
    "Applies transactions to a state, as one block of the environment given, and writes the\n"
    "result and the state behind it: inputs, outputs and exit codes are those of geth's evm t8n.\n"
    "\n"
    "Forks: Frontier Homestead EIP150 EIP158 Byzantium Constantinople ConstantinopleFix Istanbul\n"
    "MuirGlacier Berlin London ArrowGlacier GrayGlacier Paris (Merge) Shanghai Cancun Prague "
    "Osaka\n"
    "BPO1 BPO2 BPO3 BPO4, and transitions like ParisToShanghaiAtTime15k.\n"
    "\n"
    "Exit codes: 2 a system contract fails, 3 the fork or what it needs of the environment,\n"
    "4 BLOCKHASH of a block that env.blockHashes lacks, 10 malformed JSON, 11 input or output,\n"
    "12 malformed RLP.  A transaction that the block cannot hold is listed in result.rejected.";

static int parse(struct t8n *t, int argc, char **argv)
{
    const kl_option options[] = {
        {.kind = KL_OPTION_GROUP, .help = "inputs: a file, or 'stdin'"},
        {KL_OPTION_TEXT, "--input.alloc", .value = "FILE", .help = "the state before (alloc.json)",
         .into = &t->alloc},
        {KL_OPTION_TEXT, "--input.env", .value = "FILE", .help = "the block (env.json)",
         .into = &t->env},
        {KL_OPTION_TEXT, "--input.txs", .value = "FILE",
         .help = "transactions: JSON, or the RLP of a body in .rlp (txs.json)", .into = &t->txs},
        {.kind = KL_OPTION_GROUP, .help = "rules"},
        {KL_OPTION_TEXT, "--state.fork", .value = "FORK", .help = "a fork (GrayGlacier)",
         .into = &t->fork},
        {KL_OPTION_NUMBER, "--state.chainid", .value = "ID", .help = "the chain's id (1)",
         .into = &t->chain_id, .max = INT64_MAX},
        {KL_OPTION_TEXT, "--state.reward", .value = "WEI",
         .help = "block reward (0); -1 leaves the coinbase alone", .into = &t->reward},
        {.kind = KL_OPTION_GROUP, .help = "outputs: a file, 'stdout' or 'stderr'"},
        {KL_OPTION_TEXT, "--output.basedir", .value = "FOLDER",
         .help = "where files go; made when it is missing", .into = &t->outputs.dir},
        {KL_OPTION_TEXT, "--output.alloc", .value = "FILE", .help = "the state behind (alloc.json)",
         .into = &t->outputs.alloc},
        {KL_OPTION_TEXT, "--output.result", .value = "FILE",
         .help = "roots, receipts, rejected transactions (result.json)",
         .into = &t->outputs.result},
        {KL_OPTION_TEXT, "--output.body", .value = "FILE",
         .help = "RLP of the transactions in the block (none)", .into = &t->outputs.body},
        {.kind = KL_OPTION_GROUP, .help = "traces"},
        {KL_OPTION_FLAG, "--trace", .help = "a trace for each transaction [EIP-3155]",
         .into = &t->trace.on},
        {KL_OPTION_FLAG, "--trace.memory", .help = "with all of memory",
         .into = &t->trace.options.memory},
        {KL_OPTION_FLAG, "--trace.nostack", .help = "without the stack",
         .into = &t->trace.options.no_stack},
        {KL_OPTION_FLAG, "--trace.returndata", .help = "with return data",
         .into = &t->trace.options.return_data},
        {KL_OPTION_FLAG, "--trace.callframes", .help = "with a line where a call begins",
         .into = &t->trace.options.frames},
    };
    const kl_usage usage = {.command = "t8n",
                            .arguments = "",
                            .help = help,
                            .options = options,
                            .option_count = KL_COUNT_OF(options),
                            .examples = examples,
                            .example_count = KL_COUNT_OF(examples)};
    int count;
    return kl_options_parse(&usage, argc, argv, &count);
}

/* Reads a text, which lives until the end. */
static bool load(struct t8n *t, kl_span *out, const char *path, const char *what)
{
    bool is_stdin = strcmp(path, STDIN) == 0;
    KL_ASSERT(t->text_count < KL_COUNT_OF(t->texts));
    kl_status status = is_stdin ? kl_stdin_load(out) : kl_file_load(out, path);
    if (status != KL_OK)
        return kl_t8n_blame(&t->fault, KL_T8N_IO, "failed reading %s file: %s: %s", what, path,
                            kl_status_text(status));
    t->texts[t->text_count++] = *out;
    return true;
}

static bool load_json(struct t8n *t, struct kl_fixture *out, const char *path, const char *what)
{
    kl_span text;
    kl_rule broken;
    usize at;
    if (!load(t, &text, path, what))
        return false;
    *out = (struct kl_fixture){.arena = &t->arena};
    kl_status status = kl_json_parse(&out->json, text, NODES_MAX, &t->arena, &broken, &at);
    if (!kl_t8n_done(&t->fault, status, what))
        return false;
    if (broken != KL_RULE_NONE)
        return kl_t8n_blame(&t->fault, KL_T8N_JSON, "failed unmarshalling %s: %s:%zu: %s", what,
                            path, kl_json_line(text, at), kl_rule_text(broken));
    return true;
}

/* One input: a member of standard input, or a file of its own. */
static bool find(struct t8n *t, struct kl_fixture *out, kl_json_ref *ref, const char *path,
                 const char *what)
{
    if (strcmp(path, STDIN) == 0) {
        *out = t->from_stdin;
        *ref = kl_json_member(&out->json, 0, what);
        return true;
    }
    *ref = 0;
    return load_json(t, out, path, what);
}

static bool read_alloc(struct t8n *t)
{
    struct kl_fixture f;
    kl_json_ref ref;
    if (!find(t, &f, &ref, t->alloc, "alloc"))
        return false;
    t->input.alloc = kl_fixture_alloc(&f, ref, &t->input.alloc_count);
    bool none = ref == KL_JSON_NONE || kl_json_is(&f.json, ref, KL_JSON_NULL);
    if (!none && !kl_json_is(&f.json, ref, KL_JSON_OBJECT))
        return kl_t8n_blame(&t->fault, KL_T8N_JSON,
                            "failed unmarshalling alloc: there is no object");
    return kl_t8n_read(&t->fault, &f, "alloc");
}

static bool decode_txs(struct t8n *t, kl_span hex)
{
    kl_span rlp = KL_SPAN_NONE;
    bool no_memory = false;
    kl_rule broken = kl_hex_data(&rlp, hex, &t->arena, &no_memory);
    if (broken != KL_RULE_NONE)
        return kl_t8n_blame(&t->fault, KL_T8N_JSON, "failed unmarshalling txs: %s",
                            kl_rule_text(broken));
    if (!kl_t8n_done(&t->fault, no_memory ? KL_NOMEM : KL_OK, "txs"))
        return false;
    return kl_t8n_txs_decode(&t->input.txs, rlp, t->input.env.fork, &t->arena, &t->fault);
}

static bool ends_with(const char *text, const char *suffix)
{
    usize len = strlen(text), tail = strlen(suffix);
    return len >= tail && strcmp(text + len - tail, suffix) == 0;
}

/* An array, or with the name ending in .rlp a string of hex; in standard input txs or txsRlp. */
static bool read_txs(struct t8n *t)
{
    struct kl_fixture f;
    kl_json_ref ref;
    if (!find(t, &f, &ref, t->txs, "txs"))
        return false;
    bool from_stdin = strcmp(t->txs, STDIN) == 0;
    kl_json_ref rlp = from_stdin ? kl_json_member(&f.json, 0, "txsRlp") : 0;
    if (from_stdin ? kl_json_is(&f.json, rlp, KL_JSON_STRING) && kl_json_raw(&f.json, rlp).len
                   : ends_with(t->txs, ".rlp")) {
        if (!kl_json_is(&f.json, rlp, KL_JSON_STRING))
            return kl_t8n_blame(&t->fault, KL_T8N_JSON,
                                "failed unmarshalling txs: there is no string of hex");
        return decode_txs(t, kl_json_raw(&f.json, rlp));
    }
    return kl_t8n_txs_read(&t->input.txs, &f, ref, &t->input.spec, t->input.env.fork, &t->fault);
}

static bool read_env(struct t8n *t)
{
    struct kl_fixture f;
    kl_json_ref ref;
    return find(t, &f, &ref, t->env, "env") && kl_t8n_env_read(&t->input.env, &f, ref, &t->fault);
}

static bool read_rules(struct t8n *t)
{
    char *end;
    errno = 0;
    t->input.reward = strtoll(t->reward, &end, 10);
    if (errno || *end || end == t->reward)
        return kl_t8n_blame(&t->fault, KL_T8N_CONFIG,
                            "--state.reward takes a number from -1 to 2^63 - 1, not '%.60s'",
                            t->reward);
    if (!kl_network_spec(&t->input.spec, t->fork))
        return kl_t8n_blame(&t->fault, KL_T8N_CONFIG,
                            "failed constructing chain configuration: unsupported fork \"%.60s\"",
                            t->fork);
    t->input.spec.chain_id = t->chain_id;
    return true;
}

static bool read_inputs(struct t8n *t)
{
    bool uses_stdin =
        strcmp(t->alloc, STDIN) == 0 || strcmp(t->env, STDIN) == 0 || strcmp(t->txs, STDIN) == 0;
    if (uses_stdin && !load_json(t, &t->from_stdin, STDIN, STDIN))
        return false;
    if (!read_alloc(t) || !read_env(t) || !read_rules(t))
        return false;
    t->input.env.fork = kl_exec_fork(&t->input.spec, &t->input.env.header);
    return read_txs(t) && kl_t8n_env_complete(&t->input.env, &t->input.spec, &t->fault);
}

/* The folder and those above it. */
static bool make_folder(struct t8n *t, const char *path)
{
    char part[4096];
    usize len = strlen(path);
    if (len >= sizeof part)
        return kl_t8n_blame(&t->fault, KL_T8N_IO, "failed creating output basedir: too long");
    for (usize i = 1; i <= len; i++) {
        if (path[i] != '/' && path[i] != '\0')
            continue;
        memcpy(part, path, i);
        part[i] = '\0';
        struct stat info;
        if (mkdir(part, 0755) != 0 && (stat(part, &info) != 0 || !S_ISDIR(info.st_mode)))
            return kl_t8n_blame(&t->fault, KL_T8N_IO, "failed creating output basedir: %s: %s",
                                part, strerror(errno));
    }
    return true;
}

static bool run(struct t8n *t)
{
    struct kl_t8n_machine *machine = NULL;
    kl_t8n_result result;
    if (*t->outputs.dir && !make_folder(t, t->outputs.dir))
        return false;
    t->trace.dir = t->outputs.dir;
    bool good = read_inputs(t) && kl_t8n_done(&t->fault, kl_t8n_machine_new(&machine), "machine") &&
                kl_t8n_apply(machine, &t->input, &t->trace, &result, &t->fault) &&
                kl_t8n_write(&t->outputs, &t->input, &result, &t->fault);
    kl_t8n_machine_free(machine);
    return good;
}

int kl_cmd_t8n(int argc, char **argv)
{
    struct t8n t = {
        .alloc = "alloc.json",
        .env = "env.json",
        .txs = "txs.json",
        .fork = "GrayGlacier",
        .reward = "0",
        .chain_id = 1,
        .outputs = {.dir = "", .alloc = "alloc.json", .result = "result.json", .body = ""}};
    int code = parse(&t, argc, argv);
    if (code >= 0)
        return code;
    kl_arena_init(&t.arena, INPUT_MEMORY_MAX);
    bool good = run(&t);
    kl_arena_done(&t.arena);
    for (usize i = 0; i < t.text_count; i++)
        kl_file_free(t.texts[i]);
    if (good)
        return KL_EXIT_OK;
    fprintf(stderr, "ERROR(%d): %s\n", t.fault.code, t.fault.text);
    return t.fault.code;
}

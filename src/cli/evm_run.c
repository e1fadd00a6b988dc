/* evm_run: code on a state, as one message: no transaction's intrinsic gas, fees or nonce.  The
 * machine runs it as a call that is given its intrinsic gas on top, and the sender's nonce goes
 * back behind it. */
#include <stdio.h>
#include <stdlib.h>

#include "cli/command.h"
#include "cli/files.h"
#include "cli/json_indent.h"
#include "cli/network.h"
#include "cli/option.h"
#include "cli/statecase.h"
#include "cli/trace_json.h"
#include "cli/world_dump.h"
#include "codec/hex.h"
#include "state/commit.h"
#include "types/intrinsic.h"

#define GAS_DEFAULT 10000000000u
#define OUTPUT_MAX  ((usize)4 << 30)

/* "sender" and "receiver", as geth's evm has them. */
static const kl_address default_sender = {
    {[14] = 's', [15] = 'e', [16] = 'n', [17] = 'd', [18] = 'e', [19] = 'r'}};
static const kl_address default_receiver = {{[12] = 'r',
                                             [13] = 'e',
                                             [14] = 'c',
                                             [15] = 'e',
                                             [16] = 'i',
                                             [17] = 'v',
                                             [18] = 'e',
                                             [19] = 'r'}};

struct run {
    const char *code, *code_file, *input, *input_file, *value, *price, *sender, *receiver;
    const char *prestate, *fork;
    u64 gas;
    bool gas_given, create, dump, json;
    kl_trace_json_options trace;

    kl_statebench bench;
    struct kl_arena arena; /* of what was read */
    kl_spec spec;
    kl_header header;
    kl_tx tx;
    const kl_alloc *alloc;
    usize alloc_count;
    char why[300];
};

static const kl_example examples[] = {
    {"keel evm run 0x6001600201", "Some code; what it returns goes to standard output"},
    {"keel evm run --json --gas 100000 --codefile code.hex --input 0x1234",
     "Its trace on standard error [EIP-3155]"},
    {"keel evm run --prestate genesis.json --receiver 0x00000000000000000000000000000000000000aa "
     "--dump",
     "Code that a genesis file has, and the state behind it"},
};

static int parse(struct run *r, int argc, char **argv)
{
    const kl_option options[] = {
        {KL_OPTION_TEXT, "--code", .value = "HEX", .help = "the code; also as argument",
         .into = &r->code},
        {KL_OPTION_TEXT, "--codefile", .value = "FILE",
         .help = "a file with it in hex; - for standard input", .into = &r->code_file},
        {KL_OPTION_TEXT, "--input", .value = "HEX", .help = "call data, or arguments of --create",
         .into = &r->input},
        {KL_OPTION_TEXT, "--inputfile", .value = "FILE", .help = "a file with it in hex",
         .into = &r->input_file},
        {KL_OPTION_NUMBER, "--gas", .value = "GAS",
         .help = "the message's gas (10000000000, or the prestate's gas limit)", .into = &r->gas,
         .given = &r->gas_given, .max = INT64_MAX / 2},
        {KL_OPTION_TEXT, "--price", .value = "WEI", .help = "what GASPRICE says (0)",
         .into = &r->price},
        {KL_OPTION_TEXT, "--value", .value = "WEI", .help = "what is sent along (0)",
         .into = &r->value},
        {KL_OPTION_TEXT, "--sender", .value = "ADDRESS", .help = "who sends it",
         .into = &r->sender},
        {KL_OPTION_TEXT, "--receiver", .value = "ADDRESS",
         .help = "where it runs; code given replaces what is there", .into = &r->receiver},
        {KL_OPTION_FLAG, "--create", .help = "the code is init code", .into = &r->create},
        {KL_OPTION_TEXT, "--prestate", .value = "FILE",
         .help = "state, block and rules: a genesis file", .into = &r->prestate},
        {KL_OPTION_TEXT, "--state.fork", .value = "FORK",
         .help = "the rules (Osaka, or the prestate's)", .into = &r->fork},
        {KL_OPTION_FLAG, "--dump", .help = "print the state behind it", .into = &r->dump},
        {KL_OPTION_FLAG, "--json", .other = "--trace",
         .help = "print the trace to standard error, and no result", .into = &r->json},
        {KL_OPTION_FLAG, "--trace.memory", .help = "with all of memory", .into = &r->trace.memory},
        {KL_OPTION_FLAG, "--trace.nostack", .help = "without the stack",
         .into = &r->trace.no_stack},
        {KL_OPTION_FLAG, "--trace.returndata", .help = "with return data",
         .into = &r->trace.return_data},
    };
    const kl_usage usage = {.command = "evm run",
                            .arguments = "[CODE]",
                            .help = "Runs code as one message, with options and output like those "
                                    "of geth's evm run.",
                            .options = options,
                            .option_count = KL_COUNT_OF(options),
                            .examples = examples,
                            .example_count = KL_COUNT_OF(examples),
                            .arguments_max = 1};
    int count, code = kl_options_parse(&usage, argc, argv, &count);
    if (code < 0 && count == 1)
        r->code = argv[1];
    return code;
}

/* Says what is wrong; always false. */
static bool fail(struct run *r, const char *what, const char *why)
{
    (void)snprintf(r->why, sizeof r->why, "%s: %s", what, why);
    return false;
}

static bool done(struct run *r, kl_status status, const char *what)
{
    return status == KL_OK || fail(r, what, kl_status_text(status));
}

static kl_span trim(kl_span text)
{
    static const char blanks[] = " \t\r\n";
    while (text.len && strchr(blanks, text.p[text.len - 1]))
        text.len--;
    while (text.len && strchr(blanks, text.p[0]))
        text = kl_span_sub(text, 1, text.len);
    return text;
}

static bool has_prefix(kl_span text)
{
    return text.len >= 2 && text.p[0] == '0' && (text.p[1] == 'x' || text.p[1] == 'X');
}

/* Digits with or without "0x", blanks around them. */
static bool read_hex(struct run *r, kl_span *out, kl_span text, const char *what)
{
    text = trim(text);
    if (has_prefix(text))
        text = kl_span_sub(text, 2, text.len);
    u8 *bytes = KL_TAKE(&r->arena, u8, text.len / 2 + 1);
    if (!bytes)
        return done(r, KL_NOMEM, what);
    kl_rule broken = kl_hex_parse(bytes, text.len / 2, text);
    *out = kl_span_of(bytes, text.len / 2);
    return broken == KL_RULE_NONE || fail(r, what, kl_rule_text(broken));
}

/* From a file, or else from text, or else nothing. */
static bool read_bytes(struct run *r, kl_span *out, const char *path, const char *text,
                       const char *what)
{
    *out = KL_SPAN_NONE;
    if (!path)
        return !text || read_hex(r, out, kl_span_str(text), what);
    kl_span file;
    bool from_stdin = strcmp(path, "-") == 0;
    kl_status status = from_stdin ? kl_stdin_load(&file) : kl_file_load(&file, path);
    if (!done(r, status, path))
        return false;
    bool good = read_hex(r, out, file, path);
    kl_file_free(file);
    return good;
}

static bool read_wei(struct run *r, kl_u256 *out, const char *text, const char *what)
{
    kl_span digits = kl_span_str(text);
    bool good = has_prefix(digits) ? kl_hex_u256(out, digits) == KL_RULE_NONE
                                   : kl_u256_from_decimal(out, digits);
    return good || fail(r, what, "takes a number of wei, decimal or in hex with 0x");
}

static bool read_address(struct run *r, kl_address *out, const char *text, const char *what)
{
    kl_span bytes;
    if (!text)
        return true;
    if (!read_hex(r, &bytes, kl_span_str(text), what))
        return false;
    if (bytes.len > sizeof out->b)
        return fail(r, what, "takes an address of 20 bytes");
    *out = (kl_address){{0}};
    if (bytes.len)
        memcpy(out->b + sizeof out->b - bytes.len, bytes.p, bytes.len);
    return true;
}

static bool read_prestate(struct run *r)
{
    kl_span text;
    kl_genesis genesis;
    kl_file_fault fault;
    if (!done(r, kl_file_load(&text, r->prestate), r->prestate))
        return false;
    kl_span copy = kl_arena_copy(&r->arena, text);
    kl_file_free(text);
    if (!copy.p && copy.len)
        return done(r, KL_NOMEM, r->prestate);
    if (!done(r, kl_genesis_parse(&genesis, copy, &r->arena, &fault), r->prestate))
        return false;
    if (fault.rule != KL_RULE_NONE) {
        (void)snprintf(r->why, sizeof r->why, "%s:%zu: %s: %s", r->prestate, fault.line,
                       fault.where, kl_rule_text(fault.rule));
        return false;
    }
    r->spec = genesis.spec;
    r->header = genesis.header;
    r->alloc = genesis.alloc;
    r->alloc_count = genesis.alloc_count;
    if (!r->gas_given && genesis.header.gas_limit)
        r->gas = KL_MIN(genesis.header.gas_limit, INT64_MAX / 2);
    return true;
}

/* Rules and block: the prestate's, or those of a new chain of 1337. */
static bool read_rules(struct run *r)
{
    u64 chain_id = 1337;
    if (r->prestate && !read_prestate(r))
        return false;
    if (r->prestate)
        chain_id = r->spec.chain_id;
    if ((r->fork || !r->prestate) && !kl_network_spec(&r->spec, r->fork ? r->fork : "Osaka"))
        return fail(r, "--state.fork", "unsupported fork");
    r->spec.chain_id = chain_id;
    if (r->header.tail == 0)
        r->header.base_fee = kl_u256_of(1000000000);
    r->header.mix_hash = (kl_hash){{0}};
    r->header.gas_limit = r->gas;
    return true;
}

/* The state with the code where it is to run. */
static bool place_code(struct run *r, kl_span code)
{
    kl_alloc *all = KL_TAKE(&r->arena, kl_alloc, r->alloc_count + 1);
    usize at = 0;
    if (!all)
        return done(r, KL_NOMEM, "state");
    if (r->alloc_count)
        memcpy(all, r->alloc, r->alloc_count * sizeof *all);
    while (at < r->alloc_count && !kl_address_eq(&all[at].address, &r->tx.to))
        at++;
    if (at == r->alloc_count)
        all[r->alloc_count++] = (kl_alloc){.address = r->tx.to};
    all[at].code = code;
    r->alloc = all;
    return true;
}

static bool read_message(struct run *r)
{
    kl_span code, input;
    kl_tx *tx = &r->tx;
    *tx = (kl_tx){
        .has_to = !r->create, .has_sender = true, .sender = default_sender, .to = default_receiver};
    if (!read_bytes(r, &code, r->code_file, r->code, "code") ||
        !read_bytes(r, &input, r->input_file, r->input, "input") ||
        !read_address(r, &tx->sender, r->sender, "--sender") ||
        !read_address(r, &tx->to, r->receiver, "--receiver") ||
        !read_wei(r, &tx->value, r->value, "--value") ||
        !read_wei(r, &tx->max_fee, r->price, "--price"))
        return false;
    tx->max_priority_fee = tx->max_fee;
    tx->data = input;
    if (!r->create)
        return code.len == 0 || place_code(r, code);
    u8 *both = KL_TAKE(&r->arena, u8, code.len + input.len + 1);
    if (!both)
        return done(r, KL_NOMEM, "code");
    if (code.len)
        memcpy(both, code.p, code.len);
    if (input.len)
        memcpy(both + code.len, input.p, input.len);
    tx->data = kl_span_of(both, code.len + input.len);
    return true;
}

/* A call does not count the sender's nonce. */
static kl_status give_nonce_back(struct run *r, u64 nonce)
{
    struct kl_journal *journal = kl_exec_journal(r->bench.exec);
    kl_jaccount *sender;
    kl_journal_begin_tx(journal);
    KL_TRY(kl_journal_account(journal, &r->tx.sender, &sender));
    if (!r->create)
        kl_journal_set_nonce(journal, sender, nonce);
    return kl_journal_end_tx(journal, true);
}

static kl_status print_dump(struct run *r, struct kl_view *view, const kl_hash *root)
{
    struct kl_buf compact, text;
    char digits[65];
    kl_buf_init(&compact, OUTPUT_MAX);
    kl_buf_init(&text, OUTPUT_MAX);
    struct kl_json_out out = kl_json_out_to(&compact);
    kl_hex_digits(digits, kl_hash_span(root));
    digits[64] = '\0';
    kl_json_put_object(&out);
    kl_json_add_text(&out, "root", digits);
    kl_json_put_key(&out, "accounts");
    kl_status status = kl_world_dump(&out, view, KL_DUMP_STATE, &r->arena);
    if (status == KL_OK) {
        kl_json_put_object_end(&out);
        kl_json_indent(&text, kl_buf_view(&compact), 4);
        status = compact.failed || text.failed ? KL_NOMEM : KL_OK;
    }
    if (status == KL_OK)
        printf("%.*s\n", (int)text.len, (const char *)text.p);
    kl_buf_done(&text);
    kl_buf_done(&compact);
    return status;
}

static kl_status dump(struct run *r, struct kl_delta *before, struct kl_view *from)
{
    struct kl_delta_builder *builder;
    struct kl_delta *after;
    struct kl_view *view;
    kl_hash root;
    KL_TRY(kl_delta_begin(&builder, before, kl_delta_version(before) + 1));
    kl_status status = kl_state_commit(kl_exec_journal(r->bench.exec), from, builder, true, &root,
                                       &r->bench.arena, NULL);
    if (status != KL_OK) {
        kl_delta_drop(builder);
        return status;
    }
    KL_TRY(kl_delta_seal(builder, &after));
    status = kl_world_view(r->bench.world, after, &view);
    if (status == KL_OK) {
        status = print_dump(r, view, &root);
        kl_view_close(view);
    }
    kl_delta_unref(after);
    return status;
}

static void print_result(kl_span output, const char *error)
{
    if (output.len)
        printf("0x");
    for (usize i = 0; i < output.len; i++)
        printf("%02x", output.p[i]);
    printf("\n");
    if (error)
        printf(" error: %s\n", error);
}

static kl_status call(struct run *r, kl_tx_result *result, kl_rule *broken)
{
    struct kl_trace_json trace;
    const kl_call how = {.tx = &r->tx, .free = true, .no_floor = true};
    if (!r->json)
        return kl_exec_call(r->bench.exec, &how, NULL, result, broken);
    kl_trace_json_init(&trace, stderr, r->trace);
    kl_status status = kl_exec_call(r->bench.exec, &how, &trace.tracer, result, broken);
    kl_trace_json_done(&trace);
    return status;
}

static kl_status execute(struct run *r, struct kl_delta *before, struct kl_view *view)
{
    struct kl_view_reader reader;
    const kl_u256 no_fee = KL_U256_ZERO;
    kl_tx_result result = {0};
    kl_rule broken;
    kl_jaccount *sender;
    kl_view_reader_init(&reader, view);
    const kl_exec_block block = {.spec = &r->spec,
                                 .header = &r->header,
                                 .reader = &reader.reader,
                                 .hashes = &r->bench.hashes,
                                 .blob_base_fee = &no_fee};
    KL_TRY(kl_exec_enter(r->bench.exec, &block));
    r->tx.gas_limit = r->gas + kl_intrinsic_gas(&r->tx, kl_exec_fork(&r->spec, &r->header));
    KL_TRY(kl_journal_account(kl_exec_journal(r->bench.exec), &r->tx.sender, &sender));
    u64 nonce = sender->now.nonce;
    KL_TRY(call(r, &result, &broken));
    bool ran = broken == KL_RULE_NONE;
    if (ran)
        KL_TRY(give_nonce_back(r, nonce));
    if (r->dump)
        KL_TRY(dump(r, before, view));
    if (!r->json && broken == KL_RULE_TX_FUNDS)
        print_result(KL_SPAN_NONE, kl_halt_text(KL_HALT_BALANCE));
    else if (!r->json && !ran)
        print_result(KL_SPAN_NONE, kl_rule_text(broken));
    else if (!r->json)
        print_result(result.output, result.halt ? kl_halt_text(result.halt) : NULL);
    return KL_OK;
}

static kl_status run_on_world(struct run *r)
{
    struct kl_delta *before;
    struct kl_view *view;
    kl_hash root;
    KL_TRY(kl_world_genesis(r->bench.world, r->alloc, r->alloc_count, true, &r->bench.arena,
                            &before, &root));
    kl_status status = kl_world_view(r->bench.world, before, &view);
    if (status == KL_OK) {
        status = execute(r, before, view);
        kl_view_close(view);
    }
    kl_delta_unref(before);
    return status;
}

int kl_cmd_evm_run(int argc, char **argv)
{
    struct run *r = calloc(1, sizeof *r);
    if (!r)
        return KL_EXIT_FAILED;
    r->gas = GAS_DEFAULT;
    r->value = r->price = "0";
    int code = parse(r, argc, argv);
    if (code >= 0) {
        free(r);
        return code;
    }
    kl_arena_init(&r->arena, OUTPUT_MAX);
    bool good = read_rules(r) && read_message(r);
    if (good) {
        kl_status status = kl_statebench_init(&r->bench);
        good = done(r, status == KL_OK ? run_on_world(r) : status, "run");
        kl_statebench_done(&r->bench);
    }
    if (!good)
        fprintf(stderr, "keel evm run: %s\n", r->why);
    kl_arena_done(&r->arena);
    free(r);
    return good ? KL_EXIT_OK : KL_EXIT_FAILED;
}

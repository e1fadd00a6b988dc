#include "cli/node_options.h"

#include <stdio.h>
#include <unistd.h>

#include "cli/command.h"
#include "codec/hex.h"
#include "sys/env.h"

#if defined(__x86_64__)
#define MACHINE "x86_64"
#elif defined(__aarch64__)
#define MACHINE "aarch64"
#else
#define MACHINE "other"
#endif

#define SECOND_NS UINT64_C(1000000000)

const char kl_client_version[] = "Keel/v" KL_VERSION "/linux-" MACHINE;

void kl_node_options_init(struct kl_node_options *options)
{
    *options = (struct kl_node_options){
        .host = "127.0.0.1",
        .order = "fees",
        .port = 8545,
    };
}

static usize copy_rows(kl_option *to, const kl_option *from, usize count)
{
    memcpy(to, from, count * sizeof *from);
    return count;
}

usize kl_server_options(kl_option *rows, struct kl_node_options *into)
{
    const kl_option table[] = {
        {KL_OPTION_GROUP, .help = "server"},
        {KL_OPTION_NUMBER, "--port", .letter = 'p', .value = "NUM",
         .help = "port for HTTP and WebSocket; 0: any free one (8545)", .into = &into->port,
         .max = 65535},
        {KL_OPTION_TEXT, "--host", .value = "ADDRESS",
         .help = "address to listen on (127.0.0.1); 0.0.0.0 lets others in", .into = &into->host},
        {KL_OPTION_TEXT, "--allow-origin", .value = "ORIGIN",
         .help = "web pages that may use it, '*' for all", .into = &into->origin},
        {KL_OPTION_NUMBER, "--max-calls", .value = "NUM",
         .help = "calls a second of one address, but our own; 0: any number (0)",
         .into = &into->call_rate, .max = 1000000000},
    };
    return copy_rows(rows, table, KL_COUNT_OF(table));
}

usize kl_block_options(kl_option *rows, struct kl_node_options *into)
{
    const kl_option table[] = {
        {KL_OPTION_SECONDS, "--block-time", .other = "--blockTime", .letter = 'b',
         .value = "SECONDS", .help = "a block every so often, empty or not; 0.5 is fine",
         .into = &into->block_time_ns, .given = &into->has_block_time, .min = SECOND_NS / 1000,
         .max = 86400 * SECOND_NS},
        {KL_OPTION_TEXT, "--order", .value = "fees|fifo",
         .help = "which transactions come first (fees)", .into = &into->order},
        {KL_OPTION_TEXT, "--coinbase", .value = "ADDRESS", .help = "who gets the fees",
         .into = &into->coinbase},
    };
    return copy_rows(rows, table, KL_COUNT_OF(table));
}

usize kl_keep_options(kl_option *rows, struct kl_node_options *into)
{
    const kl_option table[] = {
        {KL_OPTION_NUMBER, "--keep-blocks", .value = "NUM",
         .help = "drop blocks older than so many; 0 keeps all (0)", .into = &into->keep_blocks,
         .max = UINT64_MAX},
        {KL_OPTION_NUMBER, "--keep-history", .value = "NUM",
         .help = "drop states older than so many blocks; 0 keeps all (0)",
         .into = &into->keep_history, .max = UINT64_MAX},
    };
    return copy_rows(rows, table, KL_COUNT_OF(table));
}

usize kl_output_options(kl_option *rows, struct kl_node_options *into)
{
    const kl_option table[] = {
        {KL_OPTION_GROUP, .help = "output"},
        {KL_OPTION_FLAG, "--silent", .other = "--quiet", .letter = 'q', .help = "print nothing",
         .into = &into->silent},
        {KL_OPTION_FLAG, "--json", .help = "print a JSON object a line", .into = &into->json},
    };
    return copy_rows(rows, table, KL_COUNT_OF(table));
}

static int complain(const char *command, const char *what, const char *text)
{
    fprintf(stderr, "keel %s: %s, not '%.60s'\nTry 'keel %s --help'.\n", command, what, text,
            command);
    return KL_EXIT_USAGE;
}

bool kl_checkpoint_option(kl_pin *out, const char *text, const char *command)
{
    if (!text || kl_pin_parse(out, kl_span_str(text)) == KL_RULE_NONE)
        return true;
    (void)complain(command,
                   "--checkpoint takes NUMBER:HASH, a block's number and 0x with 64 digits", text);
    return false;
}

int kl_node_options_apply(kl_node_config *config, const struct kl_node_options *o,
                          const char *command)
{
    if (strcmp(o->order, "fees") != 0 && strcmp(o->order, "fifo") != 0)
        return complain(command, "--order takes fees or fifo", o->order);
    if (o->coinbase && kl_hex_fixed(config->coinbase.b, sizeof config->coinbase.b,
                                    kl_span_str(o->coinbase)) != KL_RULE_NONE)
        return complain(command, "--coinbase takes an address, 0x and 40 digits", o->coinbase);
    config->client_version = kl_client_version;
    config->dir = o->dir;
    config->keep_blocks = o->keep_blocks;
    config->keep_history = o->keep_history;
    config->block_time_ns = o->block_time_ns;
    config->fifo = strcmp(o->order, "fifo") == 0;
    config->host = strcmp(o->host, "localhost") == 0 ? "127.0.0.1" : o->host;
    config->port = (u16)o->port;
    config->allow_origin = o->origin;
    config->call_rate = o->call_rate;
    config->log_fd = o->silent ? -1 : STDOUT_FILENO;
    config->log_json = o->json;
    return -1;
}

void kl_node_tell(const kl_node_report *r, const char *command)
{
    if (r->chain.ledger.cut_bytes)
        fprintf(stderr,
                "keel %s: the last write had been cut short: %llu bytes of %s were no whole record "
                "and lie in %s.torn\n",
                command, (unsigned long long)r->chain.ledger.cut_bytes, r->chain.ledger.file,
                r->chain.ledger.file);
    if (r->rebuilt)
        fprintf(stderr,
                "keel %s: the state database was deleted (%s) and made again from the ledger, "
                "%llu records\n",
                command, r->rebuilt, (unsigned long long)r->chain.replayed);
    if (r->chain.pin_kept)
        fprintf(stderr,
                "keel %s: the checkpoint was not compared: its block is older than block %llu, the "
                "oldest that is kept here.  It is what an earlier start compared it with, or "
                "nothing; give a block from %llu on as --checkpoint to be sure\n",
                command, (unsigned long long)r->chain.pin_kept,
                (unsigned long long)r->chain.pin_kept);
    if (r->watches)
        fprintf(stderr, "keel %s: this node does not vote: %s\n", command, r->why);
}

struct kl_json_out kl_greeting_begin(const struct kl_node_options *options, struct kl_node *node,
                                     struct kl_buf *text)
{
    struct kl_chain *chain = kl_node_chain(node);
    struct kl_tip *tip = kl_chain_published(chain);
    struct kl_json_out out = kl_json_out_to(text);
    kl_json_put_object(&out);
    kl_json_add_text(&out, "event", "listening");
    kl_json_add_text(&out, "host", options->host);
    kl_json_add_number(&out, "port", kl_node_port(node));
    kl_json_add_number(&out, "chainId", kl_chain_spec(chain)->chain_id);
    kl_json_add_hash(&out, "genesis", kl_chain_genesis_hash(chain));
    kl_json_add_number(&out, "number", tip->header.number);
    kl_tip_unref(tip);
    return out;
}

void kl_greeting_end(struct kl_json_out *out)
{
    kl_json_put_object_end(out);
    kl_buf_str(out->buf, "\n");
}

static void write_greeting(struct kl_greeting *greeting, struct kl_node *node)
{
    struct kl_buf text;
    kl_buf_init(&text, 1 << 20);
    greeting->write(greeting, node, &text);
    fwrite(text.p, 1, text.len, stdout);
    fflush(stdout);
    kl_buf_done(&text);
}

static int start_and_run(struct kl_node *node, const char *command, bool silent,
                         struct kl_greeting *greeting)
{
    kl_node_fault fault;
    if (kl_node_start(node, &fault) != KL_OK) {
        fprintf(stderr, "keel %s: %s\n", command, fault.text);
        return KL_EXIT_FAILED;
    }
    kl_node_stop_on_signals(node, KL_EXIT_FORCED);
    if (!silent && greeting)
        write_greeting(greeting, node);
    while (kl_node_run(node, &fault) != KL_OK)
        fprintf(stderr, "keel %s: %s\n", command, fault.text);
    return kl_node_health(node) == KL_OK ? KL_EXIT_OK : KL_EXIT_FAILED;
}

/* Says now and then how far catching up has come. */
struct catching_up {
    struct kl_progress progress;
    const char *command;
    u64 told_ns;
};

static void tell_progress(struct kl_progress *progress, u64 version, u64 last)
{
    struct catching_up *c = (struct catching_up *)progress;
    u64 now_ns = kl_mono_ns(kl_sys_clock());
    if (now_ns - c->told_ns < SECOND_NS)
        return;
    c->told_ns = now_ns;
    fprintf(stderr, "keel %s: executing the ledger: record %llu of %llu\n", c->command,
            (unsigned long long)version, (unsigned long long)last);
}

int kl_node_serve(const kl_node_config *config, const char *command, bool silent,
                  struct kl_greeting *greeting)
{
    struct kl_node *node;
    kl_node_report report;
    kl_node_fault fault;
    struct catching_up c = {{tell_progress}, command, kl_mono_ns(kl_sys_clock())};
    kl_node_config with_progress = *config;
    with_progress.progress = &c.progress;
    if (kl_node_open(&node, &with_progress, &report, &fault) != KL_OK) {
        fprintf(stderr, "keel %s: %s\n", command, fault.text);
        return KL_EXIT_FAILED;
    }
    kl_node_tell(&report, command);
    int code = start_and_run(node, command, silent, greeting);
    kl_node_close(node);
    return code;
}

/* dev: a chain for developing contracts on, from one command without configuration.
 *
 * The genesis is made from the options.  A chain that is there already must be the one the options
 * describe; only its timestamp is taken over. */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "cli/command.h"
#include "cli/node_options.h"
#include "codec/hex.h"
#include "crypto/address.h"
#include "node/dev_genesis.h"
#include "node/folder.h"

#define MNEMONIC    "test test test test test test test test test test test junk"
#define DEV_FOLDER  "./.keel"
#define NEWEST_NAME "bpo2" /* the newest fork whose every number is decided */

struct dev {
    struct kl_node_options node;
    const char *mnemonic, *hardfork;
    u64 chain_id, accounts, gas_limit, base_fee, timestamp;
    kl_u256 balance;
    bool no_mining, ephemeral, reset, durable, has_timestamp;

    kl_fork fork;
    struct kl_wallet *wallet;
    struct kl_buf genesis;
    struct kl_greeting greeting;
};

static const kl_example examples[] = {
    {"keel dev", "A chain on 127.0.0.1:8545 with ten accounts; it goes on where it stopped"},
    {"keel dev --ephemeral --port 0", "A chain that leaves nothing behind, on any free port"},
    {"keel dev --block-time 2", "A block every two seconds instead of one for each transaction"},
    {"keel dev --reset --hardfork cancun --accounts 3", "A new chain in the same folder"},
};

static usize chain_options(kl_option *rows, struct dev *d)
{
    const kl_option table[] = {
        {KL_OPTION_GROUP, .help = "chain"},
        {KL_OPTION_NUMBER, "--accounts", .letter = 'a', .value = "NUM",
         .help = "accounts with a balance (10)", .into = &d->accounts, .max = KL_WALLET_MAX},
        {KL_OPTION_ETHER, "--balance", .value = "ETHER", .help = "of each account (10000)",
         .into = &d->balance},
        {KL_OPTION_TEXT, "--mnemonic", .letter = 'm', .value = "WORDS",
         .help = "where the accounts come from [BIP-39]", .into = &d->mnemonic},
        {KL_OPTION_NUMBER, "--chain-id", .value = "NUM", .help = "chain id (31337)",
         .into = &d->chain_id, .min = 1, .max = UINT64_MAX / 2 - 36},
        {KL_OPTION_TEXT, "--hardfork", .value = "NAME",
         .help = "Ethereum's rules, frontier to " NEWEST_NAME " (" NEWEST_NAME ")",
         .into = &d->hardfork},
        {KL_OPTION_NUMBER, "--gas-limit", .value = "NUM", .help = "of a block (30000000)",
         .into = &d->gas_limit, .min = 5000, .max = INT64_MAX},
        {KL_OPTION_NUMBER, "--base-fee", .other = "--block-base-fee-per-gas", .value = "WEI",
         .help = "of the genesis block (1000000000)", .into = &d->base_fee, .max = UINT64_MAX},
        {KL_OPTION_NUMBER, "--timestamp", .value = "NUM",
         .help = "of the genesis block, in seconds since 1970 (the clock's)", .into = &d->timestamp,
         .given = &d->has_timestamp, .max = INT64_MAX},
        {KL_OPTION_GROUP, .help = "blocks"},
        {KL_OPTION_FLAG, "--no-mining", .other = "--no-mine",
         .help = "blocks only when asked for (evm_mine)", .into = &d->no_mining},
    };
    memcpy(rows, table, sizeof table);
    return KL_COUNT_OF(table);
}

static usize data_options(kl_option *rows, struct dev *d)
{
    const kl_option table[] = {
        {KL_OPTION_GROUP, .help = "data"},
        {KL_OPTION_TEXT, "--dir", .value = "FOLDER", .help = "where the chain is kept (./.keel)",
         .into = &d->node.dir},
        {KL_OPTION_FLAG, "--ephemeral", .help = "keep nothing", .into = &d->ephemeral},
        {KL_OPTION_FLAG, "--reset", .help = "forget the chain that is kept", .into = &d->reset},
        {KL_OPTION_FLAG, "--durable", .help = "sync each block to disk before it is acknowledged",
         .into = &d->durable},
    };
    memcpy(rows, table, sizeof table);
    return KL_COUNT_OF(table);
}

static int parse(struct dev *d, int argc, char **argv)
{
    kl_option rows[5 * KL_NODE_OPTIONS_MAX];
    usize n = kl_server_options(rows, &d->node);
    n += chain_options(rows + n, d);
    n += kl_block_options(rows + n, &d->node);
    n += data_options(rows + n, d);
    n += kl_keep_options(rows + n, &d->node);
    n += kl_output_options(rows + n, &d->node);
    const kl_usage usage = {
        .command = "dev",
        .arguments = "",
        .help = "Runs a chain for developing contracts on: unlocked accounts with ether, a block\n"
                "for each transaction, the methods of test chains (evm_, anvil_, hardhat_).",
        .options = rows,
        .option_count = n,
        .examples = examples,
        .example_count = KL_COUNT_OF(examples),
    };
    int count;
    return kl_options_parse(&usage, argc, argv, &count);
}

static int complain(const char *what)
{
    fprintf(stderr, "keel dev: %s\nTry 'keel dev --help'.\n", what);
    return KL_EXIT_USAGE;
}

/* The names as people type them. */
static int complain_fork(const char *typed, kl_fork newest)
{
    static const char *const rows[] = {
#define KL_FORK_X(name, fixture, config) #name,
#include "types/fork.def"
#undef KL_FORK_X
    };
    static char names[KL_FORK_COUNT][24];
    const char *list[KL_FORK_COUNT];
    for (usize fork = 0; fork <= newest; fork++) {
        usize len = 0;
        for (const char *c = rows[fork]; *c; c++)
            if (*c != '_')
                names[fork][len++] = *c >= 'A' && *c <= 'Z' ? (char)(*c - 'A' + 'a') : *c;
        names[fork][len] = '\0';
        list[fork] = names[fork];
    }
    const char *near = kl_suggest(typed, list, newest + 1);
    fprintf(stderr, "keel dev: --hardfork takes a name of a fork, not '%.60s'", typed);
    if (near)
        fprintf(stderr, "; did you mean %s?", near);
    fprintf(stderr, "\nThe forks are:");
    for (usize fork = 0; fork <= newest; fork++)
        fprintf(stderr, " %s", list[fork]);
    fprintf(stderr, "\n");
    return KL_EXIT_USAGE;
}

static int check(struct dev *d)
{
    if (d->ephemeral && (d->node.dir || d->reset || d->durable))
        return complain("--ephemeral keeps nothing: --dir, --reset and --durable make no sense "
                        "with it");
    if (d->no_mining && d->node.has_block_time)
        return complain("--no-mining and --block-time exclude each other");
    kl_fork newest;
    bool known = kl_fork_from_name(&d->fork, kl_span_str(d->hardfork));
    KL_ASSERT(kl_fork_from_name(&newest, kl_span_str(NEWEST_NAME)));
    return known && d->fork <= newest ? -1 : complain_fork(d->hardfork, newest);
}

/* The timestamp of the chain in the folder, so that the options describe the same chain again. */
static void take_over_timestamp(struct dev *d)
{
    struct kl_folder folder;
    struct kl_arena arena;
    kl_span text;
    if (d->has_timestamp || d->ephemeral || d->reset ||
        kl_folder_open(&folder, d->node.dir, false) != KL_OK)
        return;
    kl_arena_init(&arena, (usize)256 << 20);
    if (kl_folder_genesis(&folder, &arena, &text) == KL_OK)
        (void)!kl_dev_genesis_timestamp(&d->timestamp, text);
    kl_arena_done(&arena);
    kl_folder_close(&folder);
}

static kl_status make_genesis(struct dev *d)
{
    kl_address *list = calloc(d->accounts + 1, sizeof *list);
    if (!list)
        return KL_NOMEM;
    for (usize i = 0; i < d->accounts; i++)
        list[i] = *kl_wallet_address(d->wallet, i);
    const kl_dev_genesis genesis = {
        .chain_id = d->chain_id,
        .fork = d->fork,
        .timestamp = d->timestamp,
        .gas_limit = d->gas_limit,
        .base_fee = d->base_fee,
        .accounts = list,
        .account_count = d->accounts,
        .balance = d->balance,
    };
    kl_status status = kl_dev_genesis_write(&d->genesis, &genesis);
    free(list);
    return status;
}

static void put_title(struct kl_buf *out, const char *title)
{
    kl_buf_print(out, "\n%s\n==================\n\n", title);
}

/* "10000", "0.25" */
static void ether_text(char out[KL_U256_DECIMAL_MAX + 2], kl_u256 wei)
{
    char digits[KL_U256_DECIMAL_MAX], padded[KL_U256_DECIMAL_MAX + 20];
    usize len = kl_u256_decimal(digits, wei), zeros = len < 19 ? 19 - len : 0;
    memset(padded, '0', zeros);
    memcpy(padded + zeros, digits, len + 1);
    len += zeros;
    usize whole = len - 18, rest = 18;
    while (rest && padded[whole + rest - 1] == '0')
        rest--;
    snprintf(out, KL_U256_DECIMAL_MAX + 2, "%.*s%s%.*s", (int)whole, padded, rest ? "." : "",
             (int)rest, padded + whole);
}

static void put_accounts(struct kl_buf *out, const struct dev *d)
{
    char address[43], digits[64], balance[KL_U256_DECIMAL_MAX + 2];
    ether_text(balance, d->balance);
    put_title(out, "Available Accounts");
    for (usize i = 0; i < d->accounts; i++) {
        kl_address_text(address, kl_wallet_address(d->wallet, i));
        kl_buf_print(out, "(%zu) %s (%s ETH)\n", i, address, balance);
    }
    put_title(out, "Private Keys");
    for (usize i = 0; i < d->accounts; i++) {
        KL_SECRET key;
        kl_wallet_reveal(d->wallet, i, &key);
        kl_hex_digits(digits, KL_SPAN_OF(key));
        kl_buf_print(out, "(%zu) 0x%.64s\n", i, digits);
    }
    put_title(out, "Wallet");
    kl_buf_print(out, "Mnemonic:          %s\nDerivation path:   m/44'/60'/0'/0/\n", d->mnemonic);
}

/* In Anvil's order, so that what reads Anvil's banner reads this one. */
static void greet(struct kl_greeting *greeting, struct kl_node *node, struct kl_buf *out)
{
    const struct dev *d = (struct dev *)((char *)greeting - offsetof(struct dev, greeting));
    struct kl_tip *tip = kl_chain_published(kl_node_chain(node));
    kl_buf_print(out, "\nkeel %s\n", KL_VERSION);
    put_accounts(out, d);
    put_title(out, "Chain ID");
    kl_buf_print(out, "%llu\n", (unsigned long long)d->chain_id);
    put_title(out, "Base Fee");
    kl_buf_print(out, "%llu\n", (unsigned long long)d->base_fee);
    put_title(out, "Gas Limit");
    kl_buf_print(out, "%llu\n", (unsigned long long)d->gas_limit);
    put_title(out, "Genesis Timestamp");
    kl_buf_print(out, "%llu\n", (unsigned long long)d->timestamp);
    put_title(out, "Genesis Number");
    kl_buf_print(out, "0\n");
    if (tip->header.number)
        kl_buf_print(out, "\nGoing on from block %llu in %s\n",
                     (unsigned long long)tip->header.number, d->node.dir);
    kl_buf_print(out, "\nListening on %s:%u\n\n", d->node.host, kl_node_port(node));
    kl_tip_unref(tip);
}

static void greet_json(struct kl_greeting *greeting, struct kl_node *node, struct kl_buf *text)
{
    const struct dev *d = (struct dev *)((char *)greeting - offsetof(struct dev, greeting));
    struct kl_json_out out = kl_greeting_begin(&d->node, node, text);
    kl_json_add_text(&out, "mnemonic", d->mnemonic);
    kl_json_put_key(&out, "accounts");
    kl_json_put_array(&out);
    for (usize i = 0; i < d->accounts; i++)
        kl_json_put_address(&out, kl_wallet_address(d->wallet, i));
    kl_json_put_array_end(&out);
    kl_json_put_key(&out, "privateKeys");
    kl_json_put_array(&out);
    for (usize i = 0; i < d->accounts; i++) {
        KL_SECRET key;
        kl_wallet_reveal(d->wallet, i, &key);
        kl_json_put_data(&out, KL_SPAN_OF(key));
    }
    kl_json_put_array_end(&out);
    kl_greeting_end(&out);
}

static int run(struct dev *d)
{
    kl_node_config config = {
        .reset = d->reset,
        .durable = d->durable,
        .automine = !d->no_mining && !d->node.has_block_time,
    };
    bool bad;
    int code = kl_node_options_apply(&config, &d->node, "dev");
    if (code >= 0)
        return code;
    kl_status status = kl_wallet_from_mnemonic(&d->wallet, kl_span_str(d->mnemonic), KL_SPAN_NONE,
                                               (usize)d->accounts, &bad);
    if (status == KL_OK && bad)
        return complain("--mnemonic takes 12 to 24 words of the English BIP-39 list whose checksum "
                        "is right");
    take_over_timestamp(d);
    if (status == KL_OK)
        status = make_genesis(d);
    if (status != KL_OK) {
        fprintf(stderr, "keel dev: %s\n", kl_status_text(status));
        return KL_EXIT_FAILED;
    }
    config.genesis = kl_buf_view(&d->genesis);
    config.wallet = d->wallet;
    d->greeting.write = d->node.json ? greet_json : greet;
    return kl_node_serve(&config, "dev", d->node.silent, &d->greeting);
}

int kl_cmd_dev(int argc, char **argv)
{
    struct dev d = {
        .mnemonic = MNEMONIC,
        .hardfork = NEWEST_NAME,
        .chain_id = 31337,
        .accounts = 10,
        .gas_limit = 30000000,
        .base_fee = 1000000000,
        .timestamp = (u64)time(NULL),
    };
    kl_node_options_init(&d.node);
    d.node.origin = "*";
    KL_ASSERT(kl_u256_from_decimal(&d.balance, KL_SPAN_TEXT("10000000000000000000000")));
    kl_buf_init(&d.genesis, 1 << 20);
    int code = parse(&d, argc, argv);
    if (code < 0)
        code = check(&d);
    if (code < 0) {
        if (!d.node.dir && !d.ephemeral)
            d.node.dir = DEV_FOLDER;
        code = run(&d);
    }
    kl_buf_done(&d.genesis);
    kl_wallet_free(d.wallet);
    return code;
}

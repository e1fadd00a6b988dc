/* validator: who validates, and changing that: transactions to the validator contract
 * (docs/internals/policy.md), signed with the key in a node's data folder, through any node's RPC.
 *
 * Somebody is added in four steps: it makes a key; more than half of the validators say `add`; it
 * is sent some ether; it says `ready`.  The first who says `add` or `remove` proposes it, whoever
 * says the same agrees.
 *
 * `key` and `resume` are about a folder, and ask no node. */
#include <stdio.h>
#include <stdlib.h>

#include "chain/authority.h"
#include "cli/command.h"
#include "cli/family.h"
#include "cli/node_options.h"
#include "cli/option.h"
#include "cli/validator_list.h"
#include "codec/abi.h"
#include "codec/hex.h"
#include "crypto/address.h"
#include "node/enrol.h"
#include "node/validator_key.h"
#include "sys/env.h"
#include "sys/fs.h"

#define NS_PER_S  UINT64_C(1000000000)
#define READY_MAX ((usize)2048)
enum { PROPOSALS_SHOWN = 100, PATH = 4096 };

struct desk {
    const char *rpc, *dir;
    u64 weight;
    kl_u256 ether;
    kl_validator_key key;
    kl_address self; /* the key's operator */
    struct kl_validator_chain chain;
    struct kl_validator_list list;
};

static bool read_address(kl_address *out, const char *text)
{
    if (kl_hex_fixed(out->b, sizeof out->b, kl_span_str(text)) == KL_RULE_NONE)
        return true;
    fprintf(stderr, "keel validator: '%s' is no account: 0x and 40 digits\n", text);
    return false;
}

static bool load_key(struct desk *d)
{
    char path[PATH];
    struct kl_fs *fs;
    if (!d->dir) {
        fprintf(stderr, "keel validator: --dir FOLDER is missing: the data folder with the key\n");
        return false;
    }
    snprintf(path, sizeof path, "%s/" KL_VALIDATOR_FOLDER, d->dir);
    kl_status status = kl_sys_fs_open(&fs, path);
    if (status == KL_OK) {
        status = kl_validator_key_load(fs, &d->key);
        kl_sys_fs_close(fs);
    }
    if (status == KL_OK)
        d->self = kl_validator_account(&d->key.operator_secret);
    else
        fprintf(stderr, "keel validator: %s/key.json: %s\n", path,
                status == KL_DENIED ? "others may read it: its mode must be 0600"
                                    : kl_status_text(status));
    return status == KL_OK;
}

/* The chain, and with it the list; with the key where signing is asked for. */
static bool come(struct desk *d, bool signs)
{
    return (!signs || load_key(d)) && kl_validator_chain_open(&d->chain, d->rpc) &&
           kl_validator_list_ask(&d->list, &d->chain);
}

static u64 now_s(void)
{
    return kl_wall_ns(kl_sys_clock()) / NS_PER_S;
}

static u64 needed(const struct desk *d)
{
    return d->list.count / 2 + 1;
}

/* --- what there is --- */

static void print_validators(const struct desk *d)
{
    char text[43];
    printf("%-42s  %6s  %s\n", "validator", "weight", "last said that it is ready");
    for (usize i = 0; i < d->list.count; i++) {
        kl_address_text(text, &d->list.rows[i].operator);
        printf("%s  %6llu  epoch %llu\n", text, (unsigned long long)d->list.rows[i].weight,
               (unsigned long long)d->list.rows[i].seen);
    }
}

static bool print_proposal(struct desk *d, const kl_proposal_row *p)
{
    static const char *const kinds[] = {"add", "remove", "weigh"};
    char text[43];
    u64 until = 0;
    if (p->passed && p->kind == KL_PROPOSAL_ADD && !kl_candidate_ask(&until, &d->chain, &p->target))
        return false;
    kl_address_text(text, &p->target);
    if (!p->passed && p->until >= now_s() && p->kind < KL_COUNT_OF(kinds))
        printf("proposal %llu: %s %s: %llu of %llu that are needed agree\n",
               (unsigned long long)p->id, kinds[p->kind], text, (unsigned long long)p->votes,
               (unsigned long long)needed(d));
    if (until >= now_s())
        printf("accepted: %s, which takes its seat by 'keel validator ready'\n", text);
    return true;
}

static int list(struct desk *d, KL_UNUSED char **words)
{
    u64 count;
    if (!come(d, false))
        return KL_EXIT_FAILED;
    print_validators(d);
    if (!kl_proposal_count(&d->chain, &count))
        return KL_EXIT_FAILED;
    for (u64 id = count > PROPOSALS_SHOWN ? count - PROPOSALS_SHOWN : 0; id < count; id++) {
        kl_proposal_row p;
        if (!kl_proposal_ask(&p, &d->chain, id) || !print_proposal(d, &p))
            return KL_EXIT_FAILED;
    }
    return KL_EXIT_OK;
}

/* --- changes --- */

/* An open proposal of just this; *id is UINT64_MAX where there is none. */
static bool find(struct desk *d, kl_proposal_kind kind, const kl_address *target, u64 weight,
                 u64 *id)
{
    u64 count;
    *id = UINT64_MAX;
    if (!kl_proposal_count(&d->chain, &count))
        return false;
    for (u64 at = count; at-- > 0 && count - at <= PROPOSALS_SHOWN;) {
        kl_proposal_row p;
        if (!kl_proposal_ask(&p, &d->chain, at))
            return false;
        if (p.kind == (u64)kind && kl_address_eq(&p.target, target) && p.weight == weight &&
            !p.passed && p.until >= now_s()) {
            *id = at;
            return true;
        }
    }
    return true;
}

static bool tell(struct desk *d, u64 id, bool proposed)
{
    kl_proposal_row p;
    if (id == UINT64_MAX) {
        u64 count;
        if (!kl_proposal_count(&d->chain, &count) || !count)
            return false;
        id = count - 1;
    }
    if (!kl_proposal_ask(&p, &d->chain, id))
        return false;
    printf("%s: proposal %llu", proposed ? "Proposed" : "Agreed", (unsigned long long)id);
    if (p.passed && p.kind == KL_PROPOSAL_ADD)
        printf(" has passed; the seat is taken by 'keel validator ready'\n");
    else if (p.passed)
        printf(" has passed; it holds from the next epoch on\n");
    else
        printf(", %llu of %llu that are needed agree\n", (unsigned long long)p.votes,
               (unsigned long long)needed(d));
    return true;
}

static int change(struct desk *d, kl_proposal_kind kind, const char *word, u64 weight)
{
    kl_calldata data;
    kl_address target;
    u64 id;
    if (!read_address(&target, word) || !come(d, true) || !find(d, kind, &target, weight, &id))
        return KL_EXIT_FAILED;
    bool proposes = id == UINT64_MAX;
    kl_calldata_begin(&data, proposes ? "propose(uint8,address,uint64)" : "vote(uint256,bool)");
    if (proposes) {
        kl_abi_put_u64(&data.out, (u64)kind);
        kl_abi_put_address(&data.out, &target);
        kl_abi_put_u64(&data.out, weight);
    } else {
        kl_abi_put_u64(&data.out, id);
        kl_abi_put_u64(&data.out, 1);
    }
    bool good = kl_validator_send(&d->chain, &d->key.operator_secret, NULL, KL_U256_ZERO,
                                  kl_calldata_span(&data)) &&
                tell(d, id, proposes);
    return good ? KL_EXIT_OK : KL_EXIT_FAILED;
}

static int add(struct desk *d, char **words)
{
    return change(d, KL_PROPOSAL_ADD, words[0], d->weight);
}

static int remove_(struct desk *d, char **words)
{
    return change(d, KL_PROPOSAL_REMOVE, words[0], 0);
}

static int weigh(struct desk *d, char **words)
{
    return change(d, KL_PROPOSAL_WEIGH, words[0], d->weight);
}

static int fund(struct desk *d, char **words)
{
    kl_address target;
    if (!read_address(&target, words[0]) || !come(d, true) ||
        !kl_validator_send(&d->chain, &d->key.operator_secret, &target, d->ether, KL_SPAN_NONE))
        return KL_EXIT_FAILED;
    printf("Sent to %s\n", words[0]);
    return KL_EXIT_OK;
}

static int ready(struct desk *d, KL_UNUSED char **words)
{
    u8 bytes[READY_MAX];
    kl_out data = kl_out_of(bytes, sizeof bytes);
    kl_validator_proofs room;
    kl_policy_entry entry;
    if (!come(d, true))
        return KL_EXIT_FAILED;
    bool had_seat = kl_validator_list_has(&d->list, &d->self);
    kl_validator_key_entry(&entry, &room, &d->key, 1);
    kl_authority_put_ready(&data, &entry, d->key.scheme);
    KL_ASSERT(!data.full);
    if (!kl_validator_send(&d->chain, &d->key.operator_secret, NULL, KL_U256_ZERO,
                           kl_span_of(bytes, data.len)))
        return KL_EXIT_FAILED;
    printf("%s\n", had_seat ? "It is known that this validator is there, with these keys"
                            : "The seat is taken: it validates from the next epoch on");
    return KL_EXIT_OK;
}

/* --- a key --- */

static int key(struct desk *d, KL_UNUSED char **words)
{
    char text[43];
    bool made;
    kl_node_fault fault;
    const kl_node_config config = {
        .client_version = kl_client_version, .dir = d->dir, .durable = true, .log_fd = -1};
    if (!d->dir) {
        fprintf(stderr, "keel validator: --dir FOLDER is missing: a data folder with a chain\n");
        return KL_EXIT_USAGE;
    }
    if (kl_node_enrol(&config, &d->self, &made, &fault) != KL_OK) {
        fprintf(stderr, "keel validator: %s\n", fault.text);
        return KL_EXIT_FAILED;
    }
    kl_address_text(text, &d->self);
    fprintf(stderr, "%s %s/" KL_VALIDATOR_FOLDER "; its account is\n",
            made ? "Made a key in" : "There is a key in", d->dir);
    printf("%s\n", text);
    return KL_EXIT_OK;
}

static int resume(struct desk *d, KL_UNUSED char **words)
{
    kl_node_fault fault;
    if (!d->dir) {
        fprintf(stderr, "keel validator: --dir FOLDER is missing: the data folder with the key\n");
        return KL_EXIT_USAGE;
    }
    if (kl_node_resume(d->dir, &fault) != KL_OK) {
        fprintf(stderr, "keel validator: %s\n", fault.text);
        return KL_EXIT_FAILED;
    }
    printf("From its next start on the node watches, and votes again when nothing that its key\n"
           "may have signed elsewhere can matter any more\n");
    return KL_EXIT_OK;
}

/* --- the commands --- */

struct row {
    const char *name, *arguments, *help;
    int words;
    bool has_weight, has_ether;
    int (*run)(struct desk *d, char **words);
};

static int run(const struct row *row, int argc, char **argv)
{
    struct desk *d = calloc(1, sizeof *d);
    kl_option options[4];
    usize option_count = 0;
    char command[32];
    if (!d)
        return KL_EXIT_FAILED;
    d->rpc = "http://127.0.0.1:8545";
    d->weight = 1;
    d->ether = (kl_u256){{UINT64_C(1000000000000000000), 0, 0, 0}};
    options[option_count++] = (kl_option){KL_OPTION_TEXT,
                                          "--dir",
                                          .other = "--datadir",
                                          .value = "FOLDER",
                                          .help = "the data folder with the validator's key",
                                          .into = &d->dir};
    options[option_count++] =
        (kl_option){KL_OPTION_TEXT, "--rpc", .value = "URL",
                    .help = "a node of the chain (http://127.0.0.1:8545)", .into = &d->rpc};
    if (row->has_weight)
        options[option_count++] =
            (kl_option){KL_OPTION_NUMBER,           "--weight", .value = "N",
                        .help = "of its votes (1)", .min = 1,   .max = UINT64_C(1) << 32,
                        .into = &d->weight};
    if (row->has_ether)
        options[option_count++] = (kl_option){KL_OPTION_ETHER, "--ether", .value = "N",
                                              .help = "how much (1)", .into = &d->ether};
    snprintf(command, sizeof command, "validator %s", row->name);
    const kl_usage usage = {
        .command = command,
        .arguments = row->arguments,
        .help = row->help,
        .options = options,
        .option_count = option_count,
        .arguments_min = row->words,
        .arguments_max = row->words,
    };
    int count, code = kl_options_parse(&usage, argc, argv, &count);
    if (code < 0)
        code = row->run(d, argv + 1);
    kl_validator_chain_close(&d->chain);
    kl_validator_key_wipe(&d->key);
    free(d);
    return code;
}

#define COMMANDS(X)                                                                               \
    X(list, "", 0, list, false, false, "Who validates, and what is proposed",                     \
      "Shows the validators, and what is proposed.")                                              \
    X(key, "", 0, key, false, false, "Make a key for a node that is to validate",                 \
      "Makes a key for a node that has a chain and does not run yet; prints its account.\n"       \
      "Where there is a key, it stays.")                                                          \
    X(add, "ACCOUNT", 1, add, true, false, "Propose to add somebody, or agree to it",             \
      "As a validator, proposes to add an account, or agrees where that is proposed: once\n"      \
      "more than half have, it is accepted, and takes its seat by 'keel validator ready'.")       \
    X(remove, "ACCOUNT", 1, remove_, false, false, "Propose to remove somebody, or agree to it",  \
      "As a validator, proposes to remove a validator, or agrees where that is proposed:\n"       \
      "once more than half have, it is none from the next epoch on.")                             \
    X(weigh, "ACCOUNT", 1, weigh, true, false,                                                    \
      "Propose another weight for somebody, or agree to it",                                      \
      "As a validator, proposes another weight for a validator, or agrees to it.")                \
    X(fund, "ACCOUNT", 1, fund, false, true, "Send ether to a candidate",                         \
      "Sends ether, which a candidate needs for the gas of 'keel validator ready'.")              \
    X(ready, "", 0, ready, false, false, "Take the seat, as an accepted candidate",               \
      "As an accepted candidate, takes the seat: it is there, and these are its keys.  As a\n"    \
      "validator, changes its keys to those in the folder.")                                      \
    X(resume, "", 0, resume, false, false, "Vote again with a key that was used elsewhere",       \
      "Says that no other machine has the key any more: after a node has stopped voting since\n"  \
      "somebody else signed with its key, and where a key's folder came back from an old copy.\n" \
      "The node, which must not run, watches first when it is started, then votes again.")

#define COMMAND(name, arguments, words, function, weight, ether, line, help)                    \
    static int cmd_##name(int argc, char **argv)                                                \
    {                                                                                           \
        static const struct row row = {#name, arguments, help, words, weight, ether, function}; \
        return run(&row, argc, argv);                                                           \
    }
COMMANDS(COMMAND)

#define MEMBER(name, arguments, words, function, weight, ether, line, help) \
    {#name, cmd_##name, line},

int kl_cmd_validator(int argc, char **argv)
{
    static const kl_family_member members[] = {COMMANDS(MEMBER)};
    static const kl_family family = {
        .command = "validator",
        .noun = "command",
        .help = "Sees and changes who validates a chain: transactions to its validator contract,\n"
                "signed with the key in a data folder.  More than half of the validators decide.",
        .members = members,
        .count = KL_COUNT_OF(members),
    };
    return kl_family_run(&family, argc, argv);
}

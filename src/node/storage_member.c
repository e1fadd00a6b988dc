/* A chain whose validators vote: the replica over the data folder, with the key that lies in the
 * folder's own, if there is one. */
#include <stdio.h>
#include <stdlib.h>

#include "node/node_priv.h"
#include "node/validator_key.h"
#include "store/memkv.h"
#include "sys/fs.h"

#define GENESIS_MEMORY ((usize)1 << 30)

enum { SENDERS = 1 << 16 }; /* more than the pool holds */

/* Opens the folder of the key, when there is one with a key that can be used. */
static kl_status open_key(struct kl_node *node, kl_validator_key *key, bool *has)
{
    char path[4096];
    *has = false;
    if (!node->config.dir)
        return KL_OK;
    if (snprintf(path, sizeof path, "%s/" KL_VALIDATOR_FOLDER, node->config.dir) >=
        (int)sizeof path)
        return KL_UNSUPPORTED;
    kl_status status = kl_sys_fs_open(&node->key_fs, path);
    if (status == KL_OK)
        status = kl_validator_key_load(node->key_fs, key);
    *has = status == KL_OK;
    if (*has && node->config.sync_delay_ns && !node->slow_key_fs)
        status = kl_slow_fs_open(&node->slow_key_fs, node->key_fs, node->config.sync_delay_ns);
    return status == KL_NOTFOUND ? KL_OK : status;
}

/* Of a file with a secret. */
static const char *why_unread(kl_status status)
{
    return status == KL_DENIED ? "others may read it: its mode must be 0600"
                               : kl_status_text(status);
}

/* What the folder says of others; *use: there are some. */
static kl_status open_roster(struct kl_node *node, kl_roster *roster, kl_secret32 *identity,
                             bool *use, kl_node_fault *fault)
{
    kl_rule broken;
    *use = false;
    if (!node->config.dir)
        return KL_OK;
    kl_status status = kl_roster_load(node->folder.fs, roster, &broken);
    if (status == KL_NOTFOUND)
        return KL_OK;
    if (status == KL_OK && broken != KL_RULE_NONE)
        return kl_node_blame(fault, KL_UNSUPPORTED, "%s/network.json: %s", node->config.dir,
                             kl_rule_text(broken));
    if (status != KL_OK)
        return kl_node_blame(fault, status, "%s/network.json: %s", node->config.dir,
                             kl_status_text(status));
    status = kl_node_key_load(node->folder.fs, identity);
    if (status != KL_OK)
        return kl_node_blame(fault, status, "%s/node.key: %s", node->config.dir,
                             why_unread(status));
    *use = true;
    return KL_OK;
}

static const char *why_it_watches(bool has_key, kl_rule guard)
{
    if (!has_key)
        return "there is no key in its folder \"" KL_VALIDATOR_FOLDER "\"";
    return guard == KL_RULE_NONE ? NULL : kl_rule_text(guard);
}

/* Is the chain to be filled by others?  Whoever reaches nobody executes what is there. */
static kl_status must_fill(struct kl_node *node, const kl_replica_config *config, bool *out)
{
    *out = node->config.dir && node->fill_wanted;
    if (!node->config.dir || *out)
        return KL_OK;
    return kl_filler_is_due(&config->chain, out);
}

/* While the chain is filled, readers see another one in memory that stands at the genesis. */
static kl_status put_in_shade(struct kl_node *node, kl_replica_config *config,
                              struct kl_arena *arena)
{
    KL_TRY(kl_folder_genesis(&node->folder, arena, &config->chain.genesis));
    KL_TRY(kl_sys_scratch_open(&node->shade));
    KL_TRY(kl_memkv_open(&node->shade_kv, KL_TABLE_COUNT));
    config->chain.fs = config->log_fs = node->shade;
    config->chain.kv = node->shade_kv;
    config->key_fs = NULL;
    config->has_operator = false;
    return KL_OK;
}

static kl_status open_with_network(struct kl_node *node, const kl_replica_config *config,
                                   const kl_member_network *network, kl_replica_report *found,
                                   bool *listens)
{
    struct kl_arena arena;
    kl_replica_config in_front = *config;
    bool fills = false;
    kl_status status = KL_OK;
    kl_arena_init(&arena, GENESIS_MEMORY);
    if (network && !node->fill_given_up)
        status = must_fill(node, config, &fills);
    if (status == KL_OK && fills)
        status = put_in_shade(node, &in_front, &arena);
    node->fill_wanted = false;
    node->fills = fills;
    if (status == KL_OK)
        status = kl_member_open(&node->member, &in_front, network, fills ? &config->chain : NULL,
                                &node->member_listener, node->config.progress, found, listens);
    kl_wipe(&in_front, sizeof in_front);
    kl_arena_done(&arena);
    return status;
}

static kl_status open_member(struct kl_node *node, kl_replica_config *config,
                             kl_replica_report *found, kl_node_fault *fault)
{
    kl_roster *roster = calloc(1, sizeof *roster);
    kl_secret32 identity = {{0}};
    bool use = false, listens = true;
    kl_status status = roster ? open_roster(node, roster, &identity, &use, fault) : KL_NOMEM;
    const kl_member_network network = {.roster = roster,
                                       .identity = &identity,
                                       .fs = node->folder.fs,
                                       .memory_max = node->config.memory_max};
    node->checkpoint = node->config.checkpoint;
    if (use && !node->checkpoint.number)
        node->checkpoint = roster->checkpoint;
    config->chain.pin = node->checkpoint;
    if (status == KL_OK)
        status = open_with_network(node, config, use ? &network : NULL, found, &listens);
    char listen[KL_MULTIADDR_TEXT_MAX];
    if (!listens) {
        kl_multiaddr_text(listen, &roster->listen);
        (void)kl_node_blame(fault, status, "cannot listen for peers on %s: %s", listen,
                            kl_status_text(status));
    }
    if (status != KL_OK && found->beside)
        (void)kl_node_blame(fault, status, "%s/%s: %s",
                            node->config.dir ? node->config.dir : "memory", found->beside,
                            kl_status_text(status));
    node->reaches_others = use;
    kl_secret32_wipe(&identity);
    free(roster);
    return status;
}

kl_status kl_node_open_member(struct kl_node *node, const kl_host_config *host,
                              kl_node_report *report, kl_node_fault *fault)
{
    kl_validator_key key = {0};
    kl_policy_entry entry = {0};
    kl_validator_proofs room;
    kl_replica_report found = {0};
    bool has_key;
    if (!node->senders)
        KL_TRY(kl_senders_new(&node->senders, SENDERS));
    kl_status status = open_key(node, &key, &has_key);
    if (status != KL_OK)
        return kl_node_blame(fault, status, "%s/" KL_VALIDATOR_FOLDER "/key.json: %s",
                             node->config.dir, why_unread(status));
    if (has_key)
        kl_validator_key_entry(&entry, &room, &key, 1);
    static const kl_address nobody;
    bool has_coinbase = !kl_address_eq(&host->coinbase, &nobody);
    kl_replica_config config = {
        .chain = host->chain,
        .pool = host->pool,
        .log_fs = host->chain.fs,
        .key_fs = !has_key            ? NULL
                  : node->slow_key_fs ? node->slow_key_fs
                                      : node->key_fs,
        .vote_secret = key.vote_secret,
        .randao_secret = key.randao_secret,
        .has_operator = has_key,
        .operator_secret = key.operator_secret,
        .coinbase = has_coinbase ? host->coinbase : entry.validator.operator,
        .gas_limit = host->gas_limit,
        .clock = host->clock,
        .workers = host->workers,
        .codes = host->codes,
        .seed = host->seed,
    };
    config.chain.senders = node->senders;
    kl_validator_key_wipe(&key);
    status = open_member(node, &config, &found, fault);
    kl_wipe(&config, sizeof config);
    report->chain = found.chain;
    if (status == KL_OK) {
        report->why = node->fills ? "it takes the state of the others first"
                                  : why_it_watches(has_key, found.guard);
        report->watches = report->why;
    }
    return status;
}

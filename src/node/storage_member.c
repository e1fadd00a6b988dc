/* A chain whose validators vote: the replica over the data folder, with the key that lies in the
 * folder's own, if there is one. */
#include <stdio.h>
#include <stdlib.h>

#include "node/node_priv.h"
#include "node/validator_key.h"
#include "sys/fs.h"

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
                             status == KL_DENIED ? "others may read it: its mode must be 0600"
                                                 : kl_status_text(status));
    *use = true;
    return KL_OK;
}

static const char *why_it_watches(bool has_key, kl_rule guard)
{
    if (!has_key)
        return "there is no key in its folder \"" KL_VALIDATOR_FOLDER "\"";
    return guard == KL_RULE_NONE ? NULL : kl_rule_text(guard);
}

static kl_status open_member(struct kl_node *node, const kl_replica_config *config,
                             kl_replica_report *found, kl_node_fault *fault)
{
    kl_roster *roster = calloc(1, sizeof *roster);
    kl_secret32 identity = {{0}};
    bool use = false, listens = true;
    kl_status status = roster ? open_roster(node, roster, &identity, &use, fault) : KL_NOMEM;
    const kl_member_network network = {.roster = roster, .identity = &identity};
    if (status == KL_OK)
        status = kl_member_open(&node->member, config, use ? &network : NULL,
                                &node->member_listener, node->config.progress, found, &listens);
    char listen[KL_MULTIADDR_TEXT_MAX];
    if (!listens) {
        kl_multiaddr_text(listen, &roster->listen);
        (void)kl_node_blame(fault, status, "cannot listen for peers on %s: %s", listen,
                            kl_status_text(status));
    }
    node->reaches_others = use;
    kl_secret32_wipe(&identity);
    free(roster);
    return status;
}

static kl_chain_config with_senders(kl_chain_config config, struct kl_senders *senders)
{
    config.senders = senders;
    return config;
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
    KL_TRY(open_key(node, &key, &has_key));
    if (has_key)
        kl_validator_key_entry(&entry, &room, &key, 1);
    static const kl_address nobody;
    bool has_coinbase = !kl_address_eq(&host->coinbase, &nobody);
    kl_replica_config config = {
        .chain = with_senders(host->chain, node->senders),
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
    kl_validator_key_wipe(&key);
    kl_status status = open_member(node, &config, &found, fault);
    kl_wipe(&config, sizeof config);
    report->chain = found.chain;
    if (status == KL_OK) {
        report->why = why_it_watches(has_key, found.guard);
        report->watches = report->why;
    }
    return status;
}

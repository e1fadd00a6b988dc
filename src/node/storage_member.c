/* A chain whose validators vote: the replica over the data folder, with the key that lies in the
 * folder's own, if there is one. */
#include <stdio.h>

#include "node/node_priv.h"
#include "node/validator_key.h"
#include "sys/fs.h"

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
    return status == KL_NOTFOUND ? KL_OK : status;
}

static const char *why_it_watches(bool has_key, kl_rule guard)
{
    if (!has_key)
        return "there is no key in its folder \"" KL_VALIDATOR_FOLDER "\"";
    return guard == KL_RULE_NONE ? NULL : kl_rule_text(guard);
}

kl_status kl_node_open_member(struct kl_node *node, const kl_host_config *host,
                              kl_node_report *report)
{
    kl_validator_key key = {0};
    kl_policy_entry entry = {0};
    kl_validator_proofs room;
    kl_replica_report found;
    bool has_key;
    KL_TRY(open_key(node, &key, &has_key));
    if (has_key)
        kl_validator_key_entry(&entry, &room, &key, 1);
    static const kl_address nobody;
    bool has_coinbase = !kl_address_eq(&host->coinbase, &nobody);
    kl_replica_config config = {
        .chain = host->chain,
        .pool = host->pool,
        .log_fs = host->chain.fs,
        .key_fs = has_key ? node->key_fs : NULL,
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
    kl_status status = kl_member_open(&node->member, &config, &node->member_listener,
                                      node->config.progress, &found);
    kl_wipe(&config, sizeof config);
    report->chain = found.chain;
    if (status == KL_OK) {
        report->why = why_it_watches(has_key, found.guard);
        report->watches = report->why;
    }
    return status;
}

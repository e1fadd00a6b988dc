/* The chain first, since its genesis may be at fault; who the node is comes last, so that a folder
 * which was cut short is made on the next try. */
#include "node/join.h"

#include <stdlib.h>

#include "node/node_priv.h"
#include "sys/env.h"
#include "sys/fs.h"

static kl_status blame(const kl_join_config *c, kl_status status, kl_node_fault *fault)
{
    return kl_node_blame(fault, status, "%s: %s", c->dir, kl_status_text(status));
}

static kl_status make_chain(const kl_join_config *c, kl_hash *genesis, kl_node_fault *fault)
{
    struct kl_node *node;
    kl_node_report report;
    const kl_node_config config = {
        .client_version = c->client_version,
        .dir = c->dir,
        .genesis = c->genesis,
        .genesis_file = c->genesis_file,
        .durable = true,
        .log_fd = -1,
    };
    KL_TRY(kl_node_open(&node, &config, &report, fault));
    bool votes = kl_chain_spec(kl_node_chain(node))->engine == KL_ENGINE_SIMPLEX;
    *genesis = *kl_chain_genesis_hash(kl_node_chain(node));
    kl_node_close(node);
    if (votes)
        return KL_OK;
    return kl_node_blame(fault, KL_UNSUPPORTED,
                         "%s: no validators vote on this chain, so there is nobody to join",
                         c->genesis_file);
}

/* Whether the folder says already where its node listens, or whom it knows. */
static kl_status is_there(const kl_join_config *c, bool *out)
{
    struct kl_fs *fs;
    kl_rule broken;
    *out = false;
    kl_status status = kl_sys_fs_open(&fs, c->dir);
    if (status != KL_OK)
        return status == KL_NOTFOUND ? KL_OK : status;
    kl_roster *roster = malloc(sizeof *roster);
    status = roster ? kl_roster_load(fs, roster, &broken) : KL_NOMEM;
    free(roster);
    kl_sys_fs_close(fs);
    *out = status == KL_OK;
    return status == KL_NOTFOUND ? KL_OK : status;
}

static kl_status save(const kl_join_config *c, struct kl_fs *fs, kl_peer_id *id)
{
    kl_secret32 key = {{0}};
    kl_status status = kl_node_key_load(fs, &key);
    if (status == KL_NOTFOUND) {
        kl_entropy_fill(kl_sys_entropy(), key.b, sizeof key.b);
        status = kl_node_key_save(fs, &key);
    }
    *id = kl_peer_id_of(&key);
    kl_secret32_wipe(&key);
    kl_roster *roster = calloc(1, sizeof *roster);
    if (!roster)
        return KL_NOMEM;
    roster->listen = *c->listen;
    roster->peers[roster->peer_count++] = *c->peer;
    roster->open = roster->says_where = true;
    roster->checkpoint = c->checkpoint;
    if (status == KL_OK)
        status = kl_roster_save(fs, roster);
    free(roster);
    return status;
}

kl_status kl_join(const kl_join_config *config, kl_peer_id *id, kl_hash *genesis,
                  kl_node_fault *fault)
{
    struct kl_fs *fs;
    bool there;
    kl_status status = is_there(config, &there);
    if (status != KL_OK)
        return blame(config, status, fault);
    if (there)
        return kl_node_blame(fault, KL_BUSY,
                             "%s is the folder of a node already, with a network.json; edit that, "
                             "or choose another folder",
                             config->dir);
    KL_TRY(make_chain(config, genesis, fault));
    status = kl_sys_fs_open(&fs, config->dir);
    if (status == KL_OK) {
        status = save(config, fs, id);
        kl_sys_fs_close(fs);
    }
    return status == KL_OK ? KL_OK : blame(config, status, fault);
}

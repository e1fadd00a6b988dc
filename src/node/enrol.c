#include "node/enrol.h"

#include <errno.h>
#include <stdio.h>
#include <sys/stat.h>

#include "crypto/address.h"
#include "guard/guard.h"
#include "node/node_priv.h"
#include "node/validator_key.h"
#include "sys/fs.h"

enum { PATH = 4096 };

static kl_status key_folder(char out[PATH], const char *dir, kl_node_fault *fault)
{
    if (snprintf(out, PATH, "%s/" KL_VALIDATOR_FOLDER, dir) >= PATH)
        return kl_node_blame(fault, KL_UNSUPPORTED, "%s: the path is too long", dir);
    return KL_OK;
}

/* The key first: a guard without its key is nobody's, a key without its guard signs nothing. */
static kl_status save(struct kl_fs *fs, const kl_validator_key *key, const kl_vote_domain *domain)
{
    struct kl_guard *guard;
    kl_guard_owner owner = {.domain = *domain, .scheme = key->scheme};
    KL_ASSERT(key->scheme->public_key(owner.key, &key->vote_secret));
    KL_TRY(kl_validator_key_save(fs, key));
    KL_TRY(kl_guard_create(&guard, fs, &owner, (kl_guard_view){0, 0}, KL_GUARD_ROOM));
    kl_guard_close(guard);
    return KL_OK;
}

/* Makes the folder and what is in it. */
static kl_status make(const char *path, kl_validator_key *key, const kl_vote_domain *domain,
                      kl_node_fault *fault)
{
    struct kl_fs *fs;
    kl_status status = KL_OK;
    if (mkdir(path, 0700) != 0 && errno != EEXIST)
        status = kl_sys_status(errno);
    if (status == KL_OK)
        status = kl_sys_fs_open(&fs, path);
    if (status == KL_OK) {
        status = save(fs, key, domain);
        kl_sys_fs_close(fs);
    }
    return status == KL_OK ? KL_OK
                           : kl_node_blame(fault, status, "%s: %s", path, kl_status_text(status));
}

/* A new key of the chain's scheme. */
static kl_status enrol(const kl_node_config *config, const char *path, kl_validator_key *key,
                       kl_node_fault *fault)
{
    struct kl_node *node;
    kl_node_report report;
    KL_TRY(kl_node_open(&node, config, &report, fault));
    const kl_spec *spec = kl_chain_spec(kl_node_chain(node));
    const kl_vote_scheme *scheme =
        spec->engine == KL_ENGINE_SIMPLEX ? kl_vote_scheme_of(spec->bft.scheme, false) : NULL;
    kl_vote_domain domain = {0};
    if (scheme)
        domain = kl_chain_vote_domain(kl_node_chain(node));
    kl_node_close(node);
    if (!scheme)
        return kl_node_blame(fault, KL_UNSUPPORTED, "%s: nobody votes on this chain", config->dir);
    kl_validator_key_new(key, scheme);
    return make(path, key, &domain, fault);
}

/* The key that is there; KL_NOTFOUND. */
static kl_status load(const char *path, kl_validator_key *key)
{
    struct kl_fs *fs;
    KL_TRY(kl_sys_fs_open(&fs, path));
    kl_status status = kl_validator_key_load(fs, key);
    kl_sys_fs_close(fs);
    return status;
}

kl_status kl_node_enrol(const kl_node_config *config, kl_address *operator, bool * made,
                        kl_node_fault *fault)
{
    char path[PATH];
    kl_validator_key key = {0};
    KL_TRY(key_folder(path, config->dir, fault));
    kl_status status = load(path, &key);
    bool is_new = status == KL_NOTFOUND;
    if (is_new)
        status = enrol(config, path, &key, fault);
    else if (status != KL_OK)
        status = kl_node_blame(fault, status, "%s/key.json: %s", path, kl_status_text(status));
    if (status == KL_OK) {
        kl_pubkey pubkey;
        KL_ASSERT(kl_secp256k1_pubkey(&pubkey, &key.operator_secret));
        *operator= kl_address_of_pubkey(&pubkey);
        *made = is_new;
    }
    kl_validator_key_wipe(&key);
    return status;
}

kl_status kl_node_resume(const char *dir, kl_node_fault *fault)
{
    char path[PATH];
    struct kl_fs *fs;
    KL_TRY(key_folder(path, dir, fault));
    kl_status status = kl_sys_fs_open(&fs, path);
    if (status == KL_OK) {
        status = kl_guard_resume(fs);
        kl_sys_fs_close(fs);
    }
    if (status == KL_BUSY)
        return kl_node_blame(fault, status, "%s: its node is running: stop it first", dir);
    if (status == KL_NOTFOUND)
        return kl_node_blame(fault, status, "%s: there is no key with its sign guard", path);
    return status == KL_OK ? KL_OK
                           : kl_node_blame(fault, status, "%s: %s", path, kl_status_text(status));
}

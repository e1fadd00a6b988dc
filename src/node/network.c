#include "node/network.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "chain/authority.h"
#include "guard/guard.h"
#include "node/network_genesis.h"
#include "node/node_priv.h"
#include "node/roster.h"
#include "node/validator_key.h"
#include "sys/env.h"
#include "sys/fs.h"

#define TEXT_MAX     ((usize)16 << 20)
#define ARENA_MAX    ((usize)64 << 20)
#define GAS_LIMIT    60000000u
#define BASE_FEE     1000000000u
#define GENESIS_FILE "genesis.json"
enum { PATH = 4096 };

/* 1,000,000 ether, in wei. */
static const kl_u256 operator_balance = {{0x1bcecceda1000000, 0xd3c2, 0, 0}};

struct making {
    const kl_network_config *config;
    kl_node_fault *fault;
    kl_validator_key *keys;
    kl_policy_entry *entries;
    kl_validator_proofs *proofs;
    kl_address *accounts; /* of operators, and others that are funded */
    kl_secret32 *identities;
    kl_roster *roster;  /* of all */
    struct kl_buf text; /* of the genesis */
    kl_hash genesis;
};

static kl_status blame(struct making *m, kl_status status, const char *path)
{
    return kl_node_blame(m->fault, status, "%s: %s", path, kl_status_text(status));
}

static kl_status make_folder(struct making *m, const char *path, bool may_be_there)
{
    if (mkdir(path, 0700) == 0 || (may_be_there && errno == EEXIST))
        return KL_OK;
    if (errno == EEXIST)
        return kl_node_blame(m->fault, KL_BUSY,
                             "%s is there already; choose another folder, or remove it", path);
    return blame(m, kl_sys_status(errno), path);
}

static kl_multiaddr place_of(const kl_network_config *c, u32 i)
{
    if (c->places)
        return c->places[i];
    return (kl_multiaddr){.host = KL_HOST_IP4,
                          .ip = {127, 0, 0, 1},
                          .has_port = true,
                          .port = (u16)(c->base_port + i)};
}

/* A host may be a name, or not the machine's own address: behind it all of them are listened on. */
static kl_multiaddr listen_of(const kl_network_config *c, u32 i)
{
    kl_multiaddr place = place_of(c, i);
    if (!c->places)
        return place;
    return (kl_multiaddr){.host = place.host == KL_HOST_IP6 ? KL_HOST_IP6 : KL_HOST_IP4,
                          .has_port = true,
                          .port = place.port};
}

static void make_keys(struct making *m)
{
    for (u32 i = 0; i < m->config->count; i++) {
        kl_validator_key_new(&m->keys[i], m->config->scheme);
        kl_validator_key_entry(&m->entries[i], &m->proofs[i], &m->keys[i], 1);
        m->accounts[i] = m->entries[i].validator.operator;
        kl_entropy_fill(kl_sys_entropy(), m->identities[i].b, sizeof m->identities[i].b);
        m->roster->peers[i] = place_of(m->config, i);
        m->roster->peers[i].has_peer = true;
        m->roster->peers[i].peer = kl_peer_id_of(&m->identities[i]);
    }
    m->roster->peer_count = m->config->count;
    m->roster->open = m->roster->says_where = true;
    if (m->config->funded_count)
        memcpy(m->accounts + m->config->count, m->config->funded,
               m->config->funded_count * sizeof *m->accounts);
}

static kl_status save_roster(struct making *m, const char *dir, u32 i)
{
    struct kl_fs *fs;
    KL_TRY(kl_sys_fs_open(&fs, dir));
    m->roster->listen = listen_of(m->config, i);
    kl_status status = kl_node_key_save(fs, &m->identities[i]);
    if (status == KL_OK)
        status = kl_roster_save(fs, m->roster);
    kl_sys_fs_close(fs);
    return status;
}

static kl_status write_genesis(struct making *m)
{
    const kl_network_config *c = m->config;
    struct kl_arena arena;
    kl_rule broken = KL_RULE_NONE;
    const kl_network_genesis genesis = {
        .chain_id = c->chain_id,
        .timestamp = c->timestamp,
        .gas_limit = GAS_LIMIT,
        .base_fee = BASE_FEE,
        .bft = {.scheme = c->scheme->id,
                .epoch_blocks = c->epoch_blocks,
                .block_period_ms = c->block_period_ms,
                .empty_period_ms = c->empty_period_ms,
                .delta_ms = c->delta_ms,
                .policy = kl_authority_address},
        .entries = m->entries,
        .count = c->count,
        .accounts = m->accounts,
        .account_count = (usize)c->count + c->funded_count,
        .balance = operator_balance,
    };
    kl_arena_init(&arena, ARENA_MAX);
    kl_status status = kl_network_genesis_write(&m->text, &genesis, &arena, &broken);
    kl_arena_done(&arena);
    KL_ASSERT(broken == KL_RULE_NONE); /* keys of our own, each its operator's */
    return status == KL_OK ? KL_OK : blame(m, status, GENESIS_FILE);
}

static kl_status save_genesis(struct making *m)
{
    struct kl_fs *fs;
    kl_status status = kl_sys_fs_open(&fs, m->config->dir);
    if (status == KL_OK) {
        status = kl_fs_write_new(fs, GENESIS_FILE, kl_buf_view(&m->text));
        kl_sys_fs_close(fs);
    }
    if (status == KL_BUSY)
        return kl_node_blame(m->fault, status, "there is a " GENESIS_FILE " in %s already",
                             m->config->dir);
    return status == KL_OK ? KL_OK : blame(m, status, m->config->dir);
}

static kl_status make_guard(const struct making *m, struct kl_fs *fs, u32 i,
                            const kl_vote_domain *domain)
{
    struct kl_guard *guard;
    kl_guard_owner owner = {.domain = *domain, .scheme = m->config->scheme};
    memcpy(owner.key, m->entries[i].validator.key, sizeof owner.key);
    KL_TRY(kl_guard_create(&guard, fs, &owner, (kl_guard_view){0, 0}, KL_GUARD_ROOM));
    kl_guard_close(guard);
    return KL_OK;
}

/* The key first, then the chain, then the guard, which binds the genesis. */
static kl_status make_node(struct making *m, u32 i)
{
    char dir[PATH], keys[PATH];
    struct kl_fs *fs;
    struct kl_node *node;
    kl_node_report report;
    if (snprintf(dir, sizeof dir, "%s/node-%u", m->config->dir, i) >= PATH ||
        snprintf(keys, sizeof keys, "%s/node-%u/" KL_VALIDATOR_FOLDER, m->config->dir, i) >= PATH)
        return blame(m, KL_UNSUPPORTED, m->config->dir);
    KL_TRY(make_folder(m, dir, false));
    KL_TRY(make_folder(m, keys, false));
    kl_status status = kl_sys_fs_open(&fs, keys);
    if (status != KL_OK)
        return blame(m, status, keys);
    status = kl_validator_key_save(fs, &m->keys[i]);
    if (status == KL_OK && m->config->base_port)
        status = save_roster(m, dir, i);
    if (status != KL_OK)
        (void)blame(m, status, keys);
    const kl_node_config config = {
        .client_version = m->config->client_version,
        .dir = dir,
        .genesis = kl_buf_view(&m->text),
        .genesis_file = GENESIS_FILE,
        .durable = true,
        .log_fd = -1,
    };
    if (status == KL_OK)
        status = kl_node_open(&node, &config, &report, m->fault);
    if (status == KL_OK) {
        const kl_vote_domain domain = kl_chain_vote_domain(kl_node_chain(node));
        m->genesis = domain.genesis_hash;
        status = make_guard(m, fs, i, &domain);
        kl_node_close(node);
        if (status != KL_OK)
            (void)blame(m, status, keys);
    }
    kl_sys_fs_close(fs);
    return status;
}

static kl_status make(struct making *m)
{
    if (!m->keys || !m->entries || !m->proofs || !m->accounts || !m->identities || !m->roster)
        return blame(m, KL_NOMEM, m->config->dir);
    make_keys(m);
    KL_TRY(write_genesis(m));
    KL_TRY(make_folder(m, m->config->dir, true));
    KL_TRY(save_genesis(m));
    for (u32 i = 0; i < m->config->count; i++)
        KL_TRY(make_node(m, i));
    return KL_OK;
}

kl_status kl_network_make(const kl_network_config *config, kl_hash *genesis, kl_node_fault *fault)
{
    u32 count = config->count;
    KL_ASSERT(count > 0 && count <= KL_VALIDATORS_MAX);
    struct making m = {
        .config = config,
        .fault = fault,
        .keys = calloc(count, sizeof *m.keys),
        .entries = calloc(count, sizeof *m.entries),
        .proofs = calloc(count, sizeof *m.proofs),
        .accounts = calloc(count + config->funded_count, sizeof *m.accounts),
        .identities = calloc(count, sizeof *m.identities),
        .roster = calloc(1, sizeof *m.roster),
    };
    kl_buf_init(&m.text, TEXT_MAX);
    kl_status status = make(&m);
    if (status == KL_OK)
        *genesis = m.genesis;
    for (u32 i = 0; m.keys && i < count; i++)
        kl_validator_key_wipe(&m.keys[i]);
    if (m.identities)
        kl_wipe(m.identities, count * sizeof *m.identities);
    free(m.identities);
    free(m.roster);
    free(m.keys);
    free(m.entries);
    free(m.proofs);
    free(m.accounts);
    kl_buf_done(&m.text);
    return status;
}

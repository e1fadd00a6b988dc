/* verify: the whole ledger judged again, from its genesis or from a verified checkpoint, into a
 * fresh state.  Nothing of the state database is read and nothing of the chain is changed.  Checks
 * every checksum, hash link, signature, root, receipt and dev operation, and names the first thing
 * that is wrong.
 *
 * A tear at the end of the ledger is no fault: it is what a power cut leaves of things that nobody
 * was promised.  The ledger is judged up to it. */
#ifndef KL_CHAIN_VERIFY_H
#define KL_CHAIN_VERIFY_H

#include "chain/chain.h"

/* Told of every step that was found good, parent being NULL for the first; views of both can be
 * had. KL_CANCELED, or any other status, ends the verification with it. */
struct kl_verify_watch {
    kl_status (*step)(struct kl_verify_watch *watch, struct kl_chain *chain,
                      const struct kl_tip *parent, const struct kl_tip *tip);
};

typedef struct kl_verify_config {
    struct kl_fs *fs;         /* of the chain; not written to */
    struct kl_kv *scratch;    /* an empty database for the fresh state */
    struct kl_fs *scratch_fs; /* for its history */
    struct kl_workers *workers;
    struct kl_verify_watch *watch; /* NULL: nobody watches; with one, the fresh state keeps names */
    bool tests;                    /* see kl_chain_config */
} kl_verify_config;

typedef struct kl_verify_result {
    bool good;
    u64 first_version, versions, blocks, transactions, gas; /* executed */
    u64 unexecuted; /* records before the checkpoint, judged as far as they can be without a state
                     */
    kl_header head; /* the last good block */
    kl_hash head_hash;
    kl_seglog_report tear; /* cut_bytes > 0: what follows the ledger's end */
    /* The first bad thing, when !good. */
    u64 bad_version;
    u64 bad_block; /* that it is, or that it follows; of a record that cannot be read, the next */
    char file[KL_PATH_MAX + 1];
    u64 offset;         /* of the record or the damaged sector in file */
    kl_rule rule;       /* what it breaks, or */
    const char *damage; /* how it is damaged; static text */
} kl_verify_result;

/* KL_OK also when the ledger is bad: the result says so.  A status means it could not be told:
 * KL_NOTFOUND there is no ledger; KL_UNSUPPORTED it is of another Keel's format. */
KL_MUST_USE kl_status kl_chain_verify(const kl_verify_config *config, struct kl_progress *progress,
                                      kl_verify_result *out);

/* The state database looked through: every checksum, every trie built again from its leaves, head
 * and root compared with the ledger's.  Nothing is changed.  Progress counts entries; how many
 * there will be is not known (last is 0). */
typedef struct kl_scrub_config {
    struct kl_fs *fs; /* of the chain */
    struct kl_kv *kv; /* the state database */
    bool tests;       /* see kl_chain_config */
} kl_scrub_config;

typedef struct kl_scrub_result {
    bool good;
    u64 version, entries;
    kl_header head; /* when good */
    kl_hash head_hash;
    kl_state_damage damage; /* when !good */
} kl_scrub_result;

/* KL_OK also when the database is bad; KL_NOTFOUND when it is empty. */
KL_MUST_USE kl_status kl_chain_scrub(const kl_scrub_config *config, struct kl_progress *progress,
                                     kl_scrub_result *out);

#endif

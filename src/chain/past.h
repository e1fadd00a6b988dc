/* past: the states of a chain from its genesis on, made again beside it while it runs.
 *
 * A chain that began with the state of others (fill.h), or that once kept less than it is asked to
 * now, has the states of its newer blocks alone.  A past executes the chain's ledger from the
 * genesis into a database and a history of its own and compares all that the records say, as
 * opening does.  Of the chain it reads records, which never change, and none that is not durable;
 * it holds none of the chain's locks while it executes.
 *
 *     wanted? ── open ── step, step … whole ── close ── seal      the chain runs
 *                                              settle             it is closed, and opened again
 *
 * Whole is a past that has come near to the ledger's end: what is missing is executed when the
 * chain is opened.  Its files take the place of the chain's then, and the chain is what it would be
 * had it executed all from the first: the same database, the same history.
 *
 * What is done stays done over a close and a crash, but for what came since the last step.  Only a
 * chain whose validators vote has a past, and only while its ledger begins with the genesis.
 *
 * Thread: one, which need not be any of the chain's; the chain lives longer. */
#ifndef KL_CHAIN_PAST_H
#define KL_CHAIN_PAST_H

#include "chain/chain.h"

struct kl_past;

/* Has the chain fewer states than it is to keep, and can have them?  Any thread. */
KL_MUST_USE bool kl_past_is_wanted(struct kl_chain *chain);

typedef struct kl_past_config {
    struct kl_chain *chain;       /* its folder has the history too */
    struct kl_kv *kv;             /* opened with kl_state_table_names; stays the caller's */
    usize segment_bytes;          /* of the history */
    struct kl_progress *progress; /* of steps, now and then, or NULL */
    bool (*go_on)(void *ctx);     /* asked behind each block; false ends the step.  NULL: yes */
    void *ctx;
} kl_past_config;

/* Goes on, or begins.  KL_CORRUPT: what is there cannot be gone on with, also because another
 * program began it, and is to be dropped.  KL_UNSUPPORTED: nobody votes, or the ledger's beginning
 * has gone. */
KL_MUST_USE kl_status kl_past_open(struct kl_past **out, const kl_past_config *config);
void kl_past_close(struct kl_past *past); /* NULL is fine */

typedef struct kl_past_status {
    u64 height, target; /* the newest block that is executed, and that is durable */
    bool any;           /* some block is: the genesis, at least */
    u64 transactions;   /* executed since it was opened */
    bool whole;
    u64 bad_version; /* after KL_CORRUPT: a record that does not execute to what it says; or 0 */
    kl_rule bad_rule;
} kl_past_status;
void kl_past_status_of(const struct kl_past *past, kl_past_status *out);

/* Executes up to 256 blocks, fewer when go_on says no, and keeps them.  After a failure it
 * is only to be closed.  KL_CORRUPT: a record does not execute to what it says, or cannot be read,
 * or the past's own database is damaged.  KL_NOTFOUND: records that it needs have gone. */
KL_MUST_USE kl_status kl_past_step(struct kl_past *past);

/* --- its files ---
 *
 * They lie beside the chain's: history/log.past, history/index.past and, for a database in the
 * folder `state` of the same kl_fs, that name with KL_PAST_SUFFIX.  `past.whole` says that they are
 * to take the place of the chain's.  state may be NULL: the database lies elsewhere. */
#define KL_PAST_SUFFIX ".past"
#define KL_PAST_WHOLE  "past.whole"

/* A past that was whole and is closed, its database too: from here on settle takes it.  Durable
 * when it returns KL_OK. */
KL_MUST_USE kl_status kl_past_seal(struct kl_fs *fs);
/* Before the chain is opened: what was sealed takes the place of the chain's; *taken says so.  Cut
 * short anywhere, it is finished by the next call, and until then nothing may be opened. */
KL_MUST_USE kl_status kl_past_settle(struct kl_fs *fs, const char *state, bool *taken);
/* Before a chain lets go of its state, while nothing is open: its own files become its past, which
 * goes on from there, unless there is one already.  Cut short, the chain still has its state, or
 * take_back finds it. */
KL_MUST_USE kl_status kl_past_put_aside(struct kl_fs *fs, const char *state);
/* For a chain that is found without a state: its past, if there is one, takes the place of its
 * files, whole or not; *taken says so. */
KL_MUST_USE kl_status kl_past_take_back(struct kl_fs *fs, const char *state, bool *taken);
/* Deletes it, sealed or not, while nothing of it is open. */
KL_MUST_USE kl_status kl_past_drop(struct kl_fs *fs, const char *state);

#endif

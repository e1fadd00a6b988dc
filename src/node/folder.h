/* folder: what lies in a data folder.
 *
 *     lock            held by the process that has the folder
 *     genesis.json    the genesis text the chain was made from; the ledger has it too
 *     ledger/         the truth
 *     history/        old states                      checkpoint/  states to begin verifying from
 *     state/          the state database, a cache     state.suspect  it is not to be trusted
 *
 *     state.past/, history/log.past/, history/index.past/   the states before, while they are made
 *     past.whole      these take the place of the three without .past
 *     past.suspect    these are not to be trusted
 *
 * `state.suspect` is left by a process that met damage in the database; the next one to open the
 * folder deletes state/ and history/, which are then made again from the ledger. */
#ifndef KL_NODE_FOLDER_H
#define KL_NODE_FOLDER_H

#include "base/arena.h"
#include "base/file.h"

#define KL_FOLDER_LOCK       "lock"
#define KL_FOLDER_GENESIS    "genesis.json"
#define KL_FOLDER_LEDGER     "ledger"
#define KL_FOLDER_HISTORY    "history"
#define KL_FOLDER_STATE      "state"
#define KL_FOLDER_CHECKPOINT "checkpoint"
#define KL_FOLDER_SUSPECT    "state.suspect"
#define KL_FOLDER_PAST_BAD   "past.suspect"

/* A data folder that is open, and locked. */
struct kl_folder {
    struct kl_fs *fs;
    struct kl_file *lock;
    char *suspect, *past_suspect; /* absolute paths of the marks */
};

/* Opens and locks; make: with its parents, if need be.  KL_BUSY: another process has it.
 * KL_NOTFOUND, KL_IO, KL_FULL, KL_NOMEM. */
KL_MUST_USE kl_status kl_folder_open(struct kl_folder *out, const char *dir, bool make);
/* Also of one that is zeroed. */
void kl_folder_close(struct kl_folder *folder);

/* Does it hold a chain? */
KL_MUST_USE kl_status kl_folder_has_chain(struct kl_folder *folder, bool *out);

/* The text of genesis.json, in the arena; KL_NOTFOUND, KL_IO, KL_NOMEM. */
KL_MUST_USE kl_status kl_folder_genesis(struct kl_folder *folder, struct kl_arena *arena,
                                        kl_span *out);
/* Durable when it returns KL_OK. */
KL_MUST_USE kl_status kl_folder_put_genesis(struct kl_folder *folder, kl_span text);

/* Deletes the chain: what was there before is gone when it returns KL_OK, and if it is cut short
 * the ledger is whole or gone.  Files that are none of ours stay. */
KL_MUST_USE kl_status kl_folder_reset(struct kl_folder *folder);

/* Deletes the caches, state/ and history/, and the suspicion. */
KL_MUST_USE kl_status kl_folder_drop_state(struct kl_folder *folder);
KL_MUST_USE kl_status kl_folder_is_suspect(struct kl_folder *folder, bool *out);
/* Leaves the mark, as well as it can; may be called by a handler of a fault. */
void kl_folder_suspect(const struct kl_folder *folder);

/* The past of the chain (chain/past.h), before anything of it is opened: one that is whole takes
 * the chain's place, and one under suspicion is deleted. */
KL_MUST_USE kl_status kl_folder_settle_past(struct kl_folder *folder);
KL_MUST_USE kl_status kl_folder_drop_past(struct kl_folder *folder);
/* See kl_past_put_aside, kl_past_take_back. */
KL_MUST_USE kl_status kl_folder_put_aside(struct kl_folder *folder);
KL_MUST_USE kl_status kl_folder_take_back(struct kl_folder *folder, bool *taken);
void kl_folder_suspect_past(const struct kl_folder *folder); /* as kl_folder_suspect */

#endif

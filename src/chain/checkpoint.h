/* checkpoint: the whole state of one version in one file, so that the ledger before it may go.
 *
 * A chain whose ledger no longer begins with the genesis is opened, rebuilt and verified from a
 * checkpoint: it carries the genesis record, and every entry of the state database.  Files lie in
 * `checkpoint`, named after the version; docs/formats/checkpoint.md draws every field.  Writing and
 * reading take memory for the largest entry, not for the state.
 *
 * Thread: writing on the state thread, everything else while the chain is being opened or verified.
 */
#ifndef KL_CHAIN_CHECKPOINT_H
#define KL_CHAIN_CHECKPOINT_H

#include "base/arena.h"
#include "base/file.h"
#include "state/transfer.h"

#define KL_CHECKPOINT_DIR "checkpoint"

/* What a checkpoint says of itself. */
typedef struct kl_checkpoint {
    u64 version;      /* of the state */
    u64 head_version; /* the head block's ledger record */
    kl_hash head_hash;
    kl_hash state_root;
    kl_span genesis; /* payload of the ledger's first record */
} kl_checkpoint;

/* What is wrong with a file. */
typedef struct kl_checkpoint_damage {
    char file[KL_PATH_MAX + 1];
    u64 offset;
    const char *what; /* static text */
} kl_checkpoint_damage;

/* Writes the state database, which must stand at checkpoint->version, into a file, reads the file
 * back, and makes it durable under its name.  KL_FULL, KL_IO, KL_NOMEM, KL_CORRUPT (the database,
 * or the file just written); KL_TIMEOUT (the snapshot grew too old); KL_CANCELED when go_on, which
 * is asked now and then, says no.  A file that was not finished has no name that counts. */
KL_MUST_USE kl_status kl_checkpoint_write(struct kl_fs *fs, struct kl_state *state,
                                          const kl_checkpoint *checkpoint, bool (*go_on)(void *ctx),
                                          void *ctx);

/* The checkpoint with the lowest version up to `most` (newest: the highest) whose head can be read
 * and whose head block's record is `least` or a later one; genesis lives in the arena.
 * KL_NOTFOUND. */
KL_MUST_USE kl_status kl_checkpoint_find(struct kl_fs *fs, u64 least, u64 most, bool newest,
                                         struct kl_arena *arena, kl_checkpoint *out);

/* Reads the file of a version wholly, into the loader (NULL: only checks it).  KL_CORRUPT with
 * *damage filled, KL_NOTFOUND, KL_IO, KL_NOMEM, what the loader returns. */
KL_MUST_USE kl_status kl_checkpoint_read(struct kl_fs *fs, u64 version,
                                         struct kl_state_loader *loader,
                                         kl_checkpoint_damage *damage);

/* Removes the checkpoints below version, and what was not finished. */
KL_MUST_USE kl_status kl_checkpoint_drop(struct kl_fs *fs, u64 version);

/* "checkpoint/<version, 16 hex digits>.state" */
void kl_checkpoint_path(u64 version, char path[KL_PATH_MAX + 1]);

/* Calls each(ctx, version) for every checkpoint there is, oldest first. */
KL_MUST_USE kl_status kl_checkpoint_list(struct kl_fs *fs, void (*each)(void *ctx, u64 version),
                                         void *ctx);

#endif

/* statedb: the state database of a simulated machine: one in memory, of whose commits the newest
 * may be gone after a power cut, as LMDB's may [DESIGN 5: MDB_NOMETASYNC], and no other. */
#ifndef KL_LAB_STATEDB_PRIV_H
#define KL_LAB_STATEDB_PRIV_H

#include "store/kv.h"

struct kl_lab_statedb;

struct kl_lab_statedb *kl_lab_statedb_new(void);
void kl_lab_statedb_free(struct kl_lab_statedb *db); /* NULL is fine; no snapshot is open */
struct kl_kv *kl_lab_statedb_kv(struct kl_lab_statedb *db);
/* Changes fail from here on: the machine has lost its power. */
void kl_lab_statedb_stop(struct kl_lab_statedb *db);
/* As it is found afterwards, with the newest commit or without.  No snapshot is open. */
void kl_lab_statedb_restart(struct kl_lab_statedb *db, bool loses_newest);

#endif

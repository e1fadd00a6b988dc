/* kv_twin: tests of anything behind the kv interface, against a slow twin that keeps every version
 * as a sorted array.  Compiled into test programs only. */
#ifndef KL_STORE_KV_TWIN_H
#define KL_STORE_KV_TWIN_H

#include "store/kv.h"

/* Does `steps` random things to kv and the twin (transactions that commit or abort, snapshots of
 * different ages read by key and by cursor) and fails the running test where they differ.  kv has
 * `tables` tables, all empty, and is left with what the last commit wrote. */
void kl_kv_twin_run(struct kl_kv *kv, usize tables, usize steps, u64 *seed);

/* One writer adds up amounts, readers on other threads check that every snapshot adds up. */
void kl_kv_twin_threads(struct kl_kv *kv, usize commits);

/* Fails the running test where tables first .. end - 1 of the two differ. */
void kl_kv_twin_same(struct kl_kv *a, struct kl_kv *b, kl_table first, kl_table end);

#endif

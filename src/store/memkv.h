/* memkv: the kv interface in memory, for tests, the simulator, ephemeral chains and keel verify.
 * Snapshots share structure with the newest version; nothing is copied when one is taken. */
#ifndef KL_STORE_MEMKV_H
#define KL_STORE_MEMKV_H

#include "store/kv.h"

/* table_count tables, all empty.  KL_NOMEM. */
KL_MUST_USE kl_status kl_memkv_open(struct kl_kv **out, usize table_count);

#endif

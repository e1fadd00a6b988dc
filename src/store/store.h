/* store: where bytes stay.
 *
 *   seglog.h  the append-only log of checked records in segment files: the ledger and the history
 *   kv.h      ordered tables with snapshots, the interface; memkv.h has it in memory, lmdb on disk
 */
#ifndef KL_STORE_STORE_H
#define KL_STORE_STORE_H

#include "store/kv.h"
#include "store/memkv.h"
#include "store/seglog.h"

#endif

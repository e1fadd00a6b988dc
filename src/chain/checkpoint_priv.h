/* checkpoint_priv: the fields of a checkpoint file, for its writer and its reader. */
#ifndef KL_CHAIN_CHECKPOINT_PRIV_H
#define KL_CHAIN_CHECKPOINT_PRIV_H

#include "chain/checkpoint.h"

/* A chunk: kind 1, length 4, checksum 4, body.  The checksum is over the chunk's number (8 bytes),
 * kind, length and body. */
enum {
    KL_CHUNK_HEAD = 9,
    KL_CHUNK_BYTES = 64 << 10, /* a chunk is closed when it has as many */
    KL_CHUNK_MAX = 96 << 20,   /* more than the largest entry, and than the largest genesis */
    KL_CHECKPOINT_FORMAT = 1,
    KL_ENTRY_HEAD = 7, /* table 1, key length 2, value length 4 */
};

typedef enum kl_chunk_kind {
    KL_CHUNK_BEGIN = 1, /* magic 8, format 4, version 8, head version 8, head hash 32, root 32,
                           genesis */
    KL_CHUNK_ENTRIES = 2,
    KL_CHUNK_END = 3, /* entries 8 */
} kl_chunk_kind;

#define KL_CHECKPOINT_MAGIC     "KLCHKPNT"
#define KL_CHECKPOINT_UNNAMED   "next.tmp"
#define KL_CHECKPOINT_SUFFIX    ".state"
#define KL_CHECKPOINT_BEGIN_LEN 92

u32 kl_chunk_crc(u64 number, u8 kind, kl_span body);

#endif

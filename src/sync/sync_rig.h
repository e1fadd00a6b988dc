/* sync_rig: a chain of headers with bodies and Finalizations, for the tests of this layer. */
#ifndef KL_SYNC_SYNC_RIG_H
#define KL_SYNC_SYNC_RIG_H

#include "base/rand.h"
#include "sync/sync.h"
#include "types/header.h"

enum {
    SYNC_RIG_VALIDATORS = 5,
    SYNC_RIG_EPOCH_BLOCKS = 40,
    SYNC_RIG_BLOCKS = 3 * SYNC_RIG_EPOCH_BLOCKS,
};

typedef struct sync_block {
    kl_hash hash;
    u8 header[KL_HEADER_RLP_MAX], body[KL_HEADER_RLP_MAX + 64], finalization[1024];
    usize header_len, body_len, finalization_len;
} sync_block;

typedef struct sync_rig {
    const kl_vote_scheme *scheme;
    kl_vote_domain domain;
    kl_secret32 secrets[SYNC_RIG_VALIDATORS];
    kl_validator validators[3][SYNC_RIG_VALIDATORS]; /* by epoch: each has keys of its own */
    kl_valset sets[3];
    sync_block blocks[SYNC_RIG_BLOCKS + 1]; /* by height */
} sync_rig;

void sync_rig_init(sync_rig *rig, u64 *seed);

/* Signs a subject by the first `signers` validators of an epoch: the bytes of a certificate, where
 * they weigh enough to be one. */
usize sync_rig_certificate(const sync_rig *rig, u64 epoch, const kl_vote_subject *subject,
                           u32 signers, u8 out[1024]);
kl_vote_subject sync_rig_subject(const sync_rig *rig, u64 height);

kl_fetch_head sync_rig_head(const sync_rig *rig, u64 height);

/* What an honest peer that has `height` blocks answers; lists are the caller's. */
kl_message sync_rig_answer(const sync_rig *rig, u64 from, u64 to, u64 height,
                           kl_message_block blocks[KL_MESSAGE_BLOCKS_MAX],
                           kl_span headers[SYNC_RIG_EPOCH_BLOCKS]);

#endif

/* nuisance: how much a peer has made us do for nothing.
 *
 * What carries nothing for us costs units: frames of yamux without data, streams that are opened
 * and left, pings, questions, answers that nobody asked for.  They fade, KL_NUISANCE_RATE a second;
 * who has more than KL_NUISANCE_MAX is dropped.  What each costs, and why no correct peer comes
 * near: docs/bounds.md.  Thread: one at a time. */
#ifndef KL_P2P_NUISANCE_H
#define KL_P2P_NUISANCE_H

#include "base/int.h"

enum {
    KL_NUISANCE_RATE = 16000,
    KL_NUISANCE_MAX = 64000,
    /* What it costs. */
    KL_NUISANCE_FRAME = 16,        /* a frame of yamux with next to nothing in it */
    KL_NUISANCE_STREAM = 256,      /* a stream that is opened */
    KL_NUISANCE_PING = 16,         /* of libp2p */
    KL_NUISANCE_LOST_BYTES = 1024, /* that nobody takes, because their stream is gone: one */
};

typedef struct kl_nuisance {
    u64 units, at_ns; /* of them, faded up to then */
} kl_nuisance;

/* Zeroes have none.  False: that was too much; of what is beyond, no more counts than the same
 * again. */
KL_MUST_USE bool kl_nuisance_add(kl_nuisance *nuisance, u64 units, u64 now_ns);

#endif

/* sync: what nodes say to one another, and how whoever is behind catches up.
 *
 *   message.h   frames, their limits       fetch.h   final blocks by height
 *   compact.h   a body by the hashes       statesync.h   the state behind a final block */
#ifndef KL_SYNC_SYNC_H
#define KL_SYNC_SYNC_H

#include "sync/compact.h"
#include "sync/fetch.h"
#include "sync/message.h"
#include "sync/statesync.h"

#endif

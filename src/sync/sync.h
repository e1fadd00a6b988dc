/* sync: what nodes say to one another, and how whoever is behind catches up.
 *
 *   message.h   frames, their limits       fetch.h   final blocks by height
 *   compact.h   a body by the hashes of its transactions */
#ifndef KL_SYNC_SYNC_H
#define KL_SYNC_SYNC_H

#include "sync/compact.h"
#include "sync/fetch.h"
#include "sync/message.h"

#endif

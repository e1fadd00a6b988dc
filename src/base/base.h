/* base: what every layer stands on.
 *
 *   int.h     integers, byte order, checked arithmetic      check.h   assertions, attributes
 *   span.h    views of bytes, bounded writers               status.h  the world failed: kl_status
 *   hash.h    kl_hash, kl_address                           rule.h    the input is bad: kl_rule
 *   u256.h    the 256-bit word                              wipe.h    secrets
 *   arena.h   memory for one unit of work                   buf.h     bytes that grow
 *   map.h     objects by fixed-length key                   sync.h    locks, reference counts
 *   rand.h    seeded numbers for tests                      test.h    the test harness
 *   fuzz.h    for fuzz targets
 *   file.h, env.h   interfaces for disk, clock, entropy and workers: sys and sim implement them */
#ifndef KL_BASE_BASE_H
#define KL_BASE_BASE_H

#include "base/arena.h"
#include "base/buf.h"
#include "base/env.h"
#include "base/file.h"
#include "base/hash.h"
#include "base/int.h"
#include "base/map.h"
#include "base/rand.h"
#include "base/rule.h"
#include "base/span.h"
#include "base/status.h"
#include "base/sync.h"
#include "base/u256.h"
#include "base/wipe.h"

#endif

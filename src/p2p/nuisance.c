#include "p2p/nuisance.h"

#define UNIT_NS (UINT64_C(1000000000) / KL_NUISANCE_RATE)

bool kl_nuisance_add(kl_nuisance *n, u64 units, u64 now_ns)
{
    u64 faded = now_ns > n->at_ns ? (now_ns - n->at_ns) / UNIT_NS : 0;
    n->at_ns += faded * UNIT_NS; /* the rest of a unit fades with the next */
    n->units -= KL_MIN(faded, n->units);
    n->units = KL_MIN(kl_add_sat_u64(n->units, units), (u64)2 * KL_NUISANCE_MAX);
    return n->units <= KL_NUISANCE_MAX;
}

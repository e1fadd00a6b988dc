/* sim: base's interfaces over a seeded, faulty world.
 *
 *   disk.h    a kl_fs in memory that can lose power at any operation */
#ifndef KL_SIM_SIM_H
#define KL_SIM_SIM_H

#include "sim/disk.h"

#endif

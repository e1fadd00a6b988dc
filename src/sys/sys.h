/* sys: the real world behind base's interfaces.
 *
 *   fs.h       files under a root folder           env.h   clock, entropy, worker threads */
#ifndef KL_SYS_SYS_H
#define KL_SYS_SYS_H

#include "sys/env.h"
#include "sys/fs.h"

#endif

/* sys: the real world behind base's interfaces.
 *
 *   fs.h       files under a root folder        env.h      clock, entropy, memory, workers
 *   scratch.h  files that leave nothing behind  slow_fs.h  files on a slower disk
 *   tcp.h      TCP, non-blocking                names.h    where hosts are
 *   loop.h     sockets and timers over epoll    thread.h   threads with a name
 *   crash.h    a last word */
#ifndef KL_SYS_SYS_H
#define KL_SYS_SYS_H

#include "sys/crash.h"
#include "sys/env.h"
#include "sys/fs.h"
#include "sys/loop.h"
#include "sys/names.h"
#include "sys/scratch.h"
#include "sys/slow_fs.h"
#include "sys/tcp.h"
#include "sys/thread.h"

#endif

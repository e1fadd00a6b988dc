/* sys: the real world behind base's interfaces.
 *
 *   fs.h       files under a root folder           env.h     clock, entropy, worker threads
 *   tcp.h      TCP, non-blocking                   thread.h  threads with a name
 *   loop.h     sockets and timers over epoll   crash.h   a last word
 *   scratch.h  files that leave nothing behind  slow_fs.h  files on a slower disk */
#ifndef KL_SYS_SYS_H
#define KL_SYS_SYS_H

#include "sys/crash.h"
#include "sys/env.h"
#include "sys/fs.h"
#include "sys/loop.h"
#include "sys/scratch.h"
#include "sys/slow_fs.h"
#include "sys/tcp.h"
#include "sys/thread.h"

#endif

/* slow_fs: a file system whose syncs take longer: the delay of a disk that this machine does not
 * have, for figures.  Everything else goes to the file system below, which stays the caller's and
 * must outlive it and its files. */
#ifndef KL_SYS_SLOW_FS_H
#define KL_SYS_SLOW_FS_H

#include "base/file.h"

/* Every kl_file_sync and kl_fs_sync_dir that goes well returns delay_ns after the one below has,
 * at the earliest; syncs on several threads wait beside one another.  KL_NOMEM. */
KL_MUST_USE kl_status kl_slow_fs_open(struct kl_fs **out, struct kl_fs *below, u64 delay_ns);
/* No file of it is open.  NULL is fine. */
void kl_slow_fs_close(struct kl_fs *fs);

#endif

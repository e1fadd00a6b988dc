/* scratch: a kl_fs that leaves nothing behind.  Names live in memory; what files hold lies in files
 * without names in the folder for temporary ones (TMPDIR, else /tmp), which the kernel frees when
 * the process ends, however it ends.  Syncs have nothing to promise and return at once.
 *
 * For ephemeral chains, and for what a command needs only while it runs. */
#ifndef KL_SYS_SCRATCH_H
#define KL_SYS_SCRATCH_H

#include "base/file.h"

/* KL_NOTFOUND when there is no such folder, KL_IO when it cannot be written, KL_NOMEM. */
KL_MUST_USE kl_status kl_sys_scratch_open(struct kl_fs **out);
/* All files are closed.  NULL is fine. */
void kl_sys_scratch_close(struct kl_fs *fs);

#endif

/* fs: kl_fs on the real file system, under one root folder. */
#ifndef KL_SYS_FS_H
#define KL_SYS_FS_H

#include "base/file.h"

/* root must exist; paths that leave it are refused (asserted: they are never made from input).
 * Files are made with mode 0600, folders with 0700.  KL_NOTFOUND, KL_NOMEM. */
KL_MUST_USE kl_status kl_sys_fs_open(struct kl_fs **out, const char *root);
void kl_sys_fs_close(struct kl_fs *fs);

/* May nobody but its owner read or write the file?  KL_NOTFOUND, KL_IO. */
KL_MUST_USE kl_status kl_sys_fs_is_private(struct kl_fs *fs, const char *path, bool *out);

/* What errno means to Keel. */
kl_status kl_sys_status(int error_number);

#endif

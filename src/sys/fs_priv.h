/* fs_priv: reading and writing at a place of a descriptor, for all kl_fs on the real file system.
 * See kl_file_ops. */
#ifndef KL_SYS_FS_PRIV_H
#define KL_SYS_FS_PRIV_H

#include "sys/fs.h"

kl_status kl_fd_read(int fd, void *out, usize len, u64 offset);
kl_status kl_fd_write(int fd, const void *bytes, usize len, u64 offset);
kl_status kl_fd_size(int fd, u64 *out);
kl_status kl_fd_truncate(int fd, u64 size);
kl_status kl_fd_room(int fd, kl_fs_room *out); /* of the file system fd is on */

/* Asserts that path stays inside the root, and returns it. */
const char *kl_fs_inside(const char *path);

#endif

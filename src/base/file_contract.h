/* file_contract: what every kl_fs must do, as tests that sys and sim both run.  Compiled into test
 * programs only. */
#ifndef KL_BASE_FILE_CONTRACT_H
#define KL_BASE_FILE_CONTRACT_H

#include "base/file.h"

/* fs is empty; files are left in it. */
void kl_file_contract(struct kl_fs *fs);

/* Does `steps` random things to fs and to a twin that keeps files as plain bytes, and fails the
 * running test where they differ.  fs is empty. */
void kl_file_twin_run(struct kl_fs *fs, usize steps, u64 *seed);

#endif

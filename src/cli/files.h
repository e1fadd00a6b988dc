/* files: reading files and walking folders for commands that take PATH arguments. */
#ifndef KL_CLI_FILES_H
#define KL_CLI_FILES_H

#include "base/span.h"
#include "base/status.h"

/* The bytes of a file, or of what is left of standard input, to be freed by kl_file_free. */
KL_MUST_USE kl_status kl_file_load(kl_span *out, const char *path);
KL_MUST_USE kl_status kl_stdin_load(kl_span *out);
void kl_file_free(kl_span bytes);

/* A list of paths, each NUL-terminated. */
struct kl_paths {
    char **path;
    usize count, cap;
};
void kl_paths_done(struct kl_paths *paths);

/* Adds path itself when it is a file; when it is a folder, all files below it whose names end in
 * suffix, folders and files in byte order of their names.  KL_NOTFOUND, KL_IO, KL_NOMEM. */
KL_MUST_USE kl_status kl_paths_add(struct kl_paths *paths, const char *path, const char *suffix);

#endif

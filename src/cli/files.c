/* files: the walk keeps its own stack of folders to visit, so that depth costs no stack; entries
 * are pushed in reverse order of name and therefore visited in order. */
#include "cli/files.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "sys/fs.h"

static kl_status load(kl_span *out, FILE *file)
{
    u8 *bytes = NULL;
    usize len = 0, cap = 0;
    kl_status status = KL_OK;
    while (status == KL_OK && !feof(file)) {
        if (len == cap) {
            cap = cap ? cap * 2 : 65536;
            u8 *more = realloc(bytes, cap);
            if (!more) {
                status = KL_NOMEM;
                break;
            }
            bytes = more;
        }
        len += fread(bytes + len, 1, cap - len, file);
        if (ferror(file))
            status = KL_IO;
    }
    if (status != KL_OK) {
        free(bytes);
        return status;
    }
    *out = kl_span_of(bytes, len);
    return KL_OK;
}

kl_status kl_file_load(kl_span *out, const char *path)
{
    FILE *file = fopen(path, "rb");
    if (!file)
        return kl_sys_status(errno);
    kl_status status = load(out, file);
    fclose(file);
    return status;
}

kl_status kl_stdin_load(kl_span *out)
{
    return load(out, stdin);
}

void kl_file_free(kl_span bytes)
{
    union {
        const u8 *seen;
        void *owned;
    } p = {.seen = bytes.p};
    free(p.owned);
}

void kl_paths_done(struct kl_paths *paths)
{
    for (usize i = 0; i < paths->count; i++)
        free(paths->path[i]);
    free(paths->path);
    *paths = (struct kl_paths){0};
}

/* Takes the string. */
static kl_status push(struct kl_paths *paths, char *path)
{
    if (paths->count == paths->cap) {
        usize cap = paths->cap ? paths->cap * 2 : 64;
        char **more = realloc(paths->path, cap * sizeof *more);
        if (!more) {
            free(path);
            return KL_NOMEM;
        }
        paths->path = more;
        paths->cap = cap;
    }
    paths->path[paths->count++] = path;
    return KL_OK;
}

static bool ends_with(const char *text, const char *suffix)
{
    usize len = strlen(text), tail = strlen(suffix);
    return len >= tail && strcmp(text + len - tail, suffix) == 0;
}

static int visible(const struct dirent *entry)
{
    return entry->d_name[0] != '.';
}

static int by_name_backwards(const struct dirent **a, const struct dirent **b)
{
    return strcmp((*b)->d_name, (*a)->d_name);
}

/* Pushes what is in the folder, last name first. */
static kl_status push_entries(struct kl_paths *todo, const char *folder)
{
    struct dirent **entries;
    int count = scandir(folder, &entries, visible, by_name_backwards);
    if (count < 0)
        return kl_sys_status(errno);
    kl_status status = KL_OK;
    for (int i = 0; i < count; i++) {
        char *path = NULL;
        if (status == KL_OK && asprintf(&path, "%s/%s", folder, entries[i]->d_name) < 0)
            status = KL_NOMEM;
        else if (status == KL_OK)
            status = push(todo, path);
        free(entries[i]);
    }
    free(entries);
    return status;
}

/* One path of the stack: a folder's entries go on the stack, a file into paths. */
static kl_status visit(struct kl_paths *paths, struct kl_paths *todo, char *path, bool named,
                       const char *suffix)
{
    struct stat info;
    kl_status status = KL_OK;
    if (stat(path, &info) != 0)
        status = kl_sys_status(errno);
    else if (S_ISDIR(info.st_mode))
        status = push_entries(todo, path);
    else if (named || ends_with(path, suffix))
        return push(paths, path);
    free(path);
    return status;
}

kl_status kl_paths_add(struct kl_paths *paths, const char *path, const char *suffix)
{
    struct kl_paths todo = {0};
    char *start = strdup(path);
    if (!start)
        return KL_NOMEM;
    for (usize len = strlen(start); len > 1 && start[len - 1] == '/'; len--)
        start[len - 1] = '\0';
    kl_status status = push(&todo, start);
    for (bool named = true; status == KL_OK && todo.count > 0; named = false)
        status = visit(paths, &todo, todo.path[--todo.count], named, suffix);
    kl_paths_done(&todo);
    return status;
}

/* said: commands as somebody types them, in processes of their own, and what they say. */
#ifndef KL_CLI_SAID_TEST_H
#define KL_CLI_SAID_TEST_H

#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/test.h"
#include "cli/command.h"

enum { WORDS_MAX = 24 };

static char said[16000]; /* by the last command */

static inline int split(char *line, char **argv)
{
    int argc = 0;
    for (char *word; (word = strsep(&line, " ")) != NULL;) {
        CHECK(argc < WORDS_MAX);
        argv[argc++] = word;
    }
    argv[argc] = NULL;
    return argc;
}

/* Runs "keel <line>" in a process of its own, with what it says going to out. */
static inline pid_t start(const char *line, int out)
{
    char copy[512], *argv[WORDS_MAX + 1];
    snprintf(copy, sizeof copy, "keel %s", line);
    int argc = split(copy, argv);
    fflush(stdout);
    fflush(stderr);
    pid_t pid = fork();
    CHECK(pid >= 0);
    if (pid == 0) {
        (void)dup2(out, STDOUT_FILENO);
        (void)dup2(out, STDERR_FILENO);
        int code = kl_cli_main(argc, argv);
        fflush(stdout);
        _exit(code);
    }
    return pid;
}

static inline int end_of(pid_t pid)
{
    int end;
    CHECK(waitpid(pid, &end, 0) == pid);
    return WIFEXITED(end) ? WEXITSTATUS(end) : -1;
}

/* The exit code of a command that ends by itself; what it says is in `said`. */
static inline int run(const char *line)
{
    FILE *file = tmpfile();
    CHECK(file != NULL);
    int code = end_of(start(line, fileno(file)));
    rewind(file);
    usize len = fread(said, 1, sizeof said - 1, file);
    said[len] = '\0';
    fclose(file);
    return code;
}

static inline void check_said(const char *line, int code, const char *words)
{
    int got = run(line);
    if (got != code || !strstr(said, words))
        kl_test_fail(__FILE__, __LINE__, "keel %s: %d, %s", line, got, said);
}

#endif

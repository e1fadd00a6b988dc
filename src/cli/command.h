/* command: keel's front door.  A command is a row of command.def and a function; its options are a
 * table (option.h). */
#ifndef KL_CLI_COMMAND_H
#define KL_CLI_COMMAND_H

#include "base/int.h"

/* Exit codes: what was asked for went wrong; what was asked for makes no sense; a second SIGTERM or
 * SIGINT cut the shut-down short. */
#define KL_EXIT_OK     0
#define KL_EXIT_FAILED 1
#define KL_EXIT_USAGE  2
#define KL_EXIT_FORCED 130

#define KL_VERSION "0.1.0"

#define KL_COMMAND_X(name, function, help) int function(int argc, char **argv);
#include "cli/command.def"
#undef KL_COMMAND_X

/* `keel evm run`, a command of `keel evm`. */
int kl_cmd_evm_run(int argc, char **argv);

/* A name close to what was typed, or NULL: at most a third of the letters differ. */
const char *kl_suggest(const char *typed, const char *const *names, usize count);

/* Runs keel: argv as main has it.  By the name "evm" it is the command of that name. */
int kl_cli_main(int argc, char **argv);

#endif

/* fuzz_command: the commands below `keel fuzz`. */
#ifndef KL_CLI_FUZZ_COMMAND_H
#define KL_CLI_FUZZ_COMMAND_H

int kl_fuzz_state_command(int argc, char **argv);
int kl_fuzz_shrink_command(int argc, char **argv);

#endif

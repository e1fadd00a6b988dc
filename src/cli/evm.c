/* evm: the commands that geth's evm has, under its names.  A link called "evm" to keel is this
 * command, so that tools which look for that program find one. */
#include <stdio.h>

#include "cli/command.h"
#include "cli/family.h"

int kl_cmd_evm(int argc, char **argv)
{
    static const kl_family_member commands[] = {
        {"run", kl_cmd_evm_run, "Run code as one message"},
        {"t8n", kl_cmd_t8n, "keel t8n"},
        {"transition", kl_cmd_t8n, "the same"},
        {"statetest", kl_cmd_statetest, "keel statetest"},
        {"blocktest", kl_cmd_blocktest, "keel blocktest"},
    };
    const kl_family family = {
        .command = "evm",
        .noun = "command",
        .help = "Commands of geth's evm.  Run by the name evm (ln -s keel evm) keel is that "
                "program:\nevm t8n, evm run.",
        .more = "\nexamples:\n  keel evm run 0x6001600201\n      Run some code\n",
        .members = commands,
        .count = KL_COUNT_OF(commands),
    };
    if (argc > 1 && (strcmp(argv[1], "--version") == 0 || strcmp(argv[1], "-v") == 0)) {
        printf("evm version %s-keel\n", KL_VERSION);
        return KL_EXIT_OK;
    }
    return kl_family_run(&family, argc, argv);
}

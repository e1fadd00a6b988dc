/* main: keel. */
#include "cli/command.h"

int main(int argc, char **argv)
{
    return kl_cli_main(argc, argv);
}

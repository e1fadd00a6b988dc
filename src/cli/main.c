/* main: keel. */
#include "cli/command.h"
#include "sys/env.h"

int main(int argc, char **argv)
{
    kl_sys_heap_gives_back();
    return kl_cli_main(argc, argv);
}

/* main: keel. */
#include "cli/command.h"
#include "sys/env.h"

int main(int argc, char **argv)
{
    kl_sys_heap_gives_back();
    kl_sys_file_limit_is_full();
    return kl_cli_main(argc, argv);
}

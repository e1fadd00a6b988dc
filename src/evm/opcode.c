#include "evm/opcode.h"

const char *kl_opcode_name(u8 op)
{
    static const char *const names[256] = {
#define KL_OPCODE_X(byte, name, in, out, fork, gas) [byte] = #name,
#include "evm/opcodes.def"
#undef KL_OPCODE_X
        [KL_OP_INVALID] = "INVALID",
    };
    return names[op];
}

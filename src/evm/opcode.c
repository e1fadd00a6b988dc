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

unsigned kl_opcode_in(u8 op)
{
    static const u8 words[256] = {
#define KL_OPCODE_X(byte, name, in, out, fork, gas) [byte] = in,
#include "evm/opcodes.def"
#undef KL_OPCODE_X
    };
    return words[op];
}

unsigned kl_opcode_out(u8 op)
{
    static const u8 words[256] = {
#define KL_OPCODE_X(byte, name, in, out, fork, gas) [byte] = out,
#include "evm/opcodes.def"
#undef KL_OPCODE_X
    };
    return words[op];
}

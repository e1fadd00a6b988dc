/* opcode: the instructions of the EVM by name. */
#ifndef KL_EVM_OPCODE_H
#define KL_EVM_OPCODE_H

#include "types/fork.h"

enum {
#define KL_OPCODE_X(byte, name, in, out, fork, gas) KL_OP_##name = byte,
#include "evm/opcodes.def"
#undef KL_OPCODE_X
    KL_OP_INVALID = 0xfe /* never an instruction [EIP-141] */
};

/* "PUSH1"; NULL for a byte that is no instruction under any fork.  Static storage. */
const char *kl_opcode_name(u8 op);

/* How many words it takes from the stack, and how many it puts there; 0 for a byte that is no
 * instruction. */
unsigned kl_opcode_in(u8 op);
unsigned kl_opcode_out(u8 op);

#endif

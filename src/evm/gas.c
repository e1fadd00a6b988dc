/* Base prices are those of opcodes.def with the changes of later forks laid over them. */
#include "evm/gas.h"

#include "evm/opcode.h"

static const struct {
    u8 op;
    kl_fork since;
    i32 gas;
} defined[] = {
#define KL_OPCODE_X(byte, name, in, out, fork, gas) {byte, KL_##fork, gas},
#include "evm/opcodes.def"
#undef KL_OPCODE_X
};

static const struct {
    kl_fork since;
    u8 op;
    i32 gas;
} changes[] = {
    /* [EIP-150] */
    {KL_TANGERINE, KL_OP_EXTCODESIZE, 700},
    {KL_TANGERINE, KL_OP_EXTCODECOPY, 700},
    {KL_TANGERINE, KL_OP_BALANCE, 400},
    {KL_TANGERINE, KL_OP_SLOAD, 200},
    {KL_TANGERINE, KL_OP_CALL, 700},
    {KL_TANGERINE, KL_OP_CALLCODE, 700},
    {KL_TANGERINE, KL_OP_DELEGATECALL, 700},
    {KL_TANGERINE, KL_OP_SELFDESTRUCT, 5000},
    /* [EIP-1884] */
    {KL_ISTANBUL, KL_OP_SLOAD, 800},
    {KL_ISTANBUL, KL_OP_BALANCE, 700},
    {KL_ISTANBUL, KL_OP_EXTCODEHASH, 700},
    /* [EIP-2929]: the price of a warm access; a cold one pays the rest on top */
    {KL_BERLIN, KL_OP_BALANCE, 100},
    {KL_BERLIN, KL_OP_EXTCODESIZE, 100},
    {KL_BERLIN, KL_OP_EXTCODECOPY, 100},
    {KL_BERLIN, KL_OP_EXTCODEHASH, 100},
    {KL_BERLIN, KL_OP_SLOAD, 100},
    {KL_BERLIN, KL_OP_CALL, 100},
    {KL_BERLIN, KL_OP_CALLCODE, 100},
    {KL_BERLIN, KL_OP_DELEGATECALL, 100},
    {KL_BERLIN, KL_OP_STATICCALL, 100},
};

void kl_gas_table_fill(kl_gas_table *out, kl_fork fork)
{
    for (usize op = 0; op < KL_COUNT_OF(out->base); op++)
        out->base[op] = KL_GAS_UNDEFINED;
    for (usize i = 0; i < KL_COUNT_OF(defined); i++)
        if (fork >= defined[i].since)
            out->base[defined[i].op] = defined[i].gas;
    for (usize i = 0; i < KL_COUNT_OF(changes); i++)
        if (fork >= changes[i].since)
            out->base[changes[i].op] = changes[i].gas;
}

u32 kl_code_size_limit(kl_fork fork)
{
    return fork >= KL_SPURIOUS ? 0x6000 : UINT32_MAX; /* [EIP-170] */
}

u32 kl_init_code_size_limit(kl_fork fork)
{
    return fork >= KL_SHANGHAI ? 2 * 0x6000 : UINT32_MAX; /* [EIP-3860] */
}

u64 kl_refund_cap(kl_fork fork, u64 gas_used)
{
    return gas_used / (fork >= KL_LONDON ? 5 : 2); /* [EIP-3529] */
}

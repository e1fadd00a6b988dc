/* code_priv: how code is laid out for the loop. */
#ifndef KL_EVM_CODE_PRIV_H
#define KL_EVM_CODE_PRIV_H

#include "evm/code.h"

/* Zeros behind code: a last PUSH32 reads 32 of them, the one after is a STOP to end on. */
#define KL_CODE_PAD 33

/* Words of a bit map of len bits. */
static inline usize kl_jumpdest_words(usize len)
{
    return (len + 63) / 64;
}

/* Sets the bit of every JUMPDEST that is an instruction; bits come zeroed. */
void kl_jumpdests_find(u64 *bits, const u8 *code, usize len);

#endif

/* The loop, showing every instruction to evm->tracer. */
#define LOOP   kl_loop_traced
#define TRACED 1
#include "evm/loop_priv.h"

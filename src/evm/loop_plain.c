/* The loop, as it runs when nobody watches. */
#define LOOP   kl_loop_plain
#define TRACED 0
#include "evm/loop_priv.h"

#include "rpc/method.h"

static const kl_rpc_method rows[] = {
#define KL_RPC_METHOD_X(name, function, dev, params) {name, kl_rpc_##function, dev, params},
#include "rpc/method.def"
#undef KL_RPC_METHOD_X
};

const kl_rpc_table kl_rpc_methods = {rows, KL_COUNT_OF(rows)};

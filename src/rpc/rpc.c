#include "rpc/server_priv.h"

kl_status kl_rpc_start(struct kl_rpc **out, const kl_rpc_config *config)
{
    return kl_rpc_start_with(out, config, kl_rpc_methods);
}

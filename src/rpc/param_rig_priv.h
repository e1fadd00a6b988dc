/* param_rig: a call with given params, for tests of what reads them. */
#ifndef KL_RPC_PARAM_RIG_PRIV_H
#define KL_RPC_PARAM_RIG_PRIV_H

#include "base/test.h"
#include "rpc/param.h"
#include "rpc/worker_priv.h"

struct param_rig {
    kl_rpc_config config;
    struct kl_rpc_core core;
    struct kl_rpc_worker worker;
    struct kl_json json;
    struct kl_rpc_call call;
};

static const kl_rpc_method param_rig_method = {"test", NULL, false, "first, second?"};

static inline void param_rig_open(struct param_rig *rig, const char *params)
{
    kl_rule broken;
    usize at;
    rig->config = (kl_rpc_config){.limits = kl_rpc_limits_default()};
    rig->core = (struct kl_rpc_core){.config = &rig->config};
    kl_rpc_worker_init(&rig->worker, &rig->core);
    CHECK_OK(
        kl_json_parse(&rig->json, kl_span_str(params), 1000, &rig->worker.arena, &broken, &at));
    CHECK_RULE(broken, KL_RULE_NONE);
    rig->call = (struct kl_rpc_call){.config = &rig->config,
                                     .arena = &rig->worker.arena,
                                     .json = &rig->json,
                                     .params = 0,
                                     .method = &param_rig_method,
                                     .worker = &rig->worker};
}

static inline void param_rig_close(struct param_rig *rig)
{
    kl_rpc_worker_done(&rig->worker);
}

/* The call has failed with this message, as PARAMS. */
static inline void param_rig_failed(struct param_rig *rig, const char *want)
{
    CHECK(rig->call.error == KL_RPC_PARAMS);
    CHECK_SPAN(kl_span_str(rig->call.message), kl_span_str(want));
    param_rig_close(rig);
}

#endif

/* method: the table of methods.  Adding one is a row in method.def and a function; see
 * docs/internals/rpc.md. */
#ifndef KL_RPC_METHOD_H
#define KL_RPC_METHOD_H

#include "rpc/call.h"

typedef struct kl_rpc_method {
    const char *name;
    bool (*run)(struct kl_rpc_call *call);
    bool dev;           /* only where config.dev is set; elsewhere it does not exist */
    const char *params; /* names in order, the optional ones with '?': "address, block?" */
} kl_rpc_method;

/* Methods sorted by name. */
typedef struct kl_rpc_table {
    const kl_rpc_method *rows;
    usize count;
} kl_rpc_table;

/* All of Keel's. */
extern const kl_rpc_table kl_rpc_methods;

/* NULL when there is none. */
const kl_rpc_method *kl_rpc_method_find(kl_rpc_table table, kl_span name);

/* Parameter `index` of a method: its name, empty behind the last; *optional. */
kl_span kl_rpc_method_param(const kl_rpc_method *method, usize index, bool *optional);

#define KL_RPC_METHOD_X(name, function, dev, params) bool kl_rpc_##function(struct kl_rpc_call *);
#include "rpc/method.def"
#undef KL_RPC_METHOD_X

#endif

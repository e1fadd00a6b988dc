#include "rpc/method.h"

const kl_rpc_method *kl_rpc_method_find(kl_rpc_table table, kl_span name)
{
    usize low = 0, high = table.count;
    while (low < high) {
        usize middle = low + (high - low) / 2;
        int order = kl_span_cmp(name, kl_span_str(table.rows[middle].name));
        if (order == 0)
            return &table.rows[middle];
        if (order < 0)
            high = middle;
        else
            low = middle + 1;
    }
    return NULL;
}

kl_span kl_rpc_method_param(const kl_rpc_method *method, usize index, bool *optional)
{
    const char *at = method->params;
    for (; index > 0 && *at; index--) {
        at += strcspn(at, ",");
        at += strspn(at, ", ");
    }
    usize len = strcspn(at, ",");
    *optional = len > 0 && at[len - 1] == '?';
    return kl_span_of(at, len - *optional);
}

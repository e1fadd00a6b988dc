/* trace_json: one line of JSON an instruction, as geth's evm prints them [EIP-3155]. */
#ifndef KL_CLI_TRACE_JSON_H
#define KL_CLI_TRACE_JSON_H

#include <stdio.h>

#include "base/buf.h"
#include "evm/trace.h"

struct kl_trace_json {
    struct kl_tracer tracer;
    FILE *out;
    struct kl_buf line; /* the last step, held back until it is known whether it failed */
    struct kl_buf text; /* for hex */
};

void kl_trace_json_init(struct kl_trace_json *trace, FILE *out);
void kl_trace_json_done(struct kl_trace_json *trace);

#endif

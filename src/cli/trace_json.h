/* trace_json: one line of JSON an instruction, as geth's evm prints them [EIP-3155]. */
#ifndef KL_CLI_TRACE_JSON_H
#define KL_CLI_TRACE_JSON_H

#include <stdio.h>

#include "base/buf.h"
#include "evm/trace.h"

/* What lines say beyond pc, op, gas and depth. */
typedef struct kl_trace_json_options {
    bool memory;      /* all of memory, beside its size */
    bool no_stack;    /* null for the stack */
    bool return_data; /* what the last call gave back */
    bool frames;      /* a line more at the beginning of each call, creation and SELFDESTRUCT */
} kl_trace_json_options;

struct kl_trace_json {
    struct kl_tracer tracer;
    kl_trace_json_options options;
    FILE *out;
    struct kl_buf line; /* the last step, held back until it is known whether it failed */
    struct kl_buf text; /* for hex */
    char error[KL_HALT_DETAIL_MAX]; /* of the frame that is about to be left */
};

void kl_trace_json_init(struct kl_trace_json *trace, FILE *out, kl_trace_json_options options);
void kl_trace_json_done(struct kl_trace_json *trace);

#endif

/* verify_report: what keel verify has found, for people and for programs. */
#ifndef KL_CLI_VERIFY_REPORT_H
#define KL_CLI_VERIFY_REPORT_H

#include <stdio.h>

#include "chain/verify.h"

/* dir stands in front of files' names. */
void kl_verify_print(FILE *out, const char *dir, const kl_verify_result *result, u64 took_ns);
void kl_verify_print_json(FILE *out, const kl_verify_result *result, u64 took_ns);
void kl_scrub_print(FILE *out, const kl_scrub_result *result, u64 took_ns);
void kl_scrub_print_json(FILE *out, const kl_scrub_result *result, u64 took_ns);

#endif

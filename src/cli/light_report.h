/* What `keel light verify` says of a bundle. */
#ifndef KL_CLI_LIGHT_REPORT_H
#define KL_CLI_LIGHT_REPORT_H

#include <stdio.h>

#include "light/bundle.h"

/* To people: what is proven, in some lines; in one line, where there are several files. */
void kl_light_print(FILE *out, const struct kl_light *light, const kl_light_bundle *bundle,
                    const kl_light_result *result);
void kl_light_print_line(FILE *out, const char *path, const kl_light_result *result);
/* To programs: an object in one line. */
void kl_light_print_json(FILE *out, const char *path, const struct kl_light *light,
                         const kl_light_bundle *bundle, const kl_light_result *result);

/* That it proves nothing, and why. */
void kl_light_print_fault(FILE *out, const char *path, const kl_light_fault *fault, bool json);

#endif

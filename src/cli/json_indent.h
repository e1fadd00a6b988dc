/* json_indent: JSON for people. */
#ifndef KL_CLI_JSON_INDENT_H
#define KL_CLI_JSON_INDENT_H

#include "base/buf.h"

/* Adds compact JSON (as json.h writes it) to out, a member or element a line, `indent` blanks a
 * level; empty objects and arrays stay as they are. */
void kl_json_indent(struct kl_buf *out, kl_span compact, unsigned indent);

#endif

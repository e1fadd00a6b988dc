/* What the reader and the writer of JSON strings share. */
#ifndef KL_CODEC_JSON_PRIV_H
#define KL_CODEC_JSON_PRIV_H

#include "base/span.h"

/* How many bytes from p on need no attention inside a JSON string: no quote, backslash, control
 * character or byte above 0x7f. */
usize kl_json_plain(const u8 *p, const u8 *end);

/* Length of the UTF-8 sequence at p, 0 when there is no valid one [RFC 3629 section 4]. */
usize kl_json_utf8(const u8 *p, const u8 *end);

/* Writes a code point below 0x110000 as UTF-8, returns its length. */
usize kl_json_utf8_put(u8 out[4], u32 point);

/* Reads the escape at p, which stands behind a backslash: its code point, surrogate pairs joined,
 * and how many bytes it took; 0 when it is no escape. */
usize kl_json_escape(u32 *point, const u8 *p, const u8 *end);

#endif

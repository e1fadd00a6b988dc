/* protobuf: the wire format of protocol buffers, as far as libp2p's messages need it [encoding
 * specification]: varints and length-delimited fields.
 *
 * Reading walks a cursor over the caller's bytes.  Lenient where the format is: fields come in any
 * order, unknown ones are passed over, fixed-width ones too; varints may be longer than needed but
 * for those that are read as minimal.  Groups, and field number 0, are refused.
 * Thread: any.  Owner: the bytes stay the caller's, every span handed out is a view of them. */
#ifndef KL_CODEC_PROTOBUF_H
#define KL_CODEC_PROTOBUF_H

#include "base/rule.h"
#include "base/span.h"

/* Unsigned varints [multiformats unsigned-varint]: at most 10 bytes, 64 bits. */
enum { KL_VARINT_MAX = 10 };
usize kl_varint_len(u64 v);
void kl_varint_put(kl_out *out, u64 v);
/* Takes one off the front.  VARINT_SHORT: it may go on behind the end; VARINT_WIDE: it has no 64
 * bits, whatever follows.  *from and *out are untouched when a rule is broken. */
kl_rule kl_varint(kl_span *from, u64 *out);

typedef enum kl_pb_wire {
    KL_PB_VARINT = 0,
    KL_PB_FIXED64 = 1,
    KL_PB_BYTES = 2,
    KL_PB_FIXED32 = 5,
} kl_pb_wire;

typedef struct kl_pb_field {
    u32 number; /* 1 .. 2^29 - 1 */
    kl_pb_wire wire;
    u64 value;     /* of a varint */
    kl_span bytes; /* of KL_PB_BYTES */
} kl_pb_field;

/* Takes the next field off the front; VARINT_SHORT, VARINT_WIDE, PB_FIELD (number or wire type),
 * PB_SHORT (a field reaches beyond the end).  At the end of the bytes there is none: see
 * kl_span.len. */
kl_rule kl_pb_next(kl_span *from, kl_pb_field *out);

/* Writing. */
void kl_pb_put_u64(kl_out *out, u32 number, u64 v);
void kl_pb_put_bytes(kl_out *out, u32 number, kl_span bytes);
/* Only the head of a byte string or message of len bytes, which follow. */
void kl_pb_put_head(kl_out *out, u32 number, usize len);

#endif

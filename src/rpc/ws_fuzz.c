/* Frames: whatever the bytes, the same events come out however they arrive. */
#include <stdlib.h>

#include "base/buf.h"
#include "base/fuzz.h"
#include "rpc/ws.h"

enum { MAX = 2000 };

/* Writes down the events of a stream that comes in pieces of step bytes. */
static void events_of(struct kl_buf *out, kl_span stream, usize step)
{
    u8 *buffer = malloc(stream.len + 1);
    KL_ASSERT(buffer);
    struct kl_ws ws = {0};
    usize held = 0;
    for (usize at = 0; at < stream.len; at += step) {
        kl_span piece = kl_span_sub(stream, at, step);
        memcpy(buffer + held, piece.p, piece.len);
        held += piece.len;
        for (;;) {
            kl_ws_event event;
            kl_rule rule = kl_ws_next(&ws, buffer, held, MAX, &event);
            if (rule != KL_RULE_NONE) {
                unsigned code = kl_ws_code_of(rule);
                kl_buf_bytes(out, &code, sizeof code);
                free(buffer);
                return;
            }
            if (event.kind == KL_WS_WAIT)
                break;
            kl_buf_bytes(out, &event.kind, sizeof event.kind);
            kl_buf_bytes(out, &event.code, sizeof event.code);
            kl_buf_span(out, event.bytes);
        }
        held = kl_ws_compact(&ws, buffer, held);
        KL_ASSERT(held <= MAX + KL_WS_FRAME_HEAD_MAX + KL_WS_CONTROL_MAX || step > 1);
    }
    free(buffer);
}

int LLVMFuzzerTestOneInput(const u8 *bytes, usize len)
{
    struct kl_buf whole, pieces;
    kl_buf_init(&whole, SIZE_MAX / 2);
    kl_buf_init(&pieces, SIZE_MAX / 2);
    kl_span stream = kl_span_of(bytes, len);
    events_of(&whole, stream, len ? len : 1);
    events_of(&pieces, stream, 1);
    KL_ASSERT(kl_span_eq(kl_buf_view(&whole), kl_buf_view(&pieces)));
    kl_buf_done(&whole);
    kl_buf_done(&pieces);
    char accept[KL_WS_ACCEPT_LEN];
    (void)kl_ws_accept(accept, kl_span_sub(stream, 0, 24));
    return 0;
}

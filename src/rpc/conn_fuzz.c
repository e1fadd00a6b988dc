/* Whole connections: a client's bytes, whatever they are, give the same answers however they arrive
 * and however slowly the answers are taken; and nothing is held afterwards.
 *
 * Input: 1 byte of options, 1 of the pieces' size, then what the client sends. */
#include "base/fuzz.h"
#include "rpc/conn_rig_priv.h"

enum { CORS = 1, SLOW_READER = 2, LATE = 4, STOP = 8, NO_MEMORY = 16 };

static kl_rpc_limits limits_of(u8 options)
{
    return (kl_rpc_limits){
        .body_bytes = 3000,
        .header_timeout_ns = 30,
        .idle_timeout_ns = 100,
        .socket_queue_bytes = 1000,
        .buffer_bytes = options & NO_MEMORY ? 1500 : 1 << 20,
    };
}

static void open_rig(struct rig *rig, u8 options)
{
    kl_rpc_limits limits = limits_of(options);
    rig_open(rig, &limits);
    rig->env.cors = options & CORS ? "*" : NULL;
}

/* Everything at once to a client that takes everything. */
static void run_whole(struct rig *rig, kl_span sent)
{
    (void)rig_feed(rig, sent);
    rig_end(rig);
}

static void run_in_pieces(struct rig *rig, kl_span sent, usize step, u8 options)
{
    static const u8 news[400];
    usize at = 0;
    while (at < sent.len && !rig->closed) {
        rig->window = options & SLOW_READER ? 7 : SIZE_MAX;
        usize n = rig_feed(rig, kl_span_sub(sent, at, step));
        KL_ASSERT(n > 0 || rig->closed || rig->window == 0);
        at += n;
        if ((options & LATE) && at % 5 == 0)
            rig_wait(rig, 20);
        if ((options & STOP) && at > sent.len / 2)
            kl_conn_stop(&rig->conn);
        if (kl_conn_hears(&rig->conn) && (options & LATE))
            kl_conn_push(&rig->conn, kl_span_of(news, 1 + at % sizeof news));
    }
    for (int i = 0; i < 4 && (options & LATE); i++) { /* and then it says nothing for long */
        rig->window = options & SLOW_READER ? 1 : SIZE_MAX;
        rig_wait(rig, 90);
    }
    rig->window = SIZE_MAX;
    rig_end(rig);
}

int LLVMFuzzerTestOneInput(const u8 *bytes, usize len)
{
    if (len < 2)
        return 0;
    u8 options = bytes[0];
    usize step = 1 + bytes[1];
    kl_span sent = kl_span_of(bytes + 2, len - 2);
    struct rig whole, pieces;
    open_rig(&whole, options);
    open_rig(&pieces, options);
    run_whole(&whole, sent);
    run_in_pieces(&pieces, sent, step, options);
    KL_ASSERT(whole.closed);
    if (!(options & (LATE | STOP | NO_MEMORY))) {
        KL_ASSERT(pieces.closed && whole.calls == pieces.calls);
        KL_ASSERT(kl_span_eq(kl_buf_view(&whole.out), kl_buf_view(&pieces.out)));
    }
    rig_close(&whole);
    rig_close(&pieces);
    return 0;
}

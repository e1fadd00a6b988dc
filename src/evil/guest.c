/* Attacks on a node that is not open: whoever is not known may say a hello there, in which a pass
 * of the network's may vouch for it. */
#include "evil/attack_priv.h"

static void hello(struct evil_wire *w, kl_span head, kl_span frame)
{
    evil_open_other(w, w->evil->names[EVIL_HELLO], head);
    evil_queue(w, EVIL_OTHER, frame);
}

void evil_guest_junk(struct evil_wire *w)
{
    hello(w, KL_SPAN_TEXT("\0\0\0\x0a"), KL_SPAN_TEXT("let me in!"));
}

void evil_guest_half(struct evil_wire *w)
{
    hello(w, KL_SPAN_TEXT("\0\0\0\x0a"), KL_SPAN_TEXT("let me in"));
}

/* What the target has said to the first connection, with whatever vouches for that one. */
void evil_guest_replay(struct evil_wire *w)
{
    u8 head[4];
    kl_span kept = kl_buf_view(&w->evil->kept);
    if (w == w->evil->wires || !kept.len || w->asked_ns)
        return;
    w->asked_ns = w->evil->now_ns;
    kl_store_be32(head, (u32)kept.len);
    hello(w, KL_SPAN_OF(head), kept);
}
